"""The ways in which published reward models give a step's score, behind one small interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor


class Head(Protocol):
    """How to ask a reward model, and how to read its answer."""

    @property
    def vocabulary_wide(self) -> bool:
        """Whether its output is over the vocabulary, as a language model's."""
        ...

    @property
    def options(self) -> Mapping[str, Any]:
        """Further arguments of the model's forward pass."""
        ...

    def prompt(self, tokenizer: Any, question: str) -> list[int]:
        """Token ids of the question, to which the steps' tokens are appended."""
        ...

    def encode(self, tokenizer: Any, steps: Sequence[str]) -> tuple[list[int], list[int]]:
        """Token ids of further steps, and per step the position among them at which its score is read."""
        ...

    def scores(self, output: Any) -> Tensor:
        """Scores in [0, 1] at every position, shape (rows, positions)."""
        ...


def _ids(tokenizer: Any, text: str) -> list[int]:
    return [int(i) for i in tokenizer(text, add_special_tokens=False)["input_ids"]]


def _ask(tokenizer: Any, question: str, system: str | None) -> list[int]:
    if tokenizer.chat_template:
        turns = [{"role": "system", "content": system}] if system else []
        turns.append({"role": "user", "content": question.strip()})
        return _ids(tokenizer, tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    return [int(i) for i in tokenizer(f"{question.strip()}\n")["input_ids"]]


def _encode(tokenizer: Any, steps: Sequence[str], separator: str | None) -> tuple[list[int], list[int]]:
    """Steps one after the other; the score stands at each step's last token, or at the separator put after it."""
    tokens: list[int] = []
    ends: list[int] = []
    for step in steps:
        text = step.rstrip("\n") + "\n" if separator is None else step.strip() + separator
        tokens.extend(_ids(tokenizer, text))
        ends.append(len(tokens) - 1)
    return tokens, ends


@dataclass(frozen=True)
class ClassificationHead:
    """A token classification head: one output is a logit, of two the second is "right".

    Fits the embedded reward model (one output at the line's end) and Qwen2.5-Math-PRM (two, at `<extra_0>`).

    Attributes:
        separator: text put after each step, at which the score is read; `None` reads it at the step's own line break.
        system: system prompt, where the reward model was trained with one.
    """

    separator: str | None = None
    system: str | None = None
    vocabulary_wide: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def prompt(self, tokenizer: Any, question: str) -> list[int]:
        return _ask(tokenizer, question, self.system)

    def encode(self, tokenizer: Any, steps: Sequence[str]) -> tuple[list[int], list[int]]:
        return _encode(tokenizer, steps, self.separator)

    def scores(self, output: Any) -> Tensor:
        logits: Tensor = output.logits.float()
        return logits[..., 0].sigmoid() if logits.shape[-1] == 1 else logits.softmax(-1)[..., 1]


@dataclass(frozen=True)
class ValueHead:
    """A linear layer on the last hidden state of a language model, as in Skywork-o1-Open-PRM (`v_head.summary`).

    Attributes:
        weight: shape (1, hidden).
        bias: shape (1,).
    """

    weight: Tensor
    bias: Tensor
    vocabulary_wide: bool = False
    options: Mapping[str, Any] = field(default_factory=lambda: {"output_hidden_states": True, "logits_to_keep": 1})

    def prompt(self, tokenizer: Any, question: str) -> list[int]:
        start = tokenizer.bos_token or ""
        return _ids(tokenizer, f"{start}{question.strip()}\n")

    def encode(self, tokenizer: Any, steps: Sequence[str]) -> tuple[list[int], list[int]]:
        return _encode(tokenizer, steps, None)

    def scores(self, output: Any) -> Tensor:
        hidden = output.hidden_states[-1].float()
        values = torch.nn.functional.linear(hidden, self.weight.float().to(hidden.device), self.bias.float().to(hidden.device))
        return values[..., 0].sigmoid()


@dataclass(frozen=True)
class TokenHead:
    """A language model that answers with one of two tokens after each step, as Math-Shepherd does (`+` or `-` at `ки`).

    Attributes:
        separator: text put after each step.
        good: id of the token that says "right".
        bad: id of the token that says "wrong".
    """

    separator: str
    good: int
    bad: int
    vocabulary_wide: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)

    def prompt(self, tokenizer: Any, question: str) -> list[int]:
        return [int(i) for i in tokenizer(f"{question.strip()} ")["input_ids"]]

    def encode(self, tokenizer: Any, steps: Sequence[str]) -> tuple[list[int], list[int]]:
        return _encode(tokenizer, steps, self.separator)

    def scores(self, output: Any) -> Tensor:
        logits: Tensor = output.logits[..., [self.good, self.bad]].float()
        return logits.softmax(-1)[..., 0]
