import json
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.hosted.__main__ import main
from benchmarks.hosted.goal_measures import goal_summary, measure_goal
from benchmarks.hosted.goals import Goal, cheapest_mix, expected_correct
from benchmarks.hosted.kinds import KINDS
from uniscale_integrations.policy.targets import AtLeast, Within


@given(st.integers(0, 1000), st.floats(0.1, 0.9))
def test_no_other_mix_is_cheaper(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    correct, dollars = np.sort(rng.random((20, 3)), axis=1), np.sort(rng.random((20, 3)), axis=1)
    asked = float((1.0 - share) * correct[:, 0].mean() + share * correct[:, 2].mean())
    accuracy, cost = cheapest_mix(correct, dollars, AtLeast(asked))
    assert accuracy == pytest.approx(asked, abs=1e-6)
    # What is drawn at random and right as often never costs less.
    for _ in range(50):
        rows, choices = np.arange(20), rng.integers(3, size=20)
        if correct[rows, choices].mean() >= asked:
            assert dollars[rows, choices].mean() >= cost - 1e-9
    again, spent = cheapest_mix(correct, dollars, Within(cost))
    assert (again, spent) == pytest.approx((accuracy, cost), abs=1e-5)


def test_targets_out_of_reach_take_what_comes_closest() -> None:
    correct, dollars = np.array([[0.6, 0.9]]), np.array([[1.0, 4.0]])
    assert cheapest_mix(correct, dollars, AtLeast(0.99)) == (0.9, 4.0)
    assert cheapest_mix(correct, dollars, AtLeast(0.1)) == (0.6, 1.0)
    assert cheapest_mix(correct, dollars, Within(0.5)) == (0.6, 1.0)
    assert cheapest_mix(correct, dollars, Within(9.0)) == (0.9, 4.0)


def test_the_middle_lies_between_the_cheapest_and_the_best() -> None:
    kind = KINDS["pair"]
    traffic = kind.draw(0, 300)
    at_least, within = (Goal.of(f"{asks}=middle") for asks in ("at-least", "within"))
    assert at_least is not None
    assert within is not None
    share, dollars = at_least.target(kind, traffic), within.target(kind, traffic)
    assert isinstance(share, AtLeast)
    assert isinstance(dollars, Within)
    assert 0.63 < share.accuracy < 0.97
    means = traffic.expected_dollars.mean(axis=0)
    assert means.min() < dollars.mean_cost < means.max()


def test_who_always_asks_one_model_is_measured_as_it_is() -> None:
    kind, goal = KINDS["pair"], Goal.of("at-least=0.75")
    assert goal is not None
    traffic = kind.draw(0, 400)
    large = measure_goal(kind, traffic, goal, np.full(400, 4))
    found = goal_summary([large])
    assert found["expected_accuracy"]["whole"] == pytest.approx(0.9, abs=0.01)
    assert found["accuracy"]["last half"] == traffic.correct[200:, 4].mean()
    assert found["cost_ratio"]["whole"] > 1.5
    assert found["mix"]["accuracy"]["whole"] == pytest.approx(0.75, abs=1e-3)
    # No topic is harder for one of the two than for the other, so that who looks at requests knows only which are short.
    assert found["blind"]["accuracy"]["whole"] == pytest.approx(0.75, abs=1e-3)
    assert 0.5 < found["mix"]["dollars_per_1000"]["whole"] / found["blind"]["dollars_per_1000"]["whole"] < 1.0
    assert expected_correct(kind, traffic)[0, 0] == pytest.approx(0.63, abs=0.01)


def test_the_command_plays_goals_beside_objectives(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--kinds", "twins", "--objectives", "points=5", "at-least=0.8", "within=middle", "--orders", "1"]
    monkeypatch.setattr(sys, "argv", ["benchmarks.hosted", *arguments, "--requests", "30", "--processes", "1", "--json"])
    main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["kinds"]["twins"]["at-least=0.8"]["asked"] == 0.8
    assert set(found["overall"]["within=middle"]) == {"cost", "short", "blind_short"}
    assert set(found["overall"]["at-least=0.8"]) == {"short", "cost_ratio", "blind_cost_ratio"}
    assert "mean_share" in found["overall"]["points=5"]
