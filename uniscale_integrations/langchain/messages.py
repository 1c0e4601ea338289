"""From LangChain's messages to a `Conversation`, and from an answer back to a message."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.langchain.stopping import until
from uniscale_integrations.search.conversation import Conversation, Role, Turn
from uniscale_integrations.search.run import Answer
from uniscale_integrations.space import Configuration

ROLES: dict[str, Role] = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool", "function": "tool"}
"""The role of each type of message; others speak for the user."""

MEDIA = ("image", "image_url", "audio", "input_audio", "video", "file", "document", "media")
"""Types of content blocks that are not text."""


def conversation_of(messages: Sequence[BaseMessage], options: Mapping[str, Any], stop: Sequence[str] = ()) -> Conversation:
    """What LangChain asks, as the search and the policy see it.

    Args:
        messages: of the call.
        options: what the call said beside them, such as `tools` and `response_format`; given to the inner model as it is.
        stop: texts that end the answer.
    """
    tools, form = options.get("tools") or [], options.get("response_format")
    needs: set[str] = set()
    if tools:
        needs.add("tools")
    if form is not None:
        needs.add("structure")
    if any(_has_media(message) for message in messages):
        needs.add("images")
    turns = tuple(Turn(ROLES.get(message.type, "user"), str(message.text)) for message in messages)
    return Conversation(
        turns,
        list(messages),
        dict(options),
        bool(tools) or form is not None,
        frozenset(needs),
        _valid(tools, options.get("tool_choice"), form),
        tuple(stop),
        _earlier(messages),
    )


def text_of(message: AIMessage) -> str:
    """What a message says, tool calls included, the same for messages that say the same.

    Example:
        >>> text_of(AIMessage("", tool_calls=[{"name": "add", "args": {"b": 2, "a": 1}, "id": "x"}]))
        '{"content": "", "tool_calls": [{"args": {"a": 1, "b": 2}, "name": "add"}]}'
    """
    if not message.tool_calls:
        return str(message.text)
    calls = [{"name": call["name"], "args": call["args"]} for call in message.tool_calls]
    return json.dumps({"content": str(message.text), "tool_calls": calls}, sort_keys=True, ensure_ascii=False)


def shortened(answer: Answer, stop: Sequence[str]) -> str:
    """An answer's text up to what ends it, which models of this process do not know; tool calls are no text."""
    if isinstance(answer.payload, AIMessage) and answer.payload.tool_calls:
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
    return AIMessageChunk(content=message.content, additional_kwargs=message.additional_kwargs, tool_call_chunks=calls)


def not_text(message: AIMessage) -> AIMessageChunk | None:
    """What a message holds beside its text and tool calls, as a chunk; `None` for nothing."""
    blocks = [] if isinstance(message.content, str) else [each for each in message.content if not _is_text(each)]
    if not blocks and not message.additional_kwargs:
        return None
    return AIMessageChunk(content=blocks or "", additional_kwargs=message.additional_kwargs)


def message_of(answer: Answer, text: str) -> AIMessage:
    """The message of an answer: the inner model's own where that is what the path consists of, otherwise the path's text."""
    inner = answer.payload
    if isinstance(inner, AIMessage) and text_of(inner) == answer.text == text:
        # The outer run gives the id.
        return inner.model_copy(update={"id": None})
    return AIMessage(text)


def described(answer: Answer) -> dict[str, Any]:
    """What `response_metadata["uniscale"]` says of an answer."""
    configuration = answer.configuration
    model, (qp, cp, bs) = configuration.model, configuration.shape
    return {
        "decision_id": answer.decision_id,
        "configuration": {"model": model, "qp": qp, "cp": cp, "bs": bs},
        "score": answer.score,
        "ledger": answer.ledger.as_dict(),
        "cut": answer.cut,
        "notes": list(answer.notes),
    }


def metadata_of(answer: Answer) -> dict[str, Any]:
    """What the provider told of its answer, and how that came about."""
    inner = answer.payload.response_metadata if isinstance(answer.payload, AIMessage) else {}
    return {"model_name": answer.configuration.model, **inner, "uniscale": described(answer)}


def usage_of(answer: Answer) -> UsageMetadata:
    """Tokens of the whole search, verifier included; as the provider detailed them where its one reply was all."""
    read, sampled = map(round, answer.ledger.tokens)
    inner = answer.payload.usage_metadata if isinstance(answer.payload, AIMessage) else None
    if inner is not None and (inner["input_tokens"], inner["output_tokens"]) == (read, sampled):
        return inner
    return UsageMetadata(input_tokens=read, output_tokens=sampled, total_tokens=read + sampled)


def _earlier(messages: Sequence[BaseMessage]) -> tuple[Configuration, float | None] | None:
    """What gave the last answer, where an engine did and the application kept its message whole."""
    for message in reversed(messages):
        told = message.response_metadata.get("uniscale") if isinstance(message, AIMessage) else None
        if isinstance(told, Mapping) and isinstance(told.get("configuration"), Mapping):
            return _configured(told["configuration"], told.get("score"))
    return None


def _configured(told: Mapping[str, Any], score: object) -> tuple[Configuration, float | None] | None:
    """What a stored message says of its search; `None` where somebody else has written something else there."""
    try:
        configuration = Configuration(**told)
    except (TypeError, ConfigurationError):
        return None
    return configuration, float(score) if isinstance(score, (int, float)) and 0.0 <= score <= 1.0 else None


def _has_media(message: BaseMessage) -> bool:
    if isinstance(message, ToolMessage) or isinstance(message.content, str):
        return False
    return any(isinstance(block, Mapping) and block.get("type") in MEDIA for block in message.content)


def _is_text(block: object) -> bool:
    return isinstance(block, str) or (isinstance(block, Mapping) and block.get("type") == "text")


def _valid(tools: Sequence[Any], choice: Any, form: Any) -> Callable[[str], bool] | None:
    """Whether the text of an answer has the form that was asked for; `None` where any has."""
    if form is not None:
        schema = form.get("json_schema", {}).get("schema") if isinstance(form, Mapping) else None
        return lambda text: _fits(text, schema)
    schemas = {name: function.get("parameters") for name, function in map(_function, tools) if name}
    if not schemas:
        return None
    required = choice in ("any", "required", True) or isinstance(choice, Mapping) or (isinstance(choice, str) and choice in schemas)

    def called(text: str) -> bool:
        calls = _parsed(text)
        if not isinstance(calls, Mapping) or "tool_calls" not in calls:
            return not required
        return all(call["name"] in schemas and _conforms(call["args"], schemas[call["name"]]) for call in calls["tool_calls"])

    return called


def _function(tool: Any) -> tuple[str, Mapping[str, Any]]:
    function = tool.get("function", tool) if isinstance(tool, Mapping) else {}
    return str(function.get("name", "")), function


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _fits(text: str, schema: Mapping[str, Any] | None) -> bool:
    found = _parsed(text)
    return found is not None and _conforms(found, schema)


def _conforms(value: Any, schema: Mapping[str, Any] | None) -> bool:
    """Whether a value fits a JSON schema; without the package that knows, whether it has what the schema requires."""
    if not schema:
        return True
    try:
        from jsonschema import Draft202012Validator
    except ImportError:
        return isinstance(value, Mapping) and all(name in value for name in schema.get("required", ()))
    try:
        return bool(Draft202012Validator(schema).is_valid(value))
    except Exception:
        # Schemas may hold what this validator does not understand, such as patterns of another dialect. What cannot be checked passes.
        return True
