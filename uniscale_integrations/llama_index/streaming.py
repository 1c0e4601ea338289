"""An answer as LlamaIndex streams it: the message so far and what is new of it; the last one says what it cost.

What an inner LLM streams is shown as it is, piece by piece; which of them is the last one is known when there is no other, and then it is
told on that one, whoever holds it by now.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole

from uniscale_integrations.adapters.stream import Native, pieces_of
from uniscale_integrations.llama_index.messages import THINKING, response_of, thought_in
from uniscale_integrations.llama_index.quiet import isolated
from uniscale_integrations.search.conversation import Conversation
from uniscale_integrations.search.run import Answer


async def responses_of(
    asked: Conversation, answered: Callable[..., Coroutine[Any, Any, Answer]]
) -> AsyncIterator[tuple[ChatResponse | None, Answer | None]]:
    """The responses of a stream, and the answer beside the last one, or after it; leaving off early cancels the search.

    Args:
        asked: what is asked.
        answered: makes the answer; takes `observe`, `emit` and `has_output` as `UniScale.arun` does.
    """
    told, last, native = "", None, False
    async for piece in pieces_of(asked, answered, isolated(), ChatResponse):
        if isinstance(piece, Answer):
            whole = response_of(piece, asked)
            if native:
                if last is not None:
                    last.additional_kwargs.update(whole.additional_kwargs)
                    last.message.additional_kwargs.update(whole.message.additional_kwargs)
                yield None, piece
                return
            said = whole.message.content or ""
            # A search that a budget ended may fall back on a path that nothing had been shown of.
            rest = said[len(told) :] if said.startswith(told) else f"\n\n{said}"
            beside = whole.additional_kwargs
            if thinking := thought_in(piece):
                # Which path wins, and so whose thinking it is, is known at the end.
                beside = {**beside, THINKING: thinking}
            yield whole.model_copy(update={"delta": rest, "additional_kwargs": beside}), piece
            return
        if isinstance(piece, Native):
            native, last = True, _own(piece.piece)
            yield last, None
        else:
            told += piece
            yield ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=told), delta=piece), None


def _own(response: ChatResponse) -> ChatResponse:
    """A response of the inner model as one that may be written on."""
    message = response.message.model_copy(update={"additional_kwargs": dict(response.message.additional_kwargs)})
    return response.model_copy(update={"message": message, "additional_kwargs": dict(response.additional_kwargs)})
