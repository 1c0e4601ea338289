"""What a right answer is worth, as an objective."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import (
    Expectation,
    Forecast,
    Objective,
    Value,
    Weights,
    default_objective,
    objective,
    objective_of_record,
    weights,
)
from uniscale_integrations.policy.trade_off import points_to_pay

UNIT, COST = st.floats(0.0, 1.0), st.floats(1e-6, 1.0)
ARMS = st.lists(st.tuples(UNIT, UNIT, COST), min_size=2, max_size=6)


def forecast(arms: list[tuple[float, float, float]], scored: list[bool] | None = None) -> Forecast:
    correct, score, spend = np.array(arms).T
    seen = np.array(scored if scored is not None else [True] * len(arms))
    return Forecast(correct, score, np.log(spend / spend.min()), spend, spend, seen)


@given(ARMS, COST)
def test_a_right_answer_is_worth_its_value_less_its_cost(arms: list[tuple[float, float, float]], right: float) -> None:
    rewards = Value(right=right).rewards(forecast(arms))
    assert rewards.tolist() == pytest.approx([right * correct - spend for correct, _, spend in arms])
    assert Value(right=right).earned(1.0, None, 0.3, 0.5) == pytest.approx(right - 0.5)


@given(ARMS, st.floats(0.5, 50.0))
def test_the_dearest_is_worth_it_at_so_many_points_more(arms: list[tuple[float, float, float]], points: float) -> None:
    costs = np.array([spend for _, _, spend in arms])
    if costs.max() <= 1.02 * costs.min():
        return
    resolved = Value(points=points).resolve(forecast(arms))
    dearest, cheapest = int(costs.argmax()), int(costs.argmin())
    even = [(0.5, 0.0, cost) for cost in costs]
    even[dearest] = (0.5 + points / 100.0, 0.0, costs[dearest])
    rewards = resolved.rewards(forecast(even))
    assert rewards[dearest] == pytest.approx(rewards[cheapest], rel=1e-6, abs=1e-9)
    assert points_to_pay(resolved, costs[cheapest], costs[dearest]) == pytest.approx(points)


@given(ARMS, st.floats(1.0, 100.0))
def test_what_points_are_worth_does_not_depend_on_what_there_is_to_choose_from_beside_plain_calls(
    arms: list[tuple[float, float, float]], factor: float
) -> None:
    base = forecast(arms)
    searches = Forecast(
        base.correct, base.score, base.cost, base.spend * factor, base.plain_spend, base.scored
    )  # the same models with searches that cost more
    assert Value(points=5).resolve(searches).right == pytest.approx(Value(points=5).resolve(base).right)


def test_of_models_that_cost_the_same_a_further_call_is_what_can_be_saved() -> None:
    same = forecast([(0.5, 0.5, 0.01), (0.6, 0.5, 0.01)])
    assert Value(points=5).resolve(same).right == pytest.approx(0.01 / 0.05)


@given(ARMS, COST, st.integers(0, 5), st.integers(0, 5))
def test_at_the_value_that_it_names_both_are_worth_the_same(
    arms: list[tuple[float, float, float]], right: float, one: int, other: int
) -> None:
    one, other = one % len(arms), other % len(arms)
    chosen, objective = [Expectation(c, s, 0.0, cost, 0.1 * right) for c, s, cost in arms], Value(right=right)
    value = objective.flips_at(chosen[one], chosen[other])
    if value is None:
        gain = (chosen[other].correct - chosen[one].correct) * (chosen[other].spend - chosen[one].spend)
        assert gain <= 1e-12, "more for less, or nothing for anything"
        return

    def worth(each: Expectation) -> float:
        return value * (each.correct + each.bonus / right) - each.spend

    assert worth(chosen[one]) == pytest.approx(worth(chosen[other]), rel=1e-6, abs=1e-9)


def test_until_feedback_comes_the_score_stands_in_where_there_is_one() -> None:
    seen = Value(right=1.0).observable(scored=True, judged=False)
    arms = forecast([(0.5, 0.9, 0.1), (0.5, 0.1, 0.1)], [True, False])
    assert seen.rewards(arms).tolist() == pytest.approx([0.8, 0.4])
    correct, score = seen.gains(arms)
    assert (correct.tolist(), score.tolist()) == ([0.0, 1.0], [1.0, 0.0])
    assert Value(right=1.0).observable(scored=False, judged=False) == Value(right=1.0)


@given(ARMS, st.sampled_from([weights("balanced"), weights([1, 0, 0]), weights([0, 1, 0]), Value(right=0.1), Value(points=5)]))
def test_rewards_rise_with_what_is_gained(arms: list[tuple[float, float, float]], sought: Objective) -> None:
    scored = [number % 2 == 0 for number in range(len(arms))]
    before = forecast(arms, scored)
    resolved = sought.resolve(before)
    gains = resolved.gains(before)

    def changed(correct: float, score: float) -> Array:
        more = Forecast(
            before.correct + correct, before.score + score, before.cost, before.spend, before.plain_spend, before.scored
        )
        return resolved.rewards(more) - resolved.rewards(before)

    np.testing.assert_allclose(changed(0.25, 0.0), 0.25 * gains[0], atol=1e-9)
    np.testing.assert_allclose(changed(0.0, 0.25), 0.25 * gains[1], atol=1e-9)


@pytest.mark.parametrize("sought", [weights("quality-first"), Value(right=0.02), Value(points=5.0), Value(right=0.1, points=5.0)])
def test_what_is_recorded_is_read_again(sought: Weights | Value) -> None:
    assert objective_of_record(sought.record()) == sought
    assert objective(sought) is sought


def test_what_is_no_value_is_refused_and_what_is_unknown_is_said() -> None:
    with pytest.raises(ConfigurationError, match="Value needs right="):
        Value()
    for wrong in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ConfigurationError, match="must be a finite number above 0"):
            Value(right=wrong)
    with pytest.raises(ConfigurationError, match="depends on the request"):
        Value(points=5).earned(1.0, None, 0.0, 0.1)


def test_prices_decide_what_is_sought_by_default() -> None:
    assert default_objective(priced=True) == Value(points=5.0)
    assert default_objective(priced=False) == weights("balanced")
