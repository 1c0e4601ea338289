"""The model behind all providers: it says the same for the same question, so that one call can be held beside another."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.parity.providers.schemas import Schema, filled

ANSWER = "Two and two make four.\nAnswer: 4"
COUNTED = "one two three four five six seven eight"
LONG = "\n".join(
    [
        "Let me see.",
        "",
        "",
        "1. Two is a number.",
        *(f"{count}. So is {count}." for count in range(2, 15)),
        "",
        "```python",
        "print(2 + 2)",
        "```",
        "Answer: 4",
        "",
        "Sources:",
        "- a book about numbers",
    ]
)
"""Longer than a dozen lines, with blank lines, a fence, and more after the line that gives the answer."""

REFUSAL = "I'm sorry, I can't help with that."
REASONING = "Add them up."


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks, whatever the API's words.

    Attributes:
        text: of the last message of the user.
        prefix: of an answer that is to be continued.
        tools: the schema of each by name.
        choice: "auto", "none", "required", or a tool's name.
        parallel: whether several tools may be called.
        schema: of the answer, where there is one.
        any_json: whether the answer must be JSON of any schema.
        stop: texts that end the answer.
        max_tokens: at most as many words are said.
        answered: whether the result of a tool came last.
    """

    text: str
    prefix: str = ""
    tools: Mapping[str, Schema] | None = None
    choice: str = "auto"
    parallel: bool = True
    schema: Schema | None = None
    any_json: bool = False
    stop: Sequence[str] = ()
    max_tokens: int | None = None
    answered: bool = False


@dataclass(frozen=True, slots=True)
class ToolCall:
    name: str
    arguments: Mapping[str, Any]

    @property
    def id(self) -> str:
        return f"call_{self.name}"

    @property
    def written(self) -> str:
        return json.dumps(self.arguments)


@dataclass(frozen=True, slots=True)
class Said:
    """What the model says.

    Attributes:
        text: of the answer; empty where tools are called.
        calls: tools that are called.
        refused: whether the text is a refusal.
        end: "stop", "tools", "length", or "filter".
    """

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    refused: bool = False
    end: str = "stop"

    @property
    def tokens(self) -> int:
        return len(pieces(self.text)) + sum(len(call.written) for call in self.calls)


def said(asked: Question) -> Said:
    """The answer to a question.

    Words in the question ask for something special: "at length", "in both cities" (two calls), "nonsense" (no valid JSON), "refuse",
    "be filtered", "say nothing", "break off", "in words" (no call unless one is forced).
    """
    calls = _calls(asked)
    if calls:
        return Said(calls=calls, end="tools")
    text = asked.text.lower()
    if "be filtered" in text:
        return Said("", end="filter")
    refused, cut = "refuse" in text, "break off" in text
    whole = REFUSAL if refused else "" if "say nothing" in text else _text(asked)
    whole = whole[:10] if cut else whole
    if asked.prefix and whole:
        rest = begun(asked.prefix, (whole, COUNTED))
        whole = f" {whole}" if rest is None else rest
    ended = _until(whole, asked.stop)
    words = pieces(ended)
    if asked.max_tokens is not None and len(words) > asked.max_tokens:
        return Said("".join(words[: asked.max_tokens]), end="length")
    return Said(ended, refused=refused, end="length" if cut else "stop")


def begun(prefix: str, known: Sequence[str]) -> str | None:
    """The rest of a known text that a partial answer ends with the beginning of, or with all of; `None` for neither.

    White space at the end of a partial answer that is not the text's own does not keep a model from going on.
    """
    for end in (prefix, prefix.rstrip()):
        for text in known:
            if end.rstrip().endswith(text):
                return ""
            size = next((size for size in range(len(text) - 1, 1, -1) if end.endswith(text[:size])), None)
            if size is not None:
                return text[size:]
    return None


def pieces(text: str) -> list[str]:
    """The words of a text with the spaces after them."""
    return re.findall(r"\s*\S+|\s+$", text) if text else []


def _text(asked: Question) -> str:
    if "nonsense" in asked.text.lower():
        return '{"answer": '
    if asked.schema is not None:
        return json.dumps(filled(asked.schema))
    if asked.any_json:
        joke, solution = {"setup": "Why?", "punchline": "Because."}, {"answer": 4, "steps": []}
        return json.dumps(joke if "joke" in asked.text else {**joke, **solution})
    return LONG if "at length" in asked.text else ANSWER


def _calls(asked: Question) -> tuple[ToolCall, ...]:
    tools = asked.tools or {}
    if not tools or asked.choice == "none" or (asked.choice == "auto" and (asked.answered or "in words" in asked.text)):
        return ()
    if asked.choice in tools:
        names = [asked.choice]
    elif asked.parallel and "in both" in asked.text:
        names = list(tools)[:2]
    else:
        names = list(tools)[:1]
    if "nonsense" in asked.text.lower():
        return tuple(ToolCall(name, {"wrong": True}) for name in names)
    return tuple(ToolCall(name, _named(filled(tools[name]), asked.text)) for name in names)


def _named(arguments: Any, text: str) -> Any:
    """Arguments with what a question names in quotation marks."""
    named = re.search(r"'([^']+)'", text)
    return {key: named[1] if named and isinstance(value, str) else value for key, value in arguments.items()}


def _until(text: str, stop: Sequence[str]) -> str:
    ends = [place for end in stop if (place := text.find(end)) >= 0]
    return text[: min(ends)] if ends else text
