"""Schemas and tools of the cases."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

from langchain_core.tools import tool
from pydantic import BaseModel, Field


class Step(BaseModel):
    """One step."""

    explanation: str
    value: int


class Solution(BaseModel):
    """A solution in steps."""

    steps: list[Step]
    answer: int
    note: str | None = Field(default=None, description="Anything else.")


class Joke(TypedDict):
    """A joke."""

    setup: Annotated[str, ..., "The question."]
    punchline: Annotated[str, ..., "The answer."]


POINT: dict[str, Any] = {
    "title": "point",
    "description": "A point.",
    "type": "object",
    "properties": {"x": {"type": "integer"}, "label": {"type": "string"}},
    "required": ["x"],
}
"""A JSON schema that strict mode refuses as it stands."""

STRICT_POINT: dict[str, Any] = {**POINT, "required": ["x", "label"], "additionalProperties": False}

SCHEMAS: dict[str, Any] = {"pydantic": Solution, "typed_dict": Joke, "json_schema": POINT}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def weather(city: str, unit: Literal["C", "F"] = "C") -> str:
    """The weather in a city."""
    return f"20 {unit} in {city}"


class Lookup(BaseModel):
    """Look something up."""

    key: str
    depth: int = 1


TOOLS: list[Any] = [weather, add]

OPENAI_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "locate",
        "description": "Find a place.",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string"}, "radius": {"type": "number"}},
            "required": ["place"],
        },
    },
}

WEB_SEARCH: dict[str, dict[str, Any]] = {
    "openai": {"type": "web_search"},
    "anthropic": {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
}
