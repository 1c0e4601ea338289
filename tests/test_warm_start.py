"""Beginning with what is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as File

import numpy as np
import pytest
from langchain_core.language_models import FakeListChatModel

from tests.engine.two_models import QUESTIONS, engine
from tests.logged import decisions
from uniscale_integrations.engine import UniScale
from uniscale_integrations.engine.model_registry import generators
from uniscale_integrations.engine.outcomes import OutcomeRow, write_outcomes
from uniscale_integrations.errors import ConfigurationError, LogError, TableError
from uniscale_integrations.log.events import Outcome as Came
from uniscale_integrations.log.log import open_log
from uniscale_integrations.space import Configuration

SMALL, LARGE = Configuration("small"), Configuration("large")


@pytest.fixture
def table(tmp_path: File) -> File:
    """The small model is right about cups, the large one about code; one configuration is nobody's."""
    rows = [
        OutcomeRow(f"{place}-{n}", f"{question} {n}", c, float((c == SMALL) == (place == 0)), score=0.5, eflops=cost)
        for n in range(30)
        for place, question in enumerate(QUESTIONS)
        for c, cost in ((SMALL, 1e6), (LARGE, 1e8), (Configuration("another"), 1e7))
    ]
    write_outcomes(tmp_path / "table.jsonl", rows)
    return tmp_path / "table.jsonl"


def test_a_table_is_known_from_the_first_request_on(table: File) -> None:
    made = engine(mode=[1, 0, 0])
    assert made.warm_start(table) == 2 * 30 * 2
    assert made.decide(QUESTIONS[0]).configuration == SMALL
    assert made.decide(QUESTIONS[1]).configuration == LARGE
    assert made.decide(QUESTIONS[1]).expected["correct"] > 0.7


def test_nothing_is_learned_twice(table: File) -> None:
    made = engine()
    assert made.warm_start(table, limit=50) == 50
    assert made.warm_start(table, limit=60) == 10
    state = made.state()
    with pytest.warns(DeprecationWarning, match="warm_start"):
        assert made.warm_start(str(table), **{"most": 60}) == 0  # noqa: PIE804  # no type checker knows a former name
    assert all((array == state[name]).all() for name, array in made.state().items())


def test_what_a_log_holds_is_known(tmp_path: File) -> None:
    address = f"sqlite:///{tmp_path / 'old.db'}"
    old = engine(log=address)
    for turn in range(20):
        old.feedback(old.run(f"{QUESTIONS[turn % 2]} {turn}"), float(turn % 3 > 0))
    made, other = engine(), engine()
    assert made.warm_start(address) == 20
    assert other.warm_start(old.log) == 20
    assert made.warm_start(old.log) == 0
    before, after = old.decide(QUESTIONS[0]), made.decide(QUESTIONS[0])
    np.testing.assert_allclose(after.assessment.correct, before.assessment.correct, atol=0.02)
    np.testing.assert_allclose(made.state()["judged.A"], other.state()["judged.A"])


def test_all_workers_know_it(table: File, tmp_path: File) -> None:
    address = f"sqlite:///{tmp_path / 'log.db'}"
    one, other = engine(log=address), engine(log=address)
    one.warm_start(table)
    other.sync()
    np.testing.assert_allclose(one.state()["judged.b"], other.state()["judged.b"], atol=1e-9)
    assert other.warm_start(table) == 0


def test_what_cannot_be_read_is_told(tmp_path: File) -> None:
    with pytest.raises(TableError, match=r"nothing\.jsonl"):
        engine().warm_start(tmp_path / "nothing.jsonl")
    with pytest.raises(LogError, match="no log"):
        engine().warm_start(f"sqlite:///{tmp_path / 'nothing.db'}")


def test_its_own_log_is_known_already(tmp_path: File) -> None:
    address = f"sqlite:///{tmp_path / 'log.db'}"
    made = engine(log=address)
    for turn in range(5):
        made.feedback(made.run(f"{QUESTIONS[turn % 2]} {turn}"), 1.0)
    assert made.warm_start(made.log) == made.warm_start(address) == 0
    assert int(made.state()["told"].sum()) == 5


def test_costs_in_another_unit_are_refused(tmp_path: File) -> None:
    priced = UniScale(generators([FakeListChatModel(responses=["4"])]), None, prices={"fake-list-chat-model": (1.0, 2.0)})
    name = priced.space[0].model
    write_outcomes(tmp_path / "table.jsonl", [OutcomeRow("1", QUESTIONS[0], Configuration(name), 1.0, score=0.5, eflops=1e9)])
    with pytest.raises(ConfigurationError, match="has its costs in eFLOPs, and this engine counts dollars"):
        priced.warm_start(tmp_path / "table.jsonl")
    write_outcomes(tmp_path / "priced.jsonl", [OutcomeRow("1", QUESTIONS[0], Configuration(name), 1.0, score=0.5, cost_usd=0.01)])
    assert priced.warm_start(tmp_path / "priced.jsonl") == 1
    old = open_log("sqlite://")
    priced.decide("Why?")
    decision = replace(decisions(priced)[-1], decision_id="d")
    old.append(decision, Came("d", 0.5, eflops=1e9, extra={"dollars": True}))
    assert priced.warm_start(old) == 1, "a free model's answers, which something here has scored"
