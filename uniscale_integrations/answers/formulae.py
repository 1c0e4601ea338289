"""Formulae in a text, marked or not, and what they come to."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_WHOLE_FORMULA = re.compile(r"(?:\$\$([^$\n]+)\$\$|\$([^$\n]+)\$|\\\[(.+)\\\]|\\\((.+)\\\))[.,]?")


def whole_formula(line: str) -> str | None:
    """The formula that a line is as a whole, without its marks.

    >>> whole_formula("$$x = 3$$"), whole_formula("so $x$")
    ('x = 3', None)
    """
    whole = _WHOLE_FORMULA.fullmatch(line)
    return None if whole is None else next(part for part in whole.groups() if part)


_OPENS = re.compile(r"\s{0,9}(\\\[|\$\$)")
_ENDS = {"\\[": "\\]", "$$": "$$"}
_ALIGNMENT = re.compile(r"\\(?:begin|end)\{(?:aligned|align\*?|gathered|split|equation\*?|gather\*?)\}")
_ROW = re.compile(r"\\\\(?:\[[^\]\n]{0,9}\])?")

MAX_ROWS = 30
"""Lines of one displayed formula."""


def join_displays(lines: Sequence[str]) -> list[str]:
    r"""Lines with each displayed formula on one of them.

    >>> join_displays([r"So", r"\[", r"x = 4", r"\]"])
    ['So', '\\[ x = 4 \\]']
    """
    result: list[str] = []
    place = 0
    while place < len(lines):
        line = lines[place]
        place += 1
        opens = _OPENS.match(line)
        if opens is None or _ENDS[opens[1]] in line[opens.end() :]:
            result.append(line)
            continue
        end = next((at for at in range(place, min(len(lines), place + MAX_ROWS)) if _ENDS[opens[1]] in lines[at]), None)
        if end is None:
            result.append(line)
            continue
        inner, _, behind = " ".join(each.strip() for each in lines[place - 1 : end + 1]).strip()[2:].partition(_ENDS[opens[1]])
        result.append(f"{opens[1]} {inner.strip()} {_ENDS[opens[1]]}{behind}")
        place = end + 1
    return result


def _chain(formula: str) -> str:
    """The rows of an alignment as one, or of several formulae the last one."""
    rows = [row.strip() for row in _ROW.split(_ALIGNMENT.sub("", formula).replace("&", "")) if row.strip()]
    start = max((at for at, row in enumerate(rows) if not row.startswith("=")), default=0)
    return " ".join(rows[start:])


_SET_IN = re.compile(r"\\(?:mathrm|ce|text|rm|,|;)|[{}_$*\s]|\((?:s|l|g|aq)\)")
_ARROW = re.compile(r"\\(?:long)?(?:right|leftright)arrow|\\rightleftharpoons|\\to(?![a-z])|-{1,2}>|→|⟶|⇌")
_SUBSTANCE = re.compile(r"[0-9]{0,3}(?:\(?[A-Z][a-z]?[0-9]{0,3}(?:\)[0-9]{0,3})?){1,12}(?:\^?[0-9]?[+-])?")


def reaction(formula: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    r"""Both sides of a chemical equation, each in any order.

    >>> reaction(r"\mathrm{2H_2 + O_2 \rightarrow 2H_2O}"), reaction("x → 3")
    ((('2H2', 'O2'), ('2H2O',)), None)
    """
    sides = _ARROW.split(formula)
    if len(sides) != 2 or "+" not in formula:
        return None
    left, right = ([_SET_IN.sub("", each) for each in unicodedata.normalize("NFKC", side).split("+")] for side in sides)
    if not all(_SUBSTANCE.fullmatch(each) for each in (*left, *right)):
        return None
    return tuple(sorted(left)), tuple(sorted(right))


_EQUALS = re.compile(r"(?<![<>!:\\])=(?!=)|≈|\\approx(?![a-z])")
_LEADS_TO = re.compile(r"\\(?:Long)?[Rr]ightarrow|\\implies|⇒|→")
_VARIABLE = re.compile(r"\s*\\?[a-zA-Z]+(?:_\{?\w{1,9}\}?)?'{0,2}(?:\s?\(\s?[a-z]\s?\))?\s*")


def _exact(parts: Sequence[str]) -> str:
    """The last part, or the one before where that is a root or the like and the last one only its decimals."""
    if (
        len(parts) > 1
        and re.fullmatch(r"\s*-?[0-9]+\.[0-9]+\.{0,3}\s*", parts[-1])
        and re.search(r"√|sqrt|π|\\pi|\\ln|log", parts[-2])
    ):
        return parts[-2]
    return parts[-1]


_ONE_SOLUTION = r"\\?[a-zA-Z]+(?:_\{?\w{1,9}\}?)?\s?=\s?[^=,;]{1,60}?"
_BESIDE = r"(?:[,;]|\\text\{\s?(?:and|or)\s?\}|\\q?quad|\\[,;\s]|\s(?:and|or)\s|\s){1,6}"
_SOLUTION = re.compile(rf"{_ONE_SOLUTION}(?:{_BESIDE}{_ONE_SOLUTION}){{1,5}}")
"""Several unknowns with their values."""


def result_of(formula: str) -> str:
    """What a formula comes to: the last part of "a = b = c", with the name that the first one is."""
    if _ALIGNMENT.search(formula):
        formula = _chain(formula)
    if reaction(formula):
        return formula
    formula = _LEADS_TO.split(formula)[-1].strip()
    if _SOLUTION.fullmatch(formula):
        return formula
    first, *others = _EQUALS.split(formula)
    if not others:
        return formula
    last = _exact(others).strip().rstrip(".,")
    if _VARIABLE.fullmatch(first):
        return f"{first.strip()} = {last}"
    solution = len(others) == 1 and re.fullmatch(r"-?[0-9.]+", last) and re.search(r"(?<![\\a-zA-Z])[a-z](?![a-zA-Z])", first)
    return formula if solution else last


_MATHS = re.compile(
    r"[-+*/^=<>≤≥≠≈×·÷−–|∈∪]+|[-+−–(\[{|√]*(?:(?:[0-9]+(?:[.,][0-9]+)*)?(?:[a-zA-Z]'{0,2}|π|∞|sin|cos|tan|ln|log|exp|sqrt)?"
    r"(?:[⁰¹²³⁴-⁹₀-₉]|\^-?\{?\w{1,3}\}?|[-+*/×·^−√]|[()\[\]|!]|[0-9]|(?<![a-zA-Z])[a-zA-Z](?![a-zA-Z])|\([^()\s]{1,20}\)){0,12}),?"
)
_SYMBOL = re.compile(r"(?<![a-zA-Z])[a-zA-Z](?:[²³^'(/]|(?![a-zA-Z]))|√|π")
_RELATION = re.compile(r"[=<>≤≥∈]|[-+−*/^²³√]")


def plain_formula(sentence: str) -> str | None:
    """The formula that a sentence ends with, where it holds unknowns or relations and is not marked as one."""
    words = sentence.rstrip(".!; ").split()
    start = len(words)
    while start > 0 and (_MATHS.fullmatch(words[start - 1]) or (words[start - 1] in ("and", "or") and start < len(words))):
        start -= 1
    while start < len(words) and (words[start] in ("a", "I", "and", "or", "-", "–", "=")):
        start += 1
    formula = " ".join(words[start:]).rstrip(",")
    relation = re.search("[=<>≤≥∈]", formula)
    if not (start > 0 or relation) or len(words) - start < 2 or not _SYMBOL.search(formula) or not _RELATION.search(formula):
        return None
    return formula
