"""Answers that have a form: tool calls as text that is the same for the same calls, and whether an answer has the form asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from uniscale_integrations.answers import checks
from uniscale_integrations.concurrency.processes import in_process
from uniscale_integrations.concurrency.threads import LONG
from uniscale_integrations.search.conversation import Call, Validator

SECONDS = 1.0
"""In which one answer is checked against a schema."""

MAY_TAKE_LONG = ('"pattern"', '"patternProperties"', '"uniqueItems"', '"$ref"', '"$dynamicRef"')
"""Keywords of schemas by which the time of a check is not bounded by the length of the text."""


def canonical(text: str, calls: Sequence[Call]) -> str:
    """What an answer says, tool calls included, the same for answers that say the same.

    Example:
        >>> canonical("", [Call("add", {"b": 2, "a": 1}, "x")])
        '{"content": "", "tool_calls": [{"args": {"a": 1, "b": 2}, "name": "add"}]}'
    """
    if not calls:
        return text
    said = [{"name": call.name, "args": call.arguments} for call in calls]
    return json.dumps({"content": text, "tool_calls": said}, sort_keys=True, ensure_ascii=False, default=str)


def calls_in(text: str) -> tuple[str, list[Call]]:
    """What `canonical` has put together: the text, and the calls, which are given ids.

    Example:
        >>> calls_in(canonical("Let me add.", [Call("add", {"a": 1})]))
        ('Let me add.', [Call(name='add', arguments={'a': 1}, id='call_0')])
        >>> calls_in("Hello")
        ('Hello', [])
    """
    told = _called(text)
    if told is None:
        return text, []
    return str(told["content"]), [
        Call(call["name"], call["args"], f"call_{place}") for place, call in enumerate(told["tool_calls"])
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


def validity(tools: Sequence[Any], choice: Any, form: Any) -> Validator | None:
    """What tells whether the text of an answer has the form that was asked for; `None` where any has.

    Args:
        tools: that were offered, each as OpenAI describes functions.
        choice: which must be called, in the words of OpenAI or Anthropic.
        form: a `response_format` as OpenAI takes it.
    """
    if form is not None:
        schema = form.get("json_schema", {}).get("schema") if isinstance(form, Mapping) else None

        async def formed(text: str) -> bool:
            return await _fits(text, schema)

        return formed
    schemas = {name: function.get("parameters") for name, function in map(_function, tools) if name}
    if not schemas:
        return None
    required = choice_in(choice) not in ("auto", "none")

    async def called(text: str) -> bool:
        calls = _called(text)
        if calls is None:
            return not required
        for call in calls["tool_calls"]:
            if call["name"] not in schemas or not await _conforms(call["args"], schemas[call["name"]], len(text)):
                return False
        return True

    return called


def filled(schema: Mapping[str, Any]) -> Validator:
    """What tells whether the text of an answer fills in a schema, as JSON or as the arguments of a tool's call.

    Example:
        >>> import asyncio
        >>> fits = filled({"type": "object", "required": ["setup"]})
        >>> said = ('{"setup": "Why?"}', canonical("", [Call("Joke", {"setup": "Why?"})]), "Why not?")
        >>> [asyncio.run(fits(text)) for text in said]
        [True, True, False]
    """

    async def fits(text: str) -> bool:
        called = _called(text)
        if called is None:
            return await _fits(text, schema)
        for call in called["tool_calls"]:
            if await _conforms(call["args"], schema, len(text)):
                return True
        return False

    return fits


def _called(text: str) -> Mapping[str, Any] | None:
    """What `canonical` has put together; `None` for any other text, however much it looks like it."""
    told = _parsed(text)
    if not isinstance(told, Mapping) or set(told) != {"content", "tool_calls"} or not isinstance(told["tool_calls"], list):
        return None
    good = all(
        isinstance(call, Mapping) and set(call) == {"name", "args"} and isinstance(call["name"], str)
        for call in told["tool_calls"]
    )
    return told if good else None


def _function(tool: Any) -> tuple[str, Mapping[str, Any]]:
    function = tool.get("function", tool) if isinstance(tool, Mapping) else {}
    return str(function.get("name", "")), function


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


async def _fits(text: str, schema: Mapping[str, Any] | None) -> bool:
    found = _parsed(text)
    return found is not None and await _conforms(found, schema, len(text))


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
        written = json.dumps(schema)
    except TypeError:
        # What no provider can be sent is checked by nobody either.
        return True
    if length > LONG or any(keyword in written for keyword in MAY_TAKE_LONG):
        return bool(await in_process(checks.__name__, checks.conforms.__name__, written, value, seconds=SECONDS))
    return checks.conforms(written, value)
