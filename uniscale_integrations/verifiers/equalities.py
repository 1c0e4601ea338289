"""The arithmetic equalities that a text claims, read with care: what may be algebra, a unit or a remainder is no claim."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple


class Equality(NamedTuple):
    """A claim that two arithmetic expressions, in digits and operators alone, are equal."""

    left: str
    right: str


MAX_LENGTH = 200
"""Characters that an expression is looked for in, so that reading stays linear in the text."""

_PLAIN_SIGNS = (
    (re.compile(r"(?m)^[ \t]*[-*\N{BULLET}][ \t]+"), ""),
    (re.compile(r"(?<!\S)\*\*(?=\S)|(?<=\S)\*\*(?!\S|$)|(?<=\S)\*\*$"), ""),
    (re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r"((\1)/(\2))"),
    (re.compile(r"\\(?:times|cdot)\b|[\N{MULTIPLICATION SIGN}\N{MIDDLE DOT}\N{DOT OPERATOR}]"), "*"),
    (re.compile(r"\\div\b|\N{DIVISION SIGN}"), "/"),
    (re.compile("\N{MINUS SIGN}"), "-"),
    (re.compile(r"\\left\b|\\right\b|\\[()\[\],;!]|\\?\$|(?<=\d)\{,\}(?=\d{3})"), ""),
    (re.compile(r"(?<=[\d)])\s+[xX]\s+(?=[\d(])"), "*"),
    (re.compile(r"(?<![\d,])(\d{1,3}(?:,\d{3})+)(?![\d,])"), lambda match: match[1].replace(",", "")),
    (re.compile(r"\*\*"), "^"),
)

_TOKEN = re.compile(r"\s*(?:(?P<number>\d+(?:\.\d+)?\\?%?|\.\d+\\?%?)|(?P<operator>[-+*/^])|(?P<open>\()|(?P<close>\)))")
_EXPRESSION_BEFORE = re.compile(r"[\d.%\\+\-*/^()\s]*$")
_STARTS_HERE = re.compile(r"(?:^|[\s\[{<>,;:.!?\"'])$")
_CLOCK_OR_DECIMAL = re.compile(r"\d[:.,]$")
_GOES_ON = re.compile(r"[\w(^!%\\]|[.,:/]\d|\s*[-+*/^]|\s+\((?=[\d(-])|\s+(?:r|R|rem|remainder|mod|modulo)\b")


def claimed_equalities(text: str) -> list[Equality]:
    """The equalities in a text, line by line; a chain "a = b = c" claims "a = b" and "b = c".

    At least one member of a chain must hold an operator: "n = 7" and "7 = 7" claim nothing.

    Example:
        >>> claimed_equalities("So 3 + 4 = 7 apples, and 2 x 7 = 14.")
        [Equality(left='3+4', right='7'), Equality(left='2*7', right='14')]
        >>> claimed_equalities("2x + 3 = 7, 17 / 3 = 5 remainder 2, f(3) = 9")
        []
    """
    for pattern, replacement in _PLAIN_SIGNS:
        text = pattern.sub(replacement, text)
    return [equality for line in text.splitlines() for equality in _in_line(line)]


def _in_line(line: str) -> list[Equality]:
    members = re.split(r"(?<![<>!=])=(?!=)", line)
    equalities: list[Equality] = []
    computed = False
    for before, after in pairwise(members):
        left, right = _ending(before), _beginning(after)
        whole = left is not None and before.replace(" ", "") == left
        computed = (computed and whole) or _has_operator(left) or _has_operator(right)
        if left is not None and right is not None and computed:
            equalities.append(Equality(left, right))
    return equalities


def _has_operator(expression: str | None) -> bool:
    return expression is not None and re.search(r"[\d)%][-+*/^]", expression) is not None


def _beginning(text: str) -> str | None:
    """The expression that a text begins with, unless it goes on in a way that is not arithmetic."""
    end = _expression_end(text, 0)
    if end is None or _GOES_ON.match(text, end):
        return None
    return re.sub(r"\s+", "", text[:end])


def _ending(text: str) -> str | None:
    """The longest expression that a text ends with, unless what stands before it may belong to it."""
    text = text.rstrip()[-MAX_LENGTH:]
    run = _EXPRESSION_BEFORE.search(text)
    if run is None or run.end() - run.start() == MAX_LENGTH:
        return None
    start = next((place for place in range(run.start(), run.end()) if _expression_end(text, place) == run.end()), None)
    if start is None:
        return None
    start = run.end() - len(text[start : run.end()].lstrip())
    before, expression = text[:start], text[start : run.end()]
    belongs = re.search(r"[-+*/^(]\s*$", before) or (expression[0] == "-" and re.search(r"[\w)\]]\s*$", before))
    if not _STARTS_HERE.search(before) or _CLOCK_OR_DECIMAL.search(before) or belongs:
        return None
    return re.sub(r"\s+", "", expression)


def _expression_end(text: str, start: int) -> int | None:
    """Where the longest expression that starts here ends; `None` where none does.

    An expression is numbers and balanced parentheses with one operator between any two; each may have a minus sign in front.
    """
    position, depth, wants_number, signed, end = start, 0, True, False, None
    while token := _TOKEN.match(text, position):
        kind = token.lastgroup
        if wants_number:
            if kind == "operator" and token["operator"] == "-" and not signed:
                signed = True
            elif kind == "open":
                depth, signed = depth + 1, False
            elif kind == "number":
                wants_number, signed = False, False
            else:
                break
        elif kind == "operator":
            wants_number = True
        elif kind == "close" and depth:
            depth -= 1
        else:
            break
        position = token.end()
        if depth == 0 and not wants_number:
            end = position
    return end
