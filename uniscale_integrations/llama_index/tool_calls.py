"""The tools that an LLM's response calls, whichever provider's words it is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ContentBlock, ToolCallBlock
from llama_index.core.llms.llm import LLM
from llama_index.core.llms.utils import parse_partial_json

from uniscale_integrations.search.conversation import Call

UNREAD = "unread"
"""The only name among the arguments of a call whose arguments nobody could read; they stand there as the text that they are."""

NAMES = ("name", "tool_name")
ARGUMENTS = ("arguments", "tool_kwargs", "input", "parameters", "args")
IDS = ("id", "tool_id", "toolUseId", "tool_call_id")
"""What providers and LlamaIndex call the parts of a call."""


def calls_of(message: ChatMessage) -> tuple[Call, ...]:
    """The tools that a message calls, whether it says so in its blocks or, as older models do, beside them."""
    blocks = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if blocks:
        return tuple(Call(block.tool_name, arguments_of(block.tool_kwargs), block.tool_call_id or "") for block in blocks)
    beside = message.additional_kwargs.get("tool_calls")
    return tuple(map(_call, beside)) if isinstance(beside, (list, tuple)) else ()


def calls_by(llm: LLM, response: ChatResponse) -> tuple[Call, ...]:
    """The tools that an LLM's own response calls, as that LLM itself reads them where LlamaIndex's blocks do not say.

    Raises:
        Exception: what the LLM raised, of calls that are there.
    """
    message = response.message
    if any(isinstance(block, ToolCallBlock) for block in message.blocks) or not hasattr(llm, "get_tool_calls_from_response"):
        return calls_of(message)
    try:
        selected = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    except Exception:
        # Some raise where there is none, whatever they are told.
        if message.additional_kwargs.get("tool_calls"):
            raise
        return ()
    calls = tuple(Call(each.tool_name, arguments_of(each.tool_kwargs), each.tool_id or "") for each in selected)
    return calls or calls_of(message)


def blocks_of(calls: Sequence[Call]) -> list[ContentBlock]:
    """Tool calls as blocks of a message."""
    return [
        ToolCallBlock(tool_call_id=call.id, tool_name=call.name, tool_kwargs=_unread(call) or dict(call.arguments))
        for call in calls
    ]


def unreadable(calls: Sequence[Call]) -> str | None:
    """What is wrong with calls of which one has arguments that nobody could read; `None` where all can be."""
    for call in calls:
        if (text := _unread(call)) is not None:
            return f"the arguments of the tool {call.name!r} are no JSON object: {text:.200}"
    return None


def arguments_of(told: object) -> Mapping[str, Any]:
    """The arguments of a call, also of one that is still being made; see `UNREAD`."""
    if isinstance(told, Mapping):
        return told
    if told is None or told == "":
        return {}
    try:
        found = parse_partial_json(str(told))
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {UNREAD: str(told)}


def _unread(call: Call) -> str | None:
    return str(call.arguments[UNREAD]) if set(call.arguments) == {UNREAD} else None


def _call(told: Any) -> Call:
    """A call as some provider's client, its JSON or LlamaIndex gives it."""
    function = _part(told, ("function",), None) or told
    arguments = _part(function, ARGUMENTS, None)
    return Call(str(_part(function, NAMES, "")), arguments_of(arguments), str(_part(told, IDS, "") or ""))


def _part(told: Any, names: Sequence[str], default: Any) -> Any:
    """What stands under the first of some names that is there."""
    for name in names:
        found = told.get(name) if isinstance(told, Mapping) else getattr(told, name, None)
        if found is not None:
            return found
    return default
