"""One event loop on a thread of its own, so that callers who do not await can use the asynchronous core, also inside a running loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextvars import Context
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

Result = TypeVar("Result")
Item = TypeVar("Item")


class LoopThread:
    """Runs coroutines for threads that do not await; started at first use, and anew in a forked process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0

    def run(self, work: Callable[[], Coroutine[Any, Any, Result]], context: Context) -> Result:
        """The result of a coroutine that runs in a context; interrupting the caller cancels it."""
        future, task = self._started(work, context)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                self._running().call_soon_threadsafe(lambda: task.result().cancel())
            raise

    def iterate(self, work: Callable[[], AsyncIterator[Item]], context: Context) -> Iterator[Item]:
        """The items of an asynchronous iterator as they come; leaving off early closes it."""
        items: SimpleQueue[tuple[Item] | None] = SimpleQueue()

        async def drain() -> None:
            try:
                async for item in work():
                    items.put((item,))
            finally:
                items.put(None)

        future, task = self._started(drain, context)
        try:
            while (item := items.get()) is not None:
                yield item[0]
            future.result()
        finally:
            if not future.done():
                self._running().call_soon_threadsafe(lambda: task.result().cancel())

    def _started(
        self, work: Callable[[], Coroutine[Any, Any, Result]], context: Context
    ) -> tuple[Future[Result], Future[asyncio.Task[Result]]]:
        """The outcome to come, and the task once it has begun."""
        loop, future, begun = self._running(), Future[Result](), Future[asyncio.Task[Result]]()

        def start() -> None:
            task = loop.create_task(work(), context=context)
            begun.set_result(task)
            task.add_done_callback(finish)

        def finish(task: asyncio.Task[Result]) -> None:
            if task.cancelled():
                future.cancel()
            elif (error := task.exception()) is not None:
                future.set_exception(error)
            else:
                future.set_result(task.result())

        loop.call_soon_threadsafe(start)
        return future, begun

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._process != os.getpid():
                self._loop, self._process = asyncio.new_event_loop(), os.getpid()
                Thread(target=self._loop.run_forever, name="uniscale-loop", daemon=True).start()
            return self._loop


SHARED = LoopThread()
"""The loop of this process."""
