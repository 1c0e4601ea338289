"""Exact solvers: each turns a problem into its worked solution, one step a line, the answer last.

A step is correct when it is the next line of the exact solution; a path is correct up to its first wrong step. That makes
labels for the process reward model exact without ever asking a model.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence

ANSWER = "Answer: "


class Unsolvable(ValueError):
    """The problem falls outside what the solver writes out exactly (a remainder in a division, a number too large)."""


def answer_line(answer: object) -> str:
    """The last line of a solution.

    >>> answer_line(12)
    'Answer: 12'
    """
    return f"{ANSWER}{answer}"


def solve_expression(expression: str) -> list[str]:
    """Evaluate an integer expression the way a reader does: left to right, inner brackets first.

    >>> solve_expression("2 - ( 4 / 2 ) * 7")
    ['4 / 2 = 2', '2 * 7 = 14', '2 - 14 = -12', 'Answer: -12']
    """
    steps: list[str] = []
    value = _reduce(ast.parse(expression.strip(), mode="eval").body, steps)
    return [*steps, answer_line(value)]


def _reduce(node: ast.expr, steps: list[str]) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        if isinstance(node.operand, ast.Constant):
            return -_reduce(node.operand, steps)
        inner = _reduce(node.operand, steps)
        steps.append(f"0 - {inner} = {-inner}")
        return -inner
    if isinstance(node, ast.BinOp):
        left = _reduce(node.left, steps)
        right = _reduce(node.right, steps)
        value, sign = _apply(node.op, left, right)
        steps.append(f"{left} {sign} {right} = {value}")
        return value
    raise Unsolvable(f"no integer arithmetic in {ast.dump(node)}")


def _apply(operator: ast.operator, left: int, right: int) -> tuple[int, str]:
    if isinstance(operator, ast.Add):
        return left + right, "+"
    if isinstance(operator, ast.Sub):
        return left - right, "-"
    if isinstance(operator, ast.Mult):
        return left * right, "*"
    if isinstance(operator, ast.Div):
        if right == 0 or left % right:
            raise Unsolvable(f"{left} / {right} is not an integer")
        return left // right, "/"
    raise Unsolvable(f"operator {operator} is not one of + - * /")


def solve_product(factors: Sequence[int]) -> list[str]:
    """Multiply by partial products, ones first.

    >>> solve_product([34, 27])
    ['34 * 7 = 238', '34 * 20 = 680', '238 + 680 = 918', 'Answer: 918']
    """
    steps: list[str] = []
    product = factors[0]
    for factor in factors[1:]:
        total: int | None = None
        for place, digit in enumerate(reversed(str(factor))):
            part = int(digit) * 10**place
            if part == 0 and factor != 0:
                continue
            steps.append(f"{product} * {part} = {product * part}")
            if total is None:
                total = product * part
            else:
                steps.append(f"{total} + {product * part} = {total + product * part}")
                total += product * part
        product = total if total is not None else 0
    return [*steps, answer_line(product)]


def solve_legs(animals: Mapping[str, int], legs: Mapping[str, int]) -> list[str]:
    """Count legs, one animal after the other, with a running total.

    >>> solve_legs({"cat": 3, "spider": 2}, {"cat": 4, "spider": 8})
    ['3 * 4 = 12', '2 * 8 = 16', '12 + 16 = 28', 'Answer: 28']
    """
    steps: list[str] = []
    total: int | None = None
    for animal, count in animals.items():
        product = count * legs[animal]
        steps.append(f"{count} * {legs[animal]} = {product}")
        if total is None:
            total = product
        else:
            steps.append(f"{total} + {product} = {total + product}")
            total += product
    return [*steps, answer_line(total)]


def solve_sorting(numbers: Sequence[int], descending: bool) -> list[str]:
    """Pick the next number in order, one a line.

    >>> solve_sorting([9, 83, 25], descending=False)
    ['9', '25', '83', 'Answer: 9, 25, 83']
    """
    ordered = [str(number) for number in sorted(numbers, reverse=descending)]
    return [*ordered, answer_line(", ".join(ordered))]


def solve_gcd(first: int, second: int) -> list[str]:
    """Euclid's algorithm, a remainder a line.

    >>> solve_gcd(98, 58)[:2], solve_gcd(98, 58)[-1]
    (['98 mod 58 = 40', '58 mod 40 = 18'], 'Answer: 2')
    """
    larger, smaller = max(first, second), min(first, second)
    steps: list[str] = []
    while smaller:
        steps.append(f"{larger} mod {smaller} = {larger % smaller}")
        larger, smaller = smaller, larger % smaller
    return [*steps, answer_line(larger)]


_TERM = re.compile(r"([+-]?)(\d*)\*?([a-z]?)")


def solve_linear(equation: str) -> list[str]:
    """Solve `k*v + c = r` for the single letter in it.

    >>> solve_linear("56 - 98*e = -1218")
    ['-98*e = -1218 - 56 = -1274', 'e = -1274 / -98 = 13', 'Answer: 13']
    >>> solve_linear("h + 4 = 9")
    ['h = 9 - 4 = 5', 'Answer: 5']
    """
    left, right = equation.replace(" ", "").split("=")
    coefficient, constant, variable = 0, 0, ""
    for sign, digits, letter in _TERM.findall(left):
        if not digits and not letter:
            continue
        value = int(sign + (digits or "1"))
        if letter:
            coefficient, variable = coefficient + value, letter
        else:
            constant += value
    result = int(right)
    steps: list[str] = []
    shown = {1: variable, -1: f"-{variable}"}.get(coefficient, f"{coefficient}*{variable}")
    if constant:
        moved = result - constant
        steps.append(f"{shown} = {result} {'-' if constant > 0 else '+'} {abs(constant)} = {moved}")
        result = moved
    if coefficient == 0 or result % coefficient:
        raise Unsolvable(f"{equation} has no single integer solution")
    if coefficient != 1:
        steps.append(f"{variable} = {result} / {coefficient} = {result // coefficient}")
    return [*steps, answer_line(result // coefficient)]
