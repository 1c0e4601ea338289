"""That bandits of other packages are compared on the same questions, orders and rewards."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks import peers_reward
from benchmarks.peers import Array, Contender
from benchmarks.peers_reward import OWN, Earned, best_setting, earn, earned_on, main, standings
from benchmarks.reward_peers import PEERS, Problem
from uniscale_integrations.engine.outcomes import OutcomeRow
from uniscale_integrations.policy.objective import MODES
from uniscale_integrations.replay.experiment import Setup, episode
from uniscale_integrations.replay.stream import Stream, World
from uniscale_integrations.replay.table import OutcomeTable
from uniscale_integrations.space import Configuration

ARMS = {Configuration("small"): 1e9, Configuration("large"): 1e10}
BALANCED = MODES["balanced"]


@pytest.fixture(scope="module")
def world() -> World:
    """Forty questions, of which the larger model can answer more."""
    rows = [
        OutcomeRow(f"q{q}", f"What is {q} + {q * q}?" + " Say why." * (q % 3), arm, float(q % (2 + place) > 0), eflops=cost)
        for q in range(40)
        for place, (arm, cost) in enumerate(ARMS.items())
    ]
    return World.of([OutcomeTable.of(rows, "toy")], costs="cold")


class Recorder:
    """Makes contenders that choose as they are told, and keep what they see and learn."""

    def __init__(self, choices: Iterator[int]) -> None:
        self.choices = choices
        self.problems: list[Problem] = []
        self.events: list[tuple[str, bytes]] = []
        self.learned: list[tuple[int, float]] = []

    def __call__(self, problem: Problem) -> Contender:
        self.problems.append(problem)
        return Contender(self.select, self.update, problem.query_dim)

    def select(self, query: Array) -> int:
        self.events.append(("asked", query.tobytes()))
        return next(self.choices)

    def update(self, arm: int, query: Array, reward: float) -> None:
        self.events.append(("told", query.tobytes()))
        self.learned.append((arm, reward))


def always(arm: int) -> Recorder:
    return Recorder(iter([arm] * 1000))


def test_contenders_see_the_same_questions_in_the_same_order_and_learn_each_reward_before_the_next(world: World) -> None:
    first, second = always(0), always(1)
    for recorder in (first, second):
        earned_on(world, BALANCED, recorder, 3)
    stream = Stream.of(world, 3)
    expected = [(event, world.queries[query].tobytes()) for query in stream.queries for event in ("asked", "told")]
    assert first.events == second.events == expected
    assert first.problems[0].seed == second.problems[0].seed == 3
    rewards = world.earned(BALANCED, stream.parts(world), stream.costs(world))
    for arm, recorder in enumerate((first, second)):
        assert recorder.learned == [(arm, reward) for reward in rewards[:, arm].tolist()]


def test_whoever_chooses_as_the_policy_did_earns_what_it_earned(world: World) -> None:
    quality_first = MODES["quality-first"]
    run = episode(world, Setup(quality_first, ("uis",)), 2).runs["uis"]
    assert len(set(run.choices.tolist())) > 1
    assert earned_on(world, quality_first, Recorder(iter(run.choices.tolist())), 2) == pytest.approx(run.reward.mean())


def test_arms_are_told_with_the_costs_that_the_policy_expects(world: World) -> None:
    recorder = always(0)
    earned_on(world, BALANCED, recorder, 0)
    (problem,) = recorder.problems
    np.testing.assert_array_equal(problem.actions[:, :-1], world.arms.features)
    np.testing.assert_array_equal(problem.actions[:, -1], world.arms.costs)


def test_of_a_bandit_that_setting_counts_that_has_earned_most_on_all_orders(world: World) -> None:
    settings = {"large": always(1), "small": always(0)}
    found = best_setting("constant", settings, world, BALANCED, orders=3)
    assert found.settings["small"] > found.settings["large"]
    assert found.setting == "small"
    assert found.rewards == pytest.approx([found.settings["small"]] * 3)
    for recorder in settings.values():
        assert [problem.seed for problem in recorder.problems] == [0, 1, 2]


def test_places_are_by_mean_reward_with_what_the_policy_is_ahead_on_the_same_orders() -> None:
    first, second = standings([Earned("other", "a", (0.4, 0.6), {}), Earned(OWN, "", (0.5, 0.9), {})], best_fixed=0.5)
    assert (first.name, first.rank, second.name, second.rank) == (OWN, 1, "other", 2)
    assert second.share == pytest.approx(1.0)
    assert (second.ahead, second.ahead_error) == pytest.approx((0.2, 0.1))
    assert second.error == pytest.approx(0.1)
    assert first.ahead == first.ahead_error == 0.0


def test_this_package_s_bandit_learns_from_the_reward_alone(world: World) -> None:
    found = earn(world, BALANCED, 1, "linucb")
    assert isinstance(found, Earned)
    assert 0.0 < found.rewards[0] < 1.0
    assert set(found.settings) == set(PEERS["linucb"])


def test_tables_and_packages_that_are_not_there_are_passed_over_and_named(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(problem: Problem) -> Contender:
        raise ModuleNotFoundError("No module named 'river'", name="river")

    monkeypatch.setattr(peers_reward, "PEERS", {"river": {"default": absent}})
    assert earn(world, BALANCED, 1, "river") == "river passed over: not installed (river)"
    monkeypatch.setattr(sys, "argv", ["peers_reward", "--tables", "gsm8k", "--data", str(tmp_path), "--json"])
    main()
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert printed["cells"] == []
    assert str(tmp_path / "gsm8k_outcomes.jsonl.gz") in printed["notes"][0]
