"""Requests over connections that an event loop has left behind.

Clients keep connections that belong to the loop which opened them, and a program that calls `asyncio.run` again goes on with another one.
What is sent over such a connection fails before it has left; the client drops the connection then, and the request may be sent anew.
"""

from __future__ import annotations

from uniscale_integrations.models.chat.client import ChatClient, Completion, CompletionRequest, InterruptedReply

MAX_STALE = 20
"""Connections of another loop that one request may come upon."""

SIGNS = ("event loop is closed", "different loop", "different event loop")
"""What asyncio says, in small letters, of what belongs to another loop."""


async def over_live_connections(client: ChatClient, request: CompletionRequest) -> Completion:
    """One reply; sent anew as long as the client's connections turn out to belong to another loop.

    Raises:
        Exception: what the client raised.
    """
    for _ in range(MAX_STALE):
        try:
            return await client.complete(request)
        except Exception as error:
            # What has come of a stream may have been shown, and must not be said twice.
            if isinstance(error, InterruptedReply) or not stale(error):
                raise
    return await client.complete(request)


def stale(error: BaseException) -> bool:
    """Whether an error comes of a connection, or a lock, of another event loop.

    Example:
        >>> stale(RuntimeError("Event loop is closed")), stale(RuntimeError("out of memory"))
        (True, False)
    """
    cause: BaseException | None = error
    seen = set[int]()
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, RuntimeError) and any(sign in str(cause).lower() for sign in SIGNS):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
