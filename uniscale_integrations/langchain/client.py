"""A LangChain chat model as the client of a `ChatStepModel`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakKeyDictionary

from langchain_core.globals import get_llm_cache
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    BaseMessageChunk,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    message_chunk_to_message,
)
from langchain_core.messages.tool import tool_call
from langchain_core.runnables import Runnable, RunnableBinding

from uniscale_integrations.adapters.endpoint import endpoint_of
from uniscale_integrations.adapters.sampling_params import FIELDS, SamplingParams
from uniscale_integrations.concurrency.caller import blocking
from uniscale_integrations.concurrency.threads import iterate_in_thread
from uniscale_integrations.cost.price_list import Endpoint
from uniscale_integrations.cost.usage import NOTHING, Usage, token_count
from uniscale_integrations.errors import GenerationError
from uniscale_integrations.langchain.messages import chunk_of, text_of
from uniscale_integrations.langchain.offers import FORM_OPTION, OfferedTools, StructuredOutput
from uniscale_integrations.models.chat.client import (
    CONTINUE,
    Completion,
    CompletionRequest,
    Continuation,
    InterruptedReply,
    incompleteness,
    mean_log_probability,
)
from uniscale_integrations.models.chat.known_models import cannot_continue
from uniscale_integrations.models.chat.model import PROFILE_FIELDS, profile_capabilities
from uniscale_integrations.models.chat.probe import TRANSPORT
from uniscale_integrations.redaction import secrets_of
from uniscale_integrations.search.conversation import Conversation, Turn

COMMON = ("tools", "tool_choice", "response_format", *TRANSPORT)
"""Options that mean the same whichever framework a conversation comes from."""

STOP_FIELDS = ("stop", "stop_sequences")
"""The names of the field of texts that end an answer."""

MODEL_FIELDS = ("model_name", "model", "model_id", "deployment_name")
"""The names of the field that says what a model is called where it is served."""

OUTPUT_VERSION = "output_version"
"""The field of every chat model that says which form the content of its messages has."""

STREAM_OPTIONS = "stream_options"
"""The option that says how a reply is streamed, which only a request for a stream may have."""

NOT_IN_RESPONSES = ("seed", "stop", "stream_usage")
"""Parameters of calls and of searches that OpenAI's Responses API does not accept; they are left out."""

Model = Runnable[Any, Any]


@dataclass(frozen=True, slots=True)
class _Binding:
    """A model with what a call binds to it.

    Attributes:
        base: the model as it is.
        model: with tools or a form bound as it binds them.
        settings: the call's sampling parameters, by the names in `FIELDS`.
        options: all others of the call.
        responses: whether it goes to OpenAI's Responses API.
        form: fields that say which form its messages have, where the call does.
        before: what the model itself puts before its requests for a form, such as a prompt.
    """

    base: BaseChatModel
    model: Model
    settings: Mapping[str, Any]
    options: Mapping[str, Any]
    responses: bool
    form: Mapping[str, Any]
    before: Model | None


class LangChainClient:
    """Sends requests to a chat model of LangChain, which stays as it is.

    What it sends is what the model itself would send for the call: tools and forms are bound by the model's own methods, and a caller who
    does not await is answered by its synchronous ones, over the HTTP client that it has for those. A search changes only what it must.

    Args:
        model: the chat model.

    Attributes:
        cache: that the model was set up with, which is for whoever asks, not for candidates.
    """

    loop_free = True
    """Who does not await is answered by synchronous methods alone."""

    def __init__(self, model: BaseChatModel) -> None:
        self.name = _name(model)
        fields = type(model).model_fields
        self._sampling = SamplingParams(model, fields)
        self._reads_options = _reads_options(model)
        stop_field = next((name for name in STOP_FIELDS if name in fields), None)
        stop = getattr(model, stop_field, None) if stop_field else None
        self.stop = (stop,) if isinstance(stop, str) else tuple(stop or ())
        self.cache, self._original = model.cache, model
        self._uncached = model if model.cache is False else model.model_copy(update={"cache": False})
        # Texts that end a step stand beside those that the model is set up with, and some models take them there or here but not both.
        self._by_step = self._uncached.model_copy(update={stop_field: None}) if self.stop and stop_field else None
        self._bindings: WeakKeyDictionary[Conversation, _Binding] = WeakKeyDictionary()

    @property
    def model(self) -> BaseChatModel:
        """The model itself, or a copy that no cache answers for: the same request is sent several times on purpose."""
        return self._uncached if self.cache is not None or get_llm_cache() is not None else self._original

    @property
    def context_window(self) -> int | None:
        """Most tokens that the model reads, as its profile says."""
        window: int | None = (getattr(self.model, "profile", None) or {}).get("max_input_tokens")
        return window

    @property
    def endpoint(self) -> Endpoint | None:
        """Where the model's requests go."""
        return endpoint_of(self.model, _name(self.model, MODEL_FIELDS))

    @property
    def capabilities(self) -> frozenset[str]:
        """What the model's profile says; everything where it has none, since the model will say itself what it cannot do."""
        profile = getattr(self.model, "profile", None)
        able = profile_capabilities(profile or {})
        if type(self._original).bind_tools is BaseChatModel.bind_tools:
            able -= {"tools"}
        return able | {"form"}

    @property
    def doubted_capabilities(self) -> frozenset[str]:
        """What the profile denies, which need not be true."""
        doubted = frozenset(PROFILE_FIELDS) - self.capabilities
        return doubted - {"tools"} if type(self._original).bind_tools is BaseChatModel.bind_tools else doubted

    @property
    def continuations(self) -> Sequence[Continuation]:
        """Servers that take parameters of their own are told to continue; others are shown the partial answer as the last message."""
        # OpenAI's Responses API takes neither parameters that it does not know nor texts that end a reply.
        if _uses_responses(self.model, self.model, {}) or cannot_continue(self.name, self._provider):
            return ()
        return (Continuation.FLAG, Continuation.PREFILL) if hasattr(self.model, "extra_body") else (Continuation.PREFILL,)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no error or log may quote."""
        return secrets_of(self.model)

    @property
    def address(self) -> str:
        """Where requests go, as far as the model tells; empty where it does not."""
        client = getattr(self.model, "root_client", None) or self.model
        for field in ("base_url", "openai_api_base", "anthropic_api_url", "endpoint_url"):
            if value := getattr(client, field, None):
                return str(value)
        return ""

    @property
    def _provider(self) -> str:
        """The address, unless an HTTP client of the caller's own may lead elsewhere."""
        own = any(getattr(self.model, field, None) is not None for field in ("http_client", "http_async_client"))
        return "" if own else self.address

    def repeats(self, options: Mapping[str, Any]) -> bool:
        """As of `TellsRepeats`."""
        return self._sampling.repeats(options)

    def limit(self, options: Mapping[str, Any]) -> int | None:
        """As of `LimitsReplies`."""
        return self._sampling.limit(options)

    def continues(self, conversation: Conversation) -> bool:
        """As of `ContinuesSome`: what a call says may lead it to OpenAI's Responses API, which continues nothing."""
        return not self._binding(conversation).responses

    async def complete(self, request: CompletionRequest) -> Completion:
        """Get one reply.

        Raises:
            GenerationError: the model gave something that is no message.
            InterruptedReply: its stream failed after some of it had come.
            Exception: what the model raised.
        """
        binding, messages = self._binding(request.conversation), self._messages(request)
        parameters = self._sampling.options(request, binding.settings, by_itself=self._reads_options)
        passed_on = _accepted(parameters, binding.responses)
        model, options = self._with_sampling(binding, request, passed_on), self._options(binding, request) | passed_on
        if binding.before is not None:
            model, options = binding.before | model.bind(**options), {}
        if request.emit is not None or request.conversation.streaming:
            message = await self._stream(model, messages, options, request)
        elif request.conversation.synchronous or not _has_native_async(self.model):
            message = await blocking(lambda: model.invoke(messages, **options))
        else:
            message = await model.ainvoke(messages, **options)
        message = _of_assistant(message)
        if not isinstance(message, AIMessage):
            raise GenerationError(f"{self.name} gave {message!r:.80}, which is no message of an assistant")
        log_probability = mean_log_probability(message.response_metadata.get("logprobs"))
        return Completion(text_of(message), _incompleteness(message), _usage(message), log_probability, message)

    async def _stream(
        self, model: Model, messages: list[BaseMessage], options: Mapping[str, Any], request: CompletionRequest
    ) -> object:
        """The message of a stream. Pieces that say nothing yet are shown with the first one that does, so that others may still answer."""
        whole: AIMessageChunk | None = None
        queue: list[AIMessageChunk] = []
        flowing = False
        try:
            async with aclosing(self._chunks(model, messages, options, request)) as chunks:
                async for piece in chunks:
                    whole = piece if whole is None else whole + piece
                    queue.append(piece)
                    flowing = flowing or _says_anything(piece)
                    if flowing:
                        _emit_all(request, queue)
        except Exception as error:
            if whole is None or not (text := text_of(whole)):
                raise
            raise InterruptedReply(error, text, _usage(whole)) from error
        _emit_all(request, queue)
        return None if whole is None else message_chunk_to_message(whole)

    async def _chunks(
        self, model: Model, messages: list[BaseMessage], options: Mapping[str, Any], request: CompletionRequest
    ) -> AsyncGenerator[AIMessageChunk, None]:
        """The pieces of a reply; a model that does not stream gives its whole message as one."""

        def pieces() -> Iterator[Any]:
            return model.stream(messages, **options)

        synchronous = request.conversation.synchronous or not _has_native_async(self.model, streaming=True)
        stream = iterate_in_thread(pieces) if synchronous else model.astream(messages, **options)
        async for said in stream:
            piece = _of_assistant(said)
            if isinstance(piece, AIMessage):
                yield piece if isinstance(piece, AIMessageChunk) else _whole_chunk(piece)

    def _with_sampling(self, binding: _Binding, request: CompletionRequest, passed_on: Collection[str]) -> Model:
        """The model with the sampling parameters of a request, without those that are passed on as options."""
        sampling = _accepted(self._sampling.of(request, binding.settings, passed_on), binding.responses)
        base = self._by_step if request.step and self._by_step is not None else binding.base
        fields = {**sampling, **binding.form}
        if fields:
            # What callbacks are told of a model is put together once and goes along with copies; it takes several times what a copy does.
            getattr(base, "_serialized", None)
        copy = base.model_copy(update=fields) if fields else base
        if copy is binding.base:
            return binding.model
        if binding.model is binding.base:
            return copy
        if isinstance(binding.model, RunnableBinding) and binding.model.bound is binding.base:
            return binding.model.model_copy(update={"bound": copy})
        return binding.model.bind(**sampling) if sampling else binding.model

    def _binding(self, conversation: Conversation) -> _Binding:
        """The model with the call's tools or form bound, once for all candidates, and the call's other options."""
        binding = self._bindings.get(conversation)
        if binding is None:
            binding = self._bindings[conversation] = self._bind(conversation)
        return binding

    def _bind(self, conversation: Conversation) -> _Binding:
        options = {name: value for name, value in conversation.options.items() if name != "model"}
        native, form = _native(conversation.messages) is not None, options.pop(FORM_OPTION, None)
        if not native:
            # Options of another framework, except those in common, mean nothing here.
            options = {name: options[name] for name in (*COMMON, *FIELDS) if name in options}
        settings = {name: options.pop(name) for name in FIELDS if name in options}
        version = {name: options.pop(name) for name in (OUTPUT_VERSION,) if name in options}
        base, tools = self.model, options.get("tools")
        model, before = cast(Model, base), None
        if isinstance(form, StructuredOutput):
            # The same form stands there in OpenAI's words, for models of other frameworks.
            options = {name: value for name, value in options.items() if name not in COMMON}
            before, model = form.request_chain(base)
        elif isinstance(tools, OfferedTools):
            del options["tools"]
            model = base.bind_tools(tools.tools, **{name: options.pop(name) for name in tools.settings if name in options})
        elif tools and not native:
            del options["tools"]
            model = base.bind_tools(tools, **{name: options.pop(name) for name in ("tool_choice",) if name in options})
        responses = _uses_responses(base, model, options)
        return _Binding(base, model, settings, _accepted(options, responses), responses, version, before)

    def _messages(self, request: CompletionRequest) -> list[BaseMessage]:
        messages = _native(request.conversation.messages)
        if messages is None:
            if "images" in request.conversation.required_capabilities:
                raise GenerationError(
                    f"{self.name} is a model of LangChain and cannot be shown what another framework's messages hold"
                )
            messages = [_message(turn) for turn in request.conversation.turns]
        return [*messages, AIMessage(request.prefix)] if request.prefix else messages

    def _options(self, binding: _Binding, request: CompletionRequest) -> dict[str, Any]:
        """The options that go with the messages."""
        options = dict(binding.options)
        if binding.responses and not (request.emit or request.conversation.streaming):
            options.pop(STREAM_OPTIONS, None)
        if request.stop and not (binding.responses and not request.step) and [options.get("stop")] != list(request.stop):
            options["stop"] = list(request.stop)
        if request.prefix and request.continuation is Continuation.FLAG:
            extra_body = {**(getattr(self.model, "extra_body", None) or {}), **(options.get("extra_body") or {})}
            options["extra_body"] = {**extra_body, **CONTINUE}
        return options


def _accepted(options: dict[str, Any], responses: bool) -> dict[str, Any]:
    """Those that the API takes to which a request goes, be it OpenAI's Responses API or another."""
    return {name: value for name, value in options.items() if name not in NOT_IN_RESPONSES} if responses else options


def _has_native_async(model: BaseChatModel, *, streaming: bool = False) -> bool:
    """Whether a model has asynchronous methods of its own; the inherited ones run the synchronous methods on the loop's few threads.

    One whose `invoke` or `stream` is its own, but not what stands behind them, answers otherwise to who awaits.
    """
    generates = _overrides(model, "_agenerate")
    if not streaming:
        return generates or _overrides(model, "ainvoke") or _overrides(model, "invoke")
    if _overrides(model, "_astream") or _overrides(model, "astream") or _overrides(model, "stream"):
        return True
    return generates and not _overrides(model, "_stream")


def _overrides(model: BaseChatModel, method: str) -> bool:
    """Whether a method is not that of every chat model."""
    return getattr(type(model), method) is not getattr(BaseChatModel, method)


def _of_assistant(message: object) -> object:
    """What a model said, as a message of the assistant whatever role its server gives it; anything else as it is."""
    if isinstance(message, AIMessage) or not isinstance(message, BaseMessage):
        return message
    kind = AIMessageChunk if isinstance(message, BaseMessageChunk) else AIMessage
    more: dict[str, Any] = {"additional_kwargs": message.additional_kwargs, "response_metadata": message.response_metadata}
    return kind(content=message.content, name=message.name, id=message.id, **more)


def _reads_options(model: BaseChatModel) -> bool:
    """Whether a model may read sampling parameters off what it is called with, as one of the application's own may.

    Clients of providers have fields for those that their API takes, and fail for others.
    """
    kind = next(kind for kind in type(model).__mro__ if "_generate" in vars(kind))
    return not kind.__module__.startswith("langchain")


def _uses_responses(model: BaseChatModel, bound_model: Model, options: Mapping[str, Any]) -> bool:
    """Whether a request goes to OpenAI's Responses API, which its client decides by all that is said."""
    # A pydantic model takes longer than all else here to say that it has no such attribute.
    if not callable(getattr(type(model), "_use_responses_api", None)):
        return False
    decides = cast(Any, model)._use_responses_api
    kwargs = bound_model.kwargs if isinstance(bound_model, RunnableBinding) else {}
    return bool(decides({**getattr(model, "model_kwargs", {}), **kwargs, **options}))


def _says_anything(chunk: AIMessageChunk) -> bool:
    """Whether a piece shows anything of an answer; the first one often names the role alone."""
    return bool(chunk.content or chunk.tool_call_chunks or chunk.additional_kwargs)


def _emit_all(request: CompletionRequest, queue: list[AIMessageChunk]) -> None:
    if request.emit is not None:
        for piece in queue:
            request.emit(piece)
    queue.clear()


def _incompleteness(message: AIMessage) -> str:
    metadata = message.response_metadata
    if message.additional_kwargs.get("refusal"):
        return "content_filter"
    return incompleteness(*(metadata.get(field) for field in ("finish_reason", "stop_reason", "done_reason", "status")))


def _whole_chunk(message: AIMessage) -> AIMessageChunk:
    update = {"usage_metadata": message.usage_metadata, "response_metadata": message.response_metadata}
    return chunk_of(message).model_copy(update=update)


def _name(model: BaseChatModel, fields: Sequence[str] = ("name", *MODEL_FIELDS)) -> str:
    for field in fields:
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


def _usage(message: AIMessage) -> Usage:
    usage = message.usage_metadata
    if usage is None:
        return NOTHING
    cached = token_count((usage.get("input_token_details") or {}).get("cache_read"))
    prompt, completion = token_count(usage["input_tokens"]), token_count(usage["output_tokens"])
    return Usage(prompt_tokens=prompt, completion_tokens=completion, cached_tokens=min(cached, prompt))
