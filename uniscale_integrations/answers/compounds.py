"""Answers made of others: intervals, sets, lists, equations, expressions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Hashable

from uniscale_integrations.answers.arithmetic import value_of
from uniscale_integrations.answers.plain import closes_at
from uniscale_integrations.answers.question import About
from uniscale_integrations.answers.sets import MAX_ITEMS, Reader, read_items
from uniscale_integrations.answers.units import DIMENSIONS
from uniscale_integrations.answers.value import Value


def read_compound(text: str, hints: About, reader: Reader) -> Value | None:
    """The value of a text in plain characters that is made of others.

    Args:
        text: of a few hundred characters.
        hints: what the question says about it.
        reader: reads what it is made of.

    >>> from uniscale_integrations.answers.numbers import read_number
    >>> from uniscale_integrations.answers.question import about
    >>> part = lambda text, hints: read_number(text, hints) or Value("text", text)
    >>> [read_compound(text, about(""), part).kind for text in ("(1, 2]", "1, 2, 3", "x = 3", "2x + 1")]
    ['interval', 'list', 'number', 'expression']
    """
    for compound in (_interval, read_items, _equation, _algebra):
        value = compound(text, hints, reader)
        if value is not None:
            return value
    return None


_END = r"[-+]? ?(?:inf|[0-9./]+|[a-z0-9./*^()]*sqrt\([0-9]+\)|pi)"
_BETWEEN = re.compile(rf"(?:([a-z]) in )?([\[(\]]) ?({_END}) ?[,;] ?({_END}) ?([\])\[])", re.IGNORECASE)
_INEQUALITY = re.compile(rf"([a-z]) ?(<=?|>=?) ?({_END})", re.IGNORECASE)
_BOUND_BY = re.compile(rf"({_END}) ?(<=?|>=?) ?([a-z])", re.IGNORECASE)
_MIRROR = str.maketrans("<>", "><")
_BOUNDS = re.compile(rf"({_END}) ?(<=?|>=?) ?([a-z]) ?(<=?|>=?) ?({_END})", re.IGNORECASE)


_REALS = r"(?:[a-z] in )?(?:r|(?:the )?(?:set of )?all (?:the )?reals?(?: numbers?)?(?: [a-z])?)"
_WITHOUT = r"(?:\\setminus|\\backslash|-|except(?: for)?|other than|but|without|excluding|where|such that|with)"
_BUT = re.compile(
    rf"{_REALS}(?:,? {_WITHOUT} ?(?:(?:when |where )?[a-z] ?(?:=|!=) ?)?[⟨{{]?([-0-9./, a-z=!]+?)[⟩}}]?)?", re.IGNORECASE
)
_VARIABLE = re.compile(r"[a-z] ?!?= ?", re.IGNORECASE)
_UNEQUAL = re.compile(r"([a-z]) ?!= ?([^=<>!]{1,40}?)(?:(?:,| and|, and) \1 ?!= ?([^=<>!]{1,40}))?", re.IGNORECASE)


def _all_but(text: str) -> Value | None:
    """All real numbers, or all but a few."""
    if match := _UNEQUAL.fullmatch(text):
        left_out = [part for part in (match[2], match[3]) if part]
    elif match := _BUT.fullmatch(text):
        left_out = re.split(r", (?:and )?|,| and | or ", _VARIABLE.sub("", match[1])) if match[1] else []
    else:
        return None
    points = [value_of(each.strip()) for each in left_out]
    values = sorted(point for point in points if point is not None)
    if len(values) < len(points):
        return None
    ends = [_end("-inf"), *values, _end("inf")]
    return Value("interval", frozenset((low, False, high, False) for low, high in itertools.pairwise(ends)))


def _interval(text: str, hints: About, reader: Reader) -> Value | None:
    if (most := _all_but(text)) is not None:
        return most
    parts = re.split(r" u | or ", text) if " u " in text or " or " in text else [text]
    intervals = [_one_interval(part.strip(), hints) for part in parts[:MAX_ITEMS]]
    if any(each is None for each in intervals):
        return None
    names = {each[0] for each in intervals if each is not None and each[0]}
    ends = frozenset(each[1] for each in intervals if each is not None)
    name = names.pop() if len(names) == 1 else ""
    return Value("interval", ends, name, (ends,)) if not names else None


Ends = tuple[Hashable, bool, Hashable, bool]


def _one_interval(text: str, hints: About) -> tuple[str, Ends] | None:
    if match := _BETWEEN.fullmatch(text):
        name, opening, low, high, closing = match.groups()
        closed = opening == "[", closing == "]"
        # Two numbers in brackets of one kind may be a point or a list.
        if name or closed[0] != closed[1] or "inf" in text or hints.interval:
            return name or "", (_end(low), closed[0], _end(high), closed[1])
        return None
    if match := _BOUND_BY.fullmatch(text):
        return _one_interval(f"{match[3]}{match[2].translate(_MIRROR)}{match[1]}", hints)
    if match := _INEQUALITY.fullmatch(text):
        name, relation, end = match.groups()
        if relation[0] == "<":
            return name, (_end("-inf"), False, _end(end), "=" in relation)
        return name, (_end(end), "=" in relation, _end("inf"), False)
    if match := _BOUNDS.fullmatch(text):
        low, first, name, second, high = match.groups()
        if first[0] == second[0]:
            left, right = (_end(low), "=" in first), (_end(high), "=" in second)
            left, right = (left, right) if first[0] == "<" else (right, left)
            return name, (*left, *right)
    return None


def _end(text: str) -> Hashable:
    text = text.replace(" ", "").removeprefix("+")
    value = value_of(text)
    return text.casefold() if value is None else value


_VERB = re.compile(r"\b(?:is|are|was|has|have|gives|so|the)\b", re.IGNORECASE)
_EQUATION = re.compile(
    r"((?:\\[a-zA-Z]+|[a-zA-Z])'{0,2}(?:_[a-zA-Z0-9]+|_?[0-9]|\([a-z]\))?|[a-z]+(?: [a-z]+){0,2}) ?= ?([^=<>]+)",
    re.IGNORECASE,
)


def _equation(text: str, hints: About, reader: Reader) -> Value | None:
    match = _EQUATION.fullmatch(text)
    if match is None or _VERB.search(match[1]):
        return None
    inner = reader(match[2].strip(), hints)
    if inner.kind == "number" and inner.unit in DIMENSIONS:
        return inner
    if inner.kind in ("number", "set", "interval", "list", "tuple", "expression") and not (inner.unit and inner.kind != "number"):
        # What has a name as well as a unit is told apart by the name.
        bare = (inner.key,) if not inner.unit else inner.bare
        return Value(inner.kind, inner.key, f"{match[1].casefold()} =", bare, inner.expression)
    return Value("equation", (match[1].casefold(), inner.kind, inner.key))


_COMPLEXITY = re.compile(r"([OΘΩoθω]) ?\((.{1,60})\)")
_ALGEBRA = re.compile(r"[-+*/^=<>()\[\]{}.,|!%_ 0-9a-zA-Z°\\]+")
_LONG_WORD = re.compile(r"[a-zA-Z]{2,}")
_FUNCTIONS = frozenset(["sqrt", "log", "ln", "sin", "cos", "tan", "exp", "pi", "inf", "frac"])


def _algebra(text: str, hints: About, reader: Reader) -> Value | None:
    if match := _COMPLEXITY.fullmatch(text):
        return Value("complexity", (match[1], re.sub(r"[\s*\\]|(?<=g)\(|\)$", "", match[2].casefold())))
    if not _ALGEBRA.fullmatch(text) or not re.search(r"[-+*/^=<>]|sqrt|\\|[0-9]\(?[a-z]|pi|log|ln|[a-z)]!", text):
        return None
    words = [word for word in _LONG_WORD.findall(text) if word not in _FUNCTIONS]
    if len(words) > 2 or (words and not re.search(r"[\^=]", text)):
        return None
    key = re.sub(r"\s", "", _ARGUMENT.sub(r"\1(\2)", text))
    return Value("expression", key, "", (), _in_latex(key))


_ARGUMENT = re.compile(r"\b(log|ln|sin|cos|tan|exp) ([0-9a-z]+)(?![0-9a-z(])")
_FUNCTION = re.compile(r"\b(?:pi|log|ln|sin|cos|tan|exp)(?![a-zA-Z])")


def _in_latex(text: str) -> str:
    """Roots and functions in LaTeX, as algebra reads them; the rest is the same in either."""
    while (place := text.find("sqrt(")) >= 0:
        inside = place + len("sqrt")
        closing = inside + closes_at(text[inside:])
        if closing < inside:
            return text
        text = f"{text[:place]}\\√{{{text[inside + 1 : closing]}}}{text[closing + 1 :]}"
    return _FUNCTION.sub(lambda match: f"\\{match[0]} ", text.replace("√", "sqrt"))
