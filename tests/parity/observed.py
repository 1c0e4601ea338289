"""A call that was made: what it sent, what it gave, and what it raised."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.parity.providers.wire import Request, Wire


@dataclass(frozen=True)
class Observed:
    """A call.

    Attributes:
        requests: that were sent.
        values: the result, or all that a stream gave.
        error: that was raised.
        streamed: whether it was asked for a stream.
        counted: tokens read and sampled, as the provider counted them, of all requests together.
    """

    requests: tuple[Request, ...]
    values: tuple[Any, ...]
    error: Exception | None
    streamed: bool
    counted: tuple[int, int]


def observe(wire: Wire, call: Callable[[], Any], *, asynchronous: bool) -> Observed:
    """Make a call.

    Args:
        wire: of the model.
        call: gives a result, an iterator, or an awaitable of either.
        asynchronous: whether it is made on an event loop.
    """
    wire.clear()
    values: list[Any] = []
    error: Exception | None = None
    streamed = False
    # Clients warn of what they are told; here it only matters what they do.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            streamed = asyncio.run(_awaited(call, values)) if asynchronous else _made(call, values)
        except Exception as raised:
            error = raised
    replies = list(wire.replies)
    counted = sum(reply.input_tokens for reply in replies), sum(reply.output_tokens for reply in replies)
    return Observed(tuple(wire.requests), tuple(values), error, streamed, counted)


def _made(call: Callable[[], Any], values: list[Any]) -> bool:
    found = call()
    streamed = isinstance(found, Iterator)
    if streamed:
        values.extend(found)
    else:
        values.append(found)
    return streamed


async def _awaited(call: Callable[[], Any], values: list[Any]) -> bool:
    found = call()
    if isinstance(found, Awaitable):
        found = await found
    if not isinstance(found, AsyncIterator):
        values.append(found)
        return False
    async for value in found:
        values.append(value)  # noqa: PERF401
    return True
