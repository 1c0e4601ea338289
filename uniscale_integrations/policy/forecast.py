"""What is expected of configurations on a request, before an objective makes one number of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.policy.kernels import Array


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """What is expected of K configurations on a request; arrays of the shape (K,).

    Attributes:
        correct: correctness.
        score: the verifier's score.
        cost: `C~`.
        spend: cost in dollars or eFLOPs.
        plain_spend: what one plain call of each one's model is expected to cost, likewise.
        scored: whether an answer of it gets a score.
    """

    correct: Array
    score: Array
    cost: Array
    spend: Array
    plain_spend: Array
    scored: NDArray[np.bool_]

    @classmethod
    def of(cls, correct: Array, score: Array, cost: Array, spend: Array | None = None) -> Self:
        """Of configurations that are all scored, of which no plain call in particular is known."""
        spend = np.exp(cost) if spend is None else spend
        return cls(correct, score, cost, spend, spend, np.ones(len(correct), dtype=np.bool_))


class Expectation(NamedTuple):
    """What is expected of one configuration, with what not knowing it better is worth."""

    correct: float
    score: float
    cost: float
    spend: float
    bonus: float
