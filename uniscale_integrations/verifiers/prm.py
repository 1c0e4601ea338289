"""A process reward model as a verifier: every path's cache is kept, only new tokens are read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from uniscale_integrations.cost.eflops import forward_usage, row_usages
from uniscale_integrations.cost.shape import ModelShape
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import ContextLengthError, VerifierError
from uniscale_integrations.models.local.batching import SharedBatches
from uniscale_integrations.models.local.forest import batches_for
from uniscale_integrations.models.local.oom_retry import in_parts
from uniscale_integrations.models.local.state import PathState, context_length, empty_state
from uniscale_integrations.search.paths import Candidate, Path
from uniscale_integrations.search.ports import Verdict
from uniscale_integrations.verifiers.reward_heads import Head

Steps = tuple[str, ...]
Item = tuple[Path, Candidate]

DECIMALS = 2
"""Scores are rounded to this many decimals. Finer differences mean nothing: they are below any reward model's calibration. Rounded, equal
paths do not differ from batch to batch by the noise of floating point, and a path without a flaw reaches `upper`, which ends a search."""


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
        self.context = context_length(model)
        self.shape = ModelShape.from_config(
            config,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            bytes_per_weight=next(model.parameters()).element_size(),
            language_head=head.vocabulary_wide,
        )
        self.batches = SharedBatches(self.score)
        self.root = empty_state(model)
        self.open_batch = batches_for(model)

    def reading_usage(self, prompt_tokens: int, answer_tokens: int) -> Usage:
        """What scoring one answer of `answer_tokens` takes, its question read before it."""
        question = forward_usage(self.shape, [prompt_tokens], [0], prompt=[prompt_tokens])
        return question.plus(forward_usage(self.shape, [answer_tokens], [prompt_tokens], prompt=[answer_tokens]))

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

    def score(self, requests: Sequence[tuple[PRMSession, Sequence[Item]]]) -> list[list[Verdict] | Exception]:
        """Score the items of many sessions with one batch, on this thread; a session that cannot be scored gets the reason."""
        with torch.inference_mode():
            pending = [session.missing_readings(items) for session, items in requests]
            readings = [reading for part in pending for reading in part.values()]
            fitting = [reading for reading in readings if self._fits(reading)]
            self.max_rows = in_parts(
                fitting,
                self.max_rows,
                self._read,
                retry=lambda part: part,
                fail=StepReading.fail,
                note=lambda size, next_try: None,
            )
        return [session.verdicts(items, part) for (session, items), part in zip(requests, pending, strict=True)]

    def _fits(self, reading: StepReading) -> bool:
        longest = reading.state.length + len(reading.tokens)
        if longest > self.context:
            more = longest - self.context
            reading.error = ContextLengthError(f"a path of {longest} tokens is {more} more than {self.name} can read")
        return reading.error is None

    def _read(self, readings: Sequence[StepReading]) -> None:
        """One pass over the new tokens of these paths."""
        states = [reading.state for reading in readings]
        counts = [len(reading.tokens) for reading in readings]
        batch = self.open_batch(self.model, states, max(counts))
        usages = row_usages(
            self.shape, counts, [state.length for state in states], prompt=counts, traffic_tokens=batch.traffic_tokens(counts)
        )
        for reading, usage in zip(readings, usages, strict=True):
            # Counted before the pass, which may fail and be tried again.
            reading.usage = reading.usage.plus(usage)
        scores = batch.read([reading.tokens for reading in readings], self.head.scores, **self.head.options)
        for node, reading in enumerate(readings):
            reading.scores = tuple(round(value, DECIMALS) for value in scores[node][reading.places].tolist())
            if reading.wanted:
                reading.after = batch.state(node)


@dataclass(slots=True)
class StepReading:
    """New tokens to read after a path, and what was read.

    Attributes:
        state: the path's cache.
        tokens: ids of the new tokens.
        places: where among them the scores stand, one per step.
        wanted: whether the path may go on, so that its cache is kept.
        scores: found, one per step.
        usage: what it took.
        after: the cache with the new tokens in it.
        error: why it failed.
    """

    state: PathState
    tokens: list[int]
    places: list[int]
    wanted: bool
    scores: tuple[float, ...] = ()
    usage: Usage = NOTHING
    after: PathState | None = None
    error: Exception | None = None

    def fail(self, error: str) -> None:
        self.error = VerifierError(error)


class PRMSession:
    """One question at a `PRMVerifier`.

    Paths are known by their steps, so that what two trees have both said is scored once, also where the first has ended and its cache is
    gone: it is read again only when the second goes on to say something new.
    """

    def __init__(self, owner: PRMVerifier, prompt: list[int]) -> None:
        self._owner = owner
        self._prompt = prompt
        self._states: dict[Steps, PathState] = {}
        self._scores: dict[Steps, float] = {}
        self.shared_usage = NOTHING

    async def score(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Score the new steps of all candidates in one batch, off the event loop."""
        return await self._owner.batches.submit((self, items))

    def retain(self, paths: Collection[Path]) -> None:
        """Drop the caches of all paths but these."""
        live = {path.steps for path in paths}
        self._states = {steps: state for steps, state in self._states.items() if steps in live or not steps}

    def close(self) -> None:
        """Free every cache."""
        self._states = {}

    def missing_readings(self, items: Sequence[Item]) -> dict[Steps, StepReading]:
        """What has to be read to score the items, by all steps of the path."""
        pending: dict[Steps, StepReading] = {}
        for path, candidate in items:
            steps = path.steps + candidate.steps
            if steps in pending:
                pending[steps].wanted |= not candidate.final
            elif candidate.steps and steps not in self._scores:
                pending[steps] = self._reading(path, candidate)
        return pending

    def verdicts(self, items: Sequence[Item], readings: Mapping[Steps, StepReading]) -> list[Verdict] | Exception:
        """The scores of the items, all of which have been read; each reading is charged to the first item that needed it."""
        for steps, reading in readings.items():
            if reading.error is not None:
                return reading.error
            first = len(steps) - len(reading.scores) + 1
            self._scores.update({steps[: first + i]: score for i, score in enumerate(reading.scores)})
            if reading.after is not None:
                self._states[steps] = reading.after
        usages = {steps: reading.usage for steps, reading in readings.items()}
        return [self._verdict(path.steps, candidate, usages) for path, candidate in items]

    def _verdict(self, before: Steps, candidate: Candidate, usages: dict[Steps, Usage]) -> Verdict:
        steps = before + candidate.steps
        scores = tuple(self._scores[steps[: end + 1]] for end in range(len(before), len(steps)))
        return scores, usages.pop(steps, NOTHING) if candidate.steps else NOTHING

    def _reading(self, path: Path, candidate: Candidate) -> StepReading:
        # A path whose cache was dropped, or that only another tree has read, goes on from the longest beginning that is kept.
        length = len(path.steps)
        while length and path.steps[:length] not in self._states:
            length -= 1
        state, again = self._states[path.steps[:length]] if length else self._question(), path.steps[length:]
        tokens, places = self._owner.head.encode(self._owner.tokenizer, (*again, *candidate.steps))
        return StepReading(state, tokens, places[len(again) :], not candidate.final)

    def _question(self) -> PathState:
        if () not in self._states:
            self._states[()] = self._read_question()
        return self._states[()]

    def _read_question(self) -> PathState:
        owner, lengths = self._owner, [len(self._prompt)]
        if not self._prompt:
            return owner.root
        batch = owner.open_batch(owner.model, [owner.root], len(self._prompt))
        batch.read([self._prompt], **owner.head.options)
        self.shared_usage = self.shared_usage.plus(forward_usage(owner.shape, lengths, [0], prompt=lengths))
        return batch.state(0)
