"""The log in PostgreSQL, for workers on several hosts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from math import inf
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, text
from sqlalchemy.exc import SQLAlchemyError

from uniscale_integrations.errors import LogError
from uniscale_integrations.log.events import Event
from uniscale_integrations.log.ports import Position, WriteResult
from uniscale_integrations.log.schema import RENUMBER, WRITABLE, events, snapshots
from uniscale_integrations.log.sql import IN_ORDER, INSERT, LIMIT, Row, SQLStore

LOCK_MILLISECONDS = 20
"""How long who takes events out waits for those who are at it; all others wait behind."""


LOCK_NOT_AVAILABLE = "55P03"
"""What the server says where a lock is held for longer than is waited for."""

MAX_ROWS = 1_000
"""Of one statement, which may have 65,535 parameters."""


class PostgresStore(SQLStore):
    """A log in PostgreSQL, which has one writer at a time: rows become visible in their order, see `schema.ONE_WRITER`."""

    _renumbers = False

    later = IN_ORDER.where(
        or_(events.c.tx > bindparam("tx"), and_(events.c.tx == bindparam("tx"), events.c.seq > bindparam("seq")))
    ).limit(LIMIT)

    def _place(self, position: Position) -> dict[str, int]:
        return {"tx": position.tx, "seq": position.seq}

    def _write(self, cursor: Any, new: Sequence[Event], rows: Sequence[Row]) -> WriteResult:
        # Not as many statements in a pipeline, after which the server forgets that the transaction may be idle for so long only.
        for start in range(0, len(rows), MAX_ROWS):
            part = rows[start : start + MAX_ROWS]
            cursor.execute(_insert_of(len(part)), [value for row in part for value in row])
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
        bounded, warnings = connection.dbapi_connection, list[str]()

        def listen(diagnostic: Any) -> None:
            if diagnostic.severity_nonlocalized == "WARNING":
                warnings.append(str(diagnostic.message_primary))

        usual, bounded.seconds = bounded.seconds, inf
        bounded.add_notice_handler(listen)
        try:
            bounded.autocommit = True
            bounded.execute(f"VACUUM {events.name}")
            bounded.execute(f"VACUUM {snapshots.name}")
        finally:
            bounded.remove_notice_handler(listen)
            bounded.autocommit, bounded.seconds = False, usual
        if warnings:
            # Only the owner of a table may, and for others the server does nothing, without an error.
            raise LogError(
                f"{self.name} was not rewritten without what was deleted ({warnings[0]}); do it as the owner of its tables"
            )

    @contextmanager
    def _unhurried(self, connection: Connection) -> Iterator[None]:
        bounded: Any = connection.connection.dbapi_connection
        usual, bounded.seconds = bounded.seconds, inf
        try:
            yield
        finally:
            bounded.seconds = usual


@cache
def _insert_of(count: int) -> bytes:
    """The statement that writes so many rows."""
    return INSERT.format(", ".join(["(%s, %s, %s, %s, %s, %s)"] * count)).encode()
