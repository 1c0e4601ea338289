"""Equality of mathematical expressions by math-verify, where it is installed, without its signals and without its traps."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import SupportsFloat

MOST_CHARACTERS = 120
"""Longer expressions are left alone: simplifying them may take minutes."""

_COMMAND = re.compile(r"\\(?:[a-zA-Z]+|[,;:! %{}])")
_WORD = re.compile(r"[a-zA-Z]{2,}")
_SYMBOLS = re.compile(r"[0-9a-zA-Z+\-*/^=<>()\[\]{}.,|%_ ]*")
_LONG_NUMBER = re.compile(r"[0-9]{16,}")
_POWER = re.compile(r"\^\s*(?:\{\s*-?([0-9]{1,3}|[a-zA-Z])\s*\}|([0-9]{1,3}|[a-zA-Z]))(?![0-9]|\s*\^)")


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


@lru_cache(maxsize=4096)
def equal_mathematics(left: str, right: str) -> bool | None:
    """Whether two expressions are equal, whichever comes first.

    math-verify looks for an expression *inside* a text, so that "Paris 12" would equal "London 12", and it can compute for a very
    long time ("9^9^9"). Only texts that are an expression as a whole, and a tame one, reach it.

    Returns:
        `None` where that cannot be told: math-verify is not installed, or a text is no expression that it reads.

    Example:
        >>> equal_mathematics("1/2", "0.5"), equal_mathematics("2*(3+4)", "15"), equal_mathematics("Paris 12", "London 12")
        (True, False, None)
    """
    if not (_tame(left) and _tame(right)):
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


@lru_cache(maxsize=4096)
def numeric_value(expression: str) -> float | None:
    """The value of an expression without unknowns; `None` where it has none, or as in `equal_mathematics`.

    >>> numeric_value("17/4"), numeric_value("17/x")
    (4.25, None)
    """
    package = math_verify()
    if package is None or not _tame(expression):
        return None
    try:
        return float(_parsed(package.parse, expression)[0])
    except Exception:
        # As above.
        return None


def _parsed(parse: Callable[..., list[SupportsFloat]], expression: str) -> list[SupportsFloat]:
    latex = re.sub(r"\\?%", r"\\%", expression.replace("**", "^"))
    return parse(f"${latex}$", parsing_timeout=None, fallback_mode="no_fallback")


def _tame(text: str) -> bool:
    """Whether this is one expression as a whole, small enough to be simplified at once."""
    if "," in text and not text.startswith(("{", "\\{")):
        # math-verify reads a list as a set, so that "1, 2" would equal "2, 1".
        return False
    if not 0 < len(text) <= MOST_CHARACTERS or _LONG_NUMBER.search(text):
        return False
    symbols = _COMMAND.sub(" ", text.replace("**", "^"))
    if not _SYMBOLS.fullmatch(symbols) or _WORD.search(symbols):
        return False
    powers = [exponent or exponent_alone for exponent, exponent_alone in _POWER.findall(symbols)]
    longest = 1 if re.search("[a-zA-Z]", symbols) else 3
    small = len(powers) == symbols.count("^") and all(len(power) <= longest for power in powers)
    return small and len(re.findall(r"[)}]\s*\^", symbols)) < 2
