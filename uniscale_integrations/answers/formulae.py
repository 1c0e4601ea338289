"""Formulae in a text, marked or not, and what they come to."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WHOLE_FORMULA = re.compile(r"(?:\$\$([^$\n]+)\$\$|\$([^$\n]+)\$|\\\[(.+)\\\]|\\\((.+)\\\))[.,]?")


def whole_formula(line: str) -> str | None:
    """The formula that a line is as a whole, without its marks.

    >>> whole_formula("$$x = 3$$"), whole_formula("so $x$")
    ('x = 3', None)
    """
    whole = _WHOLE_FORMULA.fullmatch(line)
    return None if whole is None else next(part for part in whole.groups() if part)


_EQUALS = re.compile(r"(?<![<>!:\\])=(?!=)|≈|\\approx(?![a-z])")
_LEADS_TO = re.compile(r"\\(?:Long)?[Rr]ightarrow|\\implies|⇒|→")
_VARIABLE = re.compile(r"\s*\\?[a-zA-Z]+(?:_\{?\w{1,9}\}?)?'{0,2}(?:\s?\(\s?[a-z]\s?\))?\s*")


def _exact(parts: Sequence[str]) -> str:
    """The last part, or the one before where that is a root or the like and the last one only its decimals."""
    if len(parts) > 1 and re.fullmatch(r"\s*-?[0-9]+\.[0-9]+\.{0,3}\s*", parts[-1]) and re.search(r"√|sqrt|π|\\pi|\\ln|log", parts[-2]):
        return parts[-2]
    return parts[-1]


def result_of(formula: str) -> str:
    """What a formula comes to: the last part of "a = b = c", with the name that the first one is."""
    formula = _LEADS_TO.split(formula)[-1].strip()
    first, *others = _EQUALS.split(formula)
    if not others:
        return formula
    last = _exact(others).strip().rstrip(".,")
    if _VARIABLE.fullmatch(first):
        return f"{first.strip()} = {last}"
    solved = len(others) == 1 and re.fullmatch(r"-?[0-9.]+", last) and re.search(r"(?<![\\a-zA-Z])[a-z](?![a-zA-Z])", first)
    return formula if solved else last


_MATHS = re.compile(
    r"[-+*/^=<>≤≥≠≈×·÷−–|]+|[-+−–(\[{|√]*(?:(?:[0-9]+(?:[.,][0-9]+)*)?(?:[a-zA-Z]'{0,2}|π|∞|sin|cos|tan|ln|log|exp|sqrt)?"
    r"(?:[⁰¹²³⁴-⁹₀-₉]|\^-?\{?\w{1,3}\}?|[-+*/×·^−√]|[()\[\]|!]|[0-9]|(?<![a-zA-Z])[a-zA-Z](?![a-zA-Z])|\([^()\s]{1,20}\)){0,12}),?"
)
_UNKNOWN = re.compile(r"(?<![a-zA-Z])[a-zA-Z](?:[²³^'(/]|(?![a-zA-Z]))|√|π")
_RELATED = re.compile(r"[=<>≤≥]|[-+−*/^²³√]")


def plain_formula(sentence: str) -> str | None:
    """The formula that a sentence ends with, where it holds unknowns or relations and is not marked as one."""
    words = sentence.rstrip(".!; ").split()
    start = len(words)
    while start > 0 and (_MATHS.fullmatch(words[start - 1]) or (words[start - 1] in ("and", "or") and start < len(words))):
        start -= 1
    while start < len(words) and (words[start] in ("a", "I", "and", "or", "-", "–", "=")):
        start += 1
    formula = " ".join(words[start:]).rstrip(",")
    relation = re.search("[=<>≤≥]", formula)
    if not (start > 0 or relation) or len(words) - start < 2 or not _UNKNOWN.search(formula) or not _RELATED.search(formula):
        return None
    return formula
