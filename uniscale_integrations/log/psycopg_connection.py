"""Connections to PostgreSQL that wait for a server no longer than they are told to."""

from __future__ import annotations

import time
from collections.abc import Generator
from math import inf
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.rows import TupleRow

CONNECT_SECONDS = 10
"""How long a server may take to let somebody in."""

ANSWER_SECONDS = 15.0
"""How long it may take for one statement, before the connection is given up."""

SETTINGS = (
    # Of a database that does not know what its texts are written in, the driver would give bytes.
    "SET client_encoding = 'UTF8'",
    # Somebody else's transaction that is left open must not hold this one for ever,
    "SET lock_timeout = '10s'",
    # nor this one, of a process that has been stopped in the middle of it, everybody else.
    "SET idle_in_transaction_session_timeout = '15s'",
)
"""Of each session."""

Result = TypeVar("Result")


class BoundedConnection(psycopg.Connection[TupleRow]):
    """A connection that is closed where the server does not answer in time.

    A server may hang while its host still acknowledges what it is sent, so that neither the network nor the server itself ends the wait.

    Attributes:
        seconds: that a statement may take.
    """

    seconds: float = ANSWER_SECONDS

    def wait(self, gen: PQGen[Result], *args: Any, **kwargs: Any) -> Result:
        """As of psycopg.

        Raises:
            psycopg.OperationalError: the server did not answer in time; the connection is closed.
        """
        try:
            return super().wait(_bounded(gen, self.seconds), *args, **kwargs)
        except _NoAnswer:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"the server has not answered for {self.seconds:g} s") from None


class _NoAnswer(Exception):
    """Time is up."""


def _bounded(steps: PQGen[Result], seconds: float) -> Generator[Any, Any, Result]:
    """The same steps, which are taken again and again while nothing comes, until time is up."""
    if seconds == inf:
        return (yield from steps)
    ends = time.monotonic() + seconds
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > ends:
                raise _NoAnswer
            wanted = steps.send(ready)
    except StopIteration as end:
        result: Result = end.value
        return result
    finally:
        steps.close()
