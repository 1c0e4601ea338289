"""What the policy has come to believe, by folding the log again as an engine would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.log.events import Decision, Outcome
from uniscale_integrations.log.fold import Fold
from uniscale_integrations.log.log import Log
from uniscale_integrations.policy.actions import ActionFeatures, doublings
from uniscale_integrations.policy.encoders import WithNumbers, query_encoder
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.learner import Learner
from uniscale_integrations.search.conversation import NUMBERS
from uniscale_integrations.space import Configuration

Beliefs = dict[str, Any]
"""`rows`, one for each configuration, and `alpha`; or `why` there are none."""


def believed(
    log: Log, configurations: Sequence[Configuration], costs: Array, scale: CostScale, last: Decision, *, scored: bool
) -> tuple[Beliefs, list[str]]:
    """What is expected of every configuration on the average question, and the decisions at whose judgement a change was noticed.

    Args:
        log: what is folded.
        configurations: those that it has decisions of.
        costs: `C~` that is expected of each beforehand, shape (K,).
        scale: of costs, for outcomes that do not say where theirs lies.
        last: the last decision, whose encoder counts.
        scored: whether any answer had a score.
    """
    models = sorted({configuration.model for configuration in configurations})
    learner = Learner(
        ActionFeatures({})(configurations),
        [models.index(configuration.model) for configuration in configurations],
        _kinds(len(last.features)),
        costs,
        doublings(list(configurations)),
        scored=scored,
    )

    fold = Fold(log, learner, configurations, last.encoder, _AsLogged(scale))
    changes: list[str] = []
    for entry in log.everything():
        before = learner.changes
        fold.apply([entry])
        if learner.changes > before:
            changes.append(entry.event.decision_id)
    return {"rows": _rows(learner), "alpha": learner.settings.alpha}, changes


@dataclass(frozen=True, slots=True)
class _AsLogged:
    """The position that an outcome was logged with, or where its cost lies on a scale."""

    scale: CostScale

    @property
    def name(self) -> str:
        return repr(self)

    def position(self, outcome: Outcome) -> float:
        known = outcome.extra.get("cost")
        return float(known) if isinstance(known, (int, float)) else self.scale.position(outcome.cost)


def _kinds(length: int) -> Sequence[bool]:
    """Which of a question's features are kinds: embeddings and texts are looked at for the same, an application's own encoder has none."""
    usual = WithNumbers(query_encoder(None), len(NUMBERS), "").kinds
    return usual if length == len(usual) + 1 else (False,) * (length - 1)


def _rows(learner: Learner) -> list[dict[str, float]]:
    (correct, score, cost), (judged, observed) = learner.on_average()
    alpha = learner.settings.alpha
    order = np.argsort(-(correct + score), kind="stable")
    return [
        {
            "configuration": int(arm),
            "correct": round(float(correct[arm]), 4),
            "score": round(float(score[arm]), 4),
            "cost": round(float(cost[arm]), 4),
            "correct_width": round(alpha * float(judged[arm]), 4),
            "width": round(alpha * float(observed[arm]), 4),
        }
        for arm in order
    ]
