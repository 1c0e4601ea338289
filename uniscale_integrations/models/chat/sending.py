"""How a chat model's requests are sent: in turn, in time, over live connections, and again where that may help."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from math import inf

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.models.chat.client import ChatClient, Completion, CompletionRequest
from uniscale_integrations.models.chat.connections import over_live_connections
from uniscale_integrations.models.chat.retry import retrying
from uniscale_integrations.models.chat.slots import Queue, Slots


class Sender:
    """Sends the requests of one model.

    Args:
        client: sends each.
        max_concurrency: requests at once; `None` for no limit.
        timeout: seconds for each request, all its tries together; `None` for no limit.
        retries: further tries after an error that may pass.

    Raises:
        ConfigurationError: a limit that allows nothing.
    """

    def __init__(self, client: ChatClient, max_concurrency: int | None, timeout: float | None, retries: int) -> None:
        if (
            (max_concurrency is not None and max_concurrency < 1)
            or retries < 0
            or (timeout is not None and not 0 < timeout < inf)
        ):
            raise ConfigurationError(
                "a chat model needs max_concurrency of at least 1, retries of at least 0 and a timeout above 0, "
                f"got {max_concurrency!r}, {retries!r} and {timeout!r}"
            )
        self._client, self._slots = client, Slots(max_concurrency)
        self._timeout, self._retries = timeout, retries
        self._plain = max_concurrency is None and timeout is None and retries == 0

    async def send(self, request: CompletionRequest, queue: Queue | None = None, seconds: float | None = None) -> Completion:
        """One reply.

        Args:
            request: what is wanted.
            queue: notes how long was waited for a slot.
            seconds: for this one, where there are fewer.

        Raises:
            TimeoutError: it took too long, all tries together.
            Exception: what the client raised.
        """
        limit = min((each for each in (seconds, self._timeout) if each is not None), default=None)
        try:
            if self._plain and limit is None:
                return await over_live_connections(self._client, request)
            async with self._slots.hold(queue or Queue()), asyncio.timeout(limit):
                if limit is None:
                    return await self._again(request)
                # In a task of its own a blocking call stays off the caller's thread, where nothing could give it up in time.
                return await asyncio.create_task(self._again(request))
        except TimeoutError as error:
            raise TimeoutError(str(error) or f"no answer within {limit} s") from error

    async def _again(self, request: CompletionRequest) -> Completion:
        """A reply that is asked for again where that may help, as long as nothing of one has been shown: that must not be said twice."""
        shown = False
        if request.emit is not None:
            emit = request.emit

            def noting(piece: object) -> None:
                nonlocal shown
                shown = True
                emit(piece)

            request = replace(request, emit=noting)
        return await retrying(lambda: over_live_connections(self._client, request), self._retries, lambda: not shown)
