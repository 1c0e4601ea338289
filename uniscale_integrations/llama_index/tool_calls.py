"""The tools that an LLM's response calls, whichever provider's words it is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ContentBlock, ToolCallBlock
from llama_index.core.llms.llm import LLM
from llama_index.core.llms.utils import parse_partial_json

from uniscale_integrations.search.conversation import ToolCall

RAW = "unread"
"""The only argument of a call whose arguments could not be parsed: their text."""

NAMES = ("name", "tool_name")
ARGUMENTS = ("arguments", "tool_kwargs", "input", "parameters", "args")
IDS = ("id", "tool_id", "toolUseId", "tool_call_id")
"""What providers and LlamaIndex call the parts of a call."""


def calls_of(message: ChatMessage) -> tuple[ToolCall, ...]:
    """The tools that a message calls, whether it says so in its blocks or, as older models do, beside them."""
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if blocks:
        return tuple(ToolCall(block.tool_name, arguments_of(block.tool_kwargs), block.tool_call_id or "") for block in blocks)
    beside = message.additional_kwargs.get("tool_calls")
    return tuple(map(_call, beside)) if isinstance(beside, (list, tuple)) else ()


def calls_by(llm: LLM, response: ChatResponse) -> tuple[ToolCall, ...]:
    """The tools that an LLM's own response calls, as that LLM itself reads them where LlamaIndex's blocks do not say.

    Raises:
        Exception: what the LLM raised, of calls that are there.
    """
    message = response.message
    if any(isinstance(block, ToolCallBlock) for block in message.blocks) or not hasattr(llm, "get_tool_calls_from_response"):
        return calls_of(message)
    try:
        selections = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    except Exception:
        # Some raise where there is none, whatever they are told.
        if message.additional_kwargs.get("tool_calls"):
            raise
        return ()
    calls = tuple(ToolCall(each.tool_name, arguments_of(each.tool_kwargs), each.tool_id or "") for each in selections)
    return calls or calls_of(message)


def blocks_of(calls: Sequence[ToolCall]) -> list[ContentBlock]:
    """Tool calls as blocks of a message."""
    return [
        ToolCallBlock(tool_call_id=call.id, tool_name=call.name, tool_kwargs=_raw_arguments(call) or dict(call.arguments))
        for call in calls
    ]


def parse_error(calls: Sequence[ToolCall]) -> str | None:
    """What is wrong with calls of which one has arguments that cannot be parsed; `None` where all can be."""
    for call in calls:
        if (text := _raw_arguments(call)) is not None:
            return f"the arguments of the tool {call.name!r} are no JSON object: {text:.200}"
    return None


def arguments_of(value: object) -> Mapping[str, Any]:
    """The arguments of a call, also of one that is still being streamed; see `RAW`."""
    if isinstance(value, Mapping):
        return value
    if value is None or value == "":
        return {}
    try:
        arguments = parse_partial_json(str(value))
    except (ValueError, RecursionError):
        arguments = None
    return arguments if isinstance(arguments, dict) else {RAW: str(value)}


def _raw_arguments(call: ToolCall) -> str | None:
    return str(call.arguments[RAW]) if set(call.arguments) == {RAW} else None


def _call(value: Any) -> ToolCall:
    """A call as some provider's client, its JSON or LlamaIndex gives it."""
    function = _part(value, ("function",), None) or value
    arguments = _part(function, ARGUMENTS, None)
    return ToolCall(str(_part(function, NAMES, "")), arguments_of(arguments), str(_part(value, IDS, "") or ""))


def _part(parent: Any, names: Sequence[str], default: Any) -> Any:
    """The value under the first of some names that exists."""
    for name in names:
        value = parent.get(name) if isinstance(parent, Mapping) else getattr(parent, name, None)
        if value is not None:
            return value
    return default
