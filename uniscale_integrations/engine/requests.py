"""One request: decide, try, and where a model fails decide again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from time import monotonic

from uniscale_integrations.concurrency.turns import take_turn
from uniscale_integrations.cost.ledger import Ledger
from uniscale_integrations.engine.attempt import Output, OwnOutput, attempt_search
from uniscale_integrations.engine.brain import Brain
from uniscale_integrations.engine.choice import decide
from uniscale_integrations.engine.eligibility import Reasons
from uniscale_integrations.engine.journal import Decision, EventFactory
from uniscale_integrations.engine.knowledge import Knowledge
from uniscale_integrations.engine.request import INSTANT, EngineRequest
from uniscale_integrations.errors import (
    BudgetError,
    ConfigurationError,
    ContextLengthError,
    CrowdedError,
    LogError,
    NotInTime,
    RequestRefused,
    SearchFailed,
)
from uniscale_integrations.log.events import Event as LogEvent
from uniscale_integrations.log.events import Outcome
from uniscale_integrations.models.chat.watch import Watch
from uniscale_integrations.models.faults import Fault, fault_of
from uniscale_integrations.policy.request_pacing import Pacing
from uniscale_integrations.policy.targets import Pacer
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.events import tell
from uniscale_integrations.telemetry import Decided, Ended, Logged


@dataclass(slots=True, eq=False)
class Attempt:
    """A decision that is being carried out.

    Attributes:
        decision: names the configuration.
        output: what it shows of its answer.
        ledgers: what was spent where no answer comes of it.
        task: that runs it, where it does not run alone.
        watch: knows whether its model has replied at all.
        why: the reason for which it is cancelled, if it is.
        began: when, by `time.monotonic`.
    """

    decision: Decision
    output: OwnOutput
    ledgers: list[Ledger] = field(default_factory=list)
    task: asyncio.Future[Answer | Exception] | None = None
    watch: Watch = field(default_factory=Watch)
    why: str = "cancelled"
    began: float = field(default_factory=monotonic)

    @property
    def model(self) -> str:
        """The model that is asked."""
        return self.decision.configuration.model

    @property
    def running(self) -> asyncio.Future[Answer | Exception]:
        """Its task, of one that has one."""
        assert self.task is not None
        return self.task

    @property
    def seconds(self) -> float:
        """Since it began."""
        return monotonic() - self.began

    @property
    def usage(self) -> tuple[float, float]:
        """EFLOPs and dollars of what came to nothing."""
        return sum(each.eflops for each in self.ledgers), sum(each.usd for each in self.ledgers)


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
        output = Output(request.emit, request.has_output)
        notes = await self._knowledge.replica.sync_if_due_async()
        numbers = count()
        while True:
            await take_turn()
            attempt = self._begin(request, failed, next(numbers), output)
            attempt, came = await self._first_to_answer(attempt, request, failed, numbers, notes)
            await take_turn()
            if isinstance(came, Answer):
                return await self._finish(attempt.decision, request, came, notes)
            notes += await self._failed(attempt, request, came)
            failed = {**failed, **self._of_model(attempt, str(came))}
            if not self._may_go_on(came, request, failed, output):
                raise came

    def _begin(self, request: EngineRequest, failed: Reasons, number: int, output: Output) -> Attempt:
        decision = self.decide(request, failed, number)
        self._reserve(decision)
        tell(request.observers, Decided(decision))
        return Attempt(decision, OwnOutput(output))

    def _of_model(self, attempt: Attempt, why: str) -> Reasons:
        return {each: why for each in self.brain.space if each.model == attempt.model}

    def _may_go_on(self, error: Exception, request: EngineRequest, failed: Reasons, output: Output) -> bool:
        """Whether another model may answer after an error."""
        if isinstance(error, RequestRefused) or not isinstance(error, (SearchFailed, ContextLengthError)):
            return False
        in_time = request.remaining.seconds is None or request.remaining.seconds > INSTANT
        return in_time and not output.has_output() and self.brain.eligibility.anything(request.conversation, failed)

    async def _first_to_answer(
        self, first: Attempt, request: EngineRequest, failed: Reasons, numbers: Iterator[int], notes: list[str]
    ) -> tuple[Attempt, Answer | Exception]:
        """What comes of an attempt; where it does not answer in half of its time, of another one that is begun beside it."""
        patience = self._patience(first, request, failed)
        if patience is None:
            return first, await self._run(first, request)
        first.task = asyncio.ensure_future(self._run(first, request))
        try:
            await asyncio.wait((first.task,), timeout=patience)
            if first.task.done() or first.watch.replied or first.output.has_output():
                return first, await first.task
            late = self._of_model(first, f"{first.model} has not answered for {first.seconds:.3g} s")
            try:
                second = self._begin(request, {**failed, **late}, next(numbers), first.output.shared)
            except ConfigurationError:
                # Nothing else can serve this request, as little as it could at its beginning.
                return first, await first.task
            second.task = asyncio.ensure_future(self._run(second, request))
        except BaseException:
            await _cancelled(first)
            raise
        notes.append(f"{first.model} had not answered for {first.seconds:.3g} s, and {second.model} was asked beside it")
        return await self._race([first, second], request, notes)

    async def _race(self, running: list[Attempt], request: EngineRequest, notes: list[str]) -> tuple[Attempt, Answer | Exception]:
        """What comes of the attempt that answers first, or fails last; the others are given up."""
        try:
            while True:
                await asyncio.wait([each.running for each in running], return_when=asyncio.FIRST_COMPLETED)
                for attempt in [each for each in running if each.running.done()]:
                    came = await attempt.running
                    running.remove(attempt)
                    if isinstance(came, Answer) and running and attempt.output.shared.owner not in (None, attempt.output):
                        # What has been shown is the beginning of another answer.
                        attempt.ledgers.append(came.ledger)
                        came = NotInTime("another answer was being shown already")
                    if isinstance(came, Answer) or not running:
                        for other in running:
                            other.why = f"given up after {other.seconds:.3g} s, for {attempt.model} had answered"
                            # How long it would have taken is not known, only that it was more.
                            self.brain.eligibility.observe_seconds(other.decision.configuration, 2.0 * other.seconds)
                        return attempt, came
                    notes += await self._failed(attempt, request, came)
        finally:
            for each in running:
                await _cancelled(each)

    def _patience(self, attempt: Attempt, request: EngineRequest, failed: Reasons) -> float | None:
        """Seconds after which another model is asked beside one that does not answer; `None` for never.

        A model that computes here is at work, and another one beside it would only take its time.
        """
        seconds = request.remaining.seconds
        if seconds is None or not getattr(self.brain.models[attempt.model], "remote", False):
            return None
        return self.brain.eligibility.patience(attempt.decision.configuration, seconds, request.conversation, failed)

    async def _run(self, attempt: Attempt, request: EngineRequest) -> Answer | Exception:
        """What comes of an attempt; where it is cancelled its decision is closed."""
        decision = attempt.decision
        try:
            return await attempt_search(self.brain, decision, request, attempt.output, attempt.ledgers, attempt.watch)
        except (asyncio.CancelledError, KeyboardInterrupt) as error:
            tell(request.observers, Ended(decision.id, error=error))
            # The decision is closed, so that nobody waits for its outcome; the log's own thread sees to that.
            failure = self.event_factory.failure(decision, attempt.why, attempt.usage)
            self._spend(decision, failure)
            self._knowledge.submit(self.event_factory.decision(decision, request.query), failure)
            raise
        except Exception as error:
            tell(request.observers, Ended(decision.id, error=error))
            return error

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

    async def _failed(self, attempt: Attempt, request: EngineRequest, error: Exception) -> list[str]:
        """Log that a decision came to nothing, and remember what its model is to be spared for; notes for whoever asked."""
        eligibility, decision = self.brain.eligibility, attempt.decision
        failure = self.event_factory.failure(decision, error, attempt.usage)
        self._spend(decision, failure)
        notes = await self._keep(request, self.event_factory.decision(decision, request.query), failure)
        if isinstance(error, BudgetError) and not isinstance(error, CrowdedError) and request.limits.seconds is not None:
            # As of those that are given up.
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


async def _cancelled(attempt: Attempt) -> None:
    """Cancel an attempt that runs, and wait until its decision is closed."""
    if attempt.task is not None and not attempt.task.done():
        attempt.task.cancel()
        await asyncio.wait((attempt.task,))
