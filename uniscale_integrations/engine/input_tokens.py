"""Input tokens of a request, counted before it is decided."""

from __future__ import annotations

from uniscale_integrations.search.conversation import Conversation


def count_tokens(conversation: Conversation) -> float:
    return 4.0 + sum(4.0 + len(turn.text) / 4.0 for turn in conversation.turns)
