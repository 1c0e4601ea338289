"""The exact value of a number or of arithmetic with numbers, as it is written on one line; nothing that would take long."""

from __future__ import annotations

import re
from fractions import Fraction
from math import factorial

MAX_BITS = 4096
"""Of numerator and denominator, of every value on the way."""

MAX_FACTORIAL = 300
"""Of which a factorial is computed."""

DEEPEST = 30
"""Parentheses and signs within each other."""

_TOKEN = re.compile(r" *(?:([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(e[-+]?[0-9]{1,4}(?![0-9.]))?|(\*\*|[-+*/^()!]))", re.IGNORECASE)


class _NoValue(Exception):
    """It is no arithmetic, or none that is small."""


def value_of(text: str) -> Fraction | None:
    """The value of an expression of numbers, `+ - * / ^ !` and parentheses, in which a number may stand before a parenthesis.

    Args:
        text: of at most a few hundred characters.

    Returns:
        `None` where it is no such expression, divides by zero, or has a value of more than `MAX_BITS` bits on the way.

    Example:
        >>> value_of("(1/2)/3"), value_of("1.5e3"), value_of("10^-3"), value_of("2^99999"), value_of("x")
        (Fraction(1, 6), Fraction(1500, 1), Fraction(1, 1000), None, None)
    """
    tokens, place = list[str | Fraction](), 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            if text[place:].isspace():
                break
            return None
        number, power, sign = match.groups()
        if number is None:
            tokens.append(sign)
        else:
            digits, shift = len(number), int(power[1:]) if power else 0
            if digits > MAX_BITS // 4 or abs(shift) > MAX_BITS // 4:
                return None
            tokens.append(Fraction(number) * Fraction(10) ** shift)
        place = match.end()
    parser = _Parser(tokens)
    try:
        value = parser.sum()
        return value if parser.place == len(tokens) else None
    except (_NoValue, ZeroDivisionError):
        return None


class _Parser:
    def __init__(self, tokens: list[str | Fraction]) -> None:
        self._tokens, self.place, self._depth = tokens, 0, 0

    def sum(self) -> Fraction:
        """What the terms from here on add up to."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise _NoValue
        total = self._product()
        while (sign := self._next("+", "-")) is not None:
            part = self._product()
            total = _small(total + part if sign == "+" else total - part)
        self._depth -= 1
        return total

    def _product(self) -> Fraction:
        total = self._term()
        while True:
            if (sign := self._next("*", "/")) is not None:
                part = self._term()
                total = _small(total * part if sign == "*" else total / part)
            elif self.place < len(self._tokens) and self._tokens[self.place] == "(":
                total = _small(total * self._power())
            else:
                return total

    def _term(self) -> Fraction:
        negative = False
        while (sign := self._next("-", "+")) is not None:
            negative ^= sign == "-"
        value = self._power()
        return -value if negative else value

    def _power(self) -> Fraction:
        base = self._atom()
        if self._next("^", "**") is None:
            return base
        self._depth += 1
        if self._depth > DEEPEST:
            raise _NoValue
        exponent = self._term()
        self._depth -= 1
        if exponent.denominator != 1 or abs(exponent) * max(1, _bits(base)) > MAX_BITS:
            raise _NoValue
        return base ** int(exponent)

    def _atom(self) -> Fraction:
        value = self._factor()
        while self._next("!") is not None:
            if value.denominator != 1 or not 0 <= value <= MAX_FACTORIAL:
                raise _NoValue
            value = Fraction(factorial(int(value)))
        return value

    def _factor(self) -> Fraction:
        if self._next("(") is not None:
            value = self.sum()
            if self._next(")") is None:
                raise _NoValue
            return value
        token = self._tokens[self.place] if self.place < len(self._tokens) else None
        if not isinstance(token, Fraction):
            raise _NoValue
        self.place += 1
        return token

    def _next(self, *signs: str) -> str | None:
        token = self._tokens[self.place] if self.place < len(self._tokens) else None
        if isinstance(token, str) and token in signs:
            self.place += 1
            return token
        return None


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _small(value: Fraction) -> Fraction:
    if _bits(value) > MAX_BITS:
        raise _NoValue
    return value
