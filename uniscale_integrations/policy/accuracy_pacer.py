"""Keeping to a share of right answers at the least cost: the value of a right answer, solved on recent requests."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from math import inf

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.budget_pacer import Frontier
from uniscale_integrations.policy.kernels import Array

MAX_OPEN_DECISIONS = 1000
"""Decisions for whose judgement is waited, so that expectations are corrected by it."""

PRIOR_JUDGEMENTS = 10.0
"""So many judgements that agree with what was expected are taken to have been there before the first one."""

MAX_CORRECTION = 0.3
"""Most that expectations are corrected by, either way."""


@dataclass(slots=True)
class AccuracyPacer:
    """The Lagrangian of `min mean cost subject to mean correctness >= accuracy`, its multiplier solved anew at each request.

    One value of a right answer makes one choice for each request, `argmax V correct - cost`; the right one is the least at which the
    choices are right often enough on average. What choices there are is seen from the requests of late. What is expected of the one that
    looks best is too much on average, as of every best of several; so expectations are corrected by what was judged.

    Attributes:
        accuracy: share of right answers, in (0, 1).
        recent: how many requests the value is solved on, the last ones.
        memory: judgements over which expectations are corrected.
        horizon: requests over which what is beyond the share, or lacking, is made good.
        surplus: right answers beyond the share so far, within `slack`; of decisions that were not judged, those that are expected.
        slack: most that such a surplus, or what is lacking, counts.

    Example:
        >>> pacer = AccuracyPacer(0.8)
        >>> correct, costs, every = np.array([0.7, 0.9]), np.array([1.0, 5.0]), np.array([True, True])
        >>> chosen = []
        >>> for number in range(100):
        ...     value = pacer.value(correct, costs, every)
        ...     chosen.append(int((value * correct - costs).argmax()))
        ...     pacer.decided(str(number), correct[chosen[-1]])
        >>> sum(chosen)  # 0.7 and 0.9 make 0.8 in equal parts
        50
    """

    accuracy: float
    recent: int = 200
    memory: float = 200.0
    horizon: float = 200.0
    slack: float = 5.0
    surplus: float = 0.0
    _frontiers: deque[Frontier] = field(init=False, repr=False)
    _least: deque[float] = field(init=False, repr=False)
    _gains: deque[Array] = field(init=False, repr=False)
    _open: OrderedDict[str, tuple[float, float]] = field(init=False, repr=False)
    _errors: float = field(default=0.0, init=False, repr=False)
    _judged: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.0 < self.accuracy < 1.0:
            raise ConfigurationError(f"a share of right answers must lie between 0 and 1, got {self.accuracy!r}")
        self._frontiers, self._open = deque(maxlen=self.recent), OrderedDict()
        self._least, self._gains = deque(maxlen=self.recent), deque(maxlen=self.recent)

    @property
    def correction(self) -> float:
        """What is added to expectations: how much more often than expected judged answers were right of late."""
        return float(np.clip(self._errors / (self._judged + PRIOR_JUDGEMENTS), -MAX_CORRECTION, MAX_CORRECTION))

    def value(self, correct: Array, costs: Array, eligible: NDArray[np.bool_], bonus: Array | float = 0.0) -> float:
        """What a right answer has to be worth on this request, in the unit of the costs; infinite where nothing is right often enough.

        Args:
            correct: expected of each action, shape (K,).
            costs: likewise.
            eligible: which may be taken; at least one.
            bonus: what is added to the expectations where one is chosen, shape (K,); the value is that at which what is chosen so is right
                often enough.
        """
        frontier = Frontier.of((correct + bonus)[eligible], costs[eligible])
        self._frontiers.append(frontier)
        right = correct[eligible][frontier.actions]
        self._least.append(float(right[0]))
        self._gains.append(right[1:] - right[:-1])
        low, high = self._values()
        # Between the two some requests are undecided; what was right so far decides them.
        return high if self.surplus < 0.0 else low

    def decided(self, decision: str, expected: float) -> None:
        """Count a decision by what is expected of it, and wait for its judgement."""
        counted = expected + self.correction
        self._count(counted - self.accuracy)
        self._open[decision] = (expected, counted)
        if len(self._open) > MAX_OPEN_DECISIONS:
            self._open.popitem(last=False)

    def judged(self, decision: str, correct: float) -> None:
        """Count a decision by its judgement instead, and correct expectations; judgements of other decisions are passed over."""
        if decision not in self._open:
            return
        expected, counted = self._open.pop(decision)
        self._count(correct - counted)
        kept = 1.0 - 1.0 / self.memory
        self._errors, self._judged = kept * self._errors + correct - expected, kept * self._judged + 1.0

    def _count(self, change: float) -> None:
        """Beyond the slack nothing is made good, or what lies far back would decide for long."""
        self.surplus = float(np.clip(self.surplus + change, -self.slack, self.slack))

    @property
    def _offset(self) -> float:
        """How much less often than asked answers need to be right, on average, so that the surplus goes back to nothing.

        Luck alone makes a few answers' difference, which is not worth haste. More says that recent requests are no guide, as while
        configurations are learned, where each request is worth more than those before it.
        """
        beyond = np.sign(self.surplus) * max(0.0, abs(self.surplus) - self.slack / 2.0)
        return float(self.surplus / self.horizon + beyond / (2.0 * self.slack))

    def _values(self) -> tuple[float, float]:
        """Two values close to each other, at the second of which recent requests would have been right often enough."""
        lacking = (self.accuracy - self.correction) * len(self._least) - sum(self._least)
        prices = np.concatenate([frontier.prices for frontier in self._frontiers])
        gains = np.concatenate(self._gains)
        order = prices.argsort(kind="stable")[::-1]
        # Where something is chosen in the hope of more, less may be expected of it.
        reached = np.maximum.accumulate(np.cumsum(gains[order]))
        if lacking > (reached[-1] if len(order) else 0.0):
            return inf, inf
        # What is in reach stays so while a few right answers are made good.
        lacking -= self._offset * len(self._least)
        if lacking <= 0.0 or not len(order):
            return 0.0, 0.0
        price = float(prices[order[min(int(reached.searchsorted(lacking)), len(order) - 1)]])
        return (1.0 / price) * (1.0 - BESIDE), (1.0 / price) * (1.0 + BESIDE)


BESIDE = 1e-6
"""How far from a value at which a request changes its choice, in proportion, the values before and after it are."""
