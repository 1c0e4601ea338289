"""`uniscale replay`, on a small table and, where they are there, on the real ones."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from uniscale_integrations.cli.app import app
from uniscale_integrations.engine.outcomes import OutcomeRow, read_outcomes, write_outcomes
from uniscale_integrations.log.events import DecisionEvent, Feedback, Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.space import Configuration

REAL = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    costs = {Configuration("small"): 1e9, Configuration("large"): 8e9, Configuration("small", 4): 3e9}
    outcomes = [
        OutcomeRow(f"q{q}", f"What is {q} + 2?", c, float((q + len(c.model)) % 3 > 0), eflops=cost)
        for q in range(40)
        for c, cost in costs.items()
    ]
    write_outcomes(tmp_path / "table.jsonl.gz", outcomes)
    return tmp_path / "table.jsonl.gz"


def replay(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["replay", *map(str, arguments), "--json"])


def last_line(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    values: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    return values


def test_the_last_line_holds_every_policy_and_the_bounds(table: Path) -> None:
    values = last_line(replay(table, "--seeds", 2, "--mode", "cost-sensitive"))
    measured = {"best_fixed", "linear", "oracle", "policies", "uis_ahead", "tts"}
    assert set(values) == {"mode", "weights", "objective", "costs", "unit", "decisions", "seeds", "rounds"} | measured
    assert (values["mode"], values["weights"], values["decisions"], values["seeds"]) == ("cost-sensitive", [0.2, 0.2, 0.6], 40, 2)
    assert (values["objective"], values["costs"], values["unit"]) == ({"weights": [0.2, 0.2, 0.6]}, "cold", "eflops")
    assert set(values["best_fixed"]) == {"configuration", "reward", "second_half", "cost"}
    assert set(values["policies"]) == {"uis", "tts", "routing", "random", "greedy", "knn"}
    for standing in values["policies"].values():
        halves = {"second_half_accuracy", "second_half_cost", "attempts"}
        assert set(standing) == {"reward", "reward_ci95", "second_half", "accuracy", "cost"} | halves
        assert 0 <= standing["reward"] <= values["oracle"]["reward"] + 1e-12
        assert 1e9 <= standing["cost"] <= 8e9


def test_uis_is_compared_with_each_other_policy_order_by_order(table: Path) -> None:
    values = last_line(replay(table, "--seeds", 3))
    assert set(values["uis_ahead"]) == {"tts", "routing", "random", "greedy", "knn"}
    for name, difference in values["uis_ahead"].items():
        expected = values["policies"]["uis"]["reward"] - values["policies"][name]["reward"]
        assert difference["reward"] == pytest.approx(expected, abs=1e-12)
        assert difference["ci95"] >= 0
    assert last_line(replay(table, "--seeds", 1, "--policies", "random"))["uis_ahead"] == {}


def test_pictures_are_drawn(table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "pictures"
    result = replay(table, "--seeds", 2, "--plots", folder)
    assert result.exit_code == 0, result.output
    assert sorted(file.name for file in folder.iterdir()) == ["front.png", "learning.png", "shares.png"]
    for file in folder.iterdir():
        assert file.read_bytes().startswith(b"\x89PNG")


def test_pictures_need_what_draws_them(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = replay(table, "--seeds", 1, "--plots", tmp_path / "pictures")
    assert result.exit_code == 2
    assert 'pip install "uniscale-integrations[plots]"' in result.output.replace("\n", " ")


def test_without_early_stopping_searches_cost_what_they_would_have_cost(table: Path, tmp_path: Path) -> None:
    search = Configuration("small", 4)
    full = [replace(row, eflops=5e9) for row in read_outcomes(table) if row.configuration == search]
    write_outcomes(tmp_path / "full.jsonl", full)
    policies = ("--seeds", 1, "--policies", "random")
    before = last_line(replay(table, *policies))["policies"]["random"]
    ablation = ("--without", "early-stopping", "--full-costs")
    after = last_line(replay(table, *policies, *ablation, tmp_path / "full.jsonl"))["policies"]["random"]
    assert after["accuracy"] == before["accuracy"]
    assert before["cost"] < after["cost"] < before["cost"] + 2e9
    assert after["reward"] < before["reward"]
    write_outcomes(tmp_path / "part.jsonl", full[1:])
    for arguments, message in (
        (("--without", "early-stopping"), "name it with --full-costs"),
        ((*ablation, tmp_path / "part.jsonl"), "part.jsonl has no query 'q0'"),
    ):
        result = replay(table, *policies, *arguments)
        assert result.exit_code == 2
        assert message in " ".join(result.output.split())


def test_own_weights_take_the_place_of_a_mode(table: Path) -> None:
    values = last_line(replay(table, "--seeds", 1, "--weights", "3,0,1", "--policies", "random,greedy"))
    assert (values["mode"], values["weights"]) == (None, [0.75, 0.0, 0.25])
    assert set(values["policies"]) == {"random", "greedy"}


def test_a_value_and_targets_are_sought_instead_of_a_mode(table: Path) -> None:
    options = (table, "--seeds", 1, "--policies", "uis,random")
    worth = last_line(replay(*options, "--right", 1e11))
    assert (worth["mode"], worth["weights"], worth["objective"]) == (None, None, {"right": 1e11})
    for standing in worth["policies"].values():
        assert standing["reward"] == pytest.approx(1e11 * standing["accuracy"] - standing["cost"])
    assert last_line(replay(*options, "--points", 5))["objective"] == {"right": pytest.approx(1.4e11), "points": 5.0}
    result = replay(*options, "--at-least", 0.6)
    target = last_line(result)
    assert (target["objective"], target["oracle"], target["linear"]) == ({"at_least": 0.6}, {"reward": None}, {"reward": None})
    assert target["mix"]["whole"]["accuracy"] >= 0.6
    assert "best mix" in result.stdout
    assert last_line(replay(*options, "--within", 4e9))["policies"]["uis"]["cost"] < 4.6e9


def test_costs_may_be_known_beforehand(table: Path) -> None:
    cold, known = (last_line(replay(table, "--seeds", 1, "--policies", "uis", "--costs", costs)) for costs in ("cold", "known"))
    assert cold["best_fixed"] == known["best_fixed"]
    assert (cold["costs"], known["costs"]) == ("cold", "known")


@pytest.mark.parametrize("propensity", [0.5, 1.0])
def test_a_log_is_replayed_and_it_is_said_what_estimates_rest_on(tmp_path: Path, propensity: float) -> None:
    address = f"sqlite:///{tmp_path / 'answers.db'}"
    with closing(open_log(address)) as log:
        for number in range(60):
            one = Configuration(("small", "large")[number % 2])
            decision = DecisionEvent(f"d{number}", one, (1.0, number % 3 - 1.0), "own", (0.4, 0.3, 0.3), propensity)
            outcome = Outcome(f"d{number}", None, usd=0.001 * (1 + 4 * (number % 2)))
            feedback = [Feedback(f"d{number}", float(number % 2))] if number < 50 else []
            log.append(decision, outcome, *feedback)
    result = replay(address, "--seeds", 1, "--policies", "uis,random", "--right", 0.1)
    values = last_line(result)
    assert (values["log"]["decisions"], values["log"]["judged"]) == (60, 50)
    assert values["log"]["drawn"] == (50 if propensity < 1 else 0)
    assert 0 < values["log"]["seen"]["random"] < 1
    assert values["best_fixed"]["configuration"] == "(large,1,1,1)"
    assert ("model of its answers alone" in " ".join(result.stdout.split())) == (propensity == 1)
    for arguments, message in (
        ((address, address), "a log is replayed alone"),
        ((address, "--drift", "permute"), "--drift is of outcome tables"),
        ((f"sqlite:///{tmp_path / 'none.db'}",), "there is no log"),
    ):
        refused = replay(*arguments)
        assert refused.exit_code == 2
        assert message in " ".join(refused.output.split())


def test_two_tables_are_one_stream(table: Path) -> None:
    assert last_line(replay(table, table, "--seeds", 1, "--policies", "uis"))["decisions"] == 80


def test_what_cannot_be_replayed_is_told(table: Path, tmp_path: Path) -> None:
    for arguments, message in (
        ((tmp_path / "none.jsonl",), "cannot read"),
        ((table, "--mode", "cheap"), "no mode 'cheap'"),
        ((table, "--weights", "1,2"), "weights are three numbers"),
        ((table, "--weights", "a,b,c"), "--weights is three numbers"),
        ((table, "--policies", "magic"), "no policy 'magic'"),
        ((table, "--costs", "warm"), "no costs 'warm'; there are cold, known"),
        ((table, "--right", "1", "--within", "1"), "--right and --within each say what is sought"),
        ((table, "--at-least", "2"), "AtLeast takes a share"),
        ((table, "--drift", "sideways"), "no drift 'sideways'"),
        ((table, "--processes", "0"), "--processes must be at least 1"),
    ):
        result = replay(*arguments)
        assert result.exit_code == 2, result.output
        assert message in result.output


def test_one_sided_feedback_is_told_of_and_silence_mends_it(table: Path) -> None:
    options = (table, "--seeds", 2, "--policies", "uis", "--passes", 6, "--mode", "quality-first")
    plain, down, silent = (
        last_line(replay(*options, *further))
        for further in ((), ("--feedback", "down"), ("--feedback", "down", "--silence", 1.0, "--silence-after", 5))
    )
    assert "feedback" not in plain
    assert down["feedback"] == {
        "kind": "down", "silence": None, "silence_after": 20, "wrong": 0.0, "share": 1.0,
        "judged": down["feedback"]["judged"], "warned_after": down["feedback"]["warned_after"],
    }  # fmt: skip
    assert 0 < down["feedback"]["judged"] < 1
    assert 50 <= down["feedback"]["warned_after"] <= 100
    assert silent["feedback"]["warned_after"] is None
    rewards = [each["policies"]["uis"]["reward"] for each in (down, silent, plain)]
    assert rewards[0] < rewards[1] <= rewards[2] + 0.02


def test_feedback_of_both_kinds_leaves_nothing_silent_and_wrong_labels_cost_little(table: Path) -> None:
    options = (table, "--seeds", 2, "--policies", "uis,greedy", "--passes", 3, "--mode", "quality-first")
    plain, silent, wrong = (last_line(replay(*options, *further)) for further in ((), ("--silence", 1.0), ("--wrong", 0.2)))
    assert silent == plain
    assert wrong["feedback"]["judged"] == 1.0
    assert wrong["policies"] != plain["policies"]
    for arguments, told in (
        (("--feedback", "thumbs"), "both, down, up"),
        (("--silence", 2), "[0, 1]"),
        (("--wrong", 1.5), "wrong"),
    ):
        result = replay(*options, *arguments)
        assert result.exit_code == 2
        assert told in result.output


@pytest.mark.skipif(not REAL.exists(), reason="the real outcome tables are not beside the checkout")
@pytest.mark.parametrize("mode", ["balanced", "quality-first"])
def test_thumbs_down_alone_are_enough_on_a_real_table_if_silence_means_right(mode: str) -> None:
    options = (REAL / "gsm8k_outcomes.jsonl.gz", "--seeds", 3, "--policies", "uis", "--mode", mode)
    values = last_line(replay(*options, "--feedback", "down", "--silence", 1.0))
    assert values["policies"]["uis"]["reward"] >= 0.97 * values["best_fixed"]["reward"]
    assert last_line(replay(*options, "--feedback", "down"))["feedback"]["warned_after"] <= 100


@pytest.mark.skipif(not REAL.exists(), reason="the real outcome tables are not beside the checkout")
def test_a_real_table_is_learned() -> None:
    values = last_line(replay(REAL / "gsm8k_outcomes.jsonl.gz", "--seeds", 3, "--policies", "uis", "--mode", "quality-first"))
    uis, best = values["policies"]["uis"], values["best_fixed"]
    assert best["configuration"] == "(gpt-4-1106,1,1,1)"
    assert uis["reward"] > 0.97 * best["reward"]
    assert uis["second_half"] > 0.985 * best["second_half"]
