"""Requests that share batches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from uniscale_integrations.models.local.batching import SharedBatches


class Slow:
    """Squares numbers, the first time only when it is let go."""

    def __init__(self) -> None:
        self.started, self.let_go = threading.Event(), threading.Event()
        self.batches: list[list[int]] = []

    def __call__(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(numbers))
        self.started.set()
        assert self.let_go.wait(10)
        return [ValueError(f"{n} is negative") if n < 0 else n * n for n in numbers]


async def _started(slow: Slow) -> None:
    await asyncio.to_thread(slow.started.wait, 10)


def test_what_comes_while_a_batch_runs_goes_into_the_next_one() -> None:
    slow = Slow()
    batches: SharedBatches[int, int] = SharedBatches(slow)

    async def ask() -> list[int]:
        first = asyncio.create_task(batches.submit(1))
        await _started(slow)
        others = [asyncio.create_task(batches.submit(n)) for n in range(2, 40)]
        await asyncio.sleep(0.05)
        slow.let_go.set()
        return await asyncio.gather(first, *others)

    assert asyncio.run(ask()) == [n * n for n in range(1, 40)]
    assert slow.batches == [[1], list(range(2, 40))]


def test_a_cancelled_request_that_still_waits_is_never_served() -> None:
    slow = Slow()
    batches: SharedBatches[int, int] = SharedBatches(slow)

    async def ask() -> list[int]:
        first = asyncio.create_task(batches.submit(1))
        await _started(slow)
        second, third = asyncio.create_task(batches.submit(2)), asyncio.create_task(batches.submit(3))
        await asyncio.sleep(0.05)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        slow.let_go.set()
        return [await first, await third]

    assert asyncio.run(ask()) == [1, 9]
    assert slow.batches == [[1], [3]]


def test_a_cancelled_request_in_a_running_batch_leaves_the_others_their_replies() -> None:
    slow = Slow()
    batches: SharedBatches[int, int] = SharedBatches(slow)

    async def ask() -> int:
        first = asyncio.create_task(batches.submit(1))
        await _started(slow)
        second = asyncio.create_task(batches.submit(2))
        await asyncio.sleep(0.05)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        slow.let_go.set()
        return await second

    assert asyncio.run(ask()) == 4


def test_an_error_of_the_batch_reaches_every_caller() -> None:
    def serve(numbers: Sequence[int]) -> list[int | Exception]:
        raise RuntimeError(f"cannot do {len(numbers)}")

    batches: SharedBatches[int, int] = SharedBatches(serve)

    async def ask() -> list[int | BaseException]:
        return await asyncio.gather(*(batches.submit(n) for n in range(5)), return_exceptions=True)

    errors = asyncio.run(ask())
    assert all(isinstance(error, RuntimeError) for error in errors)
    assert len(errors) == 5


def test_a_reply_that_is_an_error_reaches_its_own_caller_alone() -> None:
    slow = Slow()
    slow.let_go.set()
    batches: SharedBatches[int, int] = SharedBatches(slow)

    async def ask() -> list[int]:
        first, second, third = (asyncio.create_task(batches.submit(n)) for n in (2, -1, 3))
        with pytest.raises(ValueError, match="-1 is negative"):
            await second
        return [await first, await third]

    assert asyncio.run(ask()) == [4, 9]
