"""From LlamaIndex's messages to a `Conversation`, and from an answer back to a response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    ChatResponse,
    ContentBlock,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.llms.utils import parse_partial_json
from llama_index.core.tools import BaseTool

from uniscale_integrations.adapters.call import conversation
from uniscale_integrations.adapters.forms import calls_in, canonical
from uniscale_integrations.adapters.stamp import KEY, brief, search_on, stamp
from uniscale_integrations.adapters.stopping import until
from uniscale_integrations.search.conversation import Call, Conversation, Role, Turn
from uniscale_integrations.search.run import Answer

ROLES: dict[MessageRole, Role] = {
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.CHATBOT: "assistant",
    MessageRole.MODEL: "assistant",
    MessageRole.SYSTEM: "system",
    MessageRole.DEVELOPER: "system",
    MessageRole.TOOL: "tool",
    MessageRole.FUNCTION: "tool",
}
"""The role of each; others speak for the user."""

MEDIA = (ImageBlock, AudioBlock, VideoBlock, DocumentBlock)
"""Blocks that are not text."""

COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
"""What responses say of their tokens, among `additional_kwargs`."""


class OfferedTool(dict[str, Any]):
    """A tool as OpenAI describes functions, which still knows the tool that it describes, for models that want it otherwise.

    Args:
        tool: the tool.
    """

    def __init__(self, tool: BaseTool) -> None:
        super().__init__(tool.metadata.to_openai_tool(skip_length_check=True))
        self.tool = tool


def conversation_of(
    messages: Sequence[ChatMessage], options: Mapping[str, Any], stop: Sequence[str] = (), about: str | None = None
) -> Conversation:
    """What LlamaIndex asks, as the search and the policy see it.

    Args:
        messages: of the call.
        options: what the call said beside them, such as `tools` and `response_format`.
        stop: texts that end the answer.
        about: the question that the call is about, where the messages wrap it in more.
    """
    media = any(isinstance(block, MEDIA) for message in messages for block in message.blocks)
    turns = list(map(_turn, messages))
    return conversation(turns, messages, options, stop, media=media, earlier=_earlier(messages), about=about or "")


def calls_of(message: ChatMessage) -> tuple[Call, ...]:
    """The tools that a message calls, whether it says so in its blocks or, as older models do, beside them."""
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if blocks:
        return tuple(Call(block.tool_name, _arguments(block.tool_kwargs), block.tool_call_id or "") for block in blocks)
    return tuple(map(_older, message.additional_kwargs.get("tool_calls") or ()))


def text_of(message: ChatMessage) -> str:
    """What a message says, tool calls included, the same for messages that say the same."""
    return canonical(message.content or "", calls_of(message))


def blocks_of(calls: Sequence[Call]) -> list[ContentBlock]:
    """Tool calls as blocks of a message."""
    return [ToolCallBlock(tool_call_id=call.id, tool_name=call.name, tool_kwargs=dict(call.arguments)) for call in calls]


def response_of(answer: Answer, asked: Conversation, delta: str | None = None) -> ChatResponse:
    """The response of an answer: the inner model's own where that is what the path consists of, otherwise what the path says.

    Args:
        answer: the answer.
        asked: what was asked.
        delta: of a stream: what had not been shown yet.
    """
    read, sampled = map(round, answer.ledger.tokens)
    stamped = {KEY: stamp(answer)}
    carried = {KEY: brief(stamped[KEY])}
    told = dict(zip(COUNTS, (read, sampled, read + sampled), strict=True)) | stamped
    inner = answer.payload if isinstance(answer.payload, ChatResponse) else None
    text = said_in(answer, asked)
    if inner is not None and text_of(inner.message) == answer.text == text:
        message = inner.message.model_copy(update={"additional_kwargs": {**inner.message.additional_kwargs, **carried}})
        more = {name: value for name, value in inner.additional_kwargs.items() if name not in COUNTS}
        return ChatResponse(message=message, raw=inner.raw, delta=delta, logprobs=inner.logprobs, additional_kwargs={**more, **told})
    said, calls = calls_in(text) if "tools" in asked.needs else (text, [])
    blocks = [*([TextBlock(text=said)] if said or not calls else []), *blocks_of(calls)]
    message = ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks, additional_kwargs=carried)
    return ChatResponse(message=message, raw=inner.raw if inner else None, delta=delta, additional_kwargs=told)


def said_in(answer: Answer, asked: Conversation) -> str:
    """An answer's text up to what ends it, which models of this process do not know; tool calls are no text."""
    inner = answer.payload
    if isinstance(inner, ChatResponse) and calls_of(inner.message):
        return answer.text
    return until(answer.text, asked.stop)


def _turn(message: ChatMessage) -> Turn:
    role = ROLES.get(message.role, "user")
    calls = calls_of(message) if role == "assistant" else ()
    return Turn(role, message.content or "", calls, str(message.additional_kwargs.get("tool_call_id", "")))


def _earlier(messages: Sequence[ChatMessage]) -> Any:
    """What gave the last answer, where an engine did and the application kept its message whole."""
    answers = (message for message in reversed(messages) if ROLES.get(message.role) == "assistant")
    return next((found for answer in answers if (found := search_on(answer.additional_kwargs)) is not None), None)


def _older(call: Any) -> Call:
    """A call as OpenAI's client or its JSON gives it."""
    if isinstance(call, Mapping):
        function = call.get("function", call)
        return Call(str(function.get("name", "")), _arguments(function.get("arguments")), str(call.get("id", "")))
    return Call(str(call.function.name), _arguments(call.function.arguments), str(call.id or ""))


def _arguments(told: object) -> Mapping[str, Any]:
    """The arguments of a call, also of one that is still being made."""
    if isinstance(told, Mapping):
        return told
    try:
        found = parse_partial_json(str(told))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
