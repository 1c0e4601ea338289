"""Blocking calls off the event loop, each on a daemon thread of its own for as long as it runs.

The default executor has a handful of threads on a small machine, so that a few calls that hang would hold up all others, and its threads
keep the process from ending. Here a call takes a thread that is idle, or a new one.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import Any, TypeVar

IDLE = 30.0
"""Seconds after which a thread that has nothing to do ends."""

LONG = 4_000
"""Characters of a text that takes about a millisecond to read."""


class _Reading:
    """Held by whoever reads."""

    lock = Lock()


_reading = _Reading()


Result = TypeVar("Result")
Item = TypeVar("Item")


async def in_thread(call: Callable[[], Result]) -> Result:
    """The result of a blocking call, made in a copy of the caller's context. Cancelling abandons the call, which nothing can stop.

    Args:
        call: what to do.

    Raises:
        Exception: what the call raised.

    Example:
        >>> asyncio.run(in_thread(lambda: 2 + 2))
        4
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()
    context = copy_context()

    def work() -> None:
        error, result = outcome_of(partial(context.run, call))
        with suppress(RuntimeError):
            # The loop may have been closed since; then nobody waits any more.
            loop.call_soon_threadsafe(settle, future, error, result)

    _hand_over(work)
    return await future


def begin_in_thread(call: Callable[[], Result]) -> Future[Result]:
    """Begin a blocking call; its result is there for whoever waits for it, and it goes on where nobody does.

    Example:
        >>> begin_in_thread(lambda: 2 + 2).result()
        4
    """
    future: Future[Result] = Future()
    future.set_running_or_notify_cancel()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    _hand_over(work)
    return future


async def wait_a_while(future: Future[Any], seconds: float) -> bool:
    """Wait on an event loop for what another thread does, and no longer than some time; returns whether it is done.

    Example:
        >>> asyncio.run(wait_a_while(begin_in_thread(lambda: None), 5.0)), asyncio.run(wait_a_while(Future(), 0.01))
        (True, False)
    """
    if not future.done():
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def wake(_: object) -> None:
            with suppress(RuntimeError):
                # As in `in_thread`.
                loop.call_soon_threadsafe(settle, done, None, None)

        future.add_done_callback(wake)
        timer = loop.call_later(seconds, settle, done, None, None)
        try:
            await done
        finally:
            timer.cancel()
    return future.done()


def outcome_of(call: Callable[[], Result]) -> tuple[BaseException | None, Result | None]:
    """What a call raised, and what it gave where that is nothing."""
    try:
        return None, call()
    except BaseException as error:
        return error, None


def settle(future: asyncio.Future[Result], error: BaseException | None, result: Result | None) -> None:
    """Set a future to what came of a call, unless nobody waits for it any more."""
    if future.done():
        return
    if error is None:
        future.set_result(result)  # type: ignore[arg-type]  # the result, where there is no error
    else:
        future.set_exception(RuntimeError(f"the call raised {error!r}") if isinstance(error, StopIteration) else error)


async def read_aside(reader: Callable[[str], Result], text: str) -> Result:
    """What reading a text gives; a long one is read beside the event loop, one after the other, so that others get their turn.

    Args:
        reader: takes time linear in the length of the text, and holds the interpreter for a few milliseconds at once.
        text: what is read.

    Example:
        >>> asyncio.run(read_aside(str.split, "a b"))
        ['a', 'b']
    """
    if len(text) <= LONG:
        return reader(text)

    def one_at_a_time() -> Result:
        with _reading.lock:
            return reader(text)

    return await in_thread(one_at_a_time)


async def iterate_in_thread(items: Callable[[], Iterator[Item]]) -> AsyncIterator[Item]:
    """The items of a blocking iterator as they come, all of them made on one thread; leaving off early closes it after the next item.

    Args:
        items: makes the iterator.

    Raises:
        Exception: what the iterator raised.

    Example:
        >>> async def collect():
        ...     return [item async for item in iterate_in_thread(lambda: iter("abc"))]
        >>> asyncio.run(collect())
        ['a', 'b', 'c']
    """
    loop, queue, stop = asyncio.get_running_loop(), asyncio.Queue[tuple[Item] | None](), Event()

    def work() -> None:
        iterator: Iterator[Item] | None = None
        try:
            iterator = items()
            for item in iterator:
                if stop.is_set():
                    return
                loop.call_soon_threadsafe(queue.put_nowait, (item,))
        finally:
            if close := getattr(iterator, "close", None):
                close()
            with suppress(RuntimeError):
                # As in `in_thread`.
                loop.call_soon_threadsafe(queue.put_nowait, None)

    running = asyncio.ensure_future(in_thread(work))
    try:
        while (entry := await queue.get()) is not None:
            yield entry[0]
        await running
    finally:
        stop.set()
        if not running.done():
            running.cancel()


class _Worker(Thread):
    """A thread that does one thing after another."""

    def __init__(self) -> None:
        super().__init__(name="uniscale call", daemon=True)
        self.work: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def run(self) -> None:
        while True:
            try:
                self.work.get(timeout=IDLE)()
            except Empty:
                try:
                    _idle.remove(self)
                except ValueError:
                    # Somebody has just taken it, and is about to hand it something.
                    continue
                return
            _idle.append(self)


_idle: deque[_Worker] = deque()
"""Threads that have nothing to do, the last one that had something last."""


def _after_fork() -> None:
    """Forget threads, which do not live on in a forked process, and what they held."""
    _idle.clear()
    _reading.lock = Lock()


os.register_at_fork(after_in_child=_after_fork)


def _hand_over(work: Callable[[], None]) -> None:
    """Have a thread do something that raises nothing."""
    try:
        worker = _idle.pop()
    except IndexError:
        worker = _Worker()
        worker.start()
    worker.work.put(work)
