"""Finding out once how a chat model continues a partial answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.models.chat.client import Asked, ChatClient, Continuation, Reply
from uniscale_integrations.models.chat.retry import may_pass
from uniscale_integrations.search.conversation import Conversation, Turn

Ask = Callable[[Asked], Awaitable[Reply]]

QUESTION = "Write the numbers from one to eight as words, in small letters, separated by single spaces, and nothing else."
SAID, NEXT = "one two three four", "five"
"""A partial answer, and the word that can only come next where it is continued."""


async def probed(
    client: ChatClient, ask: Ask | None = None, *, synchronous: bool = False
) -> tuple[Continuation, Usage, list[str], bool]:
    """The surest way in which a client's model continues an answer.

    Args:
        client: of the model.
        ask: sends a request; the client itself by default.
        synchronous: whether the client's model is asked by its synchronous methods.

    Returns:
        the way, what asking took, why others were passed over, and whether asking again would tell the same.
    """
    ask = ask or client.complete
    used, notes, sure = NOTHING, list[str](), True
    for way in client.continuations:
        if way is Continuation.WHOLE:
            break
        asked = Asked(Conversation((Turn("user", QUESTION),), synchronous=synchronous), SAID, way, max_tokens=16, temperature=0.0)
        try:
            reply = await ask(asked)
        except Exception as error:
            # Providers refuse what they do not know in many ways; whatever it was, this way is closed.
            notes.append(f"{client.name} does not continue by {way}: {error}")
            sure = sure and not (may_pass(error) or isinstance(error, TimeoutError))
            continue
        used = used.plus(reply.usage)
        if reply.text.strip().lower().startswith(NEXT):
            return way, used, notes, sure
        notes.append(f"{client.name} does not continue by {way}: it said {reply.text[:60]!r} after {SAID!r}")
    return Continuation.WHOLE, used, notes, sure
