"""The models that an engine chooses from, and the searches and the verifier that suit them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from uniscale_integrations.cost.price import HasPrice, Price
from uniscale_integrations.errors import ConfigurationError, MissingExtraError
from uniscale_integrations.search.ports import Generator
from uniscale_integrations.space import DEFAULT_SHAPES, ConfigurationSpace

ADAPTERS = {
    ("langchain_core.language_models.chat_models", "BaseChatModel"): "uniscale_integrations.langchain.chat_model",
    ("llama_index.core.base.llms.base", "BaseLLM"): "uniscale_integrations.llama_index.llm",
}
"""By module and name of what all models of a framework are: the module whose `as_generator` adapts them."""


@runtime_checkable
class SuitsVerifier(Protocol):
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
        price: in USD per 1M input and output tokens, of a model of a framework.
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
    price: tuple[float, float] | None = None
    parameters: float | None = None
    successor_of: str | None = None

    def __post_init__(self) -> None:
        if self.parameters is not None and not 0.0 < self.parameters < float("inf"):
            raise ConfigurationError(f"parameters must be a finite number above 0, got {self.parameters!r}")

    @property
    def called(self) -> str:
        """What it is called in configurations."""
        if self.name is not None:
            return self.name
        return self.model if isinstance(self.model, str) else _adapted(self.model, {}).name


def loaded(models: Sequence[object] | None, prices: Mapping[str, tuple[float, float]] | None = None) -> dict[str, Generator]:
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
        raise ConfigurationError(f"an engine needs at least one model, in a list, got {models!r}")
    prices = {each.called: each.price for each in models if isinstance(each, Model) and each.price is not None} | dict(
        prices or {}
    )
    found: dict[str, Generator] = {}
    for model in generators([_named(each) if isinstance(each, Model) else each for each in models], prices):
        generator = load_generator(model) if isinstance(model, str) else model
        if generator.name in found:
            raise ConfigurationError(f"two models are named {generator.name!r}; give each its own name")
        found[generator.name] = generator
    return found


def _named(model: Model) -> object:
    """What is in it, as it is to be called."""
    if model.name is None:
        return model.model
    generator: Any = copy(load_generator(model.model) if isinstance(model.model, str) else _adapted(model.model, {}))
    generator.name = model.name
    return generator


def generators(
    models: Sequence[object],
    prices: Mapping[str, tuple[float, float]] | None = None,
    api_key: object = None,
    **settings: Any,
) -> list[Generator | str]:
    """The models as generators, names of local models as they are.

    A name such as "openai:gpt-5-mini" is one of a provider, whose chat model LangChain makes.

    Those of a framework that have the same name, one model with several settings, are told apart by a number.

    Args:
        models: generators, names, or models of a framework.
        prices: of models of a framework by name, dollars per million tokens read and sampled.
        api_key: of models that are named with their provider; by default what the provider's package finds in the environment.
        settings: of the `ChatStepModel` around each of a framework.

    Raises:
        ConfigurationError: something else, or a price of a model that is not there or has none.
        MissingExtraError: the package of a named provider is not installed.
    """
    if isinstance(models, str):
        raise ConfigurationError(f"models must be a list, got the text {models!r}; give [{models!r}]")
    seen: Counter[str] = Counter()
    made: list[Generator | str] = []
    for model in models:
        if isinstance(model, str) and is_hosted(model):
            made.append(_adapted(_hosted(model, api_key), {"name": model, **settings}))
            continue
        generator = model if isinstance(model, str) else _adapted(model, settings)
        if not isinstance(generator, str) and generator is not model:
            seen[generator.name] += 1
            if seen[generator.name] > 1:
                cast(Any, generator).name = f"{generator.name}#{seen[generator.name]}"
        made.append(generator)
    for name, price in (prices or {}).items():
        _set_price(made, name, Price.of(price))
    return made


def _set_price(made: list[Generator | str], name: str, price: Price) -> None:
    """Put a copy with that price in the place of the model of a name; the one that was given stays as it is.

    Raises:
        ConfigurationError: no such model, or one that has no price.
    """
    names = [model if isinstance(model, str) else model.name for model in made]
    # One of a provider may be called without it too.
    called = (place for place, each in enumerate(names) if is_hosted(each) and each.endswith(f":{name}"))
    place = names.index(name) if name in names else next(called, None)
    if place is None:
        raise ConfigurationError(f"there is a price of {name!r}, but the models are {', '.join(names)}")
    priced = copy(made[place])
    if not isinstance(priced, HasPrice):
        raise ConfigurationError(
            f"there is a price of {name!r}, which counts its own cost in eFLOPs; prices are of models of LangChain or LlamaIndex"
        )
    priced.set_price(price)
    made[place] = cast(Generator, priced)


def is_hosted(name: str) -> bool:
    """Whether a name is that of a provider's model, with the provider before a colon.

    Example:
        >>> is_hosted("openai:gpt-5-mini"), is_hosted("uniscale-1m"), is_hosted("models/llama:8b.gguf")
        (True, False, False)
    """
    return re.fullmatch(r"[a-z][a-z0-9_-]+:[^/\\].*", name) is not None and not Path(name).exists()


def _hosted(name: str, api_key: object) -> object:
    """The chat model of LangChain by that name.

    Raises:
        MissingExtraError: LangChain, or the package of the provider, is not installed.
        ConfigurationError: no such provider.
    """
    try:
        from langchain.chat_models import init_chat_model
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"the model {name!r}", "langchain", "langchain") from error
    try:
        settings: dict[str, Any] = {} if api_key is None else {"api_key": api_key}
        return init_chat_model(name, **settings)
    except ImportError as error:
        provider = name.partition(":")[0].replace("_", "-")
        raise MissingExtraError(f"the model {name!r}", "langchain", f"langchain-{provider}") from error
    except Exception as error:
        # A provider that there is not, a missing key: clients say it in many ways.
        raise ConfigurationError(f"the model {name} cannot be reached: {error}") from error


def _adapted(model: object, settings: Mapping[str, Any]) -> Generator:
    """A generator as it is, a model of a framework behind a client.

    Raises:
        ConfigurationError: something else.
    """
    # By their names, so that no framework is imported before one of its models is there.
    kinds = ((kind.__module__, kind.__name__) for kind in type(model).__mro__)
    adapter = next((ADAPTERS[kind] for kind in kinds if kind in ADAPTERS), None)
    if adapter is not None:
        return cast(Generator, import_module(adapter).as_generator(model, **settings))
    if not (isinstance(getattr(model, "name", None), str) and hasattr(model, "open")):
        raise ConfigurationError(
            f"a model must be the name of a local one, a chat model of LangChain or LlamaIndex, or a generator, got {model!r:.80}; "
            "give a chat model itself, without bind, with_retry and the like"
        )
    return cast(Generator, model)


def load_generator(name: str, notify: Callable[[str], None] = lambda message: None, instruction: str | None = None) -> Generator:
    """A model by its name: one of a provider, such as "openai:gpt-5-mini", or a local one.

    Args:
        name: as of `generators`.
        notify: told what takes long.
        instruction: of a local model, put after every question.

    Raises:
        ConfigurationError: a provider's model that cannot be made, or one with an instruction.
        MissingExtraError: the package of a provider, or of local models, is not installed.
        UnknownModelError: no local model of that name.
    """
    if is_hosted(name):
        if instruction is not None:
            raise ConfigurationError(f"{name} is a provider's model, which takes no instruction; say it in the question")
        return _adapted(_hosted(name, None), {"name": name})
    from uniscale_integrations.models.catalog import load_model

    return load_model(name, notify=notify, instruction=instruction)


@runtime_checkable
class SuitsShapes(Protocol):
    """A generator that says which searches suit it, for who names no space."""

    @property
    def shapes(self) -> tuple[tuple[int, int, int], ...]:
        """`(QP, CP, BS)` of each."""
        ...


def default_space(models: Mapping[str, Generator]) -> ConfigurationSpace:
    """Every model with the searches that suit it."""
    spaces = [
        ConfigurationSpace.default([name], model.shapes if isinstance(model, SuitsShapes) else DEFAULT_SHAPES)
        for name, model in models.items()
    ]
    return ConfigurationSpace(configuration for space in spaces for configuration in space)


def suiting(models: Iterable[Generator]) -> str:
    """The name of the verifier that suits generators: what the first one that says so says of itself."""
    return next((str(model.suits) for model in models if isinstance(model, SuitsVerifier)), "auto")
