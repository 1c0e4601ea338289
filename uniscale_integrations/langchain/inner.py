"""The inner models of LangChain behind an engine, and what they have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.caches import BaseCache
from langchain_core.language_models import BaseChatModel

from uniscale_integrations.engine import UniScale
from uniscale_integrations.langchain.client import LangChainClient
from uniscale_integrations.langchain.offers import Tool


def inner_models(engine: UniScale) -> dict[str, BaseChatModel]:
    """The inner models that are of LangChain, by name."""
    return {name: client.model for name, client in _clients(engine).items()}


def common_profile(engine: UniScale) -> dict[str, Any] | None:
    """What all inner models can do; `None` where one of them has no profile."""
    profiles = [dict(client.model.profile or {}) for client in _clients(engine).values()]
    if len(profiles) < len(engine.models) or not all(profiles):
        return None
    return in_common(profiles)


def common_streaming_and_cache(engine: UniScale) -> tuple[bool, BaseCache | bool | None]:
    """Whether all inner models stream when they are invoked, and the cache that all of them use."""
    clients = list(_clients(engine).values())
    if not clients or len(clients) < len(engine.models):
        return False, None
    cache = clients[0].cache
    same = all(client.cache is cache for client in clients)
    return all(getattr(client.model, "streaming", False) for client in clients), cache if same else None


def cache_keys(engine: UniScale) -> list[str]:
    """What tells the answers of an engine's models from those of others, by which caches keep them: their settings, and where they are."""
    keys = []
    for name, model in sorted(engine.models.items()):
        client = getattr(model, "client", None)
        own = client.model._get_llm_string() if isinstance(client, LangChainClient) else getattr(client, "address", "")
        keys.append(f"{name}: {own}")
    return keys


def check_tools(engine: UniScale, tools: Sequence[Tool], settings: Mapping[str, Any]) -> None:
    """Have inner models refuse now the tools that they would refuse at every call; one that takes them is enough.

    Raises:
        NotImplementedError: none of them knows tools.
        Exception: what the first one raises, where all refuse.
    """
    models = [model for model in inner_models(engine).values() if type(model).bind_tools is not BaseChatModel.bind_tools]
    if not models and len(_clients(engine)) == len(engine.models):
        # As each of them does.
        raise NotImplementedError(f"none of {', '.join(engine.models)} takes tools")
    errors: list[Exception] = []
    for model in models:
        try:
            model.bind_tools(tools, **settings)
        except Exception as error:
            # Whatever it is, it would have come of the model alone as well.
            errors.append(error)
    if models and len(errors) == len(models):
        raise errors[0]


def in_common(profiles: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What several profiles have in common: capabilities that all have, and the smallest of all limits.

    Example:
        >>> in_common([{"tool_calling": True, "max_input_tokens": 8000}, {"tool_calling": False, "max_input_tokens": 4000}])
        {'tool_calling': False, 'max_input_tokens': 4000}
    """
    common: dict[str, Any] = {}
    for name in (name for name in profiles[0] if all(name in profile for profile in profiles)):
        values = [profile[name] for profile in profiles]
        if all(isinstance(value, bool) for value in values):
            common[name] = all(values)
        elif all(isinstance(value, (int, float)) for value in values):
            common[name] = min(values)
        elif all(value == values[0] for value in values):
            common[name] = values[0]
    return common


def _clients(engine: UniScale) -> dict[str, LangChainClient]:
    clients = {name: getattr(model, "client", None) for name, model in engine.models.items()}
    return {name: client for name, client in clients.items() if isinstance(client, LangChainClient)}
