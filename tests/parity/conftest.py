"""Event loops for LlamaIndex, and the server on the loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.parity.providers.wire import Loopback, loopback


@pytest.fixture(autouse=True)
def _loop() -> Iterator[None]:
    """LlamaIndex takes the thread's loop, or makes one that it never closes."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Loopback]:
    with loopback() as running:
        yield running
