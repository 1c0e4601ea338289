"""Models of transformers as GGUF files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import torch
from transformers import PreTrainedModel

from tests.tiny import tokenizer

NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
TOPS = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}


def interleaved(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of a query or key matrix in the order that the format wants for its rotation of pairs."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def write(path: Path, model: PreTrainedModel, template: str | None = None, words: Any = None) -> Path:
    """A Llama with its tokenizer, byte-level BPE, as a GGUF file; the tiny one by default."""
    config: Any = model.config
    words = words or tokenizer(whole_alphabet=True)
    merges = json.loads(words.backend_tokenizer.to_str())["model"]["merges"]
    path.parent.mkdir(exist_ok=True)
    file = gguf.GGUFWriter(path, "llama")
    file.add_context_length(config.max_position_embeddings)
    file.add_embedding_length(config.hidden_size)
    file.add_block_count(config.num_hidden_layers)
    file.add_feed_forward_length(config.intermediate_size)
    file.add_head_count(config.num_attention_heads)
    file.add_head_count_kv(config.num_key_value_heads)
    file.add_layer_norm_rms_eps(config.rms_norm_eps)
    file.add_rope_freq_base(config.rope_parameters["rope_theta"])
    file.add_vocab_size(config.vocab_size)
    tokens: list[str] = words.convert_ids_to_tokens(list(range(len(words))))
    file.add_tokenizer_model("gpt2")
    file.add_tokenizer_pre("gpt-2")
    file.add_token_list(tokens)
    special = set(words.all_special_tokens)
    file.add_token_types([gguf.TokenType.CONTROL if t in special else gguf.TokenType.NORMAL for t in tokens])
    file.add_token_merges([" ".join(merge) for merge in merges])
    file.add_bos_token_id(words.bos_token_id)
    file.add_eos_token_id(words.eos_token_id)
    if template:
        file.add_chat_template(template)
    for name, weight in model.state_dict().items():
        if name in TOPS:
            file.add_tensor(TOPS[name], weight.numpy())
            continue
        _, _, layer, *middle, _ = name.split(".")
        short = ".".join(middle)
        heads = {"self_attn.q_proj": config.num_attention_heads, "self_attn.k_proj": config.num_key_value_heads}.get(short)
        file.add_tensor(
            f"blk.{layer}.{NAMES[short]}.weight", (interleaved(weight, heads) if heads else weight).contiguous().numpy()
        )
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()
    return path
