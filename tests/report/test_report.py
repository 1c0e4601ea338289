"""What the report is made of."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from statistics import fmean
from typing import Any, cast

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.filled_log import SCRIPT, filled
from benchmarks.instant import InstantGenerator, InstantVerifier
from tests.engine.test_rounds import engine as in_rounds
from tests.logged import decisions, learned
from uniscale_integrations import Silence
from uniscale_integrations.cli.app import app
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.log.events import DecisionEvent, Feedback, Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.log.sql import SQLStore
from uniscale_integrations.models.catalog import load_model
from uniscale_integrations.policy.default_policy import LearnerSettings
from uniscale_integrations.policy.objective import Weights
from uniscale_integrations.policy.policy import Context, Policy
from uniscale_integrations.report.collect import page_data
from uniscale_integrations.report.page import page, write_report
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.verifiers.load import load_prm


def embedded(html: str) -> dict[str, Any]:
    """The data in a page, as a browser reads it."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_page_holds_the_data_and_nothing_that_could_run_or_be_fetched(log: EventStore) -> None:
    data = page_data(log)
    html = page(data)
    assert embedded(html)["decisions"] == data["decisions"]
    assert embedded(html)["decisions"]["query"][-1] == SCRIPT
    assert html.count("<script") == 2
    assert "onerror" not in html.replace(json.dumps(SCRIPT)[1:-1], "").split("</script>")[1]
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", html)
    # The policy lets run the page's own script, by its hash, and nothing else.
    [own] = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert f"script-src 'sha256-{b64encode(sha256(own.encode()).digest()).decode()}'" in html
    assert "default-src 'none'" in html


def test_what_is_said_of_a_decision(tmp_path: Path) -> None:
    log = filled(f"sqlite:///{tmp_path / 'log.db'}", 30)
    log.add_feedback(Feedback("d000000", 0.5, "another judge", comment="half"))
    data = page_data(log, most_trees=5)
    decisions = data["decisions"]
    assert decisions["id"][0] == "d000000"
    said = data["feedback"][0]
    assert decisions["correct"][0] == pytest.approx(fmean(each[2] for each in said))
    assert sorted(data["trees"]) == [25, 26, 27, 28, 29]
    assert "last 5 that were kept" in data["trees_why"]
    for place, reward in enumerate(decisions["reward"]):
        assert (reward is None) == (decisions["correct"][place] is None or bool(decisions["failed"][place]))


def test_rewards_and_beliefs_are_the_engine_s(tmp_path: Path) -> None:
    models, verifier = [load_model("uniscale-0.3m")], load_prm()
    space = ConfigurationSpace.default([model.name for model in models], ((1, 1, 1), (2, 1, 1)))
    address = f"sqlite:///{tmp_path / 'log.db'}"
    engine = UniScale(models, verifier, space, (1, 0, 0), address, store_queries=True, store_paths=True, rounds=1)
    rewards = []
    for place in range(24):
        # Every other request wants nothing but cheapness, so that both configurations are there.
        mode = (1, 0, 0) if place % 2 else (0, 0, 1)
        answer = engine.run(f"What is {place} + 3?", mode=mode)
        right = float(answer.answer == str(place + 3))
        engine.feedback(answer.decision_id, right)
        rewards.append(engine.reward(answer, right, mode))
    data = page_data(engine.log)
    assert data["decisions"]["reward"] == pytest.approx(rewards, abs=2e-4)
    assert data["decisions"]["query"][3] == "What is 3 + 3?"
    assert len(data["trees"]) == 24
    kept = data["trees"][23]
    assert kept["record"]["answer"] == answer.answer
    assert kept["ledger"]["eflops"] == pytest.approx(answer.ledger.eflops)
    assert "".join(step for path in kept["record"]["paths"] for step in path["steps"])
    assert data["unit"] == "eFLOPs"
    # What the page says is believed is what the engine believes, but for the cost that each expected beforehand.
    (correct, score, _), (judged, observed) = learned(engine).on_average()
    names = [each["name"] for each in data["configurations"]]
    assert len(names) == len(space)
    for row in data["beliefs"]["rows"]:
        arm = [str(each) for each in space].index(names[row["configuration"]])
        assert (row["correct"], row["score"]) == pytest.approx((correct[arm], score[arm]), abs=2e-4)
        assert (row["correct_width"], row["width"]) == pytest.approx((0.25 * judged[arm], 0.25 * observed[arm]), abs=2e-4)


def test_the_answer_of_several_rounds_has_earned_what_all_of_them_cost() -> None:
    made = in_rounds(store_queries=True, store_paths=True)
    answer = made.run("What is 2 + 3?")
    made.feedback(answer, 1.0)
    data = page_data(made.log, policies=["tests.engine.test_rounds:Doubting"])
    [places] = {tuple(each["places"]) for each in data["rounds"].values()}
    assert places == (0, 1)
    assert data["rounds"][0]["kept"] == 1
    assert data["decisions"]["reward"] == [None, pytest.approx(made.reward(answer, 1.0), abs=1e-4)]
    assert {row["configuration"] for row in data["beliefs"]["rows"]} == {0, 1}


def test_one_sided_feedback_is_told_of_unless_silence_is_learned_from(tmp_path: Path) -> None:
    for silence, warned in ((None, True), (Silence(1.0, timedelta(hours=1)), False)):
        models = [InstantGenerator(name="small"), InstantGenerator(name="large")]
        engine = UniScale(
            models, None, log=f"sqlite:///{tmp_path / str(warned)}.db", silence=silence, source_weights={"thumbs": 0.5}
        )
        for place in range(104):
            answer = engine.run(f"What is {place} + 1?")
            if place % 2:
                engine.feedback(answer, 0.0, source="thumbs")
        judged = page_data(engine.log)["judged"]
        assert (judged["judged"], judged["judged_share"], judged["one_sided"]) == (52, 0.5, True)
        assert bool(judged["warning"]) is warned
        expected, _ = learned(engine).on_average()
        rows = page_data(engine.log)["beliefs"]["rows"]
        assert rows
        assert all(np.abs(expected[0] - row["correct"]).min() < 1e-4 for row in rows)
        engine.close()


def test_a_log_of_another_encoder_and_of_prices(tmp_path: Path) -> None:
    log = open_log("sqlite://")
    for place in range(5):
        decision = DecisionEvent(f"d{place}", Configuration("priced"), (1.0, 0.5), "my own", (0.4, 0.3, 0.3))
        log.append(decision, Outcome(decision.decision_id, None, usd=0.01))
    data = page_data(log)
    assert data["unit"] == "$"
    assert data["decisions"]["cost"] == [0.01] * 5
    assert data["beliefs"]["rows"][0]["correct"] == pytest.approx(0.85)


def test_what_was_only_decided_has_not_failed() -> None:
    log = open_log("sqlite://")
    log.append(
        *(DecisionEvent(f"d{place}", Configuration("routed"), (1.0, 0.5), "my own", (0.4, 0.3, 0.3)) for place in range(3))
    )
    log.append(Outcome("d0", 0.5, 1e9), Outcome("d1", None, failed="cancelled"), Feedback("d2", 1.0, "test"))
    found = page_data(log)["decisions"]
    assert (found["unknown"], found["failed"]) == ([2], ["", "cancelled", ""])
    assert (found["correct"][2], found["cost"][2], found["seconds"][2]) == (1.0, None, None)


def test_an_answer_that_only_a_score_could_reward_has_no_reward() -> None:
    log = open_log("sqlite://")
    decision = DecisionEvent("d", Configuration("plain"), (1.0, 0.5), "my own", (0.0, 1.0, 0.0))
    log.append(decision, Outcome("d", None, 1e9), Feedback("d", 1.0, "test"))
    assert page_data(log)["decisions"]["reward"] == [None]


def test_the_command(tmp_path: Path, log: EventStore) -> None:
    assert isinstance(log, SQLStore)
    target = tmp_path / "page.html"
    done = CliRunner().invoke(app, ["report", log.url, "-o", str(target), "--trees", "10", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert told == {"report": str(target), "decisions": 400, "trees": 10, "bytes": target.stat().st_size}
    missing = CliRunner().invoke(app, ["report", f"sqlite:///{tmp_path / 'none.db'}"])
    assert missing.exit_code == 2
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(ConfigurationError, match="cannot write the report"):
        write_report(log, tmp_path / "no" / "folder.html")


@pytest.mark.parametrize("policy", ["linucb", "thompson", "knn"])
def test_it_shows_what_the_engine_believes_and_not_what_another_would(policy: str) -> None:
    settings = LearnerSettings(alpha=0.1, optimism=0.5) if policy != "knn" else None
    models = [InstantGenerator(name="small", compute=1e6), InstantGenerator(name="large", compute=1e8)]
    engine = UniScale(models, InstantVerifier(), policy=policy, settings=settings)
    for turn in range(20):
        answer = engine.run(f"What is 2 + {turn}?")
        engine.feedback(answer, float(answer.configuration.model == "large"))
    shown = page_data(engine.log)
    average = np.mean([decision.features for decision in decisions(engine)], axis=0)
    every = np.ones(len(engine.space), dtype=bool)
    expected = cast(Policy, engine.brain.policy).assess(Context(average), Weights(1 / 3, 1 / 3, 1 / 3), every)
    names = [each["name"] for each in shown["configurations"]]
    for row in shown["beliefs"]["rows"]:
        arm = [str(each) for each in engine.space].index(names[row["configuration"]])
        assert row["correct"] == pytest.approx(float(expected.correct[arm]), abs=0.002)
    assert shown["beliefs"]["alpha"] == (0.1 if settings else 0.0)
