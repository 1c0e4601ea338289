"""Models by the name of their provider, such as "openai:gpt-5-mini", through LangChain, which is imported when one is used."""

from __future__ import annotations

import os
from typing import Any

from uniscale_integrations.errors import ConfigurationError, MissingExtraError

NO_KEY = "EMPTY"
"""What is sent as a key where none is asked for."""


def chat_model(name: str, api_key: object = None, base_url: str | None = None) -> object:
    """The chat model of LangChain by that name.

    Args:
        name: with its provider, as `init_chat_model` takes it.
        api_key: by default what the provider's package finds in the environment.
        base_url: where the model is served, by default where the provider's package says.

    Raises:
        MissingExtraError: LangChain, or the package of the provider, is not installed.
        ConfigurationError: no such provider, or no key.
    """
    try:
        from langchain.chat_models import init_chat_model
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"the model {name!r}", "langchain", "langchain") from error
    settings: dict[str, Any] = {} if api_key is None else {"api_key": api_key}
    if base_url is not None:
        settings["base_url"] = base_url
        if name.startswith("openai:") and "OPENAI_API_KEY" not in os.environ:
            # A server of one's own asks for none, but its client does.
            settings.setdefault("api_key", NO_KEY)
    try:
        return init_chat_model(name, **settings)
    except ImportError as error:
        provider = name.partition(":")[0].replace("_", "-")
        raise MissingExtraError(f"the model {name!r}", "langchain", f"langchain-{provider}") from error
    except Exception as error:
        # An unknown provider, a missing key: clients say it in many ways.
        raise ConfigurationError(f"the model {name} cannot be reached: {error}") from error
