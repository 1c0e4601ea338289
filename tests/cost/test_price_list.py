"""Prices that are known: by where requests go, never by a name alone."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from uniscale_integrations.cost import Price
from uniscale_integrations.cost.price_list import Endpoint, known_price

OPENAI = "https://api.openai.com/v1/"


def test_a_model_at_its_provider_s_address_has_its_price_and_that_of_cached_tokens() -> None:
    price = known_price(Endpoint("gpt-4o-mini", OPENAI))
    assert price == Price(0.15, 0.6, 0.075)
    assert price is not None
    assert "genai-prices" in price.source
    assert "gpt-4o-mini of openai" in price.source


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000/v1", "http://127.0.0.1:11434/v1", "http://server/v1", "http://10.0.0.7/v1", "https://llm.example.com/v1",
        "http://vllm.internal/v1", "http://[::1]:8000/v1", "not an address",
    ],
)  # fmt: skip
def test_a_model_of_the_same_name_elsewhere_has_none(url: str) -> None:
    assert known_price(Endpoint("gpt-4o-mini", url, "openai")) is None


def test_the_address_outweighs_the_package_of_the_class() -> None:
    groq = known_price(Endpoint("llama-3.3-70b-versatile", "https://api.groq.com/openai/v1", "openai"))
    assert groq is not None
    assert "groq" in groq.source
    assert known_price(Endpoint("claude-sonnet-4-5", provider="anthropic")) == Price(3.0, 15.0, 0.3), "the tier of short prompts"
    assert known_price(Endpoint("gpt-4o-mini", provider="anthropic")) is None
    assert known_price(Endpoint("a-model-of-one-s-own", OPENAI)) is None
    assert known_price(Endpoint("gpt-4o-mini")) is None


def test_a_price_is_that_of_a_time() -> None:
    assert known_price(Endpoint("gpt-4o", OPENAI), datetime(2025, 6, 1, tzinfo=UTC)) == Price(2.5, 10.0, 1.25)


def test_without_genai_prices_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("genai_prices")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert known_price(Endpoint("gpt-4o-mini", OPENAI)) is None


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("something was to be fetched")

    monkeypatch.setattr("socket.socket.connect", refuse)
    assert known_price(Endpoint("gpt-4o", OPENAI)) is not None
