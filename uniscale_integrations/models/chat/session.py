"""One conversation at a chat model: what is asked for each path, and what is made of the replies."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import replace
from hashlib import blake2b
from math import ceil
from re import Pattern
from typing import Any, Protocol

from uniscale_integrations.concurrency.threads import read_aside
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import ContinuationError, RequestRefused
from uniscale_integrations.models.chat.client import (
    ChatClient,
    Completion,
    CompletionRequest,
    Continuation,
    CutsReplies,
    InterruptedReply,
)
from uniscale_integrations.models.chat.completion_length import CompletionLengths
from uniscale_integrations.models.chat.slots import Queue
from uniscale_integrations.models.chat.stepping import Step, cut_step, stopped_step
from uniscale_integrations.models.chat.steps import continuation_text
from uniscale_integrations.models.faults import Fault, fault_of
from uniscale_integrations.search.conversation import Conversation, Emit
from uniscale_integrations.search.paths import Candidate, Expansion, Path, PathKey
from uniscale_integrations.search.ports import TEMPERATURE, Sampling
from uniscale_integrations.search.segmenter import Segmenter, cut
from uniscale_integrations.tokens import count_conversation, count_tokens

MAX_STOPS = 4
"""Texts that end a reply, of which some providers take no more; what lies behind the others is cut off here."""


MISCOUNT = 5
"""Times what is counted here that a text may have in tokens, or that fraction; what a provider tells beyond that, it has not counted."""


class Owner(Protocol):
    """The model whose conversation a session is; see `ChatStepModel`."""

    completion_lengths: CompletionLengths
    client: ChatClient
    name: str
    model_id: str
    segmenter: Segmenter
    final: Pattern[str] | None
    max_concurrency: int | None
    echoes: bool
    trims: bool | None

    def plain_usage(self, prompt_tokens: int, answer_tokens: int) -> Usage:
        """The usage of one sample of that many tokens after a prompt of that many."""
        ...

    async def continuation(self, session: ChatSession) -> Continuation:
        """How it continues a partial answer, found out at the first need."""
        ...

    async def find_trims(self, session: ChatSession) -> None:
        """Find out `trims`."""
        ...

    def redact(self, text: str) -> str:
        """A text without the keys that it may quote."""
        ...

    def falls_back(self) -> None:
        """Have whole answers sampled from now on."""
        ...

    async def ask(self, request: CompletionRequest, queue: Queue | None = None) -> Completion:
        """Get one reply."""
        ...


class ChatSession:
    """One conversation at a `ChatStepModel`.

    Attributes:
        notes: what went wrong without ending anything.
    """

    together = False

    def __init__(
        self,
        owner: Owner,
        conversation: Conversation,
        sampling: Sampling,
        emit: Emit | None,
        *,
        draws: bool,
        by_steps: bool,
    ) -> None:
        self._owner, self._conversation, self._sampling = owner, conversation, sampling
        # A call may say that not even those of the model end its answer.
        stop = conversation.options.get("stop")
        none = stop is not None and not stop
        self._ends = tuple(conversation.stop or (() if none else owner.client.stop))
        self._queue, self._wait_seconds, self._expanding = Queue(), 0.0, 0
        # What the engine says of drawing a framework's model is not held to, unless its owner has said the same.
        temperature = sampling.temperature if conversation.messages is None else conversation.options.get("temperature")
        self._alike = draws and temperature == 0
        self._greedy: dict[CompletionRequest, asyncio.Future[Completion]] = {}
        self._emit, self._draws, self._by_steps = emit, draws, by_steps
        self._shared_usage = NOTHING
        self._lengths = CompletionLengths()
        self._prompt = round(count_conversation(conversation, owner.model_id))
        self._open: list[asyncio.Task[Candidate]] = []
        self._broken_paths: set[PathKey] = set()
        self._path_tokens: dict[PathKey, float] = {}
        self._asking_whole = asyncio.Lock()
        self._refusal: RequestRefused | None = None
        self.notes: list[str] = []

    @property
    def conversation(self) -> Conversation:
        """What is asked."""
        return self._conversation

    @property
    def shared_usage(self) -> Usage:
        """What was spent on finding out how the model continues."""
        return self._shared_usage

    @property
    def wait_seconds(self) -> float:
        """Seconds that were waited for a free slot, the longest wait of each round."""
        return self._wait_seconds + self._queue.longest

    @property
    def queue_note(self) -> str:
        """That requests had to wait for a slot, where any had or still has."""
        if not self._queue.waiting and not self.wait_seconds:
            return ""
        owner = self._owner
        return f"its requests to {owner.name} waited for others to end, since max_concurrency={owner.max_concurrency}; raise it"

    def samples_whole(self, *, asked: bool) -> bool:
        """Whether every expansion is a whole answer: wherever steps do not compete, or all are asked for at once."""
        return asked or not self._by_steps

    def charge(self, usage: Usage) -> None:
        """Charge something to no candidate in particular."""
        self._shared_usage = self._shared_usage.plus(usage)

    def estimate(self, expansion: Expansion) -> Usage:
        """For each candidate an answer, or a step, of the length of late with a margin; of this conversation's where any was sampled."""
        step, limit = self._extent(expansion)
        lengths = self._lengths if self._lengths.knows(step=step) else self._owner.completion_lengths
        return self._usage_of(expansion, lengths.reserved(step=step, max_tokens=limit))

    def estimate_first(self, expansion: Expansion) -> Usage:
        """As of `SupportsFirstEstimate`: without a margin, and where the model was not asked of late what is needed at the least."""
        step, limit = self._extent(expansion)
        return self._usage_of(expansion, self._owner.completion_lengths.required(step=step, max_tokens=limit))

    def _extent(self, expansion: Expansion) -> tuple[bool, int | None]:
        """Whether one step is sampled, and the most tokens that it, or the answer, may have."""
        if self._by_steps and expansion.steps == 1 and not expansion.rest:
            return True, self._sampling.max_step_tokens
        return False, self._sampling.max_tokens

    def _usage_of(self, expansion: Expansion, tokens: float) -> Usage:
        return self._owner.plain_usage(self._prompt + self._tokens(expansion.path.text), ceil(tokens)).scaled(expansion.count)

    def _observe(self, usage: Usage, *, step: bool) -> None:
        """Note how long a completion was, unless another candidate has."""
        if usage == NOTHING:
            return
        for lengths in (self._lengths, self._owner.completion_lengths):
            lengths.observe(usage.completion_tokens, step=step)

    async def expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        """Sample all candidates side by side, each in a request of its own; one that fails costs no other.

        Raises:
            RequestRefused: the provider refused the request itself; those of the other candidates are cancelled.
        """
        self._expanding += 1
        try:
            return await self._expand(expansions)
        finally:
            self._expanding -= 1
            if not self._expanding:
                # Of calls side by side the longest wait is what was waited.
                self._wait_seconds, self._queue.longest = self.wait_seconds, 0.0

    async def _expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        way = Continuation.WHOLE
        if self._by_steps and any(
            expansion.steps == 1 and (expansion.path.steps or not expansion.rest) for expansion in expansions
        ):
            way = await self._owner.continuation(self)
        calls = [self._candidate(expansion, index, way) for expansion in expansions for index in range(expansion.count)]
        if len(calls) == 1:
            return [[await calls[0]]]
        candidates = iter(await self._all(calls))
        return [[next(candidates) for _ in range(expansion.count)] for expansion in expansions]

    async def _all(self, calls: Sequence[Coroutine[Any, Any, Candidate]]) -> list[Candidate]:
        """What all calls give, in their order; the first that is refused ends the others."""
        tasks = [asyncio.create_task(call) for call in calls]
        self._open = [*tasks]
        try:
            pending = set(tasks)
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if not task.cancelled() and isinstance(error := task.exception(), RequestRefused):
                        raise error
            return [_late(task) for task in tasks]
        finally:
            self._open = []
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def finish_now(self) -> None:
        """Give up on the candidates that are not there yet."""
        for call in self._open:
            call.cancel()

    def retain(self, paths: Collection[Path]) -> None:
        """Nothing is kept: every request carries all of its text."""

    def close(self) -> None:
        """Nothing is open."""

    async def _candidate(self, expansion: Expansion, index: int, way: Continuation) -> Candidate:
        whole = way is Continuation.WHOLE or expansion.steps > 1 or expansion.rest
        request, owner = self._completion_request(expansion.path, index, way, whole), self._owner
        try:
            if whole:
                return await self._answer(expansion.path, await self._complete(request))
            if request.segmenter is not None:
                step = await cut_step(self._complete, request, self)
            else:
                step = await stopped_step(self._complete, request, owner.segmenter, self, self._tokens)
        except InterruptedReply as interruption:
            return self._failed(interruption.error, interruption.usage)
        except Exception as error:
            # A client may raise anything; the search reports it, and the exception goes to whoever asked if nothing else came.
            refused = fault_of(error) is Fault.REQUEST
            if refused and request.step:
                # It may be what a step adds to the request that is refused, such as a text of blanks that ends it.
                return await self._without_steps(expansion, index, error)
            if refused and not request.prefix:
                message = owner.redact(f"{owner.name} refused the request: {error}")
                raise RequestRefused(message, (message,), (error,)) from error
            return self._failed(error)
        key = expansion.path.key.child(index)
        if step.broke:
            self._broken_paths.add(key)
        return self._step(expansion.path, key, step)

    async def _without_steps(self, expansion: Expansion, index: int, error: Exception) -> Candidate:
        """A whole answer where a request for one step was refused; so are all others from now on, unless that is refused as well."""
        if not expansion.path.steps:
            # One at a time: where it was the question that is refused, no further request is needed to find out.
            async with self._asking_whole:
                if self._refusal is not None:
                    raise self._refusal
                try:
                    candidate = await self._candidate(expansion, index, Continuation.WHOLE)
                except RequestRefused as refusal:
                    self._refusal = refusal
                    raise
            self._owner.falls_back()
            return candidate
        self._owner.falls_back()
        why = f"{self._owner.name} refused to go on with an answer, and is asked for whole ones from now on: {error}"
        message = self._owner.redact(why)
        return Candidate((), False, error=message, payload=ContinuationError(message))

    async def _complete(self, request: CompletionRequest) -> Completion:
        """One reply. Greedy draws of the same request are all the same, so that one request stands for them."""
        if not self._alike or request.emit is not None:
            return await self._owner.ask(request, self._queue)
        same = replace(request, seed=None)
        first = self._greedy.get(same)
        if first is None:
            first = self._greedy[same] = asyncio.ensure_future(self._owner.ask(same, self._queue))
            return await first
        return replace(await asyncio.shield(first), shared=True)

    @property
    def trims(self) -> bool | None:
        """As of `Joins`."""
        return self._owner.trims

    async def addition(self, prefix: str, reply: str) -> str | None:
        """As of `Joins`."""
        owner, delimiter = self._owner, self._owner.segmenter.delimiter
        again = prefix.endswith(delimiter) and reply.lstrip("\r").startswith(delimiter)
        if again and owner.trims is None and not owner.echoes:
            await owner.find_trims(self)
        return continuation_text(prefix, reply, owner.echoes, bool(owner.trims))

    def _failed(self, error: Exception, usage: Usage = NOTHING) -> Candidate:
        return Candidate((), False, usage, error=self._owner.redact(f"{type(error).__name__}: {error}"), payload=error)

    def _completion_request(self, path: Path, index: int, way: Continuation, whole: bool) -> CompletionRequest:
        sampling, owner = self._sampling, self._owner
        name = f"{sampling.seed}|{path.key}|{index}"
        cuts = not whole and not owner.echoes and isinstance(owner.client, CutsReplies) and owner.client.cuts
        temperature = TEMPERATURE if sampling.temperature is None else sampling.temperature
        return CompletionRequest(
            self._conversation,
            path.text + self._pending(path),
            way,
            self._conversation.stop if whole else (*(() if cuts else (owner.segmenter.delimiter,)), *self._ends[: MAX_STOPS - 1]),
            self._remaining_tokens(path)
            if whole
            else min(sampling.max_step_tokens, self._remaining_tokens(path) or sampling.max_step_tokens),
            temperature if self._draws else None,
            sampling.top_p if self._draws and sampling.top_p < 1 else None,
            int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "little") >> 1 if self._draws else None,
            self._emit,
            not whole,
            owner.segmenter if cuts else None,
            self._draws,
        )

    def _pending(self, path: Path) -> str:
        """What stands between a path and its next step: the delimiter that ended the last one, which no server tells."""
        return self._owner.segmenter.delimiter if path.key in self._broken_paths else ""

    def _remaining_tokens(self, path: Path) -> int | None:
        """How many tokens an answer may still have."""
        most = self._sampling.max_tokens
        return most if most is None or not path.steps else max(1, most - round(self._tokens_of(path)))

    def _tokens_of(self, path: Path) -> float:
        """How many tokens a path has, as far as the provider has counted them."""
        counted = self._path_tokens.get(path.key)
        return self._tokens(path.text) if counted is None else counted

    def _tokens(self, text: str) -> int:
        """How many tokens a text is to the model."""
        return round(count_tokens(text, self._owner.model_id))

    async def _answer(self, path: Path, reply: Completion) -> Candidate:
        """What a reply makes of a path that it ends."""
        usage, owner, most_steps = reply.charge, self._owner, max(1, self._sampling.max_steps - path.depth)
        if not path.steps:
            self._observe(usage, step=False)
            if not reply.text.strip():
                # Models also end without a word, after having thought for all of their tokens for one.
                empty = reply.incomplete or "empty"
                return Candidate((), True, usage, payload=reply.message, incomplete=empty)
            if self._conversation.atomic:
                return self._make((reply.text,), True, usage, reply)
        text = await self.addition(path.text + self._pending(path), reply.text)
        if text is None:
            return self._began_anew(usage)
        ended = self._pending(path) + text
        if path.steps:
            ended = self._before_stop(path.text, ended)
        steps = await read_aside(lambda text: cut(text, owner.segmenter, most_steps), ended) if ended.strip() else ()
        return self._make(steps, True, usage, reply)

    def _step(self, path: Path, key: PathKey, step: Step) -> Candidate:
        """What a step makes of the path before it, and of which key the path will be then."""
        if step.anew:
            return self._began_anew(step.usage)
        self._observe(step.usage, step=True)
        text = self._pending(path) + step.text if step.text else ""
        ended = self._before_stop(path.text, text)
        final = len(ended) < len(text) or step.ended or not step.text.strip()
        final = final or (self._owner.final is not None and self._owner.final.match(step.text.lstrip()) is not None)
        log_probabilities = None if step.log_probability is None or not ended.strip() else (step.log_probability,)
        # A step that is longer than steps may be goes on in the next one; but not an answer that is.
        own = self._tokens(step.text)
        # Another vocabulary than the model's may be off by a factor, and what a provider tells by more.
        tokens = step.tokens if own / MISCOUNT <= step.tokens <= MISCOUNT * (own + 1) else own
        self._path_tokens[key] = self._tokens_of(path) + tokens
        over = self._sampling.max_tokens is not None and round(self._path_tokens[key]) >= self._sampling.max_tokens
        incomplete = step.incomplete if step.incomplete != "length" or over or not ended.strip() else ""
        if incomplete and not final:
            final = True
        payload, steps = step.message, (ended,) if ended.strip() else ()
        return Candidate(steps, final, step.usage, log_probabilities, payload=payload, incomplete=incomplete if final else "")

    def _began_anew(self, usage: Usage) -> Candidate:
        self._owner.falls_back()
        message = f"{self._owner.name} began anew instead of going on; whole answers are sampled from now on"
        return Candidate((), False, usage, error=message, payload=ContinuationError(message))

    def _before_stop(self, before: str, text: str) -> str:
        """A reply up to the first text that ends the answer; one may begin in what was said before."""
        whole = before + text
        ends = [place for end in self._ends if end and (place := whole.find(end, max(0, len(before) - len(end)))) >= 0]
        if not ends:
            return text
        place = min(ends)
        # One that began in what was said before is kept whole, so that whoever knows it can take it off.
        longest = max(len(end) for end in self._ends if whole.startswith(end, place))
        return text[: place + (longest if place < len(before) else 0) - len(before)]

    def _make(self, steps: tuple[str, ...], final: bool, usage: Usage, reply: Completion) -> Candidate:
        log_probabilities = None if reply.log_probability is None else (reply.log_probability,) * len(steps)
        return Candidate(
            steps, final, usage, log_probabilities, payload=reply.message, incomplete=reply.incomplete if final else ""
        )


def _late(task: asyncio.Task[Candidate]) -> Candidate:
    """What a call gave, or a failed candidate in place of one that was given up."""
    return Candidate((), False, error="no answer when the time was up") if task.cancelled() else task.result()
