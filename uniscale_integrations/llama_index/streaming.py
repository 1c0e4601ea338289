"""An answer as LlamaIndex streams it: the message so far and its new part; the last response holds usage and decision.

What an inner LLM streams is shown as it is, piece by piece. Which response is the last is known when there is no other; usage and decision
are then written on that one, whoever holds it by now.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, TextBlock

from uniscale_integrations.adapters.service import Call, Chunks
from uniscale_integrations.llama_index.messages import THINKING, response_of, thinking_of
from uniscale_integrations.search.answer import Answer


class ResponseChunk(NamedTuple):
    """A response of a stream, the answer, or both.

    Attributes:
        response: to show.
        answer: once it is there: beside the last response, or after it.
    """

    response: ChatResponse | None
    answer: Answer | None = None


class ResponseChunks(Chunks[ResponseChunk]):
    """One stream of LlamaIndex.

    Args:
        call: that is answered.
    """

    native_type = ChatResponse

    def __init__(self, call: Call) -> None:
        super().__init__()
        self._conversation = call.conversation
        self._native: ChatResponse | None = None
        self._shown: ChatResponse | None = None

    def text(self, text: str) -> Iterator[ResponseChunk]:
        """The text so far, of which this is new."""
        message = ChatMessage(role=MessageRole.ASSISTANT, content=self.emitted)
        self._shown = ChatResponse(message=message, delta=text)
        yield ResponseChunk(self._shown)

    def native(self, piece: ChatResponse) -> Iterator[ResponseChunk]:
        """The response of the inner LLM."""
        self._native = _copy(piece)
        yield ResponseChunk(self._native)

    def last(self, answer: Answer) -> Iterator[ResponseChunk]:
        """The rest of the answer, and the answer itself."""
        response = response_of(answer, self._conversation)
        if self._native is not None:
            self._native.additional_kwargs.update(response.additional_kwargs)
            self._native.message.additional_kwargs.update(response.message.additional_kwargs)
            yield ResponseChunk(None, answer)
            return
        additional = response.additional_kwargs
        if thinking := thinking_of(answer):
            # Which path wins, and so whose thinking it is, is known at the end.
            additional = {**additional, THINKING: thinking}
        delta = self.remainder(response.message.content or "")
        text_alone = not thinking and all(isinstance(block, TextBlock) for block in response.message.blocks)
        if self._shown is not None and not delta and text_alone and self._shown.message.content == response.message.content:
            # All is shown already, and nothing but what belongs to it is still to be told; what else was said comes as a piece of its own,
            # for whoever looks at pieces does so as they come.
            self._shown.message, self._shown.raw, self._shown.logprobs = response.message, response.raw, response.logprobs
            self._shown.additional_kwargs.update(additional)
            yield ResponseChunk(None, answer)
            return
        yield ResponseChunk(response.model_copy(update={"delta": delta, "additional_kwargs": additional}), answer)


def _copy(response: ChatResponse) -> ChatResponse:
    """A response of the inner model as one that may be written on."""
    message = response.message.model_copy(update={"additional_kwargs": dict(response.message.additional_kwargs)})
    return response.model_copy(update={"message": message, "additional_kwargs": dict(response.additional_kwargs)})
