"""Several workers, and many requests at once, on one log."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path as File
from threading import Event

import numpy as np
import pytest

from tests.engine.two_models import QUESTIONS, engine, state
from uniscale_integrations.log.ports import Entry, Position
from uniscale_integrations.search.answer import Answer


def test_many_requests_at_once_are_all_logged(log: str) -> None:
    made = engine(log=log)

    async def many() -> list[str]:
        answers = await asyncio.gather(*(made.arun(QUESTIONS[turn % 2]) for turn in range(60)))
        return [answer.decision_id or "" for answer in answers]

    ids = asyncio.run(many())
    assert len(set(ids)) == 60
    assert made.log.counts() == {"decision": 60, "outcome": 60}
    made.close()


WORKER = """
import sys
from tests.engine.two_models import QUESTIONS, engine
made = engine(log=sys.argv[1], sync_interval=0.05)
for turn in range(40):
    answer = made.run(QUESTIONS[turn % 2])
    made.feedback(answer, float(turn % 3 == 0), source=sys.argv[2])
"""


def test_workers_on_one_log_come_to_the_same_state(log: str) -> None:
    first = engine(log=log)
    root = File(__file__).parents[2]
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, log, f"worker {number}"], cwd=root) for number in range(3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    first.sync()
    second = engine(log=log)
    assert first.log.counts() == {"decision": 120, "feedback": 120, "outcome": 120}
    assert first._knowledge.replica.fold.feedback == 120
    for left, right in zip(state(first), state(second), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-8)
    first.close()
    second.close()


def test_feedback_of_another_worker_is_seen_within_the_interval(log: str) -> None:
    one, other = engine(log=log, sync_interval=0.0), engine(log=log, sync_interval=0.0)
    answer = one.run(QUESTIONS[0])
    other.feedback(answer, 1.0)
    one.decide(QUESTIONS[0])
    assert one._knowledge.replica.fold.feedback == 1
    one.close()
    other.close()


def test_what_it_logged_itself_is_not_read_again_unless_others_wrote_in_between(
    log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, other = engine(log=log, sync_interval=60.0), engine(log=log)
    reads: list[Position] = []
    since = made.log.since

    def counted(position: Position) -> list[Entry]:
        reads.append(position)
        return since(position)

    monkeypatch.setattr(made.log, "since", counted)
    for _ in range(5):
        made.feedback(made.run(QUESTIONS[0]), 1.0)
    assert (reads, made._knowledge.replica.fold.events) == ([], 15)
    other.feedback(other.run(QUESTIONS[1]), 0.0)
    made.run(QUESTIONS[0])
    made.decide(QUESTIONS[0])
    assert reads
    assert made._knowledge.replica.fold.events == 21
    other.sync()
    for left, right in zip(state(made), state(other), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-12)
    made.close()
    other.close()


def test_while_the_log_is_read_other_requests_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    made = engine(sync_interval=0.05)
    made.run(QUESTIONS[0])
    reading, may_go_on = Event(), Event()
    since = made.log.since

    def slow(position: Position) -> list[Entry]:
        reading.set()
        assert may_go_on.wait(20), "whoever was to let it go on was kept waiting by it"
        return since(position)

    monkeypatch.setattr(made.log, "since", slow)

    async def both() -> list[Answer]:
        await asyncio.sleep(0.1)
        first = asyncio.create_task(made.arun(QUESTIONS[0]))
        while not reading.is_set():
            await asyncio.sleep(0.001)
        second = await made.arun(QUESTIONS[1])
        may_go_on.set()
        return [await first, second]

    assert all(answer.decision_id for answer in asyncio.run(both()))
