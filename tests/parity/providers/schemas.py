"""JSON schemas: values that fit them, and what strict mode refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]


def filled(schema: Schema, name: str = "value", root: Schema | None = None) -> Any:
    """A value that fits a schema, the same one every time."""
    root = schema if root is None else root
    if "$ref" in schema:
        target: Any = root
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[part]
        return filled(target, name, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return filled(schema[choice][0], name, root)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {key: filled(part, key, root) for key, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [filled(schema.get("items", {"type": "string"}), name, root)]
    return {"integer": 3, "number": 3.5, "boolean": True, "null": None}.get(kind, f"some {name}")


def strict_problem(schema: Schema) -> str | None:
    """What OpenAI refuses of a schema under `strict: true`; `None` for nothing.

    Source: "Supported schemas" in OpenAI's guide to structured outputs (every object needs `additionalProperties: false`, every
    property must be required); the wording of the refusals from public threads, e.g. dottxt-ai/outlines 1666, vercel/ai 6484,
    bytedance/trae-agent 173.
    """
    for path, part in _objects(schema, ()):
        place = f"In context={path!r}"
        if part.get("additionalProperties") is not False:
            return f"{place}, 'additionalProperties' is required to be supplied and to be false."
        missing = [name for name in part.get("properties", {}) if name not in part.get("required", ())]
        if missing:
            return (
                f"{place}, 'required' is required to be supplied and to be an array including every key in properties. "
                f"Missing '{missing[0]}'."
            )
    return None


def open_object(schema: Schema) -> bool:
    """Whether any object of a schema admits properties that it does not name."""
    return any(part.get("additionalProperties") is not False for _, part in _objects(schema, ()))


def _objects(schema: Any, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], Schema]]:
    if not isinstance(schema, Mapping):
        return []
    found: list[tuple[tuple[str, ...], Schema]] = []
    if schema.get("type") == "object" or "properties" in schema:
        found.append((path, schema))
    for key in ("properties", "$defs", "definitions"):
        for name, part in schema.get(key, {}).items():
            found += _objects(part, (*path, key, name))
    found += _objects(schema.get("items"), (*path, "items"))
    for key in ("anyOf", "oneOf", "allOf"):
        for place, part in enumerate(schema.get(key, ())):
            found += _objects(part, (*path, key, str(place)))
    return found
