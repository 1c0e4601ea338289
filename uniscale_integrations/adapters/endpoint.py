"""Where a framework's model sends its requests: the address of its client, or else the provider whose package its class is of."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from uniscale_integrations.cost.price_list import Endpoint

PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "langchain_anthropic": "anthropic",
        "langchain_aws": "aws",
        "langchain_cerebras": "cerebras",
        "langchain_cohere": "cohere",
        "langchain_deepseek": "deepseek",
        "langchain_fireworks": "fireworks",
        "langchain_google_genai": "google",
        "langchain_google_vertexai": "google",
        "langchain_groq": "groq",
        "langchain_mistralai": "mistral",
        "langchain_openai": "openai",
        "langchain_openrouter": "openrouter",
        "langchain_perplexity": "perplexity",
        "langchain_together": "together",
        "langchain_xai": "x-ai",
        "llama_index.llms.anthropic": "anthropic",
        "llama_index.llms.azure_openai": "azure",
        "llama_index.llms.bedrock": "aws",
        "llama_index.llms.bedrock_converse": "aws",
        "llama_index.llms.cohere": "cohere",
        "llama_index.llms.deepseek": "deepseek",
        "llama_index.llms.fireworks": "fireworks",
        "llama_index.llms.gemini": "google",
        "llama_index.llms.google_genai": "google",
        "llama_index.llms.groq": "groq",
        "llama_index.llms.mistralai": "mistral",
        "llama_index.llms.openai": "openai",
        "llama_index.llms.openrouter": "openrouter",
        "llama_index.llms.perplexity": "perplexity",
        "llama_index.llms.together": "together",
        "llama_index.llms.vertex": "google",
    }
)
"""Providers, as genai-prices calls them, by the package of a model's class. Those of local servers, such as Ollama, are not among them."""

URL_FIELDS = (
    "azure_endpoint", "anthropic_api_url", "openai_api_base", "api_base", "endpoint_url", "groq_api_base", "base_url", "endpoint",
)  # fmt: skip
"""The fields in which models say where their requests go."""

CLIENTS = ("root_client", "_client")
"""The attributes in which they keep their provider's client, which knows what its environment says too."""


def endpoint_of(model: object, model_id: str) -> Endpoint | None:
    """Where a model's requests go; `None` where nothing tells.

    Args:
        model: of a framework.
        model_id: what it is called where it is served.
    """
    url = _client_url(model) or _field_url(model)
    provider = next((PACKAGES[name] for kind in type(model).__mro__ if (name := _package(kind)) in PACKAGES), "")
    return Endpoint(model_id, url, provider) if url or provider else None


def _package(kind: type) -> str:
    """The package of a class: one of LangChain's, or of LlamaIndex's namespace."""
    parts = kind.__module__.split(".")
    return ".".join(parts[:3]) if parts[0] == "llama_index" else parts[0]


def _client_url(model: object) -> str:
    """The address of a provider's client that is there already; those that are made at the first request are not made for this."""
    fields: Mapping[str, Any] = {**getattr(model, "__dict__", {}), **(getattr(model, "__pydantic_private__", None) or {})}
    urls = (getattr(fields.get(name), "base_url", None) for name in CLIENTS)
    return next((str(url) for url in urls if url), "")


def _field_url(model: object) -> str:
    fields = getattr(model, "__dict__", {})
    return next((str(url) for name in URL_FIELDS if (url := fields.get(name))), "")
