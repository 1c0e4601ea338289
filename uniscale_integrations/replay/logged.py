"""An engine's own log as decisions to replay: what was chosen, how likely that was, what it took, and what was said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.errors import TableError
from uniscale_integrations.log.events import DecisionEvent, Feedback, Outcome
from uniscale_integrations.log.fold import schema_key
from uniscale_integrations.log.judgements import keep_newest
from uniscale_integrations.log.lessons import GivenAnswers
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.schema import FeatureSchema
from uniscale_integrations.space import Configuration

MIN_JUDGED = 10
"""Judged answers of a configuration below which what is said of it is hardly more than a guess."""


@dataclass(frozen=True, slots=True, eq=False)
class LoggedDecisions:
    """T decisions of a log that were answered, in its order.

    Attributes:
        name: of the log.
        configurations: K of them, those that were judged at least once.
        schema: of the features.
        features: of each question, shape (T, n).
        actions: number of the configuration that was chosen, shape (T,).
        propensities: with which it was chosen, shape (T,), in (0, 1].
        correct: the mean of what sources said of the answer last, shape (T,); NaN where nobody did.
        score: likewise, NaN where nothing scored it.
        cost: in `unit`, shape (T,).
        unit: "eflops" or "usd".
        passed_over: decisions that were not answered, have other features than the last one, or are of a configuration never judged.
    """

    name: str
    configurations: tuple[Configuration, ...]
    schema: FeatureSchema
    features: Array
    actions: NDArray[np.int64]
    propensities: Array
    correct: Array
    score: Array
    cost: Array
    unit: str
    passed_over: int

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Which answers were judged, shape (T,)."""
        return np.isfinite(self.correct)

    @property
    def drawn(self) -> NDArray[np.bool_]:
        """Which answers were judged whose configuration was drawn with a probability below 1, shape (T,)."""
        return self.judged & (self.propensities < 1.0)

    @property
    def judgements(self) -> NDArray[np.int64]:
        """How many answers of each configuration were judged, shape (K,)."""
        return np.bincount(self.actions[self.judged], minlength=len(self.configurations))

    @classmethod
    def read(cls, log: EventStore) -> LoggedDecisions:
        """What a log holds.

        Raises:
            TableError: fewer than two configurations were judged, so that there is nothing to compare.
        """
        histories = _histories(log)
        last = next((each.decision for each in reversed(histories)), None)
        usable = [each for each in histories if last is not None and each.fits(last)]
        judged = dict.fromkeys(each.decision.configuration for each in usable if each.verdicts)
        if last is None or len(judged) < 2:
            raise TableError(
                f"{log.name} holds judged answers of {len(judged)} configurations in {len(histories)} decisions, and replay compares "
                "at least two; give feedback on answers (engine.feedback), or replay an outcome table"
            )
        kept = [each for each in usable if each.decision.configuration in judged]
        number = {configuration: arm for arm, configuration in enumerate(judged)}
        dollars = any(each.outcome is not None and each.outcome.in_dollars for each in kept)
        return cls(
            log.name,
            tuple(judged),
            _schema(log, last),
            np.array([each.decision.features for each in kept], dtype=np.float64),
            np.array([number[each.decision.configuration] for each in kept]),
            np.array([each.decision.propensity for each in kept]),
            np.array([fmean(said.correct for said in each.verdicts.values()) if each.verdicts else np.nan for each in kept]),
            _column([None if each.outcome is None else each.outcome.score for each in kept]),
            _column([each.cost(dollars) for each in kept]),
            "usd" if dollars else "eflops",
            len(histories) - len(kept),
        )


@dataclass(slots=True)
class _History:
    """A decision with what came of it."""

    decision: DecisionEvent
    outcome: Outcome | None = None
    verdicts: dict[tuple[str, str], Feedback] = field(default_factory=dict)

    def cost(self, dollars: bool) -> float | None:
        """What the answer has taken, in dollars or eFLOPs."""
        return None if self.outcome is None else self.outcome.usd if dollars else self.outcome.eflops

    def fits(self, last: DecisionEvent) -> bool:
        """Whether there is an answer, and the policy saw the question as it saw that of the last decision."""
        same = self.decision.encoder == last.encoder and len(self.decision.features) == len(last.features)
        return same and self.outcome is not None and not self.outcome.failed


def _histories(log: EventStore) -> list[_History]:
    histories: dict[str, _History] = {}
    feedback: list[Feedback] = []
    given = GivenAnswers()
    for entry in log.everything():
        event = entry.event
        if isinstance(event, DecisionEvent):
            histories[event.decision_id] = _History(event)
        elif isinstance(event, Feedback):
            feedback.append(event)
        elif event.decision_id in histories:
            given.note(event)
            histories[event.decision_id].outcome = event
    for said in feedback:
        if (history := histories.get(given.of(said.decision_id))) is not None:
            keep_newest(history.verdicts, said)
    return list(histories.values())


def _schema(log: EventStore, decision: DecisionEvent) -> FeatureSchema:
    """The names of a decision's features, with their kinds where the engine has described itself."""
    brain = log.load_description(str(decision.extra.get("brain", "")))
    if brain is not None and len(brain["features"]) == len(decision.features):
        return FeatureSchema(tuple(brain["features"]), frozenset(brain["kinds"]))
    names = (log.load_description(schema_key(decision.encoder)) or {}).get("names", ())
    if len(names) != len(decision.features):
        names = [f"feature {number}" for number in range(len(decision.features))]
    return FeatureSchema(tuple(names))


def _column(values: Sequence[float | None]) -> Array:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
