"""One request: decide, try, and where a model fails decide again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

from uniscale_integrations.concurrency.turns import take_turn
from uniscale_integrations.cost.ledger import Ledger
from uniscale_integrations.engine.attempt import Output, attempt_search
from uniscale_integrations.engine.brain import Brain
from uniscale_integrations.engine.choice import decide
from uniscale_integrations.engine.eligibility import Reasons
from uniscale_integrations.engine.journal import Decision, EventFactory
from uniscale_integrations.engine.knowledge import Knowledge
from uniscale_integrations.engine.request import EngineRequest
from uniscale_integrations.errors import BudgetError, ContextLengthError, CrowdedError, LogError, RequestRefused, SearchFailed
from uniscale_integrations.log.events import Event as LogEvent
from uniscale_integrations.log.events import Outcome
from uniscale_integrations.models.faults import Fault, fault_of
from uniscale_integrations.policy.request_pacing import Pacing
from uniscale_integrations.policy.targets import Pacer
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.events import tell
from uniscale_integrations.telemetry import Decided, Ended, Logged


class Requests:
    """Serves requests with one brain.

    Args:
        brain: decides.
        knowledge: what the log is written through.
        journal: says in the log's words what happens.
    """

    def __init__(self, brain: Brain, knowledge: Knowledge, journal: EventFactory) -> None:
        self.brain, self._knowledge, self.event_factory = brain, knowledge, journal

    def decide(self, request: EngineRequest, failed: Reasons, attempt: int = 0) -> Decision:
        """As of `choice.decide`."""
        return decide(self.brain, self._knowledge.replica, request, failed, attempt)

    async def answer(self, request: EngineRequest, failed: Reasons) -> Answer:
        """The answer of the first configuration that gives one.

        Args:
            request: the request.
            failed: configurations that it leaves out, with the reason.

        Raises:
            ConfigurationError: no configuration can serve it.
            SearchFailed: every model failed.
            RequestRefused: a provider refused the request itself.
            ContextLengthError: the question is too long for the last one that was left.
        """
        brain, output = self.brain, Output(request.emit, request.has_output)
        notes = await self._knowledge.replica.sync_if_due_async()
        for attempt in count():
            await take_turn()
            decision = self.decide(request, failed, attempt)
            self._reserve(decision)
            tell(request.observers, Decided(decision))
            ledgers: list[Ledger] = []
            try:
                answer = await attempt_search(brain, decision, request, output, ledgers)
            except (asyncio.CancelledError, KeyboardInterrupt) as error:
                tell(request.observers, Ended(decision.id, error=error))
                # The decision is closed, so that nobody waits for its outcome; the log's own thread sees to that.
                failure = self.event_factory.failure(decision, "cancelled", _usage_of(ledgers))
                self._spend(decision, failure)
                self._knowledge.submit(self.event_factory.decision(decision, request.query), failure)
                raise
            except Exception as error:
                tell(request.observers, Ended(decision.id, error=error))
                notes += await self._failed(decision, request, error, _usage_of(ledgers))
                if isinstance(error, RequestRefused) or not isinstance(error, (SearchFailed, ContextLengthError)):
                    raise
                failed = {**failed, **{each: str(error) for each in brain.space if each.model == decision.configuration.model}}
                if output.has_output() or not brain.eligibility.anything(request.conversation, failed):
                    raise
                continue
            await take_turn()
            return await self._finish(decision, request, answer, notes)
        raise AssertionError("a request ends with an answer or an error")

    async def _finish(self, decision: Decision, request: EngineRequest, answer: Answer, notes: Sequence[str]) -> Answer:
        """Remember how it went, and log it."""
        eligibility = self.brain.eligibility
        eligibility.breaker.record_success(decision.configuration.model)
        eligibility.observe_seconds(decision.configuration, answer.ledger.seconds - answer.wait_seconds)
        self._spend(decision, answer.ledger)
        outcome = self.event_factory.outcome(decision, answer, request.conversation)
        self._knowledge.replica.replies.learn(outcome)
        log_notes = await self._keep(request, self.event_factory.decision(decision, request.query), outcome)
        if notes or log_notes:
            answer = replace(answer, warnings=(*answer.warnings, *notes, *log_notes))
        tell(request.observers, Ended(decision.id, answer))
        return answer

    async def _keep(self, request: EngineRequest, *new: LogEvent) -> list[str]:
        """Log what happened; a log that fails never costs the user the answer, who is told of it instead."""
        outcome = await self._knowledge.keep(*new)
        if isinstance(outcome, LogError):
            tell(request.observers, Logged(new, error=outcome))
            return [f"not logged, so feedback on it cannot be learned from: {outcome}"]
        tell(request.observers, Logged(new, spooled=outcome))
        return [] if outcome is None else [str(outcome)]

    async def _failed(
        self, decision: Decision, request: EngineRequest, error: Exception, usage: tuple[float, float]
    ) -> list[str]:
        """Log that a decision came to nothing, and remember what its model is to be spared for; notes for whoever asked."""
        eligibility = self.brain.eligibility
        failure = self.event_factory.failure(decision, str(error) or repr(error), usage)
        self._spend(decision, failure)
        notes = await self._keep(request, self.event_factory.decision(decision, request.query), failure)
        if isinstance(error, BudgetError) and not isinstance(error, CrowdedError) and request.limits.seconds is not None:
            # How long it would have taken is not known, only that it was more.
            eligibility.observe_seconds(decision.configuration, 2.0 * request.limits.seconds)
        if isinstance(error, SearchFailed) and (not error.errors or any(fault_of(each) is Fault.MODEL for each in error.errors)):
            eligibility.breaker.record_failure(decision.configuration.model)
        return [*notes, f"{decision.configuration} failed: {error}"]

    def _reserve(self, decision: Decision) -> None:
        """Count what a decision is expected to cost, for those that are taken before it is known: a burst would overdraw every budget."""
        if (expected := decision.expected.get("spend")) is not None:
            for pacer in self._pacers(decision):
                pacer.spend(expected)

    def _spend(self, decision: Decision, record: Ledger | Outcome) -> None:
        cost, expected = self.brain.estimates.cost(record), decision.expected.get("spend")
        for pacer in self._pacers(decision):
            if expected is None:
                pacer.spend(cost)
            else:
                pacer.revise(expected, cost)

    def _pacers(self, decision: Decision) -> Iterator[Pacing | Pacer]:
        if self.brain.pacing is not None:
            yield self.brain.pacing
        if decision.target is not None:
            yield self._knowledge.replica.pacers.of(decision.target)


def _usage_of(ledgers: Sequence[Ledger]) -> tuple[float, float]:
    """EFLOPs and dollars of attempts that came to nothing."""
    return sum(each.eflops for each in ledgers), sum(each.usd for each in ledgers)
