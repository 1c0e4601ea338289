"""The LLMs of LlamaIndex that are compared, each over a provider in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from llama_index.core.llms.llm import LLM
from llama_index.llms.openai import OpenAI, OpenAIResponses
from llama_index.llms.openai_like import OpenAILike

from tests.parity.comparison import Settings
from tests.parity.providers import openai
from tests.parity.providers.openai_chat import ChatCompletions
from tests.parity.providers.wire import Provider, Wire


@dataclass(frozen=True)
class Client:
    """A kind of LLM.

    Attributes:
        make: its class.
        provider: what a wire leads to.
        settings: that are always given, the model's name among them.
    """

    make: Callable[..., LLM]
    provider: Provider
    settings: Settings

    def over(self, wire: Wire, **settings: Any) -> LLM:
        """An LLM over a wire, with further settings."""
        clients: dict[str, Any] = {"http_client": wire.client(), "async_http_client": wire.async_client()}
        return self.make(api_key="test", max_retries=0, **{**clients, **self.settings, **settings})


_LIKE = {"model": "qwen3-8b", "api_base": "http://server/v1", "context_window": 8000}

CLIENTS: Mapping[str, Client] = {
    "openai": Client(OpenAI, openai.OpenAI(), {"model": "gpt-4.1-mini"}),
    "reasoning": Client(OpenAI, openai.OpenAI(), {"model": "gpt-5-mini"}),
    "responses": Client(OpenAIResponses, openai.OpenAI(), {"model": "gpt-4.1-mini"}),
    "thinking": Client(
        OpenAIResponses, openai.OpenAI(), {"model": "gpt-5-mini", "reasoning_options": {"effort": "low", "summary": "auto"}}
    ),
    "like": Client(
        OpenAILike, ChatCompletions(official=False), _LIKE | {"is_chat_model": True, "is_function_calling_model": True}
    ),
    "completion": Client(OpenAILike, ChatCompletions(official=False), _LIKE | {"is_chat_model": False}),
}
"""By name: OpenAI with a usual and a reasoning model, both also on the Responses API, and a server for open models, chat or not."""

CHAT = ("openai", "reasoning", "responses", "thinking", "like")

RESPONSES = ("responses", "thinking")
