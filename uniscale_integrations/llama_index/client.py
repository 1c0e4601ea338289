"""An LLM of LlamaIndex as the client of a `ChatStepModel`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, TextBlock
from llama_index.core.constants import DEFAULT_TEMPERATURE
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM

from uniscale_integrations.adapters.drawing import FIELDS, Drawing
from uniscale_integrations.adapters.stamp import KEY
from uniscale_integrations.cost.usage import NOTHING
from uniscale_integrations.errors import GenerationError
from uniscale_integrations.llama_index.calling import Asking, Prompt, hands_over_tools
from uniscale_integrations.llama_index.messages import SETTINGS, THINKING, Inner
from uniscale_integrations.llama_index.offers import NEUTRAL, Offer, described
from uniscale_integrations.llama_index.tool_calls import blocks_of, calls_by, calls_of
from uniscale_integrations.llama_index.usage import fields_of, plain, usage_of
from uniscale_integrations.models.chat.client import (
    CONTINUE,
    Completion,
    CompletionRequest,
    Continuation,
    InterruptedReply,
    incompleteness,
    mean_log_probability,
)
from uniscale_integrations.search.conversation import Conversation, Turn

ROLES = {"system": MessageRole.SYSTEM, "assistant": MessageRole.ASSISTANT, "tool": MessageRole.TOOL}
"""The role of each turn; others are the user's."""

COMMON = (*NEUTRAL, "response_format", *FIELDS)
"""Options that mean the same whichever framework a conversation comes from."""

MOST_COPIES = 16
"""Copies of an LLM with other fields that are kept."""

REASONS = ("finish_reason", "stop_reason", "done_reason")
"""Where providers say why a reply ended."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the API behind an LLM takes beside messages, which LlamaIndex passes on as it is.

    Attributes:
        stop: the name of the texts that end a reply; `None` where it takes none that is known, so that no step can be asked for.
        seed: whether it takes a seed.
        flag: whether servers of its kind may be told to continue.
        forms: whether it takes a `response_format`.
    """

    stop: str | None = None
    seed: bool = False
    flag: bool = False
    forms: bool = False


DIALECTS = {
    "llama_index.llms.openai.base": Dialect("stop", seed=True, flag=True, forms=True),
    "llama_index.llms.anthropic.base": Dialect("stop_sequences"),
}
"""By the module of one of an LLM's classes."""


class LlamaIndexClient:
    """Sends requests to an LLM of LlamaIndex, which stays as it is.

    What it sends is what the LLM itself would send for the call: prompts are completed, tools are prepared by the LLM's own method, and a
    caller who does not await is answered by its synchronous methods. A search changes only what it must.

    Args:
        llm: the LLM.
    """

    def __init__(self, llm: LLM) -> None:
        self.name = llm.metadata.model_name if llm.metadata.model_name != "unknown" else llm.class_name()
        self._dialect = next((DIALECTS[kind.__module__] for kind in type(llm).__mro__ if kind.__module__ in DIALECTS), Dialect())
        self.llm = llm
        # Where its owner has said nothing, LlamaIndex has models draw at a temperature at which they say the same nearly every time.
        self._drawing = Drawing(llm, type(llm).model_fields, DEFAULT_TEMPERATURE)
        self._copies: dict[str, tuple[dict[str, Any], LLM]] = {}

    @property
    def _further(self) -> Mapping[str, Any]:
        """What the LLM is set up with beyond its fields."""
        return (getattr(self.llm, "additional_kwargs", None) or {}) if "additional_kwargs" in type(self.llm).model_fields else {}

    @property
    def stop(self) -> Sequence[str]:
        """Texts that end each of its replies."""
        stop = self._further.get(self._dialect.stop or "", ())
        return (stop,) if isinstance(stop, str) else tuple(stop or ())

    @property
    def capabilities(self) -> frozenset[str]:
        """Tools where the LLM says so; whether it can see pictures it will say itself."""
        own = hands_over_tools(self.llm, streaming=False) or hands_over_tools(self.llm, streaming=True)
        tools = (own or isinstance(self.llm, FunctionCallingLLM)) and self.llm.metadata.is_function_calling_model
        form = ["form"] if tools or self._dialect.forms else []
        return frozenset(("images", *form, *(["tools"] if tools else []), *(["structure"] if self._dialect.forms else [])))

    @property
    def continuations(self) -> Sequence[Continuation]:
        """Text completion where the LLM is no chat model; otherwise its server's flag, and the partial answer as the last message."""
        if self._dialect.stop is None:
            return ()
        if not self.llm.metadata.is_chat_model:
            return (Continuation.RAW,)
        return (Continuation.FLAG, Continuation.PREFILL) if self._dialect.flag else (Continuation.PREFILL,)

    async def complete(self, asked: CompletionRequest) -> Completion:
        """Get one reply.

        Raises:
            GenerationError: the LLM gave something that is no response.
            BrokenOff: its stream failed after some of it had come.
            Exception: what the LLM raised.
        """
        asking = self._asking(asked)
        if asked.emit is not None or asked.conversation.streaming:
            return await self._streamed(asking, asked)
        response = await asking.reply()
        if not isinstance(response, ChatResponse):
            raise GenerationError(f"{self.name} gave {response!r:.80}, which is no response")
        return self._reply(response, incompleteness(*_reasons(response.raw)))

    async def _streamed(self, asking: Asking, asked: CompletionRequest) -> Completion:
        """The reply of a stream. Pieces that say nothing yet are shown with the first one that does, so that others may still answer."""
        last: ChatResponse | None = None
        held: list[ChatResponse] = []
        thinking, incomplete, usage, shown = "", "", NOTHING, asked.emit is None
        try:
            async with aclosing(asking.pieces()) as pieces:
                async for piece in pieces:
                    last = piece
                    thinking += piece.additional_kwargs.get(THINKING) or ""
                    incomplete = incompleteness(*_reasons(piece.raw)) or incomplete
                    usage = counted if (counted := usage_of(piece)) != NOTHING else usage
                    if asked.emit is not None:
                        held.append(_apart(piece))
                        shown = shown or _says_anything(piece)
                        if shown:
                            _emit_all(asked, held)
        except Exception as error:
            if last is None or not (said := last.message.content):
                raise
            raise InterruptedReply(error, said, usage) from error
        if asked.emit is not None:
            _emit_all(asked, held)
        if last is None:
            # A model may have nothing to say.
            last = ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=""))
        reply = self._reply(last, incomplete, thinking)
        return (
            reply
            if reply.usage != NOTHING
            else Completion(reply.text, reply.incomplete, usage, reply.log_probability, reply.message)
        )

    def _reply(self, response: ChatResponse, incomplete: str, thinking: str = "") -> Completion:
        inner = Inner.of(response, calls_by(self.llm, response), thinking)
        return Completion(inner.text, incomplete, usage_of(response), _log_probability(response.raw), inner)

    def _asking(self, asked: CompletionRequest) -> Asking:
        """The LLM as this request wants it, what it is asked, and what is said beside it."""
        conversation = asked.conversation
        native = _native(conversation.messages)
        said = {name: value for name, value in conversation.options.items() if native is not None or name in COMMON}
        # What the outer LLM is set up with, and what a call of another framework says of drawing, is set as fields, which all LLMs read.
        fields = FIELDS if native is None else said.pop(SETTINGS, {})
        settings = {name: said.pop(name) for name in fields if name in said}
        if native is not None:
            said.pop("model", None)
        llm, options = self._llm(asked, settings, said)
        messages = self._messages(conversation) if native is None else native
        tools = options.get("tools")
        if isinstance(tools, Offer):
            options = {name: value for name, value in options.items() if name not in NEUTRAL}
            if not asked.prefix and hands_over_tools(llm, streaming=asked.emit is not None or conversation.streaming):
                return Asking(llm, messages, self._with_stop(asked, options, native=True), conversation.synchronous, tools)
            if isinstance(llm, FunctionCallingLLM):
                messages, options = tools.prepared(llm, messages, options)
        elif native is None and tools and isinstance(llm, FunctionCallingLLM):
            messages, options = described(llm, messages, options)
        options = self._with_stop(asked, options, native=native is not None)
        if not asked.prefix:
            return Asking(llm, messages, options, conversation.synchronous)
        if asked.continuation is Continuation.RAW:
            return Asking(llm, _begun(llm, messages, asked.prefix), options, conversation.synchronous)
        said_so_far = list(Prompt(messages.rendered(llm))) if isinstance(messages, Prompt) else messages
        begun = [*said_so_far, ChatMessage(role=MessageRole.ASSISTANT, content=asked.prefix)]
        if asked.continuation is Continuation.FLAG:
            own = {**self._further.get("extra_body", {}), **(options.get("extra_body") or {})}
            options["extra_body"] = {**own, **CONTINUE}
        return Asking(llm, begun, options, conversation.synchronous)

    def _llm(self, asked: CompletionRequest, settings: Mapping[str, Any], said: dict[str, Any]) -> tuple[LLM, dict[str, Any]]:
        """The LLM with the fields that a request sets, and what of the call's own words goes along with it.

        What a call says of drawing goes along as it is, as it would to the LLM alone, except where a search has to say otherwise.
        """
        drawn, options = self._drawing.of(asked, {**settings, **said}), dict(said)
        for name in FIELDS:
            field = self._drawing.field(name)
            if name not in said:
                continue
            if (name == "max_tokens" and asked.step) or (name == "seed" and asked.seed is not None):
                options.pop(name)
            elif field is not None:
                drawn.pop(field, None)
        if asked.seed is not None and self._dialect.seed and self._drawing.field("seed") is None:
            options["seed"] = asked.seed
        # What an LLM is set up with as further arguments outweighs what a request says, and has to give way where a search must say it.
        gives_way = {
            "seed": asked.seed is not None,
            "max_tokens": asked.step,
            "extra_body": bool(asked.prefix) and asked.continuation is Continuation.FLAG,
            self._dialect.stop: asked.step,
        }
        left = {name: value for name, value in self._further.items() if not gives_way.get(name)}
        if len(left) < len(self._further):
            drawn["additional_kwargs"] = left
        return self._copy(drawn), options

    def _with_stop(self, asked: CompletionRequest, options: dict[str, Any], *, native: bool) -> dict[str, Any]:
        """The options with the texts that end the reply: the call's in its own words, those of a step in the API's."""
        name = self._dialect.stop
        if asked.step:
            options.pop("stop", None)
            return options | ({name: list(asked.stop)} if name and asked.stop else {})
        if native:
            if "stop" in options and name not in (None, "stop"):
                options[name] = list(asked.stop)
                del options["stop"]
            return options
        return options | ({name: list(asked.stop)} if name and asked.stop else {})

    def _messages(self, conversation: Conversation) -> list[ChatMessage]:
        if "images" in conversation.required_capabilities:
            raise GenerationError(
                f"{self.name} is an LLM of LlamaIndex and cannot be shown what another framework's messages hold"
            )
        return list(map(_message, conversation.turns))

    def _copy(self, drawn: Mapping[str, Any]) -> LLM:
        """The LLM with some fields set otherwise, one copy for the same fields, since each may open a client of its own."""
        if not drawn:
            return self.llm
        key, fields = repr(sorted(drawn.items())), dict(self.llm.__dict__)
        found = self._copies.get(key)
        if found is None or found[0] != fields:
            # Its owner may set it up otherwise at any time.
            if found is None and len(self._copies) >= MOST_COPIES:
                self._copies.pop(next(iter(self._copies)))
            found = self._copies[key] = fields, self.llm.model_copy(update=dict(drawn))
        return found[1]


def _native(messages: object) -> list[ChatMessage] | None:
    """Messages of LlamaIndex, without what only we have written there; `None` for those of another framework, or none."""
    if isinstance(messages, Prompt):
        return messages
    if not isinstance(messages, list) or not all(isinstance(each, ChatMessage) for each in messages):
        return None
    return [_unstamped(message) if KEY in message.additional_kwargs else message for message in messages]


def _unstamped(message: ChatMessage) -> ChatMessage:
    rest = {name: value for name, value in message.additional_kwargs.items() if name != KEY}
    return message.model_copy(update={"additional_kwargs": rest})


def _message(turn: Turn) -> ChatMessage:
    blocks = [*([TextBlock(text=turn.text)] if turn.text or not turn.calls else []), *blocks_of(turn.calls)]
    more = {"tool_call_id": turn.call_id} if turn.role == "tool" else {}
    return ChatMessage(role=ROLES.get(turn.role, MessageRole.USER), blocks=blocks, additional_kwargs=more)


def _begun(llm: LLM, messages: list[ChatMessage], prefix: str) -> Prompt:
    """The text of a conversation with the answer so far, for text completion."""
    assert llm.messages_to_prompt is not None
    text = messages.rendered(llm) if isinstance(messages, Prompt) else llm.messages_to_prompt(messages)
    return Prompt(text + prefix, formatted=True)


def _says_anything(piece: ChatResponse) -> bool:
    """Whether a piece shows anything of an answer; the first one often names the role alone."""
    return bool(piece.delta or piece.message.content or piece.additional_kwargs.get(THINKING) or calls_of(piece.message))


def _apart(piece: ChatResponse) -> ChatResponse:
    """A piece that stays as it is: some clients go on to fill in the calls of the one before, while its reader is not there yet."""
    return piece.model_copy(deep=True) if piece.message.additional_kwargs.get("tool_calls") else piece


def _emit_all(asked: CompletionRequest, held: list[ChatResponse]) -> None:
    assert asked.emit is not None
    for piece in held:
        asked.emit(piece)
    held.clear()


def _choice(raw: object) -> Mapping[str, Any]:
    choices = fields_of(raw).get("choices")
    return fields_of(choices[0]) if isinstance(choices, list) and choices else {}


def _reasons(raw: object) -> Iterator[object]:
    told = {**fields_of(raw), **_choice(raw)}
    return (told.get(field) for field in REASONS)


def _log_probability(raw: object) -> float | None:
    told = _choice(raw).get("logprobs")
    return None if told is None else mean_log_probability(plain(told))
