"""From eFLOPs or dollars to `C~` in [0, 1]: the log-scaled position between the cheapest and the dearest configuration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, log

from uniscale_integrations.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class CostScale:
    """The costs between which `C~` runs from 0 to 1.

    Attributes:
        cheapest: what the cheapest configuration takes, above 0.
        dearest: what the dearest one takes.

    Example:
        >>> scale = CostScale(1e9, 1e11)
        >>> scale.position(1e10), scale.position(1e8), scale.position(1e12)
        (0.5, 0.0, 1.0)
        >>> scale.cost(0.5)
        10000000000.0
    """

    cheapest: float
    dearest: float

    def __post_init__(self) -> None:
        if not 0.0 < self.cheapest <= self.dearest < inf:
            raise ConfigurationError(f"costs must be finite and above 0, the cheapest first; got {self.cheapest!r} and {self.dearest!r}")

    @classmethod
    def over(cls, costs: Iterable[float]) -> CostScale:
        """The scale of configurations with these costs.

        Raises:
            ConfigurationError: no costs, or one that is not a number of at least 0. Those of 0 are free and not on the scale.
        """
        found = sorted(costs)
        if not found or not 0.0 <= found[0] <= found[-1] < inf:
            raise ConfigurationError(f"a cost scale needs finite costs of at least 0, got {found}")
        paid = [cost for cost in found if cost > 0]
        return cls(paid[0], paid[-1]) if paid else cls(1.0, 1.0)

    def position(self, cost: float) -> float:
        """`C~` of a cost; 0 where all configurations cost the same."""
        if cost <= self.cheapest:
            return 0.0
        if cost >= self.dearest:
            return 1.0
        return log(cost / self.cheapest) / log(self.dearest / self.cheapest)

    def cost(self, position: float) -> float:
        """The cost at a position, the inverse of `position`."""
        return float(self.cheapest * (self.dearest / self.cheapest) ** position)
