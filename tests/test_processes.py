"""Processes for work that may never end."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from uniscale_integrations.concurrency.processes import Workers, in_process
from uniscale_integrations.errors import NotInTime

BACKTRACKS = ("re", "search", "(a+)+b", "a" * 40)


def test_what_takes_too_long_is_killed_and_the_next_call_gets_another_process() -> None:
    workers = Workers(1)
    first = workers.call("os", "getpid", seconds=5)
    assert workers.call("os", "getpid", seconds=5) == first != os.getpid()
    with pytest.raises(NotInTime, match=r"search was not done in 0\.1 s"):
        workers.call(*BACKTRACKS, seconds=0.1)
    with pytest.raises(ProcessLookupError):
        os.kill(first, 0)
    assert workers.call("os", "getpid", seconds=5) != first
    workers.close()


def test_what_takes_too_much_memory_is_not_done_either() -> None:
    workers = Workers(1)
    with pytest.raises(NotInTime, match="memory"):
        workers.call("operator", "mul", "x" * 1000, 1 << 24, seconds=20)
    assert workers.call("math", "hypot", 3, 4, seconds=5) == 5.0
    workers.close()


def test_an_exception_is_told_and_costs_no_process() -> None:
    workers = Workers(1)
    first = workers.call("os", "getpid", seconds=5)
    with pytest.raises(RuntimeError, match="factorial raised ValueError"):
        workers.call("math", "factorial", -1, seconds=5)
    assert workers.call("os", "getpid", seconds=5) == first
    workers.close()


def test_what_a_function_prints_is_no_reply() -> None:
    workers = Workers(1)
    assert workers.call("builtins", "print", "begun", seconds=5) is None
    assert workers.call("math", "hypot", 3, 4, seconds=5) == 5.0
    workers.close()


def test_a_process_that_somebody_else_killed_is_replaced() -> None:
    workers = Workers(1)
    os.kill(workers.call("os", "getpid", seconds=5), signal.SIGKILL)
    assert workers.call("math", "hypot", 3, 4, seconds=5) == 5.0
    workers.close()


def test_a_path_among_those_of_modules_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, Path("/nowhere")])
    workers = Workers(1)
    assert workers.call("math", "hypot", 3, 4, seconds=5) == 5.0
    workers.close()


def test_many_callers_share_few_processes() -> None:
    workers = Workers(2)
    with ThreadPoolExecutor(8) as pool:
        processes = set(pool.map(lambda _: workers.call("os", "getpid", seconds=5), range(40)))
    assert 1 <= len(processes) <= 2
    workers.close()


def test_the_event_loop_goes_on_meanwhile() -> None:
    async def ticks() -> int:
        counted = 0
        judged = asyncio.ensure_future(in_process(*BACKTRACKS, seconds=0.5))
        while not judged.done():
            await asyncio.sleep(0.01)
            counted += 1
        with pytest.raises(NotInTime):
            await judged
        return counted

    assert asyncio.run(ticks()) >= 5


def test_a_process_forked_while_all_are_busy_has_its_own_too() -> None:
    workers = Workers(1)
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(workers.call, *BACKTRACKS, seconds=2.0)
        time.sleep(0.5)
        child = multiprocessing.get_context("fork").Process(target=_in_fork, args=(workers,))
        child.start()
        child.join(60)
        assert child.exitcode == 0
        with pytest.raises(NotInTime):
            busy.result()
    workers.close()


def _in_fork(workers: Workers) -> None:
    assert workers.call("math", "hypot", 3, 4, seconds=10) == 5.0
    workers.close()


def test_a_forked_process_has_processes_of_its_own() -> None:
    workers = Workers(1)
    first = workers.call("os", "getpid", seconds=5)
    child = multiprocessing.get_context("fork").Process(target=_in_fork, args=(workers,))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert workers.call("os", "getpid", seconds=5) == first
    workers.close()


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_a_process_ends_with_the_one_that_asks_it() -> None:
    script = """
import time
from uniscale_integrations.concurrency.processes import Workers
workers = Workers(1)
print(workers.call("os", "getpid", seconds=5), flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        worker = int(asking.stdout.readline())
        assert _runs(worker)
        asking.kill()
    end = time.monotonic() + 60
    while _runs(worker) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _runs(worker)


def _runs(process: int) -> bool:
    """Whether a process is there and has not ended, whoever should take note of its end."""
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
