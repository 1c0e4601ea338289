"""The log in a SQLite file, or in memory."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam

from uniscale_integrations.errors import LogError
from uniscale_integrations.log.connect import BUSY_MILLISECONDS, absolute_path
from uniscale_integrations.log.events import Event
from uniscale_integrations.log.ports import BEGINNING, Entry, Position, WriteResult
from uniscale_integrations.log.schema import WRITABLE, events
from uniscale_integrations.log.sql import IN_ORDER, INSERT, LIMIT, Row, SQLStore

INSERT_ROW = INSERT.format("(?, ?, ?, ?, ?, ?)")

NUMBERED = INSERT.replace("(kind,", "(seq, kind,").format("(?, ?, ?, ?, ?, ?, ?)")
"""An insert of a row with a number."""

BEYOND = 1_000_000_000
"""Rows that other workers may be ahead of the one that begins a log in the place of another."""

CHECKPOINTS = 100
"""Tries to empty the file that SQLite writes ahead."""

_log = logging.getLogger(__name__)


class SQLiteStore(SQLStore):
    """A log in SQLite, which has one writer at a time: rows have consecutive numbers, so that a gap means that another has written."""

    _last, _identity, _is_another = 0, None, False
    _path: Path | None = None

    later = IN_ORDER.where(events.c.seq > bindparam("seq")).order_by(None).order_by(events.c.seq).limit(LIMIT)

    @property
    def file(self) -> Path | None:
        """As of `SQLStore`: where it was when it was opened, also of an address that is a URI or relative to a folder left since."""
        return self._path

    @property
    def identity(self) -> str:
        """As of `SQLStore`; the same through a link to its folder or its file."""
        return os.path.realpath(str(self._path))

    @property
    def former_identity(self) -> str:
        """As of `SQLStore`."""
        return str(self._path)

    def _prepare(self, *, create: bool) -> None:
        if self._path is None and not self.in_memory:
            self._path = absolute_path(str(self._engine.url.database))
        super()._prepare(create=create)
        self._identity = self._identity_of_file()

    def _place(self, position: Position) -> dict[str, int]:
        return {"seq": position.seq}

    def since(self, position: Position = BEGINNING, limit: int = 1_000) -> list[Entry]:
        """As of `EventStore`."""
        entries = super().since(position, limit)
        if entries:
            self._last = max(self._last, entries[-1].position.seq)
        return entries

    def _write(self, cursor: Any, new: Sequence[Event], rows: Sequence[Row]) -> WriteResult:
        entries = []
        for each, row in zip(new, rows, strict=True):
            if self._is_another:
                self._insert_first(cursor, row)
            else:
                cursor.execute(INSERT_ROW, row)
            # What had arrived before stands further up, where it is learned of.
            if cursor.rowcount:
                entries.append(Entry(Position(0, cursor.lastrowid), each))
        if not entries:
            return WriteResult((True,) * len(rows))
        before = entries[0].position.seq - 1
        self._last = max(self._last, entries[-1].position.seq)
        return WriteResult((True,) * len(rows), tuple(entries), Position(0, before) if before else BEGINNING)

    def _insert_first(self, cursor: Any, row: Row) -> None:
        """The first row of a log in the place of one that is gone has a number that none had there, wherever its followers are."""
        cursor.execute("SELECT 1 FROM uniscale_events LIMIT 1")
        number = self._last + 1 + BEYOND if cursor.fetchone() is None else None
        cursor.execute(NUMBERED, (number, *row))
        self._is_another = False

    def _begin(self, cursor: Any) -> None:
        cursor.execute("BEGIN IMMEDIATE")

    def _check_writable(self) -> None:
        with closing(self._engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute("PRAGMA busy_timeout = 0")
            try:
                cursor.execute("BEGIN IMMEDIATE")
                cursor.execute(str(WRITABLE.compile(dialect=self._engine.dialect, compile_kwargs={"literal_binds": True})))
                connection.commit()
            except sqlite3.OperationalError as error:
                self._roll_back(connection)
                if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                    raise
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")

    def _compact(self, connection: Any) -> None:
        cursor = connection.cursor()
        # A page that was written anew may still hold what stood in it before, in a part that is not in use.
        cursor.execute("VACUUM")
        for _ in range(CHECKPOINTS):
            # What was written before stays in the file beside it until nobody reads from there.
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            busy, *_ = cursor.fetchone()
            if not busy:
                return
            time.sleep(0.05)
        raise sqlite3.OperationalError("somebody goes on reading what was there before; try again")

    def _after_error(self, cause: BaseException) -> None:
        # A connection that was made while the file could not be written does not look again whether it can.
        if getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY and not self.in_memory:
            self._engine.dispose()

    def _identity_of_file(self) -> tuple[int, int] | None:
        """What tells a file from another one of its name."""
        try:
            status = os.stat(self.file) if self.file is not None else None
        except OSError:
            return None
        return None if status is None else (status.st_dev, status.st_ino)

    def _check_presence(self) -> None:
        if self.file is None or (now := self._identity_of_file()) == self._identity:
            return
        self._engine.dispose()
        if self.read_only:
            raise LogError(f"{self.name} has been {'removed' if now is None else 'replaced'} while it was read; read it again")
        what = (
            f"{self.name} has been {'removed' if now is None else 'replaced'} while it was open; what was written to it is lost"
        )
        if not self._is_another:
            _log.error("%s, and another log is begun", what)
        self._is_another = True
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._prepare(create=True)
        error = LogError(what)
        error.passing = True
        raise error
