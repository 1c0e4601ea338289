"""A LangChain chat model as the client of a `ChatStepModel`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, message_chunk_to_message
from langchain_core.runnables import Runnable

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import GenerationError
from uniscale_integrations.langchain.messages import chunk_of, text_of
from uniscale_integrations.models.chat.client import Asked, Continuation, Reply
from uniscale_integrations.models.chat.model import abilities_of
from uniscale_integrations.search.conversation import Conversation, Turn

CUT_SHORT = ("length", "max_tokens", "max_output_tokens", "MAX_TOKENS", "incomplete")
"""What providers give as the reason where a reply ran out of tokens."""

SETTINGS = ("max_tokens", "temperature", "top_p")
"""What a request says about drawing, where the model has a field for it."""

CONTINUE = {"continue_final_message": True, "add_generation_prompt": False}
"""What tells an OpenAI-compatible server to go on with the last message."""

Asking = Runnable[Any, Any]


class LangChainClient:
    """Sends requests to a chat model of LangChain, which stays as it is.

    Args:
        model: the chat model.
    """

    def __init__(self, model: BaseChatModel) -> None:
        # The same request is sent several times on purpose; a cache would answer each alike.
        self.model = model.model_copy(update={"cache": False})
        self.name = _name(model)
        self._bound: WeakKeyDictionary[Conversation, Asking] = WeakKeyDictionary()

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
        model, messages, options = self._model(asked.conversation), self._messages(asked), self._options(asked)
        if asked.emit is None:
            message = await model.ainvoke(messages, **options)
        else:
            message = await self._streamed(model, messages, options, asked)
        if not isinstance(message, AIMessage):
            raise GenerationError(f"{self.name} gave {message!r:.80}, which is no message of an assistant")
        return Reply(text_of(message), _ended(message), _usage(message), _log_probability(message), message)

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

    def _model(self, conversation: Conversation) -> Asking:
        """The model with the call's tools bound, once for all candidates."""
        found = self._bound.get(conversation)
        if found is None:
            options = dict(conversation.options)
            tools = options.pop("tools", None)
            found = self.model
            if tools:
                binding = {name: options.pop(name) for name in ("tool_choice", "strict", "parallel_tool_calls") if name in options}
                found = self.model.bind_tools(tools, **binding)
            options = {name: value for name, value in options.items() if name not in SETTINGS or hasattr(self.model, name)}
            if options:
                found = found.bind(**options)
            self._bound[conversation] = found
        return found

    def _messages(self, asked: Asked) -> list[BaseMessage]:
        messages = asked.conversation.messages
        found = list(messages) if isinstance(messages, list) else [_message(turn) for turn in asked.conversation.turns]
        return [*found, AIMessage(asked.prefix)] if asked.prefix else found

    def _options(self, asked: Asked) -> dict[str, Any]:
        """Settings of this request, of those that the model knows."""
        options: dict[str, Any] = {"stop": list(asked.stop)} if asked.stop else {}
        for name in (*SETTINGS, "seed"):
            value = getattr(asked, name)
            given = asked.conversation.options.get(name)
            if name == "max_tokens" and value is not None and given is not None:
                options[name] = min(value, given)
            if value is None or given is not None or not hasattr(self.model, name):
                continue
            if name != "temperature" or getattr(self.model, name) == 0:
                # How a model draws is its owner's to say, unless it draws the same every time and candidates are to differ.
                options[name] = value
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


def _message(turn: Turn) -> BaseMessage:
    made: dict[str, type[BaseMessage]] = {"system": SystemMessage, "assistant": AIMessage}
    return made.get(turn.role, HumanMessage)(content=turn.text)


def _ended(message: AIMessage) -> bool:
    told = message.response_metadata
    return not any(told.get(field) in CUT_SHORT for field in ("finish_reason", "stop_reason", "done_reason", "status"))


def _usage(message: AIMessage) -> Usage:
    told = message.usage_metadata
    if told is None:
        return NOTHING
    return Usage(prompt_tokens=float(told["input_tokens"]), completion_tokens=float(told["output_tokens"]))


def _log_probability(message: AIMessage) -> float | None:
    told = message.response_metadata.get("logprobs")
    tokens = told.get("content") if isinstance(told, Mapping) else None
    values = [token["logprob"] for token in tokens or () if isinstance(token, Mapping) and "logprob" in token]
    return sum(values) / len(values) if values else None
