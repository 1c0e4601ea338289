"""A log as lines of JSON, written and read again: its events, what they refer to, and what was learned of events that are gone."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from bisect import insort
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from uniscale_integrations.errors import LogError
from uniscale_integrations.log.events import (
    MAX_NAME,
    DecisionEvent,
    Event,
    Feedback,
    Outcome,
    event_of,
    jsonable,
    new_id,
)
from uniscale_integrations.log.exclusion import exclusive
from uniscale_integrations.log.ports import BEGINNING, Position
from uniscale_integrations.log.schema import EPOCH, ORIGIN, PRUNED, events, note, noted
from uniscale_integrations.log.sql import SQLStore
from uniscale_integrations.texts import printable_json

BATCH = 200
"""Events of one transaction, so that workers that write the log as well do not wait long."""

MAX_COUNT = 2**31 - 1
"""Of how often a log has lost events, and of a calibration's versions."""


@dataclass(slots=True)
class Imported:
    """What an import has done.

    Attributes:
        events: how many were new.
        present: how many were there already.
        descriptions: how many descriptions and calibrations were read.
        states: how many states of events that are gone were taken over.
        left: how many of those were not, since the log had events of its own.
        unreadable: why lines were passed over.
    """

    events: int = 0
    present: int = 0
    descriptions: int = 0
    states: int = 0
    left: int = 0
    unreadable: list[str] = field(default_factory=list)


def lines(log: SQLStore) -> Iterator[str]:
    """A log as JSON objects, one a line: what its events refer to, the events in their order, calibrations.

    A line has a `kind`: "description", "decision", "outcome", "feedback" or "calibration". A log that has lost its beginning also tells, in
    lines of the kind "state", what was learned up to where they stand, and begins with one of the kind "log".

    Example:
        >>> from uniscale_integrations.log.events import Outcome
        >>> from uniscale_integrations.log.log import open_log
        >>> log = open_log("sqlite://")
        >>> log.append(Outcome("a", 0.5)).count
        1
        >>> [json.loads(line)["kind"] for line in lines(log)]
        ['outcome']
    """
    states = [] if log.complete else _states(log)
    if states:
        yield _line("log", id=new_id(), epoch=log.retention.epoch)
    for key, body in log.descriptions_of(""):
        yield _line("description", key=key, body=body)
    position, entries = BEGINNING, log.since()
    while entries or states:
        for entry in entries:
            yield from _due(log, states, entry.position)
            position, event = entry.position, entry.event
            # Without an id it stands in the place of a last row that has gone.
            if event.decision_id:
                values = {"decision_id": event.decision_id, "at": event.at, **event.body()}
                yield _line(event.kind, **values, **({"event_id": event.event_id} if event.event_id else {}))
        entries = log.since(position)
        if not entries:
            yield from _due(log, states, Position(position.tx, position.seq + 1))
            entries = log.since(position) if states else []
    for verifier, version, body in log.calibrations():
        yield _line("calibration", verifier=verifier, version=version, body=body)


def read(log: SQLStore, source: Iterable[str]) -> Imported:
    """Write to a log what lines tell that it does not have yet; to call it again does no harm.

    Args:
        log: takes it; workers may go on writing. What was learned of events that are gone is taken over by a log without any of its own,
            which no engine should have open then.
        source: as `lines` gives it. Lines that cannot be read are passed over.

    Raises:
        LogError: the log cannot be written; who repeats the call goes on where it ended.
    """
    with ExitStack() as stack:
        return _read(log, source, stack)


def _read(log: SQLStore, source: Iterable[str], stack: ExitStack) -> Imported:
    result, batch, last = Imported(), list[Event](), None
    takes_states: bool | None = None
    for number, line in enumerate(source, 1):
        if not line.strip():
            continue
        try:
            kind, values = _values(line)
        except ValueError as error:
            result.unreadable.append(f"line {number} is passed over: {error!s:.200}")
            continue
        if isinstance(values, DecisionEvent | Outcome | Feedback):
            batch.append(values)
            last = values
        rest: tuple[Any, ...] = values if isinstance(values, tuple) else ()
        if len(batch) == BATCH or kind == "state":
            _write(log, batch, result)
        try:
            if kind == "log" and takes_states is None:
                # States are laid where nothing else may be: nobody may take events out meanwhile.
                stack.enter_context(exclusive(log))
                takes_states = _begin(log, *rest)
            elif kind == "state":
                taken = bool(takes_states) and _take(log, last, result, *rest)
                result.states, result.left = result.states + taken, result.left + (not taken)
            elif kind in ("description", "calibration"):
                (log.save_description if kind == "description" else log.save_calibration)(*rest)
                result.descriptions += 1
        except LogError as error:
            if error.passing:
                raise
            result.unreadable.append(f"line {number} is passed over: {error!s:.200}")
    _write(log, batch, result)
    return result


def _line(kind: str, **values: Any) -> str:
    # Whoever looks at it in a terminal sees text, and nothing is lost.
    return printable_json(json.dumps({"kind": kind, **values}, ensure_ascii=False, default=jsonable))


def _due(log: SQLStore, states: list[tuple[Position, str]], before: Position) -> Iterator[str]:
    """The lines of states that were learned up to somewhere before a place; those of which there is a later one by now come again there."""
    while states and states[0][0] < before:
        place, name = states.pop(0)
        stored = log.load_snapshot(name)
        if stored is not None and stored[0] > place:
            insort(states, (stored[0], name))
        elif stored is not None:
            yield _line("state", fold=name, state=b64encode(stored[1]).decode())


def _states(log: SQLStore) -> list[tuple[Position, str]]:
    """Names and places of the snapshots that hold what events have taught that are gone, in their order."""
    pruned = log.retention.pruned
    return sorted((place, name) for name, place in log.snapshots_of("") if place >= pruned)


def _values(line: str) -> tuple[str, Event | tuple[Any, ...]]:
    """What a line holds: its kind, with an event or what is to be done.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        # A file is read with what is no UTF-8 in it.
        values = json.loads(line.encode().decode())
        kind = values.pop("kind")
        if kind == "log":
            return kind, (_text(values["id"]), _count(values["epoch"]))
        if kind == "description":
            return kind, (_text(values["key"]), _object(values["body"]))
        if kind == "calibration":
            return kind, (_text(values["verifier"]), _count(values["version"]), _object(values["body"]))
        if kind == "state":
            return kind, (_text(values["fold"]), b64decode(values["state"], validate=True))
        decision_id, at, event_id = _text(values.pop("decision_id")), values.pop("at"), values.pop("event_id", "")
        event = event_of(kind, decision_id, json.dumps(values), at, _text(event_id))
        # As it will be written.
        json.dumps(event.body(), default=jsonable)
        return kind, event
    except (AttributeError, KeyError, TypeError, OverflowError, RecursionError, LogError) as error:
        raise ValueError(f"{error!r}") from error


def _text(value: object) -> str:
    """What names something.

    Raises:
        ValueError: it is no text that both databases can hold.
    """
    if not isinstance(value, str) or "\0" in value or len(value) > MAX_NAME:
        raise ValueError(f"{value!r:.60} is no text of at most {MAX_NAME} characters")
    value.encode()
    return value


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value <= MAX_COUNT:
        raise ValueError(f"{value!r:.60} is no whole number from 0 to {MAX_COUNT}")
    return value


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r:.60} is no object")
    return value


def _write(log: SQLStore, batch: list[Event], result: Imported) -> None:
    """Write those of some events that a log does not have."""
    if not batch:
        return
    known = log.known_ids([event.event_id for event in batch])
    # Events of the first revision have no ids.
    nameless = {event.decision_id for event in batch if not event.event_id}
    there = [entry.event for entry in log.of_decisions(nameless)] if nameless else []
    new = [event for event in batch if event.event_id not in known and (event.event_id or event not in there)]
    result.present += len(batch) - len(new)
    batch.clear()
    _append(log, new, result)


def _append(log: SQLStore, new: Sequence[Event], result: Imported) -> None:
    """Write events; of those that the log does not take for what they are, the others."""
    try:
        if new:
            log.append(*new)
        result.events += len(new)
    except LogError as error:
        if error.passing:
            raise
        if len(new) > 1:
            for each in new:
                _append(log, [each], result)
        else:
            result.unreadable.append(f"the {new[0].kind} of {new[0].decision_id!r:.80} is passed over: {error!s:.200}")


def _begin(log: SQLStore, origin: str, epoch: int) -> bool:
    """Note that a log without events becomes the copy of one that has lost its beginning; returns whether it does, or has before."""
    with log.alone() as connection:
        if noted(connection, ORIGIN).get(ORIGIN) == origin:
            return True
        if connection.execute(select(events.c.seq).limit(1)).first() is not None or noted(connection, PRUNED, EPOCH):
            return False
        for name, value in ((ORIGIN, origin), (EPOCH, epoch), (PRUNED, f"{BEGINNING.tx} {BEGINNING.seq}")):
            note(connection, name, value)
    return True


def _take(log: SQLStore, last: Event | None, result: Imported, fold: str, state: bytes) -> bool:
    """Keep a state that was learned up to an event; returns whether that could be, as there is nothing else before that."""
    place = BEGINNING
    if last is not None:
        place = max((entry.position for entry in log.of_decisions([last.decision_id]) if entry.event == last), default=BEGINNING)
    if log.count_up_to(place) != result.events + result.present:
        return False
    log.save_snapshot(fold, place, state)
    return True
