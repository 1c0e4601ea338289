"""The half of an engine that serves requests: decide, and run what was decided."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from typing import Any, TypeVar

from uniscale_integrations.concurrency.caller import CALLER_LOOPS
from uniscale_integrations.deprecation import former_keywords
from uniscale_integrations.engine.brain import Brain
from uniscale_integrations.engine.choice import excluded_by_model
from uniscale_integrations.engine.journal import Decision, EventFactory
from uniscale_integrations.engine.knowledge import Knowledge
from uniscale_integrations.engine.learning import LearningEngine
from uniscale_integrations.engine.probe_results import ProbeResults
from uniscale_integrations.engine.request import EngineRequest
from uniscale_integrations.engine.requests import Requests
from uniscale_integrations.engine.succession import Succession
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.targets import Goal, Mode
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation, Emit, Turn
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.telemetry import Observer

Result = TypeVar("Result")

ROUNDS = 2
"""Answers that may be looked at by an engine that decides again, where nobody says."""


class ServingEngine(LearningEngine):
    """How an engine serves requests; see `UniScale`, which is one.

    Args:
        knowledge: the log and what was learned from it, with the brain that decides.
        goal: what requests are after that bring none.
        sampling: how to draw for requests that do not say.
        observers: are told what happens while requests are served.
        probes: shares what was found of the models with other workers.
        store_queries: whether the log keeps the text of questions.
        store_paths: whether it keeps every path of a search.
        rounds: answers that may be looked at before one is given, for requests that do not say; `None` for what suits each.
    """

    def __init__(
        self,
        knowledge: Knowledge,
        goal: Goal,
        sampling: Sampling,
        observers: Sequence[Observer],
        probes: ProbeResults,
        *,
        store_queries: bool,
        store_paths: bool,
        rounds: int | None = None,
    ) -> None:
        super().__init__(knowledge, goal)
        self._rounds = rounds
        self.sampling, self._observers = sampling, tuple(observers)
        self._storage = {"store_queries": store_queries, "store_paths": store_paths}
        self._succession = Succession(knowledge, probes, self._serve_with)

    def decide(
        self,
        query: str | Conversation,
        *,
        mode: Mode | None = None,
        budget: Budget | None = None,
        models: Collection[str] | None = None,
    ) -> Decision:
        """Choose a configuration for a question and log the choice.

        Args:
            query: the question's text, or a conversation.
            mode: of this request, as of `UniScale`.
            budget: what it may cost; what is expected to cost more is not eligible, as long as anything is left.
            models: names of those that may be chosen; all by default.

        Raises:
            ConfigurationError: no configuration can serve it.
            LogError: the choice could neither be logged nor kept for the log.
        """
        self._knowledge.replica.sync_if_due()
        self._succession.adopt_soon()
        requests = self._requests
        decision = requests.decide(self._request(query, mode, budget), excluded_by_model(requests.brain.space, models))
        self._knowledge.keep_now(requests.event_factory.decision(decision, query))
        return decision

    def run(
        self,
        question: str | Conversation,
        *,
        mode: Mode | None = None,
        budget: Budget | None = None,
        sampling: Sampling | None = None,
        models: Collection[str] | None = None,
        rounds: int | None = None,
    ) -> Answer:
        """`arun` for callers that do not await; works inside a running event loop too, and asks models by their synchronous methods."""
        conversation = replace(_conversation(question), synchronous=True)

        def work() -> Coroutine[Any, Any, Answer]:
            return self.arun(conversation, mode=mode, budget=budget, sampling=sampling, models=models, rounds=rounds)

        # Models of one's own may keep connections open, or hold up the loop that they run on.
        return CALLER_LOOPS.run(work, copy_context()) if self.brain.loop_free else _finish(work())

    @former_keywords(shown="has_output")
    async def arun(
        self,
        question: str | Conversation,
        *,
        mode: Mode | None = None,
        budget: Budget | None = None,
        sampling: Sampling | None = None,
        models: Collection[str] | None = None,
        rounds: int | None = None,
        observe: Observer | None = None,
        emit: Emit | None = None,
        has_output: Callable[[], bool] = lambda: False,
    ) -> Answer:
        """Choose a configuration, run it, log choice and outcome, and give the answer with the decision's id.

        Where every candidate of the chosen model fails, or the question is too long for it, the next best model gets its turn, unless
        pieces of an answer have been shown already. A request that a provider refuses for its own sake ends at once, and costs its model
        nothing.

        Args:
            question: what to answer: a text, or a conversation.
            mode: of this request, as of `UniScale`.
            budget: what the search may spend; what is expected to cost more, or has taken longer of late, is not eligible as long as
                anything else is left.
            sampling: how to draw, instead of the engine's.
            models: names of those that may be chosen; all by default.
            rounds: answers that may be looked at before one is given; by default as many as the engine was set up with, and one where
                the answer is read while it is written and the engine was not told how many.
            observe: told what happens, beside the engine's own observers; see `telemetry`.
            emit: takes the pieces of an answer while it is made, where the configuration is plain and the model streams.
            has_output: whether any of the answer has been shown already, beside those pieces, so that it cannot be begun anew.

        Raises:
            ConfigurationError: no configuration can serve it, or more rounds than one of an engine that decides once.
            SearchFailed: every model failed.
            RequestRefused: a provider refused the request itself.
            ContextLengthError: the question is too long for the last one that was left.
        """
        await self._succession.look()
        requests = self._requests
        observers = self._observers if observe is None else (*self._observers, observe)
        further = {"sampling": sampling or self.sampling, "observers": observers, "emit": emit, "has_output": has_output}
        rounds = self._rounds_of(requests.brain, rounds, streaming=emit is not None)
        request = self._request(question, mode, budget, rounds=rounds, **further)
        try:
            with self._knowledge.in_use():
                return await requests.answer(request, excluded_by_model(requests.brain.space, models))
        finally:
            self._succession.adopt_later()

    def close(self) -> None:
        """Write what is waiting, and close the log unless it was given open; `with UniScale(...) as engine:` does so at its end.

        Requests that are under way end as they began, and the log is closed after the last of them.
        """
        self._succession.close()
        super().close()

    def _serve_with(self, brain: Brain) -> None:
        """Serve requests with a brain from now on; those that are under way keep theirs."""
        self._requests = Requests(brain, self._knowledge, EventFactory(brain, self._knowledge.recalibration, **self._storage))

    def _rounds_of(self, brain: Brain, asked: int | None, *, streaming: bool) -> int:
        """How many answers may be looked at.

        Raises:
            ConfigurationError: no such number, or more than one of an engine that decides once.
        """
        if asked is None:
            usual = 1 if streaming and self._rounds is None else self._rounds or ROUNDS
            return usual if brain.decides_again else 1
        if isinstance(asked, bool) or not isinstance(asked, int) or asked < 1:
            raise ConfigurationError(f"rounds must be a whole number of at least 1, got {asked!r}")
        if asked > 1 and not brain.decides_again:
            raise ConfigurationError(
                f"this engine decides once, and a call asks for rounds={asked}; make the engine with rounds={asked}, so that it "
                "learns when to go on"
            )
        return asked

    def _request(self, question: str | Conversation, mode: Mode | None, budget: Budget | None, **further: Any) -> EngineRequest:
        conversation = _conversation(question)
        continues = self._knowledge.replica.continuation_of(conversation)
        return EngineRequest(conversation, question, self._goal_of(mode), budget or Budget(), continues=continues, **further)


def _conversation(question: str | Conversation) -> Conversation:
    return question if isinstance(question, Conversation) else Conversation((Turn("user", question),))


def _finish(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end, on a thread of its own where this one already runs an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
