"""Chat models behind an interface: any client that sends messages becomes a generator of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uniscale_integrations.models.chat.client import ChatClient, Completion, CompletionRequest, Continuation
from uniscale_integrations.models.chat.model import ChatStepModel

if TYPE_CHECKING:
    from uniscale_integrations.models.chat.server import ServerClient

__all__ = ["ChatClient", "ChatStepModel", "Completion", "CompletionRequest", "Continuation", "ServerClient"]


def __getattr__(name: str) -> object:
    # It needs httpx, which nothing else here does.
    if name != "ServerClient":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from uniscale_integrations.models.chat.server import ServerClient
    except ModuleNotFoundError as error:
        from uniscale_integrations.errors import MissingExtraError

        raise MissingExtraError("ServerClient", "langchain") from error
    return ServerClient
