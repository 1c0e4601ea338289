"""An LLM of LlamaIndex as the client of a `ChatStepModel`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, TextBlock
from llama_index.core.constants import DEFAULT_TEMPERATURE
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import LLM
from llama_index.core.tools import BaseTool, ToolMetadata, ToolOutput
from pydantic import BaseModel

from uniscale_integrations.adapters.drawing import FIELDS, Drawing
from uniscale_integrations.adapters.forms import CHOICES, choice_in
from uniscale_integrations.adapters.stamp import KEY
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import ConfigurationError, GenerationError
from uniscale_integrations.llama_index.messages import COUNTS, OfferedTool, blocks_of, text_of
from uniscale_integrations.llama_index.quiet import unheard
from uniscale_integrations.models.chat.client import CONTINUE, Asked, Continuation, Reply, incompleteness, mean_log_probability
from uniscale_integrations.search.conversation import Conversation, Turn

Called = TypeVar("Called")

ROLES = {"system": MessageRole.SYSTEM, "assistant": MessageRole.ASSISTANT, "tool": MessageRole.TOOL}
"""The role of each turn; others are the user's."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the API behind an LLM takes beside messages, which LlamaIndex passes on as it is.

    Attributes:
        stop: the name of the texts that end a reply; `None` where it takes none that is known, so that no step can be asked for.
        seed: whether it takes a seed.
        flag: whether servers of its kind may be told to continue.
        usage: whether a stream tells of its tokens only when told to.
        forms: whether it takes a `response_format`.
    """

    stop: str | None = None
    seed: bool = False
    flag: bool = False
    usage: bool = False
    forms: bool = False


DIALECTS = {
    "llama_index.llms.openai.base": Dialect("stop", seed=True, flag=True, usage=True, forms=True),
    "llama_index.llms.anthropic.base": Dialect("stop_sequences"),
}
"""By the module of one of an LLM's classes."""


class LlamaIndexClient:
    """Sends requests to an LLM of LlamaIndex, which stays as it is.

    Args:
        llm: the LLM.
    """

    def __init__(self, llm: LLM) -> None:
        self.name = llm.metadata.model_name if llm.metadata.model_name != "unknown" else llm.class_name()
        self._dialect = next((DIALECTS[kind.__module__] for kind in type(llm).__mro__ if kind.__module__ in DIALECTS), Dialect())
        # What is set up as further arguments outweighs what a request says; some of it has to give way, or to go along.
        further = dict(getattr(llm, "additional_kwargs", None) or {})
        stop = further.pop(self._dialect.stop, ()) if self._dialect.stop else ()
        self.stop: Sequence[str] = (stop,) if isinstance(stop, str) else tuple(stop or ())
        self._further = {name: further.pop(name) for name in ("extra_body", "seed") if self._dialect.flag and name in further}
        self.llm = cast(LLM, unheard(llm, {"additional_kwargs": further} if "additional_kwargs" in type(llm).model_fields else {}))
        # Where its owner has said nothing, LlamaIndex has models draw at a temperature at which they say the same nearly every time.
        self._drawing = Drawing(llm, type(llm).model_fields, DEFAULT_TEMPERATURE)
        self._copies: dict[tuple[tuple[str, Any], ...], LLM] = {}

    @property
    def abilities(self) -> frozenset[str]:
        """Tools where the LLM says so; whether it can see pictures it will say itself."""
        tools = isinstance(self.llm, FunctionCallingLLM) and self.llm.metadata.is_function_calling_model
        return frozenset(("images", *(["tools"] if tools else []), *(["structure"] if self._dialect.forms else [])))

    @property
    def continuations(self) -> Sequence[Continuation]:
        """Text completion where the LLM is no chat model; otherwise its server's flag, and the partial answer as the last message."""
        if self._dialect.stop is None:
            return ()
        if not self.llm.metadata.is_chat_model:
            return (Continuation.RAW,)
        return (Continuation.FLAG, Continuation.PREFILL) if self._dialect.flag else (Continuation.PREFILL,)

    async def complete(self, asked: Asked) -> Reply:
        """Get one reply.

        Raises:
            GenerationError: the LLM gave something that is no response.
            Exception: what the LLM raised.
        """
        llm, messages, options = self._prepared(asked)
        if asked.emit is not None:
            response = await self._streamed(llm, messages, options, asked)
        elif asked.prefix and asked.continuation is Continuation.RAW:
            assert llm.messages_to_prompt is not None
            told = await llm.acomplete(llm.messages_to_prompt(messages) + asked.prefix, formatted=True, **options)
            return Reply(told.text, _incomplete(told.raw), _usage(told.additional_kwargs, told.raw), _log_probability(told.raw))
        else:
            response = await _chatted(llm, messages, options)
        if not isinstance(response, ChatResponse):
            raise GenerationError(f"{self.name} gave {response!r:.80}, which is no response")
        usage = _usage(response.additional_kwargs, response.raw)
        return Reply(text_of(response.message), _incomplete(response.raw), usage, _log_probability(response.raw), response)

    async def _streamed(self, llm: LLM, messages: list[ChatMessage], options: Mapping[str, Any], asked: Asked) -> object:
        assert asked.emit is not None
        last: object = None
        async for response in _stream(llm, messages, options):
            last = response
            asked.emit(response)
        return last

    def _prepared(self, asked: Asked) -> tuple[LLM, list[ChatMessage], dict[str, Any]]:
        """The LLM as this request wants it, the messages, and what is said beside them."""
        conversation = asked.conversation
        native = _native(conversation.messages)
        known = {name: value for name, value in conversation.options.items() if native is not None or name in COMMON}
        options = {name: value for name, value in known.items() if name not in FIELDS or name not in self._drawing}
        llm = self._copy(self._drawing.of(asked, known))
        messages = self._messages(conversation) if native is None else native
        tools = options.pop("tools", None)
        if tools and isinstance(llm, FunctionCallingLLM):
            messages, options = _offered(llm, tools, messages, options)
        if asked.prefix and asked.continuation is not Continuation.RAW:
            messages = [*messages, ChatMessage(role=MessageRole.ASSISTANT, content=asked.prefix)]
        return llm, messages, self._further | options | self._said(asked, options)

    def _said(self, asked: Asked, options: Mapping[str, Any]) -> dict[str, Any]:
        """What this request says beside the messages, in the words of the API."""
        said: dict[str, Any] = {}
        dialect = self._dialect
        if asked.stop and dialect.stop:
            said[dialect.stop] = list(asked.stop)
        if asked.seed is not None and dialect.seed and "seed" not in self._drawing:
            said["seed"] = asked.seed
        if asked.emit is not None and dialect.usage and self.llm.metadata.is_chat_model:
            said["stream_options"] = {"include_usage": True}
        if asked.prefix and asked.continuation is Continuation.FLAG:
            said["extra_body"] = {**self._further.get("extra_body", {}), **(options.get("extra_body") or {}), **CONTINUE}
        return said

    def _messages(self, conversation: Conversation) -> list[ChatMessage]:
        if "images" in conversation.needs:
            raise GenerationError(f"{self.name} is an LLM of LlamaIndex and cannot be shown what another framework's messages hold")
        return list(map(_message, conversation.turns))

    def _copy(self, drawn: Mapping[str, Any]) -> LLM:
        """The LLM with some fields set otherwise, one copy for the same fields, since each may open a client of its own."""
        if not drawn:
            return self.llm
        key = tuple(sorted(drawn.items()))
        found = self._copies.get(key)
        if found is None:
            if len(self._copies) >= MOST_COPIES:
                self._copies.pop(next(iter(self._copies)))
            found = self._copies[key] = self.llm.model_copy(update=dict(drawn))
        return found


COMMON = ("tools", "tool_choice", "response_format", *FIELDS)
"""Options that mean the same whichever framework a conversation comes from."""

MOST_COPIES = 16
"""Copies of an LLM with other fields that are kept."""


class _Described(ToolMetadata):
    """A tool that is known only as OpenAI describes it."""

    def __init__(self, tool: Mapping[str, Any]) -> None:
        function = tool.get("function", tool)
        super().__init__(str(function.get("description") or ""), str(function["name"]), None)
        self._parameters = dict(function.get("parameters") or {"type": "object", "properties": {}})

    def get_parameters_dict(self) -> dict[str, Any]:
        return self._parameters


class _DescribedTool(BaseTool):
    def __init__(self, tool: Mapping[str, Any]) -> None:
        self._metadata = _Described(tool)

    @property
    def metadata(self) -> ToolMetadata:
        return self._metadata

    def __call__(self, input: Any) -> ToolOutput:  # noqa: A002
        raise NotImplementedError(f"the tool {self.metadata.name} is only described here")


def _offered(
    llm: FunctionCallingLLM, tools: Sequence[Mapping[str, Any]], messages: list[ChatMessage], options: dict[str, Any]
) -> tuple[list[ChatMessage], dict[str, Any]]:
    """Messages and options with tools, as the LLM itself prepares them."""
    offered = [tool.tool if isinstance(tool, OfferedTool) else _DescribedTool(tool) for tool in tools]
    choice = choice_in(options.pop("tool_choice", None))
    only = [tool for tool in offered if tool.metadata.name == choice]
    if choice not in CHOICES and not only:
        names = ", ".join(str(tool.metadata.name) for tool in offered)
        raise ConfigurationError(f"tool_choice names {choice!r}, but the tools are {names}")
    # Each API has its own words for one tool that must be called; offering only that one all understand.
    required = bool(only) or choice == "required"
    prepared = llm._prepare_chat_with_tools_compat(
        [] if choice == "none" else only or offered,
        chat_history=list(messages),
        allow_parallel_tool_calls=bool(options.pop("parallel_tool_calls", True)),
        tool_required=required,
        **options,
    )
    return list(prepared.pop("messages")), {name: value for name, value in prepared.items() if value is not None}


_THREADS = ThreadPoolExecutor(64, "uniscale llm")
"""Of LLMs that are not asynchronous. Those of the loop are few, and others wait for them."""


async def _in_thread(call: Callable[[], Called]) -> Called:
    return await asyncio.get_running_loop().run_in_executor(_THREADS, partial(copy_context().run, call))


async def _chatted(llm: LLM, messages: list[ChatMessage], options: Mapping[str, Any]) -> ChatResponse:
    if isinstance(llm, CustomLLM):
        # What it calls asynchronous is the synchronous call, for which all others would have to wait.
        return await _in_thread(partial(llm.chat, messages, **options))
    return await llm.achat(messages, **options)


async def _stream(llm: LLM, messages: list[ChatMessage], options: Mapping[str, Any]) -> AsyncIterator[ChatResponse]:
    if isinstance(llm, CustomLLM):
        responses = await _in_thread(partial(llm.stream_chat, messages, **options))
        while (response := await _in_thread(partial(next, responses, None))) is not None:
            yield response
        return
    async for response in await llm.astream_chat(messages, **options):
        yield response


def _native(messages: object) -> list[ChatMessage] | None:
    """Messages of LlamaIndex, without what only we have written there; `None` for those of another framework, or none."""
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


def _plain(raw: object) -> Mapping[str, Any]:
    """What a provider said, as mappings and lists."""
    if isinstance(raw, BaseModel):
        return raw.model_dump(warnings=False)
    return raw if isinstance(raw, Mapping) else {}


def _of(told: object, name: str) -> Any:
    """A field of what a provider said, as a mapping or as an object of its client."""
    return told.get(name) if isinstance(told, Mapping) else getattr(told, name, None)


def _choice(raw: object) -> Mapping[str, Any]:
    choices = _plain(raw).get("choices")
    first = choices[0] if isinstance(choices, list) and choices else {}
    return first if isinstance(first, Mapping) else {}


def _log_probability(raw: object) -> float | None:
    return mean_log_probability(_choice(raw).get("logprobs"))


def _incomplete(raw: object) -> str:
    told = {**_plain(raw), **_choice(raw)}
    return incompleteness(*(told.get(field) for field in ("finish_reason", "stop_reason", "done_reason")))


def _usage(told: Mapping[str, Any], raw: object) -> Usage:
    """Tokens, as LlamaIndex read them from the response, or as they stand in it."""
    if not any(told.get(name) for name in COUNTS):
        usage = _plain(raw).get("usage") or raw
        told = {name: next((found for each in known if (found := _of(usage, each))), 0) for name, known in _TOKENS.items()}
    read, sampled = told.get("prompt_tokens") or 0, told.get("completion_tokens") or 0
    return Usage(prompt_tokens=float(read), completion_tokens=float(sampled)) if read or sampled else NOTHING


_TOKENS = {
    "prompt_tokens": ("prompt_tokens", "input_tokens", "prompt_eval_count"),
    "completion_tokens": ("completion_tokens", "output_tokens", "eval_count"),
}
