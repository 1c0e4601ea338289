"""Normalised cost `C~`: where a cost lies between the cheapest and the dearest configuration of a space, on a log scale."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from uniscale_integrations.errors import ConfigurationError

MIN_FACTOR = 100.0
"""Least factor between the ends of an open scale."""


@dataclass(frozen=True, slots=True)
class CostScale:
    """The scale that a space's costs span.

        C~(c) = (log c - log cheapest) / (log dearest - log cheapest)

    Equal factors are equal steps: a scale from 1 to 100 puts 10 in the middle. What costs less than the cheapest lies below 0, what
    costs more than the dearest above 1: a clipped position would call an answer of twice the price no dearer. A scale `open` is at least
    `MIN_FACTOR` wide, so that models a few per cent apart do not lie at its ends.

    Attributes:
        cheapest: cost of the cheapest configuration, in any unit (eFLOPs, US dollars).
        dearest: cost of the dearest one, in the same unit.

    Raises:
        ConfigurationError: an end that is not positive and finite, or ends in the wrong order.

    Example:
        >>> scale = CostScale(cheapest=1e9, dearest=1e13)
        >>> [round(scale.position(cost), 3) for cost in (1e9, 1e11, 1e15)]
        [0.0, 0.5, 1.5]
    """

    cheapest: float
    dearest: float

    def __post_init__(self) -> None:
        _require_cost("cheapest", self.cheapest)
        _require_cost("dearest", self.dearest)
        if self.cheapest > self.dearest:
            raise ConfigurationError(f"the cheapest cost {self.cheapest!r} is above the dearest {self.dearest!r}; swap them")

    @classmethod
    def open(cls, cheapest: float, dearest: float) -> CostScale:
        """The scale between two costs, as wide as to the dearest and at least `MIN_FACTOR`.

        >>> CostScale.open(2.0, 3.0), CostScale.open(2.0, 3000.0)
        (CostScale(cheapest=2.0, dearest=200.0), CostScale(cheapest=2.0, dearest=3000.0))
        """
        return cls(cheapest, max(dearest, MIN_FACTOR * cheapest))

    @classmethod
    def spanning(cls, costs: Iterable[float]) -> CostScale:
        """The open scale from the least to the greatest of some costs.

        >>> CostScale.spanning([4.0, 1.0, 2.0, 500.0])
        CostScale(cheapest=1.0, dearest=500.0)
        """
        costs = tuple(costs)
        if not costs:
            raise ConfigurationError("a cost scale needs the cost of at least one configuration, got none")
        for cost in costs:
            _require_cost("each cost of a scale", cost)
        return cls.open(min(costs), max(costs))

    @property
    def span(self) -> float:
        """Natural logarithm of the dearest over the cheapest cost; 1 of a scale without extent.

        >>> round(CostScale(1.0, 100.0).span, 3)
        4.605
        """
        return math.log(self.dearest / self.cheapest) or 1.0

    def position(self, cost: float) -> float:
        """`C~` of a cost, 0 at the cheapest and 1 at the dearest; what costs nothing counts as the cheapest, having no logarithm.

        Raises:
            ConfigurationError: a cost that is negative or not finite.
        """
        if not (math.isfinite(cost) and cost >= 0):
            raise ConfigurationError(f"a cost must be a finite number of at least 0, got {cost!r}")
        return (math.log(cost) - math.log(self.cheapest)) / self.span if cost else 0.0

    def cost(self, position: float) -> float:
        """The cost at a position in [0, 1], the inverse of `position`.

        >>> CostScale(1.0, 100.0).cost(0.5)
        10.0
        """
        return float(self.cheapest * (self.dearest / self.cheapest) ** position)


def _require_cost(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigurationError(f"{name} must be a finite number above 0 to have a logarithm, got {value!r}")
