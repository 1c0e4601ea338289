"""Where requests go is read off the clients of the frameworks as they are set up, environment included."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import FakeListChatModel
from langchain_ollama import ChatOllama
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from llama_index.llms.openai import OpenAI
from llama_index.llms.openai_like import OpenAILike
from pydantic import SecretStr

from uniscale_integrations.cost.price_list import Endpoint
from uniscale_integrations.langchain.client import LangChainClient
from uniscale_integrations.llama_index.client import LlamaIndexClient

KEY = SecretStr("test")


@pytest.mark.parametrize(
    ("model", "endpoint"),
    [
        (lambda: ChatOpenAI(model="gpt-4o", api_key=KEY), Endpoint("gpt-4o", "https://api.openai.com/v1/", "openai")),
        (
            lambda: ChatOpenAI(model="gpt-4o", api_key=KEY, name="mine"),
            Endpoint("gpt-4o", "https://api.openai.com/v1/", "openai"),
        ),
        (
            lambda: ChatOpenAI(model="gpt-4o", api_key=KEY, base_url="http://localhost:8000/v1"),
            Endpoint("gpt-4o", "http://localhost:8000/v1/", "openai"),
        ),
        (
            lambda: AzureChatOpenAI(
                azure_endpoint="https://my.openai.azure.com", azure_deployment="gpt-4o", api_version="2024-10-21", api_key=KEY
            ),
            Endpoint("gpt-4o", "https://my.openai.azure.com/openai/deployments/gpt-4o/", "openai"),
        ),
        (
            lambda: ChatAnthropic(model_name="claude-sonnet-4-5", api_key=KEY, timeout=None, stop=None),
            Endpoint("claude-sonnet-4-5", "https://api.anthropic.com", "anthropic"),
        ),
        (lambda: ChatOllama(model="llama3.1:8b"), None),
        (lambda: FakeListChatModel(responses=["4"], name="gpt-4o"), None),
    ],
)
def test_langchain(model: Any, endpoint: Endpoint | None) -> None:
    assert LangChainClient(model()).endpoint == endpoint


def test_llama_index() -> None:
    assert LlamaIndexClient(OpenAI(model="gpt-4o", api_key="test")).endpoint == Endpoint(
        "gpt-4o", "https://api.openai.com/v1", "openai"
    )
    local = OpenAILike(model="gpt-4o", api_base="http://localhost:8000/v1", api_key="test")
    assert LlamaIndexClient(local).endpoint == Endpoint("gpt-4o", "http://localhost:8000/v1", "openai")


def test_an_address_in_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://gateway.internal/v1")
    endpoint = LangChainClient(ChatOpenAI(model="gpt-4o", api_key=KEY)).endpoint
    assert endpoint is not None
    assert endpoint.url.startswith("http://gateway.internal")
