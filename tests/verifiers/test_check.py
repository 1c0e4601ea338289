"""What passes as a score."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.errors import VerifierError
from uniscale_integrations.verifiers import check_scores


@given(st.floats(0, 1), st.data())
def test_scores_up_to_upper_pass_unchanged(upper: float, data: st.DataObject) -> None:
    scores = tuple(data.draw(st.lists(st.floats(0, upper))))
    assert check_scores("judge", ("step",) * len(scores), scores, upper) is scores


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -float("inf"), -1e-9, 1.0000001, "0.5", None])
def test_a_poisoned_score_is_refused_by_name_value_and_step(score: object) -> None:
    with pytest.raises(VerifierError) as refusal:
        check_scores("judge", ("first\n", "second\n"), (0.5, cast(Any, score)), 1.0)
    for named in ("'judge'", repr(score), "step 2 of 2", "'second'"):
        assert named in str(refusal.value)


def test_a_score_above_the_verifiers_own_bound_is_refused() -> None:
    with pytest.raises(VerifierError, match="raise `upper`"):
        check_scores("judge", ("step",), (0.9,), 0.8)


@pytest.mark.parametrize("scores", [(), (0.5, 0.5), None, 0.5])
def test_a_score_too_many_or_too_few_is_refused(scores: object) -> None:
    with pytest.raises(VerifierError, match=r"'judge' gave .*1 steps"):
        check_scores("judge", ("step",), cast(Any, scores), 1.0)


@pytest.mark.parametrize("upper", [float("nan"), 1.5, -1.0])
def test_a_bound_outside_the_range_is_named(upper: float) -> None:
    with pytest.raises(VerifierError, match="upper"):
        check_scores("judge", ("step",), (0.5,), upper)


def test_a_long_step_is_shortened_in_the_message() -> None:
    with pytest.raises(VerifierError) as refusal:
        check_scores("judge", ("x" * 1000,), (2.0,), 1.0)
    assert len(str(refusal.value)) < 200
