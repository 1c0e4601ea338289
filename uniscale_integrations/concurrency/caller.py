"""Callers who do not await: an event loop on their own thread, which lets go of it for the blocking calls that they wait for.

Handing a request to another thread, its blocking call to a third, and both results back takes longer than deciding and logging. Nor does
any of it help, as long as that one call is all that the request waits for.
"""

from __future__ import annotations

import _thread
import asyncio
import atexit
import os
import selectors
import signal
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from threading import current_thread, main_thread
from types import BuiltinFunctionType
from typing import Any, TypeVar

from uniscale_integrations.concurrency.loop import DEFAULT_LOOP, Work
from uniscale_integrations.concurrency.threads import in_thread, outcome_of, settle

GRACE = 1.0
"""Seconds that a request may take to end when its caller was interrupted."""

ALARMS = tuple(getattr(signal, name) for name in ("SIGALRM", "SIGUSR1") if hasattr(signal, name))
"""Signals by which time limits and task queues end what takes too long: their handlers raise something, on the main thread."""

Result = TypeVar("Result")


async def blocking(call: Callable[[], Result]) -> Result:
    """The result of a blocking call, on the caller's thread while no loop runs there, or otherwise as of `in_thread`.

    It is made on the caller's thread where `CallerLoops` runs the request and the request's own task makes the call. What goes on beside
    others, or ends when the time is up, has a task of its own, and so a thread.

    Args:
        call: what to do.

    Raises:
        Exception: what the call raised.

    Example:
        >>> from threading import current_thread, main_thread
        >>> CALLER_LOOPS.run(lambda: blocking(current_thread), copy_context()) is main_thread()
        True
    """
    loop = asyncio.get_running_loop()
    if isinstance(loop, _CallerLoop) and loop.task is asyncio.current_task():
        return await loop.call_aside(call)
    return await in_thread(call)


class CallerLoops:
    """Runs coroutines on their callers' threads, over a few loops that are kept.

    `DEFAULT_LOOP` runs them where none is idle, and where the thread runs a loop already, is a greenlet, or may be ended by an alarm.

    Args:
        limit: how many loops there may be; each has two file descriptors.

    Example:
        >>> async def add():
        ...     return 2 + 2
        >>> CallerLoops(1).run(add, copy_context())
        4
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._places = self._empty_places()
        os.register_at_fork(after_in_child=self.close)
        atexit.register(self.close)

    def run(self, work: Work[Result], context: Context) -> Result:
        """The result of a coroutine that runs in a context; interrupting the caller cancels it."""
        places = self._places
        if not _may_serve():
            return DEFAULT_LOOP.run(work, context)
        try:
            loop = places.pop() or _CallerLoop()
        except (IndexError, OSError):
            # None is idle, or the process may open no more files.
            return DEFAULT_LOOP.run(work, context)
        try:
            task = loop.finish(work, context)
        except BaseException:
            # However far it was, no other request goes on from there.
            loop.close()
            places.appendleft(None)
            raise
        # In a process that was forked meanwhile these are not the places any more, since the loop is the other one's.
        places.append(loop)
        return task.result()

    def close(self) -> None:
        """Close the loops that are idle; others come in their places where they are needed."""
        places, self._places = self._places, self._empty_places()
        for loop in places:
            if loop is not None:
                loop.close()

    def _empty_places(self) -> deque[_CallerLoop | None]:
        return deque([None] * self._limit)


class _CallerLoop(asyncio.SelectorEventLoop):
    """A loop that its thread leaves where the task that it runs for waits for a blocking call.

    Attributes:
        task: which that is.
    """

    def __init__(self) -> None:
        # One of epoll or kqueue would be shared with forked processes, which would change it when they close theirs.
        super().__init__(getattr(selectors, "PollSelector", selectors.SelectSelector)())
        self.task: asyncio.Task[Any] | None = None
        self._make_call: Callable[[], None] | None = None

    def call_aside(self, call: Callable[[], Result]) -> asyncio.Future[Result]:
        """What a blocking call gives that is made in a copy of the context when the thread has left the loop."""
        future: asyncio.Future[Result] = self.create_future()
        self._make_call = partial(_make, call, copy_context(), future)
        self.stop()
        return future

    def finish(self, work: Work[Result], context: Context) -> asyncio.Task[Result]:
        """The task of a coroutine, when it is done; where the thread is interrupted, it is cancelled first."""
        task = self.task = self.create_task(work(), context=context)
        task.add_done_callback(_stop_loop)
        try:
            with _Interrupts(self, task):
                while not task.done():
                    self.run_forever()
                    make, self._make_call = self._make_call, None
                    if make is not None:
                        make()
        except BaseException:
            self.task = None
            if task.cancel():
                self.call_later(GRACE, self.stop)
                self.run_forever()
            raise
        self.task = None
        return task


class _Interrupts:
    """Ctrl-C on a loop's thread: while the loop runs it cancels the task, so that nothing stays half done, as under `asyncio.run`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
        self._loop, self._task = loop, task
        self._installed = self._interrupted = False

    def __enter__(self) -> None:
        if current_thread() is main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self)
            self._installed = True

    def __exit__(self, *exception: object) -> None:
        if self._installed and signal.getsignal(signal.SIGINT) is self:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._interrupted and self._task.cancelled():
            raise KeyboardInterrupt

    def __call__(self, number: int, frame: object) -> None:
        if not self._loop.is_running() or self._interrupted or self._task.done():
            raise KeyboardInterrupt
        self._interrupted = True
        self._task.cancel()
        # It may be waiting for something to happen.
        self._loop.call_soon_threadsafe(lambda: None)


def _make(call: Callable[[], Result], context: Context, future: asyncio.Future[Result]) -> None:
    """Make a call, and settle a future with what came of it, unless it was the thread that was interrupted."""
    if future.done():
        return
    error, result = outcome_of(partial(context.run, call))
    if error is not None and not isinstance(error, (Exception, asyncio.CancelledError)):
        raise error
    settle(future, error, result)


def _stop_loop(task: asyncio.Task[Any]) -> None:
    task.get_loop().stop()


def _may_serve() -> bool:
    """Whether a loop can run on this thread, and whatever a blocking call raises there is the call's own."""
    if not isinstance(_thread.start_new_thread, BuiltinFunctionType):
        # Threads are greenlets of gevent or eventlet, many of which share a thread and what runs on it.
        return False
    if current_thread() is main_thread() and any(callable(signal.getsignal(each)) for each in ALARMS):
        # A model would have failed, and the next one be asked, where it was the caller whose time was up.
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return True
    return False


CALLER_LOOPS = CallerLoops(8)
"""Of this process."""
