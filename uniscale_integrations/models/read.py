"""Reading a path up to its last token, which is where its candidates begin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor
from transformers import PreTrainedModel

from uniscale_integrations.cost.eflops import row_usages
from uniscale_integrations.cost.shape import ModelShape
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.models.halving import in_parts
from uniscale_integrations.models.rows import Batch, RowState, pad_left


@dataclass(slots=True, eq=False)
class Reading:
    """Tokens to read after a path, and what came of it.

    Attributes:
        state: the path's cache before.
        tokens: ids of the tokens to read: a whole question, or the last token of a path.
        answer: ids of all tokens after the question, these included.
        after: the cache with them in it.
        logits: what follows them, shape (vocabulary,).
        usage: what it took.
        error: why it failed.
    """

    state: RowState
    tokens: list[int]
    answer: list[int] = field(default_factory=list)
    after: RowState | None = None
    logits: Tensor | None = None
    usage: Usage = NOTHING
    error: str | None = None

    def fail(self, error: str) -> None:
        self.error = error


def read_in_parts(
    model: PreTrainedModel, shape: ModelShape, readings: Sequence[Reading], max_rows: int, note: Callable[[int, int], None]
) -> int:
    """Read what is unread: all questions side by side, then the last tokens of all paths.

    Returns:
        the most rows that fit.
    """
    unread = [reading for reading in dict.fromkeys(readings) if reading.after is None and reading.error is None]
    for questions in (True, False):
        group = [reading for reading in unread if (reading.state.length == 0) is questions]
        max_rows = in_parts(
            group, max_rows, lambda part: _read(model, shape, part), retry=lambda part: part, fail=Reading.fail, note=note
        )
    return max_rows


def _read(model: PreTrainedModel, shape: ModelShape, readings: Sequence[Reading]) -> None:
    """One pass: of questions, where nothing is cached, or of one token each."""
    counts = [len(reading.tokens) for reading in readings]
    contexts = [reading.state.length for reading in readings]
    tokens, padding = pad_left([reading.tokens for reading in readings], 0)
    questions = [0 if context else count for context, count in zip(contexts, counts, strict=True)]
    usages = row_usages(shape, counts, contexts, prompt=questions)
    for reading, usage in zip(readings, usages, strict=True):
        # Counted before the pass, which may fail and be tried again.
        reading.usage = reading.usage.plus(usage)
    batch = Batch.of(model, [reading.state for reading in readings], tokens.shape[1])
    batch.starts += padding
    logits = batch.forward(tokens, logits_to_keep=1).logits[:, -1]
    for row, reading in enumerate(readings):
        reading.after, reading.logits = batch.state(row), logits[row]
