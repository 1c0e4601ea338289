"""Counting conversations before a call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from uniscale_integrations.search.conversation import Conversation, ToolCall, Turn
from uniscale_integrations.tokens import conversation as module
from uniscale_integrations.tokens import count_conversation, count_tokens
from uniscale_integrations.tokens.conversation import PER_MESSAGE, PER_PICTURE, REPLY, declaration

GPT = "gpt-5-mini"


def count(*turns: Turn, **more: Any) -> float:
    return count_conversation(Conversation(turns, **more), GPT, wait=True)


def tool(name: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": "Add them.", "parameters": parameters or {}}}


def test_messages_are_counted_as_openai_s_chat_format_has_them() -> None:
    hello, question = Turn("system", "You are helpful."), Turn("user", "顾客写信说包裹晚到了两天")
    texts = sum(count_tokens(turn.text, GPT, wait=True) for turn in (hello, question))
    assert count(hello, question) == texts + 2 * PER_MESSAGE + REPLY


def test_calls_tools_forms_and_pictures_count_too() -> None:
    question, plain = Turn("user", "Add 1 and 2."), count(Turn("user", "Add 1 and 2."))
    called = count(
        question, Turn("assistant", "", (ToolCall("add", {"a": 1, "b": 2}, "call-1"),)), Turn("tool", "3", (), "call-1")
    )
    assert called > plain + 2 * PER_MESSAGE + 8
    one, two = (count(question, options={"tools": [tool(f"add{number}") for number in range(n)]}) for n in (1, 2))
    assert plain < one < two < one + 40
    schema = {"name": "answer", "schema": {"type": "object", "properties": {"sum": {"type": "integer"}}}}
    assert count(question, options={"response_format": {"type": "json_schema", "json_schema": schema}}) > plain + 20
    assert count(question, options={"response_format": {"type": "json_object"}}) == plain
    assert count(question, media=2, required_capabilities=frozenset({"images"})) == plain + 2 * PER_PICTURE
    assert count(question, required_capabilities=frozenset({"images"})) == plain + PER_PICTURE


def test_one_vocabulary_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    conversation, counted = Conversation((Turn("user", "Hi?"),)), list[str]()
    inner = module._count

    def count_and_note(conversation: Conversation, model_name: str) -> float:
        counted.append(model_name)
        return inner(conversation, model_name)

    monkeypatch.setattr(module, "_count", count_and_note)
    results = {name: count_conversation(conversation, name, wait=True) for name in (GPT, "gpt-4o", "claude-opus-4", "gpt-4")}
    assert len(counted) == 2
    assert results[GPT] == results["gpt-4o"]


def test_schemas_are_written_out_to_a_depth_whatever_they_hold() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {}}
    schema["properties"]["again"] = schema
    assert declaration(tool("loop", schema)).count("again") == 8
    parameters = {
        "type": "object",
        "properties": {
            "unit": {"enum": ["C", "F"]},
            "days": {"type": "array", "items": {"type": "integer"}},
            "place": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "rest": True,
        },
        "required": ["unit"],
    }
    lines = declaration(tool("weather", parameters)).splitlines()
    assert lines[2:-1] == ['unit: "C" | "F",', "days?: integer[],", "place?: string | null,", "rest?: any,"]
    assert declaration({"type": "web_search"}) == '{"type": "web_search"}'
