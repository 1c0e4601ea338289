"""Events that wait for a log: in files that outlive the process, each written once in the end."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event as Flag

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.durability import engine
from benchmarks.faults import locked
from uniscale_integrations.errors import LogError, UnknownDecisionError
from uniscale_integrations.log import group as group_commit
from uniscale_integrations.log.connect import database_engine
from uniscale_integrations.log.database import LogDatabase
from uniscale_integrations.log.events import DecisionEvent, Event, Feedback, Outcome
from uniscale_integrations.log.group import GroupCommit
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.log.spool import Spool, spool_of
from uniscale_integrations.space import Configuration

texts = st.text(max_size=20)
events = st.one_of(
    st.builds(Outcome, texts, st.none() | st.floats(0.0, 1.0), eflops=st.floats(0.0, 1e30), failed=texts),
    st.builds(Feedback, texts, st.floats(0.0, 1.0), source=texts.filter(bool), comment=texts),
    st.builds(
        DecisionEvent, texts, st.just(Configuration("m")), st.tuples(st.floats(-1e6, 1e6)), texts, st.just((1.0, 0.0, 0.0))
    ),
)


class Log:
    """A log that refuses everything until it is let."""

    def __init__(self) -> None:
        self.open, self.tried, self.written = Flag(), Flag(), list[Event]()

    def write(self, new: Sequence[Event]) -> list[bool]:
        self.tried.set()
        if not self.open.is_set():
            error = LogError("the log is locked")
            error.passing = True
            raise error
        self.written += new
        return [True] * len(new)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*")) if folder.exists() else []


@given(st.lists(st.lists(events, max_size=4), max_size=4))
def test_what_was_appended_is_there_for_who_comes_next(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[Event]]
) -> None:
    folder = tmp_path_factory.mktemp("spool") / "spool"
    spool = Spool(folder)
    for part in parts:
        spool.append(part)
    assert not list(Spool(folder).abandoned()), "its owner lives"
    spool.close()
    found = [event for left in Spool(folder).abandoned() for event in left.events]
    asked = [event for part in parts for event in part]
    assert [event.body() for event in found] == [event.body() for event in asked]
    assert [(event.decision_id, event.event_id, event.at) for event in found] == [
        (event.decision_id, event.event_id, event.at) for event in asked
    ]


def test_a_line_that_was_cut_off_costs_no_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool(tmp_path)
    spool.append([Outcome("a", 0.5), Outcome("b", 0.5)])
    spool.close()
    [file] = files(tmp_path)
    file.write_bytes(file.read_bytes()[:-10])
    assert [event.decision_id for left in Spool(tmp_path).abandoned() for event in left.events] == ["a"]
    assert "line 2 of" in caplog.text


def test_a_spool_that_is_full_or_cannot_be_written_says_so(tmp_path: Path) -> None:
    spool = Spool(tmp_path, limit=300)
    spool.append([Outcome("a", 0.5)])
    with pytest.raises(LogError, match="and may hold 300"):
        spool.append([Outcome("b", 0.5, failed="x" * 300)])
    (tmp_path / "file").write_text("")
    with pytest.raises(LogError, match="cannot write to"):
        Spool(tmp_path / "file" / "spool").append([Outcome("a", 0.5)])


def test_a_spool_that_cannot_be_written_is_not_tried_for_every_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    spool, log, tried = Spool(tmp_path / "file" / "spool"), Log(), list[int]()
    append = spool.append

    def counted(events: Sequence[Event]) -> bool:
        tried.append(len(events))
        return append(events)

    monkeypatch.setattr(spool, "append", counted)
    monkeypatch.setattr(group_commit, "UNWRITABLE", 3600.0)
    group = GroupCommit(log.write, spool=spool)
    receipts = [group.submit(Outcome(str(number), 0.5)) for number in range(50)]
    for each in receipts:
        with pytest.raises(LogError, match="cannot write to"):
            group.put_aside(each)
    assert len(tried) == 1
    # It is tried again after a while, and then holds all that waits.
    (tmp_path / "file").unlink()
    monkeypatch.setattr(group_commit, "UNWRITABLE", 0.0)
    group._unwritable = None
    group.put_aside(receipts[-1])
    assert tried[1:] == [50]
    log.open.set()
    group.close()
    assert len(log.written) == 50


def test_a_line_that_the_log_refuses_costs_no_other_of_those_left(
    address: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As one does whose id is too long, or no text."""
    with closing(open_log(address)) as log, closing(engine(address, tmp_path / "spool")) as made:
        before = log.counts().get("outcome", 0)
        left = made._knowledge._group._spool
        assert left is not None
        other = Spool(left._folder)
        other.append([Outcome("a", 0.5), Outcome("b" * 65, 0.5, failed="x" * 300), Outcome("c", 0.5)])
        other.close()
        refused = Refusing(log, lambda event: len(event.decision_id) > 64)
        group = GroupCommit(refused.write, spool=left)
        assert group.adopt() == 3
        group.close()
        assert log.counts()["outcome"] == before + 2
    assert "2 of 3 events" in caplog.text
    [kept] = (tmp_path / "spool").glob("*/*.unread")
    assert ("b" * 65) in kept.read_text()


class Refusing:
    """A log that takes no event of some kind."""

    def __init__(self, log: EventStore, refuses: Callable[[Event], bool]) -> None:
        self._log, self._refuses = log, refuses

    def write(self, new: Sequence[Event]) -> Sequence[bool]:
        if any(map(self._refuses, new)):
            raise LogError("value too long")
        return self._log.write(*new).new


def test_a_judgement_that_comes_early_outlives_who_closes_as_the_log_comes_back(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    log = Log()

    def write(new: Sequence[Event]) -> list[bool | Exception]:
        log.write(new)
        return [UnknownDecisionError("no such decision")] * len(new)

    group = GroupCommit(write, spool=spool)
    receipt = group.submit(Feedback("of another", 1.0))
    group.put_aside(receipt)
    group._closed = True
    log.open.set()
    group.close()
    [left] = Spool(tmp_path / "spool").abandoned()
    assert [event.decision_id for event in left.events] == ["of another"]


def test_a_log_has_one_spool_however_it_is_named(tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    with closing(open_log(f"sqlite:///{tmp_path / 'log.db'}")) as log:
        link.symlink_to(tmp_path / "log.db")
        with closing(open_log(f"sqlite:///{link}")) as other:
            assert log.identity == other.identity
            assert spool_of(log)._folder == spool_of(other)._folder
            assert spool_of(log, tmp_path)._folder == spool_of(other, tmp_path)._folder


@pytest.mark.parametrize(
    "other",
    [
        "postgresql://admin@host/db",
        "postgresql://me:word@host:5432/db",
        "postgresql+psycopg://me@host/db?application_name=ops&sslmode=require",
        "postgresql://me@/db?host=host",
        "postgresql://me@/db?host=host&port=5432",
        "postgresql://host?dbname=db",
    ],
)
def test_a_role_or_setting_makes_no_other_log(other: str) -> None:
    assert LogDatabase(database_engine(other)).identity == LogDatabase(database_engine("postgresql://me@host/db")).identity


@pytest.mark.parametrize("other", ["postgresql://me@host/other", "postgresql://me@else/db", "postgresql://me@host:5433/db"])
def test_another_database_is_another_log(other: str) -> None:
    assert LogDatabase(database_engine(other)).identity != LogDatabase(database_engine("postgresql://me@host/db")).identity


def test_what_was_left_by_a_version_before_is_found(tmp_path: Path) -> None:
    before, now = Spool(tmp_path / "before"), Spool(tmp_path / "now", former=[tmp_path / "before"])
    before.append([Outcome("a", 0.5)])
    assert now.in_use() == 1
    before.close()
    [left] = now.abandoned()
    assert [event.decision_id for event in left.events] == ["a"]
    left.remove()
    assert now.in_use() == 0


def test_only_files_are_in_use(tmp_path: Path) -> None:
    (tmp_path / "folder.events.jsonl").mkdir()
    (tmp_path / "link.events.jsonl").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.events.jsonl")
    assert Spool(tmp_path).in_use() == 0


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a disk that is full: what fits of a write is written."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))


def append_only(_descriptor: int, _size: int) -> None:
    raise PermissionError(errno.EPERM, "the file may only be appended to")


@pytest.mark.parametrize("taken_back", [True, False])
def test_a_write_that_ends_in_the_middle_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken_back: bool
) -> None:
    spool = Spool(tmp_path)
    spool.append([Outcome("a", 0.5)])
    [file] = files(tmp_path)
    if not taken_back:
        monkeypatch.setattr(os, "ftruncate", append_only)
    kept = file.read_bytes()
    for _ in range(2):
        with files_of_at_most(file.stat().st_size + 20), pytest.raises(LogError, match="cannot write to"):
            spool.append([Outcome("b", 0.5), Outcome("c", 0.5)])
        assert (file.read_bytes() == kept) == taken_back
    for decision_id in "de":
        spool.append([Outcome(decision_id, 0.5)])
    spool.close()
    assert found(tmp_path) == ["a", "d", "e"]


def found(folder: Path) -> list[str]:
    """What whoever comes next finds, and nobody after them, for they have it then."""
    return [event.decision_id for left in Spool(folder).abandoned() for event in left.events]


def removed(folder: Path) -> None:
    for left in Spool(folder).abandoned():
        left.remove()


OTHERS: dict[str, Callable[[Path], object]] = {
    "remove it": removed,
    "hold it": lambda folder: list(Spool(folder).abandoned()),
}


@pytest.mark.parametrize("others", OTHERS)
def test_a_file_that_others_take_for_left_before_it_is_locked_is_begun_again(
    others: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, spool, held = fcntl.flock, Spool(tmp_path / "spool"), list[object]()

    def late(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        held.append(OTHERS[others](tmp_path / "spool"))
        # A lock that is waited for would be waited for without end here.
        lock(descriptor, how | fcntl.LOCK_NB)

    monkeypatch.setattr(fcntl, "flock", late)
    spool.append([Outcome("a", 0.5)])
    assert held
    assert not spool.gone
    spool.close()
    assert found(tmp_path / "spool") == ["a"]


def test_a_file_that_its_owner_removes_while_it_is_looked_at_is_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, owner = fcntl.flock, Spool(tmp_path / "spool")
    owner.append([Outcome("a", 0.5)])

    def late(descriptor: int, how: int) -> None:
        owner.clear()
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    assert not list(Spool(tmp_path / "spool").abandoned())


def test_a_folder_that_goes_while_it_is_looked_at_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, look = tmp_path / "spool", os.scandir
    folder.mkdir()

    def late(path: Path) -> object:
        folder.rmdir()
        return look(path)

    monkeypatch.setattr(os, "scandir", late)
    assert not list(Spool(folder).abandoned())


@pytest.mark.parametrize("times", [1, 1_000_000])
def test_a_folder_that_others_remove_before_there_is_a_file_is_made_again(
    times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, opened, spool = tmp_path / "spool", os.open, Spool(tmp_path / "spool")
    removals = iter(range(times))

    def late(path: Path, flags: int, mode: int = 0o777) -> int:
        if next(removals, None) is not None:
            folder.rmdir()
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", late)
    if times > 1:
        with pytest.raises(LogError, match="cannot write to"):
            spool.append([Outcome("a", 0.5)])
    else:
        spool.append([Outcome("a", 0.5)])
        spool.close()
        assert found(folder) == ["a"]


def test_a_file_that_cannot_be_read_keeps_nobody_from_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for decision_id in "ab":
        spool = Spool(tmp_path)
        spool.append([Outcome(decision_id, 0.5)])
        spool.close()
    [broken] = [file for file in files(tmp_path) if '"a"' in file.read_text()]
    opened = open

    def failing(file: int, *arguments: object, **named: object) -> object:
        if os.fstat(file).st_ino == broken.stat().st_ino:
            raise OSError(errno.EIO, "the disk is broken")
        return opened(file, *arguments, **named)  # type: ignore[call-overload]

    with monkeypatch.context() as patched:
        patched.setattr("builtins.open", failing)
        assert found(tmp_path) == ["b"]
    assert found(tmp_path) == ["a"], "it is left to who can read it"


def test_a_folder_that_is_relative_stays_where_the_process_began(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "CLOSING", 0.2)
    address = f"sqlite:///{tmp_path / 'log.db'}"
    for name in ("began", "went"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "began")
    made = engine(address, Path("spool"))
    monkeypatch.chdir(tmp_path / "went")
    with locked(address):
        made.run("What is 1 + 1?")
        made.close()
    assert not files(tmp_path / "went")
    monkeypatch.chdir(tmp_path / "began")
    engine(address, Path("spool")).close()
    with closing(open_log(address)) as log:
        assert log.counts() == {"decision": 1, "outcome": 1}


def test_a_folder_that_somebody_removes_is_made_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append([Outcome("a", 0.5)])
    [file] = files(tmp_path / "spool")
    file.unlink()
    spool.append([Outcome("b", 0.5)])
    assert len(files(tmp_path / "spool")) == 1


def test_what_a_log_does_not_take_is_written_in_order_when_it_does(tmp_path: Path) -> None:
    log, folder = Log(), tmp_path / "spool"
    group = GroupCommit(log.write, spool=Spool(folder))
    receipts = [group.submit(Outcome(f"{number}", 0.5)) for number in range(5)]
    log.tried.wait()
    assert group.put_aside(receipts[2]) == str(files(folder)[0])
    assert all(receipt.aside for receipt in receipts), "the order of all is kept"
    assert group.behind > 0.0
    assert "locked" in group.trouble
    log.open.set()
    assert [receipt.result() for receipt in receipts] == [[True]] * 5
    group.close()
    assert [event.decision_id for event in log.written] == [f"{number}" for number in range(5)]
    assert not folder.exists(), "nothing is left behind"


def test_closing_leaves_what_waits_to_who_comes_next(tmp_path: Path) -> None:
    log, folder = Log(), tmp_path / "spool"
    group = GroupCommit(log.write, spool=Spool(folder))
    group.submit(Outcome("a", 0.5), Outcome("b", 0.5))
    group.close(limit=0.1)
    assert files(folder)
    after = Log()
    after.open.set()
    again = GroupCommit(after.write, spool=Spool(folder))
    assert again.adopt() == 2
    again.close()
    assert [event.decision_id for event in after.written] == ["a", "b"]
    assert not folder.exists()


DIES = """
import os, sys
from uniscale_integrations.log.events import *
from uniscale_integrations.log.spool import Spool
from pathlib import Path
spool = Spool(Path(sys.argv[1]))
spool.append([Outcome("a", 0.5)])
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_process_had_kept_is_written_once_whoever_adopts_it(tmp_path: Path) -> None:
    folder, address = tmp_path / "spool", f"sqlite:///{tmp_path / 'log.db'}"
    for _ in range(3):
        subprocess.run([sys.executable, "-c", DIES, str(folder)], check=False, env=os.environ)
    assert len(files(folder)) == 3
    with closing(open_log(address)) as log:
        groups = [GroupCommit(lambda new: log.write(*new).new, spool=Spool(folder)) for _ in range(2)]
        adopted = [group.adopt() for group in groups]
        for group in groups:
            group.close()
        assert sum(adopted) == 3
        assert log.counts() == {"outcome": 3}
    assert not folder.exists()


@pytest.fixture
def twice(log: EventStore) -> EventStore:
    log.append(DecisionEvent("d", Configuration("m"), (1.0,), "e", (1.0, 0.0, 0.0)))
    return log


def test_events_are_inserted_where_absent(twice: EventStore) -> None:
    outcome, judgement, revised = Outcome("d", 0.5), Feedback("d", 1.0, "a"), Feedback("d", 0.0, "a")
    for _ in range(2):
        # As where a connection dies between commit and acknowledgement.
        assert twice.append(outcome).count == 1
    assert twice.write(judgement).new == (True,)
    assert twice.write(outcome, judgement, Feedback("d", 1.0, "a")).new == (True, True, False)
    assert twice.write(revised).new == (True,)
    assert twice.write(judgement).new == (True,), "it was new when it came"
    said = [entry.event.correct for entry in twice.since() if isinstance(entry.event, Feedback)]
    assert said == [1.0, 0.0]
    assert twice.counts() == {"decision": 1, "feedback": 2, "outcome": 1}


def test_logs_that_share_a_folder_get_each_their_own_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "CLOSING", 0.2)
    folder, addresses = tmp_path / "spool", [f"sqlite:///{tmp_path / name}.db" for name in "ab"]
    for count, address in enumerate(addresses, 1):
        made = engine(address, folder)
        with locked(address):
            for number in range(count):
                made.run(f"What is {number} + 1?")
            made.close()
    for address in reversed(addresses):
        engine(address, folder).close()
    found = []
    for address in addresses:
        with closing(open_log(address)) as log:
            found.append(log.counts())
    assert found == [{"decision": 1, "outcome": 1}, {"decision": 2, "outcome": 2}]
    assert not folder.exists()


def test_what_cannot_be_read_is_left_to_who_can(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "later.events.jsonl").write_text('5\n["dream", "d", 0, "e", "{}"]\n' + "[" * 100_000)
    os.mkfifo(folder / "pipe.events.jsonl")
    group = GroupCommit(lambda new: [True] * len(new), spool=Spool(folder))
    assert group.adopt() == 0
    group.close()
    assert len((folder / "later.events.unread").read_bytes().split(b"\n")) == 3


def test_lines_that_can_neither_be_read_nor_kept_stay_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "later.events.jsonl").write_text('["dream", "d", 0, "e", "{}"]\n')
    with monkeypatch.context() as full:
        full.setattr(Path, "write_bytes", lambda path, data: (_ for _ in ()).throw(OSError(errno.ENOSPC, "no space left")))
        [left] = Spool(tmp_path).abandoned()
        left.remove()
    assert "no space left" in caplog.text
    [left] = Spool(tmp_path).abandoned()
    left.remove()
    assert [file.name for file in files(tmp_path)] == ["later.events.unread"]


def test_what_running_processes_keep_is_told_from_what_was_left(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spools = [Spool(folder) for _ in range(3)]
    assert spools[0].in_use() == 0
    for spool in spools:
        spool.append([Feedback("d", 1.0)])
    spools[0].close()
    spools[1].clear()
    assert Spool(folder).in_use() == 1
    [left] = Spool(folder).abandoned()
    # Whoever could not take it over lets another do so.
    left.leave()
    assert [[event.decision_id for event in left.events] for left in Spool(folder).abandoned()] == [["d"]]


def decision_ids(folder: Path) -> list[str]:
    """What whoever comes next would find."""
    return [json.loads(line)[1] for file in files(folder) for line in file.read_text().splitlines()]


def eventually(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10.0
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.02)


REMOVALS: dict[str, Callable[[Path], object]] = {
    "the file": lambda folder: files(folder)[0].unlink(),
    "the folder": shutil.rmtree,
    "moved away": lambda folder: folder.rename(folder.with_name("elsewhere")),
    "another file in its place": lambda folder: replaced(files(folder)[0]),
}


def replaced(file: Path) -> None:
    file.unlink()
    file.write_text("")


@pytest.mark.parametrize("how", REMOVALS)
@pytest.mark.parametrize("more", [True, False])
def test_what_is_removed_before_it_has_arrived_is_written_anew(
    how: str, more: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log, folder = Log(), tmp_path / "spool"
    group = GroupCommit(log.write, spool=Spool(folder))
    for number in range(3):
        group.put_aside(group.submit(Outcome(f"{number}", 0.5)))
    REMOVALS[how](folder)
    if more:
        group.put_aside(group.submit(Outcome("3", 0.5)))
    eventually(lambda: decision_ids(folder) == [f"{number}" for number in range(3 + more)])
    if not more:
        eventually(lambda: "somebody has removed what was kept for the log" in caplog.text)
    log.open.set()
    assert group.settle(10.0)
    group.close()
    assert [event.decision_id for event in log.written] == [f"{number}" for number in range(3 + more)]
    eventually(lambda: "uniscale-spool" not in {thread.name for thread in threading.enumerate()})


def test_what_was_adopted_and_is_removed_before_it_has_arrived_is_written_anew(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    left = Spool(folder)
    left.append([Outcome("a", 0.5), Outcome("b", 0.5)])
    left.close()
    log = Log()
    group = GroupCommit(log.write, spool=Spool(folder))
    assert group.adopt() == 2
    shutil.rmtree(folder)
    eventually(lambda: decision_ids(folder) == ["a", "b"])
    log.open.set()
    group.close()
    assert [event.decision_id for event in log.written] == ["a", "b"]
    assert not folder.exists()


def test_that_it_cannot_be_kept_anew_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log, folder = Log(), tmp_path / "within" / "spool"
    group = GroupCommit(log.write, spool=Spool(folder))
    group.put_aside(group.submit(Outcome("a", 0.5)))
    shutil.rmtree(folder.parent)
    folder.parent.write_text("in its way")
    eventually(lambda: "is lost if this process ends" in caplog.text)
    folder.parent.unlink()
    eventually(lambda: decision_ids(folder) == ["a"])
    log.open.set()
    group.close()


KEEPS = """
import sys, time
from pathlib import Path
from benchmarks.durability import engine
made = engine(sys.argv[1], Path(sys.argv[2]))
answer = made.run("What is 1 + 1?")
assert made.log.counts()["decision"] == 1
print("ready", flush=True)
sys.stdin.readline()
print(made.feedback(answer, 1.0, source="exact"), flush=True)
time.sleep(60)
"""


def test_an_acknowledged_judgement_outlasts_its_folder_and_its_process(address: str, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    command = [sys.executable, "-c", KEEPS, address, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        with locked(address):
            process.stdin.write(b"\n")
            process.stdin.flush()
            assert b"not in the log yet" in process.stdout.readline()
            shutil.rmtree(folder)
            eventually(lambda: bool(list(folder.rglob("*.jsonl"))))
            process.kill()
    with closing(engine(address, folder)) as made:
        eventually(lambda: made.log.counts() == {"decision": 1, "outcome": 1, "feedback": 1})
