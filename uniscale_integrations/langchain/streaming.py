"""An answer as LangChain streams it: pieces as they come, and a last chunk with usage and metadata."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from uniscale_integrations.adapters.service import Call, Chunks
from uniscale_integrations.adapters.stamp import KEY
from uniscale_integrations.langchain.messages import FORM, chunk_of, message_of, metadata_of, not_text, provider_id
from uniscale_integrations.langchain.usage import usage_of
from uniscale_integrations.search.answer import Answer


class MessageChunks(Chunks[ChatGenerationChunk]):
    """One stream of LangChain. What the inner model itself streams is shown as it is; its last chunk also says what the search took.

    Args:
        call: that is answered.
    """

    native_type = AIMessageChunk

    def __init__(self, call: Call) -> None:
        super().__init__()
        self._conversation = call.conversation
        self._any_native, self._has_usage = False, False
        self._pending: AIMessageChunk | None = None
        self._metadata: set[str] = set()

    def shows_steps(self, payload: object) -> bool:
        """Content blocks, such as reasoning, stand between the texts of steps, and calls of tools are no text."""
        if not isinstance(payload, AIMessage):
            return True
        return isinstance(payload.content, str) and not (payload.tool_calls or payload.invalid_tool_calls)

    def text(self, text: str) -> Iterator[ChatGenerationChunk]:
        """A chunk of that content."""
        yield _generation(AIMessageChunk(content=text))

    def native(self, piece: AIMessageChunk) -> Iterator[ChatGenerationChunk]:
        """The chunk of the inner model; one that is the last, or empty and so may be, is held until the next comes, or the answer ends."""
        self._any_native = True
        self._has_usage = self._has_usage or piece.usage_metadata is not None
        self._metadata.update(piece.response_metadata)
        if self._pending is not None:
            yield _generation(self._pending)
        chunk = piece.model_copy(update={"id": provider_id(piece), "chunk_position": None})
        empty = not (chunk.content or chunk.tool_call_chunks or chunk.additional_kwargs)
        held = empty or piece.chunk_position == "last"
        self._pending = chunk if held else None
        if not held:
            yield _generation(chunk)

    def last(self, answer: Answer) -> Iterator[ChatGenerationChunk]:
        """The rest of the answer, and a chunk that closes the stream."""
        if self._any_native:
            yield _generation(self._last_native(answer))
            return
        for chunk in self._rest(answer):
            yield _generation(chunk)
        yield _generation(
            AIMessageChunk(
                content="", usage_metadata=usage_of(answer), response_metadata=metadata_of(answer), chunk_position="last"
            )
        )

    def _last_native(self, answer: Answer) -> AIMessageChunk:
        """The last chunk of the inner model, with what the others have not said of the answer."""
        chunk = self._pending or AIMessageChunk(content="")
        more = {name: value for name, value in metadata_of(answer).items() if name not in self._metadata}
        update: dict[str, Any] = {"response_metadata": {**chunk.response_metadata, **more}, "chunk_position": "last"}
        if not self._has_usage:
            update["usage_metadata"] = usage_of(answer)
        return chunk.model_copy(update=update)

    def _rest(self, answer: Answer) -> Iterator[AIMessageChunk]:
        """What is not shown yet of an answer, of which only the text of steps was."""
        message = message_of(answer, self._conversation)
        if not self.emitted:
            yield chunk_of(message)
            return
        if message.tool_calls:
            return
        text = str(message.text)
        if remainder := self.remainder(text):
            yield AIMessageChunk(content=remainder)
        # Steps are text; what else the inner model's message holds, such as its reasoning, has not been shown either.
        if text.startswith(self.emitted) and (more := not_text(message)):
            yield more


def _generation(chunk: AIMessageChunk) -> ChatGenerationChunk:
    info = {name: value for name, value in chunk.response_metadata.items() if name not in (KEY, *FORM)}
    return ChatGenerationChunk(message=chunk, generation_info=info or None)
