"""Prices of models behind an API."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.cost import Price, Usage
from uniscale_integrations.errors import ConfigurationError

counts = st.integers(0, 10**7)


def test_prices_are_per_million_tokens() -> None:
    price = Price(prompt_per_million=3.0, completion_per_million=15.0)
    assert price.usage(2_000_000, 100_000) == Usage(prompt_tokens=2e6, completion_tokens=1e5, usd=7.5)


@given(counts, counts, counts, counts)
def test_two_calls_cost_what_their_tokens_cost_together(first: int, said: int, second: int, answered: int) -> None:
    price = Price(0.25, 1.25)
    apart = price.usage(first, said).plus(price.usage(second, answered))
    assert apart == pytest.approx(price.usage(first + second, said + answered))


@pytest.mark.parametrize("value", [-0.01, math.nan, math.inf])
@pytest.mark.parametrize("name", ["prompt_per_million", "completion_per_million", "cached_per_million"])
def test_impossible_prices_are_refused_by_name_and_value(name: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}.*{value!r}"):
        Price(**{"prompt_per_million": 1.0, "completion_per_million": 1.0, name: value})  # type: ignore[arg-type]


def test_free_models_are_allowed() -> None:
    assert Price(0, 0).usage(10, 10).usd == 0


@pytest.mark.parametrize("pair", [(1.0,), (1.0, 2.0, 0.1, 0.2), 1.0, "12", {"read": 1.0}])
def test_what_is_no_pair_is_no_price(pair: Any) -> None:
    with pytest.raises(ConfigurationError, match="a price is two numbers"):
        Price.of(pair)


@given(counts, counts, counts)
def test_cached_tokens_are_charged_at_their_own_price_or_as_others(prompt: int, cached: int, completion: int) -> None:
    cached = min(cached, prompt)
    price = Price.of((2.0, 8.0, 0.5))
    assert price.usd(prompt, completion, cached) == pytest.approx(
        ((prompt - cached) * 2.0 + cached * 0.5 + completion * 8.0) / 1e6
    )
    assert Price.of((2.0, 8.0)).usd(prompt, completion, cached) == pytest.approx(price.usd(prompt, completion))
    assert price.usd(prompt, completion, prompt + 10) == price.usd(prompt, completion, prompt), "no more is cached than read"
