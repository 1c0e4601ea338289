"""Chat models behind an interface: any client that sends messages becomes a generator of steps."""

from __future__ import annotations

from uniscale_integrations.models.chat.client import Asked, ChatClient, Continuation, Reply
from uniscale_integrations.models.chat.model import ChatStepModel

__all__ = ["Asked", "ChatClient", "ChatStepModel", "Continuation", "Reply"]
