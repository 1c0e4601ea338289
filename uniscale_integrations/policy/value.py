"""What a right answer is worth, in money: `r = right * correct - spend`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import Any

import numpy as np

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.forecast import Expectation, Forecast
from uniscale_integrations.policy.kernels import Array

POINTS = 5.0
"""Of accuracy that always asking the dearest model has to bring, where nobody says what a right answer is worth."""

ALIKE = 1.01
"""Plain calls whose expected costs differ by less than this factor cost the same."""


@dataclass(frozen=True, slots=True)
class Value:
    """What a right answer is worth, in money: the reward is `right * correct - spend`, in dollars or eFLOPs.

    Args:
        right: value of a right answer, in the unit in which costs are counted: dollars where models have prices.
        points: instead of it, how many points of accuracy always asking the dearest model has to bring to be worth it. What a right
            answer is worth follows from that for each request: `(dearest - cheapest plain call) / (points / 100)`.

    Raises:
        ConfigurationError: neither, or a number that is not above 0.

    Example:
        >>> Value(right=0.02).earned(correct=1.0, score=None, cost=0.5, spend=0.005)
        0.015
        >>> two = Forecast.of(np.array([0.6, 0.9]), np.ones(2), np.array([0.0, 1.0]), np.array([0.001, 0.006]))
        >>> Value(points=5).resolve(two).right
        0.1
        >>> Value(points=5).rewards(two).round(3).tolist()
        [0.059, 0.084]
    """

    right: float | None = None
    points: float | None = None
    by_score: bool = False

    def __post_init__(self) -> None:
        if self.right is None and self.points is None:
            raise ConfigurationError(
                "Value needs right=, what a right answer is worth, or points=, for example Value(right=0.02)"
            )
        for name, value in (("right", self.right), ("points", self.points)):
            if value is not None and not (isinstance(value, int | float) and 0.0 < value < inf):
                raise ConfigurationError(f"{name} of a Value must be a finite number above 0, got {value!r}")

    def __str__(self) -> str:
        points = "" if self.points is None else f"always asking the dearest model worth it for {self.points:g} points more"
        return ", ".join(
            part for part in ("" if self.right is None else f"a right answer worth {self.right:.3g}", points) if part
        )

    def resolve(self, forecast: Forecast) -> Value:
        """With `right` of this request, which `points` leave open."""
        if self.points is None:
            return self
        plain = forecast.plain_spend
        dearest, cheapest = float(plain.max()), float(plain.min())
        # Of models that cost the same none is the dearest; a further call is what can be saved.
        gap = dearest - cheapest if dearest > ALIKE * cheapest else dearest
        return replace(self, right=max(gap, 1e-300) * 100.0 / self.points)

    def observable(self, *, scored: bool, judged: bool) -> Value:
        """As of `Objective`."""
        return self if judged or not scored else replace(self, by_score=True)

    def rewards(self, forecast: Forecast) -> Array:
        """`V correct - spend` of each configuration, shape (K,)."""
        correct = np.where(forecast.scored, forecast.score, forecast.correct) if self.by_score else forecast.correct
        rewards: Array = self._right_for(forecast) * correct - forecast.spend
        return rewards

    def gains(self, forecast: Forecast) -> tuple[Array, Array]:
        """As of `Objective`."""
        right = np.full(len(forecast.correct), self._right_for(forecast))
        return (
            (np.where(forecast.scored, 0.0, right), right * forecast.scored) if self.by_score else (right, np.zeros_like(right))
        )

    def flips_at(self, choice: Expectation, other: Expectation) -> float | None:
        """What a right answer must be worth for both to be worth the same."""
        if self.right is None:
            return None
        # The bonus is so much of the value of a right answer.
        quality, other_quality = (each.correct + each.bonus / self.right for each in (choice, other))
        if quality == other_quality:
            return None
        right = (choice.spend - other.spend) / (quality - other_quality)
        return right if right > 0.0 else None

    def earned(self, correct: float, score: float | None, cost: float, spend: float) -> float:
        """`V correct - spend`.

        Raises:
            ConfigurationError: only points are known, which say what an answer is worth where a request is decided.
        """
        if self.right is None:
            raise ConfigurationError(
                f"what {self} makes of a right answer depends on the request; take the objective of its decision, or Value(right=...)"
            )
        return self.right * correct - spend

    def record(self) -> dict[str, Any]:
        """As of `Objective`."""
        return {name: value for name, value in (("right", self.right), ("points", self.points)) if value is not None}

    def _right_for(self, forecast: Forecast) -> float:
        right = self.right if self.right is not None else self.resolve(forecast).right
        assert right is not None
        return right
