"""Finding out once how a chat model continues a partial answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.models.chat.client import ChatClient, Completion, CompletionRequest, Continuation
from uniscale_integrations.models.chat.retry import may_pass
from uniscale_integrations.models.faults import status_of
from uniscale_integrations.search.conversation import Conversation, Turn

LINES_QUESTION = "Write the numbers from one to eight as words, in small letters, each on a line of its own, and nothing else."
LINES_PREFIX = "Here they come:\none\ntwo\nthree\nfour\n"
"""The same with a line break at its end, which some chat templates take off, so that the model says it again."""

APART_QUESTION = (
    "Write the numbers from one to eight as words, in small letters, with a blank line between any two, and nothing else."
)
APART_PREFIX = "Here they come:\n\none\n\ntwo\n\nthree\n\nfour"
"""The same where only a line break can come next."""

Ask = Callable[[CompletionRequest], Awaitable[Completion]]

QUESTION = "Write the numbers from one to eight as words, in small letters, separated by single spaces, and nothing else."
PREFIX, NEXT = "Here they come: one two three four", "five"
"""A partial answer that nobody would give without being told, and the word that can only come next where it is continued."""


@dataclass(frozen=True, slots=True)
class ContinuationProbe:
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


TRANSPORT = ("extra_headers", "extra_query")
"""Options of a call that say how it is to be sent."""

DENIED = (401, 403, 407)
"""What servers say of who asks, not of what is asked."""


def _like(call: Conversation | None, question: str = QUESTION) -> Conversation:
    if call is None:
        return Conversation((Turn("user", question),))
    options = {name: call.options[name] for name in TRANSPORT if name in call.options}
    return Conversation((Turn("user", question),), options=options, synchronous=call.synchronous)


async def probe_continuation(
    client: ChatClient, ask: Ask | None = None, *, stop: Sequence[str] = (), like: Conversation | None = None
) -> ContinuationProbe:
    """The surest way in which a client's model continues an answer.

    Args:
        client: of the model.
        ask: sends a request; the client itself by default.
        stop: texts that will end each step, which some providers refuse.
        like: the call whose answer is to be continued, with whose headers the probe goes the same way.
    """
    ask = ask or client.complete
    usage, notes, sure = NOTHING, list[str](), True
    for way in client.continuations:
        if way is Continuation.WHOLE:
            break
        question = _like(like)
        request = CompletionRequest(question, PREFIX, way, tuple(stop), max_tokens=16, temperature=0.0, step=bool(stop))
        try:
            reply = await ask(request)
        except Exception as error:
            # Providers refuse what they do not know in many ways; whatever it was, this way is closed.
            notes.append(f"{client.name} does not continue by {way}: {error}")
            passing = may_pass(error) or isinstance(error, TimeoutError) or status_of(error) in DENIED
            sure = sure and not passing
            continue
        usage = usage.plus(reply.usage)
        text = reply.text.strip()
        echoes = text.startswith(PREFIX)
        # Whoever repeats a beginning like this one and goes on was shown it as its own; which word comes next depends on the model.
        if not (echoes and len(text) > len(PREFIX)) and not text.lower().startswith(NEXT):
            notes.append(f"{client.name} does not continue by {way}: it said {reply.text[:60]!r} after {PREFIX!r}")
            continue
        if not echoes and not reply.text[:1].isspace():
            strips, took = await _probe_stripping(ask, way, like)
            usage, sure = usage.plus(took), sure and strips is not None
            if strips:
                notes.append(
                    f"{client.name} strips its replies, so that an answer put together of several would lose its line breaks"
                )
                continue
        return ContinuationProbe(way, echoes, usage, tuple(notes), sure)
    return ContinuationProbe(Continuation.WHOLE, False, usage, tuple(notes), sure)


async def _probe_stripping(ask: Ask, way: Continuation, like: Conversation | None) -> tuple[bool | None, Usage]:
    """Whether replies come without the white space that they begin with, and what asking took; `None` as of `probe_trimming`.

    A reply that lacks a space alone is no sign of it: the text of a token may lack it where it stands first.
    """
    request = CompletionRequest(_like(like, APART_QUESTION), APART_PREFIX, way, max_tokens=8, temperature=0.0)
    try:
        reply = await ask(request)
    except Exception as error:
        # The way itself is known to be open.
        return None if may_pass(error) or isinstance(error, TimeoutError) else False, NOTHING
    return reply.text.lower().startswith(NEXT), reply.usage


async def probe_trimming(ask: Ask, way: Continuation, like: Conversation | None = None) -> tuple[bool | None, Usage]:
    """Whether the line break at the end of a partial answer is kept from the model, which says it again then, and what asking took.

    It shows in a model's replies, but a reply that begins with a line break may also be one that goes on with a blank line.

    Args:
        ask: sends a request.
        way: how the model continues a partial answer.
        like: as of `probe_continuation`.

    Returns:
        whether it is so, `None` where the request failed and another may not; and its usage.
    """
    request = CompletionRequest(_like(like, LINES_QUESTION), LINES_PREFIX, way, max_tokens=8, temperature=0.0)
    try:
        reply = await ask(request)
    except Exception as error:
        # Whatever it was, the answer that is under way is continued as if it were not so; and others, unless it may pass.
        return None if may_pass(error) or isinstance(error, TimeoutError) else False, NOTHING
    return reply.text.startswith("\n") and reply.text.strip().lower().startswith(NEXT), reply.usage
