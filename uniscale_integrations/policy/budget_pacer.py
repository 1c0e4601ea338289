"""Keeping to a mean cost per request: a price on spending, solved on recent requests, and a purse that cannot be overdrawn by much."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.kernels import Array

HALVINGS = 20
"""Of the interval that the price is looked for in."""

HIGHEST = 1000.0
"""A price at which next to nothing is bought but what is cheapest: rewards lie in [0, 1], so that what costs a thousandth of the budget
more is not worth it."""


@dataclass(slots=True)
class BudgetPacer:
    """The Lagrangian of `max reward subject to mean cost <= budget`, its price solved anew at each request.

    A price makes one choice for each request; the right one is that at which the choices cost the budget on average. What choices there are
    is seen from the requests of late: so the price is right from the first few on, and follows what is learned, without going up and down
    with every dear request, which would spend on some requests what others needed more.

    Attributes:
        budget: mean cost per request, above 0.
        recent: how many requests the price is solved on, the last ones.
        horizon: over how many requests what is left over, or overdrawn, is made good.
        slack: how many requests' budget may be overdrawn; that bounds the whole overdraft, whatever the price is.
        price: reward that spending one budget must bring.
        purse: budgets left over so far, negative where overdrawn; in units of the budget.

    Example:
        >>> pacer = BudgetPacer(2.0)
        >>> gains, costs = np.array([0.5, 0.9]), np.array([1.0, 6.0])
        >>> chosen = []
        >>> for _ in range(100):
        ...     surcharge, allowed = pacer.terms(gains, costs)
        ...     chosen.append(int(np.where(allowed, gains - surcharge, -np.inf).argmax()))
        ...     pacer.spend(costs[chosen[-1]])
        >>> sum(chosen)  # 80 * 1 + 20 * 6 = 100 * 2
        20
    """

    budget: float
    recent: int = 200
    horizon: float = 100.0
    slack: float = 10.0
    price: float = 0.0
    purse: float = 0.0
    _seen: deque[tuple[Array, Array]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.0 < self.budget < float("inf"):
            raise ConfigurationError(f"a budget per request must be a finite number above 0, got {self.budget!r}")
        self._seen = deque(maxlen=self.recent)

    def terms(self, expected: Array, costs: Array, eligible: NDArray[np.bool_] | None = None) -> tuple[Array, NDArray[np.bool_]]:
        """What the budget makes of a request's choice.

        Args:
            expected: reward expected of each action, shape (K,), without what trying it is worth, which is no guide to what will be bought.
            costs: what each is expected to cost, shape (K,).
            eligible: which may be taken; all by default.

        Returns:
            what to take off each action's reward, shape (K,), and which of those that may be taken the purse allows, shape (K,), bool; the
            cheapest always.
        """
        eligible = np.ones(len(costs), dtype=bool) if eligible is None else eligible
        spent = costs / self.budget
        self._seen.append((np.where(eligible, expected, -np.inf), spent))
        low, self.price = self._prices(1.0 + min(self.purse, self.horizon) / self.horizon)
        # Between the two prices some requests are undecided; what is left decides them.
        paid = low if self.purse > 0.0 else self.price
        allowed = eligible & (spent <= self.purse + 1.0 + self.slack)
        allowed[np.where(eligible, spent, np.inf).argmin()] = True
        return paid * spent, allowed

    def spend(self, cost: float) -> None:
        """Count what a request has cost."""
        self.purse += 1.0 - cost / self.budget

    def _prices(self, goal: float) -> tuple[float, float]:
        """Two prices close to each other, at the first of which recent requests would have cost more than the goal, at the second not."""
        rewards, costs = (np.stack(part) for part in zip(*self._seen, strict=True))
        rows = np.arange(len(costs))

        def mean_cost(price: float) -> float:
            return float(costs[rows, (rewards - price * costs).argmax(axis=1)].mean())

        if mean_cost(0.0) <= goal:
            return 0.0, 0.0
        low, high = 0.0, HIGHEST
        for _ in range(HALVINGS):
            # A price is a matter of its magnitude: halved in proportion, once the first digits are known.
            middle = float(np.sqrt(low * high)) if low > 0.0 else high / 16.0
            low, high = (middle, high) if mean_cost(middle) > goal else (low, middle)
        return low, high
