"""Many requests side by side, for demonstrations, reports and tables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.ports import Generator, Verifier
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import arun


async def arun_many(
    requests: Sequence[Request],
    generator: Generator,
    verifier: Verifier | None,
    *,
    at_once: int = 32,
    done: Callable[[int, Answer], None] = lambda index, answer: None,
) -> list[Answer]:
    """Answer all requests, at most `at_once` at a time; a local model serves those together in shared batches.

    Args:
        done: told each answer with its request's index, as it comes.

    Returns:
        the answers in the order of the requests.

    Raises:
        ConfigurationError: `at_once` is below 1.
        Exception: what the first request that failed raised, a `UniScaleError` where it was raised on purpose; the others are
            cancelled.
    """
    if at_once < 1:
        raise ConfigurationError(f"at_once must be at least 1, got {at_once}")
    gate = asyncio.Semaphore(at_once)

    async def one(index: int, request: Request) -> Answer:
        async with gate:
            answer = await arun(request, generator, verifier)
        done(index, answer)
        return answer

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(index, request)) for index, request in enumerate(requests)]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
