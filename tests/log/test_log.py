"""The append-only log, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import create_engine, event, text

from uniscale_integrations.errors import ConfigurationError, LogError, UnknownDecisionError
from uniscale_integrations.log.events import DecisionEvent, Event, Feedback, Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import BEGINNING, EventStore, Position
from uniscale_integrations.log.silence import Silence
from uniscale_integrations.space import Configuration


def decision(decision_id: str = "d", **changes: object) -> DecisionEvent:
    values: dict[str, object] = {"weights": (0.4, 0.3, 0.3), "at": 1.5, "extra": {"session": "s"}, **changes}
    return DecisionEvent(decision_id, Configuration("small", 2, 4, 2), (1.0, -0.25), "lexical", **values)  # type: ignore[arg-type]


EVENTS: tuple[Event, ...] = (
    decision(propensity=0.5, request_id="r", round=1, query_hash="h", query="Wie heißt das?"),
    Outcome("d", 0.75, 1e9, 0.001, 0.5, "", {"tokens": [3, 4]}, at=2.0),
    Outcome("d", None, failed="out of memory", at=2.0),
    Feedback("d", 1.0, "exact-match", "answer", "well done", at=3.0),
)


def test_what_was_appended_is_read_in_order(log: EventStore) -> None:
    log.append(*EVENTS[:2])
    log.append(*EVENTS[2:])
    entries = log.since()
    assert tuple(entry.event for entry in entries) == EVENTS
    assert [entry.position for entry in entries] == sorted({entry.position for entry in entries})
    assert [entry.event for entry in log.since(entries[1].position)] == list(EVENTS[2:])
    assert log.since(entries[-1].position) == []
    assert [entry.event for entry in log.since(BEGINNING, limit=2)] == list(EVENTS[:2])
    assert log.counts() == {"decision": 1, "feedback": 1, "outcome": 2}


def test_it_is_there_after_closing(address: str) -> None:
    first = open_log(address)
    first.append(*EVENTS)
    first.close()
    second = open_log(address)
    assert tuple(entry.event for entry in second.since()) == EVENTS
    second.close()


def test_feedback_is_written_once_and_may_be_revised(log: EventStore) -> None:
    log.append(decision())
    assert log.add_feedback(Feedback("d", 1.0, "a")).count
    assert not log.add_feedback(Feedback("d", 1.0, "a")).count
    assert log.add_feedback(Feedback("d", 0.0, "a")).count
    assert log.add_feedback(Feedback("d", 1.0, "a")).count, "changing one's mind back is a revision too"
    assert log.add_feedback(Feedback("d", 1.0, "b")).count
    assert log.add_feedback(Feedback("d", 1.0, "a", key="tone")).count
    assert log.counts() == {"decision": 1, "feedback": 5}


def test_feedback_for_an_unknown_decision_says_so(log: EventStore) -> None:
    log.append(decision(), Outcome("other", 0.5))
    for unknown in ("nobody", "other"):
        with pytest.raises(UnknownDecisionError, match=f"the log has no decision '{unknown}'"):
            log.add_feedback(Feedback(unknown, 1.0))


def test_feedback_may_come_from_another_process(log: EventStore, address: str) -> None:
    log.append(decision())
    code = (
        "import sys\n"
        "from uniscale_integrations.log.log import open_log\n"
        "from uniscale_integrations.log.events import Feedback\n"
        "open_log(sys.argv[1]).add_feedback(Feedback('d', 0.25, source='human')).count\n"
    )
    subprocess.run([sys.executable, "-c", code, address], check=True)
    found = log.since()[-1].event
    assert isinstance(found, Feedback)
    assert (found.correct, found.source) == (0.25, "human")


def test_events_of_some_decisions(log: EventStore) -> None:
    log.append(*(decision(f"d{number}") for number in range(4)))
    log.append(*(Outcome(f"d{number}", 0.5) for number in range(3)))
    assert [e.event.decision_id for e in log.of_decisions(["d2", "d0", "d2", "none", *(f"x{i}" for i in range(1_000))])] == [
        "d0",
        "d2",
        "d0",
        "d2",
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Feedback("d", float("nan")), r"correct must be a number in \[0, 1\], got nan"),
        (lambda: Feedback("d", 1.5), "correct must be a number in"),
        (
            lambda: Feedback("d", "yes"),  # type: ignore[arg-type]
            "correct must be a number in",
        ),
        (lambda: Feedback("d", 1.0, source=""), "feedback needs a source"),
        (lambda: Outcome("d", -0.1), "score must be a number in"),
        (lambda: Outcome("d", 0.5, eflops=float("inf")), "eflops must be a finite number"),
    ],
)
def test_poisoned_values_are_refused_before_they_are_written(make: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make()  # type: ignore[operator]


def test_many_threads_lose_nothing(log: EventStore) -> None:
    def work(worker: int) -> None:
        for number in range(25):
            log.append(decision(f"{worker}-{number}"), Outcome(f"{worker}-{number}", 0.5))
            log.add_feedback(Feedback(f"{worker}-{number}", 1.0))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert log.counts() == {"decision": 200, "outcome": 200, "feedback": 200}


def test_a_reader_that_follows_the_log_misses_nothing_whatever_the_writers_do(log: EventStore, address: str) -> None:
    over = threading.Event()

    def write(worker: int) -> None:
        chance = random.Random(worker)
        engine = create_engine(address.replace("postgresql://", "postgresql+psycopg://"))
        for number in range(30):
            with engine.begin() as connection:
                statement = text("INSERT INTO uniscale_events (kind, decision_id, at, body) VALUES ('feedback', :id, 0, :body)")
                body = '{"correct":1.0,"source":"s","key":"k","comment":""}'
                connection.execute(statement, {"id": f"{worker}-{number}", "body": body})
                if address.startswith("postgresql"):
                    # A transaction that commits long after it took its serial number.
                    time.sleep(chance.random() * 0.02)
        engine.dispose()

    def follow() -> list[str]:
        seen, position = list[str](), BEGINNING
        while True:
            last = over.is_set()
            for entry in log.since(position, limit=7):
                assert entry.position > position
                position = entry.position
                seen.append(entry.event.decision_id)
            if last and not log.since(position):
                return seen

    with ThreadPoolExecutor(7) as pool:
        reader = pool.submit(follow)
        list(pool.map(write, range(6)))
        over.set()
        seen = reader.result()
    assert sorted(seen) == sorted(f"{worker}-{number}" for worker in range(6) for number in range(30))


KILLED = """
import sys
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import BEGINNING, EventStore, Position
from uniscale_integrations.log.events import DecisionEvent, Feedback, Outcome
from uniscale_integrations.space import Configuration
log = open_log(sys.argv[1])
for number in range(100_000):
    name = f"{sys.argv[2]}-{number}"
    log.append(DecisionEvent(name, Configuration("m"), (1.0,), "e", (1.0, 0.0, 0.0)), Outcome(name, 0.5))
    print(name, flush=True)
    log.add_feedback(Feedback(name, 1.0))
    print("feedback", name, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(log: EventStore, address: str, tmp_path: Path) -> None:
    chance = random.Random(0)
    said: list[str] = []
    for turn in range(4):
        worker = subprocess.Popen([sys.executable, "-c", KILLED, address, str(turn)], stdout=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        said += [worker.stdout.readline().strip() for _ in range(chance.randrange(1, 60))]
        worker.send_signal(signal.SIGKILL)
        said += worker.stdout.read().split("\n")[:-1]
        worker.wait()
        worker.stdout.close()
    kinds = [(entry.event.kind, entry.event.decision_id) for entry in log.since(limit=10**6)]
    acknowledged = [line for line in said if line]
    for line in acknowledged:
        if line.startswith("feedback "):
            assert ("feedback", line.split()[1]) in kinds
        else:
            assert ("decision", line) in kinds
            assert ("outcome", line) in kinds
    assert len(kinds) == len(set(kinds))


def test_a_log_of_a_later_version_is_refused(log: EventStore, address: str) -> None:
    engine = create_engine(address.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE uniscale_meta SET value = '99'"))
    engine.dispose()
    with pytest.raises(LogError, match="schema version 99, this package knows 1 at most; install a newer one"):
        open_log(address)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://root@host/db", "a log is kept in SQLite or PostgreSQL"),
        ("uniscale.db", "is no address of a log"),
        ("sqlite:////no/such/folder/log.db", "cannot open the log .*unable to open database file"),
        ("postgresql://nobody@127.0.0.1:1/none", "cannot open the log postgresql"),
    ],
)
def test_an_address_that_leads_nowhere_says_so(url: str, message: str) -> None:
    with pytest.raises(LogError, match=message):
        open_log(url)


def test_a_full_disk_is_an_error_in_words_and_the_log_goes_on_after_it(tmp_path: Path) -> None:
    log = open_log(f"sqlite:///{tmp_path / 'log.db'}")
    log.append(decision())

    def fill(connection: Any, record: object) -> None:
        connection.execute("PRAGMA max_page_count = 12")

    event.listen(log._engine, "connect", fill)
    log.close()
    with pytest.raises(LogError, match=r"cannot write to the log .*database or disk is full"):
        log.append(*(decision(f"d{number}", query="x" * 1_000) for number in range(200)))
    event.remove(log._engine, "connect", fill)
    log.close()
    log.append(decision("after"))
    assert [entry.event.decision_id for entry in log.since()] == ["d", "after"]
    log.close()


def test_a_file_that_can_only_be_read_is_an_error_in_words(tmp_path: Path) -> None:
    file = tmp_path / "log.db"
    log = open_log(f"sqlite:///{file}")
    log.append(decision())
    with pytest.raises(LogError, match=r"cannot open the log .*readonly database"):
        open_log(f"sqlite:///file:{file}?mode=ro&uri=true")
    log.close()


def test_positions_are_ordered_as_the_log_is() -> None:
    assert Position(3, 1) > Position(2, 9) > Position(2, 8) > BEGINNING


@pytest.mark.parametrize(
    "url", ["postgres://user:secret@host/db", "postgresql://user:secret@host:port/db", "mysql://user:se/cret@host/db"]
)
def test_passwords_are_in_no_error(url: str) -> None:
    with pytest.raises(LogError) as raised:
        open_log(url)
    assert "cret" not in str(raised.value)
    assert "***@host" in str(raised.value)


def test_a_file_with_an_impossible_name_is_no_log() -> None:
    with pytest.raises(LogError, match="there is no log at"):
        open_log(f"sqlite:///{'x' * 300}.db", create=False)


def test_looking_at_another_applications_database_leaves_it_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE notes (text)")
        other.commit()
    before = path.read_bytes()
    with pytest.raises(LogError, match="there is no log at"):
        open_log(f"sqlite:///{path}", create=False)
    assert path.read_bytes() == before


FORKING = """
import os, sys
from uniscale_integrations.log.events import DecisionEvent
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import BEGINNING, EventStore, Position
from uniscale_integrations.space import Configuration

log = open_log(sys.argv[1])

def write(who):
    for number in range(20):
        log.append(DecisionEvent(f"{who} {number}", Configuration("small"), (1.0,), "lexical", (0.4, 0.3, 0.3)))

write("parent before")
children = []
for who in ("one", "other"):
    child = os.fork()
    if not child:
        write(who)
        os._exit(0)
    children.append(child)
write("parent after")
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_forked_workers_have_connections_of_their_own(address: str) -> None:
    done = subprocess.run([sys.executable, "-c", FORKING, address], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with closing(open_log(address)) as log:
        assert log.counts() == {"decision": 80}


def test_a_batch_is_written_once_whatever_is_wrong_with_some_feedback_in_it(log: EventStore) -> None:
    log.append(decision("old"))
    log.add_feedback(Feedback("old", 1.0, "a"))
    written = log.write(
        decision("new"),
        Feedback("nobody", 1.0, "a"),
        Outcome("new", 0.5),
        Feedback("new", 1.0, "a"),
        Feedback("old", 0.0, "a"),
        Feedback("old", 1.0, "a"),
        Feedback("old", 1.0, "a"),
    )
    assert written.new == (True, False, True, True, True, True, False)
    assert written.without_decision == (1,)
    assert written.count == 5
    said = [entry.event.correct for entry in log.of_decisions(["old"]) if isinstance(entry.event, Feedback)]
    assert said == [1.0, 0.0, 1.0], "what is said last counts, also within a batch"
    assert log.counts() == {"decision": 2, "feedback": 4, "outcome": 1}


@pytest.mark.parametrize("number", [np.float32(0.5), np.float64(0.5), np.bool_(True), np.int64(1), np.array(0.5), np.uint8(0)])
def test_numbers_of_numpy_are_numbers(log: EventStore, number: Any) -> None:
    log.append(decision("d"))
    log.add_feedback(Feedback("d", number, weight=np.float32(0.5)))  # type: ignore[arg-type]
    log.append(Outcome("d", number, np.int64(7), np.float32(0.5), extra={"tokens": [np.int64(3), np.float32(2.0)]}))  # type: ignore[arg-type]
    _, feedback, outcome = (entry.event for entry in log.since())
    assert isinstance(feedback, Feedback)
    assert (feedback.correct, feedback.weight) == (float(number), 0.5)
    assert isinstance(outcome, Outcome)
    assert (outcome.score, outcome.eflops, outcome.usd, outcome.extra["tokens"]) == (float(number), 7.0, 0.5, [3, 2.0])
    assert Silence(means=number).means == float(number)


@pytest.mark.parametrize(
    "number", [np.float32("nan"), np.float64("inf"), np.int64(2), np.array([0.5]), np.datetime64("2026-01-01")]
)
def test_numbers_of_numpy_that_are_no_correctness_are_refused(number: Any) -> None:
    for make in (lambda: Feedback("d", number), lambda: Outcome("d", number), lambda: Silence(means=number)):
        with pytest.raises(ConfigurationError, match=r"\[0, 1\]"):
            make()


@pytest.mark.parametrize("name", ["source", "key", "comment", "decision_id"])
@pytest.mark.parametrize("said", [1, 2.5, True, b"user", ["user"], ("a", "b"), {"score": 1}, Path("user")])
def test_what_is_no_text_is_refused_before_it_is_acknowledged(name: str, said: object) -> None:
    with pytest.raises(ConfigurationError, match=f"the {name} of feedback must be a text"):
        Feedback(**{"decision_id": "d", "correct": 1.0, name: said})  # type: ignore[arg-type]
    assert Feedback("d", 1.0, comment=None).comment == ""  # type: ignore[arg-type]


def test_names_have_an_end_and_of_a_long_comment_the_beginning_is_kept(log: EventStore) -> None:
    for name, limit in (("source", 200), ("key", 200), ("decision_id", 64)):
        Feedback(**{"decision_id": "d", "correct": 1.0, name: "x" * limit})  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match=f"the {name} of feedback has at most {limit} characters, got {limit + 1}"):
            Feedback(**{"decision_id": "d", "correct": 1.0, name: "x" * (limit + 1)})  # type: ignore[arg-type]
    log.append(decision("d"))
    log.add_feedback(Feedback("d", 1.0, comment="y" * 1_000_000))
    [_, entry] = log.since()
    assert isinstance(entry.event, Feedback)
    assert len(entry.event.comment) == 10_000
    assert entry.event.comment.endswith("y [cut off, of 1000000 characters]")
    assert replace(entry.event, correct=0.0).comment == entry.event.comment
    assert not log.add_feedback(Feedback("d", 1.0, comment="y" * 1_000_000)).count


def test_long_names_of_earlier_versions_are_read_as_they_are(log: EventStore) -> None:
    log.append(decision("d"))
    said = Feedback("d", 1.0, source="x")
    for name in ("source", "key", "comment"):
        object.__setattr__(said, name, name * 5_000)
    log.append(said)
    [_, entry] = log.since()
    assert entry.event == said
