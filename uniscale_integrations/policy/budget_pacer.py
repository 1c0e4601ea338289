"""Keeping to a mean cost per request: a price on spending that follows what was spent, and a purse that cannot be overdrawn by much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.kernels import Array


@dataclass(slots=True)
class BudgetPacer:
    """The Lagrangian of `max reward subject to mean cost <= budget`, with its price learned as requests come (bandits with knapsacks).

    Attributes:
        budget: mean cost per request, above 0.
        rate: by how much the price rises when a request costs twice the budget.
        slack: how many requests' budget may be overdrawn; that bounds the whole overdraft, whatever the price does.
        price: reward that spending one budget must bring.
        purse: budgets left over so far, negative where overdrawn; in units of the budget.

    Example:
        >>> pacer = BudgetPacer(2.0)
        >>> pacer.spend(6.0)
        >>> pacer.purse, pacer.price > 0
        (-2.0, True)
    """

    budget: float
    rate: float = 0.02
    slack: float = 10.0
    price: float = 0.0
    purse: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.budget < float("inf"):
            raise ConfigurationError(f"a budget per request must be a finite number above 0, got {self.budget!r}")

    def surcharge(self, costs: Array) -> Array:
        """What to take off the reward of actions that are expected to cost so much, shape (K,)."""
        return self.price * costs / self.budget

    def affordable(self, costs: Array) -> NDArray[np.bool_]:
        """Which actions the purse allows, shape (K,), bool; the cheapest always."""
        allowed: NDArray[np.bool_] = costs / self.budget <= self.purse + 1.0 + self.slack
        allowed[costs.argmin()] = True
        return allowed

    def spend(self, cost: float) -> None:
        """Count what a request has cost."""
        excess = cost / self.budget - 1.0
        self.purse -= excess
        # A dear request moves the price no more than some ordinary ones; the purse remembers it in full.
        self.price = max(0.0, self.price + self.rate * min(excess, 5.0))
