"""The door that every score passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.errors import VerifierError
from uniscale_integrations.search.scores import check_scores


@given(st.lists(st.floats(0, 1), max_size=5), st.floats(0, 1))
def test_scores_within_the_verifiers_range_pass_as_they_are(parts: list[float], upper: float) -> None:
    scores = tuple(min(upper, part) for part in parts)
    assert check_scores("v", ("step",) * len(scores), scores, upper) is scores


@given(st.floats().filter(lambda score: not 0 <= score <= 1), st.integers(0, 3))
def test_anything_else_is_refused_with_its_value_and_step(score: float, place: int) -> None:
    scores = (0.5,) * place + (score,)
    steps = tuple(f"step {n}\n" for n in range(len(scores)))
    with pytest.raises(VerifierError) as caught:
        check_scores("judge", steps, scores, 1.0)
    assert f"verifier 'judge' gave {score!r} to step {place + 1} of {len(steps)}, 'step {place}'" in str(caught.value)


def test_a_score_above_the_verifiers_own_upper_says_so() -> None:
    with pytest.raises(VerifierError, match=r"more than its own `upper`, 0.5, which early stopping relies on: raise `upper`"):
        check_scores("v", ("a",), (0.75,), 0.5)


@pytest.mark.parametrize("upper", [1.5, float("nan"), -0.5])
def test_an_upper_out_of_range_is_named(upper: float) -> None:
    with pytest.raises(VerifierError, match=f"`upper`, is {upper!r}"):
        check_scores("v", ("a",), (0.75,), upper)


def test_a_missing_score_is_counted_and_long_steps_are_shortened() -> None:
    with pytest.raises(VerifierError, match=r"gave 1 scores for 2 steps, \(0.5,\)"):
        check_scores("v", ("a", "b"), (0.5,), 1.0)
    with pytest.raises(VerifierError, match=r"x{77}\.\.\.'"):
        check_scores("v", ("x" * 200,), (2.0,), 1.0)
