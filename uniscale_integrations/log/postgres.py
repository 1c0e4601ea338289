"""The log in PostgreSQL, for workers on several hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, text

from uniscale_integrations.log.events import Event
from uniscale_integrations.log.ports import Position, WriteResult
from uniscale_integrations.log.schema import events
from uniscale_integrations.log.sql import IN_ORDER, LIMIT, Row, SQLStore


class PostgresStore(SQLStore):
    """A log in PostgreSQL, in the order of its transactions' numbers.

    What `since` gives are events of transactions before the oldest that still runs: one that is older may yet add events in front of
    younger ones. Another transaction that is left open on the server holds them up, and loses none.
    """

    later = IN_ORDER.where(
        or_(events.c.tx > bindparam("tx"), and_(events.c.tx == bindparam("tx"), events.c.seq > bindparam("seq"))),
        events.c.tx < text("pg_snapshot_xmin(pg_current_snapshot())::text::bigint"),
    ).limit(LIMIT)

    def _place(self, position: Position) -> dict[str, int]:
        return {"tx": position.tx, "seq": position.seq}

    def _write(self, cursor: Any, new: Sequence[Event], rows: Sequence[Row]) -> WriteResult:
        if rows:
            cursor.executemany(self._insert, rows)
        return WriteResult((True,) * len(rows))

    def _lock_snapshots(self, connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('uniscale_snapshots'))"))
