"""What the policy has come to believe, by folding the log again as the engine did."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.engine.brain_record import duplicates_of, restore, rules_of
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.log.events import DecisionEvent, Outcome, position_in
from uniscale_integrations.log.fold import Costs, Fold
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.default_policy import LearnerSettings
from uniscale_integrations.policy.encoders import WithNumbers, query_encoder
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.named import PolicySpec
from uniscale_integrations.policy.objective import Weights
from uniscale_integrations.policy.policy import Context, DetectsChange, Policy
from uniscale_integrations.policy.schema import FeatureSchema
from uniscale_integrations.rounds.ports import LearnsFromRounds
from uniscale_integrations.search.conversation import NUMBERS
from uniscale_integrations.space import Configuration

Beliefs = dict[str, Any]
"""`rows`, one for each configuration, and `alpha`; or `why` there are none."""


@runtime_checkable
class HasWidths(Protocol):
    """A policy that tells how sure it is of each configuration."""

    @property
    def settings(self) -> LearnerSettings:
        """How it explores."""
        ...

    def on_average(self) -> tuple[Array, Array]:
        """Means and widths on the average question; see `LinUCBPolicy`."""
        ...


def beliefs_of(
    log: EventStore,
    configurations: Sequence[Configuration],
    costs: Array,
    scale: CostScale,
    last: DecisionEvent,
    *,
    scored: bool,
    policies: Collection[str] = (),
) -> tuple[Beliefs, list[str]]:
    """What is expected of every configuration on the average question, and the decisions at whose judgement a change was noticed.

    Args:
        log: what is folded, by the policy that made the last decision.
        configurations: those that it has decisions of.
        costs: `C~` that is expected of each beforehand, shape (K,), for logs that do not say what the engine expected.
        scale: of costs, for the same and for outcomes that do not say where theirs lies.
        last: the last decision.
        scored: whether any answer had a score.
        policies: that may be imported, as of `write_report`.
    """
    key = str(last.extra.get("brain", ""))
    record = log.load_description(key)
    try:
        arms, policy, cost_positions = (
            restore(log, key, record, policies) if record else _as_default(configurations, costs, last, scored, scale)
        )
    except ConfigurationError as error:
        return {"why": f"The policy that decided cannot be made here: {error}"}, []
    rules = rules_of(record or {})
    fold = Fold(log, policy, arms, last.encoder, cost_positions, duplicates_of(record or {}), rules)
    changes: list[str] = []
    before, average, count = 0, np.zeros(len(arms.schema)), 0
    for entry in log.everything():
        fold.apply([entry])
        if isinstance(entry.event, DecisionEvent) and len(entry.event.features) == len(average):
            count += 1
            average += (np.array(entry.event.features) - average) / count
        now = policy.changes if isinstance(policy, DetectsChange) else 0
        if now > before:
            changes.append(entry.event.decision_id)
        before = now
    return {"rows": _rows(policy, arms, configurations, average), "alpha": _alpha(policy)}, changes


def _as_default(
    configurations: Sequence[Configuration], costs: Array, last: DecisionEvent, scored: bool, scale: CostScale
) -> tuple[Arms, Policy | LearnsFromRounds, Costs]:
    """As an engine is set up that says nothing of it, for logs of earlier versions."""
    arms = Arms.of(configurations, _schema(len(last.features)), costs, scored=scored, span=scale.span)
    return arms, PolicySpec()(arms), _LoggedCosts(scale)


@dataclass(frozen=True, slots=True)
class _LoggedCosts:
    """The position that an outcome was logged with, or where its cost lies on a scale."""

    scale: CostScale

    def position(self, outcome: Outcome, configuration: Configuration, brain: str) -> float:
        position = position_in(outcome.extra)
        return self.scale.position(outcome.cost) if position is None else position


def _schema(length: int) -> FeatureSchema:
    """Names of a question's features: those of today's encoder where there are as many, for an application's own encoder numbers."""
    usual = WithNumbers(query_encoder(None), NUMBERS, "").schema
    return usual if length == len(usual) else FeatureSchema(("bias", *map(str, range(1, length))))


def _alpha(policy: Policy | LearnsFromRounds) -> float:
    return policy.settings.alpha if isinstance(policy, HasWidths) else 0.0


def _rows(
    policy: Policy | LearnsFromRounds, arms: Arms, configurations: Sequence[Configuration], average: Array
) -> list[dict[str, float]]:
    if isinstance(policy, HasWidths):
        (correct, score, cost), (judged_widths, widths) = policy.on_average()
    else:
        every = np.ones(len(arms), dtype=bool)
        assert not isinstance(policy, LearnsFromRounds), "those tell it themselves"
        assessment = policy.assess(Context(average), Weights(1 / 3, 1 / 3, 1 / 3), every)
        correct, score, cost, judged_widths, widths = (
            assessment.correct,
            assessment.score,
            assessment.cost,
            np.zeros(len(arms)),
            np.zeros(len(arms)),
        )
    alpha, number = _alpha(policy), {configuration: place for place, configuration in enumerate(configurations)}
    order = np.argsort(-(correct + score), kind="stable")
    return [
        {
            "configuration": number[arms.configurations[arm]],
            "correct": round(float(correct[arm]), 4),
            "score": round(float(score[arm]), 4),
            "cost": round(float(cost[arm]), 4),
            "correct_width": round(alpha * float(judged_widths[arm]), 4),
            "width": round(alpha * float(widths[arm]), 4),
        }
        for arm in order
        if arms.configurations[arm] in number
    ]
