"""Prices per token, for models behind an API."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.deprecation import former_names
from uniscale_integrations.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Price:
    """What a provider charges, in US dollars per million tokens.

    Attributes:
        prompt_per_million: for tokens read.
        completion_per_million: for tokens sampled.

    Raises:
        ConfigurationError: a price that is negative or not a number; the message names it.

    Example:
        >>> Price(prompt_per_million=0.5, completion_per_million=1.5).usage(prompt_tokens=1000, completion_tokens=2000).usd
        0.0035
    """

    prompt_per_million: float
    completion_per_million: float

    def __post_init__(self) -> None:
        for name in ("prompt_per_million", "completion_per_million"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigurationError(f"{name} must be a finite number of US dollars, at least 0, got {value!r}")

    @classmethod
    def of(cls, pair: Sequence[float]) -> Self:
        """From two numbers, for tokens read and tokens sampled.

        Raises:
            ConfigurationError: something else, or impossible prices.

        Example:
            >>> Price.of((0.25, 2.0))
            Price(prompt_per_million=0.25, completion_per_million=2.0)
        """
        if not isinstance(pair, Sequence) or len(pair) != 2 or not all(isinstance(each, (int, float)) for each in pair):
            raise ConfigurationError(f"a price is two numbers, dollars per million tokens read and sampled, got {pair!r}")
        return cls(*pair)

    def usd(self, prompt_tokens: float, completion_tokens: float) -> float:
        """US dollars for that many tokens."""
        return (prompt_tokens * self.prompt_per_million + completion_tokens * self.completion_per_million) / 1e6

    def usage(self, prompt_tokens: float, completion_tokens: float) -> Usage:
        """The usage of one call, tokens and dollars; what the provider's hardware did stays unknown and is 0."""
        return Usage(
            prompt_tokens=float(prompt_tokens),
            completion_tokens=float(completion_tokens),
            usd=self.usd(prompt_tokens, completion_tokens),
        )


@runtime_checkable
class HasPrice(Protocol):
    """A generator whose answers cost dollars once its price is known."""

    price: Price | None

    def set_price(self, price: Price) -> None:
        """Count in dollars from now on."""
        ...


__getattr__ = former_names(__name__, {"Priced": "HasPrice"})
