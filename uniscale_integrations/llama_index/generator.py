"""An LLM of LlamaIndex as one of the models that an engine chooses from."""

from __future__ import annotations

from typing import Any

from llama_index.core.llms.llm import LLM

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.llama_index.client import LlamaIndexClient
from uniscale_integrations.llama_index.llm import UniScaleLLM
from uniscale_integrations.models.chat.model import ChatStepModel


def as_generator(model: LLM, **settings: Any) -> ChatStepModel:
    """An LLM of LlamaIndex as a generator.

    Args:
        model: the LLM.
        settings: of the `ChatStepModel` around it.

    Raises:
        ConfigurationError: a `UniScaleLLM` inside itself.
    """
    if isinstance(model, UniScaleLLM):
        raise ConfigurationError("a UniScaleLLM cannot be one of the models that another one chooses from; give it those models")
    return ChatStepModel(LlamaIndexClient(model), **settings)
