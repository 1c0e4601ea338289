"""An answer as LangChain streams it: pieces while it is made, and a last one that says what it cost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk

from uniscale_integrations.adapters.stopping import Until
from uniscale_integrations.adapters.stream import Native, pieces_of
from uniscale_integrations.langchain.isolation import isolated
from uniscale_integrations.langchain.messages import chunk_of, message_of, metadata_of, not_text, own_id, shortened
from uniscale_integrations.langchain.usage import usage_of
from uniscale_integrations.search.conversation import Conversation
from uniscale_integrations.search.run import Answer


async def chunks_of(asked: Conversation, answered: Callable[..., Coroutine[Any, Any, Answer]]) -> AsyncIterator[AIMessageChunk]:
    """The chunks of an answer; leaving off early cancels the search.

    Args:
        asked: what is asked.
        answered: makes the answer; takes `observe`, `emit` and `has_output` as `UniScale.arun` does.
    """
    told, own, until = "", OwnChunks(), Until(asked.stop)
    async for piece in pieces_of(asked, answered, isolated(), AIMessageChunk, _text_alone):
        if isinstance(piece, Answer):
            if own.any:
                yield own.last(piece)
                return
            for rest in _rest(piece, asked, told):
                yield rest
            yield AIMessageChunk(
                content="", usage_metadata=usage_of(piece), response_metadata=metadata_of(piece), chunk_position="last"
            )
            return
        if isinstance(piece, Native):
            for chunk in own.shown(piece.piece):
                yield chunk
        else:
            # Not every model is told of what ends an answer.
            chunk = AIMessageChunk(content=until(piece))
            told += str(chunk.text)
            yield chunk


class OwnChunks:
    """The chunks that the inner model itself streams, as they are; how the answer came about is said on the last of them.

    Attributes:
        any: whether there were any.
    """

    def __init__(self) -> None:
        self.any = False
        self._held: AIMessageChunk | None = None
        self._counted = False
        self._metadata: set[str] = set()

    def shown(self, chunk: AIMessageChunk) -> Iterator[AIMessageChunk]:
        """What is to be shown once a chunk has come. One that says nothing waits for the next, since it may be the last."""
        self.any = True
        self._counted = self._counted or chunk.usage_metadata is not None
        self._metadata.update(chunk.response_metadata)
        if self._held is not None:
            yield self._held
        chunk = chunk.model_copy(update={"id": own_id(chunk), "chunk_position": None})
        says_nothing = not (chunk.content or chunk.tool_call_chunks or chunk.additional_kwargs)
        self._held = chunk if says_nothing else None
        if not says_nothing:
            yield chunk

    def last(self, answer: Answer) -> AIMessageChunk:
        """The last chunk, with what the others have not said of the answer."""
        chunk = self._held or AIMessageChunk(content="")
        more = {name: value for name, value in metadata_of(answer).items() if name not in self._metadata}
        told: dict[str, Any] = {"response_metadata": {**chunk.response_metadata, **more}, "chunk_position": "last"}
        if not self._counted:
            told["usage_metadata"] = usage_of(answer)
        return chunk.model_copy(update=told)


def _text_alone(payload: object) -> bool:
    return not isinstance(payload, AIMessage) or isinstance(payload.content, str)


def _rest(answer: Answer, asked: Conversation, told: str) -> Iterator[AIMessageChunk]:
    """What has not been told of an answer yet, of which only the text of steps was."""
    message = message_of(answer, shortened(answer, asked.stop), asked)
    if not told:
        yield chunk_of(message)
        return
    if message.tool_calls:
        return
    said = str(message.text)
    if said.startswith(told):
        if len(said) > len(told):
            yield AIMessageChunk(content=said[len(told) :])
        # Steps are text; what else the inner model's message holds, such as its reasoning, has not been shown either.
        if more := not_text(message):
            yield more
    else:
        # A search that a budget ended may fall back on a path that nothing had been shown of.
        yield AIMessageChunk(content=f"\n\n{said}")
