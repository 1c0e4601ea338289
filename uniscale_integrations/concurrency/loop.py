"""An event loop on a thread of its own, through which callers who do not await use the asynchronous core, also inside a running loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextvars import Context
from queue import SimpleQueue
from threading import Thread, current_thread
from typing import Any, TypeVar

from uniscale_integrations.concurrency.forks import ForkLock

Result = TypeVar("Result")
Item = TypeVar("Item")
Work = Callable[[], Coroutine[Any, Any, Result]]


class LoopThread:
    """Runs coroutines of other threads; started at first use, and anew in a forked process or when its thread has died.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name, self._lock = name, ForkLock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._process = 0
        self._inner_loop: LoopThread | None = None

    def run(self, work: Work[Result], context: Context) -> Result:
        """The result of a coroutine that runs in a context; interrupting the caller cancels it."""
        if self._thread is current_thread():
            # Something synchronous that this very loop runs asks again; waiting for itself it would wait for ever.
            return self._beside().run(work, context)
        future, cancel = self._started(work, context)
        try:
            return future.result()
        except BaseException:
            if not future.done():
                cancel()
            raise

    def iterate(self, work: Callable[[], AsyncIterator[Item]], context: Context) -> Iterator[Item]:
        """The items of an asynchronous iterator as they come; leaving off early closes it."""
        if self._thread is current_thread():
            yield from self._beside().iterate(work, context)
            return
        items: SimpleQueue[tuple[Item] | None] = SimpleQueue()

        async def drain() -> None:
            try:
                async for item in work():
                    items.put((item,))
            finally:
                items.put(None)

        future, cancel = self._started(drain, context)
        try:
            while (item := items.get()) is not None:
                yield item[0]
            future.result()
        finally:
            if not future.done():
                cancel()

    def _beside(self) -> LoopThread:
        """A thread for what this one, which waits for it, cannot do itself."""
        self._inner_loop = self._inner_loop or LoopThread(f"{self._name} nested")
        return self._inner_loop

    def _started(self, work: Work[Result], context: Context) -> tuple[Future[Result], Callable[[], object]]:
        """The outcome to come, and what cancels it."""
        loop, future = self._running(), Future[Result]()
        future.set_running_or_notify_cancel()
        tasks: list[asyncio.Task[Result]] = []

        def on_done(task: asyncio.Task[Result]) -> None:
            # However it ended, even before it had begun; those who wait for it would otherwise wait for ever.
            if task.cancelled():
                future.set_exception(asyncio.CancelledError())
            elif (error := task.exception()) is not None:
                future.set_exception(error)
            else:
                future.set_result(task.result())

        def start() -> None:
            tasks.append(loop.create_task(work(), context=context))
            tasks[0].add_done_callback(on_done)

        def stop() -> None:
            tasks[0].cancel()

        loop.call_soon_threadsafe(start)
        return future, lambda: loop.call_soon_threadsafe(stop)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None or self._process != os.getpid() or self._thread is None or not self._thread.is_alive():
                self._loop, self._process = asyncio.new_event_loop(), os.getpid()
                self._thread = Thread(target=_for_ever, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()
            return self._loop


def _for_ever(loop: asyncio.AbstractEventLoop) -> None:
    while True:
        try:
            loop.run_forever()
        except (KeyboardInterrupt, SystemExit):
            # Whoever awaits what raised it gets it too; a loop that ended with it would leave them and all others waiting.
            continue
        return


DEFAULT_LOOP = LoopThread("uniscale")
"""Where searches run whose callers do not await."""
