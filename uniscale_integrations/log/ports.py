"""What a log is: an append-only store of events, with snapshots and calibrations beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from uniscale_integrations.deprecation import former_names
from uniscale_integrations.log.events import Event, Feedback


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a log's order; what its numbers mean is the store's own affair."""

    tx: int = -1
    seq: int = -1


BEGINNING = Position()
"""Before the first event."""


@dataclass(frozen=True, slots=True)
class Retention:
    """What a log does not have any more.

    Attributes:
        epoch: how often events have gone with what they had taught; states of an earlier one hold some of that.
        pruned: up to where events have gone whose lessons stay, in snapshots from there on; `BEGINNING` where none have.

    Example:
        >>> Retention() == Retention(0, BEGINNING)
        True
    """

    epoch: int = 0
    pruned: Position = BEGINNING


@dataclass(frozen=True, slots=True)
class Entry:
    """An event and where it stands."""

    position: Position
    event: Event


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What an append has written.

    Attributes:
        new: for each event that was given whether it was written; feedback that says nothing new is not.
        entries: the events with their places, as far as those are known already; otherwise empty.
        after: the place of the event right before the first of them, between which and them nothing will ever be; `None` where that is
            not known. Who has folded the log up to there may fold these without reading it again.
        without_decision: which of the events that were given are feedback on a decision that is not there.
    """

    new: tuple[bool, ...] = ()
    entries: tuple[Entry, ...] = ()
    after: Position | None = None
    without_decision: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        """How many events were written."""
        return sum(self.new)


class Spooled(int):
    """That events are kept until the log takes them; true, like the acknowledgement in whose place it stands.

    Attributes:
        reason: why the log does not take them now.
        place: the file that they are kept in, or "memory".

    Example:
        >>> kept = Spooled("the database is locked", "uniscale.db-spool/1.events.jsonl")
        >>> bool(kept), str(kept)
        (True, 'not in the log yet (the database is locked); kept in uniscale.db-spool/1.events.jsonl until the log takes it')
    """

    reason: str
    place: str

    def __new__(cls, reason: str, place: str) -> Spooled:
        made = super().__new__(cls, 1)
        made.reason, made.place = reason, place
        return made

    def __str__(self) -> str:
        return f"not in the log yet ({self.reason}); kept in {self.place} until the log takes it"

    __repr__ = __str__


class EventStore(Protocol):
    """An append-only log that several workers write and read.

    An implementation owes that what `append` returned from stays, that all readers see the same order, that `since` never later gives an
    event before one it has given, and that any thread may call anything.
    """

    @property
    def name(self) -> str:
        """The address, without a password."""
        ...

    @property
    def in_memory(self) -> bool:
        """Whether it is nowhere but in this process, so that nothing written to it waits for a disk."""
        ...

    @property
    def complete(self) -> bool:
        """Whether it still has its first event, so that a fold from its beginning lacks nothing; true of an empty one."""
        ...

    @property
    def retention(self) -> Retention:
        """What it does not have any more."""
        ...

    def has_lost(self, position: Position, event_id: str) -> bool:
        """Whether the event with this id does not stand at a place any more, as in a log that was restored: it ends before, or has another.

        Of an empty id only whether it ends before is told, and of a log that has no events, or begins later, nothing.
        """
        ...

    def append(self, *new: Event) -> WriteResult:
        """Write events in one transaction; when this returns they are there to stay.

        Raises:
            LogError: nothing of it was written.
        """
        ...

    def write(self, *new: Event) -> WriteResult:
        """Write events in one transaction, in their order, without feedback that says nothing new or is on a decision that is not there.

        Raises:
            LogError: nothing of it was written.
        """
        ...

    def add_feedback(self, *feedback: Feedback) -> WriteResult:
        """Write feedback in one transaction, without what says the same as was said before of its decision, source and key.

        Raises:
            UnknownDecisionError: a decision that is not there; nothing was written.
            LogError: nothing of it was written.
        """
        ...

    def since(self, position: Position = BEGINNING, limit: int = 1_000) -> list[Entry]:
        """The events after a position that are there for good, in the log's order."""
        ...

    def of_decisions(self, decision_ids: Iterable[str]) -> list[Entry]:
        """All events of these decisions, in the log's order."""
        ...

    def everything(self) -> Iterator[Entry]:
        """All events that are there for good, in the log's order, a part at a time."""
        ...

    def last_feedback(self, limit: int) -> list[str]:
        """Ids of the decisions that the last pieces of feedback are about, the last first."""
        ...

    def counts(self) -> dict[str, int]:
        """How many events there are, by kind."""
        ...

    def save_snapshot(self, fold: str, position: Position, state: bytes) -> None:
        """Keep the state of a fold up to a position, in the place of an earlier one; a later one stays."""
        ...

    def load_snapshot(self, fold: str) -> tuple[Position, bytes] | None:
        """The last snapshot of a fold, if there is one."""
        ...

    def snapshots_of(self, prefix: str) -> list[tuple[str, Position]]:
        """Names of folds that begin alike, each with the place of its last snapshot, the latest first."""
        ...

    def forget_snapshots(self, fold: str | None = None) -> int:
        """Drop all snapshots, or that of one fold, so that states are folded from the log again; returns how many there were."""
        ...

    def save_description(self, key: str, body: Mapping[str, Any]) -> None:
        """Keep what a key in the events stands for; what is kept already stays."""
        ...

    def load_description(self, key: str) -> dict[str, Any] | None:
        """What a key stands for, if that is known."""
        ...

    def descriptions_of(self, prefix: str) -> list[tuple[str, dict[str, Any]]]:
        """Keys that begin alike, each with what it stands for, in the order in which they were kept."""
        ...

    def save_calibration(self, verifier: str, version: int, body: Mapping[str, Any]) -> bool:
        """Keep a version of a verifier's calibration; returns whether there was none of that number."""
        ...

    def load_calibration(self, verifier: str) -> tuple[int, dict[str, Any]] | None:
        """Number and body of the last version of a verifier's calibration, if there is one."""
        ...

    def calibrations(self) -> list[tuple[str, int, dict[str, Any]]]:
        """Verifier, number and body of all versions of all calibrations, in their order."""
        ...

    def spare(self, target: Path) -> None:
        """Nothing may be written over the log's own file.

        Raises:
            LogError: the target is that.
        """
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


__getattr__ = former_names(__name__, {"Written": "WriteResult"})
