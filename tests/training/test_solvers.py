"""Properties of the exact solvers."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.rollouts import label
from training.solvers import Unsolvable, solve_expression, solve_gcd, solve_legs, solve_linear, solve_product, solve_sorting

EQUATION = re.compile(r"^(-?\d+) ([-+*/]|mod) (-?\d+) = (-?\d+)$")


def holds(step: str) -> bool:
    match = EQUATION.match(step)
    assert match, step
    left, right, result = int(match[1]), int(match[3]), int(match[4])
    exact = {"+": left + right, "-": left - right, "*": left * right}
    if match[2] in exact:
        return exact[match[2]] == result
    return left == right * result if match[2] == "/" else left % right == result


@given(st.lists(st.integers(-999, 999), min_size=2, max_size=6), st.data())
def test_every_step_of_an_expression_holds_and_the_last_is_its_value(terms: list[int], data: st.DataObject) -> None:
    expression = str(terms[0])
    for term in terms[1:]:
        expression += f" {data.draw(st.sampled_from('+-*'))} {term}"
    *steps, answer = solve_expression(expression)
    assert all(map(holds, steps))
    assert answer == f"Answer: {eval(expression)}"


@given(st.lists(st.integers(1, 999), min_size=2, max_size=3))
def test_partial_products_add_up(factors: list[int]) -> None:
    *steps, answer = solve_product(factors)
    assert all(map(holds, steps))
    assert answer == f"Answer: {math.prod(factors)}"


@given(st.integers(1, 2000), st.integers(1, 2000))
def test_euclid_ends_in_the_greatest_common_divisor(first: int, second: int) -> None:
    *steps, answer = solve_gcd(first, second)
    assert all(map(holds, steps))
    assert answer == f"Answer: {math.gcd(first, second)}"


@given(st.integers(-50, 50).filter(bool), st.integers(-99, 99), st.integers(-50, 50))
def test_linear_equations_are_solved(coefficient: int, constant: int, solution: int) -> None:
    result = coefficient * solution + constant
    sign = "-" if constant < 0 else "+"
    middle = f" {sign} {abs(constant)}" if constant else ""
    assert solve_linear(f"{coefficient}*x{middle} = {result}")[-1] == f"Answer: {solution}"


@given(st.lists(st.integers(-99, 99), min_size=1, max_size=8), st.booleans())
def test_sorting_lists_every_number_once(numbers: list[int], descending: bool) -> None:
    steps = solve_sorting(numbers, descending)
    assert [int(step) for step in steps[:-1]] == sorted(numbers, reverse=descending)


@given(st.dictionaries(st.sampled_from(["cat", "spider", "duck"]), st.integers(1, 15), min_size=1))
def test_legs_are_counted_with_a_running_total(animals: dict[str, int]) -> None:
    legs = {"cat": 4, "spider": 8, "duck": 2}
    *steps, answer = solve_legs(animals, legs)
    assert all(map(holds, steps))
    assert answer == f"Answer: {sum(legs[a] * n for a, n in animals.items())}"


@pytest.mark.parametrize("expression", ["7 / 2", "3 / 0", "2 ** 3", "x + 1"])
def test_what_has_no_integer_solution_is_refused(expression: str) -> None:
    with pytest.raises(Unsolvable):
        solve_expression(expression)


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=6), st.lists(st.sampled_from(["a", "b", "c"]), max_size=6))
def test_labels_never_recover_after_the_first_wrong_step(steps: list[str], exact: list[str]) -> None:
    labels = label(steps, exact)
    assert labels == sorted(labels, reverse=True)
    agreed = sum(labels)
    assert steps[:agreed] == exact[:agreed]
