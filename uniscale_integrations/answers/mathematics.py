"""Equality of mathematical expressions by math-verify, where it is installed, without its signals.

What is here may take for ever and holds the interpreter meanwhile: `algebra` has it run in a process of its own.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from importlib import import_module
from types import ModuleType
from typing import SupportsFloat

MAX_CHARACTERS = 120
"""Longer expressions are left alone: simplifying them may take minutes."""

_COMMAND = re.compile(r"\\(?:[a-zA-Z]+|[,;:! %{}])")
_WORD = re.compile(r"[a-zA-Z]{2,}")
_SYMBOLS = re.compile(r"[0-9a-zA-Z+\-*/^=<>()\[\]{}.,|%_ ]*")
_LONG_NUMBER = re.compile(r"[0-9]{16,}")
_POWER = re.compile(r"\^\s*(?:\{\s*-?([0-9]{1,3}|[a-zA-Z])\s*\}|([0-9]{1,3}|[a-zA-Z]))(?![0-9]|\s*\^)")


def warm() -> None:
    """Do what takes long the first time: import, and simplify something of each kind."""
    for left, right in (("x^2+2x+1", "(x+1)^2"), (r"\sin(2x)", r"2\sin(x)\cos(x)"), (r"\frac{x^2-1}{x-1}", r"\sqrt{x}")):
        equal_mathematics(left, right)


def math_verify() -> ModuleType | None:
    """The math-verify package, or `None` where it is not installed."""
    try:
        package = import_module("math_verify")
    except ImportError:
        return None
    logger = logging.getLogger("math_verify")
    if logger.level == logging.NOTSET:
        # It warns that its timeouts are off. They are off on purpose: they are signals, which only the main thread may set.
        logger.setLevel(logging.ERROR)
    return package


def equal_mathematics(left: str, right: str) -> bool | None:
    """Whether two expressions are equal, whichever comes first.

    math-verify looks for an expression *inside* a text, so that "Paris 12" would equal "London 12". Only texts that are an expression as a
    whole, and a `tame` one, reach it.

    Returns:
        `None` where that cannot be told: math-verify is not installed, or a text is no expression that it reads.

    Example:
        >>> equal_mathematics("1/2", "0.5"), equal_mathematics("2*(3+4)", "15"), equal_mathematics("Paris 12", "London 12")
        (True, False, None)
    """
    if not (tame(left) and tame(right)):
        return None
    package = math_verify()
    if package is None:
        return None
    parse, verify = package.parse, package.verify
    try:
        first, second = _parsed(parse, left), _parsed(parse, right)
        if not first or not second:
            return None
        return bool(verify(first, second, timeout_seconds=None) or verify(second, first, timeout_seconds=None))
    except Exception:
        # Whatever a computer algebra system stumbles over, the answer is "cannot be told".
        return None


def numeric_value(expression: str) -> float | None:
    """The value of an expression without unknowns; `None` where it has none, or as in `equal_mathematics`.

    >>> numeric_value("17/4"), numeric_value("17/x")
    (4.25, None)
    """
    package = math_verify()
    if package is None or not tame(expression):
        return None
    try:
        return float(_parsed(package.parse, expression)[0])
    except Exception:
        # As above.
        return None


def hold(claims: Sequence[tuple[str, str]]) -> list[bool | None]:
    """Whether two sides are equal, or the left one rounds to the right one; `None` as in `equal_mathematics`.

    >>> hold([("2^0.5", "1.41"), ("4^0.5", "2"), ("2^0.5", "1.5")])
    [True, True, False]
    """
    return [_holds(left, right) for left, right in claims]


def _holds(left: str, right: str) -> bool | None:
    equal = equal_mathematics(left, right)
    if equal is not False:
        return equal
    value, target = numeric_value(left), numeric_value(right)
    return value is not None and target is not None and rounds(value, target, right)


def rounds(value: Fraction | float, target: Fraction | float, notation: str) -> bool:
    """Whether what is stated, and how it is written, is a decimal number that a value rounds to.

    >>> rounds(2 / 3, 0.67, "0.67"), rounds(2 / 3, 0.66, "0.66"), rounds(2 / 3, 1, "1")
    (True, False, False)
    """
    decimals = notation.partition(".")[2]
    if not decimals.isdigit() or not -1e15 < value < 1e15:
        return False
    return abs(float(value - target)) <= 0.5 * 10.0 ** -len(decimals) * (1 + 1e-9)


def _parsed(parse: Callable[..., list[SupportsFloat]], expression: str) -> list[SupportsFloat]:
    latex = re.sub(r"\\?%", r"\\%", expression.replace("**", "^"))
    return parse(f"${latex}$", parsing_timeout=None, fallback_mode="no_fallback")


def tame(text: str) -> bool:
    """Whether this is one expression as a whole, and not one that would only be simplified for ever, such as "9^9^9".

    >>> tame("2(x + 1)"), tame("9^9^9"), tame("about 12")
    (True, False, False)
    """
    if "," in text and not text.startswith(("{", "\\{")):
        # math-verify reads a list as a set, so that "1, 2" would equal "2, 1".
        return False
    if not 0 < len(text) <= MAX_CHARACTERS or _LONG_NUMBER.search(text):
        return False
    symbols = _COMMAND.sub(" ", text.replace("**", "^"))
    if not _SYMBOLS.fullmatch(symbols) or _WORD.search(symbols):
        return False
    powers = [exponent or exponent_alone for exponent, exponent_alone in _POWER.findall(symbols)]
    longest = 1 if re.search("[a-zA-Z]", symbols) else 3
    small = len(powers) == symbols.count("^") and all(len(power) <= longest for power in powers)
    return small and len(re.findall(r"[)}]\s*\^", symbols)) < 2
