"""The log in a SQLite file, or in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam

from uniscale_integrations.log.events import Event
from uniscale_integrations.log.ports import BEGINNING, Entry, Position, WriteResult
from uniscale_integrations.log.schema import events
from uniscale_integrations.log.sql import IN_ORDER, LIMIT, Row, SQLStore


class SQLiteStore(SQLStore):
    """A log in SQLite, which has one writer at a time: rows have consecutive numbers, so that a gap means that another has written."""

    later = IN_ORDER.where(events.c.seq > bindparam("seq")).order_by(None).order_by(events.c.seq).limit(LIMIT)

    @property
    def file(self) -> Path | None:
        """As of `SQLStore`."""
        return None if self.in_memory else Path(str(self._engine.url.database))

    def _place(self, position: Position) -> dict[str, int]:
        return {"seq": position.seq}

    def _write(self, cursor: Any, new: Sequence[Event], rows: Sequence[Row]) -> WriteResult:
        entries = []
        for each, row in zip(new, rows, strict=True):
            cursor.execute(self._insert, row)
            # What had arrived before stands further up, where it is learned of.
            if cursor.rowcount:
                entries.append(Entry(Position(0, cursor.lastrowid), each))
        if not entries:
            return WriteResult((True,) * len(rows))
        before = entries[0].position.seq - 1
        return WriteResult((True,) * len(rows), tuple(entries), Position(0, before) if before else BEGINNING)

    def _begin(self, cursor: Any) -> None:
        cursor.execute("BEGIN IMMEDIATE")
