"""Many small writes as few transactions: what comes while one is being written waits for the next."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from threading import Condition

from uniscale_integrations.errors import LogError
from uniscale_integrations.log.events import Event

Result = bool | Exception
"""Of an event whether it was new, or why it was refused."""

Batch = list[tuple[Sequence[Event], Future[Sequence[bool]]]]


class GroupCommit:
    """Writes events on a thread of its own, together with all that came since it last did.

    A commit waits for the disk, which takes as long for one event as for hundreds.

    Args:
        write: writes events in one transaction, and says of each whether it was new, or why it was refused; where it raises, nothing was
            written.
        at_once: write them on the caller's thread instead, as is quicker where a commit waits for nothing.

    Example:
        >>> from uniscale_integrations.log.events import Outcome
        >>> written = []
        >>> group = GroupCommit(lambda events: written.extend(events) or [True] * len(events))
        >>> group.submit(Outcome("a", 0.5), Outcome("b", 0.5)).result(), len(written)
        ([True, True], 2)
        >>> group.close()
    """

    def __init__(self, write: Callable[[Sequence[Event]], Sequence[Result]], *, at_once: bool = False) -> None:
        self._write, self._at_once = write, at_once
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._idle = Condition()
        self._waiting: Batch = []
        self._writing = False
        self._thread, self._process = ThreadPoolExecutor(1, thread_name_prefix="uniscale-log"), os.getpid()

    def submit(self, *events: Event) -> Future[Sequence[bool]]:
        """Have events written, in one transaction with each other; the future tells of each whether it was new, when all are there to stay.

        Raises (from the future):
            LogError: they could not be written, or the log has been closed.
        """
        future: Future[Sequence[bool]] = Future()
        if self._at_once and not self._closed:
            self._write_batch([(events, future)])
        elif self._first(events, future):
            self._hand_over()
        return future

    def write(self, *events: Event) -> Sequence[bool]:
        """Write events, and wait until they are there to stay; where nobody else is writing, on the caller's own thread.

        Raises:
            LogError: they could not be written, or the log has been closed.
        """
        future: Future[Sequence[bool]] = Future()
        if self._at_once and not self._closed:
            self._write_batch([(events, future)])
        elif self._first(events, future):
            try:
                self._write_batch(self._next())
            finally:
                self._pass_on()
        return future.result()

    def close(self) -> None:
        """Write what is waiting, wait for whoever writes, and end the thread; what comes afterwards is refused."""
        with self._idle:
            self._closed = True
            self._idle.wait_for(lambda: not self._writing)
        self._thread.shutdown()

    def _first(self, events: Sequence[Event], future: Future[Sequence[bool]]) -> bool:
        """Have events wait for the next transaction; returns whether whoever brings them is to see to that."""
        if self._process != os.getpid():
            # A forked process has the lock and what waits, but not the thread.
            self._begin()
        with self._idle:
            if self._closed:
                future.set_exception(LogError("the log has been closed"))
                return False
            self._waiting.append((events, future))
            first, self._writing = not self._writing, True
            return first

    def _pass_on(self) -> None:
        """Leave what has come meanwhile to the thread; where nothing has, nobody writes any more."""
        with self._idle:
            if not self._waiting:
                self._writing = False
                self._idle.notify_all()
                return
        self._hand_over()

    def _hand_over(self) -> None:
        try:
            self._thread.submit(self._drain)
        except RuntimeError:
            # The interpreter is shutting down, and starts no threads any more.
            self._drain()

    def _drain(self) -> None:
        while batch := self._next():
            self._write_batch(batch)

    def _next(self) -> Batch:
        """What waits; where that is nothing, nobody writes any more."""
        with self._idle:
            batch, self._waiting = self._waiting, []
            if not batch:
                self._writing = False
                self._idle.notify_all()
            return batch

    def _write_batch(self, batch: Batch) -> None:
        """Write what several have submitted, and tell each of them."""
        # Who was cancelled while waiting is told nothing any more; what happened is written all the same.
        waiting = [(events, future if future.set_running_or_notify_cancel() else None) for events, future in batch]
        try:
            results = iter(self._write([event for events, _ in waiting for event in events]))
        except LogError as error:
            # One that cannot be written, for its size, must not take the others with it.
            if len(waiting) == 1:
                _tell(waiting[0][1], error)
            else:
                self._one_by_one(waiting)
        except BaseException as error:
            for _, future in waiting:
                _tell(future, error)
        else:
            for events, future in waiting:
                _tell(future, results=list(islice(results, len(events))))

    def _one_by_one(self, batch: Sequence[tuple[Sequence[Event], Future[Sequence[bool]] | None]]) -> None:
        for events, future in batch:
            try:
                results = self._write(events)
            except BaseException as error:
                _tell(future, error)
            else:
                _tell(future, results=results)


def _tell(future: Future[Sequence[bool]] | None, error: BaseException | None = None, results: Sequence[Result] = ()) -> None:
    if future is None:
        return
    error = error or next((each for each in results if isinstance(each, Exception)), None)
    if error is None:
        future.set_result([each is True for each in results])
    else:
        future.set_exception(error)
