"""What a request continues, a tool loop or a session, and with which model: told from the conversation itself."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, NamedTuple

from uniscale_integrations.concurrency.forks import ForkLock
from uniscale_integrations.log.events import Event, Outcome
from uniscale_integrations.search.canonical import canonical
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.tokens import count_tokens

MAX_REPLIES = 20_000
"""Replies whose models are remembered, the last ones."""

REPLY = "reply"
"""Under which an outcome in the log tells a reply's key and its model, for other workers."""

TOOL_LOOP = "a tool loop goes on with the model that began it"
"""Why other models are not eligible."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """What went before a request, by a model of this engine.

    Attributes:
        model: that gave the last answer.
        kind: "tools" where the request ends in results of the tools that the answer called, otherwise "session".
        tokens: of the conversation up to that answer, about; a change of model reads them anew, while the model has them in its cache.
    """

    model: str
    kind: Literal["tools", "session"]
    tokens: int


class Replies:
    """Which model gave a reply, for messages that come back without what an engine wrote on them. Safe to use from any thread.

    Replies are known by a hash of the user's last turn before them and of what they say, tool calls included.

    Args:
        limit: replies that are remembered at most.

    Example:
        >>> replies, question = Replies(), (Turn("user", "2 + 2?"),)
        >>> replies.note(reply_key(question, "That is 4."), "small")
        >>> session = Conversation((*question, Turn("assistant", "That is 4."), Turn("user", "Sure?")))
        >>> continuation_of(session, replies).model
        'small'
    """

    def __init__(self, limit: int = MAX_REPLIES) -> None:
        self._limit, self._lock = limit, ForkLock()
        self._models = OrderedDict[str, str]()

    def __len__(self) -> int:
        return len(self._models)

    def note(self, key: str, model: str) -> None:
        """Remember the model of a reply by its `reply_key`."""
        with self._lock:
            self._models[key] = model
            self._models.move_to_end(key)
            if len(self._models) > self._limit:
                self._models.popitem(last=False)

    def learn(self, event: Event) -> None:
        """Remember what an outcome tells, of this worker or another."""
        entry = event.extra.get(REPLY) if isinstance(event, Outcome) else None
        if isinstance(entry, (list, tuple)) and len(entry) == 2:
            self.note(str(entry[0]), str(entry[1]))

    def model_of(self, key: str) -> str | None:
        """The model of a reply; `None` where it is not known, or not any more."""
        return self._models.get(key)


class Reply(NamedTuple):
    """By what a reply is known, and whose it is."""

    key: str
    model: str


def reply_key(before: Sequence[Turn], text: str) -> str:
    """What a reply is known by, whatever message it comes back in.

    Args:
        before: the turns that it answers.
        text: of the reply, `canonical` where it calls tools.
    """
    asked = next((turn.text for turn in reversed(before) if turn.role == "user"), "")
    said = f"{len(asked)}|{asked}|{text.strip()}"
    return blake2b(said.encode(errors="surrogatepass"), digest_size=12).hexdigest()


def continuation_of(conversation: Conversation, replies: Replies) -> Continuation | None:
    """What a conversation continues; `None` for a first question, or where no engine is known to have given its last answer.

    Args:
        conversation: of a request.
        replies: of this engine and of other workers.
    """
    turns = conversation.turns
    place = next((place for place in reversed(range(len(turns))) if turns[place].role == "assistant"), None)
    if place is None or place == len(turns) - 1:
        return None
    last = turns[place]
    model = last.model or replies.model_of(reply_key(turns[:place], canonical(last.text, last.calls)))
    if model is None:
        return None
    tokens = round(sum(count_tokens(canonical(turn.text, turn.calls), model) for turn in turns[: place + 1]))
    return Continuation(model, "tools" if _answers_calls(last, turns[place + 1 :]) else "session", tokens)


def _answers_calls(last: Turn, after: Sequence[Turn]) -> bool:
    """Whether all that came after an answer are results of the tools that it called."""
    ids = {call.id for call in last.calls}
    return bool(last.calls) and all(turn.role == "tool" and (not turn.call_id or turn.call_id in ids) for turn in after)
