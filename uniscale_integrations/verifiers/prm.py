"""A process reward model as a verifier: every path's cache is kept, only new tokens are read."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from uniscale_integrations.cost.eflops import forward_usage, row_usages
from uniscale_integrations.cost.shape import ModelShape
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import ContextLengthError
from uniscale_integrations.models.batching import SharedBatches
from uniscale_integrations.models.rows import Batch, RowState, empty_state, pad_right
from uniscale_integrations.search.paths import Candidate, Path
from uniscale_integrations.verifiers.reward_heads import Head

Verdict = tuple[tuple[float, ...] | None, Usage]

DECIMALS = 3
"""Scores are rounded to this many decimals: finer differences are below any reward model's calibration, and above the rounding noise of
floating point, which would otherwise make equal paths differ from batch to batch."""


class PRMVerifier:
    """Scores each step with a reward model read at the step's end.

    Args:
        model: the reward model.
        tokenizer: its tokenizer, which need not be the generator's.
        head: how a score is read off its output.
        name: for ledgers and messages.
        max_rows: most rows in one batch.

    Example:
        >>> from uniscale_integrations.verifiers.load import load_prm
        >>> prm = load_prm("uniscale-prm")
        >>> prm.upper, prm.path_local
        (1.0, True)
    """

    upper = 1.0
    path_local = True

    def __init__(self, model: PreTrainedModel, tokenizer: Any, head: Head, name: str, *, max_rows: int = 256) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.head = head
        self.name = name
        self.max_rows = max_rows
        config = model.config.get_text_config()
        self.context = int(config.max_position_embeddings)
        self.shape = ModelShape.from_config(
            config,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            bytes_per_weight=next(model.parameters()).element_size(),
            language_head=head.vocabulary_wide,
        )
        self.batches = SharedBatches(self.score)
        self.root = empty_state(model)

    def open(self, question: str) -> PRMSession:
        """Begin a question.

        Raises:
            ContextLengthError: the question alone is longer than the reward model can read.
        """
        ids = self.head.prompt(self.tokenizer, question)
        if len(ids) >= self.context:
            raise ContextLengthError(
                f"the question takes {len(ids)} tokens, {len(ids) - self.context + 1} more than {self.name} can read "
                f"(context {self.context}); shorten it or use a verifier with a longer context"
            )
        return PRMSession(self, ids)

    def score(self, requests: Sequence[tuple[PRMSession, Sequence[tuple[Path, Candidate]]]]) -> list[list[Verdict]]:
        """Score the items of many sessions with one batch, on this thread."""
        with torch.inference_mode():
            unread = [session.unread(items) for session, items in requests]
            readings = [reading for part in unread for reading in part.values()]
            for first in range(0, len(readings), self.max_rows):
                self._read(readings[first : first + self.max_rows])
            for (session, _), part in zip(requests, unread, strict=True):
                for text, reading in part.items():
                    session.remember(text, reading)
        return [session.verdicts(items, part) for (session, items), part in zip(requests, unread, strict=True)]

    def _read(self, readings: Sequence[Reading]) -> None:
        """One pass over the new tokens of these paths."""
        states = [reading.state for reading in readings]
        counts = [len(reading.tokens) for reading in readings]
        longest = max(state.length + count for state, count in zip(states, counts, strict=True))
        if longest > self.context:
            raise ContextLengthError(f"a path of {longest} tokens is {longest - self.context} more than {self.name} can read")
        matrix, lengths = pad_right([reading.tokens for reading in readings], 0)
        batch = Batch.of(self.model, states, matrix.shape[1])
        scores = self.head.scores(batch.forward(matrix, lengths, **self.head.options))
        usages = row_usages(self.shape, counts, [state.length for state in states], prompt=counts)
        for row, (reading, usage) in enumerate(zip(readings, usages, strict=True)):
            reading.scores = tuple(round(value, DECIMALS) for value in scores[row, reading.places].tolist())
            reading.usage = usage
            if reading.wanted:
                reading.after = batch.state(row, matrix.shape[1] - counts[row])


@dataclass(slots=True)
class Reading:
    """New tokens to read after a path, and what was read.

    Attributes:
        state: the path's cache.
        tokens: ids of the new tokens.
        places: where among them the scores stand, one per step.
        wanted: whether the path may go on, so that its cache is kept.
        scores: found, one per step.
        usage: what it took.
        after: the cache with the new tokens in it.
    """

    state: RowState
    tokens: list[int]
    places: list[int]
    wanted: bool
    scores: tuple[float, ...] = ()
    usage: Usage = NOTHING
    after: RowState | None = None


class PRMSession:
    """One question at a `PRMVerifier`.

    Paths are known by their text, so that what two trees have both said is read once.
    """

    def __init__(self, owner: PRMVerifier, prompt: list[int]) -> None:
        self._owner = owner
        self._prompt = prompt
        self._states: dict[str, RowState] = {}
        self._scores: dict[str, tuple[float, ...]] = {}
        self.shared = NOTHING

    async def score(self, items: Sequence[tuple[Path, Candidate]]) -> Sequence[Verdict]:
        """Score the new steps of all candidates in one batch, off the event loop."""
        return await self._owner.batches.submit((self, items))

    def retain(self, paths: Collection[Path]) -> None:
        """Drop the caches of all paths but these."""
        live = {path.text for path in paths}
        self._states = {text: state for text, state in self._states.items() if text in live or not text}

    def close(self) -> None:
        """Free every cache."""
        self._states = {}

    def unread(self, items: Sequence[tuple[Path, Candidate]]) -> dict[str, Reading]:
        """What has to be read to score the items, by text."""
        unread: dict[str, Reading] = {}
        for path, candidate in items:
            text = path.text + "".join(candidate.steps)
            known = text in self._scores and (candidate.final or text in self._states)
            if candidate.steps and not known and text not in unread:
                tokens, places = self._owner.head.encode(self._owner.tokenizer, candidate.steps)
                unread[text] = Reading(self._state(path), tokens, places, not candidate.final)
        return unread

    def remember(self, text: str, reading: Reading) -> None:
        """Keep what a reading found."""
        self._scores[text] = reading.scores
        if reading.after is not None:
            self._states[text] = reading.after

    def verdicts(self, items: Sequence[tuple[Path, Candidate]], unread: dict[str, Reading]) -> list[Verdict]:
        """The scores of the items, all of which have been read; each reading is charged to the first item that needed it."""
        spent = {text: reading.usage for text, reading in unread.items()}
        return [self._verdict(path, candidate, spent) for path, candidate in items]

    def _verdict(self, path: Path, candidate: Candidate, spent: dict[str, Usage]) -> Verdict:
        if not candidate.steps:
            return (), NOTHING
        text = path.text + "".join(candidate.steps)
        return self._scores[text], spent.pop(text, NOTHING)

    def _state(self, path: Path) -> RowState:
        if path.text not in self._states:
            self._states[""] = self._read_question()
        return self._states[path.text]

    def _read_question(self) -> RowState:
        owner, read = self._owner, [len(self._prompt)]
        if not self._prompt:
            return owner.root
        batch = Batch.of(owner.model, [owner.root], len(self._prompt))
        batch.forward(torch.tensor([self._prompt]), **owner.head.options)
        self.shared = self.shared.plus(forward_usage(owner.shape, read, [0], prompt=read))
        return batch.state(0)
