"""What whoever waits for chat models and the requests to them know of each other: until when there is time, and whether any has replied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf


@dataclass(slots=True)
class Watch:
    """One attempt at a request.

    Attributes:
        ends: when its time is up, by `time.monotonic`: nobody waits for longer to ask again.
        replied: whether any model has replied.
    """

    ends: float = inf
    replied: bool = False


_watch: ContextVar[Watch | None] = ContextVar("watch", default=None)


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Within the block, requests to chat models are of that attempt.

    Example:
        >>> watch = Watch()
        >>> with watched(watch):
        ...     note_reply()
        >>> watch.replied
        True
    """
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)


def note_reply() -> None:
    """A model has replied."""
    if (watch := _watch.get()) is not None:
        watch.replied = True


def time_is_up_at() -> float:
    """When the time is up, by `time.monotonic`."""
    return inf if (watch := _watch.get()) is None else watch.ends
