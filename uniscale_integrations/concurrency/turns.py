"""Turns on an event loop: where much is to be done at once, a little of it at a time, so that the loop does other things in between."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from weakref import WeakKeyDictionary

SLICE = 0.02
"""Seconds that those who take turns may keep an event loop without a pause."""

AT_ONCE = 8
"""Of those that wait, how many go on between two pauses."""


class _Turns:
    """The turns of one event loop."""

    __slots__ = ("began", "waiting")

    def __init__(self) -> None:
        self.began = 0.0
        self.waiting: deque[asyncio.Future[None]] = deque()


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, _Turns] = WeakKeyDictionary()


async def take_turn() -> None:
    """Go on, or, where others on this event loop have just kept it for a while, after a pause in which it does other things.

    What takes a millisecond is nothing for one request, and two seconds for two thousand that come at once.

    Example:
        >>> async def many():
        ...     done = []
        ...     async def one():
        ...         await take_turn()
        ...         time.sleep(0.002)
        ...         done.append(1)
        ...     others = asyncio.gather(*(one() for _ in range(100)))
        ...     while not done:
        ...         await asyncio.sleep(0)
        ...     before = len(done)
        ...     await others
        ...     return before < 50, len(done)
        >>> asyncio.run(many())
        (True, 100)
    """
    loop, now = asyncio.get_running_loop(), time.perf_counter()
    turns = _turns.get(loop)
    if turns is None:
        turns = _turns[loop] = _Turns()
    if not turns.began:
        turns.began = now
        loop.call_soon(_pause, loop, turns)
    if not turns.waiting and now - turns.began < SLICE:
        return
    waiter = loop.create_future()
    turns.waiting.append(waiter)
    await waiter


def _pause(loop: asyncio.AbstractEventLoop, turns: _Turns) -> None:
    """Everybody else has had a turn since the last one began."""
    turns.began = 0.0
    released = 0
    while turns.waiting and released < AT_ONCE:
        waiter = turns.waiting.popleft()
        if not waiter.done():
            waiter.set_result(None)
            released += 1
    if turns.waiting:
        turns.began = time.perf_counter()
        loop.call_soon(_again, loop, turns)


def _again(loop: asyncio.AbstractEventLoop, turns: _Turns) -> None:
    # One round for those who have been let go, and one for everybody else.
    loop.call_soon(_pause, loop, turns)
