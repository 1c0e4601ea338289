"""Tokens of texts and conversations to the models behind an engine, which of them is to answer not being known yet."""

from __future__ import annotations

from uniscale_integrations.engine import UniScale
from uniscale_integrations.search.conversation import Conversation
from uniscale_integrations.tokens import count_conversation, count_tokens, token_ids, vocabulary_of


def text_tokens(engine: UniScale, text: str) -> int:
    """How many tokens a text is to the model to which it is most.

    Example:
        >>> text_tokens(UniScale(models=["uniscale-0.3m"]), "How many tokens are there in this sentence?")
        9
    """
    return max(round(count_tokens(text, model_id, wait=True)) for model_id in _model_ids(engine))


def text_token_ids(engine: UniScale, text: str) -> list[int]:
    """The ids of a text's tokens, by the vocabulary in which it has most."""
    return max((token_ids(text, model_id) for model_id in _model_ids(engine)), key=len)


def conversation_tokens(engine: UniScale, conversation: Conversation) -> int:
    """How many tokens a conversation is to the model to which it is most."""
    return max(round(count_conversation(conversation, model_id, wait=True)) for model_id in _model_ids(engine))


def _model_ids(engine: UniScale) -> list[str]:
    """A model of each vocabulary."""
    ids = [str(getattr(model, "model_id", name)) for name, model in engine.models.items()]
    return list({vocabulary_of(each): each for each in ids}.values())
