"""What rules compute of a text; it may take very long, and is called in a process that is killed then."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib import import_module
from typing import Any

from uniscale_integrations.answers.extract import extract_answer


def warm() -> None:
    """Import what takes long to import."""
    try:
        import_module("jsonschema")
    except ImportError:
        # Regular expressions need none.
        return


def found(pattern: str, flags: int, text: str) -> bool:
    """Whether a regular expression is found in a text.

    >>> found("b$", 0, "ab"), found("b$", 0, "ba")
    (True, False)
    """
    return re.search(pattern, text, flags) is not None


def valid(schema: str, text: str) -> bool:
    """Whether the last JSON value of a text satisfies a schema, which is JSON too.

    >>> valid('{"type": "integer"}', "12"), valid('{"type": "array"}', "So: [1, 2]"), valid('{"type": "array"}', "none")
    (True, True, False)
    """
    return any(_validator(schema).is_valid(value) for value in last_json(text))


def conforms(schema: str, value: object) -> bool:
    """Whether a JSON value fits a schema; without the package that knows, whether it has what the schema requires.

    >>> conforms('{"required": ["a"]}', {"a": 1}), conforms('{"type": "integer"}', "1")
    (True, False)
    """
    try:
        validator = _validator(schema)
    except ImportError:
        return isinstance(value, dict) and all(name in value for name in json.loads(schema).get("required", ()))
    try:
        return bool(validator.is_valid(value))
    except Exception:
        # Schemas may hold what this validator does not understand, such as patterns of another dialect. What cannot be checked passes.
        return True


@lru_cache(maxsize=8)
def _validator(schema: str) -> Any:
    jsonschema, specifications = import_module("jsonschema"), import_module("jsonschema_specifications")
    content = json.loads(schema)
    return jsonschema.validators.validator_for(content, default=jsonschema.Draft202012Validator)(
        content, registry=specifications.REGISTRY
    )


def last_json(text: str) -> list[object]:
    """The last JSON value of a text, as a list of one, or an empty list where it holds none.

    >>> last_json('At first {"a": 1}, then {"a": 2}.'), last_json("none")
    ([{'a': 2}], [])
    """
    whole = _decode(text)
    if whole:
        return whole
    last: list[object] = []
    position = 0
    while opening := _OPENING.search(text, position):
        try:
            value, position = _DECODER.raw_decode(text, opening.start())
            last = [value]
        except RecursionError:
            break
        except ValueError:
            position = opening.end()
    return last or _decode(extract_answer(text) or "")


def _decode(text: str) -> list[object]:
    try:
        return [_DECODER.decode(text)]
    except (ValueError, RecursionError):
        return []


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
_OPENING = re.compile(r"[{\[]")
