"""Event loops on the threads of those who do not await."""

from __future__ import annotations

import _thread
import asyncio
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier, Timer, current_thread
from typing import Any

import pytest

from uniscale_integrations.concurrency import caller
from uniscale_integrations.concurrency.caller import CallerLoops, blocking

FILES = Path("/proc/self/fd")

_mark: ContextVar[str] = ContextVar("mark", default="nothing")


@pytest.fixture
def loops() -> CallerLoops:
    return CallerLoops(2)


def _run(loops: CallerLoops, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return loops.run(work, copy_context())


async def _here() -> tuple[threading.Thread, threading.Thread]:
    return current_thread(), await blocking(current_thread)


def _interrupt(after: float) -> None:
    Timer(after, lambda: os.kill(os.getpid(), signal.SIGINT)).start()


def test_loop_and_blocking_call_take_turns_on_the_caller_s_thread(loops: CallerLoops) -> None:
    assert _run(loops, _here) == (current_thread(), current_thread())
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: _run(loops, _here) == (current_thread(), current_thread())).result()


def test_a_blocking_call_may_run_a_loop_or_ask_in_the_same_way(loops: CallerLoops) -> None:
    async def outer() -> Any:
        return [await blocking(lambda: asyncio.run(_here())[0]), await blocking(lambda: _run(loops, _here)[1])]

    assert _run(loops, outer) == [current_thread()] * 2


def test_where_a_loop_runs_already_or_none_is_idle_another_thread_serves(loops: CallerLoops) -> None:
    async def inside() -> Any:
        return _run(loops, _here)

    async def nested(depth: int) -> Any:
        return await blocking(lambda: _run(loops, (lambda: nested(depth - 1)) if depth else _here))

    for served in (asyncio.run(inside()), _run(loops, lambda: nested(1))):
        assert current_thread() not in served
    assert _run(loops, _here) == (current_thread(), current_thread())


def test_greenlets_in_the_place_of_threads_are_served_by_one_of_their_own(
    loops: CallerLoops, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As gevent's `patch_all` does.
    monkeypatch.setattr(_thread, "start_new_thread", partial(_thread.start_new_thread))
    assert current_thread() not in _run(loops, _here)


def test_what_goes_on_beside_others_or_ends_in_time_stays_off_the_caller_s_thread(loops: CallerLoops) -> None:
    async def both() -> Any:
        return await asyncio.gather(_here(), _here())

    async def hangs() -> None:
        async with asyncio.timeout(0.05):
            await asyncio.create_task(blocking(lambda: held.wait(10)))

    held = threading.Event()
    assert all(thread is current_thread() is not worker for thread, worker in _run(loops, both))
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        _run(loops, hangs)
    assert time.monotonic() - began < 5
    held.set()


def test_what_a_call_raises_comes_with_its_traceback(loops: CallerLoops) -> None:
    def fails() -> None:
        raise LookupError("not there")

    async def exhausted() -> None:
        await blocking(lambda: next(iter(())))

    with pytest.raises(LookupError, match="not there") as caught:
        _run(loops, lambda: blocking(fails))
    assert "fails" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    with pytest.raises(RuntimeError, match="StopIteration"):
        _run(loops, exhausted)
    with pytest.raises(asyncio.CancelledError):
        _run(loops, lambda: blocking(lambda: asyncio.run(_cancels_itself())))
    assert _run(loops, _here) == (current_thread(), current_thread())


async def _cancels_itself() -> None:
    raise asyncio.CancelledError


def test_a_call_sees_a_copy_of_the_request_s_context(loops: CallerLoops) -> None:
    def call() -> str:
        seen = _mark.get()
        _mark.set("the call's")
        return seen

    async def work() -> list[str]:
        _mark.set("the request's")
        return [await blocking(call), _mark.get()]

    context = copy_context()
    context.run(_mark.set, "the caller's")
    assert loops.run(lambda: blocking(call), context) == "the caller's"
    assert _run(loops, work) == ["the request's"] * 2
    assert _mark.get() == "nothing"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_whoever_is_interrupted_in_a_call_has_the_request_cancelled_first(loops: CallerLoops, error: type[BaseException]) -> None:
    said: list[str] = []

    def call() -> None:
        raise error

    async def work() -> None:
        try:
            await blocking(call)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            said.append("cancelled")
            raise

    for _ in range(5):
        with pytest.raises(error):
            _run(loops, work)
        assert _run(loops, _here) == (current_thread(), current_thread())
    assert said == ["cancelled"] * 5


@pytest.fixture
def _hears() -> Iterator[None]:
    """Whoever runs the tests in the background may have them ignore the signal, and a process inherits that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_hears")
def test_ctrl_c_reaches_whoever_blocks_and_cancels_what_awaits(loops: CallerLoops) -> None:
    said: list[str] = []

    async def work(wait: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await wait()
        except asyncio.CancelledError:
            said.append("cancelled")
            raise

    for wait in (lambda: blocking(lambda: time.sleep(20)), lambda: asyncio.sleep(20)):
        _interrupt(0.1)
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            _run(loops, lambda: work(wait))  # noqa: B023  # it runs now
        assert time.monotonic() - began < 10
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert said == ["cancelled"] * 2


@pytest.mark.usefixtures("_hears")
def test_a_second_ctrl_c_does_not_wait_for_a_request_that_will_not_end(
    loops: CallerLoops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caller, "GRACE", 0.05)
    ends: list[asyncio.Future[None]] = []

    async def stubborn() -> None:
        while True:
            ends.append(asyncio.get_running_loop().create_future())
            try:
                await ends[-1]
            except asyncio.CancelledError:
                continue

    _interrupt(0.1)
    _interrupt(0.4)
    began = time.monotonic()
    # Nobody goes on with it, which asyncio complains about when it is thrown away.
    with pytest.raises(KeyboardInterrupt):
        _run(loops, stubborn)
    assert time.monotonic() - began < 10
    assert len(ends) == 3


@pytest.mark.skipif(not FILES.exists(), reason="nothing tells the open files here")
def test_many_callers_at_once_open_few_files(loops: CallerLoops) -> None:
    opened: list[int] = []
    before, barrier = _open_files(), Barrier(200, lambda: opened.append(_open_files()))
    with ThreadPoolExecutor(200) as pool:
        done = list(pool.map(lambda number: _run(loops, lambda: _waits(barrier, number)), range(200)))
    assert done == list(range(200))
    # Two loops of two files, and those of the loop that serves all others.
    assert opened[0] <= before + 2 * 2 + 3
    loops.close()
    assert _open_files() <= before + 3


def _open_files() -> int:
    return len(list(FILES.iterdir()))


async def _waits(barrier: Barrier, number: int) -> int:
    await blocking(lambda: barrier.wait(60))
    return number


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_has_loops_of_its_own(loops: CallerLoops) -> None:
    def forked() -> int:
        assert _run(loops, _here) == (current_thread(), current_thread())
        child = get_context("fork").Process(target=_in_fork, args=(loops,))
        child.start()
        child.join(60)
        assert child.exitcode is not None
        return child.exitcode

    async def work() -> int:
        return await blocking(forked)

    _run(loops, _here)
    assert forked() == 0
    # While a loop is in use, it is the parent's as well.
    assert _run(loops, work) == 0
    assert _run(loops, lambda: asyncio.wait_for(asyncio.to_thread(lambda: 5), 10)) == 5


def _in_fork(loops: CallerLoops) -> None:
    assert [_run(loops, _here) for _ in range(3)] == [(current_thread(), current_thread())] * 3
