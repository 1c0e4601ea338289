"""What the policy has come to believe, by folding the log again as an engine would."""

from __future__ import annotations

from collections.abc import Sequence
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


def believed(log: Log, configurations: Sequence[Configuration], costs: Array, scale: CostScale) -> tuple[Beliefs, list[str]]:
    """What is expected of every configuration on the average question, and the decisions at whose judgement a change was noticed.

    Args:
        log: what is folded.
        configurations: those that it has decisions of.
        costs: `C~` that is expected of each beforehand, shape (K,).
        scale: of costs, for outcomes that do not say where theirs lies.
    """
    if not configurations:
        return {"why": "The log holds no decision yet."}, []
    encoder, kinds, scored = _seen_as(log)
    models = sorted({configuration.model for configuration in configurations})
    learner = Learner(
        ActionFeatures({})(configurations),
        [models.index(configuration.model) for configuration in configurations],
        kinds,
        costs,
        doublings(list(configurations)),
        scored=scored,
    )

    def position(outcome: Outcome) -> float:
        known = outcome.extra.get("cost")
        return float(known) if isinstance(known, (int, float)) else scale.position(outcome.eflops or outcome.usd or 1e-12)

    fold = Fold(log, learner, configurations, encoder, position)
    changes: list[str] = []
    for entry in log.everything():
        before = learner.changes
        fold.apply([entry])
        if learner.changes > before:
            changes.append(entry.event.decision_id)
    return {"rows": _rows(learner), "alpha": learner.settings.alpha}, changes


def _seen_as(log: Log) -> tuple[str, Sequence[bool], bool]:
    """The encoder of the last decision, which of its features are kinds, and whether any answer had a score."""
    usual = WithNumbers(query_encoder(None), len(NUMBERS), "").kinds
    encoder, length, scored = "", 1, False
    for entry in log.everything():
        event = entry.event
        if isinstance(event, Decision):
            encoder, length = event.encoder, len(event.features)
        elif isinstance(event, Outcome) and event.score is not None:
            scored = True
    # Embeddings and texts are looked at for the same kinds; an encoder of the application's own has none.
    return encoder, usual if length == len(usual) + 1 else (False,) * (length - 1), scored


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
