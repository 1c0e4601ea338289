"""From LlamaIndex's messages to a `Conversation`, and from an answer back to a response."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

from uniscale_integrations.adapters.forms import calls_in, canonical
from uniscale_integrations.adapters.options import conversation_from
from uniscale_integrations.adapters.stamp import KEY, brief, model_on, search_on, stamp
from uniscale_integrations.adapters.stopping import until
from uniscale_integrations.llama_index.calling import Prompt
from uniscale_integrations.llama_index.offers import Offer
from uniscale_integrations.llama_index.prediction import PREDICTION
from uniscale_integrations.llama_index.tool_calls import blocks_of, calls_of
from uniscale_integrations.llama_index.usage import raw_with_usage, replies_of, token_counts
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.conversation import Conversation, Role, ToolCall, Turn
from uniscale_integrations.space import Configuration

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
        follows: the id by which an LLM that keeps track of its responses goes on from this one.
    """

    response: ChatResponse
    text: str
    calls: tuple[ToolCall, ...] = ()
    thinking: str = ""
    follows: str | None = None

    @classmethod
    def of(cls, response: ChatResponse, calls: Sequence[ToolCall], thinking: str = "", follows: str | None = None) -> Inner:
        """A response with the tools that it calls."""
        blocks = [block.content or "" for block in response.message.blocks if isinstance(block, ThinkingBlock)]
        text = canonical(response.message.content or "", calls)
        return cls(response, text, tuple(calls), thinking or "".join(blocks), follows)


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
    """The conversation of a call, as the search and the policy see it.

    Args:
        messages: of the call.
        options: for the inner LLM, such as `tools` and `response_format`.
        stop: texts that end the answer.
        about: the user's question, where the messages wrap it in more.
        settings: of the outer LLM, which count less than the options.
        synchronous: as of `Conversation`, likewise `streaming`.
    """
    settings, tools = settings or {}, options.get("tools")
    neutral = tools.neutral() if isinstance(tools, Offer) else {}
    defaults = {name: value for name, value in settings.items() if name not in options}
    return conversation_from(
        list(map(_turn, messages)),
        messages if isinstance(messages, Prompt) else list(messages),
        {**settings, **options, **neutral, SETTINGS: defaults},
        stop,
        media=sum(isinstance(block, MEDIA) for message in messages for block in message.blocks),
        earlier=_last_search(messages),
        about=about or "",
        schema={} if PREDICTION in options else _text_schema(options.get("text")),
        synchronous=synchronous,
        streaming=streaming,
    )


def response_of(answer: Answer, conversation: Conversation) -> ChatResponse:
    """The response of an answer: the inner model's own where that is what the path consists of, otherwise what the path says.

    Args:
        answer: the answer.
        conversation: that it belongs to.
    """
    replies = replies_of(path.payload.response for path in answer.paths if isinstance(path.payload, Inner))
    answer_stamp = {KEY: stamp(answer)}
    # On the message goes what is to come back with the history of a chat.
    message_stamp = {KEY: brief(answer_stamp[KEY])}
    additional = token_counts(answer, replies) | answer_stamp
    inner = answer.payload if isinstance(answer.payload, Inner) else None
    raw = raw_with_usage(inner.response.raw if inner else None, answer, replies)
    # Models that are not of LlamaIndex do not know the texts that end an answer.
    text = answer.text if inner is not None else until(answer.text, conversation.stop)
    if inner is not None and (inner.text == text or not (inner.text.strip() or text)):
        response = inner.response
        message = response.message.model_copy(
            update={"additional_kwargs": {**response.message.additional_kwargs, **message_stamp}}
        )
        additional = {name: value for name, value in response.additional_kwargs.items() if name != THINKING} | additional
        return ChatResponse(
            message=message, raw=raw, delta=response.delta, logprobs=response.logprobs, additional_kwargs=additional
        )
    content, calls = calls_in(text) if "tools" in conversation.required_capabilities else (text, [])
    blocks: list[ContentBlock] = [*([TextBlock(text=content)] if content or not calls else []), *blocks_of(calls)]
    message = ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks, additional_kwargs=message_stamp)
    return ChatResponse(message=message, raw=raw, additional_kwargs=additional)


def thinking_of(answer: Answer) -> str:
    """What the model that gave an answer thought before."""
    return answer.payload.thinking if isinstance(answer.payload, Inner) else ""


def _text_schema(text: object) -> Mapping[str, Any] | None:
    """The JSON schema of an answer as OpenAI's Responses API is told of it; `None` for none."""
    form = text.get("format") if isinstance(text, Mapping) else None
    schema = form.get("schema") if isinstance(form, Mapping) else None
    return schema if isinstance(schema, Mapping) else None


def _turn(message: ChatMessage) -> Turn:
    role = ROLES.get(message.role, "user")
    calls = calls_of(message) if role == "assistant" else ()
    model = model_on(message.additional_kwargs) if role == "assistant" else ""
    return Turn(role, message.content or "", calls, str(message.additional_kwargs.get("tool_call_id", "")), model)


def _last_search(messages: Sequence[ChatMessage]) -> tuple[Configuration, float | None] | None:
    """What gave the previous answer, where an engine did and the application kept its message whole."""
    answers = (message for message in reversed(messages) if ROLES.get(message.role) == "assistant")
    return next((search for answer in answers if (search := search_on(answer.additional_kwargs)) is not None), None)
