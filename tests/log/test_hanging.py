"""A log that hangs holds nobody: its table is locked by somebody else, or its server stands still, for as long as the test likes."""

from __future__ import annotations

import asyncio
import shutil
import socket
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.durability import difference, engine, opened, uninterrupted
from benchmarks.faults import locked, standing_still
from uniscale_integrations import UniScale
from uniscale_integrations.engine import attribution, knowledge
from uniscale_integrations.errors import LogError, UnknownDecisionError
from uniscale_integrations.log import group, psycopg_connection
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import Spooled
from uniscale_integrations.search.answer import Answer


class Chain:
    """What several answers had a part in."""

    def __init__(self, answers: list[Answer]) -> None:
        self.ids = [answer.decision_id or "" for answer in answers]


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    resolvers = [*attribution._resolvers, lambda target: target.ids if isinstance(target, Chain) else None]
    monkeypatch.setattr(attribution, "_resolvers", resolvers)


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knowledge, "JUDGING", 0.3)


async def several(made: UniScale, count: int) -> list[Answer]:
    return list(await asyncio.gather(*(made.arun(f"What is {number} + 2?") for number in range(count))))


def test_requests_and_judgements_go_on_and_everything_is_there_in_the_end_once(address: str, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    with closing(engine(address, folder)) as made:
        before = made.run("What is 1 + 1?")
        with locked(address):
            # Whoever waited for the log would wait for ever.
            answers = [made.run(f"What is {number} + 1?") for number in range(6)]
            answers += asyncio.run(several(made, 20))
            decided = made.decide("What is 7 + 1?")
            kept = [made.feedback(each, 1.0, source="exact") for each in (before, answers[0], decided)]
            assert all(isinstance(each, Spooled) for each in kept)
            notes = [note for answer in answers for note in answer.warnings if note.startswith("not in the log yet")]
            assert len(notes) == len(answers)
            assert str(folder) in notes[0]
            assert len(list(folder.glob("*"))) == 1
        while isinstance(made.feedback(answers[1], 1.0, source="exact"), Spooled):
            pass
        made.sync()
        state, counts = made.state(), made.log.counts()
    assert counts == {"decision": len(answers) + 2, "outcome": len(answers) + 1, "feedback": 4}
    assert not folder.exists()
    assert difference(state, opened(address)) < 1e-9
    assert difference(state, uninterrupted(address)) < 1e-9


def test_a_worker_that_ends_meanwhile_leaves_it_to_the_next_one(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "CLOSING", 0.2)
    folder, made = tmp_path / "spool", engine(address, tmp_path / "spool")
    with locked(address):
        answers = [made.run(f"What is {number} + 1?") for number in range(3)]
        made.feedback(answers[0], 1.0)
        made.close()
        assert list(folder.glob("*"))
    with closing(engine(address, folder)) as after:
        assert after.feedback(answers[0], 0.0)
        assert after.log.counts() == {"decision": 3, "outcome": 3, "feedback": 2}
    assert not folder.exists()


def test_a_server_that_stands_still_holds_nobody(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.durability import new_database

    monkeypatch.setattr(psycopg_connection, "CONNECT_SECONDS", 2)
    monkeypatch.setattr(psycopg_connection.BoundedConnection, "seconds", 0.5)
    address = new_database(postgres)
    with closing(engine(address, tmp_path / "spool")) as made:
        made.run("What is 1 + 1?")
        with standing_still(address):
            answers = [made.run(f"What is {number} + 1?") for number in range(4)]
            assert isinstance(made.feedback(answers[0], 1.0), Spooled)
            # Whose decisions several are the log would say.
            both = Chain([answers[2], answers[3]])
            assert isinstance(made.feedback(both, 1.0), Spooled)
            assert isinstance(asyncio.run(made.afeedback(both, 1.0)), Spooled)
            with pytest.raises(LogError, match="cannot open the log"):
                open_log(address)
            with pytest.raises(LogError, match=r"connection timeout expired|has not answered for"):
                made.log.counts()
        while isinstance(made.feedback(answers[1], 1.0), Spooled):
            pass
        assert made.log.counts() == {"decision": 5, "outcome": 5, "feedback": 4}


def test_a_server_that_lets_in_and_stays_silent_is_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psycopg_connection, "CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(LogError, match="cannot open the log"):
        open_log(f"postgresql://somebody@127.0.0.1:{silent.getsockname()[1]}/log")


@pytest.mark.parametrize("what", ["file", "folder", "replaced"])
def test_a_log_that_is_removed_while_it_is_open_is_begun_anew_and_that_is_said(
    what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    address = f"sqlite:///{folder / 'log.db'}"
    with closing(engine(address)) as made:
        lost = [made.run(f"What is {number} + 1?") for number in range(3)]
        learned = made.state()
        if what == "folder":
            shutil.rmtree(folder)
        else:
            for file in folder.glob("log.db*"):
                file.unlink()
        if what == "replaced":
            (folder / "log.db").write_bytes(b"")
        with pytest.raises(UnknownDecisionError):
            made.feedback(lost[0], 1.0)
        assert "while it was open; what was written to it is lost" in caplog.text
        answer = made.run("What is 4 + 1?")
        assert made.feedback(answer, 1.0)
        made.sync()
        assert difference(learned, made.state()) > 0.0, "it goes on learning"
    with closing(open_log(address, create=False)) as log:
        assert log.counts() == {"decision": 1, "feedback": 1, "outcome": 1}
