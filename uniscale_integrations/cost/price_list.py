"""Prices of hosted models that genai-prices knows, by where their requests go and what the models are called there.

A name alone says nothing of a price: a local server may serve a model, or a mock, under any name. So a price is taken only where the
requests go to a provider's own address, or through the package of a provider that has no address of its own to set. The data come
with genai-prices; nothing is fetched, unless the application itself has the package update them.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

from uniscale_integrations.cost.price import Price

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a hosted model's requests go.

    Attributes:
        model: what the model is called there.
        url: the address of the API, where it is known; it outweighs the provider.
        provider: as genai-prices calls it; empty where only the address can tell.
    """

    model: str
    url: str = ""
    provider: str = ""


@runtime_checkable
class HasEndpoint(Protocol):
    """A chat client that tells where its requests go."""

    @property
    def endpoint(self) -> Endpoint | None:
        """`None` where that is not known."""
        ...


def known_price(endpoint: Endpoint, at: datetime | None = None) -> Price | None:
    """What genai-prices says a model costs; `None` where it is not installed, or knows no such model at that provider.

    Of a price that depends on the length of the prompt it is that of short ones, and of one that depends on the time of day or on the
    date it is that of now.

    Args:
        endpoint: where the requests go.
        at: the time; now by default.

    Example:
        >>> known_price(Endpoint("gpt-4o-mini", "http://localhost:8000/v1")) is None
        True
    """
    if not (endpoint.provider or _is_public(endpoint.url)):
        return None
    try:
        from genai_prices import __version__
        from genai_prices.data_snapshot import get_snapshot
    except ImportError:
        return None
    where = {"provider_api_url": endpoint.url or None, "provider_id": None if endpoint.url else endpoint.provider}
    try:
        provider, model = get_snapshot().find_provider_model(endpoint.model, None, **where)
    except LookupError:
        return None
    prices = model.get_prices(at or datetime.now(UTC))
    prompt, completion, cached = (_dollars(getattr(prices, name)) for name in ("input_mtok", "output_mtok", "cache_read_mtok"))
    if prompt is None or completion is None:
        return None
    return Price(prompt, completion, cached, f"genai-prices {__version__}: {model.id} of {provider.id}")


@lru_cache(maxsize=1024)
def tell(name: str, price: Price, source: str) -> None:
    """Say in the log, once a process, which price was taken for a model.

    Args:
        name: of the model.
        price: per million tokens.
        source: where it was found.
    """
    cached = "" if price.cached_per_million is None else f", {price.cached_per_million:g} cached"
    _log.info(
        "%s costs $%g input%s and $%g output per million tokens (%s); prices={%r: (input, output)} says otherwise, prices=None takes none",
        name, price.prompt_per_million, cached, price.completion_per_million, source, name,
    )  # fmt: skip


def _is_public(url: str) -> bool:
    """Whether an address may be a provider's, by the name of its host."""
    host = urlsplit(url).hostname or ""
    return "." in host and re.fullmatch(r"[\d.]+|.*\.(?:local|localhost|internal|lan|test)", host) is None


def _dollars(price: Any) -> float | None:
    """Of a price that has tiers, that of the first."""
    value = getattr(price, "base", price)
    return None if value is None else float(value)
