"""Sets, lists and tuples of answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

from uniscale_integrations.answers.plain import CLOSE, OPEN, closes_at
from uniscale_integrations.answers.question import About
from uniscale_integrations.answers.value import Value

MOST_ITEMS = 60
"""Of a list or a set."""

LONGEST_WORDING = 4
"""Words of an item that is a text."""

Read = Callable[[str, About], Value]
"""Reads a part."""

_BUILT = re.compile(rf"{OPEN} ?[a-z](?: in [^|:]{{1,20}})? ?(?:\\mid|[|:]) ?(.+){CLOSE}")
_NOTHING = frozenset([f"{OPEN}{CLOSE}", "{}", "∅", "\\varnothing", "\\emptyset"])
_AND = r"(?:and|or|und|oder)"
_ALSO = r"(?:and |und |(?:y|e|et) (?!=)|or |oder )?"
_SEPARATED = re.compile(rf" ?[,;] ?{_ALSO}| {_AND} ")
_SEPARATED_BY_SPACES = re.compile(rf" ?(?:[,;] |;|,(?![0-9]{{3}}(?![0-9]))) ?{_ALSO}| {_AND} ")
_SEVERAL = re.compile(rf"[,;]| {_AND} ")
_NAMED_SET = re.compile(r"([a-zA-Z]|\\[a-zA-Z]+) (?:in|=) ?([⟨{].*)")
_NAMED_ITEMS = re.compile(r"([a-zA-Z]|\\[a-zA-Z]+) ?= ?([^(\[].*)")


def read_items(text: str, asked: About, read: Read) -> Value | None:
    """The set, list or tuple that a text in plain characters is as a whole.

    Args:
        text: of a few hundred characters.
        asked: what the question says about it.
        read: reads an item.

    >>> from uniscale_integrations.answers.question import about
    >>> item = lambda text, asked: Value("text", text)
    >>> [read_items(text, about(""), item).kind for text in ("⟨a, b⟩", "a, b", "a and b", "(a, b)")]
    ['set', 'list', 'set', 'tuple']
    """
    if "+-" in text and (both := _plus_minus(text, asked, read)):
        return both
    if match := _BUILT.fullmatch(text):
        return read(match[1].strip(), asked)
    if text.replace(" ", "") in _NOTHING:
        return Value("set", frozenset())
    name, inner = _named(text)
    pair = inner[:1] + inner[-1:]
    braces, brackets = pair in ("⟨⟩", "{}"), pair == "[]"
    tuples = pair == "()" and closes_at(inner) == len(inner) - 1
    if braces or tuples or brackets:
        inner = inner[1:-1].strip()
    if not inner or not _SEVERAL.search(inner):
        return read(inner, asked) if braces and inner else None
    # Where items are set apart by spaces, a comma without one may stand within a number.
    parts = [part for part in _split(_SEPARATED_BY_SPACES if ", " in inner else _SEPARATED, inner) if part.strip()]
    if not 1 < len(parts) <= MOST_ITEMS:
        return None
    values = [replace(read(part.strip(), asked), bare=()) for part in parts]
    if any(value.kind == "text" and len(str(value.key).split()) > LONGEST_WORDING for value in values):
        return None
    if all(value.unit.endswith("=") for value in values):
        return _solutions(values, asked)
    if tuples:
        return Value("tuple", tuple(values))
    joined = " " in inner and "," not in inner and ";" not in inner
    if braces or (not brackets and (joined or asked.unordered or _opposite(values))):
        return Value("set", frozenset(values), name, () if joined and not braces else (frozenset(values),))
    return Value("list", tuple(values), name, (tuple(values),) if name else ())


def _plus_minus(text: str, asked: About, read: Read) -> Value | None:
    """Both values of "x = 1 ± 2"."""
    name, inner = _named(text)
    if inner.count("+-") != 1 or _SEVERAL.search(inner):
        return None
    found = frozenset(replace(read(inner.replace("+-", sign).strip().removeprefix("+"), asked), bare=()) for sign in "+-")
    return Value("set", found, name, (found,))


def _named(text: str) -> tuple[str, str]:
    """The name of what is listed, and the list."""
    match = _NAMED_SET.fullmatch(text)
    if match is None and text.count("=") == 1:
        match = _NAMED_ITEMS.fullmatch(text)
    return ("", text) if match is None else (f"{match[1].casefold()} =", match[2])


_INDEXED = re.compile(r"(\\?[a-z]+?)_?\{?[0-9]\}? =")


def _solutions(values: Sequence[Value], asked: About) -> Value:
    """Of equations such as "x = 1, y = 2", which are the point (1, 2), or "x = 1 or x = 3", which say the same in any order."""
    names = {value.unit for value in values}
    numbered = [_INDEXED.fullmatch(name) for name in names]
    if not asked.indexed and all(numbered):
        # Numbers that the answer gives to the solutions of one unknown.
        names = {f"{name[1]} =" for name in numbered if name}
    if len(names) == 1:
        alone = frozenset(replace(value, unit="") for value in values)
        return Value("set", alone, names.pop(), (alone,))
    if len(names) < len(values):
        return Value("set", frozenset(values))
    point = sorted(values, key=lambda value: value.unit)
    coordinates = tuple(replace(value, unit="") for value in point)
    name = f"{', '.join(value.unit.removesuffix(' =') for value in point)} ="
    return Value("tuple", coordinates, name, (coordinates,) if asked.point else ())


def _split(separator: re.Pattern[str], text: str) -> list[str]:
    """The parts of a text between separators that stand in no brackets."""
    parts, begun, depth, place = list[str](), 0, 0, 0
    for found in separator.finditer(text):
        depth += sum((sign in "([{⟨") - (sign in ")]}⟩") for sign in text[place : found.start()])
        place = found.start()
        if depth <= 0:
            parts.append(text[begun : found.start()])
            begun = found.end()
    return [*parts, text[begun:]]


def _opposite(values: Sequence[Value]) -> bool:
    """Whether these are a number and its negative, which says "plus or minus"."""
    if len(values) != 2 or any(value.kind != "number" for value in values):
        return False
    one, other = (value.key for value in values)
    return isinstance(one, (int, Fraction)) and isinstance(other, (int, Fraction)) and one == -other
