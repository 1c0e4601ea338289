"""A mean budget over an engine's requests, which may come from several threads."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock

import numpy as np

from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.policy.budget_pacer import BudgetPacer
from uniscale_integrations.policy.policy import Assessment


class Pacing:
    """A `BudgetPacer` for assessments, whose costs it knows by their positions on a scale where the policy expects no more of them.

    Args:
        budget: mean cost per request.
        scale: from `C~` to costs in the budget's unit.

    Raises:
        ConfigurationError: a budget that is none.
    """

    def __init__(self, budget: float, scale: CostScale) -> None:
        self._pacer, self._scale, self._lock = BudgetPacer(budget), scale, Lock()

    def at(self, scale: CostScale) -> Pacing:
        """The same budget, with what was spent of it, on another scale."""
        pacing = Pacing.__new__(Pacing)
        pacing._pacer, pacing._scale, pacing._lock = self._pacer, scale, self._lock
        return pacing

    def adjust(self, assessment: Assessment) -> Assessment:
        """A request's assessment within the budget: rewards less the price of their costs, and only what the purse allows eligible."""
        costs = assessment.spend
        if costs is None:
            costs = np.array([self._scale.cost(position) for position in assessment.cost])
        with self._lock:
            surcharge, affordable = self._pacer.terms(assessment.reward, costs, assessment.eligible)
        return replace(assessment, reward=assessment.reward - surcharge, eligible=affordable)

    def spend(self, cost: float) -> None:
        """Count what a request has cost."""
        with self._lock:
            self._pacer.spend(cost)
