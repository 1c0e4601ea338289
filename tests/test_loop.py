"""Event loops on threads of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from contextvars import copy_context

import pytest

from uniscale_integrations.concurrency.loop import LoopThread


async def _after(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "there"


def test_whoever_ends_the_program_reaches_its_caller_and_nobody_else() -> None:
    loop = LoopThread("test")

    async def ends() -> None:
        raise SystemExit(3)

    async def awaits() -> None:
        await asyncio.gather(_after(0.01), asyncio.create_task(ends()))

    with pytest.raises(SystemExit, match="3"):
        loop.run(awaits, copy_context())
    assert loop.run(lambda: _after(0.0), copy_context()) == "there"


def test_asking_from_within_takes_no_new_thread_every_time() -> None:
    loop = LoopThread("test")

    async def asks() -> str:
        return loop.run(lambda: _after(0.0), copy_context())

    before = threading.active_count()
    for _ in range(10):
        loop.run(asks, copy_context())
    assert threading.active_count() <= before + 2


def test_it_asks_itself_on_another_loop() -> None:
    loop = LoopThread("test")

    async def asks() -> str:
        return loop.run(lambda: _after(0.0), copy_context())

    assert loop.run(asks, copy_context()) == "there"


def test_items_come_as_they_are_made_and_leaving_early_closes() -> None:
    closed = []

    async def numbers() -> AsyncGenerator[int]:
        try:
            for number in range(100):
                yield number
                await asyncio.sleep(0)
        finally:
            closed.append(True)

    loop = LoopThread("test")
    items = loop.iterate(numbers, copy_context())
    assert isinstance(items, Generator)
    assert [next(items), next(items)] == [0, 1]
    items.close()
    assert loop.run(lambda: _after(0.05), copy_context()) == "there"
    assert closed == [True]
