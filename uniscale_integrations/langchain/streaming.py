"""An answer as LangChain streams it: pieces while it is made, and a last one that says what it cost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

from langchain_core.messages import AIMessageChunk

from uniscale_integrations.adapters.stopping import Until
from uniscale_integrations.adapters.stream import Native, pieces_of
from uniscale_integrations.langchain.isolation import isolated
from uniscale_integrations.langchain.messages import chunk_of, form_of, message_of, metadata_of, not_text, shortened
from uniscale_integrations.langchain.usage import usage_of
from uniscale_integrations.search.conversation import Conversation
from uniscale_integrations.search.run import Answer


async def chunks_of(asked: Conversation, answered: Callable[..., Coroutine[Any, Any, Answer]]) -> AsyncIterator[AIMessageChunk]:
    """The chunks of an answer; leaving off early cancels the search.

    Args:
        asked: what is asked.
        answered: makes the answer; takes `observe` and `emit` as `UniScale.arun` does.
    """
    told, native, until = "", False, Until(asked.stop)
    async for piece in pieces_of(asked, answered, isolated(), AIMessageChunk):
        if isinstance(piece, Answer):
            for rest in _rest(piece, asked, told, native):
                yield rest
            yield AIMessageChunk(content="", usage_metadata=usage_of(piece), response_metadata=metadata_of(piece), chunk_position="last")
            return
        if isinstance(piece, Native):
            chunk = _bare(piece.piece)
            if not (chunk.content or chunk.tool_call_chunks or chunk.additional_kwargs):
                continue
            native = True
        else:
            # Not every model is told of what ends an answer.
            chunk = AIMessageChunk(content=until(piece))
        told += str(chunk.text)
        yield chunk


def _bare(chunk: AIMessageChunk) -> AIMessageChunk:
    """A chunk of the inner model without what it cost and how it came about, which is said once, of the whole."""
    return chunk.model_copy(update={"id": None, "usage_metadata": None, "response_metadata": form_of(chunk), "chunk_position": None})


def _rest(answer: Answer, asked: Conversation, told: str, native: bool) -> Iterator[AIMessageChunk]:
    """What has not been told of an answer yet; `native` is whether the inner model's own pieces were."""
    message = message_of(answer, shortened(answer, asked.stop), asked)
    if not told and not native:
        yield chunk_of(message)
        return
    if message.tool_calls:
        return
    said = str(message.text)
    if said.startswith(told):
        if len(said) > len(told):
            yield AIMessageChunk(content=said[len(told) :])
        # Steps are text; what else the inner model's message holds, such as its reasoning, has not been shown either.
        if not native and (more := not_text(message)):
            yield more
    elif not native:
        # A search that a budget ended may fall back on a path that nothing had been shown of.
        yield AIMessageChunk(content=f"\n\n{said}")
