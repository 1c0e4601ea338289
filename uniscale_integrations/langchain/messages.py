"""From LangChain's messages to a `Conversation`, and from an answer back to a message."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk

from uniscale_integrations.adapters.call import conversation
from uniscale_integrations.adapters.forms import calls_in, canonical
from uniscale_integrations.adapters.stamp import KEY, search_on, stamp
from uniscale_integrations.adapters.stopping import until
from uniscale_integrations.langchain.offers import STRUCTURED, StructuredOutput
from uniscale_integrations.langchain.usage import counted
from uniscale_integrations.search.conversation import Call, Conversation, Role, Turn
from uniscale_integrations.search.run import Answer
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
    """What LangChain asks, as the search and the policy see it.

    Args:
        messages: of the call.
        options: what the call said beside them, such as `tools` and `response_format`; given to the inner model as it is.
        stop: texts that end the answer.
        synchronous: as of `Conversation`, likewise `streaming`.
    """
    form = options.get(STRUCTURED)
    if isinstance(form, StructuredOutput):
        options = {**options, **form.options()}
    return conversation(
        list(map(_turn, messages)),
        messages,
        options,
        stop,
        media=any(map(_has_media, messages)),
        earlier=_earlier(messages),
        fills=form.json_schema if isinstance(form, StructuredOutput) else None,
        synchronous=synchronous,
        streaming=streaming,
    )


def text_of(message: AIMessage) -> str:
    """What a message says, tool calls included, the same for messages that say the same."""
    return canonical(str(message.text), _calls(message))


def shortened(answer: Answer, stop: Sequence[str]) -> str:
    """An answer's text up to what ends it, which models of this process do not know; those of LangChain were told."""
    if isinstance(answer.payload, AIMessage):
        return answer.text
    return until(answer.text, stop)


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
    told: dict[str, Any] = {"additional_kwargs": message.additional_kwargs, "response_metadata": form_of(message)}
    return AIMessageChunk(content=message.content, tool_call_chunks=calls, id=message.id, **told)


def own_id(message: AIMessage) -> str | None:
    """The id that a provider gave to a message, as OpenAI's Responses API does; others are given that of the run."""
    return None if message.id is None or message.id.startswith(RUNS) else message.id


def form_of(message: AIMessage) -> dict[str, Any]:
    """What a message says of the form of its content, without which its blocks are not understood."""
    return {name: message.response_metadata[name] for name in FORM if name in message.response_metadata}


def not_text(message: AIMessage) -> AIMessageChunk | None:
    """What a message holds beside its text and tool calls, as a chunk; `None` for nothing."""
    blocks = [] if isinstance(message.content, str) else [each for each in message.content if not _is_text(each)]
    if not blocks and not message.additional_kwargs:
        return None
    return AIMessageChunk(content=blocks or "", additional_kwargs=message.additional_kwargs, response_metadata=form_of(message))


def message_of(answer: Answer, text: str, asked: Conversation) -> AIMessage:
    """The message of an answer: the inner model's own where that is what the path consists of, otherwise what the path says."""
    inner = answer.payload
    if isinstance(inner, AIMessage) and (text_of(inner) == answer.text == text or not (text_of(inner).strip() or answer.text)):
        return inner.model_copy(update={"id": own_id(inner)})
    if isinstance(inner, AIMessage) and isinstance(inner.content, str) and not inner.tool_calls:
        # The last step of several; what its provider says beside the text holds for the whole.
        return inner.model_copy(update={"id": None, "content": text})
    if "tools" not in asked.required_capabilities:
        return AIMessage(text)
    # The inner model is not one of LangChain.
    said, calls = calls_in(text)
    return AIMessage(said, tool_calls=[{"name": call.name, "args": dict(call.arguments), "id": call.id} for call in calls])


def metadata_of(answer: Answer) -> dict[str, Any]:
    """What the provider told of its answer, with what it counted for the whole search, and how that came about."""
    inner = answer.payload.response_metadata if isinstance(answer.payload, AIMessage) else {"finish_reason": answer.finish_reason}
    return {"model_name": answer.configuration.model, **inner, **counted(answer), KEY: stamp(answer)}


def _calls(message: BaseMessage) -> tuple[Call, ...]:
    if not isinstance(message, AIMessage):
        return ()
    return tuple(Call(call["name"], call["args"], call["id"] or "") for call in message.tool_calls)


def _turn(message: BaseMessage) -> Turn:
    answers = message.tool_call_id if isinstance(message, ToolMessage) else ""
    return Turn(ROLES.get(message.type, "user"), str(message.text), _calls(message), answers)


def _earlier(messages: Sequence[BaseMessage]) -> tuple[Configuration, float | None] | None:
    """What gave the last answer, where an engine did and the application kept its message whole."""
    answers = (message for message in reversed(messages) if isinstance(message, AIMessage))
    return next((found for answer in answers if (found := search_on(answer.response_metadata)) is not None), None)


def _has_media(message: BaseMessage) -> bool:
    if isinstance(message, ToolMessage) or isinstance(message.content, str):
        return False
    return any(isinstance(block, Mapping) and block.get("type") in MEDIA for block in message.content)


def _is_text(block: object) -> bool:
    return isinstance(block, str) or (isinstance(block, Mapping) and block.get("type") == "text")
