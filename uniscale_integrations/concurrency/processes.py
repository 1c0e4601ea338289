"""Work whose time depends on what a stranger has written, in processes of their own that are killed when it takes too long.

Neither a thread nor an event loop can stop a regular expression that backtracks or a sum that does not fit into memory: both hold the
interpreter until they are done. A process can be killed, and the next call starts another.
"""

from __future__ import annotations

import atexit
import faulthandler
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from threading import BoundedSemaphore, Lock, Timer
from typing import IO, Any, cast

from uniscale_integrations.concurrency.threads import in_thread
from uniscale_integrations.errors import NotInTime, WorkersBusy

MAX_MEMORY = 2 << 30
"""Bytes of address space that a process may take, where the system can limit it."""

START = 30.0
"""Seconds that a process may take to start and to import what it needs, on however busy a machine."""

MAX_WAIT = 5.0
"""Seconds that a call waits for others to end."""

_BOOT = """
import json, sys
sys.path[:] = json.loads(sys.stdin.buffer.readline())
from uniscale_integrations.concurrency.processes import serve
serve()
"""


class Workers:
    """Processes that call functions; started when they are first needed, replaced where they had to be killed.

    Args:
        limit: how many there may be; further calls wait for one.

    Example:
        >>> Workers(1).call("math", "hypot", 3, 4, seconds=1.0)
        5.0
    """

    def __init__(self, limit: int) -> None:
        self._free, self._lock = BoundedSemaphore(limit), Lock()
        self._limit, self._idle = limit, list[_Worker]()
        self._process = os.getpid()
        atexit.register(self.close)
        os.register_at_fork(after_in_child=self._after_fork)

    def call(self, module: str, function: str, *arguments: Any, seconds: float) -> Any:
        """What a function of a module returns; blocks until it has, or the time is up.

        Starting a process and importing the module do not count: a module may have a function `warm`, which is called first.

        Args:
            module: where the function is.
            function: its name.
            arguments: JSON values.
            seconds: that the call may take.

        Raises:
            NotInTime: it took too long or too much memory; `Crowded` where no process can be had.
            RuntimeError: the function raised something.
        """
        if not self._free.acquire(timeout=MAX_WAIT):
            raise WorkersBusy(f"{function} found all processes busy for {MAX_WAIT:g} s")
        try:
            return self._call([module, function, arguments, seconds], function, seconds)
        finally:
            self._free.release()

    def close(self) -> None:
        """End those that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        if self._process == os.getpid():
            for worker in idle:
                worker.end()

    def _after_fork(self) -> None:
        """Begin anew in a forked process: processes answer the one that has started them, and whoever waited for one is not there."""
        self._free, self._lock, self._idle, self._process = BoundedSemaphore(self._limit), Lock(), [], os.getpid()

    def _call(self, request: list[Any], function: str, seconds: float) -> Any:
        for _ in range(2):
            worker = self._take()
            try:
                reply = worker.reply(request, seconds)
            except BaseException:
                worker.end()
                raise
            if reply is not None:
                break
            worker.end()
            if worker.begun:
                raise NotInTime(f"{function} was not done in {seconds:g} s, or took too much memory")
            # It had ended before it was asked; another may do better.
        else:
            raise WorkersBusy(f"no process could be had for {function}")
        with self._lock:
            self._idle.append(worker)
        if "error" in reply:
            raise RuntimeError(f"{function} raised {reply['error']}")
        return reply["result"]

    def _take(self) -> _Worker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _Worker()


class _Worker:
    """One process. Its replies are read by one thread at a time."""

    def __init__(self) -> None:
        if not sys.executable or getattr(sys, "frozen", False):
            raise WorkersBusy("there is no Python interpreter to start a process with")
        command = [sys.executable, "-I", "-c", _BOOT]
        try:
            # Unlike multiprocessing, this does not run the main module again, whose author may not have provided for that.
            pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing)
        except OSError as error:
            raise WorkersBusy(f"no process could be started: {error}") from error
        self._wishes, self._replies = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        self._send([str(entry) for entry in sys.path])
        self.begun = False

    def reply(self, request: list[Any], seconds: float) -> dict[str, Any] | None:
        """The reply; `None` where it came to its end, by itself or because the time was up."""
        self.begun = False
        if self._within(START, lambda: self._exchange(request)) is None:
            return None
        self.begun = True
        line = self._within(seconds, self._replies.readline)
        return None if line is None else json.loads(line)

    def _exchange(self, request: list[Any]) -> bytes:
        """That it has begun; a process that does not read lets no long request in either."""
        self._send(request)
        return self._replies.readline()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._wishes, self._replies):
            with suppress(OSError):
                pipe.close()

    def _send(self, value: Any) -> None:
        with suppress(OSError):
            # Where it has ended there is no reply either.
            self._wishes.write(json.dumps(value).encode() + b"\n")
            self._wishes.flush()

    def _within(self, seconds: float, operation: Callable[[], bytes]) -> bytes | None:
        """What is read in that time; `None` where the process came to its end before."""
        # A file cannot be read with a time limit everywhere; the end of a process that is killed can.
        timer = Timer(seconds, self._process.kill)
        timer.daemon = True
        timer.start()
        try:
            return operation() or None
        finally:
            timer.cancel()


def serve() -> None:
    """Answer what the standard input asks, until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_WRONLY)
    # What functions print would be taken for replies.
    os.dup2(nothing, 1)
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    modules: dict[str, Any] = {}
    for line in sys.stdin.buffer:
        name, function, arguments, seconds = json.loads(line)
        if name not in modules:
            modules[name] = import_module(name)
            getattr(modules[name], "warm", lambda: None)()
        _reply(replies, b"begun")
        # The caller kills this process in time; nobody does where the caller has been killed.
        faulthandler.dump_traceback_later(2 * seconds + 1, exit=True, file=nothing)
        try:
            reply: dict[str, Any] = {"result": getattr(modules[name], function)(*arguments)}
        except MemoryError:
            return
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"[:1000]}
        faulthandler.cancel_dump_traceback_later()
        _reply(replies, json.dumps(reply).encode())


def _reply(replies: Any, line: bytes) -> None:
    replies.write(line + b"\n")
    replies.flush()


WORKERS = Workers(4)
"""Of this process."""


async def in_process(module: str, function: str, *arguments: Any, seconds: float) -> Any:
    """`Workers.call` for who awaits; the event loop goes on meanwhile. Cancelling leaves the call to its end.

    Raises:
        NotInTime: see there.
        RuntimeError: likewise.

    Example:
        >>> import asyncio
        >>> asyncio.run(in_process("math", "hypot", 3, 4, seconds=1.0))
        5.0
    """
    call: Callable[[], Any] = partial(WORKERS.call, module, function, *arguments, seconds=seconds)
    return await in_thread(call)
