"""Finding out once how a chat model continues a partial answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.models.chat.client import Asked, ChatClient, Continuation, Reply
from uniscale_integrations.models.chat.retry import may_pass
from uniscale_integrations.search.conversation import Conversation, Turn

Ask = Callable[[Asked], Awaitable[Reply]]

QUESTION = "Write the numbers from one to eight as words, in small letters, separated by single spaces, and nothing else."
SAID, NEXT = "Here they come: one two three four", "five"
"""A partial answer that nobody would give without being told, and the word that can only come next where it is continued."""


@dataclass(frozen=True, slots=True)
class Probed:
    """How a model continues an answer.

    Attributes:
        way: the surest that it knows.
        echoes: whether its replies begin with what was said before.
        usage: what asking took.
        notes: why other ways were passed over.
        sure: whether asking again would tell the same.
    """

    way: Continuation
    echoes: bool = False
    usage: Usage = NOTHING
    notes: tuple[str, ...] = ()
    sure: bool = True


async def probed(client: ChatClient, ask: Ask | None = None, *, stop: Sequence[str] = (), synchronous: bool = False) -> Probed:
    """The surest way in which a client's model continues an answer.

    Args:
        client: of the model.
        ask: sends a request; the client itself by default.
        stop: texts that will end each step, which some providers refuse.
        synchronous: whether the client's model is asked by its synchronous methods.
    """
    ask = ask or client.complete
    used, notes, sure = NOTHING, list[str](), True
    for way in client.continuations:
        if way is Continuation.WHOLE:
            break
        question = Conversation((Turn("user", QUESTION),), synchronous=synchronous)
        asked = Asked(question, SAID, way, tuple(stop), max_tokens=16, temperature=0.0, step=bool(stop))
        try:
            reply = await ask(asked)
        except Exception as error:
            # Providers refuse what they do not know in many ways; whatever it was, this way is closed.
            notes.append(f"{client.name} does not continue by {way}: {error}")
            sure = sure and not (may_pass(error) or isinstance(error, TimeoutError))
            continue
        used = used.plus(reply.usage)
        text = reply.text.strip()
        echoes = text.startswith(SAID)
        # Whoever repeats a beginning like this one and goes on was shown it as its own; which word comes next depends on the model.
        if (echoes and len(text) > len(SAID)) or text.lower().startswith(NEXT):
            return Probed(way, echoes, used, tuple(notes), sure)
        notes.append(f"{client.name} does not continue by {way}: it said {reply.text[:60]!r} after {SAID!r}")
    return Probed(Continuation.WHOLE, False, used, tuple(notes), sure)
