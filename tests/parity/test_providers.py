"""The providers refuse what the real ones refuse, whoever sends it, and answer in the shapes that the real ones answer in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.parity.forms import POINT, STRICT_POINT
from tests.parity.providers.anthropic_messages import Messages
from tests.parity.providers.model import ANSWER, COUNTED, LONG, Question, said
from tests.parity.providers.ollama_chat import Chat
from tests.parity.providers.openai import OpenAI
from tests.parity.providers.openai_chat import ChatCompletions
from tests.parity.providers.schemas import filled, strict_problem
from tests.parity.providers.wire import Body, Provider, RefusedError

USER = {"role": "user", "content": "What is 2 + 2?"}
TOOL = {"type": "function", "function": {"name": "point", "parameters": POINT, "strict": True}}
FORM = {"name": "point", "schema": POINT, "strict": True}
CALLED = {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}
FLAT = {"type": "function", **TOOL["function"]}  # type: ignore[dict-item]
CLAUDE = {"max_tokens": 2000, "messages": [USER]}
THINKING = {"type": "enabled", "budget_tokens": 1024}


def chat(model: str = "gpt-4.1-mini", **more: Any) -> tuple[Provider, str, Body]:
    return OpenAI(), "/v1/chat/completions", {"model": model, "messages": [USER], **more}


def responses(model: str = "gpt-5-mini", **more: Any) -> tuple[Provider, str, Body]:
    return OpenAI(), "/v1/responses", {"model": model, "input": [USER], **more}


def messages(model: str = "claude-haiku-4-5", **more: Any) -> tuple[Provider, str, Body]:
    return Messages(), "/v1/messages", {"model": model, **CLAUDE, **more}


REFUSED: dict[str, tuple[tuple[Provider, str, Body], str]] = {
    "unknown parameter": (chat(top_k=5), "Unrecognized request argument supplied: top_k"),
    "strict form": (chat(response_format={"type": "json_schema", "json_schema": FORM}), "'additionalProperties' is required"),
    "strict tool": (chat(tools=[TOOL]), "Invalid schema for function 'point'"),
    "JSON unsaid": (chat(response_format={"type": "json_object"}), "must contain the word 'json'"),
    "five stops": (chat(stop=list("abcde")), "maximum length 4"),
    "choice without tools": (chat(tool_choice="auto"), "only allowed when 'tools' are specified"),
    "parallel calls without tools": (chat(parallel_tool_calls=False), "only allowed when 'tools' are specified"),
    "stream options unstreamed": (chat(stream_options={"include_usage": True}), "only allowed when 'stream' is enabled"),
    "no messages": (chat(messages=[]), "empty array"),
    "orphan result": (chat(messages=[USER, {"role": "tool", "tool_call_id": "a", "content": ""}]), "preceeding message"),
    "call without result": (chat(messages=[USER, CALLED, USER]), "must be followed by tool messages"),
    "reasoning at a temperature": (chat("gpt-5-mini", temperature=0), "Only the default (1) value"),
    "reasoning with stop": (chat("o3", stop=["a"]), "'stop' is not supported"),
    "reasoning with max_tokens": (chat("gpt-5-mini", max_tokens=5), "Use 'max_completion_tokens'"),
    "reasoning with logprobs": (chat("gpt-5-mini", logprobs=True), "'logprobs' is not supported"),
    "effort without reasoning": (chat(reasoning_effort="low"), "Unrecognized request argument supplied: reasoning_effort"),
    "no tokens": (chat(max_tokens=0), "Expected a value >= 1, but got 0"),
    "fewer tokens than none": (chat("gpt-5-mini", max_completion_tokens=-1), "Expected a value >= 1, but got -1"),
    "responses: few tokens": (responses(max_output_tokens=15), "Expected a value >= 16, but got 15"),
    "responses: seed": (responses(seed=1), "Unknown parameter: 'seed'"),
    "responses: stop": (responses(stop=["a"]), "Unknown parameter: 'stop'"),
    "responses: n": (responses(n=2), "Unknown parameter: 'n'"),
    "responses: strict form": (responses(text={"format": {"type": "json_schema", **FORM}}), "Invalid schema for response_format"),
    "responses: strict tool": (responses(tools=[FLAT]), "Invalid schema for function 'point'"),
    "responses: orphan result": (responses(input=[{"type": "function_call_output", "call_id": "a"}]), "No tool call found"),
    "responses: temperature": (responses(temperature=0), "'temperature' is not supported"),
    "anthropic: unknown parameter": (messages(seed=1), "seed: Extra inputs are not permitted"),
    "anthropic: blank stop": (messages(stop_sequences=["\n"]), "non-whitespace"),
    "anthropic: no messages": (messages(messages=[]), "at least one message"),
    "anthropic: empty message": (messages(messages=[{"role": "user", "content": ""}]), "non-empty content"),
    "anthropic: empty block": (
        messages(messages=[{"role": "user", "content": [{"type": "text", "text": ""}]}]),
        "must be non-empty",
    ),
    "anthropic: prefill": (
        messages("claude-sonnet-4-6", messages=[USER, {"role": "assistant", "content": "Two"}]),
        "does not support assistant",
    ),
    "anthropic: blank at the end of a prefill": (
        messages(messages=[USER, {"role": "assistant", "content": "Two "}]),
        "cannot end with trailing whitespace",
    ),
    "anthropic: temperature with thinking": (messages(thinking=THINKING, temperature=0.5), "may only be set to 1"),
    "anthropic: forced tool with thinking": (messages(thinking=THINKING, tool_choice={"type": "any"}), "forces tool use"),
    "anthropic: no tokens": (messages(max_tokens=0), "greater than or equal to 1"),
    "anthropic: temperature": (messages(temperature=1.5), "range: 0..1"),
    "anthropic: open form": (
        messages(output_config={"format": {"type": "json_schema", "schema": POINT}}),
        "explicitly set to false",
    ),
    "ollama: thinking": (
        (Chat(), "/api/chat", {"model": "llama3.2", "messages": [USER], "think": True}),
        "does not support thinking",
    ),
}

TAKEN: dict[str, tuple[Provider, str, Body]] = {
    "strict form": chat(response_format={"type": "json_schema", "json_schema": FORM | {"schema": STRICT_POINT}}),
    "loose form": chat(response_format={"type": "json_schema", "json_schema": FORM | {"strict": False}}),
    "four stops": chat(stop=list("abcd"), seed=1, temperature=0.0, logprobs=True, max_tokens=5),
    "reasoning": chat("gpt-5-mini", temperature=1, reasoning_effort="low", max_completion_tokens=50),
    "chat model of a reasoning family": chat("gpt-5-chat-latest", temperature=0.5),
    "responses": responses(reasoning={"effort": "low"}, max_output_tokens=50, tools=[{"type": "web_search"}]),
    "server for open models": (
        ChatCompletions(official=False),
        "/v1/chat/completions",
        {"model": "m", "messages": [USER], "top_k": 5},
    ),
    "anthropic": messages(temperature=0.5, top_k=5, stop_sequences=["END"]),
    "anthropic prefill": messages(messages=[USER, {"role": "assistant", "content": "Two and"}]),
    "ollama": (Chat(), "/api/chat", {"model": "llama3.2", "messages": [USER], "colour": "red", "stream": False}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name: str) -> None:
    (provider, path, body), message = REFUSED[name]
    with pytest.raises(RefusedError) as refused:
        provider.answer(path, body)
    assert refused.value.status == 400
    assert message in json.dumps(refused.value.body)


@pytest.mark.parametrize("name", TAKEN)
def test_takes(name: str) -> None:
    provider, path, body = TAKEN[name]
    reply = provider.answer(path, body)
    assert reply.output_tokens
    assert json.loads(reply.content)


def test_strict_mode_looks_into_every_object() -> None:
    nested = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": POINT}},
        "required": ["a"],
        "additionalProperties": False,
    }
    problem = strict_problem(nested)
    assert problem is not None
    assert problem.startswith("In context=('properties', 'a', 'items')")
    assert strict_problem(STRICT_POINT) is None
    assert strict_problem(STRICT_POINT | {"required": ["x"]}) is not None


def test_values_fit_references() -> None:
    optional = {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}
    schema = {"$defs": {"n": {"type": "integer"}}, "type": "object", "properties": {"a": optional}}
    assert filled(schema) == {"a": 3}


@pytest.mark.parametrize("whole", [ANSWER, LONG, COUNTED])
@pytest.mark.parametrize("size", [3, 15, 30])
def test_an_answer_is_continued(whole: str, size: int) -> None:
    text = "Explain at length." if whole == LONG else "What is 2 + 2?"
    assert said(Question(text, whole[:size])).text == whole[size:]
