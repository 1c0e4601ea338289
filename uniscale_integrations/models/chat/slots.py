"""How many requests a chat model is sent at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from uniscale_integrations.concurrency.forks import ForkLock


@dataclass(slots=True)
class Queue:
    """What the requests of one search wait for.

    Attributes:
        waiting: how many of them wait for a slot now.
        longest: seconds that one of them has waited at the most.
    """

    waiting: int = 0
    longest: float = 0.0


class Slots:
    """Lets so many requests through at once, from whatever event loop they come, and the others in the order in which they came.

    Args:
        limit: how many; `None` lets every one through.

    Example:
        >>> async def one(slots):
        ...     queue = Queue()
        ...     async with slots.hold(queue):
        ...         return queue.longest
        >>> asyncio.run(one(Slots(1)))
        0.0
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._free = limit or 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._lock = ForkLock()

    @asynccontextmanager
    async def hold(self, queue: Queue) -> AsyncIterator[None]:
        """Hold a slot for as long as the block runs; notes in the queue how long it took to get one."""
        if self.limit is None:
            yield
            return
        start, queue.waiting = monotonic(), queue.waiting + 1
        try:
            had_to_wait = await self._take()
        finally:
            queue.waiting -= 1
        if had_to_wait:
            queue.longest = max(queue.longest, monotonic() - start)
        try:
            yield
        finally:
            self._give_back()

    async def _take(self) -> bool:
        """Take a slot; whether it had to be waited for."""
        with self._lock:
            if self._free:
                self._free -= 1
                return False
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
        try:
            await turn
        except BaseException:
            with self._lock:
                if turn in self._waiting:
                    self._waiting.remove(turn)
                    raise
            # It was its turn already: whoever comes next has it.
            self._give_back()
            raise
        return True

    def _give_back(self) -> None:
        with self._lock:
            while self._waiting:
                turn = self._waiting.popleft()
                loop = turn.get_loop()
                if not loop.is_closed():
                    loop.call_soon_threadsafe(_begin, turn)
                    return
            self._free += 1


def _begin(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)
