"""Keeping to a share of right answers at the least cost: the value of a right answer, solved on recent requests."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Collection
from dataclasses import dataclass, field
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.budget_pacer import BESIDE, Frontier
from uniscale_integrations.policy.kernels import Array

MAX_OPEN_DECISIONS = 1000
"""Decisions for whose judgement is waited, so that expectations are corrected by it."""

PRIOR_JUDGEMENTS = 100.0
"""So many judgements that agree with what was expected are taken to have been there before the first one.

One answer is right or wrong by luck, with a standard deviation of .45 or so. A tenth of that, as after so many judgements, is what
expectations are taken to be off by before anything is known of them: whoever went by fewer judgements would go by luck.
"""

MAX_CORRECTION = 0.3
"""Most that expectations are corrected by, either way."""

CLOSE = 0.01
"""How much less often right than it could be is close enough where a share is out of reach."""

UNDECIDED = 1.0
"""Expected right answers more or less that one choice may make, which call for no other value."""


class _Request(NamedTuple):
    """What can be bought on a request.

    Attributes:
        prices: as of `Frontier`.
        right: how often the cheapest answer is expected to be right.
        gains: how much more often each dearer one is, beyond the one before it.
    """

    prices: Array
    right: float
    gains: Array


class _Steps(NamedTuple):
    """All changes that requests make as the value of a right answer rises, in the order in which they make them.

    Attributes:
        requests: how many.
        right: answers expected of all of them where a right one is worth nothing.
        prices: one by the value at each of which a request changes to a dearer action, shape (n,), falling.
        gained: right answers expected more after each change and those before it, shape (n,); where something is chosen in the hope of
            more, less may be expected of it, which does not take back what came before.
    """

    requests: int
    right: float
    prices: Array
    gained: Array

    @classmethod
    def of(cls, requests: Collection[_Request]) -> _Steps:
        prices = np.concatenate([request.prices for request in requests])
        gains = np.concatenate([request.gains for request in requests])
        order = prices.argsort(kind="stable")[::-1]
        gained = np.maximum.accumulate(np.cumsum(gains[order]))
        return cls(len(requests), sum(request.right for request in requests), prices[order], gained)

    @property
    def reach(self) -> float:
        """The mean correctness at the greatest value."""
        return (self.right + (float(self.gained[-1]) if len(self.gained) else 0.0)) / self.requests

    def price(self, correctness: float) -> float:
        """One by the least value at which the mean correctness is so much, or as much as it can be; infinite where it is anyway."""
        lacking = correctness * self.requests - self.right
        if lacking <= 0.0 or not len(self.prices):
            return inf
        return float(self.prices[min(int(self.gained.searchsorted(lacking)), len(self.prices) - 1)])


@dataclass(slots=True)
class AccuracyPacer:
    """The Lagrangian of `min mean cost subject to mean correctness >= accuracy`, its multiplier solved anew at each request.

    One value of a right answer makes one choice for each request, `argmax V correct - cost`; the right one is the least at which the
    choices are right often enough on average. What choices there are is seen from the requests before it (see `BudgetPacer`).

    What is expected of the choices may be too much on average, as of every best of several, or too little. So expectations are corrected
    by what was judged, and by as much of it as is unlikely to be luck. Luck itself is not made good: costs rise ever more steeply with
    the share that is sought, so that going up and down with luck would cost much and bring nothing. What is made good is where requests
    turn out to be easier or harder, or beliefs other, than those that the value was solved on.

    Attributes:
        accuracy: share of right answers, in (0, 1).
        recent: how many requests the value is solved on, the last ones.
        memory: most judgements that expectations are corrected by; of fewer than twice as many it is the last half, since
            expectations are the further off the less was learned.
        horizon: requests over which what is expected beyond the share, or lacking, is made good.
        surplus: right answers expected beyond the share so far, within `slack`.
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
    memory: int = 400
    horizon: float = 30.0
    slack: float = 10.0
    surplus: float = 0.0
    _requests: deque[_Request] = field(init=False, repr=False)
    _open: OrderedDict[str, float] = field(init=False, repr=False)
    _errors: deque[float] = field(default_factory=deque, init=False, repr=False)
    _judged: int = field(default=0, init=False, repr=False)

    def __post_init__(self) -> None:
        if not 0.0 < self.accuracy < 1.0:
            raise ConfigurationError(f"a share of right answers must lie between 0 and 1, got {self.accuracy!r}")
        self._requests, self._open = deque(maxlen=self.recent), OrderedDict()

    @property
    def correction(self) -> float:
        """What is added to expectations: how much more often than expected judged answers were right of late."""
        mean = sum(self._errors) / (len(self._errors) + PRIOR_JUDGEMENTS)
        return float(np.clip(mean, -MAX_CORRECTION, MAX_CORRECTION))

    def value(self, correct: Array, costs: Array, eligible: NDArray[np.bool_], bonus: Array | float = 0.0) -> float:
        """What a right answer has to be worth on this request, in the unit of the costs.

        Where the share is out of reach it is the least at which answers are right almost as often as they can be, by `CLOSE`.

        Args:
            correct: expected of each action, shape (K,).
            costs: likewise.
            eligible: which may be taken; at least one.
            bonus: what is added to the expectations where one is chosen, shape (K,); the value is that at which what is chosen so is right
                often enough.
        """
        frontier = Frontier.of((correct + bonus)[eligible], costs[eligible])
        right = correct[eligible][frontier.actions]
        request = _Request(frontier.prices, float(right[0]), right[1:] - right[:-1])
        value = self._solved(self._requests or [request])
        self._requests.append(request)
        return value

    def decided(self, decision: str, expected: float) -> None:
        """Count a decision by what is expected of it, and wait for its judgement."""
        change = expected + self.correction - self.accuracy
        # Beyond the slack nothing is made good, or what lies far back would decide for long.
        self.surplus = float(np.clip(self.surplus + change, -self.slack, self.slack))
        self._open[decision] = expected
        if len(self._open) > MAX_OPEN_DECISIONS:
            self._open.popitem(last=False)

    def judged(self, decision: str, correct: float) -> None:
        """Correct expectations by the judgement of a decision; judgements of other decisions are passed over."""
        if decision not in self._open:
            return
        self._errors.append(correct - self._open.pop(decision))
        self._judged += 1
        while len(self._errors) > min(self.memory, (self._judged + 1) // 2):
            self._errors.popleft()

    def _solved(self, requests: Collection[_Request]) -> float:
        """The value for the next request, by those of some requests."""
        steps, correctness = _Steps.of(requests), self.accuracy - self.correction
        beyond = self.surplus - float(np.clip(self.surplus, -UNDECIDED, UNDECIDED))
        lacking = correctness - beyond / self.horizon
        # The last of what can be had costs most, and may be a hope only.
        if lacking > steps.reach - CLOSE:
            return (1.0 + BESIDE) / steps.price(steps.reach - CLOSE)
        value = 1.0 / steps.price(lacking)
        # Close to it the requests of one change are undecided; whether something is lacking decides them.
        return value * (1.0 + BESIDE if self.surplus < 0.0 else 1.0 - BESIDE)
