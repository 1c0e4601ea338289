"""Sets, lists and tuples of answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from uniscale_integrations.answers.plain import CLOSE, OPEN, closes_at
from uniscale_integrations.answers.question import About
from uniscale_integrations.answers.value import Value

MAX_ITEMS = 60
"""Of a list or a set."""

MAX_ITEM_WORDS = 4
"""Words of an item that is a text."""

Reader = Callable[[str, About], Value]
"""Reads a part."""

_BUILDER = re.compile(rf"{OPEN} ?[a-z](?: in [^|:]{{1,20}})? ?(?:\\mid|[|:]) ?(.+){CLOSE}")
_NOTHING = frozenset([f"{OPEN}{CLOSE}", "{}", "∅", "\\varnothing", "\\emptyset"])
_AND = r"(?:and|or|und|oder)"
_ALSO = r"(?:and |und |(?:y|e|et) (?!=)|or |oder )?"
_SEPARATOR = re.compile(rf" ?[,;] ?{_ALSO}| {_AND} ")
_SEPARATED_BY_SPACES = re.compile(rf" ?(?:[,;] |;|,(?![0-9]{{3}}(?![0-9]))) ?{_ALSO}| {_AND} ")
_SEVERAL = re.compile(rf"[,;]| {_AND} ")
_NAMED_SET = re.compile(r"([a-zA-Z]|\\[a-zA-Z]+) (?:in|=) ?([⟨{].*)")
_NAMED_ITEMS = re.compile(r"([a-zA-Z]|\\[a-zA-Z]+) ?= ?([^(\[].*)")


def read_items(text: str, hints: About, reader: Reader) -> Value | None:
    """The set, list or tuple that a text in plain characters is as a whole.

    Args:
        text: of a few hundred characters.
        hints: what the question says about it.
        reader: reads an item.

    >>> from uniscale_integrations.answers.question import about
    >>> item = lambda text, hints: Value("text", text)
    >>> [read_items(text, about(""), item).kind for text in ("⟨a, b⟩", "a, b", "a and b", "(a, b)")]
    ['set', 'list', 'set', 'tuple']
    """
    if "+-" in text and (both := _plus_minus(text, hints, reader)):
        return both
    if match := _BUILDER.fullmatch(text):
        return reader(match[1].strip(), hints)
    if text.replace(" ", "") in _NOTHING:
        return Value("set", frozenset())
    name, inner = _split_name(text)
    pair = inner[:1] + inner[-1:]
    braces, brackets = pair in ("⟨⟩", "{}"), pair == "[]"
    tuples = pair == "()" and closes_at(inner) == len(inner) - 1
    if braces or tuples or brackets:
        inner = inner[1:-1].strip()
    if not inner or not _SEVERAL.search(inner):
        return reader(inner, hints) if braces and inner else None
    # Where items are set apart by spaces, a comma without one may stand within a number.
    parts = [part for part in _split(_SEPARATED_BY_SPACES if ", " in inner else _SEPARATOR, inner) if part.strip()]
    if not 1 < len(parts) <= MAX_ITEMS:
        return None
    values = [replace(reader(part.strip(), hints), bare=()) for part in parts]
    if any(value.kind == "text" and len(str(value.key).split()) > MAX_ITEM_WORDS for value in values):
        return None
    if all(value.unit.endswith("=") for value in values):
        return _solutions(values, hints)
    if tuples:
        return Value("tuple", tuple(values))
    joined = " " in inner and "," not in inner and ";" not in inner
    if braces or (not brackets and (joined or hints.unordered or _opposite(values))):
        return Value("set", frozenset(values), name, () if joined and not braces else (frozenset(values),))
    return Value("list", tuple(values), name, (tuple(values),) if name else ())


def _plus_minus(text: str, hints: About, reader: Reader) -> Value | None:
    """Both values of "x = 1 ± 2"."""
    name, inner = _split_name(text)
    if inner.count("+-") != 1 or _SEVERAL.search(inner):
        return None
    values = frozenset(replace(reader(inner.replace("+-", sign).strip().removeprefix("+"), hints), bare=()) for sign in "+-")
    return Value("set", values, name, (values,))


def _split_name(text: str) -> tuple[str, str]:
    """The name of what is listed, and the list."""
    match = _NAMED_SET.fullmatch(text)
    if match is None and text.count("=") == 1:
        match = _NAMED_ITEMS.fullmatch(text)
    return ("", text) if match is None else (f"{match[1].casefold()} =", match[2])


_INDEXED_VARIABLE = re.compile(r"(\\?[a-z]+?)_?\{?[0-9]\}? =")


def _solutions(values: Sequence[Value], hints: About) -> Value:
    """Of equations such as "x = 1, y = 2", which are the point (1, 2), or "x = 1 or x = 3", which say the same in any order."""
    names = {value.unit for value in values}
    matches = [_INDEXED_VARIABLE.fullmatch(name) for name in names]
    if not hints.indexed and all(matches):
        # Numbers that the answer gives to the solutions of one unknown.
        names = {f"{name[1]} =" for name in matches if name}
    if len(names) == 1:
        alone = frozenset(replace(value, unit="") for value in values)
        return Value("set", alone, names.pop(), (alone,))
    if len(names) < len(values):
        return Value("set", frozenset(values))
    point = sorted(values, key=lambda value: value.unit)
    coordinates = tuple(replace(value, unit="") for value in point)
    name = f"{', '.join(value.unit.removesuffix(' =') for value in point)} ="
    return Value("tuple", coordinates, name, (coordinates,) if hints.point else ())


def _split(separator: re.Pattern[str], text: str) -> list[str]:
    """The parts of a text between separators that stand in no brackets."""
    parts, start, depth, place = list[str](), 0, 0, 0
    for match in separator.finditer(text):
        depth += sum((sign in "([{⟨") - (sign in ")]}⟩") for sign in text[place : match.start()])
        place = match.start()
        if depth <= 0:
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]]


def _opposite(values: Sequence[Value]) -> bool:
    """Whether these are a number and its negative, which says "plus or minus"."""
    if len(values) != 2 or any(value.kind != "number" for value in values):
        return False
    one, other = (value.key for value in values)
    return isinstance(one, (int, Fraction)) and isinstance(other, (int, Fraction)) and one == -other
