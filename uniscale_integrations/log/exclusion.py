"""One removal of a log's events at a time, whichever process it runs in."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, text

from uniscale_integrations.errors import LogError
from uniscale_integrations.log.events import new_id
from uniscale_integrations.log.schema import REMOVER, events, note, noted
from uniscale_integrations.log.sql import SQLStore

PATIENCE = 60.0
"""Seconds that somebody else's removal is waited for."""

PAUSE = 0.05
"""Seconds between two tries."""

TOLD = 1.0
"""Seconds of waiting after which that is told."""

ADVISORY = "hashtext('uniscale_removals'), '{}'::regclass::oid::int"
"""The name of the lock on a PostgreSQL server, which is another one for each log."""

_log = logging.getLogger(__name__)
_of_stores: WeakKeyDictionary[SQLStore, Lock] = WeakKeyDictionary()


class Turn:
    """The turn of one removal, which ends with the block that it was given for, or with the process.

    Args:
        log: whose.
    """

    def __init__(self, log: SQLStore) -> None:
        self._log, self._token = log, new_id()
        _wait(log, self._claim)

    def _claim(self) -> bool:
        try:
            with self._log.alone() as connection:
                note(connection, REMOVER, self._token)
        except LogError as error:
            if not error.passing:
                raise
            return False
        return True

    def check(self, connection: Connection) -> None:
        """That it has not passed to another, as where the connection that held its lock was cut; within a transaction of a removal.

        Raises:
            LogError: it has.
        """
        if noted(connection, REMOVER).get(REMOVER) != self._token:
            raise LogError(f"another removal has begun in {self._log.name}, since this one had lost its lock; try again")


@contextmanager
def exclusive(log: SQLStore) -> Iterator[Turn]:
    """Nobody else takes events out of a log, or drops what was learned, while the block runs.

    Who comes meanwhile waits for `PATIENCE` seconds. The lock ends with the process that holds it, however that ends.

    Raises:
        LogError: somebody else is at it for longer.
    """
    own = _of_stores.setdefault(log, Lock())
    _wait(log, lambda: own.acquire(blocking=False))
    try:
        if log.in_memory:
            yield Turn(log)
        else:
            lock = _postgres_lock(log) if log.file is None else _file_lock(log, log.file)
            with lock:
                yield Turn(log)
    finally:
        own.release()


def _wait(log: SQLStore, acquire: Callable[[], bool]) -> None:
    """Try until it succeeds."""
    begun, told = time.monotonic(), False
    while not acquire():
        waited = time.monotonic() - begun
        if waited > PATIENCE:
            error = LogError(f"somebody else has been taking events out of {log.name} for {PATIENCE:g} s; try again later")
            error.passing = True
            raise error
        if waited > TOLD and not told:
            told = True
            _log.warning("%s: somebody else takes events out of it; waiting for that for up to %g s", log.name, PATIENCE)
        time.sleep(PAUSE)


@contextmanager
def _file_lock(log: SQLStore, file: Path) -> Iterator[None]:
    """A lock of SQLite on an empty file of its own beside a log's, which goes with it.

    The system ends such a lock with its process, on all platforms; the log's own file is not held, for its workers go on.
    """
    path = file.resolve()
    path = path.with_name(f"{path.name}-removal")
    held: list[sqlite3.Connection] = []

    def acquire() -> bool:
        path.touch()
        before = _identity(path)
        connection = sqlite3.connect(path, timeout=0.0, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            connection.close()
            if "locked" in str(error):
                return False
            raise LogError(f"cannot lock {log.name} for a removal: {error}") from error
        now = _identity(path)
        # It may be the file that another one has just taken away.
        if now is None or before != now:
            connection.close()
            return False
        held.append(connection)
        return True

    _wait(log, acquire)
    with closing(held[0]):
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


@contextmanager
def _postgres_lock(log: SQLStore) -> Iterator[None]:
    """An advisory lock of a session, which the server ends with its connection."""
    with log.session() as connection:
        name = ADVISORY.format(events.name)
        for setting in ("idle = 30", "interval = 10", "count = 3"):
            # A host that has died says nothing.
            connection.execute(text(f"SET tcp_keepalives_{setting}"))
        _wait(log, lambda: connection.execute(text(f"SELECT pg_try_advisory_lock({name})")).scalar_one())
        yield
