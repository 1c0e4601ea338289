"""Chat models behind an interface: any client that sends messages becomes a generator of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uniscale_integrations.deprecation import former_names
from uniscale_integrations.models.chat.client import ChatClient, Completion, CompletionRequest, Continuation
from uniscale_integrations.models.chat.model import ChatStepModel

if TYPE_CHECKING:
    from uniscale_integrations.models.chat.server import ServerClient

__all__ = ["ChatClient", "ChatStepModel", "Completion", "CompletionRequest", "Continuation", "ServerClient"]

_former = former_names(__name__, {"Asked": "CompletionRequest", "Reply": "Completion"})


def __getattr__(name: str) -> object:
    # It needs httpx, which nothing else here does.
    if name != "ServerClient":
        return _former(name)
    try:
        from uniscale_integrations.models.chat.server import ServerClient
    except ModuleNotFoundError as error:
        from uniscale_integrations.errors import MissingExtraError

        raise MissingExtraError("ServerClient", "langchain") from error
    return ServerClient
