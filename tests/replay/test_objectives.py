"""Replay with a value of right answers, and with targets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from uniscale_integrations.engine.outcomes import OutcomeRow
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.default_policy import LinUCBPolicy
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Objective, Value, weights
from uniscale_integrations.policy.targets import AtLeast, Target, Within
from uniscale_integrations.replay.experiment import Episode, Setup, best_fixed_arm, best_single, experiment, standings
from uniscale_integrations.replay.feedback import FeedbackPlan
from uniscale_integrations.replay.replay import replay
from uniscale_integrations.replay.stream import Stream, World
from uniscale_integrations.replay.table import OutcomeTable
from uniscale_integrations.replay.upper_bounds import best_linear
from uniscale_integrations.replay.yardsticks import best_mix
from uniscale_integrations.space import Configuration

SMALL, LARGE = Configuration("small"), Configuration("large")
COSTS = {SMALL: 0.001, LARGE: 0.006}


def table(count: int = 400) -> OutcomeTable:
    """The small model is right on 60 of 100 questions, the large one on 90, whatever they ask."""
    rng = np.random.default_rng(3)
    rows = [
        OutcomeRow(f"q{q}", f"What is {q}?", c, float(rng.random() < {SMALL: 0.6, LARGE: 0.9}[c]), cost_usd=COSTS[c])
        for q in range(count)
        for c in (SMALL, LARGE)
    ]
    return OutcomeTable.of(rows, "two")


def played(objective: Objective | Target, costs: str = "cold", policies: tuple[str, ...] = ("uis",)) -> list[Episode]:
    return experiment(World.of([table()], costs=costs), Setup(objective, policies, seeds=1))


@pytest.mark.parametrize("costs", ["cold", "known"])
def test_rewards_of_a_value_are_what_right_answers_are_worth_less_their_cost(costs: str) -> None:
    [episode] = played(Value(right=0.05), costs)
    run = episode.runs["uis"]
    np.testing.assert_allclose(run.reward, 0.05 * run.correct - run.cost)
    assert (run.choices[-100:] == 1).mean() > 0.9
    cheap = played(Value(right=0.005), costs)[0].runs["uis"]
    assert (cheap.choices[-100:] == 0).mean() > 0.9


def test_points_make_a_right_answer_worth_what_mean_costs_of_plain_calls_tell() -> None:
    world = World.of([table()], costs="cold")
    resolved = world.resolve(Value(points=5.0))
    assert isinstance(resolved, Value)
    assert resolved.right == pytest.approx(0.1)
    [episode] = experiment(world, Setup(Value(points=5.0), ("uis", "tts"), seeds=1))
    for run in episode.runs.values():
        np.testing.assert_allclose(run.reward, 0.1 * run.correct - run.cost)
    assert best_fixed_arm([episode])[0] == 1
    assert best_linear(world, Value(points=5.0)) <= episode.oracle


@pytest.mark.parametrize("costs", ["cold", "known"])
def test_at_least_is_reached_without_always_asking_the_dear_model(costs: str) -> None:
    [episode] = played(AtLeast(0.75), costs)
    found = standings([episode])["uis"]
    assert 0.73 < found.second_half_accuracy < 0.88
    assert 0.002 < found.second_half_cost < 0.0057


@pytest.mark.parametrize("costs", ["cold", "known"])
def test_within_is_kept_and_spent(costs: str) -> None:
    found = standings(played(Within(0.003), costs))["uis"]
    assert 0.0027 < found.second_half_cost < 0.00303
    assert 0.62 < found.second_half_accuracy < 0.85


def test_a_target_tells_the_best_fixed_configuration_and_model_by_what_was_asked_for() -> None:
    for target, best in ((AtLeast(0.5), 0), (AtLeast(0.85), 1), (AtLeast(0.99), 1), (Within(0.002), 0)):
        episodes = played(target, policies=("tts",))
        assert best_fixed_arm(episodes)[0] == best
        assert best_single(episodes) == f"tts:{('small', 'large')[best]}"


def test_judgements_that_come_late_or_one_sided_reach_what_keeps_to_a_target() -> None:
    world, plan = World.of([table()], costs="cold"), FeedbackPlan("down", silence=1.0)
    found = standings(experiment(world, Setup(AtLeast(0.75), ("uis",), seeds=1, delay=10, feedback=plan)))["uis"]
    assert 0.7 < found.second_half_accuracy < 0.9
    assert found.second_half_cost < 0.0059


def test_targets_need_what_answers_cost_and_no_second_budget() -> None:
    world = World.of([table(20)])
    stream = Stream.of(world, 0)
    with pytest.raises(ConfigurationError, match="needs to know what answers cost"):
        replay(LinUCBPolicy(world.arms), world, stream.queries, stream.parts(world), AtLeast(0.8))
    with pytest.raises(ConfigurationError, match="give it, or a budget per query"):
        Setup(Within(0.1), budget=0.1)
    with pytest.raises(ConfigurationError, match="ablation of weights"):
        Setup(Value(right=0.1), without="cost")


def test_weights_are_still_taken_by_their_former_name() -> None:
    with pytest.warns(DeprecationWarning, match="weights"):
        setup = Setup(weights=weights("balanced"))  # type: ignore[call-arg]
    assert setup.objective == weights("balanced")


@given(arrays(float, 4, elements=st.floats(0, 1)), arrays(float, 4, elements=st.floats(0.01, 10)), st.floats(0.05, 0.95))
def test_no_configuration_does_better_than_the_best_mix(accuracy: Array, costs: Array, share: float) -> None:
    mix = best_mix(AtLeast(share), accuracy, costs)
    enough = accuracy >= share
    if enough.any():
        assert mix.accuracy >= share - 1e-9
        assert mix.cost <= costs[enough].min() + 1e-9
    else:
        assert mix.accuracy == pytest.approx(accuracy.max(), abs=1e-9)
    within = best_mix(Within(1.0), accuracy, costs)
    if (costs <= 1.0).any():
        assert within.cost <= 1.0 + 1e-6
        assert within.accuracy >= accuracy[costs <= 1.0].max() - 1e-9
