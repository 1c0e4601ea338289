"""The append-only log in an SQL database: what was appended stays, in one order for all who read it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from hashlib import blake2b
from typing import Any, ClassVar

from sqlalchemy import Connection, Engine, Integer, Select, bindparam, func, inspect, select

from uniscale_integrations.errors import LogError, OutdatedLog, no_decision
from uniscale_integrations.log.connect import READING
from uniscale_integrations.log.events import MAX_TIME, Event, Feedback, event_of, jsonable
from uniscale_integrations.log.ports import BEGINNING, Entry, Position, Retention, WriteResult
from uniscale_integrations.log.records import LogRecords
from uniscale_integrations.log.schema import (
    EPOCH,
    FIRST,
    PRUNED,
    events,
    is_of_before,
    is_readable,
    is_up_to_date,
    meta,
    noted,
    numbers_in,
    prepare,
)
from uniscale_integrations.texts import utf8_safe

# The statements of every request. SQLAlchemy would take as long to say them as SQLite takes to carry them out.
INSERT = "INSERT INTO uniscale_events (kind, decision_id, at, body, event_id, about) VALUES {} ON CONFLICT (event_id) DO NOTHING"
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
ENDS = select(func.min(events.c.seq), func.max(events.c.seq))
AT = select(events.c.event_id).where(events.c.tx == bindparam("tx"), events.c.seq == bindparam("seq"))

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


class SQLStore(LogRecords):
    """A log in a database that SQLAlchemy speaks to; what differs between databases is in its subclasses.

    Args:
        engine: connects to the database.
        create: whether to make a log where there is none; otherwise that is an error.
        read_only: whether it is only read, so that nobody need be allowed to write it.

    Attributes:
        read_only: as given.
        unreadable: rows that were passed over since this version cannot read them, with the reason; the first `MAX_UNREADABLE`.

    Raises:
        LogError: it cannot be opened, or was written by a later version.
    """

    later: ClassVar[Select[Any]]
    """The statement of `since`, with the parameters of `_place` and `limit`."""

    def __init__(self, engine: Engine, *, create: bool = True, read_only: bool = False) -> None:
        super().__init__(engine)
        self.read_only = read_only
        self._beyond: dict[Position, Position] = {}
        self.unreadable: dict[Position, str] = {}
        mark = "?" if engine.dialect.loaded_dbapi.paramstyle == "qmark" else "%s"
        self._decided = DECIDED.replace("?", mark)
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
                self._holds_all_texts = self._takes_all_texts(reader)
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
        as_text = _as_json if self._holds_all_texts else _as_ascii
        return new.kind, new.decision_id, new.at, utf8_safe(as_text(new.body())), new.event_id or None, about

    def _judiciously(self, new: Sequence[Event], *, strict: bool = False) -> WriteResult:
        """Write events in their order, feedback only where it says something new of a decision that is there."""
        events = list(new)
        rows = [self._row(each) for each in events]
        is_new, without_decision = [True] * len(events), list[int]()
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
                    if not self._is_decided(cursor, event.decision_id):
                        without_decision.append(place)
                        if strict:
                            raise no_decision(event.decision_id, self.name)
                        is_new[place] = False
                        continue
                    latest = self._latest(cursor, event)
                    is_new[place] = latest is None or _says_more(event, latest)
                    if latest is not None and is_new[place] and latest.at > max(event.at, time.time()):
                        # Somebody's clock was ahead: what is said now comes after what was said, whatever the clocks say.
                        events[place] = replace(event, at=latest.at)
                        rows[place] = self._row(events[place])
                if is_new[place]:
                    waiting.append(place)
            flush()
        entries = tuple(entry for part in parts for entry in part.entries)
        after = next((part.after for part in parts if part.entries), None)
        return WriteResult(tuple(is_new), entries, after, tuple(without_decision))

    def _is_decided(self, cursor: Any, decision: str) -> bool:
        """Whether there is a decision."""
        if not self._can_hold(decision):
            return False
        cursor.execute(self._decided, (decision,))
        return cursor.fetchone() is not None

    def _latest(self, cursor: Any, feedback: Feedback) -> Feedback | None:
        """What the source of feedback has said last of the same, as far as it can be read."""
        decision, about = feedback.decision_id, _about(feedback)
        # Rows of earlier versions do not tell what they are about but in their bodies.
        rows = []
        for statement, values in zip(self._said, ((decision, about), (decision,)), strict=True):
            cursor.execute(statement, values)
            rows += cursor.fetchall()
        for at, _, _, event_id, body in sorted(rows, key=lambda row: tuple(row[:3]), reverse=True):
            try:
                judgement = event_of(Feedback.kind, decision, body, at, event_id)
            except LogError:
                # Of another version, or damaged: what it said is not known.
                continue
            if isinstance(judgement, Feedback) and _about(judgement) == about:
                return judgement
        return None

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

    def last_feedback(self, limit: int) -> list[str]:
        """Ids of the decisions that the last pieces of feedback are about, the last first."""
        query = select(events.c.decision_id).where(events.c.kind == Feedback.kind)
        with self._reading() as connection:
            ids = connection.execute(query.order_by(events.c.tx.desc(), events.c.seq.desc()).limit(limit)).scalars()
            return list(dict.fromkeys(ids))

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

    def has_lost(self, position: Position, event_id: str) -> bool:
        """As of `EventStore`."""
        with self._reading() as connection:
            there = connection.execute(AT, {"tx": position.tx, "seq": position.seq}).scalars().all()
            if event_id and event_id in there:
                return False
            first, last = connection.execute(ENDS).one()
        if last is None:
            return False
        # One that begins later was begun anew where somebody had removed it, or has lost its beginning by hand.
        return bool(last < position.seq or (event_id and first <= position.seq))

    def _place(self, position: Position) -> dict[str, int]:
        """The parameters of `later`."""
        raise NotImplementedError

    def _write(self, cursor: Any, new: Sequence[Event], rows: Sequence[Row]) -> WriteResult:
        """Write events in the transaction of a cursor."""
        raise NotImplementedError


def _says_more(feedback: Feedback, latest: Feedback) -> bool:
    """Whether feedback is not what was said last already; what is written again since nobody knows whether it has arrived was new then."""
    return latest.event_id == feedback.event_id or (latest.correct, latest.comment) != (feedback.correct, feedback.comment)


def _about(feedback: Feedback) -> str:
    """What tells a source's judgements of one thing from those of others and of other things."""
    return blake2b(f"{feedback.source}\0{feedback.key}".encode(errors="surrogatepass"), digest_size=12).hexdigest()
