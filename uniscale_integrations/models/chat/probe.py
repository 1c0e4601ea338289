"""Finding out once how a chat model continues a partial answer."""

from __future__ import annotations

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.models.chat.client import Asked, ChatClient, Continuation
from uniscale_integrations.search.conversation import Conversation, Turn

QUESTION = "Write the numbers from one to eight as words, in small letters, separated by single spaces, and nothing else."
SAID, NEXT = "one two three four", "five"
"""A partial answer, and the word that can only come next where it is continued."""


async def probed(client: ChatClient) -> tuple[Continuation, Usage, list[str]]:
    """The surest way in which a client's model continues an answer, what asking took, and why other ways were passed over."""
    used, notes = NOTHING, list[str]()
    for way in client.continuations:
        if way is Continuation.WHOLE:
            break
        asked = Asked(Conversation((Turn("user", QUESTION),)), SAID, way, max_tokens=16, temperature=0.0)
        try:
            reply = await client.complete(asked)
        except Exception as error:
            # Providers refuse what they do not know in many ways; whatever it was, this way is closed.
            notes.append(f"{client.name} does not continue by {way}: {error}")
            continue
        used = used.plus(reply.usage)
        if reply.text.strip().lower().startswith(NEXT):
            return way, used, notes
        notes.append(f"{client.name} does not continue by {way}: it said {reply.text[:60]!r} after {SAID!r}")
    return Continuation.WHOLE, used, notes
