"""Weights and modes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.objective import MODES, Weights, weights

UNIT = st.floats(0, 1)


def test_the_modes_are_those_of_the_paper() -> None:
    assert {
        "cost-sensitive": Weights(0.2, 0.2, 0.6),
        "balanced": Weights(0.4, 0.3, 0.3),
        "quality-first": Weights(0.5, 0.4, 0.1),
    } == MODES


@given(st.tuples(UNIT, UNIT, UNIT).filter(lambda numbers: sum(numbers) > 1e-6), st.tuples(UNIT, UNIT, UNIT))
def test_three_numbers_are_divided_by_their_sum(numbers: tuple[float, float, float], parts: tuple[float, float, float]) -> None:
    found = weights(numbers)
    assert sum(found.parts) == pytest.approx(1)
    correct, score, cost = parts
    w1, w2, w3 = (number / sum(numbers) for number in numbers)
    assert found.reward(correct, score, cost) == pytest.approx(w1 * correct + w2 * score + w3 * (1 - cost))
    assert found.reward(*np.array([parts, parts]).T).tolist() == pytest.approx([found.reward(*parts)] * 2)
    assert 0 <= found.reward(correct, score, cost) <= 1 + 1e-12


def test_what_can_never_be_observed_drops_out() -> None:
    assert weights("balanced").without(score=True).parts == pytest.approx((4 / 7, 0, 3 / 7))
    assert weights("balanced").without(correct=True, score=True).parts == (0, 0, 1)
    assert weights("balanced").score_for_correct().parts == pytest.approx((0, 0.7, 0.3))
    with pytest.raises(ConfigurationError, match="no component that counts can be observed"):
        weights([0, 1, 0]).without(score=True)


@pytest.mark.parametrize(
    "mode", ["cheap", [1, 2], [1, 2, 3, 4], [-1, 1, 1], [0, 0, 0], [float("nan"), 1, 1], [float("inf"), 1, 1]]
)
def test_what_is_no_mode_is_refused(mode: object) -> None:
    with pytest.raises(
        ConfigurationError, match=r"no mode 'cheap'; there are cost-sensitive|weights are three numbers of at least 0"
    ):
        weights(mode)  # type: ignore[arg-type]
