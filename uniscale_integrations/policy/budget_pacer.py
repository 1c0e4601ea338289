"""Keeping to a mean cost per request: a price on spending, solved on recent requests, and a purse that cannot be overdrawn by much."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.kernels import Array

BESIDE = 1e-6
"""How far from a price at which a request changes its choice, in proportion, the prices before and after it are."""


class Frontier(NamedTuple):
    """What a request buys at which price: what it would spend without one, and what it saves as the price rises.

    Attributes:
        cost: of the most rewarding action.
        prices: at each of which the request makes do with a cheaper action; shape (n,), falling.
        savings: what each of these changes saves; shape (n,).
        actions: those that are bought at some price, from the cheapest on; shape (n + 1,).
    """

    cost: float
    prices: Array
    savings: Array
    actions: NDArray[np.int64]

    @classmethod
    def of(cls, rewards: Array, costs: Array) -> Frontier:
        """The upper concave hull of rewards over costs: what is not on it is bought at no price.

        Args:
            rewards: shape (n,), n > 0.
            costs: shape (n,).

        Example:
            >>> frontier = Frontier.of(np.array([0.5, 0.6, 0.9]), np.array([1.0, 4.0, 5.0]))
            >>> frontier.cost, frontier.prices.round(9).tolist(), frontier.savings.tolist()
            (5.0, [0.1], [4.0])
        """
        order = np.lexsort((-rewards, costs))
        rising = rewards[order]
        order = order[np.append(True, rising[1:] > np.maximum.accumulate(rising)[:-1])]
        hull: list[_Point] = []
        for point in map(_Point, costs[order].tolist(), rewards[order].tolist(), order.tolist()):
            while len(hull) > 1 and _slope(hull[-2], hull[-1]) <= _slope(hull[-1], point):
                hull.pop()
            hull.append(point)
        steps = list(pairwise(hull))
        return cls(
            hull[-1].cost,
            np.array([_slope(a, b) for a, b in steps]),
            np.array([b.cost - a.cost for a, b in steps]),
            np.array([point.action for point in hull]),
        )


class _Point(NamedTuple):
    cost: float
    reward: float
    action: int


def _slope(a: _Point, b: _Point) -> float:
    return (b.reward - a.reward) / (b.cost - a.cost)


class _Steps(NamedTuple):
    """All changes that requests make as the price rises, in the order in which they make them.

    This is the greedy solution of the multiple-choice knapsack (Sinha and Zoltners 1979): as the price rises from 0, requests change to
    cheaper actions one by one, those first that lose the least by what they save.

    Attributes:
        requests: how many.
        cost: of all of them without a price.
        prices: shape (n,), rising.
        saved: by each change and those before it, shape (n,).
    """

    requests: int
    cost: float
    prices: Array
    saved: Array

    @classmethod
    def of(cls, frontiers: Collection[Frontier]) -> _Steps:
        prices = np.concatenate([frontier.prices for frontier in frontiers])
        savings = np.concatenate([frontier.savings for frontier in frontiers])
        order = prices.argsort(kind="stable")
        return cls(len(frontiers), sum(frontier.cost for frontier in frontiers), prices[order], np.cumsum(savings[order]))

    def price(self, mean_cost: float) -> float:
        """At which the last change is made that is needed for a mean cost; 0 where it is kept to without one.

        Where even the cheapest actions cost more, the last change is as far as a price can go.
        """
        over = self.cost - mean_cost * self.requests
        if over <= 0.0 or not len(self.prices):
            return 0.0
        return float(self.prices[min(int(self.saved.searchsorted(over)), len(self.prices) - 1)])


@dataclass(slots=True)
class BudgetPacer:
    """The Lagrangian of `max reward subject to mean cost <= budget`, its price solved anew at each request.

    A price makes one choice for each request; the right one is that at which the choices cost the budget on average. What choices there are
    is seen from the requests before it, without the request itself: with it those of its own kind would be too many whenever one of them
    comes, and what a kind gets would depend on the order in which kinds come. So the price is right from the first few on, and follows
    what is learned, without going up and down with every dear request, which would spend on some requests what others needed more.

    Attributes:
        budget: mean cost per request, above 0.
        recent: how many requests the price is solved on, the last ones.
        horizon: over how many requests what is left over, or overdrawn, is made good.
        slack: how many requests' budget may be overdrawn; that bounds the whole overdraft, whatever the price is.
        carry: how many requests' budget that are left over are kept for later ones; all of them by default.
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
    horizon: float = 30.0
    slack: float = 10.0
    carry: float = inf
    price: float = 0.0
    purse: float = 0.0
    _frontiers: deque[Frontier] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.0 < self.budget < inf:
            raise ConfigurationError(f"a budget per request must be a finite number above 0, got {self.budget!r}")
        self._frontiers = deque(maxlen=self.recent)

    def terms(self, rewards: Array, costs: Array, eligible: NDArray[np.bool_] | None = None) -> tuple[Array, NDArray[np.bool_]]:
        """What the budget makes of a request's choice.

        Args:
            rewards: reward expected of each action, shape (K,), without what trying it is worth. What is tried is paid for out of the
                budget like everything else, but a price that reckoned with it would have less tried, and less would be learned.
            costs: what each is expected to cost, shape (K,).
            eligible: which may be taken; all by default.

        Returns:
            what to take off each action's reward, shape (K,), and which of those that may be taken the purse allows, shape (K,), bool; the
            cheapest always.
        """
        eligible = np.ones(len(costs), dtype=bool) if eligible is None else eligible
        shares = costs / self.budget
        frontiers = [Frontier.of(rewards[eligible], shares[eligible])] if eligible.any() else []
        price = self._solved(self._frontiers or frontiers)
        self._frontiers.extend(frontiers)
        affordable = eligible & (shares <= self.purse + 1.0 + self.slack)
        affordable[np.where(eligible, shares, np.inf).argmin()] = True
        return price * shares, affordable

    def again(self, costs: Array, spent: float) -> tuple[Array, NDArray[np.bool_]]:
        """The same of a request that is under way and has been counted, which says nothing new of what requests call for.

        Args:
            costs: what the whole of it is expected to cost with each action, shape (K,).
            spent: what it has cost so far.
        """
        return self.price * costs / self.budget, (costs - spent) / self.budget <= self.purse + self.slack

    def spend(self, cost: float) -> None:
        """Count what a request has cost, or, from when it is decided on, what it is expected to cost; `revise` puts that right."""
        self.purse = min(self.purse + 1.0 - cost / self.budget, self.carry)

    def revise(self, expected: float, cost: float) -> None:
        """Count what a request has cost in the place of what it was expected to cost.

        Example:
            >>> pacer = BudgetPacer(2.0)
            >>> pacer.spend(6.0)
            >>> pacer.revise(6.0, 3.0)
            >>> pacer.purse  # one budget came in, one and a half went
            -0.5
        """
        self.purse = min(self.purse + (expected - cost) / self.budget, self.carry)

    def _solved(self, frontiers: Collection[Frontier]) -> float:
        """The price for the next request, by those of some requests."""
        if frontiers:
            steps = _Steps.of(frontiers)
            # The purse goes up and down with the order in which requests come, which calls for no other price.
            swing = min(self.slack, self.carry) / 2.0
            beyond = self.purse - float(np.clip(self.purse, -swing, swing))
            self.price = steps.price(1.0 + min(beyond, self.horizon) / self.horizon) * (1.0 + BESIDE)
        # Just below it the requests of this change are undecided; what is left decides them.
        return self.price * (1.0 - BESIDE) / (1.0 + BESIDE) if self.purse > 0.0 else self.price
