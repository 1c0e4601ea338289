"""One request: decide, try, and where a model fails decide again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import numpy as np

from uniscale_integrations.cost.ledger import Ledger
from uniscale_integrations.engine.brain import Brain
from uniscale_integrations.engine.eligibility import Reasons
from uniscale_integrations.engine.journal import Decision, EventFactory
from uniscale_integrations.engine.knowledge import Knowledge
from uniscale_integrations.errors import (
    BudgetError,
    ConfigurationError,
    ContextLengthError,
    CrowdedError,
    RequestRefused,
    SearchFailed,
)
from uniscale_integrations.log.events import Event as LogEvent
from uniscale_integrations.log.events import Outcome, new_id
from uniscale_integrations.models.faults import Fault, fault_of
from uniscale_integrations.policy.objective import Weights
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation, Emit
from uniscale_integrations.search.events import SearchEvent, SearchObserver, tell
from uniscale_integrations.search.ports import Sampling, Verifier
from uniscale_integrations.search.run import Answer, Request, arun
from uniscale_integrations.space import Configuration
from uniscale_integrations.telemetry import Decided, Ended, Logged, Observer
from uniscale_integrations.verifiers.format_gate import FormatGate


@dataclass(frozen=True, slots=True, eq=False)
class EngineRequest:
    """A request, with everything that it says about how to answer it.

    Attributes:
        conversation: the conversation.
        query: what the log keeps a hash of, or the text.
        weights: of the reward.
        limits: what it may cost.
        sampling: how to draw.
        observers: are told what happens.
        emit: takes the pieces of an answer while it is made.
        has_output: whether any of the answer has been shown already, beside those pieces.
        id: of the request; it may take several decisions.
    """

    conversation: Conversation
    query: str | Conversation
    weights: Weights
    limits: Budget
    sampling: Sampling = Sampling()
    observers: tuple[Observer, ...] = ()
    emit: Emit | None = None
    has_output: Callable[[], bool] = lambda: False
    id: str = field(default_factory=new_id)


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
        """The configuration for a request.

        Raises:
            ConfigurationError: no configuration can serve it.
        """
        conversation, brain = request.conversation, self.brain
        if not conversation.question.strip() and not conversation.may_be_empty:
            raise ConfigurationError("the question is empty; give it at least one word")
        context = brain.design.encode.context(conversation.query, conversation.numbers, brain.space)
        reasons = brain.eligibility.reasons(conversation, request.limits, failed)
        eligible = np.ones(len(brain.space), dtype=np.bool_)
        if reasons:
            eligible[:] = [configuration not in reasons for configuration in brain.space]
        if not eligible.any():
            raise ConfigurationError(f"no configuration can serve this request: {next(iter(reasons.values()))}")
        replica = self._knowledge.replica
        belief = replica.assess(brain.policy, context, request.weights, eligible)
        assessment = belief if brain.pacing is None else brain.pacing.adjust(belief)
        if beyond := np.flatnonzero(eligible & ~assessment.eligible).tolist():
            reasons = {
                **reasons,
                **{brain.space[arm]: "it is expected to cost more than is left of the mean budget" for arm in beyond},
            }
        choice = replica.choose(brain.policy, assessment)
        expectation = {name: float(getattr(belief, name)[choice.action]) for name in ("correct", "score", "cost", "reward")}
        return Decision(
            new_id(),
            brain.space[choice.action],
            expectation,
            float(assessment.bonus[choice.action]),
            request.weights,
            request.id,
            attempt,
            tuple(context.of(choice.action).query.tolist()),
            assessment.read_only(),
            brain.space,
            reasons,
            choice.propensity,
        )

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
        brain, output = self.brain, _Output(request.emit, request.has_output)
        notes = await self._knowledge.replica.async_if_due()
        for attempt in count():
            decision = self.decide(request, failed, attempt)
            tell(request.observers, Decided(decision))
            ledgers: list[Ledger] = []
            try:
                answer = await self._attempt(decision, request, output, ledgers)
            except asyncio.CancelledError as error:
                tell(request.observers, Ended(decision.id, error=error))
                # The decision is closed, so that nobody waits for its outcome; the log's own thread sees to that.
                failure = self.event_factory.failure(decision, "cancelled", _usage_of(ledgers))
                self._spend(failure)
                self._knowledge.submit(self.event_factory.decision(decision, request.query), failure)
                raise
            except Exception as error:
                tell(request.observers, Ended(decision.id, error=error))
                notes += await self._failed(decision, request, error, _usage_of(ledgers))
                if isinstance(error, RequestRefused) or not isinstance(error, (SearchFailed, ContextLengthError)):
                    raise
                failed = {**failed, **{each: str(error) for each in brain.space if each.model == decision.configuration.model}}
                if output.so_far() or not brain.eligibility.anything(request.conversation, failed):
                    raise
                continue
            return await self._finish(decision, request, answer, notes)
        raise AssertionError("a request ends with an answer or an error")

    async def _attempt(self, decision: Decision, request: EngineRequest, output: _Output, ledgers: list[Ledger]) -> Answer:
        """Run what was decided."""
        configuration, design = decision.configuration, self.brain.design
        search = Request(
            request.conversation.question,
            configuration,
            request.sampling,
            request.limits,
            early_stopping=design.verifier is None or design.verifier.path_local,
            hardware=design.hardware,
            conversation=request.conversation,
            emit=output if request.emit is not None and configuration.plain else None,
            decision_id=decision.id,
        )
        valid = request.conversation.validator
        verifier: Verifier | None = design.verifier if valid is None else FormatGate(design.verifier, valid)
        observe = _of_decision(decision.id, request.observers) if request.observers else None
        return await arun(search, design.models[configuration.model], verifier, observe, ledgers.append, output.so_far)

    async def _finish(self, decision: Decision, request: EngineRequest, answer: Answer, notes: Sequence[str]) -> Answer:
        """Remember how it went, and log it."""
        eligibility = self.brain.eligibility
        eligibility.breaker.record_success(decision.configuration.model)
        eligibility.observe_seconds(decision.configuration, answer.ledger.seconds - answer.wait_seconds)
        self._spend(answer.ledger)
        log_notes = await self._keep(
            request, self.event_factory.decision(decision, request.query), self.event_factory.outcome(decision, answer)
        )
        if notes or log_notes:
            answer = replace(answer, warnings=(*answer.warnings, *notes, *log_notes))
        tell(request.observers, Ended(decision.id, answer))
        return answer

    async def _keep(self, request: EngineRequest, *new: LogEvent) -> list[str]:
        """Log what happened; a log that fails never costs the user the answer, who is told of it instead."""
        error = await self._knowledge.keep(*new)
        tell(request.observers, Logged(new, error))
        return [] if error is None else [f"not logged, so feedback on it cannot be learned from: {error}"]

    async def _failed(
        self, decision: Decision, request: EngineRequest, error: Exception, usage: tuple[float, float]
    ) -> list[str]:
        """Log that a decision came to nothing, and remember what its model is to be spared for; notes for whoever asked."""
        eligibility = self.brain.eligibility
        failure = self.event_factory.failure(decision, str(error) or repr(error), usage)
        self._spend(failure)
        notes = await self._keep(request, self.event_factory.decision(decision, request.query), failure)
        if isinstance(error, BudgetError) and not isinstance(error, CrowdedError) and request.limits.seconds is not None:
            # How long it would have taken is not known, only that it was more.
            eligibility.observe_seconds(decision.configuration, 2.0 * request.limits.seconds)
        if isinstance(error, SearchFailed) and (not error.errors or any(fault_of(each) is Fault.MODEL for each in error.errors)):
            eligibility.breaker.record_failure(decision.configuration.model)
        return [*notes, f"{decision.configuration} failed: {error}"]

    def _spend(self, record: Ledger | Outcome) -> None:
        if self.brain.pacing is not None:
            self.brain.pacing.spend(self.brain.estimates.cost(record))

    def others(self, models: Collection[str] | None) -> dict[Configuration, str]:
        """The configurations that a request leaves out which may only be served by some models.

        Raises:
            ConfigurationError: a model that is not there, or that the space has no configuration of.
        """
        if models is None:
            return {}
        space = self.brain.space
        if missing := sorted(set(models).difference(space.models)):
            raise ConfigurationError(f"no configuration has the model {missing[0]!r}; the models are {', '.join(space.models)}")
        return {each: "its model was not asked for" for each in space if each.model not in models}


class _Output:
    """Passes pieces of an answer on, and knows whether anything of it has been shown."""

    def __init__(self, emit: Emit | None, beside: Callable[[], bool]) -> None:
        self._emit, self._beside, self._any = emit, beside, False

    def __call__(self, piece: Any) -> None:
        self._any = True
        if self._emit is not None:
            self._emit(piece)

    def so_far(self) -> bool:
        return self._any or self._beside()


def _of_decision(decision_id: str, observers: Sequence[Observer]) -> SearchObserver:
    """Passes on what happens in a search, with the decision that it belongs to."""

    def observe(event: SearchEvent) -> None:
        tell(observers, replace(event, decision_id=decision_id))

    return observe


def _usage_of(ledgers: Sequence[Ledger]) -> tuple[float, float]:
    """EFLOPs and dollars of attempts that came to nothing."""
    return sum(each.eflops for each in ledgers), sum(each.usd for each in ledgers)
