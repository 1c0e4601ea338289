"""The policy's state as a fold over the log: the same rows in the same order give the same state, in every worker."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from io import BytesIO
from statistics import fmean
from typing import Protocol

import numpy as np

from uniscale_integrations.log.events import Decision, Feedback, Outcome
from uniscale_integrations.log.log import BEGINNING, Entry, Log, Position
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.learner import Learner
from uniscale_integrations.space import Configuration

REMEMBERED = 20_000
"""Decisions kept at hand, whose features feedback needs; older ones are read from the log again."""

KEEP_AFTER = 2_000
"""Events after which another snapshot is worth its writing."""

VERSION = 3
"""Of how events become state; another one reads no snapshots of this one."""


class Costs(Protocol):
    """Where what outcomes have cost lies between cheap and dear."""

    @property
    def name(self) -> str:
        """What tells this scale from others: states that were folded on different ones must not be taken for each other."""
        ...

    def position(self, outcome: Outcome) -> float:
        """`C~` of an outcome, in [0, 1]."""
        ...


class Fold:
    """Applies the log's events to a learner.

    Decisions of configurations that the learner does not have, or whose features another encoder made, are passed over.

    Args:
        log: what is folded.
        learner: what learns; nobody else may teach it.
        configurations: the learner's, in its order.
        encoder: the name of what makes the features.
        costs: from outcomes to `C~`.

    Attributes:
        position: up to where the log has been folded.
        events: how many events that were.
    """

    def __init__(self, log: Log, learner: Learner, configurations: Sequence[Configuration], encoder: str, costs: Costs) -> None:
        self.log, self.learner = log, learner
        self.position: Position = BEGINNING
        self.events = self._kept = 0
        self._arms = {configuration: arm for arm, configuration in enumerate(configurations)}
        self._encoder, self._costs = encoder, costs
        self._decisions: OrderedDict[str, tuple[int, Array] | None] = OrderedDict()
        self._said: dict[str, dict[tuple[str, str], float]] = {}
        # What the first judgement of a decision counted; later ones revise that.
        self._weights: dict[str, float] = {}

    @property
    def name(self) -> str:
        """What tells this fold from others on the log: whatever the state depends on beside the events."""
        learner = self.learner
        told = [[str(configuration) for configuration in self._arms], self._encoder, repr(learner.settings), learner.scored]
        costs = [self._costs.name, learner.components.prior[2].round(9).tolist()]
        return blake2b(json.dumps([VERSION, *told, *costs]).encode(), digest_size=16).hexdigest()

    def snapshot(self) -> tuple[str, Position, bytes]:
        """The name of this fold, up to where it has come, and its state, for `Log.save_snapshot`: a shortcut for who opens it later."""
        file = BytesIO()
        np.savez(file, **self.learner.state())  # type: ignore[arg-type]
        self._kept = self.events
        return self.name, self.position, file.getvalue()

    def resume(self) -> bool:
        """Begin at the last snapshot, where there is one of this very fold; returns whether there was.

        Raises:
            StateError: a snapshot that is unsound; names what is.
        """
        found = self.log.load_snapshot(self.name)
        if found is None:
            return False
        position, state = found
        with np.load(BytesIO(state), allow_pickle=False) as arrays:
            self.learner.load(dict(arrays))
        self.position = position
        return True

    @property
    def worth_keeping(self) -> bool:
        """Whether so much has come since the last snapshot that another one pays."""
        return self.events - self._kept >= KEEP_AFTER

    def apply_new(self, entries: Sequence[Entry]) -> int:
        """Fold those of the entries that were not folded since they were read; returns how many."""
        new = [entry for entry in entries if entry.position > self.position]
        self.apply(new)
        return len(new)

    def follow(self, entries: Sequence[Entry]) -> bool:
        """Fold entries that were just written, if none can be between the position and them; returns whether that was so.

        Numbers of SQLite's rows follow each other, so that a gap means that somebody else has written.
        """
        if not entries or entries[0].position != Position(0, max(0, self.position.seq) + 1):
            return False
        self.apply(entries)
        return True

    def apply(self, entries: Sequence[Entry]) -> None:
        """Fold entries that follow the position."""
        self._recall(entries)
        for entry in entries:
            event = entry.event
            if isinstance(event, Decision):
                self._decided(event)
            elif isinstance(event, Outcome):
                self._came(event)
            else:
                self._judged(event)
            self.position = entry.position
            self.events += 1
        # Not before: what is said of them may stand in the same part, and parts are cut differently by every worker.
        while len(self._decisions) > REMEMBERED:
            forgotten, _ = self._decisions.popitem(last=False)
            self._said.pop(forgotten, None)
            self._weights.pop(forgotten, None)

    def _decided(self, decision: Decision) -> None:
        known = self._understood(decision)
        self._decisions[decision.decision_id] = known
        if known is not None:
            self.learner.see(known[1])
            self.learner.took(decision.decision_id, known[0])

    def _came(self, outcome: Outcome) -> None:
        known = self._decisions.get(outcome.decision_id)
        if known is not None and not outcome.failed:
            arm, features = known
            self.learner.outcome(arm, features, outcome.score, self._costs.position(outcome))

    def _judged(self, feedback: Feedback) -> None:
        known = self._decisions.get(feedback.decision_id)
        if known is None:
            return
        said = self._said.setdefault(feedback.decision_id, {})
        before = fmean(said.values()) if said else None
        said[feedback.source, feedback.key] = feedback.correct
        after = fmean(said.values())
        weight = self._weights.setdefault(feedback.decision_id, feedback.weight)
        if before is None:
            self.learner.judge(*known, after, feedback.decision_id, weight)
        elif after != before:
            self.learner.revise(*known, after - before, weight)

    def _understood(self, decision: Decision) -> tuple[int, Array] | None:
        arm = self._arms.get(decision.configuration)
        if arm is None or decision.encoder != self._encoder or len(decision.features) != self.learner.query_dim:
            return None
        return arm, np.array(decision.features)

    def _recall(self, entries: Sequence[Entry]) -> None:
        """Read again the decisions that these entries refer to and that are no longer at hand, with what was said of them before."""
        new = {entry.event.decision_id for entry in entries if isinstance(entry.event, Decision)}
        named = (entry.event.decision_id for entry in entries)
        lacking = {decision for decision in named if decision not in new and decision not in self._decisions}
        if not lacking:
            return
        for entry in self.log.of_decisions(lacking):
            event = entry.event
            if isinstance(event, Decision):
                self._decisions[event.decision_id] = self._understood(event)
            elif isinstance(event, Feedback) and entry.position <= self.position:
                self._said.setdefault(event.decision_id, {})[event.source, event.key] = event.correct
                self._weights.setdefault(event.decision_id, event.weight)
