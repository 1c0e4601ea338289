"""Slips put into exact solutions."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from training.corruption import corrupt
from training.solvers import solve_expression
from training.word_problems import tell


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_the_slip_is_the_first_difference(seed: int, level: int) -> None:
    rng = Random(seed)
    _, _, expression = tell(rng, level)
    exact = solve_expression(expression)
    steps, wrong = corrupt(exact, rng)
    assert steps[:wrong] == exact[:wrong]
    assert steps[wrong] != exact[wrong]


def test_every_kind_of_slip_occurs() -> None:
    exact = ["14 + 5 = 19", "19 - 2 = 17", "Answer: 17"]
    made = [corrupt(exact, Random(seed)) for seed in range(400)]
    assert {wrong for _, wrong in made} == {0, 1, 2}
    assert any(len(steps) < len(exact) for steps, _ in made)
    assert any("14 - 5" in steps[0] or "14 * 5" in steps[0] for steps, _ in made)
    assert any(steps[0].startswith("14 + 5 =") and steps[0] != exact[0] for steps, _ in made)
