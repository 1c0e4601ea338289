"""The models of LangChain that are compared, each over a provider in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from tests.parity.providers.anthropic_messages import Messages
from tests.parity.providers.ollama_chat import Chat
from tests.parity.providers.openai import OpenAI
from tests.parity.providers.openai_chat import ChatCompletions
from tests.parity.providers.wire import Loopback, Provider, Wire

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Client:
    """A kind of model.

    Attributes:
        make: a model over a wire, with settings.
        provider: what the wire leads to.
        model: the model's name.
        settings: that are always given.
    """

    make: Callable[[Wire, Loopback | None, str, Settings], BaseChatModel]
    provider: Provider
    model: str
    settings: Settings

    def over(self, wire: Wire, server: Loopback | None, **settings: Any) -> BaseChatModel:
        """A model.

        Args:
            wire: its connection.
            server: for clients that take no transport.
            settings: further ones.
        """
        return self.make(wire, server, self.model, {**self.settings, **settings})


def _openai(wire: Wire, server: Loopback | None, model: str, settings: Settings) -> BaseChatModel:
    clients: dict[str, Any] = {"http_client": wire.client(), "http_async_client": wire.async_client()}
    return ChatOpenAI(model=model, api_key=SecretStr("test"), max_retries=0, **clients, **settings)


def _anthropic(wire: Wire, server: Loopback | None, model: str, settings: Settings) -> BaseChatModel:
    assert server is not None
    to: dict[str, Any] = {"base_url": server.url, "default_headers": server.headers_for(wire)}
    return ChatAnthropic(model_name=model, api_key=SecretStr("test"), max_retries=0, **to, **settings)


def _ollama(wire: Wire, server: Loopback | None, model: str, settings: Settings) -> BaseChatModel:
    sync, asynchronous = {"transport": wire.transport()}, {"transport": wire.async_transport()}
    return ChatOllama(model=model, sync_client_kwargs=sync, async_client_kwargs=asynchronous, **settings)


CLIENTS: Mapping[str, Client] = {
    # `stream_usage` is what it is by default where no client is injected.
    "chat": Client(_openai, OpenAI(), "gpt-4.1-mini", {"stream_usage": True}),
    "reasoning": Client(_openai, OpenAI(), "gpt-5-mini", {"stream_usage": True}),
    "responses": Client(
        _openai,
        OpenAI(),
        "gpt-5-mini",
        {"use_responses_api": True, "reasoning": {"effort": "low", "summary": "auto"}, "output_version": "responses/v1"},
    ),
    "server": Client(_openai, ChatCompletions(official=False), "qwen3-8b", {"base_url": "http://server/v1"}),
    "anthropic": Client(_anthropic, Messages(), "claude-haiku-4-5", {}),
    "thinking": Client(
        _anthropic, Messages(), "claude-sonnet-4-6", {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2048}
    ),
    "ollama": Client(_ollama, Chat(), "qwen3:8b", {}),
}
"""By name: OpenAI's chat completions with a usual and a reasoning model, its Responses API, a server for open models, Anthropic, Ollama."""

OPENAI = ("chat", "reasoning", "responses")
COMPLETIONS = ("chat", "reasoning", "server")
ANTHROPIC = ("anthropic", "thinking")
