"""From LlamaIndex's messages to a `Conversation`, and from an answer back to a response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
    ThinkingBlock,
    VideoBlock,
)

from uniscale_integrations.adapters.call import conversation
from uniscale_integrations.adapters.forms import calls_in, canonical
from uniscale_integrations.adapters.stamp import KEY, brief, search_on, stamp
from uniscale_integrations.adapters.stopping import until
from uniscale_integrations.llama_index.calling import Prompt
from uniscale_integrations.llama_index.offers import Offer
from uniscale_integrations.llama_index.tool_calls import blocks_of, calls_of
from uniscale_integrations.llama_index.usage import counted, replies_of, whole
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

SETTINGS = "uniscale_settings"
"""The option under which a `UniScaleLLM`'s own settings go along, which count less than what a call says."""

THINKING = "thinking_delta"
"""Under which streams tell what is new of a model's thinking, among `additional_kwargs`."""


@dataclass(frozen=True, slots=True)
class Inner:
    """What an inner LLM gave.

    Attributes:
        response: its response, the last one of a stream.
        text: what that says, tool calls included.
        calls: the tools that it calls.
        thinking: what the model thought before.
    """

    response: ChatResponse
    text: str
    calls: tuple[Call, ...] = ()
    thinking: str = ""

    @classmethod
    def of(cls, response: ChatResponse, calls: Sequence[Call], thinking: str = "") -> Inner:
        """A response with the tools that it calls."""
        blocks = [block.content or "" for block in response.message.blocks if isinstance(block, ThinkingBlock)]
        return cls(response, canonical(response.message.content or "", calls), tuple(calls), thinking or "".join(blocks))


def conversation_of(
    messages: Sequence[ChatMessage],
    options: Mapping[str, Any],
    stop: Sequence[str] = (),
    about: str | None = None,
    *,
    settings: Mapping[str, Any] | None = None,
    synchronous: bool = False,
    streaming: bool = False,
) -> Conversation:
    """What LlamaIndex asks, as the search and the policy see it.

    Args:
        messages: of the call.
        options: what the call said beside them, such as `tools` and `response_format`; the inner LLM is handed the same.
        stop: texts that end the answer.
        about: the question that the call is about, where the messages wrap it in more.
        settings: of the outer LLM, where the call does not say otherwise.
        synchronous: as of `Conversation`, likewise `streaming`.
    """
    tools = options.get("tools")
    said = {**(settings or {}), **options, **(tools.neutral() if isinstance(tools, Offer) else {})}
    asked = conversation(
        list(map(_turn, messages)),
        messages,
        said,
        stop,
        media=any(isinstance(block, MEDIA) for message in messages for block in message.blocks),
        earlier=_earlier(messages),
        about=about or "",
        synchronous=synchronous,
        streaming=streaming,
    )
    less = {name: value for name, value in (settings or {}).items() if name not in options}
    return replace(
        asked, messages=messages if isinstance(messages, Prompt) else asked.messages, options={**asked.options, SETTINGS: less}
    )


def response_of(answer: Answer, asked: Conversation, delta: str | None = None) -> ChatResponse:
    """The response of an answer: the inner model's own where that is what the path consists of, otherwise what the path says.

    Args:
        answer: the answer.
        asked: what was asked.
        delta: of a stream: what had not been shown yet.
    """
    replies = replies_of(path.payload.response for path in answer.paths if isinstance(path.payload, Inner))
    stamped = {KEY: stamp(answer)}
    carried = {KEY: brief(stamped[KEY])}
    told = counted(answer, replies) | stamped
    inner = answer.payload if isinstance(answer.payload, Inner) else None
    raw = whole(inner.response.raw if inner else None, answer, replies)
    text = said_in(answer, asked)
    if inner is not None and (inner.text == answer.text == text or not (inner.text.strip() or answer.text)):
        response = inner.response
        message = response.message.model_copy(update={"additional_kwargs": {**response.message.additional_kwargs, **carried}})
        beside = {name: value for name, value in response.additional_kwargs.items() if name != THINKING} | told
        said_last = response.delta if delta is None else delta
        return ChatResponse(message=message, raw=raw, delta=said_last, logprobs=response.logprobs, additional_kwargs=beside)
    said, calls = calls_in(text) if "tools" in asked.required_capabilities else (text, [])
    blocks: list[ContentBlock] = [*([TextBlock(text=said)] if said or not calls else []), *blocks_of(calls)]
    message = ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks, additional_kwargs=carried)
    return ChatResponse(message=message, raw=raw, delta=delta, additional_kwargs=told)


def thought_in(answer: Answer) -> str:
    """What the model that gave an answer thought before."""
    return answer.payload.thinking if isinstance(answer.payload, Inner) else ""


def said_in(answer: Answer, asked: Conversation) -> str:
    """An answer's text up to what ends it, which models of this process do not know; LLMs of LlamaIndex were told."""
    return answer.text if isinstance(answer.payload, Inner) else until(answer.text, asked.stop)


def _turn(message: ChatMessage) -> Turn:
    role = ROLES.get(message.role, "user")
    calls = calls_of(message) if role == "assistant" else ()
    return Turn(role, message.content or "", calls, str(message.additional_kwargs.get("tool_call_id", "")))


def _earlier(messages: Sequence[ChatMessage]) -> Any:
    """What gave the last answer, where an engine did and the application kept its message whole."""
    answers = (message for message in reversed(messages) if ROLES.get(message.role) == "assistant")
    return next((found for answer in answers if (found := search_on(answer.additional_kwargs)) is not None), None)
