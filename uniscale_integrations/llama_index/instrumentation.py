"""Which decisions were taken within which span, so that feedback on whatever an application holds reaches them.

LlamaIndex reports every call and the one that made it to span handlers. One handler on the root dispatcher keeps who is whose parent, and
writes the decisions on what a call returns: under `uniscale_decision_ids` in the metadata of a response, and in a table beside what has no
metadata. `install` adds the handler, `uninstall` removes it.
"""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse
from llama_index.core.base.response.schema import AsyncStreamingResponse, PydanticResponse, Response, StreamingResponse
from llama_index.core.chat_engine.types import AgentChatResponse, StreamingAgentChatResponse
from llama_index.core.schema import QueryBundle
from llama_index.core.workflow import StopEvent
from llama_index_instrumentation import get_dispatcher, root_dispatcher
from llama_index_instrumentation.base.event import BaseEvent
from llama_index_instrumentation.dispatcher import active_instrument_tags
from llama_index_instrumentation.span import active_span_id
from llama_index_instrumentation.span.base import BaseSpan
from llama_index_instrumentation.span_handlers.base import BaseSpanHandler
from pydantic import BaseModel

from uniscale_integrations.adapters.lineage import Lineage
from uniscale_integrations.adapters.stamp import configuration_record, decision_on
from uniscale_integrations.concurrency.forks import ForkLock
from uniscale_integrations.engine import UniScale
from uniscale_integrations.llama_index.judging import record_decision
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.telemetry import Ended, Event

Item = TypeVar("Item")

IDS = "uniscale_decision_ids"
"""Under which the decisions behind a response stand in its metadata."""

QUESTION_ARGUMENTS = ("str_or_query_bundle", "query_bundle", "query", "query_str", "message", "user_msg")
"""The names of the argument that holds the question of a LlamaIndex call."""

WITH_METADATA = (Response, PydanticResponse, StreamingResponse, AsyncStreamingResponse, AgentChatResponse)

SPANS = Lineage[str]()
"""The spans of this process."""

TAGS = Lineage[tuple[str, str]]()
"""The tags that decisions were taken under, each also under any name."""

END: Any = object()

ANY = ""
"""Stands for any name of a tag."""


class UniScaleDecisionEvent(BaseEvent):
    """A decision and what came of it.

    Attributes:
        decision_id: what feedback refers to.
        configuration: `model`, `qp`, `cp` and `bs` of what was chosen.
        score: of the answer; `None` without one.
        cost: what it took, in eFLOPs or dollars.
        seconds: how long it took.
    """

    decision_id: str
    configuration: dict[str, Any]
    score: float | None
    cost: float
    seconds: float

    @classmethod
    def class_name(cls) -> str:
        """As events are known by."""
        return "UniScaleDecisionEvent"


class DecisionSpans(BaseSpanHandler[BaseSpan]):
    """Notes every span, and writes the decisions within it on its result."""

    @classmethod
    def class_name(cls) -> str:
        """As handlers are known by."""
        return "UniScaleDecisionSpans"

    def new_span(
        self,
        id_: str,
        bound_args: inspect.BoundArguments,
        instance: Any | None = None,
        parent_span_id: str | None = None,
        tags: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> BaseSpan | None:
        """Note a span; none is kept open here."""
        SPANS.start(id_, parent_span_id, _question(bound_args.arguments))
        return None

    def prepare_to_exit_span(
        self,
        id_: str,
        bound_args: inspect.BoundArguments,
        instance: Any | None = None,
        result: Any | None = None,
        **kwargs: Any,
    ) -> BaseSpan | None:
        """Write the decisions on what the call gives back."""
        if isinstance(result, (StreamingResponse, AsyncStreamingResponse)) and IDS not in (result.metadata or {}):
            # What is called while it is drained belongs to the call, which ends with that.
            weakref.finalize(_within_span(result, id_), SPANS.end, id_).atexit = False
            _write(result, id_)
            return None
        _write(result, id_)
        SPANS.end(id_)
        return None

    def prepare_to_drop_span(
        self,
        id_: str,
        bound_args: inspect.BoundArguments,
        instance: Any | None = None,
        err: BaseException | None = None,
        **kwargs: Any,
    ) -> BaseSpan | None:
        """Nothing comes of a call that failed."""
        SPANS.end(id_)
        return None


_handler = DecisionSpans()
_lock = ForkLock()
_dispatcher = get_dispatcher(__name__)


def install() -> None:
    """Add the span handler to the root dispatcher of this process; idempotent."""
    with _lock:
        if not any(handler is _handler for handler in root_dispatcher.span_handlers):
            root_dispatcher.add_span_handler(_handler)


def uninstall() -> None:
    """Remove the span handler; feedback on what is called afterwards needs a decision id, a chat response or a tag."""
    with _lock:
        root_dispatcher.span_handlers[:] = [handler for handler in root_dispatcher.span_handlers if handler is not _handler]


def current_question() -> str | None:
    """The question that the caller's span is about, as far as it is known."""
    span_id = active_span_id.get()
    return None if span_id is None else SPANS.question(span_id)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an LLM was called, which a stream that is drained later has to remember.

    Attributes:
        span_id: of the call.
        tags: that were set.
        objects: the decisions behind the objects of a structured stream, where the call is made for one.
    """

    span_id: str | None
    tags: Mapping[str, Any]
    objects: list[str] | None = None

    @classmethod
    def here(cls) -> Place:
        """That of the caller, where a decision is to come."""
        if (span_id := active_span_id.get()) is not None:
            SPANS.expect(span_id)
        return cls(span_id, dict(active_instrument_tags.get()), _objects.get())

    def note(self, decision_id: str | None) -> None:
        """Note a decision with the span that it was taken in and all above it, and with the tags that were set."""
        if decision_id is None:
            return
        if self.span_id is not None:
            SPANS.note(self.span_id, decision_id)
        for name, value in self.tags.items():
            for tag in ((name, str(value)), (ANY, str(value))):
                TAGS.note(tag, decision_id)
        if self.objects is not None:
            self.objects.append(decision_id)

    def observe(self, event: Event) -> None:
        """Note the decision of a stream as soon as its answer is there: who reads it may stop before its last piece."""
        if isinstance(event, Ended) and event.answer is not None:
            self.note(event.decision_id)


def announce(engine: UniScale, answer: Answer, place: Place) -> None:
    """Report the decision behind an answer to event handlers, and to an evaluator that runs.

    Args:
        engine: that took it.
        answer: of the engine.
        place: where the LLM was called.
    """
    if answer.decision_id is not None:
        record_decision(engine, answer.decision_id)
        _dispatcher.event(
            UniScaleDecisionEvent(
                decision_id=answer.decision_id,
                configuration=configuration_record(answer.configuration),
                score=answer.score,
                cost=engine.cost(answer),
                seconds=answer.ledger.seconds,
                span_id=place.span_id,
                tags=dict(place.tags),
            )
        )


_objects: ContextVar[list[str] | None] = ContextVar("uniscale_objects", default=None)
"""The decisions behind the objects of the structured stream that is being drained."""


def behind_objects(objects: Iterator[Item]) -> Generator[Item]:
    """The objects of a structured stream, which remember the decisions that are taken while it is drained."""
    decisions: list[str] = []
    while True:
        token = _objects.set(decisions)
        try:
            item = next(objects, END)
        finally:
            _objects.reset(token)
        if item is END:
            return
        _remember(item, decisions)
        yield item


async def abehind_objects(objects: AsyncIterator[Item]) -> AsyncGenerator[Item]:
    """As `behind_objects`."""
    decisions: list[str] = []
    while True:
        token = _objects.set(decisions)
        try:
            item = await anext(objects, END)
        finally:
            _objects.reset(token)
        if item is END:
            return
        _remember(item, decisions)
        yield item


def decisions_behind(target: object) -> Sequence[str] | None:
    """The decisions behind a response, a message, what an agent gave, a span's id, or tags.

    Returns:
        their ids in order; empty where it is such an object and no decision is behind it, `None` where it is none.
    """
    if isinstance(target, str):
        return SPANS.decisions(target) or TAGS.decisions((ANY, target))
    if isinstance(target, WITH_METADATA):
        return list((target.metadata or {}).get(IDS, ()))
    if id(target) in _results:
        return list(_results[id(target)][1])
    if isinstance(target, (ChatResponse, CompletionResponse, ChatMessage)):
        decision = decision_on(target.additional_kwargs)
        # The response of a structured LLM holds the object that was parsed from another one's.
        raw = getattr(target, "raw", None)
        return list(_results[id(raw)][1]) if decision is None and id(raw) in _results else _as_list(decision)
    if (result := _workflow_result(target)) is not None:
        return decisions_behind(result)
    if isinstance(target, StopEvent):
        return [] if target.result is None or isinstance(target.result, str) else decisions_behind(target.result)
    if isinstance(getattr(target, "response", None), ChatMessage):
        # What an agent gave, in a process that has not seen it run.
        return _as_list(decision_on(target.response.additional_kwargs))  # type: ignore[attr-defined]
    if isinstance(target, Mapping) and target and all(isinstance(name, str) for name in target):
        tags = [TAGS.decisions((name, str(value))) for name, value in target.items()]
        if all(decisions is not None for decisions in tags):
            first, *others = (decisions or () for decisions in tags)
            return [decision for decision in first if all(decision in other for other in others)]
    return None


def _as_list(decision: str | None) -> list[str]:
    return [] if decision is None else [decision]


_results: dict[int, tuple[weakref.ref[Any], list[str]]] = {}
"""The decisions behind results that have no metadata, by their identity as long as they live."""


def _workflow_result(handler: object) -> object | None:
    """What a workflow ended with, of its handler; `None` of anything else, and where it has not ended yet."""
    if not any(kind.__name__ == "WorkflowHandler" for kind in type(handler).__mro__):
        return None
    stop_event = getattr(handler, "get_stop_event", None)
    if callable(stop_event):
        return cast(object, stop_event())
    return handler.result() if isinstance(handler, asyncio.Future) and handler.done() else None


def _write(result: Any, span_id: str) -> None:
    """Write the decisions within a span on what its call gave, or remember them beside it."""
    if isinstance(result, (StreamingResponse, AsyncStreamingResponse, StreamingAgentChatResponse)):
        # Its decisions come while it is drained; the list is the one to which they are added.
        if (decisions := SPANS.live_decisions(span_id)) is None:
            return
        if isinstance(result, StreamingAgentChatResponse):
            _remember(result, decisions)
        else:
            result.metadata = {**(result.metadata or {}), IDS: decisions}
    elif isinstance(result, (BaseModel, *WITH_METADATA)) and (past_decisions := SPANS.decisions(span_id)):
        if isinstance(result, WITH_METADATA):
            result.metadata = {**(result.metadata or {}), IDS: list(past_decisions)}
            return
        _remember(result, list(past_decisions))
        if isinstance(result, StopEvent) and isinstance(result.result, (BaseModel, *WITH_METADATA)):
            # What a workflow ends with; who awaits it is given the result in it.
            _write(result.result, span_id)


def _remember(result: Any, decisions: list[str]) -> None:
    """Remember the decisions behind an object as long as it lives."""
    identity = id(result)
    with suppress(TypeError):
        # Lists and numbers cannot be watched; nobody could tell one from another that was made in its place.
        _results[identity] = (weakref.ref(result, lambda _: _results.pop(identity, None)), decisions)


def _within_span(result: StreamingResponse | AsyncStreamingResponse, span_id: str) -> Generator[str] | AsyncGenerator[str]:
    """Have what is called while a response is drained, after its span has ended, take place within that span all the same."""
    tags = dict(active_instrument_tags.get())

    @contextmanager
    def within() -> Iterator[None]:
        span_token, tags_token = active_span_id.set(span_id), active_instrument_tags.set(tags)
        try:
            yield
        finally:
            active_span_id.reset(span_token)
            active_instrument_tags.reset(tags_token)

    def drain(tokens: Iterator[str]) -> Generator[str]:
        while True:
            with within():
                token = next(tokens, END)
            if token is END:
                return
            yield token

    async def adrain(tokens: AsyncIterator[str]) -> AsyncGenerator[str]:
        while True:
            with within():
                token = await anext(tokens, END)
            if token is END:
                return
            yield token

    if isinstance(result, StreamingResponse):
        pieces = result.response_gen = drain(iter(result.response_gen))
        return pieces
    later = result.response_gen = adrain(aiter(result.response_gen))
    return later


def _question(arguments: Mapping[str, Any]) -> str | None:
    for name in QUESTION_ARGUMENTS:
        value = arguments.get(name)
        if isinstance(value, QueryBundle):
            return value.query_str
        if isinstance(value, ChatMessage):
            return value.content
        if isinstance(value, str) and value.strip():
            return value
    return None
