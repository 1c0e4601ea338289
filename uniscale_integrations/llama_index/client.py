"""An LLM of LlamaIndex as the client of a `ChatStepModel`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, TextBlock
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW, DEFAULT_TEMPERATURE
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM

from uniscale_integrations.adapters.endpoint import endpoint_of
from uniscale_integrations.adapters.sampling_params import FIELDS, SamplingParams
from uniscale_integrations.adapters.stamp import KEY
from uniscale_integrations.concurrency.forks import ForkLock
from uniscale_integrations.cost.price_list import Endpoint
from uniscale_integrations.cost.usage import NOTHING
from uniscale_integrations.errors import GenerationError
from uniscale_integrations.llama_index.calling import LLMCall, Prompt, hands_over_tools
from uniscale_integrations.llama_index.messages import SETTINGS, THINKING, Inner
from uniscale_integrations.llama_index.offers import NEUTRAL, Offer, prepare_schemas
from uniscale_integrations.llama_index.prediction import METHODS, PREDICTION, predicts_by_itself
from uniscale_integrations.llama_index.tool_calls import blocks_of, calls_by, calls_of
from uniscale_integrations.llama_index.usage import as_mapping, fields_of, usage_of
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
from uniscale_integrations.models.chat.probe import TRANSPORT
from uniscale_integrations.redaction import secrets_of
from uniscale_integrations.search.conversation import Conversation, Turn

ROLES = {"system": MessageRole.SYSTEM, "assistant": MessageRole.ASSISTANT, "tool": MessageRole.TOOL}
"""The role of each turn; others are the user's."""

COMMON = (*NEUTRAL, "response_format", *TRANSPORT, *FIELDS)
"""Options that mean the same whichever framework a conversation comes from."""

MAX_COPIES = 16
"""Copies of an LLM with other fields that are kept."""

TRACKS, PREVIOUS = "track_previous_responses", "_previous_response_id"
"""Whether LlamaIndex's client of the Responses API keeps track of them, and where it notes the last one."""

REASONS = ("finish_reason", "stop_reason", "done_reason")
"""Where providers say why a reply ended."""


@dataclass(frozen=True, slots=True)
class Api:
    """The options of the API behind an LLM, to which LlamaIndex passes them unchanged.

    Attributes:
        stop: the name of the texts that end a reply; `None` where it takes none that is known, so that no step can be asked for.
        seed: whether it takes a seed.
        flag: whether servers of its kind may be told to continue.
        forms: whether it takes a `response_format`.
        lacks: sampling parameters that its client refuses as options, be it that they are fields of the LLM alone.
    """

    stop: str | None = None
    seed: bool = False
    flag: bool = False
    forms: bool = False
    lacks: tuple[str, ...] = ()


APIS = {
    "llama_index.llms.openai.base": Api("stop", seed=True, flag=True, forms=True),
    "llama_index.llms.openai.responses": Api(lacks=("seed", "max_tokens")),
    "llama_index.llms.anthropic.base": Api("stop_sequences"),
}
"""By the module of one of an LLM's classes."""

UNKNOWN_API = Api()
"""Of all others."""


class LlamaIndexClient:
    """Sends requests to an LLM of LlamaIndex, which stays as it is.

    What it sends is what the LLM itself would send for the call: prompts are completed, tools are prepared by the LLM's own method, and a
    caller who does not await is answered by its synchronous methods. A search changes only what it must.

    Args:
        llm: the LLM.
    """

    loop_free = True
    """Who does not await is answered by synchronous methods alone."""

    def __init__(self, llm: LLM) -> None:
        self.name = llm.metadata.model_name if llm.metadata.model_name != "unknown" else llm.class_name()
        self._api = next((APIS[kind.__module__] for kind in type(llm).__mro__ if kind.__module__ in APIS), UNKNOWN_API)
        self.llm = llm
        # Where its owner has said nothing, LlamaIndex has models draw at a temperature at which they say the same nearly every time.
        self._sampling = SamplingParams(llm, type(llm).model_fields, DEFAULT_TEMPERATURE)
        self._may_keep_track = TRACKS in type(llm).model_fields
        self._copies: dict[str, tuple[dict[str, Any], LLM]] = {}
        self._lock = ForkLock()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no error or log may quote."""
        return secrets_of(self.llm)

    @property
    def _additional(self) -> Mapping[str, Any]:
        """The LLM's `additional_kwargs`."""
        return (getattr(self.llm, "additional_kwargs", None) or {}) if "additional_kwargs" in type(self.llm).model_fields else {}

    @property
    def stop(self) -> Sequence[str]:
        """Texts that end each of its replies."""
        stop = self._additional.get(self._api.stop or "", ())
        return (stop,) if isinstance(stop, str) else tuple(stop or ())

    @property
    def context_window(self) -> int | None:
        """Most tokens that the LLM reads; not LlamaIndex's number for those of which it does not know."""
        window = self.llm.metadata.context_window
        return None if window == DEFAULT_CONTEXT_WINDOW else window

    @property
    def endpoint(self) -> Endpoint | None:
        """Where the LLM's requests go."""
        return endpoint_of(self.llm, str(getattr(self.llm, "model", None) or self.name))

    @property
    def capabilities(self) -> frozenset[str]:
        """Tools where the LLM says so; whether it can see pictures it will say itself."""
        hands_over = hands_over_tools(self.llm, streaming=False) or hands_over_tools(self.llm, streaming=True)
        tools = (hands_over or isinstance(self.llm, FunctionCallingLLM)) and self.llm.metadata.is_function_calling_model
        form = ["form"] if tools or self._api.forms or any(predicts_by_itself(self.llm, method) for method in METHODS) else []
        # Of an API that is not known here the LLM will say itself what it does not take.
        structure = ["structure"] if self._api.forms or self._api is UNKNOWN_API else []
        return frozenset(("images", *form, *structure, *(["tools"] if tools else [])))

    @property
    def continuations(self) -> Sequence[Continuation]:
        """Text completion where the LLM is no chat model; otherwise its server's flag, and the partial answer as the last message."""
        if self._api.stop is None or cannot_continue(self.name, self._provider):
            return ()
        if not self.llm.metadata.is_chat_model:
            return (Continuation.RAW,)
        return (Continuation.FLAG, Continuation.PREFILL) if self._api.flag else (Continuation.PREFILL,)

    @property
    def address(self) -> str:
        """Where requests go, as far as the LLM tells; empty where it does not."""
        for field in ("azure_endpoint", "api_base", "base_url"):
            if field in type(self.llm).model_fields and (value := getattr(self.llm, field)):
                return str(value)
        return ""

    @property
    def _provider(self) -> str:
        """The address, unless an HTTP client of the caller's own may lead elsewhere."""
        own = any(getattr(self.llm, field, None) is not None for field in ("_http_client", "_async_http_client"))
        return "" if own else self.address

    def repeats(self, options: Mapping[str, Any]) -> bool:
        """As of `TellsRepeats`; what the LLM's `additional_kwargs` say outweighs its call."""
        return self._sampling.repeats({**options.get(SETTINGS, {}), **options, **self._additional})

    def limit(self, options: Mapping[str, Any]) -> int | None:
        """As of `LimitsReplies`."""
        return self._sampling.limit({**options.get(SETTINGS, {}), **options})

    async def complete(self, request: CompletionRequest) -> Completion:
        """Get one reply.

        Raises:
            GenerationError: the LLM gave something that is no response.
            InterruptedReply: its stream failed after some of it had come.
            Exception: what the LLM raised.
        """
        call = self._llm_call(request)
        if request.emit is not None or request.conversation.streaming:
            return await self._stream(call, request)
        response = await call.reply()
        if not isinstance(response, ChatResponse):
            raise GenerationError(f"{self.name} gave {response!r:.80}, which is no response")
        return self._reply(call.llm, response, incompleteness(*_reasons(response.raw)))

    async def _stream(self, call: LLMCall, request: CompletionRequest) -> Completion:
        """The reply of a stream. Pieces that say nothing yet are shown with the first one that does, so that others may still answer."""
        last: ChatResponse | None = None
        queue: list[ChatResponse] = []
        thinking, text, incomplete, usage, flowing = "", "", "", NOTHING, request.emit is None
        try:
            async with aclosing(call.pieces()) as pieces:
                async for piece in pieces:
                    last = piece
                    thinking += piece.additional_kwargs.get(THINKING) or ""
                    text = _with_piece(text, piece)
                    incomplete = incompleteness(*_reasons(piece.raw)) or incomplete
                    usage = latest if (latest := usage_of(piece)) != NOTHING else usage
                    if request.emit is not None:
                        queue.append(piece)
                        flowing = flowing or _says_anything(piece)
                        if flowing:
                            _emit_all(request, queue)
        except Exception as error:
            if last is None or not (last.message.content or text):
                raise
            raise InterruptedReply(error, max(last.message.content or "", text, key=len), usage) from error
        if request.emit is not None:
            _emit_all(request, queue)
        if last is None:
            # A model may have nothing to say.
            last = ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=""))
        reply = self._reply(call.llm, _whole(last, text), incomplete, thinking)
        return (
            reply
            if reply.usage != NOTHING
            else Completion(reply.text, reply.incomplete, usage, reply.log_probability, reply.message)
        )

    def goes_on_from(self, inner: Inner) -> None:
        """Have an LLM that keeps track of its responses go on from the one that was given, of all candidates."""
        if inner.follows is not None:
            setattr(self.llm, PREVIOUS, inner.follows)

    @property
    def _keeps_track(self) -> bool:
        """Whether each request of the LLM begins where its last one ended."""
        # A pydantic model takes its time to say that it has no such attribute.
        return self._may_keep_track and bool(getattr(self.llm, TRACKS))

    def _reply(self, llm: LLM, response: ChatResponse, incomplete: str, thinking: str = "") -> Completion:
        follows = getattr(llm, PREVIOUS) if self._keeps_track else None
        inner = Inner.of(response, calls_by(self.llm, response), thinking, follows)
        return Completion(inner.text, incomplete, usage_of(response), _log_probability(response.raw), inner)

    def _llm_call(self, request: CompletionRequest) -> LLMCall:
        """The call of the LLM that a request amounts to."""
        conversation = request.conversation
        native = _native(conversation.messages)
        options = {name: value for name, value in conversation.options.items() if native is not None or name in COMMON}
        # Settings of the outer LLM, and sampling parameters of another framework's call, are set as fields, which all LLMs read.
        fields = FIELDS if native is None else options.pop(SETTINGS, {})
        settings = {name: options.pop(name) for name in fields if name in options}
        if native is not None:
            options.pop("model", None)
        llm, options = self._llm(request, settings, options)
        messages = self._messages(conversation) if native is None else native
        if (prediction := options.get(PREDICTION)) is not None:
            return LLMCall(llm, messages, {}, conversation.synchronous, prediction=prediction)
        tools = options.get("tools")
        if isinstance(tools, Offer):
            options = {name: value for name, value in options.items() if name not in NEUTRAL}
            if not request.prefix and hands_over_tools(llm, streaming=request.emit is not None or conversation.streaming):
                return LLMCall(llm, messages, self._with_stop(request, options, native=True), conversation.synchronous, tools)
            if isinstance(llm, FunctionCallingLLM):
                messages, options = tools.prepare(llm, messages, options)
        elif native is None and tools and isinstance(llm, FunctionCallingLLM):
            messages, options = prepare_schemas(llm, messages, options)
        options = self._with_stop(request, options, native=native is not None)
        if not request.prefix:
            return LLMCall(llm, messages, options, conversation.synchronous)
        if request.continuation is Continuation.RAW:
            return LLMCall(llm, _raw_prompt(llm, messages, request.prefix), options, conversation.synchronous)
        history = list(Prompt(messages.render(llm))) if isinstance(messages, Prompt) else messages
        if request.continuation is Continuation.FLAG:
            extra_body = {**self._additional.get("extra_body", {}), **(options.get("extra_body") or {})}
            options["extra_body"] = {**extra_body, **CONTINUE}
        prefill = ChatMessage(role=MessageRole.ASSISTANT, content=request.prefix)
        return LLMCall(llm, [*history, prefill], options, conversation.synchronous)

    def _llm(
        self, request: CompletionRequest, settings: Mapping[str, Any], options: dict[str, Any]
    ) -> tuple[LLM, dict[str, Any]]:
        """The LLM with the fields that a request sets, and the call's options that go along with it.

        Sampling parameters among the options go along as they would to the LLM alone, except where a search has to set them itself.
        """
        sampling, rest = self._sampling.of(request, {**settings, **options}), dict(options)
        for name in FIELDS:
            field = self._sampling.field(name)
            if name not in options:
                continue
            is_set = (name == "max_tokens" and request.step) or (name == "seed" and request.seed is not None)
            if is_set or name in self._api.lacks:
                rest.pop(name)
            elif field is not None:
                sampling.pop(field, None)
        takes_seed = (self._api.seed or "seed" in options) and "seed" not in self._api.lacks
        if request.seed is not None and takes_seed and self._sampling.field("seed") is None:
            rest["seed"] = request.seed
        # The LLM's `additional_kwargs` outweigh the options of a request, and have to give way where a search must set them.
        gives_way = {
            "seed": request.seed is not None and "seed" not in self._api.lacks,
            "max_tokens": request.step,
            "extra_body": bool(request.prefix) and request.continuation is Continuation.FLAG,
            self._api.stop: request.step,
        }
        additional = {name: value for name, value in self._additional.items() if not gives_way.get(name)}
        if len(additional) < len(self._additional):
            sampling["additional_kwargs"] = additional
        return self._copy(sampling), rest

    def _with_stop(self, request: CompletionRequest, options: dict[str, Any], *, native: bool) -> dict[str, Any]:
        """The options with the texts that end the reply: the call's in its own words, those of a step in the API's."""
        name = self._api.stop
        if request.step:
            options.pop("stop", None)
            return options | ({name: list(request.stop)} if name and request.stop else {})
        if native:
            if "stop" in options and name not in (None, "stop"):
                options[name] = list(request.stop)
                del options["stop"]
            return options
        return options | ({name: list(request.stop)} if name and request.stop else {})

    def _messages(self, conversation: Conversation) -> list[ChatMessage]:
        if "images" in conversation.required_capabilities:
            raise GenerationError(
                f"{self.name} is an LLM of LlamaIndex and cannot be shown what another framework's messages hold"
            )
        return list(map(_message, conversation.turns))

    def _copy(self, update: Mapping[str, Any]) -> LLM:
        """The LLM with some fields updated, one copy for the same update, since each may open a client of its own."""
        if self._keeps_track:
            # It notes what it was answered: candidates must not go on from each other.
            return self.llm.model_copy(update=dict(update))
        if not update:
            return self.llm
        key, fields = repr(sorted(update.items())), dict(self.llm.__dict__)
        with self._lock:
            entry = self._copies.get(key)
            if entry is None or entry[0] != fields:
                # Its owner may set other fields at any time.
                if entry is None and len(self._copies) >= MAX_COPIES:
                    self._copies.pop(next(iter(self._copies)))
                entry = self._copies[key] = fields, self.llm.model_copy(update=dict(update))
            return entry[1]


def _native(messages: object) -> list[ChatMessage] | None:
    """Messages of LlamaIndex, without what only we have written there; `None` for those of another framework, or none."""
    if isinstance(messages, Prompt):
        return messages
    if not isinstance(messages, list) or not all(isinstance(each, ChatMessage) for each in messages):
        return None
    return [_without_stamp(message) if KEY in message.additional_kwargs else message for message in messages]


def _without_stamp(message: ChatMessage) -> ChatMessage:
    rest = {name: value for name, value in message.additional_kwargs.items() if name != KEY}
    return message.model_copy(update={"additional_kwargs": rest})


def _message(turn: Turn) -> ChatMessage:
    blocks = [*([TextBlock(text=turn.text)] if turn.text or not turn.calls else []), *blocks_of(turn.calls)]
    more = {"tool_call_id": turn.call_id} if turn.role == "tool" else {}
    return ChatMessage(role=ROLES.get(turn.role, MessageRole.USER), blocks=blocks, additional_kwargs=more)


def _raw_prompt(llm: LLM, messages: list[ChatMessage], prefix: str) -> Prompt:
    """The text of a conversation with the answer so far, for text completion."""
    assert llm.messages_to_prompt is not None
    text = messages.render(llm) if isinstance(messages, Prompt) else llm.messages_to_prompt(messages)
    return Prompt(text + prefix, formatted=True)


def _with_piece(text: str, piece: ChatResponse) -> str:
    """What was said so far with one more piece of a stream, whose message holds all of it with some clients and the piece with others."""
    content = piece.message.content or ""
    if piece.delta:
        return text + piece.delta
    return text if text.startswith(content) or text.endswith(content) else content


def _whole(last: ChatResponse, text: str) -> ChatResponse:
    """The last response of a stream with all that was said, of which some clients give only what is new, or all but that."""
    said = last.message.content or ""
    lacks = len(text) > len(said) and (text.startswith(said) or text.endswith(said))
    if not lacks or calls_of(last.message):
        return last
    others = [block for block in last.message.blocks if not isinstance(block, TextBlock)]
    return last.model_copy(update={"message": last.message.model_copy(update={"blocks": [*others, TextBlock(text=text)]})})


def _says_anything(piece: ChatResponse) -> bool:
    """Whether a piece shows anything of an answer; the first one often names the role alone."""
    return bool(piece.delta or piece.message.content or piece.additional_kwargs.get(THINKING) or calls_of(piece.message))


def _emit_all(request: CompletionRequest, queue: list[ChatResponse]) -> None:
    assert request.emit is not None
    for piece in queue:
        request.emit(piece)
    queue.clear()


def _choice(raw: object) -> Mapping[str, Any]:
    choices = fields_of(raw).get("choices")
    return fields_of(choices[0]) if isinstance(choices, list) and choices else {}


def _reasons(raw: object) -> Iterator[object]:
    fields = {**fields_of(raw), **_choice(raw)}
    # What streams give last may be an event with the response.
    response = fields_of(fields.get("response")) or fields
    details = fields_of(response.get("incomplete_details"))
    return iter((*(fields.get(name) for name in REASONS), details.get("reason")))


def _log_probability(raw: object) -> float | None:
    logprobs = _choice(raw).get("logprobs")
    return None if logprobs is None else mean_log_probability(as_mapping(logprobs))
