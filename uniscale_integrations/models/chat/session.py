"""One conversation at a chat model: what is asked for each path, and what is made of the replies."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import ContinuationError
from uniscale_integrations.models.chat.client import Asked, Continuation, Reply
from uniscale_integrations.models.chat.steps import continued, cut
from uniscale_integrations.search.conversation import Conversation, Emit
from uniscale_integrations.search.paths import Candidate, Expansion, Path
from uniscale_integrations.search.ports import Sampling

if TYPE_CHECKING:
    from uniscale_integrations.models.chat.model import ChatStepModel

USUAL_ANSWER = 200
"""Tokens of an answer before the first one was seen."""

MOST_STOPS = 4
"""Texts that end a reply, of which some providers take no more; what lies behind the others is cut off here."""


class ChatSession:
    """One conversation at a `ChatStepModel`.

    Attributes:
        notes: what went wrong without ending anything.
    """

    together = False

    def __init__(
        self,
        owner: ChatStepModel,
        conversation: Conversation,
        sampling: Sampling,
        emit: Emit | None,
        *,
        draws: bool,
        by_steps: bool,
    ) -> None:
        if owner.client.stop and not conversation.stop:
            conversation = replace(conversation, stop=tuple(owner.client.stop))
        self._owner, self._conversation, self._sampling = owner, conversation, sampling
        self._emit, self._draws, self._by_steps = emit, draws, by_steps
        self._shared = NOTHING
        self._usual = USUAL_ANSWER
        self._prompt = sum(len(turn.text) for turn in conversation.turns) // 4 + 1
        self._open: list[asyncio.Future[Candidate]] = []
        self.notes: list[str] = []

    @property
    def shared(self) -> Usage:
        """What was spent on finding out how the model continues."""
        return self._shared

    def spent(self, usage: Usage) -> None:
        """Charge something to no candidate in particular."""
        self._shared = self._shared.plus(usage)

    def estimate(self, expansion: Expansion) -> Usage:
        """An answer of the usual length for each candidate, or a short step where steps are sampled."""
        answer = self._usual if expansion.steps > 1 or not self._by_steps else min(self._usual, self._sampling.max_step_tokens // 2)
        return self._owner.plain_usage(self._prompt + len(expansion.path.text) // 4, answer).scaled(expansion.count)

    async def expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        """Sample all candidates side by side, each in a request of its own; one that fails costs no other."""
        way = Continuation.WHOLE
        if self._by_steps and any(expansion.steps == 1 for expansion in expansions):
            way = await self._owner.continuation(self)
        calls = [self._candidate(wish, index, way) for wish in expansions for index in range(wish.count)]
        if len(calls) == 1:
            return [[await calls[0]]]
        self._open = [asyncio.ensure_future(call) for call in calls]
        try:
            made = iter([_late(told) for told in await asyncio.gather(*self._open, return_exceptions=True)])
        finally:
            self._open = []
        return [[next(made) for _ in range(wish.count)] for wish in expansions]

    def hurry(self) -> None:
        """Give up on the candidates that are not there yet."""
        for call in self._open:
            call.cancel()

    def retain(self, paths: Collection[Path]) -> None:
        """Nothing is kept: every request carries all of its text."""

    def close(self) -> None:
        """Nothing is open."""

    async def _candidate(self, wish: Expansion, index: int, way: Continuation) -> Candidate:
        whole = way is Continuation.WHOLE or wish.steps > 1
        asked = self._asked(wish.path, index, way, whole)
        try:
            reply = await self._owner.ask(asked)
            if not whole and wish.path.steps and not reply.text.strip():
                reply = await self._after_a_blank_line(asked, reply)
        except Exception as error:
            # A client may raise anything; the search reports it, and the exception goes to whoever asked if nothing else came.
            return Candidate((), False, error=f"{type(error).__name__}: {error}", payload=error)
        return self._taken(wish.path, reply, whole)

    async def _after_a_blank_line(self, asked: Asked, blank: Reply) -> Reply:
        """What comes after a blank step: the end looks the same as an empty line between two paragraphs, which is part of the next step."""
        delimiter = self._owner.delimiter
        reply = await self._owner.ask(replace(asked, prefix=asked.prefix + delimiter))
        said = f"{delimiter}{reply.text}" if reply.text.strip() else ""
        return replace(reply, text=said, usage=blank.usage.plus(reply.usage))

    def _asked(self, path: Path, index: int, way: Continuation, whole: bool) -> Asked:
        sampling, owner = self._sampling, self._owner
        name = f"{sampling.seed}|{path.key}|{index}"
        return Asked(
            self._conversation,
            path.text,
            way,
            self._conversation.stop[:MOST_STOPS] if whole else (owner.delimiter, *self._conversation.stop[: MOST_STOPS - 1]),
            sampling.max_tokens if whole else sampling.max_step_tokens,
            sampling.temperature if self._draws else None,
            sampling.top_p if self._draws and sampling.top_p < 1 else None,
            int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "little") >> 1 if self._draws else None,
            self._emit,
        )

    def _taken(self, path: Path, reply: Reply, whole: bool) -> Candidate:
        usage = reply.usage
        if whole and not path.steps:
            self._usual = round(usage.completion_tokens) or self._usual
            steps = (reply.text,) if self._conversation.whole else cut(self._before_stop("", reply.text), self._owner.delimiter)
            return self._made(steps, True, usage, reply)
        text = continued(path.text, reply.text)
        if text is None:
            self._owner.falls_back()
            said = f"{self._owner.name} began anew instead of going on; whole answers are sampled from now on"
            return Candidate((), False, usage, error=said, payload=ContinuationError(said))
        ended = self._before_stop(path.text, text)
        if len(ended) < len(text):
            return self._made((ended,) if ended else (), True, usage, reply)
        if whole:
            return self._made(cut(text, self._owner.delimiter) if text.strip() else (), True, usage, reply)
        if not text.strip():
            # Where a step is asked for and nothing comes, the answer was complete.
            return Candidate((), True, usage, payload=reply.message)
        final = self._owner.final is not None and self._owner.final.match(text) is not None
        # Some servers leave the text that ended the reply in it; one that ran out of tokens ends within a line.
        step = text.removesuffix(self._owner.delimiter)
        return self._made((step if final or not reply.ended else step + self._owner.delimiter,), final, usage, reply)

    def _before_stop(self, before: str, text: str) -> str:
        """A reply up to the first text that ends the answer; one may begin in what was said before."""
        whole = before + text
        ends = [place for end in self._conversation.stop if end and (place := whole.find(end, max(0, len(before) - len(end)))) >= 0]
        if not ends:
            return text
        place = min(ends)
        # One that began in what was said before is kept whole, so that whoever knows it can take it off.
        longest = max(len(end) for end in self._conversation.stop if whole.startswith(end, place))
        return text[: place + (longest if place < len(before) else 0) - len(before)]

    def _made(self, steps: tuple[str, ...], final: bool, usage: Usage, reply: Reply) -> Candidate:
        known = None if reply.log_probability is None else (reply.log_probability,) * len(steps)
        return Candidate(steps, final, usage, known, payload=reply.message)


def _late(told: Candidate | BaseException) -> Candidate:
    """A candidate, or a failed one in place of one that was given up."""
    if isinstance(told, Candidate):
        return told
    if isinstance(told, asyncio.CancelledError):
        return Candidate((), False, error="no answer when the time was up")
    raise told
