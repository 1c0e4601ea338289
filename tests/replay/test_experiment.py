"""Replaying policies on small tables whose answers are known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from uniscale_integrations.engine.outcomes import OutcomeRow
from uniscale_integrations.errors import ConfigurationError, TableError
from uniscale_integrations.policy.objective import weights
from uniscale_integrations.replay.experiment import Setup, best_fixed_arm, best_single, experiment, interval, standings
from uniscale_integrations.replay.stream import Stream, World
from uniscale_integrations.replay.table import OutcomeTable
from uniscale_integrations.replay.upper_bounds import best_linear
from uniscale_integrations.space import Configuration

SMALL, LARGE, SEARCH = Configuration("small"), Configuration("large"), Configuration("small", 4)
TEXTS = ("Who won the cup in {}?", "Write a function that returns the list of the first {} primes.")


def rows(
    correct: Callable[[int, Configuration], float],
    configurations: Sequence[Configuration] = (SMALL, LARGE, SEARCH),
    count: int = 200,
    score: float | None = None,
    samples: int = 1,
) -> list[OutcomeRow]:
    costs = {SMALL: 1e9, LARGE: 1e10, SEARCH: 3e9}
    return [
        OutcomeRow(f"q{q}", TEXTS[q % 2].format(q), c, correct(q, c), s, score=score, eflops=costs[c])
        for q in range(count)
        for c in configurations
        for s in range(samples)
    ]


def world(*tables: list[OutcomeRow]) -> World:
    return World.of([OutcomeTable.of(table, f"table {number}") for number, table in enumerate(tables)])


def by_kind(q: int, configuration: Configuration) -> float:
    return float((q % 2 == 0) == (configuration == LARGE))


def test_the_policy_learns_which_question_is_for_which_model_and_the_baselines_do_not() -> None:
    made = world(rows(by_kind, count=400))
    episodes = experiment(made, Setup(weights([1, 0, 0]), seeds=3))
    found = standings(episodes)
    assert set(found) == {"uis", "tts", "routing", "random", "greedy", "knn"}
    assert found["uis"].second_half > 0.95
    assert found["greedy"].reward < 0.6
    assert best_single(episodes) == "tts:small"
    arm, reward, half = best_fixed_arm(episodes)
    assert reward == pytest.approx(0.5)
    assert half == pytest.approx(0.5, abs=0.1)
    assert made.configurations[arm] in (SMALL, LARGE, SEARCH)
    assert all(episode.oracle == 1 for episode in episodes)


def test_the_same_orders_give_the_same_rewards_also_in_other_processes() -> None:
    made = world(rows(by_kind, count=60))
    setup = Setup(weights("balanced"), ("uis", "random"), seeds=2)
    one, two = experiment(made, setup), experiment(made, setup, processes=2)
    for left, right in zip(one, two, strict=True):
        for name in ("uis", "random"):
            np.testing.assert_array_equal(left.runs[name].choices, right.runs[name].choices)


def test_what_context_is_worth_is_told_without_learning_online() -> None:
    told, chance = world(rows(by_kind)), world(rows(lambda q, c: float((q * 7919 + len(str(c))) % 2)))
    assert best_linear(told, weights([1, 0, 0])) > 0.98
    assert best_linear(chance, weights([1, 0, 0])) < 0.62


def test_every_question_comes_once_for_each_sample() -> None:
    made = world(rows(by_kind, count=30, samples=2))
    stream = Stream.of(made, seed=3)
    assert len(stream) == 60
    pairs = {(int(q), int(s)) for q, s in zip(stream.queries, stream.samples[:, 0], strict=True)}
    assert len(pairs) == 60
    assert Stream.of(made, seed=3).queries.tolist() == stream.queries.tolist() != Stream.of(made, seed=4).queries.tolist()


def test_several_tables_are_one_stream_in_their_order() -> None:
    first, second = rows(lambda q, c: 1.0), rows(lambda q, c: 0.0, (SEARCH, SMALL, LARGE), count=50)
    made = world(first, second)
    stream = Stream.of(made, seed=0)
    assert stream.parts(made)[0, :200].min() == 1
    assert stream.parts(made)[0, 200:].max() == 0
    assert made.configurations == (SMALL, LARGE, SEARCH)


def test_every_pass_has_all_questions_in_another_order() -> None:
    made = world(rows(by_kind, samples=2))
    once, thrice = (Stream.of(made, 5, passes=passes) for passes in (1, 3))
    parts = np.split(thrice.queries, 3)
    for part in parts:
        assert sorted(part) == sorted(once.queries)
    assert not np.array_equal(parts[0], parts[1])
    assert len(experiment(made, Setup(weights("balanced"), ("random",), seeds=1, passes=3))[0].runs["random"].reward) == len(
        thrice
    )


def test_with_drift_the_models_change_places_but_keep_their_costs() -> None:
    made = world(rows(lambda q, c: float(c == LARGE), (SMALL, LARGE)))
    stream = Stream.of(made, 0, "permute")
    parts = stream.parts(made)
    assert parts[0, :100].tolist() == [[0, 1]] * 100
    assert parts[0, 100:].tolist() == [[1, 0]] * 100
    np.testing.assert_allclose(parts[2], [[0, 0.5]] * 200)
    run = experiment(made, Setup(weights([1, 0, 0]), ("uis",), seeds=1, drift="permute"))[0].runs["uis"]
    assert run.changes == 1
    assert run.reward[-50:].mean() > 0.95


def test_late_feedback_is_learned_from_later() -> None:
    made = world(rows(lambda q, c: float(c == LARGE), count=300))
    prompt, late = (
        experiment(made, Setup(weights([1, 0, 0]), ("uis",), seeds=1, delay=delay))[0].runs["uis"].reward for delay in (0, 50)
    )
    assert late[:50].mean() < prompt[:50].mean()
    assert late[150:].mean() > 0.95


def test_a_budget_is_kept() -> None:
    made = world(rows(lambda q, c: float(c == LARGE), count=600))
    free, bound = (
        standings(experiment(made, Setup(weights([1, 0, 0]), ("uis",), seeds=1, budget=budget)))["uis"] for budget in (None, 4e9)
    )
    assert free.cost > 9e9
    assert 3e9 < bound.cost < 4.2e9
    assert bound.accuracy > 0.2


def test_ablations_take_from_the_policy_and_not_from_the_reward() -> None:
    made = world(rows(lambda q, c: 0.5, score=0.9, count=100))
    for without in ("verification", "cost"):
        run = experiment(made, Setup(weights("cost-sensitive"), ("uis",), seeds=1, without=without))[0].runs["uis"]
        costs = np.log([1.0, 10.0, 3.0]) / np.log(100)
        np.testing.assert_allclose(run.reward, 0.1 + 0.18 + 0.6 * (1 - costs[run.choices]))


def test_an_answer_without_a_score_counts_by_the_others() -> None:
    mixed = [replace(row, score=0.4) if row.configuration == LARGE else row for row in rows(lambda q, c: 1.0, count=4)]
    made = world(mixed)
    stream = Stream.of(made, 0)
    found = made.rewards(weights([1, 1, 0]), stream.parts(made))
    np.testing.assert_allclose(found, [[1.0, 0.7, 1.0]] * 4)


def test_what_is_free_is_as_cheap_as_can_be() -> None:
    free = [replace(row, eflops=0.0) if row.configuration == SMALL else row for row in rows(by_kind, count=4)]
    assert world(free).parts[2, 0, :, 0].tolist() == pytest.approx([0, np.log(10 / 3) / np.log(100), 0])
    assert world([replace(row, eflops=0.0) for row in free]).parts[2].max() == 0


def test_tables_that_cannot_be_replayed_say_why() -> None:
    with pytest.raises(TableError, match="table 0 has one configuration only"):
        world(rows(by_kind, (SMALL,)))
    with pytest.raises(TableError, match=r"do not have the same configurations: only one has \(large,1,1,1\)"):
        world(rows(by_kind), rows(by_kind, (SMALL, SEARCH)))
    priced = [replace(row, eflops=None, cost_usd=1.0) for row in rows(by_kind)]
    with pytest.raises(TableError, match="table 0 gives its costs in eflops, table 1 in usd"):
        world(rows(by_kind), priced)
    with pytest.raises(TableError, match=r"query 'q7' has no row for \(large,1,1,1\)"):
        world([row for row in rows(by_kind) if row.key[:2] != ("q7", LARGE)])
    with pytest.raises(TableError, match=r"'q0' has .* sample 0 twice"):
        world([*rows(by_kind), rows(by_kind)[0]])
    with pytest.raises(TableError, match="holds no rows"):
        world([])
    with pytest.raises(TableError, match="lacks a cost that other rows have"):
        world([replace(row, eflops=None) if row.query_id == "q3" else row for row in rows(by_kind)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"policies": ("uis", "magic")}, "no policy 'magic'; there are linucb, thompson"),
        ({"without": "luck"}, "nothing to go without is called 'luck'"),
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"delay": -1}, "delay must be at least 0"),
        ({"passes": 0}, "passes must be at least 1"),
        ({"budget": 0.0}, "a budget per query must be a number above 0"),
    ],
)
def test_a_setup_that_makes_no_sense_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Setup(weights("balanced"), **changes)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="no drift 'sideways'"):
        Stream.of(world(rows(by_kind, count=4)), 0, "sideways")


def test_the_interval_is_students() -> None:
    assert interval(np.array([1.0])) == 0
    assert interval(np.array([0.0, 2.0])) == pytest.approx(12.7062, rel=1e-4)
