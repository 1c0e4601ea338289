"""Tiny transformers models with random weights, and a small tokenizer, for tests of what works with any model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE
from transformers import (
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from uniscale_integrations.models.local.transformers import TransformersModel
from uniscale_integrations.models.task import FAMILY_TASK, Task
from uniscale_integrations.search.paths import Candidate, Expansion, Path, PathKey
from uniscale_integrations.search.ports import GeneratorSession
from uniscale_integrations.search.segmenter import Lines, Segmenter

SPECIAL = ("<pad>", "<s>", "</s>", "<extra_0>")
WORDS = tuple("0123456789+-*=.,:?abcdefghilmnoprstuvwxyzAST \n")
MERGES = ((".", "\n"), ("\n", "\n"), ("\n", "a"))
TEMPLATE = (
    "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}{% if add_generation_prompt %}[a] {% endif %}"
)


def _bytes(text: str) -> str:
    """A text in the alphabet of byte-level tokenizers."""
    return str(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text)[0][0])


def tokenizer(*, whole_alphabet: bool = False, template: str | None = None, extra: Sequence[str] = ()) -> Any:
    """A byte-level tokenizer of few tokens, or of all bytes; `.` and a line break are one token, as are two line breaks."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet()) if whole_alphabet else sorted(map(_bytes, WORDS))
    merges = [(_bytes(left), _bytes(right)) for left, right in MERGES]
    tokens = [*SPECIAL, *alphabet, *(left + right for left, right in merges), *map(_bytes, extra)]
    model = Tokenizer(BPE({token: i for i, token in enumerate(tokens)}, merges))
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    model.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=model, bos_token="<s>", eos_token="</s>", pad_token="<pad>", additional_special_tokens=["<extra_0>"]
    )
    fast.chat_template = template
    return fast


def metaspace_tokenizer() -> Any:
    """A tokenizer in the manner of SentencePiece: a mark for spaces, one before the text, and bytes for what it does not know."""
    tokens = [
        *SPECIAL,
        *(f"<0x{byte:02X}>" for byte in range(256)),
        *"▁0123456789+-=abcdefgstuxки",
        "▁a",
        "▁к",
        "▁ки",
        "▁+",
        "▁-",
    ]
    merges = [("▁", "a"), ("▁", "к"), ("▁к", "и"), ("▁", "+"), ("▁", "-")]
    model = Tokenizer(BPE({token: i for i, token in enumerate(tokens)}, merges, fuse_unk=True, byte_fallback=True))
    model.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    model.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=model, bos_token="<s>", eos_token="</s>", pad_token="<pad>")


def _common(vocabulary: int, context: int) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": context, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
        "initializer_range": 0.3,
    }  # fmt: skip


CONFIGS: dict[str, Callable[[int, int], PreTrainedConfig]] = {
    "llama": lambda v, c: LlamaConfig(**_common(v, c)),
    "qwen2": lambda v, c: Qwen2Config(**_common(v, c)),
    "qwen3": lambda v, c: Qwen3Config(**_common(v, c) | {"head_dim": 16}),
    "gpt2": lambda v, c: GPT2Config(
        vocab_size=v, n_positions=c, n_embd=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2, initializer_range=0.3
    ),
    "gemma2": lambda v, c: Gemma2Config(**_common(v, c) | {"head_dim": 8, "sliding_window": 8}),
    "gemma3": lambda v, c: Gemma3TextConfig(**_common(v, c) | {"head_dim": 8, "sliding_window": 8, "num_hidden_layers": 7}),
}
"""Grouped queries, a head width of its own, learned positions, and layers that see a window only."""


def causal(kind: str, vocabulary: int, *, context: int = 256, seed: int = 0) -> PreTrainedModel:
    """A causal language model with random weights."""
    torch.manual_seed(seed)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(CONFIGS[kind](vocabulary, context))
    model.eval()
    return model


def generator(
    kind: str = "llama",
    *,
    words: Any = None,
    context: int = 256,
    instruction: str = "",
    final_step: str | None = FAMILY_TASK.final_step,
    segmenter: Segmenter = Lines(),  # frozen
    **options: Any,
) -> TransformersModel:
    """A generator around a random model whose steps are lines, without an instruction after the question unless one is given."""
    words = words or tokenizer()
    task = Task(instruction, segmenter, final_step)
    return TransformersModel(causal(kind, len(words), context=context), words, kind, task=task, **options)


def save(model: PreTrainedModel, words: Any, folder: File) -> File:
    """Write both where `from_pretrained` finds them."""
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


@dataclass
class Passes:
    """What a model was fed: rows and new tokens of every forward pass, padding included."""

    shapes: list[tuple[int, int]] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        return sum(rows * new for rows, new in self.shapes)


@contextmanager
def counted(model: PreTrainedModel) -> Iterator[Passes]:
    """Count the forward passes made meanwhile."""
    passes = Passes()

    def hook(module: Any, args: Any, kwargs: dict[str, Any]) -> None:
        rows, new = kwargs["input_ids"].shape
        passes.shapes.append((rows, new))

    handle = model.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield passes
    finally:
        handle.remove()


def recite(model: TransformersModel, script: Sequence[int], after: int) -> None:
    """Make a model draw these tokens in turn, from the one after position `after - 1` on; the last one for ever."""
    forward = model.model.forward

    def scripted(*args: Any, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        positions = kwargs["position_ids"][:, -output.logits.shape[1] :]
        for position, logits in zip(positions.flatten().tolist(), output.logits.flatten(0, 1), strict=True):
            place = min(max(position + 1 - after, 0), len(script) - 1)
            logits[script[place]] = logits.max() + 1000.0
        return output

    model.model.forward = scripted


ROOT = Path(PathKey(0, ()))


def root(tree: int = 0) -> Path:
    return Path(PathKey(tree, ()))


def child(path: Path, index: int, candidate: Candidate) -> Path:
    """The path with a candidate after it, as a search makes it."""
    return Path(path.key.child(index), path.steps + candidate.steps, final=candidate.final)


async def grow(session: GeneratorSession, paths: Sequence[Path], count: int) -> list[Path]:
    """All paths with each of their next candidates that can be continued."""
    groups = await session.expand([Expansion(path, count) for path in paths])
    grown = [
        child(path, index, candidate)
        for path, group in zip(paths, groups, strict=True)
        for index, candidate in enumerate(group)
        if candidate.error is None and not candidate.final
    ]
    session.retain(grown)
    return grown
