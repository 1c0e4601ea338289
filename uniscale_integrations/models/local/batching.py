"""Requests that arrive while a batch is running go into the next batch together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Lock
from typing import Generic, TypeVar

Question = TypeVar("Question")
Reply = TypeVar("Reply")


class _Ticket(Generic[Question, Reply]):
    """One request and, once it was served, its reply or error."""

    __slots__ = ("done", "error", "question", "reply")

    def __init__(self, question: Question) -> None:
        self.question = question
        self.reply: Reply | None = None
        self.error: Exception | None = None
        self.done = False


class SharedBatches(Generic[Question, Reply]):
    """Serves concurrent requests with as few calls as possible, off the event loop, one call at a time.

    There is no worker to start or stop: whoever gets the lock serves everything that waits.

    Args:
        serve: takes the waiting requests and returns their replies in order; a reply that is an exception is raised to its own
            caller, an error that `serve` itself raises reaches all of them.

    Example:
        >>> batches = SharedBatches(lambda numbers: [n * n for n in numbers])
        >>> async def ask():
        ...     return await asyncio.gather(*(batches.submit(n) for n in range(4)))
        >>> asyncio.run(ask())
        [0, 1, 4, 9]
    """

    def __init__(self, serve: Callable[[Sequence[Question]], Sequence[Reply | Exception]]) -> None:
        self._serve = serve
        self._waiting: deque[_Ticket[Question, Reply]] = deque()
        self._lock = Lock()

    async def submit(self, question: Question) -> Reply:
        """Wait for the reply to one request."""
        ticket: _Ticket[Question, Reply] = _Ticket(question)
        self._waiting.append(ticket)
        try:
            await asyncio.to_thread(self._take_turn, ticket)
        except asyncio.CancelledError:
            with suppress(ValueError):
                self._waiting.remove(ticket)
            raise
        if ticket.error is not None:
            raise ticket.error
        return ticket.reply  # type: ignore[return-value]  # set wherever there is no error

    def _take_turn(self, ticket: _Ticket[Question, Reply]) -> None:
        with self._lock:
            if ticket.done:
                return
            tickets: list[_Ticket[Question, Reply]] = []
            while self._waiting:
                tickets.append(self._waiting.popleft())
            if not tickets:
                return
            try:
                replies = self._serve([one.question for one in tickets])
            except Exception as error:
                # Whatever went wrong belongs to every request of the batch, and each raises it to its own caller.
                for one in tickets:
                    one.error, one.done = error, True
                return
            for one, reply in zip(tickets, replies, strict=True):
                if isinstance(reply, Exception):
                    one.error = reply
                else:
                    one.reply = reply
                one.done = True
