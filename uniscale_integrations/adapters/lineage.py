"""Which decisions were taken within which call of an application, by whom calls what."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from threading import Lock
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
    parent: Key | None
    began: float
    about: str | None
    decisions: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)


class Lineage(Generic[Key]):
    """Remembers, for every call of this process, which one made it and the decisions within it. Safe to use from any thread.

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
        self._lock = Lock()

    def began(self, key: Key, parent: Key | None = None, about: str | None = None) -> None:
        """Note a call.

        Args:
            key: its id.
            parent: of the call that made it.
            about: the question that it is about, where it says so.
        """
        with self._lock:
            self._forget()
            self._calls[key] = _Call(parent, time.monotonic(), None if about is None else about[:LONGEST])

    def note(self, key: Key, decision_id: str) -> None:
        """Note a decision with a call and all above it, once; a call that was not known is known then."""
        with self._lock:
            if key not in self._calls:
                self._forget()
                self._calls[key] = _Call(None, time.monotonic(), None)
            for call in self._above(key):
                if decision_id not in call.known:
                    call.known.add(decision_id)
                    call.decisions.append(decision_id)
                    if len(call.decisions) > MOST_DECISIONS:
                        call.known.discard(call.decisions.pop(0))

    def decisions(self, key: Key) -> tuple[str, ...] | None:
        """The decisions within a call, in order; `None` for one that is not known, or not any more."""
        with self._lock:
            self._forget()
            call = self._calls.get(key)
            return None if call is None else tuple(call.decisions)

    def following(self, key: Key) -> list[str] | None:
        """The decisions within a call, in a list to which those that are still to come will be added."""
        with self._lock:
            call = self._calls.get(key)
            return None if call is None else call.decisions

    def about(self, key: Key) -> str | None:
        """The question that a call is about, as the nearest one above it says that says so."""
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
