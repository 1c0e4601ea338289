"""Which decisions were taken within which call of an application, by whom calls what."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from threading import RLock
from typing import Generic, TypeVar

MOST_CALLS = 50_000
"""Calls that are remembered, the last ones."""

SECONDS = 24 * 3600.0
"""How long a call is remembered; feedback that comes later needs the decision's id."""

MOST_DECISIONS = 10_000
"""Decisions that are remembered of one call, the last ones."""

LONGEST = 2_000
"""Characters of a question that are remembered."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class _Call(Generic[Key]):
    """What is remembered of a call. Most calls have nothing to do with an engine; so only what is needed is made.

    Attributes:
        parent: who made it.
        began: when.
        about: the question that it is about, as long as it is open.
        inside: calls within it that are open.
        ended: whether it has ended.
        kept: whether decisions are still to come after its end.
        decisions: within it, in order.
        known: the same.
    """

    parent: Key | None
    began: float
    about: str | None
    inside: int = 0
    ended: bool = False
    kept: bool = False
    decisions: list[str] | None = None
    known: set[str] | None = None

    @property
    def forgettable(self) -> bool:
        return self.ended and not self.inside and not self.kept and not self.decisions

    def following(self) -> list[str]:
        self.decisions = [] if self.decisions is None else self.decisions
        return self.decisions

    def note(self, decision_id: str) -> None:
        decisions = self.following()
        self.known = set(decisions) if self.known is None else self.known
        if decision_id in self.known:
            return
        self.known.add(decision_id)
        decisions.append(decision_id)
        if len(decisions) > MOST_DECISIONS:
            self.known.discard(decisions.pop(0))


class Lineage(Generic[Key]):
    """Remembers, for every call of this process, which one made it and the decisions within it. Safe to use from any thread.

    A call that has ended without any is forgotten at once, where its end is told.

    Args:
        most: how many calls at most.
        seconds: for how long.

    Example:
        >>> lineage = Lineage[str]()
        >>> lineage.began("query")
        >>> lineage.began("answer", "query")
        >>> lineage.note("answer", "d1")
        >>> lineage.decisions("query")
        ('d1',)
    """

    def __init__(self, most: int = MOST_CALLS, seconds: float = SECONDS) -> None:
        self._most, self._seconds = most, seconds
        self._calls: OrderedDict[Key, _Call[Key]] = OrderedDict()
        # Objects whose end is told by the garbage collector may tell it while this thread holds the lock.
        self._lock = RLock()

    def __len__(self) -> int:
        return len(self._calls)

    def began(self, key: Key, parent: Key | None = None, about: str | None = None) -> None:
        """Note a call.

        Args:
            key: its id.
            parent: of the call that made it.
            about: the question that it is about, where it says so; remembered until its end.
        """
        with self._lock:
            self._forget()
            self._calls[key] = _Call(parent, time.monotonic(), None if about is None else about[:LONGEST])
            if parent is not None and (above := self._calls.get(parent)) is not None:
                above.inside += 1

    def expect(self, key: Key) -> None:
        """Remember a call and all above it beyond their ends: a decision is to come within it."""
        with self._lock:
            for call in self._above(key):
                call.kept = True

    def ended(self, key: Key) -> None:
        """Note that a call has ended."""
        with self._lock:
            call = self._calls.get(key)
            if call is None or call.ended:
                return
            call.ended, call.about = True, None
            while call is not None:
                above = None if call.parent is None else self._calls.get(call.parent)
                if call.forgettable:
                    del self._calls[key]
                if above is None or call.inside:
                    return
                above.inside = max(0, above.inside - 1)
                if not above.ended or above.inside:
                    return
                key, call = call.parent, above  # type: ignore[assignment]  # there is a call above, so that it has a key

    def note(self, key: Key, decision_id: str) -> None:
        """Note a decision with a call and all above it, once; a call that was not known is known then."""
        with self._lock:
            if key not in self._calls:
                self._forget()
                self._calls[key] = _Call(None, time.monotonic(), None)
            for call in self._above(key):
                call.note(decision_id)

    def decisions(self, key: Key) -> tuple[str, ...] | None:
        """The decisions within a call, in order; `None` for one that is not known, or not any more."""
        with self._lock:
            self._forget()
            call = self._calls.get(key)
            return None if call is None else tuple(call.decisions or ())

    def following(self, key: Key) -> list[str] | None:
        """The decisions within a call, in a list to which those that are still to come will be added."""
        with self._lock:
            call = self._calls.get(key)
            return None if call is None else call.following()

    def about(self, key: Key) -> str | None:
        """The question that a call is about, as the nearest one above it that is open says that says so."""
        with self._lock:
            return next((call.about for call in self._above(key) if call.about is not None), None)

    def _above(self, key: Key) -> Iterator[_Call[Key]]:
        place: Key | None = key
        while place is not None and (call := self._calls.get(place)) is not None:
            yield call
            place = call.parent

    def _forget(self) -> None:
        oldest = time.monotonic() - self._seconds
        while self._calls and (len(self._calls) > self._most or next(iter(self._calls.values())).began < oldest):
            self._calls.popitem(last=False)
