"""Sampling the candidates of any number of paths, of any number of questions, in one batch."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event

import torch
from torch import Tensor
from transformers import PreTrainedModel

from uniscale_integrations.cost.eflops import decode_usage
from uniscale_integrations.cost.shape import ModelShape
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.models.draw import draw
from uniscale_integrations.models.halving import in_parts
from uniscale_integrations.models.rows import Batch, RowState
from uniscale_integrations.models.vocabulary import Vocabulary
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.streams import uniforms


@dataclass(frozen=True, slots=True)
class Decoder:
    """What decoding needs to know of a model."""

    model: PreTrainedModel
    shape: ModelShape
    vocabulary: Vocabulary
    final_step: re.Pattern[str] | None
    context: int


@dataclass(slots=True, eq=False)
class Row:
    """A candidate while it is being sampled.

    Attributes:
        tree: of its path.
        index: among the candidates of its path.
        sampling: temperature, lengths, seed.
        whole: whether to sample to the end of the answer instead of one step.
        depth: steps of its path.
        text: of its path and the finished steps of this candidate.
        answer: token ids of the same.
        state: its path's cache.
        logits: what follows its path, shape (vocabulary,); `None` where its path could not be read.
        stopped: set when the caller no longer wants it.
        usage: spent so far.
        log_probabilities: mean log-probability of the tokens of each step.
        step_log_probability: sum over the tokens of the step being drawn.
        poisoned: whether the model's output was not a number.
        after: its own cache once it is done, without its last token; `None` where it cannot go on.
        blank: tokens at its end that say nothing and are not part of any step.
        done: whether it left its batch.
    """

    tree: int
    index: int
    sampling: Sampling
    whole: bool
    depth: int
    text: str
    answer: list[int]
    state: RowState
    logits: Tensor | None
    stopped: Event
    usage: Usage = NOTHING
    steps: list[str] = field(default_factory=list)
    step: list[int] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)
    drawn: int = 0
    log_probabilities: list[float] = field(default_factory=list)
    step_log_probability: float = 0.0
    poisoned: bool = False
    spoke: bool = False
    final: bool = False
    error: str | None = None
    after: RowState | None = None
    blank: int = 0
    done: bool = False

    def begin_step(self) -> None:
        """Take up the random stream of the step to come."""
        self.step, self.spoke, self.step_log_probability = [], False, 0.0
        sampling = self.sampling
        self.numbers = uniforms(sampling.seed, self.tree, self.text, self.index, sampling.max_step_tokens).tolist()

    def take(self, token: int, log_probability: float, decoder: Decoder) -> bool:
        """Add a drawn token; returns whether the candidate is done."""
        vocabulary = decoder.vocabulary
        self.drawn += 1
        self.poisoned = self.poisoned or math.isnan(log_probability)
        if token in vocabulary.ends:
            self.final = True
            return True
        self.answer.append(token)
        self.step.append(token)
        self.step_log_probability += log_probability
        self.spoke = self.spoke or bool(vocabulary.speaks[token])
        broke = self.spoke and vocabulary.broke(self.step)
        if not broke and len(self.step) < self.sampling.max_step_tokens:
            return False
        self.end_step(decoder)
        if self.final or self.blank or not self.whole or self.depth + len(self.steps) >= self.sampling.max_steps:
            return True
        self.begin_step()
        return False

    def end_step(self, decoder: Decoder) -> None:
        """Turn the tokens since the last step's end into a step; a character still incomplete is left to the next one."""
        added = decoder.vocabulary.text(self.answer)[len(self.text) :].rstrip("\ufffd")
        if added.strip():
            self.steps.append(added)
            self.log_probabilities.append(self.step_log_probability / len(self.step))
            self.text += added
            self.final = self.final or bool(decoder.final_step and decoder.final_step.search(added))
        else:
            self.blank = len(self.step)
        self.step = []

    def restart(self, decoder: Decoder, share: float) -> None:
        """Go back to the first token; what the lost attempt used stays on the bill."""
        lost = decode_usage(decoder.shape, self.state.length, self.drawn, share=share * self.drawn)
        self.usage = self.usage.plus(lost)
        self.answer = self.answer[: len(self.answer) - self.drawn]
        self.text = self.text[: len(self.text) - sum(map(len, self.steps))]
        self.steps, self.log_probabilities, self.drawn = [], [], 0


def decode_in_parts(decoder: Decoder, rows: Sequence[Row], max_rows: int, note: Callable[[int, int], None]) -> int:
    """Decode rows in batches of at most `max_rows`; a batch that does not fit is halved, a single row that does not fit fails.

    Args:
        note: told the rows of a batch that ran out of memory, and those of the next.

    Returns:
        the most rows that fit.
    """

    def retry(part: list[Row]) -> list[Row]:
        left = [row for row in part if not row.done]
        for row in left:
            row.restart(decoder, 1 / len(part))
        return left

    def fail(row: Row, error: str) -> None:
        row.restart(decoder, 1.0)
        row.error = error

    return in_parts(rows, max_rows, lambda part: decode(decoder, part), retry=retry, fail=fail, note=note)


def decode(decoder: Decoder, rows: Sequence[Row]) -> None:
    """Sample all rows to their ends; each token is one forward pass of the rows that still need one."""
    batch = Batch.of(decoder.model, [row.state for row in rows], max(row.sampling.max_step_tokens for row in rows))
    logits = torch.stack([row.logits for row in rows if row.logits is not None])
    temperatures = torch.tensor([row.sampling.temperature for row in rows], dtype=torch.float64)
    top_ps = torch.tensor([row.sampling.top_p for row in rows], dtype=torch.float64)
    active = list(rows)
    for row in active:
        row.begin_step()
    paid = 0.0
    while True:
        numbers = torch.tensor([row.numbers[len(row.step)] for row in active], dtype=torch.float64)
        tokens, log_probabilities = draw(logits, numbers, temperatures, top_ps)
        staying: list[int] = []
        for i, (row, token, log_probability) in enumerate(zip(active, tokens.tolist(), log_probabilities.tolist(), strict=True)):
            full = row.state.length + row.drawn + 2 > decoder.context
            if row.take(token, log_probability, decoder) or full or row.stopped.is_set():
                _leave(decoder, row, batch, i, paid, full)
            else:
                staying.append(i)
        if not staying:
            return
        if len(staying) < len(active):
            batch.keep(staying)
            active = [active[i] for i in staying]
            temperatures, top_ps = temperatures[staying], top_ps[staying]
        paid += 1 / len(active)
        logits = batch.forward(torch.tensor([[row.answer[-1]] for row in active]), logits_to_keep=1).logits[:, -1]


def _leave(decoder: Decoder, row: Row, batch: Batch, place: int, paid: float, full: bool) -> None:
    """Account for a row that is done, and keep its cache if its path can go on."""
    if row.step:
        row.end_step(decoder)
    fed = row.drawn - 1
    row.usage = row.usage.plus(decode_usage(decoder.shape, row.state.length, fed, share=min(paid, fed), sampled=row.drawn))
    row.done = True
    if row.poisoned:
        row.error = "the model's output is not a number; load it with a wider dtype"
    elif row.final and not row.text.strip():
        row.error = "the model ended the text without saying anything"
    elif not row.final and not row.steps:
        row.error = f"the model drew {row.drawn} tokens and none of them says anything"
    elif not row.final and not full:
        # What was drawn after the last step says nothing: whoever continues the path draws it again.
        row.answer = row.answer[: len(row.answer) - row.blank]
        row.after = batch.state(place, row.blank)
