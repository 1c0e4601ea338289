"""Asking an LLM of LlamaIndex by the methods that its caller's own call would have come to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, MessageRole
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM

from uniscale_integrations.concurrency.caller import blocking
from uniscale_integrations.concurrency.threads import iterate_in_thread
from uniscale_integrations.llama_index.offers import Offer
from uniscale_integrations.llama_index.prediction import Prediction

Item = TypeVar("Item")


class Prompt(list[ChatMessage]):
    """What `complete` was given, as messages for models that know nothing else.

    Args:
        text: the prompt.
        formatted: whether it has the form that the LLM expects already.
    """

    def __init__(self, text: str, formatted: bool = False) -> None:
        super().__init__([ChatMessage(role=MessageRole.USER, content=text)])
        self.text, self.formatted = text, formatted

    def render(self, llm: LLM) -> str:
        """The text that an LLM is to complete."""
        return self.text if self.formatted or llm.completion_to_prompt is None else llm.completion_to_prompt(self.text)


@dataclass(frozen=True, slots=True)
class LLMCall:
    """One call of an LLM.

    Attributes:
        llm: the LLM.
        messages: for `chat`, or a prompt for `complete`.
        options: of the method.
        synchronous: whether who asks does not await; then the LLM's synchronous methods are used, with the client that it has for those.
        offer: tools that the LLM is handed by a method of its own for chats with tools.
        prediction: an object that it predicts by a method of its own.
    """

    llm: LLM
    messages: list[ChatMessage] | Prompt
    options: Mapping[str, Any]
    synchronous: bool
    offer: Offer | None = None
    prediction: Prediction | None = None

    async def reply(self) -> ChatResponse:
        """The response; of a completion as if it were one of a chat."""
        llm, options = self.llm, self.options
        if (prediction := self.prediction) is not None:
            if self.synchronous:
                return prediction.response(await blocking(lambda: prediction.ask(llm, "structured_predict")))
            return prediction.response(await prediction.ask(llm, "astructured_predict"))
        if isinstance(self.messages, Prompt):
            text, formatted = self.messages.text, self.messages.formatted
            if self._is_blocking("acomplete"):
                return chat_of(await blocking(lambda: llm.complete(text, formatted=formatted, **options)))
            return chat_of(await llm.acomplete(text, formatted=formatted, **options))
        messages = list(self.messages)
        if self.offer is not None:
            tools, arguments = self.offer.tools, {"chat_history": messages, **self.offer.arguments, **options}
            if self._blocks("chat_with_tools"):
                return await blocking(lambda: _method(llm, "chat_with_tools")(tools, **arguments))
            response: ChatResponse = await _method(llm, "achat_with_tools")(tools, **arguments)
            return response
        if self._completes_chats("acomplete", "achat", "chat"):
            return chat_of(await llm.acomplete(_render(llm, messages), formatted=True, **options), within_message=True)
        if self._is_blocking("achat"):
            return await blocking(lambda: llm.chat(messages, **options))
        return await llm.achat(messages, **options)

    async def pieces(self) -> AsyncGenerator[ChatResponse, None]:
        """The responses of a stream; of completions as if they were of a chat."""
        llm, options = self.llm, self.options
        if (prediction := self.prediction) is not None:
            if self.synchronous:
                objects = iterate_in_thread(_iterating(lambda: prediction.ask(llm, "stream_structured_predict")))
            else:
                objects = await prediction.ask(llm, "astream_structured_predict")
            async for predicted in objects:
                yield prediction.response(predicted)
            return
        if isinstance(self.messages, Prompt):
            text, formatted = self.messages.text, self.messages.formatted
            if self._is_blocking("astream_complete"):
                async for piece in iterate_in_thread(
                    _iterating(lambda: llm.stream_complete(text, formatted=formatted, **options))
                ):
                    yield chat_of(piece)
            else:
                async for piece in await llm.astream_complete(text, formatted=formatted, **options):
                    yield chat_of(piece)
            return
        messages = list(self.messages)
        if self.offer is not None:
            tools, arguments = self.offer.tools, {"chat_history": messages, **self.offer.arguments, **options}
            if self._blocks("stream_chat_with_tools"):
                async for response in iterate_in_thread(
                    lambda: _finished(_method(llm, "stream_chat_with_tools")(tools, **arguments))
                ):
                    yield response
            else:
                async for response in await _method(llm, "astream_chat_with_tools")(tools, **arguments):
                    yield finished(response)
            return
        if self._completes_chats("astream_complete", "astream_chat", "stream_chat"):
            async for piece in await llm.astream_complete(_render(llm, messages), formatted=True, **options):
                yield chat_of(piece, within_message=True)
        elif self._is_blocking("astream_chat"):
            async for response in iterate_in_thread(lambda: _finished(llm.stream_chat(messages, **options))):
                yield response
        else:
            async for response in await llm.astream_chat(messages, **options):
                yield finished(response)

    def _blocks(self, method: str) -> bool:
        """Whether an LLM's synchronous method for chats with tools is used: by those who do not await, or where it has no other."""
        return hasattr(self.llm, method) and (self.synchronous or not hasattr(self.llm, f"a{method}"))

    def _is_blocking(self, method: str) -> bool:
        """Whether an LLM is asked synchronously, where the event loop does not wait for it."""
        return self.synchronous or not _defines(self.llm, method)

    def _completes_chats(self, completing: str, chatting: str, synchronous: str) -> bool:
        """Whether a `CustomLLM` chats by completing, and has a method of its own for that."""
        llm = self.llm
        if self.synchronous or not isinstance(llm, CustomLLM) or llm.messages_to_prompt is None:
            return False
        return _defines(llm, completing) and not _defines(llm, chatting) and not _defines(llm, synchronous)


class Completions:
    """The responses of a stream as completions; the last one is completed at the end of the stream."""

    def __init__(self) -> None:
        self._last: tuple[ChatResponse, CompletionResponse] | None = None

    def of(self, response: ChatResponse) -> CompletionResponse:
        """The completion of a response."""
        completion = completion_of(response)
        self._last = response, completion
        return completion

    def end(self) -> None:
        """Copy to the last completion what was written on its response since."""
        if self._last is not None:
            response, completion = self._last
            whole = completion_of(response)
            completion.additional_kwargs.update(whole.additional_kwargs)
            completion.raw, completion.logprobs = whole.raw, whole.logprobs


def hands_over_tools(llm: LLM, *, streaming: bool) -> bool:
    """Whether an LLM has a method of its own for chats with tools, which does more than prepare the call of `chat`."""
    names = ("stream_chat_with_tools", "astream_chat_with_tools") if streaming else ("chat_with_tools", "achat_with_tools")
    defaults = [getattr(FunctionCallingLLM, name) for name in names]
    return any(getattr(type(llm), name, default) is not default for name, default in zip(names, defaults, strict=True))


def _method(llm: LLM, name: str) -> Callable[..., Any]:
    method: Callable[..., Any] = getattr(llm, name)
    return method


def chat_of(completion: CompletionResponse, *, within_message: bool = False) -> ChatResponse:
    """A completion as the response of a chat, which loses nothing of it.

    Args:
        completion: what was completed.
        within_message: whether what it says beside its text goes to the message, as where LlamaIndex chats by completing.
    """
    additional = completion.additional_kwargs
    message = ChatMessage(
        role=MessageRole.ASSISTANT, content=completion.text, additional_kwargs=additional if within_message else {}
    )
    response = ChatResponse(message=message, raw=completion.raw, delta=completion.delta, logprobs=completion.logprobs)
    return response if within_message else response.model_copy(update={"additional_kwargs": additional})


def completion_of(response: ChatResponse) -> CompletionResponse:
    """The response of a chat as a completion."""
    additional = {**response.message.additional_kwargs, **response.additional_kwargs}
    text = response.message.content or ""
    return CompletionResponse(
        text=text, raw=response.raw, delta=response.delta, logprobs=response.logprobs, additional_kwargs=additional
    )


def _defines(llm: LLM, method: str) -> bool:
    """Whether an LLM's class has a method of its own; that of `CustomLLM` is the synchronous one, for which all others would wait."""
    return next(kind for kind in type(llm).__mro__ if method in vars(kind)) is not CustomLLM


def _render(llm: LLM, messages: list[ChatMessage]) -> str:
    assert llm.messages_to_prompt is not None
    return llm.messages_to_prompt(messages)


def finished(piece: ChatResponse) -> ChatResponse:
    """A piece that stays as it is: some clients go on to fill in the calls of the one before, while its reader is not there yet."""
    return piece.model_copy(deep=True) if piece.message.additional_kwargs.get("tool_calls") else piece


def _finished(stream: Iterable[ChatResponse]) -> Iterator[ChatResponse]:
    """The pieces of a stream, each as it was when it came, for who reads them on another thread."""
    pieces = iter(stream)
    try:
        yield from map(finished, pieces)
    finally:
        if close := getattr(pieces, "close", None):
            close()


def _iterating(stream: Callable[[], Iterable[Item]]) -> Callable[[], Iterator[Item]]:
    """What makes an iterator of a stream, which may be any iterable."""
    return lambda: iter(stream())
