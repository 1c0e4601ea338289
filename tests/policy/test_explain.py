"""Why a configuration was chosen."""

from __future__ import annotations

import numpy as np
import pytest

from uniscale_integrations.policy.explain import explain
from uniscale_integrations.policy.objective import Weights
from uniscale_integrations.policy.policy import Assessment
from uniscale_integrations.space import Configuration

SPACE = [Configuration("small"), Configuration("large")]


def assessed(weights: Weights, bonus: tuple[float, float]) -> Assessment:
    parts = np.array([[0.6, 0.9], [0.6, 0.9], [0.0, 1.0]])
    return Assessment(parts[0], parts[1], parts[2], weights.reward(*parts), np.array(bonus), np.array([True, True]))


@pytest.mark.parametrize("bonus", [(0.0, 0.0), (0.1, 0.0), (0.0, 0.2)])
def test_at_the_weight_that_it_names_both_are_worth_the_same_with_what_not_knowing_is_worth(bonus: tuple[float, float]) -> None:
    weights = Weights(0.1, 0.1, 0.8)
    assessment = assessed(weights, bonus)
    [_, other] = explain(SPACE, assessment, weights, {}, assessment.best).candidates
    assert other.flips_at is not None
    rest = 1.0 - other.flips_at
    again = assessed(Weights(rest / 2, rest / 2, other.flips_at), bonus)
    worth = again.reward + again.bonus
    assert worth[0] == pytest.approx(worth[1], abs=1e-9)


def test_the_one_that_was_drawn_is_explained_and_not_the_best() -> None:
    weights = Weights(0.1, 0.1, 0.8)
    explanation = explain(SPACE, assessed(weights, (0.0, 0.0)), weights, {}, 1)
    assert explanation.choice.configuration == Configuration("large")
