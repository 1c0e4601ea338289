"""Logs that are moved, that an earlier version wrote, or that one goes on writing beside this one."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from benchmarks.durability import difference, engine, new_database, opened, server, uninterrupted
from benchmarks.faults import database_of
from tests.log.first_revision import FirstRevision
from uniscale_integrations.errors import LogError
from uniscale_integrations.log.events import Event, Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import BEGINNING, WriteResult


@pytest.fixture(scope="module")
def fresh_server() -> Iterator[str]:
    """A second server, whose transactions have hardly begun to be numbered."""
    with server(None) as address:
        assert address
        yield address


def binary(name: str) -> str:
    import pgserver

    return str(Path(pgserver.__file__).parent / "pginstall" / "bin" / name)


def moved(address: str, other_server: str) -> str:
    """The same database on another server, by way of a dump."""
    target = new_database(other_server)
    dump = subprocess.run([binary("pg_dump"), "--no-owner", address], check=True, capture_output=True).stdout
    subprocess.run([binary("psql"), "-q", "-v", "ON_ERROR_STOP=1", target], input=dump, check=True, capture_output=True)
    return target


def age(address: str, transactions: int) -> None:
    """Have a server number so many transactions."""
    database = database_of(address)
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for _ in range(transactions):
            connection.execute(text("SELECT pg_current_xact_id()"))
    database.dispose()


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_log_that_was_dumped_and_restored_goes_on(postgres: str, fresh_server: str, snapshot: bool) -> None:
    age(postgres, 3_000)
    address = new_database(postgres)
    with closing(engine(address)) as made:
        answers = [made.run(f"What is {number} + 1?") for number in range(30)]
        for answer in answers[:20]:
            made.feedback(answer, 1.0)
        made.sync()
        if snapshot:
            made.snapshot()
        state = made.state()
    copy = moved(address, fresh_server)
    with closing(engine(copy)) as restored:
        assert difference(state, restored.state()) < 1e-9
        for answer in answers[20:]:
            assert restored.feedback(answer, 0.0)
        restored.run("What is 2 + 2?")
        restored.sync()
        counts, now = restored.log.counts(), restored.state()
        assert len(list(restored.log.everything())) == sum(counts.values())
    assert counts == {"decision": 31, "outcome": 31, "feedback": 30}
    assert difference(now, state) > 0.1
    assert difference(now, opened(copy)) < 1e-9
    assert difference(now, uninterrupted(copy)) < 1e-9


def test_a_transaction_elsewhere_stops_no_learning(postgres: str) -> None:
    address, elsewhere = new_database(postgres), database_of(new_database(postgres))
    with elsewhere.connect() as idle, closing(open_log(address)) as log:
        idle.execute(text("SELECT pg_current_xact_id()"))
        log.append(*(Outcome(f"{number}", 0.5) for number in range(5)))
        assert len(log.since()) == 5
    elsewhere.dispose()


def test_a_log_of_the_first_revision_is_read_in_its_order_and_gone_on_with(address: str) -> None:
    before = FirstRevision(address, create=True)
    before.append(Outcome("a", 0.5), Outcome("b", 0.5))
    before.append(Outcome("c", 0.5))
    with closing(open_log(address)) as log:
        places = [entry.position for entry in log.since()]
        log.append(Outcome("d", 0.5))
        before.append(Outcome("e", 0.5))
        assert [entry.event.decision_id for entry in log.since()] == ["a", "b", "c", "d", "e"]
        assert [entry.position for entry in log.since()][:3] == places
    before.read()
    assert [event.decision_id for event in before.seen] == ["a", "b", "c", "d", "e"]
    before.close()


def test_a_restored_log_of_the_first_revision_is_read_as_well(postgres: str, fresh_server: str) -> None:
    age(postgres, 3_000)
    address = new_database(postgres)
    before = FirstRevision(address, create=True)
    for number in range(6):
        before.append(Outcome(f"{number}", 0.5))
    before.close()
    with closing(open_log(moved(address, fresh_server))) as log:
        log.append(Outcome("new", 0.5))
        assert [entry.event.decision_id for entry in log.since()] == [*map(str, range(6)), "new"]


def test_workers_of_both_revisions_side_by_side_miss_nothing(address: str) -> None:
    FirstRevision(address, create=True).close()
    with closing(open_log(address)) as log:
        # Both are up before either writes.
        olds = [FirstRevision(address) for _ in range(2)]
        done = [0]

        def old(worker: int) -> None:
            chance = random.Random(worker)
            for number in range(20):
                with olds[worker].transaction() as connection:
                    olds[worker].insert(connection, Outcome(f"old{worker}-{number}", 0.5))
                    if address.startswith("postgresql"):
                        # A transaction that commits long after it took its serial number.
                        time.sleep(chance.random() * 0.02)
                olds[worker].read()
            done[0] += 1

        def new(worker: int) -> None:
            for number in range(20):
                log.append(Outcome(f"new{worker}-{number}", 0.5))
            done[0] += 1

        def follow() -> list[str]:
            seen, position = list[str](), BEGINNING
            while True:
                last = done[0] == 4
                for entry in log.since(position, limit=7):
                    position = entry.position
                    seen.append(entry.event.decision_id)
                if last and not log.since(position):
                    return seen

        with ThreadPoolExecutor(5) as pool:
            reader = pool.submit(follow)
            list(pool.map(lambda work: work[0](work[1]), [(old, 0), (old, 1), (new, 0), (new, 1)]))
            seen = reader.result()
        expected = sorted(f"{age}{worker}-{number}" for age in ("old", "new") for worker in range(2) for number in range(20))
        assert sorted(seen) == expected
        for each in olds:
            each.read()
            assert [event.decision_id for event in each.seen] == seen
            each.close()


def test_a_connection_that_dies_after_its_commit_writes_nothing_twice(address: str, tmp_path: Path) -> None:
    with closing(engine(address, tmp_path / "spool")) as made:
        write, deaths = made.log.write, [1, 2, 3]

        def write_and_die(*new: Event) -> WriteResult:
            written = write(*new)
            if deaths:
                deaths.pop()
                error = LogError("the connection died before the commit was acknowledged")
                error.passing = True
                raise error
            return written

        made.log.write = write_and_die  # type: ignore[method-assign]  # what a real one does, at a moment of the test's choice
        answers = [made.run(f"What is {number} + 1?") for number in range(5)]
        assert all(made.feedback(answer, 1.0) for answer in answers)
        assert not deaths
        made.sync()
        state, counts = made.state(), made.log.counts()
    assert counts == {"decision": 5, "outcome": 5, "feedback": 5}
    assert difference(state, uninterrupted(address)) < 1e-9


def test_rows_that_were_copied_without_where_their_numbers_end_are_gone_on_after(postgres: str) -> None:
    source, target = new_database(postgres), new_database(postgres)
    with closing(engine(source)) as made:
        for number in range(5):
            made.feedback(made.run(f"What is {number} + 1?"), 1.0)
    engine(target).close()
    for begin in (False, True):
        # Also where a worker is up while they are copied.
        with closing(engine(target)) as made:
            if not begin:
                copy = subprocess.run(
                    [binary("psql"), "-qc", "COPY uniscale_events TO STDOUT", source], check=True, capture_output=True
                )
                with psycopg.connect(target) as connection, connection.cursor().copy("COPY uniscale_events FROM STDIN") as rows:
                    rows.write(copy.stdout)
            answers = [made.run(f"What is {number} + 2?") for number in range(4)]
            assert all(made.feedback(answer, 1.0) for answer in answers)
            made.sync()
            counts = made.log.counts()
        assert counts == dict.fromkeys(("decision", "feedback", "outcome"), 13 if begin else 9)
