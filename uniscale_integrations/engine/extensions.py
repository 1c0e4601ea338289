"""Models of other frameworks and providers, which packages register by entry points.

Group `uniscale_integrations.adapters`: the name is the dotted path of the class that all models of a framework inherit, the value a
function `as_generator(model, **settings)` that makes a `Generator` of one. Settings are those of a `ChatStepModel`.

Group `uniscale_integrations.providers`: the name is what stands before the colon in "provider:model", the value a function
`chat_model(name, api_key)` that makes a model of the whole name, from which an adapter makes a generator. Other providers are LangChain's.

Nothing is imported before one of its models is used. An entry point that cannot be read or loaded is ignored, with a logged warning that
names it and its package.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint, distributions
from types import MappingProxyType
from typing import Any

ADAPTERS = "uniscale_integrations.adapters"
PROVIDERS = "uniscale_integrations.providers"

DEFAULT_PROVIDER = "langchain"
"""The name of the entry point for providers that nobody registers."""

BUILT_IN = (
    EntryPoint(
        "langchain_core.language_models.chat_models.BaseChatModel",
        "uniscale_integrations.langchain.generator:as_generator",
        ADAPTERS,
    ),
    EntryPoint("llama_index.core.base.llms.base.BaseLLM", "uniscale_integrations.llama_index.generator:as_generator", ADAPTERS),
    EntryPoint(DEFAULT_PROVIDER, "uniscale_integrations.adapters.hosted:chat_model", PROVIDERS),
)
"""The package's own, which do not depend on how it was installed."""

_log = logging.getLogger(__name__)


def adapter_of(model: object) -> Callable[..., object] | None:
    """What makes a generator of a framework's model; `None` where no adapter knows its class."""
    adapters = _entry_points(ADAPTERS, tuple(sys.path))
    for kind in type(model).__mro__:
        entry = adapters.get(f"{kind.__module__}.{kind.__qualname__}")
        if entry is not None and (adapter := _load(entry)) is not None:
            return adapter
    return None


def provider_of(name: str) -> Callable[..., object]:
    """What makes a model of a name such as "openai:gpt-5-mini"."""
    providers = _entry_points(PROVIDERS, tuple(sys.path))
    entry = providers.get(name.partition(":")[0])
    provider = None if entry is None else _load(entry)
    if provider is None:
        provider = providers[DEFAULT_PROVIDER].load()
    return provider


@lru_cache(maxsize=8)
def _entry_points(group: str, path: tuple[str, ...]) -> Mapping[str, EntryPoint]:
    """The entry points of a group by name, the built-in ones first; packages are looked for again when `sys.path` has changed."""
    entries = {entry.name: entry for entry in BUILT_IN if entry.group == group}
    for distribution in distributions():
        for entry in _of_distribution(distribution, group):
            present = entries.setdefault(entry.name, entry)
            if present.value != entry.value and not _is_own(distribution):
                _log.warning(
                    "the entry point %r of %s is ignored: %s has registered %r already",
                    entry.name,
                    _name(distribution),
                    present.value,
                    entry.name,
                )
    return MappingProxyType(entries)


def _of_distribution(distribution: Distribution, group: str) -> list[EntryPoint]:
    try:
        return list(distribution.entry_points.select(group=group))
    except Exception as error:
        # Whatever a package has written there, it must not keep others from being used.
        _log.warning("the entry points of %s cannot be read, and are ignored: %r", _name(distribution), error)
        return []


def _load(entry: EntryPoint) -> Callable[..., Any] | None:
    if entry in BUILT_IN:
        # Its errors say what to install.
        return entry.load()  # type: ignore[no-any-return]
    try:
        target = entry.load()
    except Exception as error:
        # A package that fails at import may raise anything.
        _log.warning("the entry point %s = %s of %s cannot be loaded: %r", entry.name, entry.value, _package(entry), error)
        return None
    if not callable(target):
        _log.warning("the entry point %s = %s of %s is no function, but %r", entry.name, entry.value, _package(entry), target)
        return None
    return target  # type: ignore[no-any-return]


def _package(entry: EntryPoint) -> str:
    distribution = entry.dist
    return "an unknown package" if distribution is None else _name(distribution)


def _name(distribution: Distribution) -> str:
    return str(distribution.metadata["Name"] or distribution)


def _is_own(distribution: Distribution) -> bool:
    return _name(distribution).replace("_", "-").lower() == "uniscale-integrations"
