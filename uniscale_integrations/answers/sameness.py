"""Which answers are the same."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from fractions import Fraction
from itertools import combinations

from uniscale_integrations.answers.value import Value
from uniscale_integrations.answers.values import read_values

Equal = Callable[[str, str], bool | None]
"""Whether two expressions are equal; `None` where that cannot be told."""

MAX_COMPARISONS = 12
"""Expressions of one question that algebra compares with each other; those beyond are the same where they are written alike."""


def groups(answers: Sequence[str], question: str = "", equal: Equal | None = None) -> list[int]:
    """The number of the group that each answer is in; groups are numbered in the order in which they begin.

    Being in a group is transitive, whatever is compared: an answer is put into exactly one.

    Args:
        answers: as `extract_answer` gives them.
        question: that they answer, where it is known.
        equal: compares expressions.

    Example:
        >>> groups(["3/4", "0.75", "(B)", "B", "12 km", "12", "12 miles"])
        [0, 0, 1, 1, 2, 2, 3]
    """
    return group_values(read_values(answers, question), equal)


def settled(values: Sequence[Value]) -> bool:
    """Whether the groups of these answers stay what they are, whatever further answers there will be.

    They may not where a unit or a name is said, for those without join the largest group with one; where algebra has to tell; and where
    numbers are so close to each other, or so much like a number and its percentage, that a further answer might equal both.

    Example:
        >>> [settled(read_values(answers)) for answers in (["12", "7", "7"], ["(B)", "(C)"], ["12", "12 km"], ["0.5", "50"])]
        [True, True, False, False]
    """
    if any(value.unit or value.expression for value in values):
        return False
    numbers = {value.key for value in values if value.kind == "number"}
    exact = sorted(abs(Fraction(key)) for key in numbers if isinstance(key, (int, Fraction)))
    return len(exact) == len(numbers) and not any(
        greater - less <= greater / 1000 or abs(greater - 100 * less) <= greater / 1000
        for less, greater in combinations(exact, 2)
    )


def identical(values: Sequence[Value]) -> list[int]:
    """The number of the part that each answer is in, of parts that are in one group whatever further answers there are."""
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault((value.kind, value.unit, value.key), len(numbers)) for value in values]


def group_values(values: Sequence[Value], equal: Equal | None = None) -> list[int]:
    """`groups` of what was read."""
    of = identical(values)
    if len(set(of)) == 1 or not any(value.unit or value.expression for value in values):
        return of
    joint = _merge(values, of)
    if equal is not None and any(value.expression for value in values):
        joint = _by_algebra(values, joint, equal)
    return _renumber(joint)


def _merge(values: Sequence[Value], of: list[int]) -> list[int]:
    """Those without a unit join the largest group with one that they may be of, of equals the same one in whatever order they came."""
    quantities = {(number, value) for value, number in zip(values, of, strict=True) if value.unit}
    claims: dict[Hashable, int] = {}
    for number, value in sorted(quantities, key=lambda each: (-of.count(each[0]), str(each[1]))):
        for key in value.bare:
            claims.setdefault((value.kind, "", key), number)
        if currency := value.unit.rpartition("/")[0]:
            # Of an amount for each of something the amount may be all that is said.
            claims.setdefault((value.kind, currency, value.key), number)
    if not claims:
        return of
    return [claims.get((value.kind, value.unit, value.key), number) for value, number in zip(values, of, strict=True)]


def _by_algebra(values: Sequence[Value], of: list[int], equal: Equal) -> list[int]:
    """Groups that have equal expressions become one; in whatever order the answers came, the same ones are compared."""
    firsts: dict[int, Value] = {}
    for value, number in sorted(zip(values, of, strict=True), key=lambda each: str(each[0])):
        if value.kind in ("expression", "number"):
            firsts.setdefault(number, value)
    leaders: list[tuple[int, Value]] = []
    same: dict[int, int] = {}
    for number, value in list(firsts.items())[:MAX_COMPARISONS]:
        for other, first in leaders:
            if _comparable(value, first) and equal(_notation(first, value), _notation(value, first)):
                same[number] = other
                break
        else:
            leaders.append((number, value))
    return [same.get(number, number) for number in of]


def _comparable(value: Value, other: Value) -> bool:
    """Whether algebra can tell of two that they are equal: an equation is none of its sides."""
    if not (value.expression or other.expression):
        return False
    if ("=" in value.expression) != ("=" in other.expression):
        return (value.unit or other.unit).endswith("=") and not (value.unit and other.unit)
    return value.unit == other.unit or not (value.unit and other.unit)


def _notation(value: Value, other: Value) -> str:
    """An expression as algebra reads it; one that has a name is an equation where the other is one."""
    notation = value.expression or str(value.key)
    return f"{value.unit}{notation}".replace(" ", "") if value.unit.endswith("=") and "=" in other.expression else notation


def _renumber(of: list[int]) -> list[int]:
    numbers: dict[int, int] = {}
    return [numbers.setdefault(number, len(numbers)) for number in of]
