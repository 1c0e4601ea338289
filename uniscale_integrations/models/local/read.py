"""Reading questions, up to the last token, which is where candidates begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from uniscale_integrations.cost.eflops import row_usages
from uniscale_integrations.cost.shape import ModelShape
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.models.local.batch import OpenBatch
from uniscale_integrations.models.local.oom_retry import in_parts
from uniscale_integrations.models.local.state import PathState


class First(NamedTuple):
    """What an answer may begin with, known from reading the question, which spares its first token a pass of its own.

    Attributes:
        state: the cache with all of the question in it.
        logits: of what follows, shape (vocabulary,).
    """

    state: PathState
    logits: Tensor


@dataclass(slots=True, eq=False)
class Reading:
    """A question to read, and what came of it.

    Attributes:
        root: the cache before the first token.
        tokens: ids of the question, the last one included, which is not read yet.
        after: the cache with all but the last in it.
        usage: what it took; the tokens of the question count as read, its last one too.
        error: why it failed.
        hurried: whether somebody waits for the first token.
        first: what it may be, where it was read alone and hurried.
    """

    root: PathState
    tokens: list[int]
    after: PathState | None = None
    usage: Usage = NOTHING
    error: str | None = None
    hurried: bool = False
    first: First | None = None

    def fail(self, error: str) -> None:
        self.error = error


def read_in_parts(
    model: PreTrainedModel,
    open_batch: OpenBatch,
    shape: ModelShape,
    readings: Sequence[Reading],
    max_rows: int,
    note: Callable[[int, int], None],
) -> int:
    """Read what is unread, all questions in one batch.

    Returns:
        the most rows that fit.
    """

    def read_whole(reading: Reading) -> None:
        count, logits = len(reading.tokens), list[Tensor]()
        reading.usage = reading.usage.plus(row_usages(shape, [count], [0], prompt=[count])[0])
        batch = open_batch(model, [reading.root], count)

        def keep(output: Any) -> Tensor:
            logits.append(output.logits[0, -1])
            return torch.zeros((1, count))

        batch.read([reading.tokens], keep, logits_to_keep=1)
        whole = batch.state(0)
        reading.after, reading.first = whole.without(1), First(whole, logits[0])

    def read(part: list[Reading]) -> None:
        if len(part) == 1 and part[0].hurried:
            read_whole(part[0])
            return
        counts = [len(reading.tokens) - 1 for reading in part]
        usages = row_usages(shape, counts, [0] * len(part), prompt=[len(reading.tokens) for reading in part])
        for reading, usage in zip(part, usages, strict=True):
            # Counted before the pass, which may fail and be tried again.
            reading.usage = reading.usage.plus(usage)
        batch = open_batch(model, [reading.root for reading in part], max(counts))
        batch.read([reading.tokens[:-1] for reading in part], logits_to_keep=1)
        for node, reading in enumerate(part):
            reading.after = batch.state(node)

    pending = [reading for reading in dict.fromkeys(readings) if reading.after is None and reading.error is None]
    for reading in pending:
        if len(reading.tokens) == 1:
            reading.after, reading.usage = reading.root, Usage(prompt_tokens=1.0)
    longer = [reading for reading in pending if reading.after is None]
    return in_parts(longer, max_rows, read, retry=lambda part: part, fail=Reading.fail, note=note)
