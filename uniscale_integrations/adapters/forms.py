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
    return json.dumps({"content": text, "tool_calls": said}, sort_keys=True, ensure_ascii=False)


def calls_in(text: str) -> tuple[str, list[Call]]:
    """What `canonical` has put together: the text, and the calls, which are given ids.

    Example:
        >>> calls_in(canonical("Let me add.", [Call("add", {"a": 1})]))
        ('Let me add.', [Call(name='add', arguments={'a': 1}, id='call_0')])
        >>> calls_in("Hello")
        ('Hello', [])
    """
    told = _parsed(text)
    if not isinstance(told, Mapping) or set(told) != {"content", "tool_calls"}:
        return text, []
    calls = [Call(call["name"], call["args"], f"call_{place}") for place, call in enumerate(told["tool_calls"])]
    return str(told["content"]), calls


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
