"""The ways in which published reward models give a step's score, behind one small interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
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


def _continuation_ids(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a text at the start of a line, where some tokenizers would otherwise put a space before it."""
    newline, both = _ids(tokenizer, "\n"), _ids(tokenizer, f"\n{text}")
    return both[len(newline) :] if both[: len(newline)] == newline else _ids(tokenizer, text)


def _encode(tokenizer: Any, steps: Sequence[str], mark: str, newline: bool) -> tuple[list[int], list[int]]:
    """Steps one after the other, each with a mark after it; the score stands at the last token of the mark.

    A line break after that is a token of its own, as it was in these models' training. Without a mark the score stands at it.
    """
    tokens: list[int] = []
    ends: list[int] = []
    for step in steps:
        tokens.extend(_continuation_ids(tokenizer, step.strip() + mark))
        if newline and not mark:
            tokens.append(_ids(tokenizer, "\n")[-1])
        ends.append(len(tokens) - 1)
        if newline and mark:
            tokens.append(_ids(tokenizer, "\n")[-1])
    return tokens, ends


@dataclass(frozen=True)
class ClassificationHead:
    """A token classification head: one output is a logit, of two the second is "right".

    Fits the embedded reward model: one output, read at the line's end.

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
        if self.separator is not None:
            return _encode(tokenizer, steps, self.separator, newline=False)
        lines = [_ids(tokenizer, step.rstrip("\n") + "\n") for step in steps]
        return [token for line in lines for token in line], [end - 1 for end in accumulate(map(len, lines))]

    def scores(self, output: Any) -> Tensor:
        return _right(output.logits.float())


@dataclass(frozen=True)
class HiddenHead:
    """Linear layers, with ReLU between them, on the last hidden state of a model without a head of its own.

    Fits Qwen2.5-Math-PRM (two layers, two outputs, read at `<extra_0>`) and Skywork-o1-Open-PRM (one layer, one output, read at
    the line's end).

    Attributes:
        layers: weight, shape (out, in), and bias, shape (out,), of each layer.
        separator: text put after each step, at which the score is read; empty reads it at a line break of its own.
        chat: whether the question goes through the chat template, with `system` before it; if not, it is a line after the
            beginning-of-text token.
        system: system prompt, where the reward model was trained with one.
    """

    layers: Sequence[tuple[Tensor, Tensor]]
    separator: str = ""
    chat: bool = False
    system: str | None = None
    vocabulary_wide: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    def prompt(self, tokenizer: Any, question: str) -> list[int]:
        if self.chat:
            return _ask(tokenizer, question, self.system)
        return _ids(tokenizer, f"{tokenizer.bos_token or ''}{question.strip()}\n")

    def encode(self, tokenizer: Any, steps: Sequence[str]) -> tuple[list[int], list[int]]:
        return _encode(tokenizer, steps, self.separator, newline=not self.separator)

    def scores(self, output: Any) -> Tensor:
        values: Tensor = output.last_hidden_state.float()
        for depth, (weight, bias) in enumerate(self.layers):
            values = values.relu() if depth else values
            values = torch.nn.functional.linear(values, weight.float().to(values.device), bias.float().to(values.device))
        return _right(values)


@dataclass(frozen=True)
class TokenHead:
    """A language model that answers with one of two tokens after each step, as Math-Shepherd does (`+` or `-` at `ки`).

    Attributes:
        separator: text put after each step, at whose last token the answer is read; a line break follows it.
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
        return _encode(tokenizer, steps, self.separator, newline=True)

    def scores(self, output: Any) -> Tensor:
        logits: Tensor = output.logits[..., [self.good, self.bad]].float()
        return logits.softmax(-1)[..., 0]


def _right(logits: Tensor) -> Tensor:
    """The probability of "right": of one output its sigmoid, of two the second one's softmax."""
    return logits[..., 0].sigmoid() if logits.shape[-1] == 1 else logits.softmax(-1)[..., 1]
