"""Episodes on tables whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from uniscale_integrations.engine.outcomes import OutcomeRow
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.default_policy import LinUCBPolicy
from uniscale_integrations.policy.objective import Objective, Value, weights
from uniscale_integrations.replay.replay import Consumption, replay
from uniscale_integrations.replay.rounds import replay_rounds, rounds_policy
from uniscale_integrations.replay.stream import Stream, World
from uniscale_integrations.replay.table import OutcomeTable
from uniscale_integrations.space import Configuration

SMALL, LARGE = Configuration("small"), Configuration("large")
COSTS = {SMALL: 1e9, LARGE: 1e11}


def world(samples: int = 1, count: int = 300, seed: int = 0) -> World:
    """Small is right on two of three questions, large on all; a score tells which."""
    rng, rows = np.random.default_rng(seed), []
    for question in range(count):
        for configuration in (SMALL, LARGE):
            for sample in range(samples):
                correct = float(configuration == LARGE or rng.random() < 0.67)
                score = 0.98 if correct else 0.05
                row = OutcomeRow(f"q{question}", f"Question {question}?", configuration, correct, sample, score=score)
                rows.append(replace_cost(row, COSTS[configuration]))
    return World.of([OutcomeTable.of(rows, "table")]).in_money()


def replace_cost(row: OutcomeRow, cost: float) -> OutcomeRow:
    return OutcomeRow(row.query_id, row.query, row.configuration, row.correct, row.sample, score=row.score, eflops=cost)


@pytest.mark.parametrize("objective", [weights("balanced"), weights("quality-first"), Value(right=5e11)])
def test_one_round_is_the_replay_of_ever(objective: Objective) -> None:
    made = world(samples=2)
    stream = Stream.of(made, 3)
    parts, costs = stream.parts(made), stream.costs(made)
    trace = replay(
        LinUCBPolicy(made.arms),
        made,
        stream.queries,
        parts,
        objective,
        seed=3,
        consumption=Consumption(costs),
    )
    played = replay_rounds(rounds_policy(made, 1), made, stream, objective, rounds=1, seed=3)
    times = np.arange(len(stream))
    np.testing.assert_allclose(played.parts, parts[:, times, trace.choices])
    np.testing.assert_allclose(played.costs, costs[times, trace.choices])
    assert (played.attempts == 1).all()


def test_a_cheap_model_whose_failures_show_is_followed_by_a_dear_one() -> None:
    made, sought = world(), weights([0.7, 0.0, 0.3])
    stream = Stream.of(made, 0)
    once, twice = (replay_rounds(rounds_policy(made, rounds), made, stream, sought, rounds=rounds) for rounds in (1, 2))
    half = len(stream) // 2
    gain = (sought.reward(*twice.parts) - sought.reward(*once.parts))[half:].mean()
    assert gain > 0.05
    assert twice.parts[0, half:].mean() > 0.95


def test_costs_are_of_all_attempts_and_no_sample_is_given_twice() -> None:
    made = world()
    stream = Stream.of(made, 1)
    played = replay_rounds(rounds_policy(made, 2), made, stream, weights("quality-first"), rounds=3)
    assert played.attempts.max() == 2
    both = played.attempts == 2
    np.testing.assert_allclose(played.costs[both], sum(COSTS.values()))
    assert set(played.costs[~both]) <= set(COSTS.values())


def test_which_answers_are_judged_depends_on_the_seed_alone() -> None:
    made = world()
    stream = Stream.of(made, 1)
    first, second = [
        replay_rounds(rounds_policy(made, 2), made, stream, weights("balanced"), feedback=0.3, seed=4).parts for _ in range(2)
    ]
    assert np.array_equal(first, second)
    with pytest.raises(ConfigurationError, match="share"):
        replay_rounds(rounds_policy(made, 2), made, stream, weights("balanced"), feedback=1.5)
