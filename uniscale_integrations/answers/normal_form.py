"""The normal form of an answer: what two answers must share to count as one in a vote."""

from __future__ import annotations

import ast
import json
import re
from functools import lru_cache
from math import isfinite

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

MAX_LENGTH = 1_000
"""Characters of an answer up to which marks and notation are looked at; what is longer is a text."""

MAX_STRUCTURE_LENGTH = 20_000
"""Characters of JSON up to which order and spacing are ignored; what is longer is the same only where it is written alike."""

MAX_LITERAL_LENGTH = 2_000
"""Characters of a list or an object in Python's notation."""

_LITERAL = re.compile(r"(?:[^0-9]|[0-9]{1,30}(?![0-9a-zA-Z_])|(?<=[a-zA-Z_'\"])[0-9]{1,30})*")

MAX_FOLD_LENGTH = 20_000
"""Characters of a text up to which case and spacing are ignored; what is longer is the same only where it is written alike."""

_WRAPPERS = (("**", "**"), ("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("`", "`"))
_FENCE = re.compile(r"^```\w*(.*)```$", re.DOTALL)

_REWRITES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        ("\N{MINUS SIGN}", "-"),
        (r"\\([$%#&_])", r"\1"),
        (r"\\[,;:! ]", " "),
        (r"\{,\}", ","),
        (r"\\(?:text|textbf|textit|mathrm|mathbf|mbox)\s*\{([^{}]*)\}", r" \1 "),
        (r"(?<![\w}])\\[dt]?frac\s*\{(-?[0-9]+)\}\s*\{([0-9]+)\}", r"\1/\2"),
        (r"(?<![\w.,])([0-9]{1,3}(?:,[0-9]{3})+)(?!\w|,\w)", lambda match: match[1].replace(",", "")),
        (r"(?<![\w.])\.(?=[0-9])", "0."),
        (r"(?<![\w.])([0-9]+)\.0+(?!\w|\.\w)", r"\1"),
        (r"(?<![\w.])([0-9]+\.[0-9]*[1-9])0+(?!\w|\.\w)", r"\1"),
        (r"\s+", " "),
        (r" ?, ?(?=\S)", ", "),
    )
)


def normalise_answer(answer: str) -> str:
    r"""Bring an answer into its normal form; applying it twice changes nothing.

    Ignored are case, spacing, a trailing full stop, `$...$`, Markdown emphasis, `\text{}`, thousands separators, decimals that
    say nothing, and the quotes and brackets of a flat list. Units and fractions stay as they are. JSON objects, and lists that
    hold objects or lists, become JSON with sorted keys and keep their case.

    Args:
        answer: an answer as `extract_answer` gives it.

    Returns:
        The normal form; empty for an answer of blanks only.

    Example:
        >>> [normalise_answer(answer) for answer in ("$1,234.00$", "12\\text{ km}.", "1/2", "['1', '2']", "1,2,3")]
        ['1234', '12 km', '1/2', '1, 2', '1, 2, 3']
        >>> normalise_answer('{"b": 12.0, "a": "Paris"}')
        '{"a":"Paris","b":12}'
    """
    return _normalise(answer) if len(answer) <= MAX_LENGTH else _long(answer)


def _long(answer: str) -> str:
    """Of a text, in time linear in its length: nothing is remembered of it, and only case and spacing are ignored."""
    structure = parse_structure(answer.strip())
    if structure is not None and not _flat(structure):
        return _dump(structure)
    if len(answer) > MAX_FOLD_LENGTH:
        return answer
    wording = " ".join(answer.casefold().split())
    return wording if len(wording) > MAX_LENGTH else _normalise(wording)


@lru_cache(maxsize=4096)
def _normalise(answer: str) -> str:
    """The same, remembered: candidates repeat each other's answers, and a vote looks at each several times."""
    while True:
        text = _unwrap(answer)
        structure = parse_structure(text)
        if structure is not None and not _flat(structure):
            return _dump(structure)
        text = _rewrite(text if structure is None else ", ".join(map(_plain, structure)))
        if text == answer:
            return text
        answer = text


def parse_structure(text: str) -> dict[str, Json] | list[Json] | None:
    """The JSON object or list that a text is as a whole, in JSON's or in Python's notation, and `None` for any other text.

    >>> parse_structure('{"a": 12.0}'), parse_structure("['1', True]"), parse_structure("[1, 2)")
    ({'a': 12}, ['1', True], None)
    """
    if text[:1] + text[-1:] not in ("{}", "[]") or len(text) > MAX_STRUCTURE_LENGTH:
        return None
    for parser in (json.loads, ast.literal_eval):
        if parser is ast.literal_eval and ("\\" in text or len(text) > MAX_LITERAL_LENGTH or not _LITERAL.fullmatch(text)):
            break
        try:
            value = _canonical(parser(text))
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
        if value and isinstance(value, (dict, list)):
            return value
    return None


def _canonical(value: object) -> Json:
    """The same value with whole floats as integers; anything that JSON cannot hold is refused."""
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("JSON keys are strings")
        return {key: _canonical(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_canonical(element) for element in value]
    if isinstance(value, float):
        if not isfinite(value):
            raise ValueError("JSON has no infinite numbers")
        return int(value) if value.is_integer() and abs(value) < 1e15 else value
    if value is None or isinstance(value, (str, int)):
        return value
    raise TypeError(f"JSON has no {type(value).__name__}")


def _dump(structure: Json) -> str:
    return json.dumps(structure, separators=(",", ":"), ensure_ascii=False)


def _flat(structure: dict[str, Json] | list[Json]) -> bool:
    return isinstance(structure, list) and not any(isinstance(element, (dict, list)) for element in structure)


def _plain(element: Json) -> str:
    return element if isinstance(element, str) else _dump(element)


def _unwrap(text: str) -> str:
    while True:
        inner = _FENCE.sub(r"\1", text.strip()).strip()
        for opening, closing in _WRAPPERS:
            if len(inner) > len(opening + closing) and inner.startswith(opening) and inner.endswith(closing):
                content = inner[len(opening) : -len(closing)]
                if opening not in content and closing not in content:
                    inner = content.strip()
        inner = inner.rstrip(". ") if inner.strip(". ") else inner
        if inner == text:
            return text
        text = inner


def _rewrite(text: str) -> str:
    text = text.casefold()
    if _bracketed(text):
        text = text[1:-1].replace(",", ", ")
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return ", ".join(_unquote(element) for element in text.strip().split(", "))


def _bracketed(text: str) -> bool:
    """Whether this is a flat list in brackets."""
    inner = text[1:-1]
    return text.startswith("[") and text.endswith("]") and bool(inner.strip()) and "[" not in inner and "]" not in inner


def _unquote(element: str) -> str:
    if len(element) > 2 and element[0] == element[-1] and element[0] in "'\"" and element[0] not in element[1:-1]:
        return element[1:-1]
    return element
