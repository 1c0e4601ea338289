"""Answers that have a form: tool calls as text that is the same for the same calls, and whether an answer has the form asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from uniscale_integrations.search.conversation import Call


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
    return str(told["content"]), [Call(call["name"], call["args"], f"call_{place}") for place, call in enumerate(told["tool_calls"])]


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


def validity(tools: Sequence[Any], choice: Any, form: Any) -> Callable[[str], bool] | None:
    """Whether the text of an answer has the form that was asked for; `None` where any has.

    Args:
        tools: that were offered, each as OpenAI describes functions.
        choice: which must be called, in the words of OpenAI or Anthropic.
        form: a `response_format` as OpenAI takes it.
    """
    if form is not None:
        schema = form.get("json_schema", {}).get("schema") if isinstance(form, Mapping) else None
        return lambda text: _fits(text, schema)
    schemas = {name: function.get("parameters") for name, function in map(_function, tools) if name}
    if not schemas:
        return None
    required = choice_in(choice) not in ("auto", "none")

    def called(text: str) -> bool:
        calls = _called(text)
        if calls is None:
            return not required
        return all(call["name"] in schemas and _conforms(call["args"], schemas[call["name"]]) for call in calls["tool_calls"])

    return called


def filled(schema: Mapping[str, Any]) -> Callable[[str], bool]:
    """Whether the text of an answer fills in a schema, as JSON or as the arguments of a tool's call, whichever way its model was asked.

    Example:
        >>> fits = filled({"type": "object", "required": ["setup"]})
        >>> fits('{"setup": "Why?"}'), fits(canonical("", [Call("Joke", {"setup": "Why?"})])), fits("Why not?")
        (True, True, False)
    """

    def fits(text: str) -> bool:
        called = _called(text)
        if called is not None:
            return any(_conforms(call["args"], schema) for call in called["tool_calls"])
        return _fits(text, schema)

    return fits


def _called(text: str) -> Mapping[str, Any] | None:
    """What `canonical` has put together; `None` for any other text, however much it looks like it."""
    told = _parsed(text)
    if not isinstance(told, Mapping) or set(told) != {"content", "tool_calls"} or not isinstance(told["tool_calls"], list):
        return None
    good = all(isinstance(call, Mapping) and set(call) == {"name", "args"} and isinstance(call["name"], str) for call in told["tool_calls"])
    return told if good else None


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
