"""Feedback of several sources, shared, revised, and given on an event loop."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path as File

import numpy as np
import pytest

from benchmarks.feedback_gap import measured
from tests.engine.two_models import QUESTIONS, engine, state
from tests.logged import learned
from uniscale_integrations.errors import (
    ConfigurationError,
    UnknownDecisionError,
)
from uniscale_integrations.log.events import Feedback
from uniscale_integrations.log.ports import Spooled


def test_several_sources_are_averaged_and_a_revision_takes_the_place_of_what_it_revises() -> None:
    made, right = engine(), engine()
    answer = made.run(QUESTIONS[0])
    for source, correct in (("judge", 1.0), ("human", 0.0), ("judge", 0.5)):
        made.feedback(answer, correct, source=source)
    made.sync()
    said = right.log
    for entry in made.log.since()[:2]:
        said.append(entry.event)
    right.feedback(answer, 0.25)
    right.sync()
    for left, expected in zip(state(made), state(right), strict=True):
        np.testing.assert_allclose(left, expected, atol=1e-12)


def test_shared_feedback_counts_with_its_weight_and_is_revised_with_it(log: str) -> None:
    made = engine(log=log, mode=[1, 0, 0])
    decisions = [made.decide(QUESTIONS[0]) for _ in range(2)]
    ids = [decision.id for decision in decisions]
    made.log.add_feedback(Feedback(ids[0], 1.0, "test", weight=0.25))
    made.log.add_feedback(Feedback(ids[1], 1.0, "test"))
    made.log.add_feedback(Feedback(ids[0], 0.5, "test", weight=0.25))
    made.sync()
    ridge = np.diag(made.state()["judged.ridge"])
    products, average = learned(made).components.products, made.state()["average"]
    expected, sums = ridge.copy(), np.zeros(len(ridge))
    for decision, correct, weight in zip(decisions, (0.5, 1.0), (0.25, 1.0), strict=True):
        centred = np.array(decision.features) - average
        centred[0] = 1.0
        row = products.features(list(made.space).index(decision.configuration), centred)
        prior = learned(made).components.prior[0, list(made.space).index(decision.configuration)]
        expected += weight * np.outer(row, row)
        sums += weight * (correct - prior) * row
    np.testing.assert_allclose(made.state()["judged.A"], expected, atol=1e-12)
    np.testing.assert_allclose(made.state()["judged.b"][0], sums, atol=1e-12)
    again = engine(log=log, mode=[1, 0, 0])
    np.testing.assert_allclose(again.state()["judged.A"], expected, atol=1e-12)
    with pytest.raises(ConfigurationError, match="weight above 0"):
        Feedback("d", 1.0, weight=0.0)


def test_an_evaluator_on_an_event_loop_does_not_hold_it_up_while_the_log_is_locked(tmp_path: File) -> None:
    log = f"sqlite:///{tmp_path / 'log.db'}"
    made = engine(log=log)
    answers = [made.run(QUESTIONS[0]) for _ in range(3)]
    gaps: list[float] = []

    async def beat() -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            gaps.append(time.monotonic() - before)
            before = time.monotonic()

    async def judged() -> list[bool | Spooled]:
        beating = asyncio.create_task(beat())
        with sqlite3.connect(tmp_path / "log.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            running = [asyncio.create_task(made.afeedback(answer, 1.0)) for answer in answers]
            await asyncio.sleep(1.0)
            assert not any(task.done() for task in running)
            other.execute("ROLLBACK")
        new = await asyncio.gather(*running)
        beating.cancel()
        return new

    assert asyncio.run(judged()) == [True] * 3
    assert max(gaps) < 0.5, "a second passes while the log is locked"
    assert made.state()["told"].sum() == 3
    assert asyncio.run(made.afeedback(answers[0], 1.0)) is False
    with pytest.raises(UnknownDecisionError, match="no decision 'nobody'"):
        asyncio.run(made.afeedback("nobody", 1.0))


def test_evaluators_of_both_frameworks_hold_up_no_event_loop_while_the_log_is_locked(tmp_path: File) -> None:
    found = asyncio.run(measured(tmp_path, 1.0, 4))
    assert [row["judged"] for row in found.values()] == [4.0] * 4, "all of it is in the log afterwards"
    for framework in ("langchain", "llama_index"):
        row = found[f"{framework}, locked"]
        assert row["seconds"] >= 0.9, "it has waited for the log"
        assert row["longest_gap_ms"] < 500, "a second passes while the log is locked"
