"""Many small writes as few transactions: what comes while one is being written waits for the next."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from threading import Lock

from uniscale_integrations.errors import LogError
from uniscale_integrations.log.events import Event


class GroupCommit:
    """Writes events on a thread of its own, together with all that came since it last did.

    A commit waits for the disk, which takes as long for one event as for hundreds.

    Args:
        write: writes events in one transaction, and says of each whether it was new.
        at_once: write them on the caller's thread instead, as is quicker where a commit waits for nothing.

    Example:
        >>> from uniscale_integrations.log.events import Outcome
        >>> written = []
        >>> group = GroupCommit(lambda events: written.extend(events) or [True] * len(events))
        >>> group.submit(Outcome("a", 0.5), Outcome("b", 0.5)).result(), len(written)
        ([True, True], 2)
        >>> group.close()
    """

    def __init__(self, write: Callable[[Sequence[Event]], Sequence[bool]], *, at_once: bool = False) -> None:
        self._write, self._at_once = write, at_once
        self._lock = Lock()
        self._waiting: list[tuple[Sequence[Event], Future[Sequence[bool]]]] = []
        self._writing = False
        self._thread, self._process = ThreadPoolExecutor(1, thread_name_prefix="uniscale-log"), os.getpid()

    def submit(self, *events: Event) -> Future[Sequence[bool]]:
        """Have events written, in one transaction with each other; the future tells of each whether it was new, when all are there to stay.

        Raises (from the future):
            LogError: they could not be written.
        """
        future: Future[Sequence[bool]] = Future()
        if self._at_once:
            self._written([(events, future)])
        elif self._first(events, future):
            self._thread.submit(self._drain)
        return future

    def write(self, *events: Event) -> Sequence[bool]:
        """Write events, and wait until they are there to stay; where nobody else is writing, on the caller's own thread.

        Raises:
            LogError: they could not be written.
        """
        future: Future[Sequence[bool]] = Future()
        if self._at_once:
            self._written([(events, future)])
        elif self._first(events, future):
            self._drain_once()
        return future.result()

    def _first(self, events: Sequence[Event], future: Future[Sequence[bool]]) -> bool:
        """Have events wait for the next transaction; returns whether whoever brings them is to see to that."""
        if self._process != os.getpid():
            # A forked process has the lock and what waits, but not the thread.
            self._lock, self._waiting, self._writing = Lock(), [], False
            self._thread, self._process = ThreadPoolExecutor(1, thread_name_prefix="uniscale-log"), os.getpid()
        with self._lock:
            self._waiting.append((events, future))
            first, self._writing = not self._writing, True
            return first

    def close(self) -> None:
        """Write what is waiting and end the thread."""
        self._thread.shutdown()

    def _drain(self) -> None:
        while batch := self._next():
            self._written(batch)

    def _drain_once(self) -> None:
        """Write what waits now; what comes meanwhile is left to the thread."""
        self._written(self._next())
        with self._lock:
            self._writing = bool(self._waiting)
            if self._writing:
                self._thread.submit(self._drain)

    def _next(self) -> list[tuple[Sequence[Event], Future[Sequence[bool]]]]:
        """What waits; where that is nothing, nobody writes any more."""
        with self._lock:
            batch, self._waiting = self._waiting, []
            self._writing = bool(batch)
            return batch

    def _written(self, batch: Sequence[tuple[Sequence[Event], Future[Sequence[bool]]]]) -> None:
        """Write what several have submitted, and tell each of them."""
        # Who was cancelled while waiting is told nothing any more; what happened is written all the same.
        told = [(events, future if future.set_running_or_notify_cancel() else None) for events, future in batch]
        try:
            new = iter(self._write([event for events, _ in told for event in events]))
        except LogError as error:
            # One that cannot be written, for its size, must not take the others with it.
            if len(told) == 1:
                _tell(told[0][1], error)
            else:
                self._one_by_one(told)
        except BaseException as error:
            for _, future in told:
                _tell(future, error)
        else:
            for events, future in told:
                _tell(future, new=list(islice(new, len(events))))

    def _one_by_one(self, batch: Sequence[tuple[Sequence[Event], Future[Sequence[bool]] | None]]) -> None:
        for events, future in batch:
            try:
                new = self._write(events)
            except BaseException as error:
                _tell(future, error)
            else:
                _tell(future, new=new)


def _tell(future: Future[Sequence[bool]] | None, error: BaseException | None = None, new: Sequence[bool] = ()) -> None:
    if future is None:
        return
    if error is None:
        future.set_result(new)
    else:
        future.set_exception(error)
