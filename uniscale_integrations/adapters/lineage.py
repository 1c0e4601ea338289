"""Which decisions were taken within which call of an application, by whom calls what."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from uniscale_integrations.concurrency.forks import ForkLock

MAX_CALLS = 50_000
"""Calls that are remembered, the last ones."""

SECONDS = 24 * 3600.0
"""How long a call is remembered; feedback that comes later needs the decision's id."""

MAX_DECISIONS = 10_000
"""Decisions that are remembered of one call, the last ones."""

MAX_CHARACTERS = 2_000
"""Characters of a question that are remembered."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class _Call(Generic[Key]):
    """What is remembered of a call. Most calls have nothing to do with an engine; so only what is needed is created.

    Attributes:
        parent: who made it.
        start_time: in seconds.
        question: that it is about, as long as it is open.
        open_children: calls within it that are open.
        is_open: whether it has not ended.
        pending: whether decisions are still to come after its end.
        decisions: within it, in order.
        index: the same, to look up.
    """

    parent: Key | None
    start_time: float
    question: str | None
    open_children: int = 0
    is_open: bool = True
    pending: bool = False
    decisions: list[str] | None = None
    index: set[str] | None = None

    @property
    def forgettable(self) -> bool:
        return not (self.is_open or self.open_children or self.pending or self.decisions)

    def live_decisions(self) -> list[str]:
        self.decisions = [] if self.decisions is None else self.decisions
        return self.decisions

    def note(self, decision_id: str) -> None:
        decisions = self.live_decisions()
        self.index = set(decisions) if self.index is None else self.index
        if decision_id in self.index:
            return
        self.index.add(decision_id)
        decisions.append(decision_id)
        if len(decisions) > MAX_DECISIONS:
            self.index.discard(decisions.pop(0))


class Lineage(Generic[Key]):
    """Remembers, for every call of this process, which one made it and the decisions within it. Safe to use from any thread.

    A call that ends without any is forgotten at once, where its end is noted.

    Args:
        limit: calls that are remembered at most.
        seconds: for how long.

    Example:
        >>> lineage = Lineage[str]()
        >>> lineage.start("query")
        >>> lineage.start("answer", "query")
        >>> lineage.note("answer", "d1")
        >>> lineage.decisions("query")
        ('d1',)
    """

    def __init__(self, limit: int = MAX_CALLS, seconds: float = SECONDS) -> None:
        self._limit, self._seconds = limit, seconds
        self._calls: OrderedDict[Key, _Call[Key]] = OrderedDict()
        # Objects whose end is told by the garbage collector may tell it while this thread holds the lock.
        self._lock = ForkLock(reentrant=True)

    def __len__(self) -> int:
        return len(self._calls)

    def start(self, key: Key, parent: Key | None = None, question: str | None = None) -> None:
        """Note the start of a call.

        Args:
            key: its id.
            parent: of the call that made it.
            question: that it is about, where it has one; remembered until its end.
        """
        with self._lock:
            self._forget()
            self._calls[key] = _Call(parent, time.monotonic(), None if question is None else question[:MAX_CHARACTERS])
            if parent is not None and (above := self._calls.get(parent)) is not None:
                above.open_children += 1

    def expect(self, key: Key) -> None:
        """Remember a call and all above it beyond their ends: a decision is to come within it."""
        with self._lock:
            for call in self._above(key):
                call.pending = True

    def end(self, key: Key) -> None:
        """Note the end of a call."""
        with self._lock:
            call = self._calls.get(key)
            if call is None or not call.is_open:
                return
            call.is_open, call.question = False, None
            while call is not None:
                above = None if call.parent is None else self._calls.get(call.parent)
                if call.forgettable:
                    del self._calls[key]
                if above is None or call.open_children:
                    return
                above.open_children = max(0, above.open_children - 1)
                if above.is_open or above.open_children:
                    return
                key, call = call.parent, above  # type: ignore[assignment]  # there is a call above, so that it has a key

    def note(self, key: Key, decision_id: str) -> None:
        """Note a decision with a call and all above it, once; an unknown call becomes known."""
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

    def live_decisions(self, key: Key) -> list[str] | None:
        """The decisions within a call, in a list to which those that are still to come will be added."""
        with self._lock:
            call = self._calls.get(key)
            return None if call is None else call.live_decisions()

    def question(self, key: Key) -> str | None:
        """The question that a call is about: that of the nearest open call above it that has one."""
        with self._lock:
            return next((call.question for call in self._above(key) if call.question is not None), None)

    def _above(self, key: Key) -> Iterator[_Call[Key]]:
        place: Key | None = key
        while place is not None and (call := self._calls.get(place)) is not None:
            yield call
            place = call.parent

    def _forget(self) -> None:
        oldest = time.monotonic() - self._seconds
        while self._calls and (len(self._calls) > self._limit or next(iter(self._calls.values())).start_time < oldest):
            self._calls.popitem(last=False)
