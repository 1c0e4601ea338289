"""The contract between a framework's adapter and an engine: `Call`, `Dialect`, and how a call is answered or streamed.

A framework is one `Dialect`, which says what is particular to it and nothing else. `answer` and `stream` do the rest. An adapter reads:

    call = dialect.call(engine, messages, options)
    reply = dialect.reply(await answer(engine, call), call)

and, where the reply is streamed,

    async for chunk in stream(engine, call, dialect): ...
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from uniscale_integrations.adapters.stopping import Until
from uniscale_integrations.concurrency.caller import CALLER_LOOPS
from uniscale_integrations.concurrency.loop import DEFAULT_LOOP
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import SearchFailed
from uniscale_integrations.policy.targets import Mode
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.common_prefix import CommonPrefix
from uniscale_integrations.search.conversation import Conversation, Emit
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.telemetry import Decided, Event, Observer, Sampled, Scored

Message_contra = TypeVar("Message_contra", contravariant=True)
Reply_co = TypeVar("Reply_co", covariant=True)
Chunk = TypeVar("Chunk")


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a framework's model, in the engine's terms.

    Attributes:
        conversation: messages, tools and the form of the answer.
        mode: what is sought; `None` is what the engine seeks.
        budget: what the search may spend.
        sampling: how candidates are sampled; `None` is the engine's.
        models: names of those that may answer; `None` is all.
        rounds: answers that may be looked at before one is given; `None` is what the engine does.
    """

    conversation: Conversation
    mode: Mode | None = None
    budget: Budget = Budget()
    sampling: Sampling | None = None
    models: Collection[str] | None = None
    rounds: int | None = None


class Dialect(Protocol[Message_contra, Reply_co, Chunk]):
    """What is particular to one framework: its messages, options, replies and chunks."""

    def call(
        self,
        engine: UniScale,
        messages: Sequence[Message_contra],
        options: Mapping[str, Any],
        *,
        synchronous: bool = False,
        streaming: bool = False,
    ) -> Call:
        """The call that messages and options amount to.

        Args:
            engine: answers it.
            messages: of the framework.
            options: everything else that the caller said, including `stop`.
            synchronous: as of `Conversation`, likewise `streaming`.

        Raises:
            ConfigurationError: options that the engine cannot honour.
        """
        ...

    def reply(self, answer: Answer, call: Call) -> Reply_co:
        """The framework's reply that says what an answer says."""
        ...

    def chunks(self, call: Call) -> Chunks[Chunk]:
        """What renders one stream."""
        ...

    def context(self) -> Context:
        """A copy of the caller's context to search in, in which the framework's observers of the outer call do not see inner calls."""
        ...


class Chunks(ABC, Generic[Chunk]):
    """Renders one stream in a framework's chunks.

    Attributes:
        native_type: the type of what the framework's own models stream, which is passed to `native`; of anything else only the text is
            shown. `None` where there is none.
        emitted: the text that was passed to `text` so far, the current one included.
    """

    native_type: ClassVar[type | None] = None

    def __init__(self) -> None:
        self.emitted = ""

    def shows_steps(self, payload: object) -> bool:
        """Whether the text of its steps is all that a candidate with this payload holds.

        Where one holds more, no step is shown before the winner is known: what stands between the texts could not be put there later.
        """
        return True

    @abstractmethod
    def text(self, text: str) -> Iterable[Chunk]:
        """The chunks of a text: steps that all contenders share, or a piece from a model that is not of the framework."""

    def native(self, piece: Any) -> Iterable[Chunk]:
        """The chunks of a piece of `native_type`."""
        raise NotImplementedError(f"{type(self).__name__} names a native_type and does not render it")

    @abstractmethod
    def last(self, answer: Answer) -> Iterable[Chunk]:
        """The chunks that close the stream, with what the answer says beyond `emitted`."""

    def remainder(self, text: str) -> str:
        """What of a whole text is not emitted yet; all of it, in a paragraph of its own, where something else was."""
        # A search that a budget ended may fall back on a path of which nothing had been shown.
        return text[len(self.emitted) :] if text.startswith(self.emitted) else f"\n\n{text}"


async def answer(
    engine: UniScale,
    call: Call,
    *,
    observe: Observer | None = None,
    emit: Emit | None = None,
    has_output: Callable[[], bool] = lambda: False,
) -> Answer:
    """The engine's answer to a call.

    Args:
        engine: answers.
        call: of a framework's model.
        observe: as of `UniScale.arun`, likewise `emit` and `has_output`.

    Raises:
        Exception: where every model failed, the first provider's own error, which the framework's error handling expects; otherwise what
            `UniScale.arun` raises.
    """
    try:
        return await engine.arun(
            call.conversation,
            mode=call.mode,
            budget=call.budget,
            sampling=call.sampling,
            models=call.models,
            rounds=call.rounds,
            observe=observe,
            emit=emit,
            has_output=has_output,
        )
    except SearchFailed as error:
        if error.errors:
            own = error.errors[0]
            # Its cause, such as the error of a provider's own package, is the caller's to read, who must come to an end: what this one was
            # raised from leads back to it.
            error.__cause__ = error.__context__ = None
            raise own from own.__cause__
        raise


def answer_blocking(engine: UniScale, call: Call, dialect: Dialect[Any, Any, Any]) -> Answer:
    """`answer` for callers who do not await, in the dialect's context.

    Args:
        engine: answers.
        call: of a framework's model, `synchronous`.
        dialect: of the framework.

    Raises:
        Exception: as of `answer`.
    """
    loop = CALLER_LOOPS if engine.brain.loop_free else DEFAULT_LOOP
    return loop.run(lambda: answer(engine, call), dialect.context())


async def stream(
    engine: UniScale, call: Call, dialect: Dialect[Any, Any, Chunk], *, observe: Observer | None = None
) -> AsyncGenerator[Chunk, None]:
    """The answer to a call in chunks, as they come: pieces of the model where the configuration is plain, otherwise steps that are certain.

    Closing the generator early cancels the search.

    Args:
        engine: answers.
        call: of a framework's model.
        dialect: of the framework.
        observe: is told what happens, in the context of the search.

    Raises:
        Exception: as of `answer`.
    """
    chunks = dialect.chunks(call)
    feed = _Feed(call, chunks, observe)
    work = asyncio.create_task(
        answer(engine, call, observe=feed.observe, emit=feed.emit, has_output=feed.has_steps), context=dialect.context()
    )
    work.add_done_callback(feed.close)
    try:
        while (piece := await feed.pieces.get()) is not None:
            if isinstance(piece, str):
                chunks.emitted += piece
                new_chunks = chunks.text(piece)
            else:
                new_chunks = chunks.native(piece)
            for chunk in new_chunks:
                yield chunk
        for chunk in chunks.last(await work):
            yield chunk
    finally:
        if not work.done():
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


def stream_blocking(
    engine: UniScale, call: Call, dialect: Dialect[Any, Any, Chunk], *, observe: Observer | None = None
) -> Iterator[Chunk]:
    """`stream` for callers who do not await, in the dialect's context as it is now; parameters and errors as there."""
    return DEFAULT_LOOP.iterate(lambda: stream(engine, call, dialect, observe=observe), dialect.context())


class _Feed:
    """Queues what may be shown of a search: native pieces as they are, other pieces and certain steps as text up to a stop text.

    Attributes:
        pieces: the queue; `None` ends it.
    """

    def __init__(self, call: Call, chunks: Chunks[Any], observe: Observer | None) -> None:
        stop = call.conversation.stop
        self.pieces: asyncio.Queue[Any] = asyncio.Queue()
        self._chunks, self._observe, self._atomic = chunks, observe, call.conversation.atomic
        self._agreed, self._until_step, self._until_piece = CommonPrefix(), Until(stop), Until(stop)
        self._textual, self._plain, self._steps = True, False, False

    def observe(self, event: Event) -> None:
        if self._observe is not None:
            self._observe(event)
        if isinstance(event, Decided):
            # What a later round may take back is not shown.
            self._plain = event.decision.configuration.plain or not event.decision.shown
        elif isinstance(event, Sampled):
            payloads = (candidate.payload for candidate in event.candidates if candidate.error is None)
            self._textual = self._textual and all(map(self._chunks.shows_steps, payloads))
        elif isinstance(event, Scored):
            steps = self._until_step("".join(self._agreed.new(event.contenders)))
            if steps and self._textual and not self._plain and not self._atomic:
                self._steps = True
                self.pieces.put_nowait(steps)

    def emit(self, piece: Any) -> None:
        native = self._chunks.native_type
        if native is not None and isinstance(piece, native):
            self.pieces.put_nowait(piece)
        elif not self._atomic and (text := self._until_piece(_text_of(piece))):
            self.pieces.put_nowait(text)

    def has_steps(self) -> bool:
        return self._steps

    def close(self, work: object) -> None:
        self.pieces.put_nowait(None)


def _text_of(piece: object) -> str:
    """What is new in a piece: of a model of this process itself, or as LlamaIndex and LangChain call it."""
    if isinstance(piece, str):
        return piece
    text = getattr(piece, "delta", None) or getattr(piece, "text", None)
    return text if isinstance(text, str) else ""
