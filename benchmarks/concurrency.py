"""Many calls at once on a slow model: how long they take through the outer model, against the inner one alone.

The model is a server that speaks OpenAI's protocol, on loopback, in a process of its own; so the real clients do their real work, and the
server does not compete for the interpreter. It closes each connection with its reply: with idle ones the pool of httpcore looks at all of
them for each request and again for each of those, which takes several times as long as everything else, whoever calls, and it closes some
that it has just given to another thread. Twice as many calls of the inner model are the least that a search with two candidates can take.

What the frameworks and torch have loaded is kept from the garbage collector: to look through it takes it up to half a second, which it does
in some of the rounds, whoever calls.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from typing import Any

from httpx import Limits

Shape = tuple[int, int, int]
"""`(QP, CP, BS)`."""

MODEL = "slow"
"""The model's name, as of its configurations."""

SHAPES: tuple[Shape, ...] = ((1, 1, 1), (2, 1, 1))
"""What is measured."""

TEXT = "2 + 2 = 4.\nAnswer: 4"
"""What the model answers."""

MANY = Limits(max_connections=1000)
"""Of the clients: as many connections as there are calls."""

Call = Callable[[], object]
AsyncCall = Callable[[], Coroutine[Any, Any, object]]
Make = Callable[[str, Shape | None], tuple[Call, AsyncCall]]
"""Takes the server's address and a shape, `None` for the inner model alone; gives a call that blocks and one that is awaited.

Each time it is called the clients are new ones.
"""


def concurrency(make: Make, calls: int = 200, seconds: float = 1.0, rounds: int = 3) -> dict[str, float]:
    """Seconds that calls take at once, and how many times as long as the inner model's they take; medians over rounds, by turns.

    Args:
        make: see `Make`.
        calls: how many at once.
        seconds: that the model takes to answer.
        rounds: how often everything is measured.
    """
    measured: list[tuple[str, Shape | None, int]] = [("inner", None, calls), ("twice inner", None, 2 * calls)]
    measured += [(str(shape), shape, calls) for shape in SHAPES]
    taken: dict[str, list[float]] = {}
    with slow_server(seconds) as address, asyncio.Runner() as loop:
        for _, shape, _ in measured:
            # What is imported late is imported now.
            call, asynchronous = make(address, shape)
            call()
            loop.run(asynchronous())
        with loaded_uncollected():
            for _ in range(rounds):
                for name, shape, count in measured:
                    taken.setdefault(f"sync {name}", []).append(_in_threads(make(address, shape)[0], count))
                    taken.setdefault(f"async {name}", []).append(loop.run(_at_once(make(address, shape)[1], count)))
    return _told({name: median(times) for name, times in taken.items()})


@contextmanager
def loaded_uncollected() -> Iterator[None]:
    """Keep the garbage collector from what is there already, which takes it up to half a second to look through."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _told(seconds: Mapping[str, float]) -> dict[str, float]:
    figures = {f"{name} s": round(value, 2) for name, value in seconds.items()}
    for name, value in seconds.items():
        way, of = name.split(" ", 1)
        if of != "inner":
            figures[f"{name} ratio"] = round(value / seconds[f"{way} inner"], 2)
    return figures


def _in_threads(call: Call, calls: int) -> float:
    began = time.perf_counter()
    with ThreadPoolExecutor(calls) as pool:
        list(pool.map(lambda _: call(), range(calls)))
    return time.perf_counter() - began


async def _at_once(call: AsyncCall, calls: int) -> float:
    began = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(calls)))
    return time.perf_counter() - began


@contextmanager
def slow_server(seconds: float) -> Iterator[str]:
    """The address of a server that takes some seconds for each reply, as long as the block runs."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        listening.set_inheritable(True)
        descriptor = listening.fileno()
        command = [sys.executable, "-m", "benchmarks.concurrency", str(descriptor), str(seconds)]
        process = subprocess.Popen(command, pass_fds=[descriptor])
        try:
            # Who connects before it has started waits in the backlog.
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        finally:
            # It has nothing to keep, and would wait for its clients to let go.
            process.kill()
            process.wait()


def serve(descriptor: int, seconds: float) -> None:
    """Answer on a socket that is listening already, until terminated."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    message = {"role": "assistant", "content": TEXT}
    reply: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 12, "total_tokens": 24},
    }

    async def chat(request: Request) -> JSONResponse:
        await request.body()
        await asyncio.sleep(seconds)
        return JSONResponse(reply, headers={"connection": "close"})

    app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
    uvicorn.run(app, fd=descriptor, log_level="warning", timeout_keep_alive=3600)


if __name__ == "__main__":
    serve(int(sys.argv[1]), float(sys.argv[2]))
