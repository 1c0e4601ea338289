"""The body of the reward model learns to keep the token it reads, and stays a language model of the same shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import LlamaConfig, LlamaForCausalLM

from training.recall import WEIGHT, RecallingModel, loss_of

CONFIG = LlamaConfig(
    vocab_size=20, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, pad_token_id=0
)


def test_only_masked_positions_count_with_their_next_token_and_their_own() -> None:
    torch.manual_seed(0)
    model = RecallingModel(CONFIG)
    ids = torch.randint(1, 20, (2, 6))
    mask = torch.zeros(2, 6, dtype=torch.bool)
    mask[0, 2] = mask[1, 4] = True
    states = model.model(ids).last_hidden_state[mask]
    following = torch.nn.functional.cross_entropy(model.lm_head(states), torch.stack([ids[0, 3], ids[1, 5]]))
    current = torch.nn.functional.cross_entropy(model.recall(states), torch.stack([ids[0, 2], ids[1, 4]]))
    torch.testing.assert_close(loss_of(model, ids, mask), following + WEIGHT * current)


def test_the_second_head_is_not_saved(tmp_path: Path) -> None:
    model = RecallingModel(CONFIG)
    model.save_pretrained(tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as saved:
        assert not [name for name in saved.keys() if "recall" in name]  # noqa: SIM118  # it is no mapping
    plain: Any = LlamaForCausalLM.from_pretrained(tmp_path)
    ids = torch.randint(1, 20, (2, 6))
    torch.testing.assert_close(plain(ids).logits, model(ids).logits)
