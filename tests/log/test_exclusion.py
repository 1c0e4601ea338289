"""Removals of one log, one after the other, whoever begins them and however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier

import pytest

from benchmarks.durability import difference, new_database
from benchmarks.faults import database_of
from tests.log.test_retention import FOREVER, engine, events_of, halves, known, opened, run, state, without
from uniscale_integrations.engine.retention import Removed, forget, prune
from uniscale_integrations.errors import LogError, LostBeginning
from uniscale_integrations.log import exclusion
from uniscale_integrations.log.exclusion import exclusive
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.removal import Removal
from uniscale_integrations.log.sql import SQLStore


@pytest.mark.parametrize("trial", range(3))
def test_what_was_learned_outlasts_pruning_and_forgetting_at_the_same_time(address: str, trial: int) -> None:
    """Either all of a source goes with what it had taught, or it is too late for that; what is left has been learned in both cases."""
    with halves(address) as (made, _old, between, _new):
        events = events_of(address)
        made.snapshot()
    learned, started = state(address), Barrier(2)

    def at_once(work: Callable[[SQLStore], Removed], wait: float) -> Removed | LostBeginning:
        with opened(address) as log:
            started.wait()
            time.sleep(wait)
            try:
                return work(log)
            except LostBeginning as error:
                return error

    with ThreadPoolExecutor(2) as pool:
        forgetting = pool.submit(at_once, lambda log: forget(log, source="thumbs"), 0.02 * (trial == 1))
        pruning = pool.submit(at_once, lambda log: prune(log, between, keep_learned=True), 0.02 * (trial == 2))
        forgotten, pruned = forgetting.result(), pruning.result()
    assert isinstance(pruned, Removed)
    assert pruned.events > 40
    expected = learned if isinstance(forgotten, LostBeginning) else without(events, address, (), "thumbs")
    assert difference(known(state(address)), known(expected)) < 1e-9
    assert run("verify", address).exit_code == 0


def test_several_that_prune_take_out_each_row_once(address: str) -> None:
    with halves(address) as (made, old, between, _new):
        made.snapshot()
        learned = made.state()

        def work(number: int) -> int:
            with opened(address) as log:
                return prune(log, between, keep_learned=True).events

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(work, range(4))) == len(old) * 2 + 20 + 5
    assert difference(state(address), learned) < 1e-9


def test_who_waits_too_long_is_told_and_nothing_has_changed(
    address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(exclusion, "PATIENCE", 0.4)
    monkeypatch.setattr(exclusion, "TOLD", 0.1)
    with halves(address) as (made, _old, _between, _new):
        made.snapshot()
        with opened(address) as log, opened(address) as other:
            before = log.counts(), log.snapshots_of(""), log.retention
            with exclusive(other):
                works: list[Callable[[], object]] = [
                    lambda: prune(log, FOREVER, keep_learned=True),
                    lambda: prune(log, FOREVER, keep_learned=False),
                    lambda: forget(log, source="thumbs"),
                ]
                for work in works:
                    with pytest.raises(LogError, match=r"somebody else has been taking events out .* try again later"):
                        work()
                assert run("rebuild", address).exit_code == 2
                made.run("What is 1 + 1?")
            assert "waiting for that for up to 0.4 s" in caplog.text
            assert log.snapshots_of("") == before[1]
            assert log.retention == before[2]
            assert forget(log, source="thumbs").events > 0


def test_a_turn_that_has_passed_to_another_takes_out_nothing_more(address: str) -> None:
    with halves(address) as (_made, old, _between, _new), opened(address) as log, opened(address) as other:
        with exclusive(log) as turn:
            removal = Removal(log, turn)
            removal.begin()
            # As where the server has dropped the connection that held the lock.
            exclusion.Turn(other)
            with pytest.raises(LogError, match="another removal has begun"):
                removal.decisions(old)
        assert set(old) <= {entry.event.decision_id for entry in log.everything()}


def test_a_lock_whose_connection_is_cut_passes_to_another(postgres: str) -> None:
    address = new_database(postgres)
    database = database_of(address)
    with opened(address) as log, opened(address) as other, exclusive(log):
        with database.begin() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = "
                "(SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        with exclusive(other):
            pass
    database.dispose()


DIES = """
import os, sys, time
from uniscale_integrations.engine.retention import forget
from uniscale_integrations.log import removal
from uniscale_integrations.log.log import open_log
removal.FIRST_SLICE = removal.MOST_IN_SLICE = 2
work, count = removal.Removal._remove, [0]
def remove(self, connection, which):
    count[0] += 1
    if count[0] == int(sys.argv[2]):
        print("half way", flush=True)
        time.sleep(60)
    return work(self, connection, which)
removal.Removal._remove = remove
forget(open_log(sys.argv[1]), source="thumbs")
"""


@pytest.mark.parametrize("slices", [1, 3])
def test_one_that_is_killed_half_way_is_finished_before_rows_are_pruned(address: str, slices: int) -> None:
    with halves(address) as (made, _old, between, _new):
        events = events_of(address)
        made.snapshot()
    dying = subprocess.Popen([sys.executable, "-c", DIES, address, str(slices)], stdout=subprocess.PIPE, env=os.environ)
    assert dying.stdout is not None
    assert dying.stdout.readline() == b"half way\n"
    dying.send_signal(signal.SIGKILL)
    dying.wait()
    dying.stdout.close()
    with opened(address) as log:
        with pytest.raises(LogError, match="not come to the end of it; repeat that"):
            prune(log, between, keep_learned=True)
        assert forget(log, source="thumbs").events > 0
        assert forget(log, source="thumbs").events == 0
        expected = without(events, address, (), "thumbs")
        assert difference(state(address), expected) < 1e-9
        assert prune(log, between, keep_learned=True).events > 0
    assert difference(known(state(address)), known(expected)) < 1e-9


def test_nothing_of_it_is_left_beside_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "log.db")
    with ExitStack() as stack:
        logs = [stack.enter_context(opened(f"sqlite:///{tmp_path}/{name}.db")) for name in ("log", "link")]
        monkeypatch.setattr(exclusion, "PATIENCE", 0.1)
        with exclusive(logs[0]):
            assert (tmp_path / "log.db-removal").exists()
            with pytest.raises(LogError), exclusive(logs[1]):
                raise AssertionError("two at once")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["link.db", "log.db"]


def test_a_log_in_memory_has_one_removal_at_a_time_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exclusion, "PATIENCE", 0.1)
    log = open_log("sqlite://")
    engine(log).run("What is 1 + 1?")
    with exclusive(log), pytest.raises(LogError), exclusive(log):
        raise AssertionError("two at once")
    log.close()
