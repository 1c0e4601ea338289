"""Prices that nobody gave, of models whose prices are known: `prices="auto"`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from copy import copy
from typing import Literal, cast

from uniscale_integrations.cost.hardware import HardwareProfile
from uniscale_integrations.cost.lengths import TYPICAL
from uniscale_integrations.cost.price import HasPrice, Price
from uniscale_integrations.cost.price_list import HasEndpoint, known_price, tell
from uniscale_integrations.engine.estimates import SupportsCostEstimate
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.search.ports import Generator

PriceNumbers = tuple[float, float] | tuple[float, float, float]
"""In USD per 1M input and output tokens, and perhaps of input tokens that the provider has cached."""

Prices = Mapping[str, PriceNumbers] | Literal["auto"] | None
"""Of models by name; "auto" takes those that are known."""

_log = logging.getLogger(__name__)


def is_automatic(prices: Prices) -> bool:
    """Whether prices are looked up of the models that none was given for: by default, and beside one's own.

    Raises:
        ConfigurationError: another word than "auto".

    Example:
        >>> is_automatic("auto"), is_automatic({"gpt-5-mini": (0.2, 1.6)}), is_automatic(None), is_automatic({})
        (True, True, False, False)
    """
    if isinstance(prices, str) and prices != "auto":
        raise ConfigurationError(f'prices are numbers by model, "auto" for those that are known, or None, got {prices!r}')
    return bool(prices)


def given_prices(prices: Prices) -> Mapping[str, PriceNumbers]:
    """The prices that were given, by model."""
    return {} if prices is None or isinstance(prices, str) else prices


def with_known_prices(models: Mapping[str, Generator], hardware: HardwareProfile) -> dict[str, Generator]:
    """The models, copies with a price in the place of those that have none and whose price is known.

    Dollars cannot be compared with eFLOPs. Where some model has neither a price nor a known one, and no price was given either, none is
    taken, with a warning that says what to do.

    Args:
        models: by name; prices that were taken before are looked up again.
        hardware: what prices eFLOPs.
    """
    known = {name: price for name, model in models.items() if (price := _known(model)) is not None}
    unpriced = [name for name, model in models.items() if name not in known and _counts_flops(model, hardware)]
    given = any(isinstance(model, HasPrice) and model.price is not None and not model.price.source for model in models.values())
    if known and unpriced and not given:
        _log.warning(
            "what %s cost is known, but of %s neither a price is known nor one given, so that all costs are counted in eFLOPs; say what "
            "they cost, prices={%r: (0.25, 2.0)} in dollars per million input and output tokens",
            ", ".join(known), ", ".join(unpriced), unpriced[0],
        )  # fmt: skip
        known = {}
    result = {name: _priced(model, known.get(name)) for name, model in models.items()}
    for name, price in known.items():
        tell(name, price, price.source)
    return result


def _known(model: Generator) -> Price | None:
    """What a model is known to cost that nobody gave a price for."""
    if not isinstance(model, HasPrice) or not isinstance(model, HasEndpoint):
        return None
    if (model.price is not None and not model.price.source) or model.endpoint is None:
        return None
    return known_price(model.endpoint)


def _priced(model: Generator, price: Price | None) -> Generator:
    """A model with a price that is known, or without the one that was; as it is where that is the same."""
    if not isinstance(model, HasPrice) or (model.price is not None and not model.price.source) or model.price == price:
        return model
    other = copy(model)
    other.set_price(price)
    return cast(Generator, other)


def _counts_flops(model: Generator, hardware: HardwareProfile) -> bool:
    """Whether a model costs eFLOPs, once no automatic price is on it."""
    if isinstance(model, HasPrice) and model.price is not None and model.price.source:
        return True
    return isinstance(model, SupportsCostEstimate) and hardware.eflops(model.plain_usage(*TYPICAL)) > 0
