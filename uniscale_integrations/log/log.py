"""The append-only log in SQLite or PostgreSQL: what was appended stays, in one order for all who read it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Integer,
    Select,
    and_,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    insert,
    inspect,
    make_url,
    or_,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from uniscale_integrations.errors import LogError, MissingExtraError, UnknownDecisionError
from uniscale_integrations.log.events import Decision, Event, Feedback, event_of
from uniscale_integrations.log.schema import events, meta, prepare, snapshots

BUSY_MILLISECONDS = 30_000
"""How long a SQLite writer waits for another one."""

READING = "uniscale_reading"

# Made once, so that their SQL is too.
INSERT = insert(events)
ORDERED = select(*(events.c[name] for name in ("tx", "seq", "kind", "decision_id", "at", "body"))).order_by(events.c.tx, events.c.seq)
OF_ONE = ORDERED.where(events.c.decision_id == bindparam("decision_id"))
OF_SEVERAL = ORDERED.where(events.c.decision_id.in_(bindparam("decision_ids", expanding=True)))
LATER = ORDERED.where(
    or_(events.c.tx > bindparam("tx"), and_(events.c.tx == bindparam("tx"), events.c.seq > bindparam("seq")))
).limit(bindparam("most", type_=Integer))
SETTLED = LATER.where(events.c.tx < text("pg_snapshot_xmin(pg_current_snapshot())::text::bigint"))


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the log's order."""

    tx: int = -1
    seq: int = -1


BEGINNING = Position()


@dataclass(frozen=True, slots=True)
class Entry:
    """An event and where it stands."""

    position: Position
    event: Event


class Log:
    """The log behind an address.

    Args:
        url: as SQLAlchemy has it, "sqlite:///uniscale.db" or "postgresql://user@host/database"; "sqlite://" is in memory.
        create: whether to make one where there is none; otherwise that is an error.

    Raises:
        LogError: it cannot be opened, or was written by a later version.
        MissingExtraError: the driver is not installed.

    Example:
        >>> from uniscale_integrations.log.events import Decision, Feedback
        >>> from uniscale_integrations.space import Configuration
        >>> log = Log("sqlite://")
        >>> _ = log.append(Decision("d1", Configuration("small"), (1.0,), "lexical", (0.4, 0.3, 0.3)))
        >>> log.give_feedback(Feedback("d1", 1.0, source="exact-match"))
        True
        >>> [entry.event.kind for entry in log.since()]
        ['decision', 'feedback']
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        self.url = url
        self._engine = _engine(url)
        self._postgres = self._engine.dialect.name == "postgresql"
        try:
            with self._told("open"), self._engine.begin() as connection:
                if not create and not inspect(connection).has_table(meta.name):
                    raise LogError(f"there is no log at {self.name}")
                prepare(connection)
        except LogError:
            self._engine.dispose()
            raise

    def append(self, *new: Event) -> list[Entry]:
        """Write events in one transaction; when this returns they are there to stay.

        Returns:
            the events with their places, where those are known: on SQLite, which has one writer at a time.

        Raises:
            LogError: nothing of it was written.
        """
        with self._told("write to"), self._engine.begin() as connection:
            connection.execute(INSERT, [_row(each) for each in new])
            return self._placed(connection, new)

    def give_feedback(self, feedback: Feedback) -> bool:
        """Write feedback, unless the same was said before; returns whether it said anything new.

        Raises:
            UnknownDecisionError: no such decision.
            LogError: nothing of it was written.
        """
        return self.add_feedback(feedback) is not None

    def add_feedback(self, feedback: Feedback) -> list[Entry] | None:
        """Write feedback, unless the same was said before.

        Returns:
            as `append`, or `None` where it said nothing new.

        Raises:
            UnknownDecisionError: no such decision.
            LogError: nothing of it was written.
        """
        with self._told("write to"), self._engine.begin() as connection:
            known = _entries(connection, OF_ONE, {"decision_id": feedback.decision_id})
            if not any(isinstance(entry.event, Decision) for entry in known):
                raise UnknownDecisionError(
                    f"the log has no decision {feedback.decision_id!r}; give the id of a decision that was logged to {self.name}"
                )
            said = [entry.event for entry in known if isinstance(entry.event, Feedback)]
            mine = [each for each in said if (each.source, each.key) == (feedback.source, feedback.key)]
            if mine and (mine[-1].correct, mine[-1].comment) == (feedback.correct, feedback.comment):
                return None
            connection.execute(INSERT, [_row(feedback)])
            return self._placed(connection, [feedback])

    def since(self, position: Position = BEGINNING, most: int = 10_000) -> list[Entry]:
        """The events after a position that are there for good, in the log's order.

        On PostgreSQL those are of transactions before the oldest that still runs: one that is older may yet add events in front of
        younger ones. Another transaction that is left open on the server holds them up, and loses none.
        """
        query = SETTLED if self._postgres else LATER
        with self._reading() as connection:
            return _entries(connection, query, {"tx": position.tx, "seq": position.seq, "most": most})

    def of_decisions(self, decision_ids: Iterable[str]) -> list[Entry]:
        """All events of these decisions, in the log's order."""
        wanted = list(dict.fromkeys(decision_ids))
        found: list[Entry] = []
        with self._reading() as connection:
            for start in range(0, len(wanted), 500):
                found += _entries(connection, OF_SEVERAL, {"decision_ids": wanted[start : start + 500]})
        return sorted(found, key=lambda entry: entry.position)

    def save_snapshot(self, fold: str, position: Position, state: bytes) -> None:
        """Keep the state of a fold up to a position, in the place of an earlier one; a later one stays.

        Args:
            fold: what tells this fold from others on the log.
            position: up to where the log was folded.
            state: as `load_snapshot` shall give it.
        """
        with self._told("write to"), self._engine.begin() as connection:
            if self._postgres:
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('uniscale_snapshots'))"))
            found = connection.execute(select(snapshots.c.tx, snapshots.c.seq).where(snapshots.c.fold == fold)).first()
            if found is not None:
                if Position(*found) >= position:
                    return
                connection.execute(delete(snapshots).where(snapshots.c.fold == fold))
            values = {"fold": fold, "tx": position.tx, "seq": position.seq, "at": time.time(), "state": state}
            connection.execute(insert(snapshots).values(values))

    def load_snapshot(self, fold: str) -> tuple[Position, bytes] | None:
        """The last snapshot of a fold, if there is one."""
        with self._reading() as connection:
            query = select(snapshots.c.tx, snapshots.c.seq, snapshots.c.state).where(snapshots.c.fold == fold)
            found = connection.execute(query).first()
        return None if found is None else (Position(found.tx, found.seq), found.state)

    def forget_snapshots(self) -> int:
        """Drop all snapshots, so that states are folded from the log again; returns how many there were."""
        with self._told("write to"), self._engine.begin() as connection:
            return connection.execute(delete(snapshots)).rowcount

    def everything(self) -> Iterator[Entry]:
        """All events that are there for good, in the log's order, a part at a time."""
        position = BEGINNING
        while entries := self.since(position):
            yield from entries
            position = entries[-1].position

    def counts(self) -> dict[str, int]:
        """How many events there are, by kind."""
        with self._reading() as connection:
            rows = connection.execute(select(events.c.kind, func.count().label("number")).group_by(events.c.kind).order_by(events.c.kind))
            return {row.kind: row.number for row in rows}

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @property
    def name(self) -> str:
        """The address without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    def _placed(self, connection: Connection, new: Sequence[Event]) -> list[Entry]:
        """The events just written, with their places; within the transaction that wrote them."""
        if self._postgres:
            return []
        last = connection.exec_driver_sql("SELECT last_insert_rowid()").scalar_one()
        first = last - len(new) + 1
        return [Entry(Position(0, first + place), event) for place, event in enumerate(new)]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._told("read"), self._engine.connect() as connection:
            yield connection.execution_options(**{READING: True})

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise LogError(f"cannot {what} the log {self.name}: {str(cause).strip().splitlines()[0]}") from error


def _engine(url: str) -> Engine:
    try:
        address = make_url(url)
        if address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg")
        if address.get_backend_name() not in ("sqlite", "postgresql"):
            raise LogError(f"a log is kept in SQLite or PostgreSQL, got {url!r}; give sqlite:///file.db or postgresql://...")
        if address.get_backend_name() == "postgresql":
            return create_engine(address, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError) as error:
        raise LogError(f"{url!r} is no address of a log ({error}); give sqlite:///file.db or postgresql://user@host/database") from error
    except ModuleNotFoundError as error:
        raise MissingExtraError("a log in PostgreSQL", "postgres") from error
    in_memory = address.database in (None, "", ":memory:")
    # In memory there is a database for each connection, so all share one.
    pool: dict[str, Any] = {"pool_size": 1, "max_overflow": 0} if in_memory else {}
    engine = create_engine(address, poolclass=QueuePool, connect_args={"check_same_thread": False}, **pool)
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: Any, record: object) -> None:
    # The driver would begin transactions by itself, and without taking the write lock; `_begin` does it.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    # What was acknowledged survives a power cut, not only a crash of this process.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A writer that only took the lock at its first write could find that another one had written since it began to read.
    connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(READING) else "BEGIN IMMEDIATE")


def _row(new: Event) -> dict[str, Any]:
    body = json.dumps(new.body(), ensure_ascii=False, separators=(",", ":"))
    return {"kind": new.kind, "decision_id": new.decision_id, "at": new.at, "body": body}


def _entries(connection: Connection, query: Select[Any], values: dict[str, Any]) -> list[Entry]:
    return [
        Entry(Position(tx, seq), event_of(kind, decision_id, json.loads(body), at))
        for tx, seq, kind, decision_id, at, body in connection.execute(query, values)
    ]
