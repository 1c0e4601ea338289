"""Takes events out of a log, a few at a time, so that nobody who writes it meanwhile waits long."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Delete, Row, and_, delete, func, insert, or_, select, update

from uniscale_integrations.errors import LogError
from uniscale_integrations.log.events import DecisionEvent, Feedback, Outcome, event_of
from uniscale_integrations.log.exclusion import Turn
from uniscale_integrations.log.lessons import family_of, first_id
from uniscale_integrations.log.ports import BEGINNING, Position
from uniscale_integrations.log.schema import (
    BEGUN,
    EPOCH,
    FIRST,
    PRUNED,
    UNCLEAN,
    calibrations,
    events,
    meta,
    note,
    noted,
    numbers_in,
    snapshots,
)
from uniscale_integrations.log.sql import SQLStore

SLICE_SECONDS = 0.008
"""What one transaction may take."""

FIRST_SLICE, MOST_IN_SLICE = 10, 500
"""Decisions, or rows, of the first transaction and of any."""

PAGE = 2_000
"""Rows that are looked through at a time."""

PATIENCE, PAUSE = 60.0, 0.02
"""Seconds that somebody else's transaction is waited for, and between two tries."""

EMPTY = json.dumps(Outcome("", None, failed="removed").body())
"""The body of the row that stands for the log's last one after that has gone, so that its number does not come again."""


MAX_VERSION = 2**31 - 1
"""Of a calibration."""

NO_CALIBRATION = {"scores": [0.0, 1.0], "values": [0.0, 1.0], "pairs": 0, "method": "none"}
"""A calibration that leaves scores as they are and was fitted to nothing, which earlier versions take for one as well."""


class Removal:
    """Takes events out of a log.

    Workers may go on writing it. What stays keeps its place. The last row leaves an empty one of the same number and time behind.

    Args:
        log: what is to lose events.
        turn: as of `exclusive`, so that no other removal is under way; each transaction makes sure of it.

    Example:
        >>> from uniscale_integrations.log.log import open_log
        >>> log = open_log("sqlite://")
        >>> log.append(Outcome("a", 0.5), Outcome("b", 0.5)).count
        2
        >>> removal = Removal(log)
        >>> removal.begin()
        >>> removal.decisions(["a"])
        1
        >>> removal.end()
        >>> [entry.event.decision_id for entry in log.since()], log.complete, log.retention.epoch
        (['b'], True, 1)
    """

    def __init__(self, log: SQLStore, turn: Turn | None = None) -> None:
        self._log, self._turn, self._in_one_order = log, turn, log.dialect == "sqlite"
        self._size = FIRST_SLICE

    @property
    def unfinished(self) -> tuple[bool, bool]:
        """Whether somebody has begun to take out events with what they had taught, and not come to the end; and not to that of `clean`."""
        with self._log.reading() as connection:
            marks = noted(connection, BEGUN, UNCLEAN)
        return BEGUN in marks, UNCLEAN in marks

    def begin(self, *, wipe: bool = False) -> None:
        """Note that events go with what they have taught, so that who comes next finishes it if this process ends before.

        Args:
            wipe: whether `clean` is to follow.
        """

        def work(connection: Connection) -> None:
            # What could not be brought to its end is not begun.
            numbers_in(EPOCH, noted(connection, EPOCH).get(EPOCH, "0"))
            note(connection, BEGUN, 1)
            if wipe:
                note(connection, UNCLEAN, 1)

        self._slice(work)

    def restore_scores(self) -> None:
        """Have outcomes that stay tell the score as the verifier gave it, where a calibration has made another of it."""
        rows = [row.seq for row in self.found(Outcome.kind, lambda body: _uncalibrated(body) is not None)]
        start = 0
        while start < len(rows):
            part = rows[start : start + self._size]
            self._slice(lambda connection, part=part: self._restore_scores(connection, part))  # type: ignore[misc]
            start += len(part)

    def _restore_scores(self, connection: Connection, part: list[int]) -> None:
        query = select(events.c.seq, events.c.body).where(events.c.seq.in_(part), events.c.decision_id != "")
        for seq, body in connection.execute(query).all():
            raw = _uncalibrated(json.loads(body))
            if raw is not None:
                connection.execute(update(events).where(events.c.seq == seq).values(body=json.dumps(raw)))

    def end(self) -> None:
        """Have every worker fold its state from what is left, and fit calibrations to it: the snapshots go, and a new epoch begins.

        Of each calibration another version begins that changes nothing, since workers look for a later one than they have.
        """

        def work(connection: Connection) -> None:
            connection.execute(delete(snapshots))
            number = func.max(calibrations.c.version)
            versions = connection.execute(select(calibrations.c.verifier, number).group_by(calibrations.c.verifier)).all()
            connection.execute(delete(calibrations))
            for verifier, version in versions:
                following = {"version": min(version + 1, MAX_VERSION), "at": time.time(), "body": json.dumps(NO_CALIBRATION)}
                connection.execute(insert(calibrations).values(verifier=verifier, **following))
            [epoch] = numbers_in(EPOCH, noted(connection, EPOCH).get(EPOCH, "0"))
            note(connection, EPOCH, epoch + 1)
            connection.execute(delete(meta).where(meta.c.name == BEGUN))

        self._slice(work)

    def mark(self, bound: Position) -> None:
        """Note that events up to there go, and what they have taught stays: in snapshots from there on, others are dropped."""

        def work(connection: Connection) -> None:
            note(connection, PRUNED, f"{bound.tx} {bound.seq}")
            place = (snapshots.c.tx, snapshots.c.seq)
            connection.execute(
                delete(snapshots).where(or_(place[0] < bound.tx, and_(place[0] == bound.tx, place[1] < bound.seq)))
            )

        self._slice(work)

    def decisions(self, decision_ids: Iterable[str], bound: Position | None = None) -> int:
        """Take out decisions with all that belongs to them, those of one request at once; returns how many events that were.

        Args:
            decision_ids: which.
            bound: requests of which there is anything after this stay.
        """
        requests: dict[str, list[str]] = {}
        for each in decision_ids:
            requests.setdefault(first_id(each), []).append(each)

        def rows_of(connection: Connection, part: list[str]) -> ColumnElement[bool]:
            firsts = set(part)
            if bound is not None:
                later = select(events.c.decision_id).where(events.c.decision_id.in_(_possible(part)), self._after(bound))
                firsts -= set(map(first_id, connection.execute(later.distinct()).scalars()))
            return events.c.decision_id.in_(sorted(each for first in firsts for each in requests[first]))

        return self._take_out(list(requests), rows_of)

    def rows(self, numbers: Collection[int]) -> int:
        """Take out rows by their `seq`; returns how many that were."""
        return self._take_out(list(numbers), lambda connection, part: events.c.seq.in_(part))

    def _take_out(self, what: list[Any], rows_of: Callable[[Connection, list[Any]], ColumnElement[bool]]) -> int:
        removed, start = 0, 0
        while start < len(what):
            part = what[start : start + self._size]
            removed += self._slice(lambda connection, part=part: self._remove(connection, rows_of(connection, part)))  # type: ignore[misc]
            start += len(part)
        return removed

    def _remove(self, connection: Connection, which: ColumnElement[bool]) -> int:
        """Take out rows in a transaction."""
        last = self._last(connection)
        emptied = connection.execute(
            update(events)
            .where(events.c.seq == last, which, events.c.decision_id != "")
            .values(kind=Outcome.kind, decision_id="", body=EMPTY, event_id=None, about=None)
        ).rowcount
        count = emptied + connection.execute(delete(events).where(which, events.c.decision_id != "")).rowcount
        if count and PRUNED not in noted(connection, PRUNED):
            note(connection, FIRST, connection.execute(select(func.min(events.c.seq))).scalar_one())
        return count

    def sweep(self) -> None:
        """Take out empty rows that are no longer the last ones."""

        def work(connection: Connection) -> None:
            gone: Delete = delete(events).where(events.c.decision_id == "", events.c.body == EMPTY)
            connection.execute(gone.where(events.c.seq != self._last(connection)))
            first = connection.execute(select(func.min(events.c.seq))).scalar_one_or_none()
            if FIRST in noted(connection, FIRST) and first is not None:
                note(connection, FIRST, first)

        self._slice(work)

    def clean(self) -> None:
        """Rewrite the database, so that nothing of what has gone is in its file.

        Raises:
            LogError: it could not be; what is gone is gone for all readers, and the file may still hold some of it.
        """
        self._log.compact()
        self._slice(lambda connection: connection.execute(delete(meta).where(meta.c.name == UNCLEAN)))

    def before(self, at: float, bound: Position | None = None) -> Iterator[list[str]]:
        """The ids of decisions that were taken before some Unix time, a part at a time; with a bound, of those up to there."""
        for rows in self._pages(DecisionEvent.kind, events.c.at < at):
            yield [row.decision_id for row in rows if bound is None or Position(row.tx, row.seq) <= bound]

    def found(self, kind: str, where: Callable[[dict[str, Any]], bool]) -> Iterator[Row[Any]]:
        """Rows of a kind whose bodies are such."""
        for rows in self._pages(kind):
            for row in rows:
                try:
                    body = json.loads(row.body)
                except (ValueError, TypeError, RecursionError):
                    continue
                if isinstance(body, dict) and where(body):
                    yield row

    def present(self, decision_id: str) -> list[str]:
        """The same id, where there are events of it."""
        with self._log.reading() as connection:
            query = select(events.c.decision_id).where(events.c.decision_id == decision_id)
            return list(connection.execute(query.limit(1)).scalars())

    def requests_of(self, decision_ids: Iterable[str]) -> Iterator[list[str]]:
        """The decisions of each request that some decisions are of, with those of it that are not among them."""
        firsts = list(dict.fromkeys(map(first_id, decision_ids)))
        for start in range(0, len(firsts), 500):
            part = firsts[start : start + 500]
            of: dict[str, list[str]] = {first: [] for first in part}
            query = select(events.c.decision_id).where(events.c.decision_id.in_(_possible(part)))
            with self._log.reading() as connection:
                for each in connection.execute(query.distinct()).scalars():
                    of[first_id(each)].append(each)
            yield from of.values()

    def readable(self, decision_ids: Iterable[str]) -> list[str]:
        """Those of some decisions of which this version can read all rows: a later one may learn from the others."""
        ids, unreadable = list(decision_ids), set[str]()
        names = ("kind", "decision_id", "body", "at")
        for start in range(0, len(ids), 500):
            query = select(*(events.c[name] for name in names)).where(events.c.decision_id.in_(ids[start : start + 500]))
            with self._log.reading() as connection:
                rows = connection.execute(query).all()
            for kind, decision_id, body, at in rows:
                try:
                    event_of(kind, decision_id, body, at)
                except LogError:
                    unreadable.add(decision_id)
        return [each for each in ids if each not in unreadable]

    def _pages(self, kind: str, *where: ColumnElement[bool]) -> Iterator[list[Row[Any]]]:
        place = BEGINNING
        order = (events.c.seq,) if self._in_one_order else (events.c.tx, events.c.seq)
        names = ("tx", "seq", "decision_id", "body")
        while True:
            query = select(*(events.c[name] for name in names)).where(events.c.kind == kind, self._after(place), *where)
            with self._log.reading() as connection:
                rows = list(connection.execute(query.order_by(*order).limit(PAGE)).all())
            if not rows:
                return
            place = Position(rows[-1].tx, rows[-1].seq)
            yield rows

    def _after(self, place: Position) -> ColumnElement[bool]:
        if self._in_one_order:
            return events.c.seq > place.seq
        return or_(events.c.tx > place.tx, and_(events.c.tx == place.tx, events.c.seq > place.seq))

    def _last(self, connection: Connection) -> int | None:
        """The number of the last row."""
        if self._in_one_order:
            return connection.execute(select(func.max(events.c.seq))).scalar_one_or_none()
        query = select(events.c.seq).order_by(events.c.tx.desc(), events.c.seq.desc()).limit(1)
        return connection.execute(query).scalar_one_or_none()

    def _slice(self, work: Callable[[Connection], Any]) -> Any:
        """Do something in a transaction that nobody writes beside, and leave others as much time as it took, and more."""
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                with self._log.alone() as connection:
                    begun = time.monotonic()
                    if self._turn is not None:
                        self._turn.check(connection)
                    result = work(connection)
                took = time.monotonic() - begun
                break
            except LogError as error:
                if not error.passing or time.monotonic() > ends:
                    raise
                # Somebody reads for long, as a backup does; to wait for it would have everybody wait behind.
                time.sleep(PAUSE)
        pace = SLICE_SECONDS / max(took, 1e-4)
        self._size = max(1, min(MOST_IN_SLICE, int(self._size * min(pace, 2.0))))
        time.sleep(max(2 * took, PAUSE / 4))
        return result


def _uncalibrated(body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The body of an outcome with the score as the verifier gave it; `None` where no calibration has made another of it."""
    extra = body.get("extra")
    if not isinstance(extra, dict) or body.get("score") is None or not extra.get("calibration"):
        return None
    raw = extra.get("raw")
    if not isinstance(raw, int | float) or not 0.0 <= raw <= 1.0 or raw == body["score"]:
        return None
    return {**body, "score": float(raw), "extra": extra | {"calibration": 0}}


def _possible(firsts: Collection[str]) -> list[str]:
    """All ids that decisions of some requests may have."""
    return [each for first in firsts for each in family_of(first)]


def feedback_of(removal: Removal, source: str) -> list[int]:
    """The numbers of the rows that hold feedback of a source."""
    return [row.seq for row in removal.found(Feedback.kind, lambda body: body.get("source") == source)]
