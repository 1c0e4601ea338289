"""Models behind an API as commands take them: their prices, and where they are served."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from uniscale_integrations.engine.known_prices import with_known_prices
from uniscale_integrations.engine.model_registry import generators, is_hosted, load_generator
from uniscale_integrations.errors import ConfigurationError

if TYPE_CHECKING:
    from uniscale_integrations.cost.hardware import HardwareProfile
    from uniscale_integrations.search.ports import Generator

PriceOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Of a provider's model: gpt-5-mini=0.25,2.0, USD per 1M input and output tokens; give it several times. "
        "Those that are known are taken by default."
    ),
]
BaseUrlOption = Annotated[
    str | None, typer.Option(help="Where the provider's models are served, such as http://localhost:8000/v1 of openai:my-model.")
]


def price_list(options: Iterable[str]) -> dict[str, tuple[float, float]]:
    """The prices that `--price` gives, by model.

    Raises:
        ConfigurationError: no name and two numbers.

    Example:
        >>> price_list(["gpt-5-mini=0.25,2.0"])
        {'gpt-5-mini': (0.25, 2.0)}
    """
    return dict(map(_price, options))


def _price(option: str) -> tuple[str, tuple[float, float]]:
    name, _, numbers = option.rpartition("=")
    try:
        input_usd, output_usd = map(float, numbers.split(","))
    except ValueError:
        raise ConfigurationError(f"--price is a model and two numbers, such as gpt-5-mini=0.25,2.0; got {option!r}") from None
    return name, (input_usd, output_usd)


def hosted_models(
    names: Sequence[str], prices: Sequence[str], base_url: str | None, hardware: HardwareProfile
) -> dict[str, Generator]:
    """Clients of those of the models that a provider serves, by name, with their prices where all models have one.

    Args:
        names: of all models.
        prices: as `--price` gives them.
        base_url: where those models are served.
        hardware: what prices compute.

    Raises:
        ConfigurationError: a price of a model that is none of these, an address without one, or prices of some models only.
        MissingExtraError: the package of a provider is not installed.
    """
    hosted = [name for name in names if is_hosted(name)]
    if base_url is not None and not hosted:
        raise ConfigurationError(
            f"--base-url is of a provider's models, such as openai:my-model; the models are {', '.join(names)}"
        )
    local = [name for name in names if name not in hosted]
    if prices and local:
        raise ConfigurationError(
            f"{', '.join(local)} cost eFLOPs, which cannot be compared with dollars; run models with --price by themselves"
        )
    given = price_list(prices)
    clients = [load_generator(name, base_url=base_url) for name in hosted]
    models = {each.name: each for each in generators(clients, given) if not isinstance(each, str)}
    if local:
        return models
    models = with_known_prices(models, hardware)
    unpriced = [name for name, model in models.items() if getattr(model, "price", None) is None]
    if given and unpriced:
        raise ConfigurationError(f"no price of {', '.join(unpriced)} is known; give all models a price (--price), or none")
    return models
