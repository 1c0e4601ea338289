"""A log that becomes another one under the workers that follow it: one of before, restored from a backup, or a new one."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from benchmarks.durability import difference, engine, opened, uninterrupted
from tests.logged import store
from uniscale_integrations import UniScale
from uniscale_integrations.errors import LogError


def go_on(made: UniScale, first: int, count: int) -> None:
    for number in range(first, first + count):
        made.feedback(made.run(f"What is {number} + 1?"), float(number % 3 > 0))


def restore(made: UniScale, place: int) -> None:
    """What is left where the dump of a moment ago was read in, numbers included."""
    database = store(made)._engine
    with database.begin() as connection:
        connection.execute(text("DELETE FROM uniscale_events WHERE seq > :place"), {"place": place})
        if database.dialect.name == "postgresql":
            connection.execute(text("SELECT setval(pg_get_serial_sequence('uniscale_events', 'seq'), :place)"), {"place": place})


def test_a_log_that_was_restored_is_folded_anew(address: str, caplog: pytest.LogCaptureFixture) -> None:
    with closing(engine(address)) as made:
        go_on(made, 0, 5)
        made.sync()
        place = made.log.since()[-1].position.seq
        go_on(made, 5, 9)
        made.sync()
        restore(made, place)
        made.sync()
        assert "lacks what was learned from it" in caplog.text
        assert difference(made.state(), opened(address)) < 1e-9
        # It goes on from there, also beyond where it had been.
        go_on(made, 20, 15)
        made.sync()
        assert difference(made.state(), opened(address)) < 1e-9
        assert made.log.counts()["feedback"] == 20


def test_a_log_that_was_restored_and_has_grown_beyond_is_folded_anew(address: str) -> None:
    with closing(engine(address)) as waits, closing(engine(address)) as goes_on:
        go_on(waits, 0, 5)
        place = waits.log.since()[-1].position.seq
        go_on(waits, 5, 4)
        waits.sync()
        goes_on.sync()
        restore(waits, place)
        go_on(goes_on, 20, 15)
        assert waits.log.since(waits._knowledge.replica.fold.position), "it has grown beyond where that worker was"
        waits.sync()
        expected = uninterrupted(address)
        assert difference(waits.state(), expected) < 1e-9
        goes_on.sync()
        assert difference(goes_on.state(), expected) < 1e-9


def test_a_snapshot_of_what_a_log_had_before_it_was_restored_is_dropped(address: str, caplog: pytest.LogCaptureFixture) -> None:
    with closing(engine(address)) as made:
        go_on(made, 0, 5)
        place = made.log.since()[-1].position.seq
        go_on(made, 5, 4)
        made.sync()
        made.snapshot()
        kept = made.log.load_snapshot(made._knowledge.replica.fold.name)
    with closing(engine(address)) as made:
        restore(made, place)
        go_on(made, 20, 15)
        assert kept is not None
        made.log.forget_snapshots()
        made.log.save_snapshot(made._knowledge.replica.fold.name, *kept)
    assert difference(opened(address), uninterrupted(address)) < 1e-9
    assert "a snapshot is dropped" in caplog.text


def test_workers_at_different_places_follow_the_log_that_one_of_them_begins_anew(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'log.db'}"
    with closing(engine(address)) as behind, closing(engine(address)) as ahead:
        go_on(behind, 0, 2)
        go_on(ahead, 2, 20)
        ahead.sync()
        for file in tmp_path.glob("log.db*"):
            file.unlink()
        behind.run("What is 1 + 1?")
        go_on(behind, 30, 10)
        before = ahead.state()
        with pytest.raises(LogError, match="has been replaced while it was open"):
            ahead.sync()
        assert ahead.sync() > 10
        assert difference(before, ahead.state()) > 0.0
        go_on(ahead, 40, 2)
        assert behind.sync() > 0
