"""Answers that have a form: tool calls as text that is the same for the same calls, and whether an answer has the form asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from uniscale_integrations.answers import checks
from uniscale_integrations.concurrency.processes import in_process
from uniscale_integrations.concurrency.threads import LONG
from uniscale_integrations.search.canonical import canonical
from uniscale_integrations.search.conversation import ToolCall, Validator

__all__ = ["calls_in", "canonical", "choice_in", "fits_schema", "validator"]

SECONDS = 1.0
"""Time limit for checking one answer against a schema."""

UNBOUNDED = ('"pattern"', '"patternProperties"', '"uniqueItems"', '"$ref"', '"$dynamicRef"')
"""Keywords of schemas by which the time of a check is not bounded by the length of the text."""


def calls_in(text: str) -> tuple[str, list[ToolCall]]:
    """The text and the tool calls that `canonical` has joined; the calls are given ids.

    Example:
        >>> calls_in(canonical("Let me add.", [ToolCall("add", {"a": 1})]))
        ('Let me add.', [ToolCall(name='add', arguments={'a': 1}, id='call_0')])
        >>> calls_in("Hello")
        ('Hello', [])
    """
    parts = _canonical_parts(text)
    if parts is None:
        return text, []
    return str(parts["content"]), [
        ToolCall(call["name"], call["args"], f"call_{place}") for place, call in enumerate(parts["tool_calls"])
    ]


CHOICES = ("auto", "none", "required")
"""What `tool_choice` may be beside a tool's name."""


def choice_in(choice: object) -> str:
    """A `tool_choice` in one of `CHOICES`, or the name of the tool that must be called, whoever's words it is in.

    Example:
        >>> choice_in("any"), choice_in({"type": "function", "function": {"name": "add"}}), choice_in({"type": "tool", "name": "add"})
        ('required', 'add', 'add')
        >>> choice_in(None), choice_in({"type": "auto"}), choice_in(True)
        ('auto', 'auto', 'required')
    """
    if isinstance(choice, Mapping):
        function = choice.get("function")
        choice = (function.get("name") if isinstance(function, Mapping) else None) or choice.get("name") or choice.get("type")
    if choice in ("any", "required", True):
        return "required"
    return str(choice or "auto")


def validator(tools: Sequence[Any], choice: Any, form: Any) -> Validator | None:
    """A check that the text of an answer has the requested form; `None` where any will do.

    Args:
        tools: available tools, each as OpenAI describes functions.
        choice: a `tool_choice`, in the words of OpenAI or Anthropic.
        form: a `response_format` as OpenAI takes it.
    """
    if form is not None:
        schema = form.get("json_schema", {}).get("schema") if isinstance(form, Mapping) else None

        async def fits(text: str) -> bool:
            return await _fits(text, schema)

        return fits
    schemas = {name: function.get("parameters") for name, function in map(_function, tools) if name}
    if not schemas:
        return None
    must_call = choice_in(choice) not in ("auto", "none")

    async def calls_tools(text: str) -> bool:
        parts = _canonical_parts(text)
        if parts is None:
            return not must_call
        for call in parts["tool_calls"]:
            if call["name"] not in schemas or not await _conforms(call["args"], schemas[call["name"]], len(text)):
                return False
        return True

    return calls_tools


def fits_schema(schema: Mapping[str, Any]) -> Validator:
    """A check that the text of an answer fits a schema, as JSON or as the arguments of a tool call.

    Example:
        >>> import asyncio
        >>> fits = fits_schema({"type": "object", "required": ["setup"]})
        >>> texts = ('{"setup": "Why?"}', canonical("", [ToolCall("Joke", {"setup": "Why?"})]), "Why not?")
        >>> [asyncio.run(fits(text)) for text in texts]
        [True, True, False]
    """

    async def fits(text: str) -> bool:
        parts = _canonical_parts(text)
        if parts is None:
            return await _fits(text, schema)
        for call in parts["tool_calls"]:
            if await _conforms(call["args"], schema, len(text)):
                return True
        return False

    return fits


def _canonical_parts(text: str) -> Mapping[str, Any] | None:
    """The fields of a text that `canonical` has written; `None` for any other text, however similar."""
    parts = _json(text)
    if not isinstance(parts, Mapping) or set(parts) != {"content", "tool_calls"} or not isinstance(parts["tool_calls"], list):
        return None
    well_formed = all(
        isinstance(call, Mapping) and set(call) == {"name", "args"} and isinstance(call["name"], str)
        for call in parts["tool_calls"]
    )
    return parts if well_formed else None


def _function(tool: Any) -> tuple[str, Mapping[str, Any]]:
    function = tool.get("function", tool) if isinstance(tool, Mapping) else {}
    return str(function.get("name", "")), function


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


async def _fits(text: str, schema: Mapping[str, Any] | None) -> bool:
    value = _json(text)
    return value is not None and await _conforms(value, schema, len(text))


async def _conforms(value: Any, schema: Mapping[str, Any] | None, length: int) -> bool:
    """Whether a value fits a JSON schema; without the package that knows, whether it has what the schema requires.

    Args:
        value: what is checked.
        schema: what it is to fit.
        length: characters of the text that it was read from.

    Raises:
        NotInTime: that could not be told in time.
    """
    if not schema:
        return True
    try:
        schema_text = json.dumps(schema)
    except TypeError:
        # What no provider can be sent is checked by nobody either.
        return True
    if length > LONG or any(keyword in schema_text for keyword in UNBOUNDED):
        return bool(await in_process(checks.__name__, checks.conforms.__name__, schema_text, value, seconds=SECONDS))
    return checks.conforms(schema_text, value)
