"""A mean cost over requests, which may come from several threads."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np

from uniscale_integrations.concurrency.forks import ForkLock
from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.policy.budget_pacer import BudgetPacer
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.policy import Assessment, Mask


class Pacing:
    """A `BudgetPacer` for assessments: that of an engine's mean budget, and behind the target `Within`.

    Args:
        budget: mean cost per request.
        scale: from `C~` to costs in the budget's unit, of assessments that expect no more of costs than their positions.
        carry: how many requests' budget that are left over are kept for later ones; all of them by default.

    Raises:
        ConfigurationError: a budget that is none.
    """

    def __init__(self, budget: float, scale: CostScale | None = None, carry: float = inf) -> None:
        self._pacer, self._scale, self._lock = BudgetPacer(budget, carry=carry), scale, ForkLock()

    def at(self, scale: CostScale) -> Pacing:
        """The same budget, with what was spent of it, on another scale."""
        pacing = Pacing.__new__(Pacing)
        pacing._pacer, pacing._scale, pacing._lock = self._pacer, scale, self._lock
        return pacing

    def adjust(self, assessment: Assessment) -> Assessment:
        """A request's assessment within the budget: rewards less the price of their costs, and only what the purse allows eligible."""
        surcharge, affordable = self.terms(assessment, assessment.reward)
        return replace(assessment, reward=assessment.reward - surcharge, eligible=affordable)

    def adjust_again(self, assessment: Assessment, spent: float) -> Assessment:
        """The same of a request that is under way, and has spent something.

        Args:
            assessment: of the whole of it, what was spent counted; the last row is of stopping, which is always affordable.
            spent: in dollars or eFLOPs.
        """
        assert assessment.spend is not None, "who decides again expects costs"
        with self._lock:
            surcharge, affordable = self._pacer.again(assessment.spend, spent)
        affordable[-1] = True
        return replace(assessment, reward=assessment.reward - surcharge, eligible=assessment.eligible & affordable)

    def terms(self, assessment: Assessment, rewards: Array) -> tuple[Array, Mask]:
        """What to take off some rewards of a request's configurations, and which of them the purse allows, shape (K,) each.

        Args:
            assessment: of the request.
            rewards: that are expected, without a bonus, shape (K,).
        """
        costs = assessment.spend
        if costs is None:
            assert self._scale is not None, "who gives no scale sees to it that costs are expected"
            costs = np.array([self._scale.cost(position) for position in assessment.cost])
        with self._lock:
            return self._pacer.terms(rewards, costs, assessment.eligible)

    def spend(self, cost: float) -> None:
        """Count what a request has cost, or is expected to cost."""
        with self._lock:
            self._pacer.spend(cost)

    def revise(self, expected: float, cost: float) -> None:
        """Count what a request has cost in the place of what it was expected to cost."""
        with self._lock:
            self._pacer.revise(expected, cost)
