"""An answer as LlamaIndex streams it: the message so far and what is new of it; the last one is whole and says what it cost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, TextBlock

from uniscale_integrations.adapters.stopping import Until
from uniscale_integrations.adapters.stream import Native, pieces_of
from uniscale_integrations.llama_index.messages import THINKING, response_of, thought_in
from uniscale_integrations.llama_index.quiet import isolated
from uniscale_integrations.llama_index.usage import COUNTS
from uniscale_integrations.search.conversation import Conversation
from uniscale_integrations.search.run import Answer


async def responses_of(
    asked: Conversation, answered: Callable[..., Coroutine[Any, Any, Answer]]
) -> AsyncIterator[tuple[ChatResponse, Answer | None]]:
    """The responses of a stream, the last one with the answer; leaving off early cancels the search.

    Args:
        asked: what is asked.
        answered: makes the answer; takes `observe` and `emit` as `UniScale.arun` does.
    """
    told, native, until = "", False, Until(asked.stop)
    async for piece in pieces_of(asked, answered, isolated(), ChatResponse):
        if isinstance(piece, Answer):
            whole = response_of(piece, asked)
            said = whole.message.content or ""
            # What an inner model streams may be spaced otherwise than its message. But a search that a budget ended may fall back on a path
            # that nothing had been shown of.
            other = "" if native else f"\n\n{said}"
            rest = said[len(told) :] if said.startswith(told) else other
            beside = whole.additional_kwargs
            if not native and (thinking := thought_in(piece)):
                # Which path wins, and so whose thinking it is, is known at the end.
                beside = {**beside, THINKING: thinking}
            yield whole.model_copy(update={"delta": rest, "additional_kwargs": beside}), piece
            return
        if isinstance(piece, Native):
            native = True
            response = _shown(piece.piece, told, until) if asked.stop else _bare(piece.piece)
            told += response.delta or ""
        else:
            told += piece
            response = ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=told), delta=piece)
        yield response, None


def _bare(response: ChatResponse) -> ChatResponse:
    """A response of the inner model without what it cost, which is said once, of the whole."""
    rest = {name: value for name, value in response.additional_kwargs.items() if name not in COUNTS}
    return response.model_copy(update={"additional_kwargs": rest})


def _shown(response: ChatResponse, told: str, until: Until) -> ChatResponse:
    """A response up to what ends the answer, which not every model is told of."""
    bare = _bare(response)
    delta = until(bare.delta or "")
    if delta == (bare.delta or "") or not all(isinstance(block, TextBlock) for block in bare.message.blocks):
        return bare
    message = bare.message.model_copy(update={"blocks": [TextBlock(text=told + delta)]})
    return bare.model_copy(update={"message": message, "delta": delta})
