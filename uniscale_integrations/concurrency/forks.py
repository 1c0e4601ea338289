"""Locks and objects that a forked process can use, whatever other threads were doing when it was forked.

A forked process has the memory of its parent, but only the thread that forked: a lock that another thread held would be held for ever, and
what it guarded might be half done.
"""

from __future__ import annotations

import os
from threading import Lock, RLock
from types import TracebackType
from typing import Any, Protocol
from weakref import WeakSet

PATIENCE = 0.5
"""Seconds that a fork waits for one lock at most: who holds one and waits for another would otherwise never end."""


class ForkLock:
    """A lock that nobody else holds while a process is forked, and that is free in the new one.

    Args:
        reentrant: whether who holds it may take it again.
        brief: whether it is held for moments only, so that a fork waits for it; otherwise what it guards may be in any state afterwards.

    Example:
        >>> lock = ForkLock()
        >>> with lock:
        ...     lock.acquire(timeout=0.01)
        False
    """

    __slots__ = ("__weakref__", "_brief", "_lock", "_reentrant")

    def __init__(self, *, reentrant: bool = False, brief: bool = True) -> None:
        self._reentrant, self._brief = reentrant, brief
        self.renew()
        _locks.add(self)

    def renew(self) -> None:
        """Be free, whoever held it."""
        self._lock: Any = RLock() if self._reentrant else Lock()

    @property
    def brief(self) -> bool:
        """Whether a fork waits for it."""
        return self._brief

    def acquire(self, timeout: float = -1) -> bool:
        """As of `threading.Lock`."""
        return bool(self._lock.acquire(timeout=timeout))

    def release(self) -> None:
        """As of `threading.Lock`."""
        self._lock.release()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._lock.release()


class Forkable(Protocol):
    """Something that does not go on in a forked process as it is."""

    def after_fork(self) -> None:
        """Called in the new process, before anything else is done there."""
        ...


def follow_forks(one: Forkable) -> None:
    """Have something know when it finds itself in a forked process."""
    _forkable.add(one)


_locks: WeakSet[ForkLock] = WeakSet()
_forkable: WeakSet[Forkable] = WeakSet()
_held: list[ForkLock] = []


def _before() -> None:
    _held[:] = [each for each in list(_locks) if each.brief and each.acquire(timeout=PATIENCE)]


def _in_parent() -> None:
    while _held:
        _held.pop().release()


def _in_child() -> None:
    _held.clear()
    for lock in list(_locks):
        lock.renew()
    for each in list(_forkable):
        each.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
