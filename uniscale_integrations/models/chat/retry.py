"""Trying again after an error that may pass."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from time import monotonic, time
from typing import TypeVar

from uniscale_integrations.errors import MissingExtraError
from uniscale_integrations.models.chat.client import InterruptedReply
from uniscale_integrations.models.chat.watch import time_is_up_at
from uniscale_integrations.models.faults import status_of

PASSING = (408, 409, 425, 429, 500, 502, 503, 504, 529)
"""HTTP states after which the same request may succeed."""

MAX_WAIT = 60.0
"""Most seconds that are waited, whatever a server asks for."""

Result = TypeVar("Result")


async def retrying(call: Callable[[], Awaitable[Result]], retries: int, still: Callable[[], bool] = lambda: True) -> Result:
    """The result of a call, tried again after an error that may pass; as late as the server asked for with `Retry-After`.

    Args:
        call: what to do.
        retries: how often to do it again.
        still: whether that makes sense now.

    Raises:
        Exception: what the last try raised.
    """
    if not retries:
        return await call()
    try:
        from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential
    except ImportError as error:
        raise MissingExtraError("trying requests again", "langchain") from error
    backoff = wait_random_exponential(multiplier=0.5, max=20.0)

    def wait(state: RetryCallState) -> float:
        seconds = retry_after(state.outcome.exception() if state.outcome else None)
        return backoff(state) if seconds is None else min(seconds, MAX_WAIT)

    def in_time(error: BaseException) -> bool:
        # Another model may answer at once.
        return monotonic() + (retry_after(error) or 0.0) < time_is_up_at()

    passing = retry_if_exception(lambda error: may_pass(error) and still() and in_time(error))
    async for attempt in AsyncRetrying(stop=stop_after_attempt(retries + 1), wait=wait, retry=passing, reraise=True):
        with attempt:
            return await call()
    raise AssertionError("the last try either returns or raises")


def may_pass(error: BaseException) -> bool:
    """Whether the same request may succeed later: a state of `PASSING`, or a connection that failed."""
    if isinstance(error, InterruptedReply):
        error = error.error
    status = status_of(error)
    if status is not None:
        return status in PASSING
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, ConnectionError) or not kinds.isdisjoint(("TransportError", "APIConnectionError"))


def retry_after(error: BaseException | None) -> float | None:
    """Seconds that a server asked to wait, where it did."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    header = headers.get("retry-after") if headers is not None else None
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time())
    except ValueError:
        return None
