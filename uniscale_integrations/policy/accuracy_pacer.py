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
        surplus: right answers beyond the share that are expected of the decisions so far, within `slack`.
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
    slack: float = 5.0
    surplus: float = 0.0
    _frontiers: deque[Frontier] = field(init=False, repr=False)
    _least: deque[float] = field(init=False, repr=False)
    _open: OrderedDict[str, float] = field(init=False, repr=False)
    _errors: float = field(default=0.0, init=False, repr=False)
    _judged: float = field(default=0.0, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.0 < self.accuracy < 1.0:
            raise ConfigurationError(f"a share of right answers must lie between 0 and 1, got {self.accuracy!r}")
        self._frontiers, self._least, self._open = deque(maxlen=self.recent), deque(maxlen=self.recent), OrderedDict()

    @property
    def correction(self) -> float:
        """What is added to expectations: how much more often than expected judged answers were right of late."""
        return float(np.clip(self._errors / (self._judged + PRIOR_JUDGEMENTS), -MAX_CORRECTION, MAX_CORRECTION))

    def value(self, correct: Array, costs: Array, eligible: NDArray[np.bool_]) -> float:
        """What a right answer has to be worth on this request, in the unit of the costs; infinite where nothing is right often enough.

        Args:
            correct: expected of each action, shape (K,).
            costs: likewise.
            eligible: which may be taken; at least one.
        """
        right, spend = correct[eligible], costs[eligible]
        frontier = Frontier.of(right, spend)
        self._frontiers.append(frontier)
        self._least.append(float(right[spend == spend.min()].max()))
        low, high = self._values()
        # Between the two some requests are undecided; what was expected so far decides them.
        return high if self.surplus < 0.0 else low

    def decided(self, decision: str, expected: float) -> None:
        """Count a decision, and wait for its judgement."""
        self.surplus = float(np.clip(self.surplus + expected + self.correction - self.accuracy, -self.slack, self.slack))
        self._open[decision] = expected
        if len(self._open) > MAX_OPEN_DECISIONS:
            self._open.popitem(last=False)

    def judged(self, decision: str, correct: float) -> None:
        """Correct expectations by a judgement; those of other decisions are passed over."""
        expected = self._open.pop(decision, None)
        if expected is None:
            return
        kept = 1.0 - 1.0 / self.memory
        self._errors, self._judged = kept * self._errors + correct - expected, kept * self._judged + 1.0

    def _values(self) -> tuple[float, float]:
        """Two values close to each other, at the second of which recent requests would have been right often enough."""
        # Where fewer than what is asked for is lacking, it is made good over the next requests.
        lacking = (self.accuracy - self.correction) * len(self._least) - sum(self._least)
        if lacking <= 0.0:
            return 0.0, 0.0
        prices = np.concatenate([frontier.prices for frontier in self._frontiers])
        gains = prices * np.concatenate([frontier.savings for frontier in self._frontiers])
        order = prices.argsort()[::-1]
        reached = np.cumsum(gains[order]).searchsorted(lacking)
        if reached >= len(order):
            return inf, inf
        price = float(prices[order[reached]])
        return (1.0 / price) * (1.0 - BESIDE), (1.0 / price) * (1.0 + BESIDE)


BESIDE = 1e-6
"""How far from a value at which a request changes its choice, in proportion, the values before and after it are."""
