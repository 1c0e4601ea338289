"""The append-only log in an SQL database: what was appended stays, in one order for all who read it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import (
    Connection,
    Engine,
    Integer,
    PoolProxiedConnection,
    Select,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    select,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as SQLAlchemyTimeoutError

from uniscale_integrations.errors import LogError, OutdatedLog, no_decision
from uniscale_integrations.log.connect import READING, is_in_memory, without_password
from uniscale_integrations.log.events import MAX_TIME, Event, Feedback, event_of, jsonable
from uniscale_integrations.log.ports import BEGINNING, Entry, Position, Retention, WriteResult
from uniscale_integrations.log.schema import (
    EPOCH,
    FIRST,
    PRUNED,
    calibrations,
    descriptions,
    events,
    is_of_before,
    is_readable,
    is_up_to_date,
    meta,
    noted,
    numbers_in,
    prepare,
    snapshots,
)
from uniscale_integrations.redaction import redacted_message
from uniscale_integrations.texts import first_line, utf8_safe

# The statements of every request. SQLAlchemy would take as long to say them as SQLite takes to carry them out.
INSERT = (
    "INSERT INTO uniscale_events (kind, decision_id, at, body, event_id, about) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (event_id) DO NOTHING"
)
DECIDED = "SELECT 1 FROM uniscale_events WHERE decision_id = ? AND kind = 'decision' LIMIT 1"
SAID = (
    "SELECT at, tx, seq, event_id, body FROM uniscale_events "
    f"WHERE at <= {MAX_TIME:.0f} AND decision_id = ? AND kind = 'feedback' AND about"
)
# By their own times: they may have waited for the log, and come in another order.
SAID_LAST = f"{SAID} = ? ORDER BY at DESC, tx DESC, seq DESC LIMIT 1"
SAID_BEFORE = f"{SAID} IS NULL"

# Made once, so that their SQL is too.
IN_ORDER = select(*(events.c[name] for name in ("tx", "seq", "kind", "decision_id", "at", "body", "event_id"))).order_by(
    events.c.tx, events.c.seq
)
OF_SEVERAL = IN_ORDER.where(events.c.decision_id.in_(bindparam("decision_ids", expanding=True)))
LIMIT = bindparam("limit", type_=Integer)

MAX_FOLLOWERS = 100
"""Places of which it is kept how many rows after them cannot be read."""

MAX_UNREADABLE = 1_000
"""Rows of which it is kept why they cannot be read."""

_log = logging.getLogger(__name__)
_as_json, _as_ascii = (
    json.JSONEncoder(ensure_ascii=ascii_alone, separators=(",", ":"), default=jsonable).encode for ascii_alone in (False, True)
)
Row = tuple[str, str, float, str, str | None, str | None]
"""An event as its columns: kind, decision, time, body, its id, and of feedback a hash of source and key."""


class SQLStore:
    """A log in a database that SQLAlchemy speaks to; what differs between databases is in its subclasses.

    Attributes:
        unreadable: rows that were passed over since this version cannot read them, with the reason; the first `MAX_UNREADABLE`.

    Args:
        engine: connects to the database.
        create: whether to make a log where there is none; otherwise that is an error.
        read_only: whether it is only read, so that nobody need be allowed to write it.

    Attributes:
        read_only: as given.

    Raises:
        LogError: it cannot be opened, or was written by a later version.
    """

    later: ClassVar[Select[Any]]
    """The statement of `since`, with the parameters of `_place` and `limit`."""

    def __init__(self, engine: Engine, *, create: bool = True, read_only: bool = False) -> None:
        self._engine, self.read_only = engine, read_only
        driver = engine.dialect.loaded_dbapi
        self._error: type[Exception] = driver.Error
        self._passing: type[Exception] = driver.OperationalError
        self._collision: type[Exception] = driver.IntegrityError
        self._beyond: dict[Position, Position] = {}
        self.unreadable: dict[Position, str] = {}
        mark = "?" if driver.paramstyle == "qmark" else "%s"
        self._insert, self._decided = INSERT.replace("?", mark), DECIDED.replace("?", mark)
        self._said = SAID_LAST.replace("?", mark), SAID_BEFORE.replace("?", mark)
        try:
            self._prepare(create=create)
        except LogError:
            engine.dispose()
            raise

    def _prepare(self, *, create: bool) -> None:
        with self._translate_errors("open"):
            with self._engine.connect() as connection:
                reader = connection.execution_options(**{READING: True})
                self._as_json = _as_json if self._takes_all_texts(reader) else _as_ascii
                if not create and not inspect(reader).has_table(meta.name):
                    raise LogError(f"there is no log at {self.name}")
                if self.read_only:
                    if not is_readable(reader):
                        raise OutdatedLog(f"{self.name} is of an earlier version, and has to be brought up to date to be read")
                    return
                finished = is_up_to_date(reader)
            if finished:
                self._check_writable()
                return
            with self._engine.begin() as connection, self._unhurried(connection) if is_of_before(connection) else nullcontext():
                prepare(connection)

    def _takes_all_texts(self, connection: Connection) -> bool:
        """Whether the database can hold characters of all scripts; otherwise they are written as JSON can say them in ASCII."""
        return True

    def _check_writable(self) -> None:
        """That this process may write the log; where somebody else is at it, that is not waited for."""
        raise NotImplementedError

    def append(self, *new: Event) -> WriteResult:
        """As of `EventStore`."""
        rows = [self._row(each) for each in new]
        with self._writing() as cursor:
            return self._write(cursor, new, rows)

    def write(self, *new: Event) -> WriteResult:
        """As of `EventStore`."""
        return self._judiciously(new) if any(isinstance(each, Feedback) for each in new) else self.append(*new)

    def add_feedback(self, *feedback: Feedback) -> WriteResult:
        """As of `EventStore`."""
        return self._judiciously(feedback, strict=True)

    def give_feedback(self, feedback: Feedback) -> bool:
        """Write feedback, unless the same was said before; returns whether it said anything new.

        Raises:
            UnknownDecisionError: no such decision.
            LogError: nothing of it was written.
        """
        return self.add_feedback(feedback).count > 0

    def _row(self, new: Event) -> Row:
        about = _about(new) if isinstance(new, Feedback) else None
        return new.kind, new.decision_id, new.at, utf8_safe(self._as_json(new.body())), new.event_id or None, about

    def _judiciously(self, events: Sequence[Event], *, strict: bool = False) -> WriteResult:
        """Write events in their order, feedback only where it says something new of a decision that is there."""
        rows = [self._row(each) for each in events]
        new, without_decision = [True] * len(events), list[int]()
        with self._writing() as cursor:
            parts, waiting = list[WriteResult](), list[int]()

            def flush() -> None:
                if waiting:
                    parts.append(self._write(cursor, [events[place] for place in waiting], [rows[place] for place in waiting]))
                    waiting.clear()

            for place, event in enumerate(events):
                if isinstance(event, Feedback):
                    # What stands before it in the batch counts as said already.
                    flush()
                    says = self._says_something(cursor, event)
                    if says is None:
                        without_decision.append(place)
                        if strict:
                            raise no_decision(event.decision_id, self.name)
                    new[place] = bool(says)
                if new[place]:
                    waiting.append(place)
            flush()
        entries = tuple(entry for part in parts for entry in part.entries)
        after = next((part.after for part in parts if part.entries), None)
        return WriteResult(tuple(new), entries, after, tuple(without_decision))

    def _says_something(self, cursor: Any, feedback: Feedback) -> bool | None:
        """Whether feedback is not what was said last already; `None` where there is no such decision."""
        decision, about = feedback.decision_id, _about(feedback)
        cursor.execute(self._decided, (decision,))
        if cursor.fetchone() is None:
            return None
        # Rows of earlier versions do not tell what they are about but in their bodies.
        rows = []
        for statement, values in zip(self._said, ((decision, about), (decision,)), strict=True):
            cursor.execute(statement, values)
            rows += cursor.fetchall()
        for *_, event_id, body in sorted(rows, key=lambda row: tuple(row[:3]), reverse=True):
            try:
                said = event_of(Feedback.kind, decision, body, 0.0)
            except LogError:
                # Of another version, or damaged: what it said is not known.
                continue
            if isinstance(said, Feedback) and _about(said) == about:
                # What is written again since nobody knows whether it has arrived was new when it did.
                return event_id == feedback.event_id or (said.correct, said.comment) != (feedback.correct, feedback.comment)
        return True

    def since(self, position: Position = BEGINNING, limit: int = 1_000) -> list[Entry]:
        """As of `EventStore`."""
        with self._reading() as connection:
            # Rows that cannot be read, after which others may come, are read once.
            place = self._beyond.get(position, position)
            while True:
                rows = connection.execute(self.later, {**self._place(place), "limit": limit}).all()
                entries = self._entries(rows)
                if entries or not rows:
                    return entries
                place = Position(rows[-1].tx, rows[-1].seq)
                self._beyond = {**dict(list(self._beyond.items())[-MAX_FOLLOWERS:]), position: place}

    def of_decisions(self, decision_ids: Iterable[str]) -> list[Entry]:
        """All events of these decisions, in the log's order."""
        ids = list(dict.fromkeys(decision_ids))
        entries: list[Entry] = []
        with self._reading() as connection:
            for start in range(0, len(ids), 500):
                entries += self._entries(connection.execute(OF_SEVERAL, {"decision_ids": ids[start : start + 500]}).all())
        return sorted(entries, key=lambda entry: entry.position)

    def _entries(self, rows: Sequence[Any]) -> list[Entry]:
        """The events of rows, without those that this version cannot read, which are told of once."""
        entries = []
        for tx, seq, kind, decision_id, at, body, event_id in rows:
            try:
                entries.append(Entry(Position(tx, seq), event_of(kind, decision_id, body, at, event_id)))
            except LogError as error:
                if not self.unreadable:
                    _log.warning("%s: %s; it is passed over, and so are others like it", self.name, error)
                if len(self.unreadable) < MAX_UNREADABLE:
                    self.unreadable.setdefault(Position(tx, seq), str(error))
        return entries

    def save_snapshot(self, fold: str, position: Position, state: bytes) -> None:
        """Keep the state of a fold up to a position, in the place of an earlier one; a later one stays.

        Args:
            fold: what tells this fold from others on the log.
            position: up to where the log was folded.
            state: as `load_snapshot` shall give it.
        """
        with self._translate_errors("write to"), self._engine.begin() as connection:
            self._lock_snapshots(connection)
            row = connection.execute(select(snapshots.c.tx, snapshots.c.seq).where(snapshots.c.fold == fold)).first()
            if row is not None:
                if Position(*row) >= position:
                    return
                connection.execute(delete(snapshots).where(snapshots.c.fold == fold))
            values = {"fold": fold, "tx": position.tx, "seq": position.seq, "at": time.time(), "state": state}
            connection.execute(insert(snapshots).values(values))

    def load_snapshot(self, fold: str) -> tuple[Position, bytes] | None:
        """The last snapshot of a fold, if there is one."""
        with self._reading() as connection:
            query = select(snapshots.c.tx, snapshots.c.seq, snapshots.c.state).where(snapshots.c.fold == fold)
            row = connection.execute(query).first()
        return None if row is None else (Position(row.tx, row.seq), row.state)

    def snapshots_of(self, prefix: str) -> list[tuple[str, Position]]:
        """As of `EventStore`."""
        with self._reading() as connection:
            query = select(snapshots.c.fold, snapshots.c.tx, snapshots.c.seq).where(
                snapshots.c.fold.startswith(prefix, autoescape=True)
            )
            rows = connection.execute(query).all()
        return sorted(((row.fold, Position(row.tx, row.seq)) for row in rows), key=lambda each: each[1], reverse=True)

    def snapshot_times(self) -> list[tuple[str, Position, float]]:
        """Names of all folds with snapshots, with the place of each and the Unix time at which it was taken."""
        with self._reading() as connection:
            rows = connection.execute(select(snapshots.c.fold, snapshots.c.tx, snapshots.c.seq, snapshots.c.at)).all()
        return [(row.fold, Position(row.tx, row.seq), row.at) for row in rows]

    def forget_snapshots(self, fold: str | None = None) -> int:
        """As of `EventStore`."""
        which = delete(snapshots) if fold is None else delete(snapshots).where(snapshots.c.fold == fold)
        with self._translate_errors("write to"), self._engine.begin() as connection:
            return connection.execute(which).rowcount

    def last_feedback(self, limit: int) -> list[str]:
        """Ids of the decisions that the last pieces of feedback are about, the last first."""
        query = select(events.c.decision_id).where(events.c.kind == Feedback.kind)
        with self._reading() as connection:
            ids = connection.execute(query.order_by(events.c.tx.desc(), events.c.seq.desc()).limit(limit)).scalars()
            return list(dict.fromkeys(ids))

    def save_description(self, key: str, body: Mapping[str, Any]) -> None:
        """As of `EventStore`."""
        if self.load_description(key) is not None:
            return
        try:
            with self._translate_errors("write to"), self._engine.begin() as connection:
                connection.execute(insert(descriptions).values(key=key, at=time.time(), body=json.dumps(body)))
        except LogError as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise

    def load_description(self, key: str) -> dict[str, Any] | None:
        """As of `EventStore`."""
        with self._reading() as connection:
            body = connection.execute(select(descriptions.c.body).where(descriptions.c.key == key)).scalar_one_or_none()
        return None if body is None else self._object(body, f"what {key!r:.80} stands for")

    def descriptions_of(self, prefix: str) -> list[tuple[str, dict[str, Any]]]:
        """As of `EventStore`."""
        query = select(descriptions.c.key, descriptions.c.body).where(descriptions.c.key.startswith(prefix, autoescape=True))
        with self._reading() as connection:
            rows = connection.execute(query.order_by(descriptions.c.at, descriptions.c.key)).all()
        found = [(row.key, self._object(row.body, f"what {row.key!r:.80} stands for")) for row in rows]
        return [(key, body) for key, body in found if body is not None]

    def save_calibration(self, verifier: str, version: int, body: Mapping[str, Any]) -> bool:
        """Keep a version of a verifier's calibration; returns whether there was none of that number."""
        values = {"verifier": verifier, "version": version, "at": time.time(), "body": json.dumps(body)}
        try:
            with self._translate_errors("write to"), self._engine.begin() as connection:
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
            row = connection.execute(query.order_by(calibrations.c.version.desc()).limit(1)).first()
        if row is None:
            return None
        # Also of one that says nothing the number is taken.
        return row.version, self._calibration(verifier, row.version, row.body) or {}

    def calibrations(self) -> list[tuple[str, int, dict[str, Any]]]:
        """As of `EventStore`."""
        query = select(calibrations.c.verifier, calibrations.c.version, calibrations.c.body)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(calibrations.c.verifier, calibrations.c.version)).all()
        found = [(row.verifier, row.version, self._calibration(row.verifier, row.version, row.body)) for row in rows]
        return [(verifier, version, body) for verifier, version, body in found if body is not None]

    def _calibration(self, verifier: str, version: int, body: str) -> dict[str, Any] | None:
        return self._object(body, f"version {version} of the calibration of {verifier!r:.80}")

    def _object(self, text: str, what: str) -> dict[str, Any] | None:
        """A stored JSON object; `None` where it cannot be read, which is told of."""
        try:
            found = json.loads(text)
            if isinstance(found, dict):
                return found
            problem = f"it is no object, but {found!r:.60}"
        except (ValueError, TypeError, RecursionError) as error:
            problem = str(error)
        _log.warning("%s: %s cannot be read, and counts as unknown: %s", self.name, what, problem)
        return None

    def everything(self) -> Iterator[Entry]:
        """All events that are there for good, in the log's order, a part at a time."""
        position = BEGINNING
        while entries := self.since(position):
            yield from entries
            position = entries[-1].position

    def known_ids(self, event_ids: Iterable[str]) -> set[str]:
        """Those of some events' ids that are there."""
        with self._reading() as connection:
            return set(connection.execute(select(events.c.event_id).where(events.c.event_id.in_(list(event_ids)))).scalars())

    def count_up_to(self, position: Position) -> int:
        """How many events there are up to a place."""
        later = self.later.limit(None).subquery()
        with self._reading() as connection:
            beyond = connection.execute(select(func.count()).select_from(later), self._place(position)).scalar_one()
            return connection.execute(select(func.count()).select_from(events)).scalar_one() - beyond

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
        file = self.file
        if file is not None and target.resolve() == file.resolve():
            raise LogError(f"{target} is the log itself; give another file to write")

    @property
    def complete(self) -> bool:
        """As of `EventStore`: rows are numbered from 1, or from what is left where earlier ones went with what they had taught."""
        with self._reading() as connection:
            first = connection.execute(select(func.min(events.c.seq))).scalar_one_or_none()
            marks = noted(connection, FIRST, PRUNED)
        return PRUNED not in marks and (first is None or (first,) == numbers_in(FIRST, marks.get(FIRST, "1")))

    @property
    def retention(self) -> Retention:
        """As of `EventStore`."""
        with self._reading() as connection:
            marks = noted(connection, EPOCH, PRUNED)
        pruned = Position(*numbers_in(PRUNED, marks[PRUNED], 2)) if PRUNED in marks else BEGINNING
        [epoch] = numbers_in(EPOCH, marks.get(EPOCH, "0"))
        return Retention(epoch, pruned)

    def ends_before(self, position: Position) -> bool:
        """As of `EventStore`."""
        with self._reading() as connection:
            last = connection.execute(select(func.max(events.c.seq))).scalar_one_or_none()
        return last is not None and last < position.seq

    @property
    def in_memory(self) -> bool:
        """Whether it is nowhere but in this process, so that nothing written to it waits for a disk."""
        return is_in_memory(self._engine.url)

    @property
    def url(self) -> str:
        """The address, with its password."""
        return self._engine.url.render_as_string(hide_password=False)

    @property
    def name(self) -> str:
        """The address without its password."""
        return without_password(self._engine.url.render_as_string(hide_password=True))

    @property
    def identity(self) -> str:
        """What tells it from every other log, without a password: an address in full, which may not be shown."""
        return self._engine.url.set(password=None).render_as_string(hide_password=False)

    @property
    def file(self) -> Path | None:
        """Where the log is one file, that."""
        return None

    @property
    def dialect(self) -> str:
        """What the database is, "sqlite" or "postgresql"."""
        return self._engine.dialect.name

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self._reading() as connection:
            yield connection

    @contextmanager
    def session(self) -> Iterator[Connection]:
        """A connection of its own without a transaction, which is closed in the end, and with it all that it holds."""
        with self._translate_errors("lock"), self._engine.connect() as connection:
            try:
                yield connection.execution_options(isolation_level="AUTOCOMMIT")
            finally:
                connection.invalidate()

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """A transaction that nobody else writes, or looks up what to write, beside.

        Raises:
            LogError: passing, where somebody is at it for longer than others may be held up.
        """
        self._check_presence()
        with self._translate_errors("write to"), self._engine.begin() as connection:
            self._shut_out(connection)
            yield connection

    def compact(self) -> None:
        """Rewrite the database without what was deleted.

        Raises:
            LogError: it cannot be, for now or for want of room.
        """
        with self._translate_errors("rewrite"), closing(self._engine.raw_connection()) as connection:
            self._compact(connection)

    def _place(self, position: Position) -> dict[str, int]:
        """The parameters of `later`."""
        raise NotImplementedError

    def _write(self, cursor: Any, new: Sequence[Event], rows: Sequence[Row]) -> WriteResult:
        """Write events in the transaction of a cursor."""
        raise NotImplementedError

    def _may_pass(self, cause: BaseException) -> bool:
        """Whether the same may be written another time; otherwise it is what was to be written that is at fault."""
        return isinstance(cause, (self._passing, SQLAlchemyTimeoutError))

    def _check_presence(self) -> None:
        """That the log is still where it was, so that what is written to it can be found again.

        Raises:
            LogError: it is not; what is written next begins another one.
        """

    def _begin(self, cursor: Any) -> None:
        """What a transaction that writes begins with."""

    @contextmanager
    def _unhurried(self, connection: Connection) -> Iterator[None]:
        """Let statements of a connection take as long as they must."""
        yield

    def _shut_out(self, connection: Connection) -> None:
        """Have nobody read or write the events until a transaction ends, where that is not so by itself."""

    def _compact(self, connection: Any) -> None:
        """The same on a connection of the pool."""
        raise NotImplementedError

    def _lock_snapshots(self, connection: Connection) -> None:
        """Have one writer of snapshots at a time."""

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        """A cursor of the driver, in a transaction that is committed where the block ends without an error."""
        self._check_presence()
        with self._translate_errors("write to"), self._borrowed() as connection, closing(connection.cursor()) as cursor:
            self._begin(cursor)
            try:
                yield cursor
            except BaseException:
                self._roll_back(connection)
                raise
            try:
                connection.commit()
            except self._error:
                self._roll_back(connection)
                raise
        self._check_presence()

    def _roll_back(self, connection: PoolProxiedConnection) -> None:
        """Leave a connection as it was, or none where it is broken, which is of no more use to anybody."""
        try:
            connection.rollback()
        except self._error:
            connection.invalidate()

    @contextmanager
    def _borrowed(self) -> Iterator[PoolProxiedConnection]:
        pool = self._engine.pool
        with closing(self._engine.raw_connection()) as connection:
            try:
                yield connection
            finally:
                if self._engine.pool is not pool and connection.is_valid:
                    # The log has been closed meanwhile, so that nobody would close this one.
                    connection.invalidate()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        self._check_presence()
        pool = self._engine.pool
        with self._translate_errors("read"), self._engine.connect() as connection:
            try:
                yield connection.execution_options(**{READING: True})
            finally:
                if self._engine.pool is not pool and not connection.invalidated:
                    # As above.
                    connection.invalidate()

    @contextmanager
    def _translate_errors(self, what: str) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, UnicodeError, OverflowError, self._error) as error:
            cause = getattr(error, "orig", None) or error
            told = redacted_message(first_line(cause), [str(self._engine.url.password or "")])
            failure = LogError(f"cannot {what} the log {self.name}: {told}")
            failure.passing = self._may_pass(cause)
            raise failure from error


def _about(feedback: Feedback) -> str:
    """What tells a source's judgements of one thing from those of others and of other things."""
    return blake2b(f"{feedback.source}\0{feedback.key}".encode(errors="surrogatepass"), digest_size=12).hexdigest()
