"""Opening a log: nobody who only reads need be allowed to write, and nobody waits for whoever holds its lock."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from typer.testing import CliRunner

from benchmarks.durability import difference, engine, new_database, uninterrupted
from benchmarks.faults import database_of, locked
from tests.log.first_revision import FirstRevision
from uniscale_integrations import UniScale
from uniscale_integrations.cli.app import app
from uniscale_integrations.errors import LogError, UnknownDecisionError
from uniscale_integrations.log import connect, fold
from uniscale_integrations.log.events import DecisionEvent, Feedback, Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import Spooled
from uniscale_integrations.space import Configuration


def filled(address: str) -> None:
    with closing(engine(address)) as made:
        for number in range(12):
            made.feedback(made.run(f"What is {number} + 1?"), float(number % 3 > 0))


def read_all(address: str, folder: Path) -> None:
    """Every command that only reads."""
    for words in (
        *(("log", "info", address), ("log", "verify", address), ("log", "export", address)),
        *(("report", address, "-o", str(folder / "report.html")), ("replay", address)),
    ):
        result = CliRunner().invoke(app, words)
        # There may be too little to compare, but it has been read.
        assert result.exit_code == 0 or "TableError" in result.output, result.output
    with closing(engine("sqlite://")) as other:
        assert other.warm_start(address) == 12
    with closing(open_log(address, read_only=True)) as log:
        assert len(list(log.everything())) == 36
        with pytest.raises(LogError):
            log.append(Outcome("d", 0.5))


def refuses_to_write(address: str) -> None:
    for words in (("forget", address, "--source", "x"), ("rebuild", address), ("prune", address, "--before", "2026-01-01")):
        result = CliRunner().invoke(app, ["log", *words])
        assert result.exit_code == 2, result.output
        assert "LogError" in result.output
    with pytest.raises(LogError):
        engine(address)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Neither a folder nor what is in it may be written, not even by the superuser, who is somebody else meanwhile."""
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)
        folder.chmod(0o755)


@pytest.mark.parametrize("name", ["log.db", "a #log.db"])
def test_a_file_that_cannot_be_written_is_read(name: str) -> None:
    with tempfile.TemporaryDirectory() as outer, tempfile.TemporaryDirectory() as target:
        folder = Path(outer) / "logs"
        folder.mkdir()
        os.chmod(outer, 0o755)
        os.chmod(target, 0o777)
        address = f"sqlite:///{folder / name}"
        filled(address)
        # Somebody else could not import what is still to be.
        read_all(address, Path(target))
        (Path(target) / "report.html").unlink()
        with read_only(folder):
            read_all(address, Path(target))
            refuses_to_write(address)
        assert len(list(folder.iterdir())) == 1, "nothing is left beside it"


def test_a_role_that_may_only_read_reads(postgres: str, tmp_path: Path) -> None:
    address = new_database(postgres)
    filled(address)
    database, role = database_of(address), f"reader_{time.time_ns()}"
    with database.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN"))
        connection.execute(text(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"))
    database.dispose()
    as_reader = make_url(address).set(username=role).render_as_string(hide_password=False)
    read_all(as_reader, tmp_path)
    refuses_to_write(as_reader)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
def test_a_database_of_any_encoding_keeps_texts_of_all_scripts(postgres: str, encoding: str) -> None:
    said = "\u6f22\u5b57 \u00e9 \U0001f600 \udc80"
    with closing(open_log(new_database(postgres, encoding))) as log:
        given = Outcome("a", 0.5, failed=said), Feedback("a", 1.0, said, said, comment=said)
        log.append(DecisionEvent("a", Configuration("m"), (1.0,), "", (1.0, 0.0, 0.0)), given[0])
        assert log.give_feedback(given[1])
        assert not log.give_feedback(Feedback("a", 1.0, said, said, comment=said))
        assert [entry.event.decision_id for entry in log.everything()] == ["a"] * 3
        [_, outcome, feedback] = [entry.event for entry in log.everything()]
        assert isinstance(outcome, Outcome)
        assert isinstance(feedback, Feedback)
        assert outcome.failed.startswith(said[:-1])
        assert feedback.comment.startswith(said[:-1])
        assert not log.unreadable
        log.save_description("schema:\u6f22", {"name": "\u5b57"})
        log.save_description("schema:\u5b57", {"name": "\u6f22"})
        assert log.load_description("schema:\u6f22") == {"name": "\u5b57"}
        assert log.save_calibration("\u6f22", 1, {"pairs": 1})
        assert not log.save_calibration("\u6f22", 1, {"pairs": 2})
        assert log.load_calibration("\u6f22") == (1, {"pairs": 1})
        assert log.load_calibration("\u5b57") is None


@pytest.mark.parametrize("decision", ["x\ud800", "nul\0", "\u6f22"])
def test_a_decision_that_no_database_could_hold_is_unknown(address: str, decision: str) -> None:
    with closing(open_log(address)) as log, pytest.raises(UnknownDecisionError):
        log.give_feedback(Feedback(decision, 1.0))


def test_a_server_that_takes_nothing_is_read(postgres: str, tmp_path: Path) -> None:
    address = new_database(postgres)
    filled(address)
    database = database_of(address)
    with database.begin() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar_one()
        # As a standby says of every transaction.
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    database.dispose()
    read_all(address, tmp_path)
    refuses_to_write(address)


def test_a_log_of_the_first_revision_is_brought_up_to_date_by_who_may(address: str) -> None:
    before = FirstRevision(address, create=True)
    before.append(Outcome("a", 0.5))
    before.close()
    with closing(open_log(address, read_only=True)) as log:
        assert [entry.event.decision_id for entry in log.everything()] == ["a"]


def test_reading_makes_no_log(tmp_path: Path, postgres: str) -> None:
    for address in (f"sqlite:///{tmp_path / 'none.db'}", new_database(postgres)):
        with pytest.raises(LogError, match="there is no log at"):
            open_log(address, read_only=True)
    (tmp_path / "empty.db").write_bytes(b"")
    with pytest.raises(LogError, match="there is no log at"):
        open_log(f"sqlite:///{tmp_path / 'empty.db'}", read_only=True)
    assert [file.name for file in tmp_path.iterdir()] == ["empty.db"]


def opened_quickly(address: str, spool: Path) -> UniScale:
    begun = time.monotonic()
    made = engine(address, spool)
    assert time.monotonic() - begun < 5.0
    return made


def test_an_engine_opens_while_somebody_holds_the_lock_and_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address, folder = f"sqlite:///{tmp_path / 'log.db'}", tmp_path / "spool"
    filled(address)
    monkeypatch.setattr(fold, "KEEP_AFTER", 10)
    with locked(address):
        made = opened_quickly(address, folder)
        answer = made.run("What is 1 + 1?")
        assert any(note.startswith("not in the log yet") for note in answer.warnings)
        assert isinstance(made.feedback(answer, 1.0), Spooled)
        begun = time.monotonic()
        assert CliRunner().invoke(app, ["log", "info", address]).exit_code == 0
        assert time.monotonic() - begun < 5.0
    with closing(made):
        while isinstance(made.feedback(answer, 1.0, source="another"), Spooled):
            pass
        made.sync()
        assert made.log.counts() == {"decision": 13, "outcome": 13, "feedback": 14}
        assert made.log.snapshots_of(""), "what was not kept then is kept later"
        state = made.state()
    assert difference(state, uninterrupted(address)) < 1e-9
    assert not folder.exists()


def test_who_may_not_wait_for_a_log_that_is_to_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "BUSY_MILLISECONDS", 200)
    address = f"sqlite:///{tmp_path / 'log.db'}"
    begun = time.monotonic()
    with locked(address), pytest.raises(LogError, match=r"cannot open the log .* database is locked"):
        engine(address)
    assert time.monotonic() - begun < 3.0


def test_who_opens_a_log_waits_for_nobody_else_who_does(postgres: str) -> None:
    address = new_database(postgres)
    filled(address)
    database = database_of(address)
    with database.connect() as connection:
        # Somebody else opens it, or changes something there.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('uniscale_meta'))"))
        connection.execute(text("UPDATE uniscale_meta SET value = value"))
        begun = time.monotonic()
        with closing(engine(address)) as made:
            made.run("What is 1 + 1?")
        assert time.monotonic() - begun < 5.0
        connection.rollback()
    database.dispose()
    shown = json.loads(CliRunner().invoke(app, ["log", "info", address, "--json"]).stdout.strip().splitlines()[-1])
    assert shown["events"]["decision"] == 13
