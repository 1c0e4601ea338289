"""The append-only log in SQLite or PostgreSQL: what was appended stays, in one order for all who read it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Integer, Select, and_, bindparam, delete, func, insert, inspect, or_, select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from uniscale_integrations.errors import LogError, UnknownDecisionError
from uniscale_integrations.log.connect import READING, connected, is_in_memory
from uniscale_integrations.log.events import Decision, Event, Feedback, event_of
from uniscale_integrations.log.schema import calibrations, events, meta, prepare, snapshots
from uniscale_integrations.texts import sayable

# The statements of every request. SQLAlchemy would take as long to say them as SQLite takes to carry them out.
INSERT = "INSERT INTO uniscale_events (kind, decision_id, at, body) VALUES (?, ?, ?, ?)"
KNOWN = "SELECT kind, body FROM uniscale_events WHERE decision_id = ? AND kind <> 'outcome' ORDER BY tx, seq"

# Made once, so that their SQL is too.
ORDERED = select(*(events.c[name] for name in ("tx", "seq", "kind", "decision_id", "at", "body"))).order_by(
    events.c.tx, events.c.seq
)
OF_SEVERAL = ORDERED.where(events.c.decision_id.in_(bindparam("decision_ids", expanding=True)))
MOST = bindparam("most", type_=Integer)
LATER = ORDERED.where(events.c.seq > bindparam("seq")).order_by(None).order_by(events.c.seq).limit(MOST)
SETTLED = ORDERED.where(
    or_(events.c.tx > bindparam("tx"), and_(events.c.tx == bindparam("tx"), events.c.seq > bindparam("seq"))),
    events.c.tx < text("pg_snapshot_xmin(pg_current_snapshot())::text::bigint"),
).limit(MOST)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the log's order."""

    tx: int = -1
    seq: int = -1


BEGINNING = Position()

Row = tuple[str, str, float, str]
"""An event as its columns: kind, decision, time and body."""


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
        self._engine = connected(url, create)
        self._postgres = self._engine.dialect.name == "postgresql"
        driver = self._engine.dialect.loaded_dbapi
        self._error: type[Exception] = driver.Error
        mark = "?" if driver.paramstyle == "qmark" else "%s"
        self._insert, self._known = INSERT.replace("?", mark), KNOWN.replace("?", mark)
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
        rows = [_row(each) for each in new]
        with self._writing() as cursor:
            return self._written(cursor, new, rows)

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
        row = _row(feedback)
        with self._writing() as cursor:
            cursor.execute(self._known, (feedback.decision_id,))
            known = [(kind, body) for kind, body in cursor.fetchall()]
            if not any(kind == Decision.kind for kind, _ in known):
                raise UnknownDecisionError(
                    f"the log has no decision {feedback.decision_id!r}; give the id of a decision that was logged to {self.name}"
                )
            said = [Feedback.of(feedback.decision_id, json.loads(body), 0.0) for kind, body in known if kind == Feedback.kind]
            mine = [each for each in said if (each.source, each.key) == (feedback.source, feedback.key)]
            if mine and (mine[-1].correct, mine[-1].comment) == (feedback.correct, feedback.comment):
                return None
            return self._written(cursor, [feedback], [row])

    def since(self, position: Position = BEGINNING, most: int = 10_000) -> list[Entry]:
        """The events after a position that are there for good, in the log's order.

        On PostgreSQL those are of transactions before the oldest that still runs: one that is older may yet add events in front of
        younger ones. Another transaction that is left open on the server holds them up, and loses none.
        """
        query = SETTLED if self._postgres else LATER
        with self._reading() as connection:
            place = {"tx": position.tx, "seq": position.seq} if self._postgres else {"seq": position.seq}
            return _entries(connection, query, {**place, "most": most})

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

    def last_judged(self, most: int) -> list[str]:
        """Ids of the decisions that the last pieces of feedback are about, the last first."""
        query = select(events.c.decision_id).where(events.c.kind == Feedback.kind)
        with self._reading() as connection:
            found = connection.execute(query.order_by(events.c.tx.desc(), events.c.seq.desc()).limit(most)).scalars()
            return list(dict.fromkeys(found))

    def save_calibration(self, verifier: str, version: int, body: Mapping[str, Any]) -> bool:
        """Keep a version of a verifier's calibration; returns whether there was none of that number."""
        values = {"verifier": verifier, "version": version, "at": time.time(), "body": json.dumps(body)}
        try:
            with self._told("write to"), self._engine.begin() as connection:
                connection.execute(insert(calibrations).values(values))
        except LogError as error:
            if isinstance(error.__cause__, IntegrityError):
                return False
            raise
        return True

    def load_calibration(self, verifier: str) -> tuple[int, dict[str, Any]] | None:
        """Number and body of the last version of a verifier's calibration, if there is one."""
        with self._reading() as connection:
            query = select(calibrations.c.version, calibrations.c.body).where(calibrations.c.verifier == verifier)
            found = connection.execute(query.order_by(calibrations.c.version.desc()).limit(1)).first()
        return None if found is None else (found.version, json.loads(found.body))

    def everything(self) -> Iterator[Entry]:
        """All events that are there for good, in the log's order, a part at a time."""
        position = BEGINNING
        while entries := self.since(position):
            yield from entries
            position = entries[-1].position

    def counts(self) -> dict[str, int]:
        """How many events there are, by kind."""
        with self._reading() as connection:
            rows = connection.execute(
                select(events.c.kind, func.count().label("number")).group_by(events.c.kind).order_by(events.c.kind)
            )
            return {row.kind: row.number for row in rows}

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def spare(self, target: Path) -> None:
        """Nothing may be written over the log's own file.

        Raises:
            LogError: the target is that.
        """
        database = self._engine.url.database
        if not self._postgres and database and target.resolve() == Path(database).resolve():
            raise LogError(f"{target} is the log itself; give another file to write")

    @property
    def in_memory(self) -> bool:
        """Whether it is nowhere but in this process, so that nothing written to it waits for a disk."""
        return is_in_memory(self._engine.url)

    @property
    def name(self) -> str:
        """The address without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    def _written(self, cursor: Any, new: Sequence[Event], rows: Sequence[Row]) -> list[Entry]:
        """Write events; on SQLite returns them with their places."""
        if self._postgres:
            cursor.executemany(self._insert, rows)
            return []
        placed = []
        for each, row in zip(new, rows, strict=True):
            cursor.execute(self._insert, row)
            placed.append(Entry(Position(0, cursor.lastrowid), each))
        return placed

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        """A cursor of the driver, in a transaction that is committed where the block ends without an error."""
        with self._told("write to"), closing(self._engine.raw_connection()) as connection:
            cursor = connection.cursor()
            if not self._postgres:
                cursor.execute("BEGIN IMMEDIATE")
            try:
                yield cursor
            except BaseException:
                connection.rollback()
                raise
            connection.commit()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._told("read"), self._engine.connect() as connection:
            yield connection.execution_options(**{READING: True})

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, UnicodeError, self._error) as error:
            cause = getattr(error, "orig", None) or error
            raise LogError(f"cannot {what} the log {self.name}: {str(cause).strip().splitlines()[0]}") from error


def _row(new: Event) -> Row:
    return new.kind, new.decision_id, new.at, sayable(json.dumps(new.body(), ensure_ascii=False, separators=(",", ":")))


def _entries(connection: Connection, query: Select[Any], values: dict[str, Any]) -> list[Entry]:
    return [
        Entry(Position(tx, seq), event_of(kind, decision_id, body, at))
        for tx, seq, kind, decision_id, at, body in connection.execute(query, values)
    ]
