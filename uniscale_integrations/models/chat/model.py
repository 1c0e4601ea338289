"""A chat model as a generator of steps."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from math import inf
from typing import Literal

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import ConfigurationError, ContinuationError
from uniscale_integrations.loop import REQUESTS
from uniscale_integrations.models.chat.client import Asked, ChatClient, Continuation, Reply
from uniscale_integrations.models.chat.probe import probed
from uniscale_integrations.models.chat.retry import retrying
from uniscale_integrations.models.chat.steps import continued, cut
from uniscale_integrations.search.conversation import Conversation, Emit, Turn
from uniscale_integrations.search.paths import Candidate, Expansion, Path
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration

UNKNOWN_PARAMETERS = 1e10
"""Parameters that a model is taken to have where neither it nor its name tells."""

USUAL_ANSWER = 200
"""Tokens of an answer before the first one was seen."""

MOST_STOPS = 4
"""Texts that end a reply, of which some providers take no more; what lies behind the others is cut off here."""

_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s?([bm])(?![a-z])", re.IGNORECASE)


class ChatStepModel:
    """Any chat model behind a `ChatClient`.

    Where a configuration chooses between steps (CP > 1), a partial answer has to be continued. How the model does that is found out
    once. One that does not is asked for whole answers, which are cut into steps afterwards; so are tool calls and JSON.

    Args:
        client: what sends requests.
        name: M of its configurations; the client's name by default.
        price: dollars per million tokens read and sampled; what a request costs is counted in dollars then.
        parameters: of the model, for eFLOPs where there is no price; read off the name by default ("8b"), or taken to be ten billion.
        continuation: how to continue an answer; found out at the first need by default.
        delimiter: the text that ends a step.
        final_step: a step that matches this ends the answer; `None` leaves that to the model.
        max_concurrency: requests at once.
        timeout: seconds for each candidate, all its tries together.
        retries: further tries after an error that may pass; many clients retry by themselves.

    Raises:
        ConfigurationError: a limit that allows nothing.

    Attributes:
        size_unknown: whether neither a price nor the name tells what a token costs.
    """

    shapes = ((1, 1, 1), (2, 1, 1), (4, 1, 1), (8, 1, 1), (1, 4, 2))
    """Every candidate is a request, and every step of one: at most eight at once."""

    suits = "consensus"
    """The verifier that costs nothing and needs nothing that only some chat models have."""

    def __init__(
        self,
        client: ChatClient,
        *,
        name: str | None = None,
        price: tuple[float, float] | None = None,
        parameters: float | None = None,
        continuation: Continuation | Literal["probe"] = "probe",
        delimiter: str = "\n",
        final_step: str | None = r"^\s*\**Answer:",
        max_concurrency: int = 16,
        timeout: float | None = None,
        retries: int = 0,
    ) -> None:
        if max_concurrency < 1 or retries < 0 or (timeout is not None and not 0 < timeout < inf):
            raise ConfigurationError(
                "a chat model needs max_concurrency of at least 1, retries of at least 0 and a timeout above 0, "
                f"got {max_concurrency!r}, {retries!r} and {timeout!r}"
            )
        self.client, self.name = client, name or client.name
        known = parameters or _parameters(client.name)
        self.price: tuple[float, float] | None = None
        self.parameters, self.size_unknown = known or UNKNOWN_PARAMETERS, known is None
        if price is not None:
            self.set_price(price)
        self.delimiter, self.final = delimiter, re.compile(final_step) if final_step else None
        self.timeout, self.retries = timeout, retries
        self._way = None if continuation == "probe" else Continuation(continuation)
        self._max_concurrency = max_concurrency
        self._loop: asyncio.AbstractEventLoop | None = None
        self._slots, self._finding = asyncio.Semaphore(max_concurrency), asyncio.Lock()

    def set_price(self, price: tuple[float, float]) -> None:
        """Count in dollars from now on: so many per million tokens read and sampled.

        Raises:
            ConfigurationError: what is no price.
        """
        if not isinstance(price, Sequence) or len(price) != 2 or not all(isinstance(p, (int, float)) and 0 <= p < inf for p in price):
            raise ConfigurationError(f"a price is two numbers of at least 0, dollars per million tokens read and sampled, got {price!r}")
        self.price, self.size_unknown = price, False

    @property
    def abilities(self) -> frozenset[str]:
        """What the model can do, of what conversations may need."""
        return self.client.abilities

    def plain_usage(self, prompt_tokens: int, answer_tokens: int) -> Usage:
        """What one sample of `answer_tokens` after a prompt of `prompt_tokens` takes."""
        return self.priced(Usage(prompt_tokens=prompt_tokens, completion_tokens=answer_tokens))

    def priced(self, usage: Usage) -> Usage:
        """Tokens with what they cost: dollars where a price is known, otherwise two operations per parameter and token."""
        if self.price is not None:
            dollars = (usage.prompt_tokens * self.price[0] + usage.completion_tokens * self.price[1]) / 1e6
            return usage._replace(usd=usage.usd or dollars)
        return usage._replace(compute=2.0 * self.parameters * (usage.prompt_tokens + usage.completion_tokens))

    def open(self, question: str, sampling: Sampling) -> ChatSession:
        """Begin a single question."""
        if not question.strip():
            raise ConfigurationError("the question is empty; give it at least one word")
        return ChatSession(self, Conversation((Turn("user", question),)), sampling, None, draws=True, by_steps=True)

    def open_conversation(
        self, conversation: Conversation, sampling: Sampling, configuration: Configuration, emit: Emit | None = None
    ) -> ChatSession:
        """Begin a conversation. One plain sample is drawn as the model is set up to; candidates that compete, as `sampling` says."""
        by_steps = configuration.cp > 1 and not conversation.whole
        return ChatSession(self, conversation, sampling, emit, draws=not configuration.plain, by_steps=by_steps)

    async def continuation(self, session: ChatSession) -> Continuation:
        """How the model continues an answer, found out at the first call; that is charged to the session."""
        if self._way is not None:
            return self._way
        return await REQUESTS.hop(lambda: self._found_out(session))

    async def _found_out(self, session: ChatSession) -> Continuation:
        self._on_this_loop()
        async with self._finding:
            if self._way is not None:
                return self._way
            way, used, notes, sure = await probed(self.client, self._sent)
            session.spent(self.priced(used))
            session.notes.extend(notes)
            if sure:
                self._way = way
            return way

    def _on_this_loop(self) -> None:
        """Have locks of the loop that runs; a forked process has another one, and nobody there holds what was held before."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._slots, self._finding = loop, asyncio.Semaphore(self._max_concurrency), asyncio.Lock()

    def falls_back(self) -> None:
        """From now on only whole answers are asked for: the model began anew instead of going on."""
        self._way = Continuation.WHOLE

    async def ask(self, asked: Asked) -> Reply:
        """One reply, its usage with what it cost; waits for a free slot, and tries again where that may help.

        Raises:
            TimeoutError: it took too long, all tries together.
            Exception: what the client raised.
        """
        if asked.emit is not None:
            asked = replace(asked, emit=_on_loop(asyncio.get_running_loop(), asked.emit))
        reply = await REQUESTS.hop(lambda: self._sent(asked))
        return replace(reply, usage=self.priced(_counted(asked, reply)))

    async def _sent(self, asked: Asked) -> Reply:
        shown = False
        if asked.emit is not None:
            emit = asked.emit

            def noting(piece: object) -> None:
                nonlocal shown
                shown = True
                emit(piece)

            asked = replace(asked, emit=noting)
        self._on_this_loop()
        try:
            async with self._slots, asyncio.timeout(self.timeout):
                # What has been shown cannot be taken back, and must not be said twice.
                return await retrying(lambda: self.client.complete(asked), self.retries, lambda: not shown)
        except TimeoutError as error:
            raise TimeoutError(str(error) or f"no answer within {self.timeout} s") from error


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
            None if whole else sampling.max_step_tokens,
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


def _on_loop(loop: asyncio.AbstractEventLoop, emit: Emit) -> Emit:
    """Passes pieces on to where they are waited for."""

    def passed_on(piece: object) -> None:
        loop.call_soon_threadsafe(emit, piece)

    return passed_on


def _late(told: Candidate | BaseException) -> Candidate:
    """A candidate, or a failed one in place of one that was given up."""
    if isinstance(told, Candidate):
        return told
    if isinstance(told, asyncio.CancelledError):
        return Candidate((), False, error="no answer when the time was up")
    raise told


def _counted(asked: Asked, reply: Reply) -> Usage:
    """The tokens of a request: about a quarter of the characters where the provider does not count them, since nothing comes for free."""
    if reply.usage.prompt_tokens or reply.usage.completion_tokens:
        return reply.usage
    read = sum(len(turn.text) for turn in asked.conversation.turns) + len(asked.prefix)
    return reply.usage._replace(prompt_tokens=float(read // 4 + 1), completion_tokens=float(len(reply.text) // 4 + 1))


def _parameters(name: str) -> float | None:
    """What a model's name says of its size; `None` where it says nothing."""
    found = _SIZE.search(name)
    if found is None:
        return None
    return float(found[1]) * (1e9 if found[2].lower() == "b" else 1e6)


def abilities_of(profile: Mapping[str, object]) -> frozenset[str]:
    """What a model's profile says it can do, in the words of `Conversation.needs`."""
    named = {"tools": "tool_calling", "structure": "structured_output", "images": "image_inputs"}
    return frozenset(need for need, field in named.items() if profile.get(field))
