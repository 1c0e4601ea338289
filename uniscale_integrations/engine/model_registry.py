"""The models that an engine chooses from, and the searches and the verifier that suit them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from uniscale_integrations.cost.price import HasPrice, Price
from uniscale_integrations.duplicate_arms import DuplicateArms
from uniscale_integrations.engine.extensions import adapter_of, provider_of
from uniscale_integrations.engine.known_prices import PriceNumbers
from uniscale_integrations.engine.probe_results import learners
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.redaction import shown
from uniscale_integrations.search.ports import Generator, Verifier
from uniscale_integrations.space import DEFAULT_SHAPES, ConfigurationSpace


@runtime_checkable
class HasDefaultVerifier(Protocol):
    """A generator that says which verifier suits it, for who names none."""

    @property
    def suits(self) -> str:
        """The verifier's name."""
        ...


@dataclass(frozen=True, slots=True)
class Model:
    """A model with what is known of it beforehand, in the place of the model itself.

    Attributes:
        model: as `UniScale` takes one: a generator, a name, or a chat model of a framework.
        name: what it is called in configurations; by default what it is called itself.
        price: in USD per 1M input and output tokens, and perhaps of cached input tokens, of a model of a framework.
        parameters: how many it has, as a prior of how good it is beside others whose parameters are given too.
        successor_of: the name of a model whose successor it is: what is believed of that one is believed of it, less surely.

    Raises:
        ConfigurationError: parameters that are no number above 0.

    Example:
        >>> Model("uniscale-3m", parameters=3e6, successor_of="uniscale-1m").called
        'uniscale-3m'
    """

    model: object
    name: str | None = None
    price: PriceNumbers | None = None
    parameters: float | None = None
    successor_of: str | None = None

    def __repr__(self) -> str:
        rest = "".join(
            f", {name}={value!r}"
            for name in ("name", "price", "parameters", "successor_of")
            if (value := getattr(self, name)) is not None
        )
        return f"Model({shown(self.model)}{rest})"

    def __post_init__(self) -> None:
        if self.parameters is not None and not 0.0 < self.parameters < float("inf"):
            raise ConfigurationError(f"parameters must be a finite number above 0, got {self.parameters!r}")

    @property
    def called(self) -> str:
        """What it is called in configurations."""
        if self.name is not None:
            return self.name
        return self.model if isinstance(self.model, str) else _adapt(self.model, {}).name


def loaded(models: Sequence[object] | None, prices: Mapping[str, PriceNumbers] | None = None) -> dict[str, Generator]:
    """The models by name; names are loaded, and without any given it is the embedded family.

    Args:
        models: as of `generators`.
        prices: likewise.

    Raises:
        ConfigurationError: none, two of one name, or a price of a model that is not there or has none.
        UnknownModelError: no model of a name.
    """
    if models is None:
        from uniscale_integrations.models.catalog import language_models

        models = language_models()
    if isinstance(models, str) or not models:
        raise ConfigurationError(f"an engine needs at least one model, in a list, got {shown(models)}")
    prices = {each.called: each.price for each in models if isinstance(each, Model) and each.price is not None} | dict(
        prices or {}
    )
    by_name: dict[str, Generator] = {}
    for model in generators([_named(each) if isinstance(each, Model) else each for each in models], prices):
        generator = load_generator(model) if isinstance(model, str) else model
        if generator.name in by_name:
            raise ConfigurationError(f"two models are named {generator.name!r}; give each its own name")
        by_name[generator.name] = generator
    return by_name


def _named(model: Model) -> object:
    """What is in it, as it is to be called."""
    if model.name is None:
        return model.model
    generator: Any = copy(load_generator(model.model) if isinstance(model.model, str) else _adapt(model.model, {}))
    generator.name = model.name
    return generator


def generators(
    models: Sequence[object],
    prices: Mapping[str, PriceNumbers] | None = None,
    api_key: object = None,
    **settings: Any,
) -> list[Generator | str]:
    """The models as generators, names of local models as they are.

    A name such as "openai:gpt-5-mini" is one of a provider: LangChain's chat model, or what an entry point gives (see `extensions`).

    Those of a framework that have the same name, one model with several settings, are told apart by a number.

    Args:
        models: generators, names, or models of a framework.
        prices: of models of a framework by name, dollars per million tokens read and sampled, and perhaps read from a cache.
        api_key: of models that are named with their provider; by default what the provider's package finds in the environment.
        settings: of the `ChatStepModel` around each of a framework.

    Raises:
        ConfigurationError: something else, or a price of a model that is not there or has none.
        MissingExtraError: the package of a named provider is not installed.
    """
    if isinstance(models, str):
        raise ConfigurationError(f"models must be a list, got the text {models!r}; give [{models!r}]")
    counts: Counter[str] = Counter()
    result: list[Generator | str] = []
    for model in models:
        if isinstance(model, str) and is_hosted(model):
            result.append(_adapt(provider_of(model)(model, api_key), {"name": model, **settings}))
            continue
        generator = model if isinstance(model, str) else _adapt(model, settings)
        if not isinstance(generator, str) and generator is not model:
            counts[generator.name] += 1
            if counts[generator.name] > 1:
                cast(Any, generator).name = f"{generator.name}#{counts[generator.name]}"
        result.append(generator)
    for name, price in (prices or {}).items():
        _set_price(result, name, Price.of(price))
    return result


def _set_price(models: list[Generator | str], name: str, price: Price) -> None:
    """Put a copy with that price in the place of the model of a name; the one that was given stays as it is.

    Raises:
        ConfigurationError: no such model, or one that has no price.
    """
    names = [model if isinstance(model, str) else model.name for model in models]
    # One of a provider may be called without it too.
    suffixed = (place for place, each in enumerate(names) if is_hosted(each) and each.endswith(f":{name}"))
    place = names.index(name) if name in names else next(suffixed, None)
    if place is None:
        raise ConfigurationError(f"there is a price of {name!r}, but the models are {', '.join(names)}")
    model = copy(models[place])
    if not isinstance(model, HasPrice):
        raise ConfigurationError(
            f"there is a price of {name!r}, which counts its own cost in eFLOPs; prices are of models of LangChain or LlamaIndex"
        )
    model.set_price(price)
    models[place] = cast(Generator, model)


def is_hosted(name: str) -> bool:
    """Whether a name is that of a provider's model, with the provider before a colon.

    Example:
        >>> is_hosted("openai:gpt-5-mini"), is_hosted("uniscale-1m"), is_hosted("models/llama:8b.gguf")
        (True, False, False)
    """
    return re.fullmatch(r"[a-z][a-z0-9_-]+:[^/\\].*", name) is not None and not Path(name).exists()


def _adapt(model: object, settings: Mapping[str, Any]) -> Generator:
    """A generator as it is, a model of a framework behind its adapter.

    Raises:
        ConfigurationError: something else.
    """
    if _is_generator(model):
        return cast(Generator, model)
    adapter = adapter_of(model)
    if adapter is None:
        raise ConfigurationError(
            f"a model must be the name of a local one, a chat model of LangChain or LlamaIndex, or a generator, got {shown(model):.80}; "
            "give a chat model itself, without bind, with_retry and the like"
        )
    generator = adapter(model, **settings)
    if not _is_generator(generator):
        raise ConfigurationError(
            f"the adapter {adapter!r:.80} gave {shown(generator):.80}, which is no generator: it needs name and open"
        )
    return cast(Generator, generator)


def _is_generator(model: object) -> bool:
    return isinstance(getattr(model, "name", None), str) and hasattr(model, "open")


def load_generator(
    name: str,
    notify: Callable[[str], None] = lambda message: None,
    instruction: str | None = None,
    base_url: str | None = None,
) -> Generator:
    """A model by its name: one of a provider, such as "openai:gpt-5-mini", or a local one.

    Args:
        name: as of `generators`.
        notify: is called with a message when loading takes long.
        instruction: of a local model, put after every question.
        base_url: where a provider's model is served, by default where its package says.

    Raises:
        ConfigurationError: a provider's model that cannot be made, or one with an instruction; an address of a local model.
        MissingExtraError: the package of a provider, or of local models, is not installed.
        UnknownModelError: no local model of that name.
    """
    if is_hosted(name):
        if instruction is not None:
            raise ConfigurationError(f"{name} is a provider's model, which takes no instruction; say it in the question")
        where = {} if base_url is None else {"base_url": base_url}
        return _adapt(provider_of(name)(name, None, **where), {"name": name})
    if base_url is not None:
        raise ConfigurationError(
            f"{name} is a local model, which is served nowhere; an address is of one such as 'openai:{name}'"
        )
    from uniscale_integrations.models.catalog import load_model

    return load_model(name, notify=notify, instruction=instruction)


@runtime_checkable
class HasDefaultShapes(Protocol):
    """A generator that says which searches suit it, for who names no space."""

    @property
    def shapes(self) -> tuple[tuple[int, int, int], ...]:
        """`(QP, CP, BS)` of each."""
        ...


def default_space(models: Mapping[str, Generator], verifier: Verifier | None = None) -> ConfigurationSpace:
    """Every model with the searches that suit it, each search once.

    Args:
        models: by name.
        verifier: what scores the answers.
    """
    spaces = [
        ConfigurationSpace.default([name], model.shapes if isinstance(model, HasDefaultShapes) else DEFAULT_SHAPES)
        for name, model in models.items()
    ]
    arms = duplicate_arms(models, verifier)
    return ConfigurationSpace(arms.canonical(configuration) for space in spaces for configuration in space)


def duplicate_arms(models: Mapping[str, Generator], verifier: Verifier | None, *, whole: bool = False) -> DuplicateArms:
    """Which configurations run the same search, as far as it is known of the models what they can do.

    Args:
        models: by name.
        verifier: what scores the answers.
        whole: of requests whose answers cannot be cut into steps, whatever chat models can do.
    """
    names = frozenset(name for name, model in learners(models).items() if whole or model.continues is False)
    return DuplicateArms(names, compares=verifier is not None and not verifier.path_local)


def suiting(models: Iterable[Generator]) -> str:
    """The name of the verifier that suits generators: what the first one that says so says of itself."""
    return next((str(model.suits) for model in models if isinstance(model, HasDefaultVerifier)), "auto")
