"""Normalised cost `C~`: where a cost lies between the cheapest and the dearest configuration of a space, on a log scale."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from uniscale_integrations.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class CostScale:
    """The scale that a space's costs span.

        C~(c) = (log c - log cheapest) / (log dearest - log cheapest), clipped to [0, 1]

    Equal factors are equal steps: a scale from 1 to 100 puts 10 in the middle. On a scale without extent there is nothing to
    save, and `C~` is 0 up to that cost and 1 above it.

    Attributes:
        cheapest: cost of the cheapest configuration, in any unit (eFLOPs, US dollars).
        dearest: cost of the dearest one, in the same unit.

    Raises:
        ConfigurationError: an end that is not positive and finite, or ends in the wrong order.

    Example:
        >>> scale = CostScale(cheapest=1e9, dearest=1e13)
        >>> [round(scale.position(cost), 3) for cost in (1e9, 1e11, 1e15)]
        [0.0, 0.5, 1.0]
    """

    cheapest: float
    dearest: float

    def __post_init__(self) -> None:
        _require_cost("cheapest", self.cheapest)
        _require_cost("dearest", self.dearest)
        if self.cheapest > self.dearest:
            raise ConfigurationError(f"the cheapest cost {self.cheapest!r} is above the dearest {self.dearest!r}; swap them")

    @classmethod
    def spanning(cls, costs: Iterable[float]) -> CostScale:
        """The scale from the least to the greatest of some costs.

        >>> CostScale.spanning([4.0, 1.0, 2.0])
        CostScale(cheapest=1.0, dearest=4.0)
        """
        costs = tuple(costs)
        if not costs:
            raise ConfigurationError("a cost scale needs the cost of at least one configuration, got none")
        for cost in costs:
            _require_cost("each cost of a scale", cost)
        return cls(min(costs), max(costs))

    @property
    def span(self) -> float:
        """Natural logarithm of the dearest over the cheapest cost; 1 of a scale without extent.

        >>> round(CostScale(1.0, 100.0).span, 3)
        4.605
        """
        return math.log(self.dearest / self.cheapest) or 1.0

    def position(self, cost: float) -> float:
        """`C~` of a cost, in [0, 1]; what costs nothing is as cheap as can be.

        Raises:
            ConfigurationError: a cost that is negative or not finite.
        """
        if not (math.isfinite(cost) and cost >= 0):
            raise ConfigurationError(f"a cost must be a finite number of at least 0, got {cost!r}")
        if cost <= self.cheapest:
            return 0.0
        if cost >= self.dearest:
            return 1.0
        lowest = math.log(self.cheapest)
        return min(1.0, (math.log(cost) - lowest) / (math.log(self.dearest) - lowest))

    def cost(self, position: float) -> float:
        """The cost at a position in [0, 1], the inverse of `position`.

        >>> CostScale(1.0, 100.0).cost(0.5)
        10.0
        """
        return float(self.cheapest * (self.dearest / self.cheapest) ** position)


def _require_cost(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigurationError(f"{name} must be a finite number above 0 to have a logarithm, got {value!r}")
