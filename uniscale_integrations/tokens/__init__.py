"""Tokens of texts and conversations for hosted models, counted before a call and without the network."""

from __future__ import annotations

from uniscale_integrations.tokens.conversation import count_conversation
from uniscale_integrations.tokens.text import count_tokens, token_ids
from uniscale_integrations.tokens.vocabulary import VOCABULARIES, Vocabularies, vocabulary_of

__all__ = ["VOCABULARIES", "Vocabularies", "count_conversation", "count_tokens", "token_ids", "vocabulary_of"]
