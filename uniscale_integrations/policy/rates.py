"""What configurations cost, as far as a price list tells: so much for each token read, and so much for each that is sampled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Self

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.kernels import Array

USUAL_TOKENS = 100.0
"""Output tokens of a path that are expected before any was seen."""

USUAL_INPUT = 40.0
"""Input tokens of a request that does not say how many it has."""


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """Prices of K configurations; what is learned beside them are amounts, which a change of prices leaves as they are.

        spend = paths * (input tokens * per_input + amount * per_amount)

    An amount is the number of output tokens of a path where models are paid for by the token; else it is the factor by which an
    estimate of the whole cost is wrong, with the estimate in `per_amount`.

    Attributes:
        paths: how many answers each samples, shape (K,), at least 1.
        per_input: dollars or eFLOPs of an input token, shape (K,).
        per_amount: of a unit of the amount, shape (K,).
        in_tokens: whether amounts are tokens, shape (K,).
        scale: on which `C~` is a position, where it does not depend on the request.

    Raises:
        ConfigurationError: arrays of different lengths, or numbers that no price can be.

    Example:
        >>> rates = Rates.of_tokens([1.0, 4.0], [(0.25, 2.0), (0.25, 2.0)])
        >>> (rates.spend(rates.usual, np.full(2, 400.0)) * 1e6).tolist()
        [300.0, 1200.0]
    """

    paths: Array
    per_input: Array
    per_amount: Array
    in_tokens: NDArray[np.bool_]
    scale: CostScale | None = None

    def __post_init__(self) -> None:
        parts = (self.paths, self.per_input, self.per_amount)
        if len({part.shape for part in (*parts, self.in_tokens)}) > 1:
            raise ConfigurationError(f"rates must be of one length, got the shapes {[part.shape for part in parts]}")
        if not all(np.isfinite(part).all() and (part >= 0).all() for part in parts):
            raise ConfigurationError("paths and prices must be finite numbers of at least 0")

    @classmethod
    def of_tokens(cls, paths: Sequence[float], prices: Sequence[tuple[float, float]]) -> Self:
        """Of models that are paid for by the token.

        Args:
            paths: of each configuration.
            prices: of each one's model, USD per 1M input and output tokens.
        """
        per_token = np.array(prices, dtype=np.float64).reshape(-1, 2) / 1e6
        return cls(
            np.array(paths, dtype=np.float64), per_token[:, 0].copy(), per_token[:, 1].copy(), np.ones(len(paths), dtype=np.bool_)
        )

    @classmethod
    def of_estimates(cls, costs: Sequence[float] | Array, paths: Sequence[float] | Array, scale: CostScale | None = None) -> Self:
        """Of configurations whose whole cost is estimated.

        Args:
            costs: what each is expected to cost, in dollars or eFLOPs.
            paths: how many answers each samples; a share of the cost is that of a plain call.
            scale: see `Rates`.
        """
        numbers = np.maximum(np.array(paths, dtype=np.float64), 1.0)
        per_path = np.array(costs, dtype=np.float64) / numbers
        return cls(numbers, np.zeros(len(numbers)), per_path, np.zeros(len(numbers), dtype=np.bool_), scale)

    @classmethod
    def of_positions(cls, positions: Array, span: float) -> Self:
        """Of configurations of which nothing is known but `C~` on a scale of that span; the cheapest end of it counts 1."""
        return cls.of_estimates(np.exp(span * positions), np.ones(len(positions)), CostScale(1.0, float(np.exp(span))))

    def record(self) -> dict[str, list[float]]:
        """JSON-ready; `of_record` reads it back."""
        columns = {"paths": self.paths, "per_input": self.per_input, "per_amount": self.per_amount, "in_tokens": self.in_tokens}
        return {name: column.astype(np.float64).tolist() for name, column in columns.items()}

    @classmethod
    def of_record(cls, record: Mapping[str, Sequence[float]]) -> Self:
        """The rates that a `record` is of."""
        paths, per_input, per_amount = (np.array(record[name], dtype=np.float64) for name in ("paths", "per_input", "per_amount"))
        return cls(paths, per_input, per_amount, np.array(record["in_tokens"], dtype=np.float64) > 0)

    def only(self, arms: Sequence[int]) -> Rates:
        """Of some of the configurations, by their numbers."""
        chosen = list(arms)
        return Rates(self.paths[chosen], self.per_input[chosen], self.per_amount[chosen], self.in_tokens[chosen], self.scale)

    def beside(self, count: int) -> Rates:
        """With some further configurations whose prices are those in the middle, which are counted as most of the others are."""
        paths, per_input, per_amount = (
            np.append(each, np.full(count, np.median(each))) for each in (self.paths, self.per_input, self.per_amount)
        )
        tokens = np.append(self.in_tokens, np.full(count, bool(self.in_tokens.mean() > 0.5)))
        return Rates(paths, per_input, per_amount, tokens, self.scale)

    @property
    def usual(self) -> Array:
        """Amounts that are expected before any was seen, shape (K,)."""
        return np.where(self.in_tokens, USUAL_TOKENS, 1.0)

    @property
    def plain_call(self) -> Array:
        """What one plain call of each configuration's model is expected to cost before any was seen, shape (K,)."""
        return USUAL_INPUT * self.per_input + self.usual * self.per_amount

    def spend(self, amounts: Array, input_tokens: Array) -> Array:
        """What each configuration costs, shape (..., K).

        Args:
            amounts: shape (..., K).
            input_tokens: that each one's model reads for a path, shape (..., K).
        """
        spend: Array = self.paths * (input_tokens * self.per_input + amounts * self.per_amount)
        return spend

    def positions(self, spend: Array, eligible: NDArray[np.bool_]) -> Array:
        """`C~` of what configurations are expected to cost, shape (K,).

        It is 0 for the cheapest that is eligible, on a log scale as wide as to the dearest and at least `MIN_FACTOR`; not clipped.
        """
        logs = np.log(np.maximum(spend, 1e-300))
        if self.scale is not None:
            fixed: Array = (logs - log(self.scale.cheapest)) / self.scale.span
            return fixed
        among = logs[eligible] if eligible.any() else logs
        scale = CostScale.open(float(np.exp(among.min())), float(np.exp(among.max())))
        positions: Array = (logs - log(scale.cheapest)) / scale.span
        return positions
