"""Tokens that a conversation is to a hosted model: its messages, tools, the form of its answer and its pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.tokens.text import count_tokens
from uniscale_integrations.tokens.vocabulary import VOCABULARIES, vocabulary_of

PER_MESSAGE = 4
"""What stands around every message of OpenAI's chat format, its role included."""

REPLY = 3
"""What the reply begins with, which is read as well."""

PER_CALL = 6
"""Around a tool call, beside its name and arguments."""

TOOLS = 16
"""Around all tools."""

PER_TOOL = 7
"""Around each of them."""

PER_PICTURE = 765
"""A picture of 1024 x 1024 at OpenAI's high detail: 85 and 170 for each of four tiles. Recordings and files count the same."""

MAX_DEPTH = 8
"""Levels of a schema that are written out."""

_counts: WeakKeyDictionary[Conversation, dict[tuple[str, bool], float]] = WeakKeyDictionary()
"""By vocabulary, and whether that was loaded."""


def count_conversation(conversation: Conversation, model_name: str, *, wait: bool = False) -> float:
    """How many tokens a conversation is to a model, once for all models of one vocabulary.

    Texts are counted as by `count_tokens`. Around them stands what OpenAI's chat format needs; tools are counted in the form in which
    OpenAI's models are shown them, as declarations of TypeScript. It is what is expected before a call; what was read, providers report.

    Args:
        conversation: what is asked.
        model_name: of the model.
        wait: as of `count_tokens`.

    Example:
        >>> question = Conversation((Turn("system", "Answer in one word."), Turn("user", "What is the capital of Norway?")))
        >>> count_conversation(question, "gpt-5-mini", wait=True)
        23.0
    """
    name = vocabulary_of(model_name)
    loaded = VOCABULARIES.load(name) if wait else VOCABULARIES.get(name)
    counts = _counts.setdefault(conversation, {})
    key = name, loaded is not None
    if key not in counts:
        counts[key] = _count(conversation, model_name)
    return counts[key]


def _count(conversation: Conversation, model_name: str) -> float:
    total = REPLY + sum(_turn(turn, model_name) for turn in conversation.turns)
    media = max(conversation.media, int("images" in conversation.required_capabilities))
    total += PER_PICTURE * media
    tools = conversation.options.get("tools")
    if isinstance(tools, Sequence) and not isinstance(tools, str) and tools:
        total += TOOLS + sum(PER_TOOL + count_tokens(declaration(tool), model_name) for tool in tools)
    form = conversation.options.get("response_format")
    if isinstance(form, Mapping) and (schema := form.get("json_schema")):
        total += TOOLS + count_tokens(_json(schema), model_name)
    return float(total)


def _turn(turn: Turn, model_name: str) -> float:
    calls = sum(
        PER_CALL + count_tokens(call.name, model_name) + count_tokens(_json(call.arguments), model_name) for call in turn.calls
    )
    return PER_MESSAGE + count_tokens(turn.text, model_name) + calls


def declaration(tool: object) -> str:
    """A tool about as OpenAI's models are shown it; of one that no function describes, its JSON.

    Args:
        tool: as OpenAI's API takes it.

    Example:
        >>> parameters = {"type": "object", "properties": {"city": {"type": "string", "description": "Its name"}}, "required": ["city"]}
        >>> print(declaration({"type": "function", "function": {"name": "weather", "description": "Of today", "parameters": parameters}}))
        // Of today
        type weather = (_: {
        // Its name
        city: string,
        }) => any;
    """
    function = tool.get("function", tool) if isinstance(tool, Mapping) else tool
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        return _json(tool)
    description = f"// {function['description']}\n" if function.get("description") else ""
    return f"{description}type {function['name']} = (_: {_type(function.get('parameters'))}) => any;"


def _type(schema: object, depth: int = 0) -> str:
    """A JSON schema as a type of TypeScript."""
    if not isinstance(schema, Mapping) or depth >= MAX_DEPTH:
        return "any"
    if isinstance(choices := schema.get("enum"), Sequence):
        return " | ".join(map(_json, choices))
    for name in ("anyOf", "oneOf", "allOf"):
        if isinstance(types := schema.get(name), Sequence):
            return " | ".join(_type(each, depth + 1) for each in types)
    if schema.get("type") == "array":
        return f"{_type(schema.get('items'), depth + 1)}[]"
    fields = schema.get("properties")
    if isinstance(fields, Mapping):
        required = schema.get("required") or ()
        lines = [_field(name, field, name in required, depth) for name, field in fields.items()]
        return "\n".join(["{", *lines, "}"])
    return str(schema.get("$ref") or schema.get("type") or "any")


def _field(name: str, schema: object, required: bool, depth: int) -> str:
    description = schema.get("description") if isinstance(schema, Mapping) else None
    comment = f"// {description}\n" if description else ""
    return f"{comment}{name}{'' if required else '?'}: {_type(schema, depth + 1)},"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
