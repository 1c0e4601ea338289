"""Work that nobody waits for but who ends."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

from uniscale_integrations.concurrency.forks import ForkLock


class BackgroundWork:
    """Does something on a thread of its own, once at a time: what is asked for while it is done is done once more after it.

    The thread lives as long as there is something to do, and keeps no process from ending.

    Args:
        work: what to do.
        name: of the thread.

    Example:
        >>> done = []
        >>> background = BackgroundWork(lambda: done.append(1), "append")
        >>> background.start()
        >>> background.wait()
        >>> done
        [1]
    """

    def __init__(self, work: Callable[[], object], name: str) -> None:
        self._work, self._name = work, name
        self._lock, self._wanted = ForkLock(), False
        self._thread: Thread | None = None

    def start(self) -> None:
        """Have it done, and do not wait for that."""
        with self._lock:
            self._wanted = True
            # In a forked process the thread is not alive.
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until all that was asked for is done, or that long."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _run(self) -> None:
        while self._next():
            self._work()

    def _next(self) -> bool:
        with self._lock:
            wanted, self._wanted = self._wanted, False
            if not wanted:
                self._thread = None
            return wanted
