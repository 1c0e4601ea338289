"""The log in PostgreSQL, for workers on several hosts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, text
from sqlalchemy.exc import SQLAlchemyError

from uniscale_integrations.log.events import Event
from uniscale_integrations.log.ports import Position, WriteResult
from uniscale_integrations.log.schema import RENUMBER, WRITABLE, events, snapshots
from uniscale_integrations.log.sql import IN_ORDER, LIMIT, Row, SQLStore

LOCK_MILLISECONDS = 20
"""How long who takes events out waits for those who are at it; all others wait behind."""


LOCK_NOT_AVAILABLE = "55P03"
"""What the server says where a lock is held for longer than is waited for."""


class PostgresStore(SQLStore):
    """A log in PostgreSQL, which has one writer at a time: rows become visible in their order, see `schema.ONE_WRITER`."""

    _renumbers = False

    later = IN_ORDER.where(
        or_(events.c.tx > bindparam("tx"), and_(events.c.tx == bindparam("tx"), events.c.seq > bindparam("seq")))
    ).limit(LIMIT)

    def _place(self, position: Position) -> dict[str, int]:
        return {"tx": position.tx, "seq": position.seq}

    def _write(self, cursor: Any, new: Sequence[Event], rows: Sequence[Row]) -> WriteResult:
        if rows:
            cursor.executemany(self._insert, rows)
        return WriteResult((True,) * len(rows))

    def _may_pass(self, cause: BaseException) -> bool:
        # What is wrong with a value, or too large for a row or an index, stays so. All else is the fault of the server, its roles or
        # tables: a failover leaves it read-only for a while, and tables are gone while they are restored.
        state = str(getattr(cause, "sqlstate", None) or "")
        if isinstance(cause, self._collision):
            self._renumbers = True
            return True
        return super()._may_pass(cause) or (state != "" and not state.startswith(("22", "54")))

    def _begin(self, cursor: Any) -> None:
        if self._renumbers:
            # As after rows have been copied here without the place where their numbers end.
            cursor.execute(f"LOCK TABLE {events.name} IN SHARE ROW EXCLUSIVE MODE")
            cursor.execute(RENUMBER)
            self._renumbers = False

    def _takes_all_texts(self, connection: Connection) -> bool:
        return bool(connection.execute(text("SHOW server_encoding")).scalar_one() in ("UTF8", "SQL_ASCII"))

    def _check_writable(self) -> None:
        try:
            with self._engine.begin() as connection:
                connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_MILLISECONDS}ms'"))
                connection.execute(WRITABLE)
        except SQLAlchemyError as error:
            if str(getattr(getattr(error, "orig", None), "sqlstate", "")) != LOCK_NOT_AVAILABLE:
                raise

    def _lock_snapshots(self, connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('uniscale_snapshots'))"))

    def _shut_out(self, connection: Connection) -> None:
        # Who writes feedback has looked the decision up before; and who waits for this lock has all others wait behind.
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_MILLISECONDS}ms'"))
        connection.execute(text(f"LOCK TABLE {events.name} IN ACCESS EXCLUSIVE MODE"))

    def _compact(self, connection: Any) -> None:
        bounded = connection.dbapi_connection
        usual, bounded.seconds = bounded.seconds, inf
        try:
            bounded.autocommit = True
            bounded.execute(f"VACUUM {events.name}")
            bounded.execute(f"VACUUM {snapshots.name}")
        finally:
            bounded.autocommit, bounded.seconds = False, usual

    @contextmanager
    def _unhurried(self, connection: Connection) -> Iterator[None]:
        bounded: Any = connection.connection.dbapi_connection
        usual, bounded.seconds = bounded.seconds, inf
        try:
            yield
        finally:
            bounded.seconds = usual
