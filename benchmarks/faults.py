"""What may happen to a log while workers use it, done to a real one: a lock that is held, a server that stands still."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Engine, create_engine

LOCK = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "LOCK TABLE uniscale_events IN ACCESS EXCLUSIVE MODE"}
"""By the kind of database; on PostgreSQL nobody can read then either."""


def database_of(address: str) -> Engine:
    """The database behind the address of a log, for somebody who is no worker."""
    return create_engine(address.replace("postgresql://", "postgresql+psycopg://"))


@contextmanager
def locked(address: str) -> Iterator[None]:
    """Somebody else holds the log's lock for as long as the block runs."""
    database = database_of(address)
    with database.connect() as connection:
        connection.exec_driver_sql(LOCK[database.dialect.name])
        try:
            yield
        finally:
            connection.rollback()
    database.dispose()


@contextmanager
def standing_still(address: str) -> Iterator[None]:
    """A PostgreSQL server on this host whose processes are stopped: it takes what it is sent, and does not answer."""
    database = database_of(address)
    with database.connect() as connection:
        folder = Path(connection.exec_driver_sql("SHOW data_directory").scalar_one())
    database.dispose()
    master = int((folder / "postmaster.pid").read_text().split("\n")[0])
    stopped = [master, *_children(master)]
    for process in stopped:
        _signal(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in stopped:
            _signal(process, signal.SIGCONT)


def _children(process: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # pid (name) state ppid ..., and a name may hold anything.
            if int(status.read_text().rpartition(")")[2].split()[1]) == process:
                found.append(int(status.parent.name))
    return found


def _signal(process: int, which: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, which)
