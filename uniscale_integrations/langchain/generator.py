"""A chat model of LangChain as one of the models that an engine chooses from."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.langchain.chat_model import UniScaleChatModel
from uniscale_integrations.langchain.client import LangChainClient
from uniscale_integrations.models.chat.model import ChatStepModel


def as_generator(model: BaseChatModel, **settings: Any) -> ChatStepModel:
    """A chat model of LangChain as a generator.

    Args:
        model: the model.
        settings: of the `ChatStepModel` around it.

    Raises:
        ConfigurationError: a chat model inside itself.
    """
    if isinstance(model, UniScaleChatModel):
        raise ConfigurationError(
            "a UniScaleChatModel cannot be one of the models that another one chooses from; give it those models"
        )
    return ChatStepModel(LangChainClient(model), **settings)
