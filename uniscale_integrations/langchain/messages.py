"""From LangChain's messages to a `Conversation`, and from an answer back to a message."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk

from uniscale_integrations.adapters.forms import calls_in, canonical
from uniscale_integrations.adapters.options import conversation_from
from uniscale_integrations.adapters.stamp import KEY, model_on, search_on, stamp
from uniscale_integrations.adapters.stopping import until
from uniscale_integrations.langchain.offers import FORM_OPTION, StructuredOutput
from uniscale_integrations.langchain.usage import provider_counts
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.conversation import Conversation, Role, ToolCall, Turn
from uniscale_integrations.space import Configuration

ROLES: dict[str, Role] = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool", "function": "tool"}
"""The role of each type of message; others speak for the user."""

MEDIA = ("image", "image_url", "input_image", "audio", "input_audio", "video", "file", "input_file", "document", "media")
"""Types of content blocks that are not text."""

FORM = ("output_version", "model_provider")
"""Of a message's metadata, what says how its content blocks are to be read."""

RUNS = ("run-", "lc_")
"""What the ids begin with that LangChain gives to messages."""


def conversation_of(
    messages: Sequence[BaseMessage],
    options: Mapping[str, Any],
    stop: Sequence[str] = (),
    *,
    synchronous: bool = False,
    streaming: bool = False,
) -> Conversation:
    """The conversation of a call, as the search and the policy see it.

    Args:
        messages: of the call.
        options: for the inner model, such as `tools` and `response_format`.
        stop: texts that end the answer.
        synchronous: as of `Conversation`, likewise `streaming`.
    """
    form = options.get(FORM_OPTION)
    if isinstance(form, StructuredOutput):
        options = {**options, **form.options()}
    return conversation_from(
        list(map(_turn, messages)),
        list(messages),
        options,
        stop,
        media=sum(map(_media, messages)),
        earlier=_last_search(messages),
        schema=form.json_schema if isinstance(form, StructuredOutput) else None,
        synchronous=synchronous,
        streaming=streaming,
    )


def text_of(message: AIMessage) -> str:
    """A message as text, tool calls included; equal for messages that say the same."""
    return canonical(str(message.text), _calls(message))


def chunk_of(message: AIMessage) -> AIMessageChunk:
    """A message as the one chunk of a stream."""
    calls = [
        tool_call_chunk(name=call["name"], args=json.dumps(call["args"], ensure_ascii=False), id=call["id"], index=place)
        for place, call in enumerate(message.tool_calls)
    ]
    calls += [
        tool_call_chunk(name=call["name"], args=call["args"], id=call["id"], index=len(calls) + place)
        for place, call in enumerate(message.invalid_tool_calls)
    ]
    more: dict[str, Any] = {"additional_kwargs": message.additional_kwargs, "response_metadata": form_of(message)}
    return AIMessageChunk(content=message.content, name=message.name, tool_call_chunks=calls, id=message.id, **more)


def provider_id(message: AIMessage) -> str | None:
    """The id that a provider gave to a message, as OpenAI's Responses API does; `None` for one of LangChain's own."""
    return None if message.id is None or message.id.startswith(RUNS) else message.id


def form_of(message: AIMessage) -> dict[str, Any]:
    """The metadata by which the content blocks of a message are read."""
    return {name: message.response_metadata[name] for name in FORM if name in message.response_metadata}


def not_text(message: AIMessage) -> AIMessageChunk | None:
    """What a message holds beside its text and tool calls, as a chunk; `None` for nothing."""
    blocks = [] if isinstance(message.content, str) else [each for each in message.content if not _is_text(each)]
    if not blocks and not message.additional_kwargs:
        return None
    return AIMessageChunk(content=blocks or "", additional_kwargs=message.additional_kwargs, response_metadata=form_of(message))


def message_of(answer: Answer, conversation: Conversation) -> AIMessage:
    """The message of an answer: the inner model's own where that is what the path consists of, otherwise what the path says."""
    inner, text = answer.payload, answer.text
    if isinstance(inner, AIMessage):
        inner_text = text_of(inner)
        if inner_text == text or not (inner_text.strip() or text):
            return inner.model_copy(update={"id": provider_id(inner)})
        if isinstance(inner.content, str) and not inner.tool_calls:
            # The last step of several; what its provider says beside the text holds for the whole.
            return inner.model_copy(update={"id": None, "content": text})
    else:
        # Models that are not of LangChain do not know the texts that end an answer.
        text = until(text, conversation.stop)
    if "tools" not in conversation.required_capabilities:
        return AIMessage(text)
    content, calls = calls_in(text)
    return AIMessage(content, tool_calls=[{"name": call.name, "args": dict(call.arguments), "id": call.id} for call in calls])


def metadata_of(answer: Answer) -> dict[str, Any]:
    """The provider's metadata, with its counts summed over the whole search, and the decision behind the answer."""
    inner = answer.payload.response_metadata if isinstance(answer.payload, AIMessage) else {"finish_reason": answer.finish_reason}
    return {"model_name": answer.configuration.model, **inner, **provider_counts(answer), KEY: stamp(answer)}


def _calls(message: BaseMessage) -> tuple[ToolCall, ...]:
    if not isinstance(message, AIMessage):
        return ()
    return tuple(ToolCall(call["name"], call["args"], call["id"] or "") for call in message.tool_calls)


def _turn(message: BaseMessage) -> Turn:
    call_id = message.tool_call_id if isinstance(message, ToolMessage) else ""
    model = model_on(message.response_metadata) if isinstance(message, AIMessage) else ""
    return Turn(ROLES.get(message.type, "user"), str(message.text), _calls(message), call_id, model)


def _last_search(messages: Sequence[BaseMessage]) -> tuple[Configuration, float | None] | None:
    """What gave the previous answer, where an engine did and the application kept its message whole."""
    answers = (message for message in reversed(messages) if isinstance(message, AIMessage))
    return next((search for answer in answers if (search := search_on(answer.response_metadata)) is not None), None)


def _media(message: BaseMessage) -> int:
    if isinstance(message, ToolMessage) or isinstance(message.content, str):
        return 0
    return sum(isinstance(block, Mapping) and block.get("type") in MEDIA for block in message.content)


def _is_text(block: object) -> bool:
    return isinstance(block, str) or (isinstance(block, Mapping) and block.get("type") == "text")
