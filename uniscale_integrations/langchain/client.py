"""A LangChain chat model as the client of a `ChatStepModel`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from weakref import WeakKeyDictionary

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    message_chunk_to_message,
)
from langchain_core.messages.tool import tool_call
from langchain_core.runnables import Runnable, RunnableBinding

from uniscale_integrations.adapters.drawing import FIELDS, Drawing
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import GenerationError
from uniscale_integrations.langchain.messages import chunk_of, text_of
from uniscale_integrations.models.chat.client import CONTINUE, CUT_SHORT, Asked, Continuation, Reply, mean_log_probability
from uniscale_integrations.models.chat.model import abilities_of
from uniscale_integrations.search.conversation import Conversation, Turn

COMMON = ("tools", "tool_choice", "response_format")
"""Options that mean the same whichever framework a conversation comes from."""

STOPS = ("stop", "stop_sequences")
"""The names of the field of texts that end an answer."""

Asking = Runnable[Any, Any]


class LangChainClient:
    """Sends requests to a chat model of LangChain, which stays as it is.

    Args:
        model: the chat model.
    """

    def __init__(self, model: BaseChatModel) -> None:
        self.name = _name(model)
        fields = type(model).model_fields
        self._drawing = Drawing(model, fields)
        own = next((name for name in STOPS if name in fields), None)
        self.stop = tuple(getattr(model, own, None) or ()) if own else ()
        # The same request is sent several times on purpose; a cache would answer each alike. Texts that end an answer are said with each
        # request, and some models take them there or here but not both.
        self.model = model.model_copy(update={"cache": False} | ({own: None} if self.stop and own else {}))
        self._bound: WeakKeyDictionary[Conversation, tuple[Asking, Mapping[str, Any]]] = WeakKeyDictionary()

    @property
    def abilities(self) -> frozenset[str]:
        """What the model's profile says; everything where it has none, since the model will say itself what it cannot do."""
        profile = getattr(self.model, "profile", None)
        return abilities_of(profile) if profile else frozenset(("tools", "structure", "images"))

    @property
    def continuations(self) -> Sequence[Continuation]:
        """Servers that take parameters of their own are told to continue; others are shown the partial answer as the last message."""
        return (Continuation.FLAG, Continuation.PREFILL) if hasattr(self.model, "extra_body") else (Continuation.PREFILL,)

    async def complete(self, asked: Asked) -> Reply:
        """Get one reply.

        Raises:
            GenerationError: the model gave something that is no message.
            Exception: what the model raised.
        """
        model, messages, options = self._model(asked), self._messages(asked), self._options(asked)
        if asked.emit is None:
            message = await model.ainvoke(messages, **options)
        else:
            message = await self._streamed(model, messages, options, asked)
        if not isinstance(message, AIMessage):
            raise GenerationError(f"{self.name} gave {message!r:.80}, which is no message of an assistant")
        known = mean_log_probability(message.response_metadata.get("logprobs"))
        return Reply(text_of(message), _ended(message), _usage(message), known, message)

    async def _streamed(self, model: Asking, messages: list[BaseMessage], options: Mapping[str, Any], asked: Asked) -> object:
        whole: AIMessageChunk | None = None
        async for chunk in model.astream(messages, **options):
            if isinstance(chunk, AIMessage):
                # A model that does not stream gives its whole message.
                piece = chunk if isinstance(chunk, AIMessageChunk) else _whole_chunk(chunk)
                whole = piece if whole is None else whole + piece
                assert asked.emit is not None
                asked.emit(piece)
        return None if whole is None else message_chunk_to_message(whole)

    def _model(self, asked: Asked) -> Asking:
        """The model as this request wants it."""
        bound, settings = self._binding(asked.conversation)
        drawn = self._drawing.of(asked, settings)
        if not drawn:
            return bound
        drawing = self.model.model_copy(update=drawn)
        if bound is self.model:
            return drawing
        if isinstance(bound, RunnableBinding) and bound.bound is self.model:
            return bound.model_copy(update={"bound": drawing})
        return bound.bind(**drawn)

    def _binding(self, conversation: Conversation) -> tuple[Asking, Mapping[str, Any]]:
        """The model with the call's tools and options bound, once for all candidates, and what the call says about drawing."""
        found = self._bound.get(conversation)
        if found is None:
            options = dict(conversation.options)
            if _native(conversation.messages) is None:
                # What another framework says beyond what all mean alike, means nothing here.
                options = {name: options[name] for name in (*COMMON, *FIELDS) if name in options}
            settings = {name: options.pop(name) for name in FIELDS if name in options}
            tools, model = options.pop("tools", None), cast(Asking, self.model)
            if tools:
                binding = {name: options.pop(name) for name in ("tool_choice", "strict", "parallel_tool_calls") if name in options}
                model = self.model.bind_tools(tools, **binding)
            found = self._bound[conversation] = (model.bind(**options) if options else model, settings)
        return found

    def _messages(self, asked: Asked) -> list[BaseMessage]:
        found = _native(asked.conversation.messages)
        if found is None:
            if "images" in asked.conversation.needs:
                raise GenerationError(f"{self.name} is a model of LangChain and cannot be shown what another framework's messages hold")
            found = [_message(turn) for turn in asked.conversation.turns]
        return [*found, AIMessage(asked.prefix)] if asked.prefix else found

    def _options(self, asked: Asked) -> dict[str, Any]:
        """What is said beside the messages."""
        options: dict[str, Any] = {"stop": list(asked.stop)} if asked.stop else {}
        if asked.emit is not None and getattr(self.model, "stream_usage", False) is None and not self.model.disable_streaming:
            # Left to itself it tells what a streamed answer took only where it speaks to OpenAI directly.
            options["stream_usage"] = True
        if asked.prefix and asked.continuation is Continuation.FLAG:
            options["extra_body"] = {**(getattr(self.model, "extra_body", None) or {}), **CONTINUE}
        return options


def _whole_chunk(message: AIMessage) -> AIMessageChunk:
    told = {"usage_metadata": message.usage_metadata, "response_metadata": message.response_metadata}
    return chunk_of(message).model_copy(update=told)


def _name(model: BaseChatModel) -> str:
    for field in ("name", "model_name", "model", "model_id", "deployment_name"):
        value = getattr(model, field, None)
        if isinstance(value, str) and value:
            return value
    return str(model._llm_type)


def _native(messages: object) -> list[BaseMessage] | None:
    """Messages of LangChain; `None` for those of another framework, or none."""
    return list(messages) if isinstance(messages, list) and all(isinstance(each, BaseMessage) for each in messages) else None


def _message(turn: Turn) -> BaseMessage:
    if turn.role == "assistant":
        calls = [tool_call(name=call.name, args=dict(call.arguments), id=call.id) for call in turn.calls]
        return AIMessage(turn.text, tool_calls=calls)
    if turn.role == "tool":
        return ToolMessage(turn.text, tool_call_id=turn.call_id)
    return SystemMessage(turn.text) if turn.role == "system" else HumanMessage(turn.text)


def _ended(message: AIMessage) -> bool:
    told = message.response_metadata
    return not any(told.get(field) in CUT_SHORT for field in ("finish_reason", "stop_reason", "done_reason", "status"))


def _usage(message: AIMessage) -> Usage:
    told = message.usage_metadata
    if told is None:
        return NOTHING
    return Usage(prompt_tokens=float(told["input_tokens"]), completion_tokens=float(told["output_tokens"]))
