"""Prices per token, for models behind an API."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
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
        cached_per_million: for tokens read from the provider's cache; by default as much as for others.
        source: where a price was found that nobody gave; empty for one that was given.

    Raises:
        ConfigurationError: a price that is negative or not a number; the message names it.

    Example:
        >>> price = Price(prompt_per_million=0.5, completion_per_million=1.5, cached_per_million=0.05)
        >>> price.usage(prompt_tokens=1000, completion_tokens=2000).usd
        0.0035
        >>> price.usd(1000, 2000, cached=800)
        0.00314
    """

    prompt_per_million: float
    completion_per_million: float
    cached_per_million: float | None = None
    source: str = field(default="", repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("prompt_per_million", "completion_per_million", "cached_per_million"):
            value = getattr(self, name)
            if value is None and name == "cached_per_million":
                continue
            if not (math.isfinite(value) and value >= 0):
                raise ConfigurationError(f"{name} must be a finite number of US dollars, at least 0, got {value!r}")

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Self:
        """From two numbers, for tokens read and tokens sampled, or three, the last for tokens read from the provider's cache.

        Raises:
            ConfigurationError: something else, or impossible prices.

        Example:
            >>> Price.of((0.25, 2.0))
            Price(prompt_per_million=0.25, completion_per_million=2.0, cached_per_million=None)
        """
        if not isinstance(numbers, Sequence) or len(numbers) not in (2, 3) or not all(map(_is_number, numbers)):
            raise ConfigurationError(
                "a price is two numbers, dollars per million tokens read and sampled, or three, the last for tokens read from a cache, "
                f"got {numbers!r}"
            )
        prompt, completion, *cached = numbers
        return cls(prompt, completion, cached[0] if cached else None)

    def usd(self, prompt_tokens: float, completion_tokens: float, cached: float = 0.0) -> float:
        """US dollars for that many tokens.

        Args:
            prompt_tokens: tokens read, those from the cache included.
            completion_tokens: tokens sampled.
            cached: of the tokens read, those that the provider found in its cache.
        """
        cached = min(cached, prompt_tokens)
        per_cached = self.prompt_per_million if self.cached_per_million is None else self.cached_per_million
        read = (prompt_tokens - cached) * self.prompt_per_million + cached * per_cached
        return (read + completion_tokens * self.completion_per_million) / 1e6

    def usage(self, prompt_tokens: float, completion_tokens: float) -> Usage:
        """The usage of one call, tokens and dollars; what the provider's hardware did stays unknown and is 0."""
        return Usage(
            prompt_tokens=float(prompt_tokens),
            completion_tokens=float(completion_tokens),
            usd=self.usd(prompt_tokens, completion_tokens),
        )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))


@runtime_checkable
class HasPrice(Protocol):
    """A generator whose answers cost dollars once its price is known."""

    price: Price | None

    def set_price(self, price: Price | None) -> None:
        """Count in dollars from now on, or no longer where it is `None`."""
        ...


__getattr__ = former_names(__name__, {"Priced": "HasPrice"})
