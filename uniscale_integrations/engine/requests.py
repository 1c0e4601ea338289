"""One request: decide, try, and decide again where a model failed or its answer may be improved on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic

from uniscale_integrations.concurrency.turns import take_turn
from uniscale_integrations.cost.ledger import Ledger
from uniscale_integrations.engine.attempt import Output, OwnOutput, attempt_search
from uniscale_integrations.engine.brain import Brain
from uniscale_integrations.engine.continuation import Reply, reply_key
from uniscale_integrations.engine.deliberation import Deliberation, spent_of
from uniscale_integrations.engine.eligibility import Reasons
from uniscale_integrations.engine.journal import Decision, EventFactory
from uniscale_integrations.engine.kept import answer_of, vote_over
from uniscale_integrations.engine.knowledge import Knowledge
from uniscale_integrations.engine.request import EngineRequest
from uniscale_integrations.errors import (
    BudgetError,
    ContextLengthError,
    CrowdedError,
    LogError,
    NotInTime,
    RequestRefused,
    SearchFailed,
)
from uniscale_integrations.log.events import Event as LogEvent
from uniscale_integrations.log.events import Outcome
from uniscale_integrations.log.lessons import Rounds
from uniscale_integrations.models.chat.watch import Watch
from uniscale_integrations.models.faults import Fault, fault_of
from uniscale_integrations.policy.request_pacing import Pacing
from uniscale_integrations.policy.targets import Pacer
from uniscale_integrations.rounds.attempt import Answered, Failed
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.events import tell
from uniscale_integrations.search.paths import Fate
from uniscale_integrations.telemetry import Concluded, Decided, Ended, Logged


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

    def decide(self, request: EngineRequest, excluded: Reasons) -> Decision:
        """The first decision of a request.

        Raises:
            ConfigurationError: no configuration can serve it.
        """
        decision = Deliberation(self.brain, self._knowledge.replica, request, excluded).ask()
        assert decision is not None, "where nothing can be decided that is raised"
        return decision

    async def answer(self, request: EngineRequest, excluded: Reasons) -> Answer:
        """The answer that is kept once nothing further is worth trying: the first one, where the engine decides once.

        Args:
            request: the request.
            excluded: configurations that it leaves out, with the reason.

        Raises:
            ConfigurationError: no configuration can serve it.
            SearchFailed: every model failed.
            RequestRefused: a provider refused the request itself.
            ContextLengthError: the question is too long for the last one that was left.
        """
        output = Output(request.emit, request.has_output)
        notes = await self._knowledge.replica.sync_if_due_async()
        await take_turn()
        work = Deliberation(self.brain, self._knowledge.replica, request, excluded)
        decision = work.ask()
        while decision is not None:
            attempt = self._begin(decision, request, output)
            attempt, came = await self._first_to_answer(attempt, work, request, notes)
            await take_turn()
            decision = await self._told(work, request, attempt, came, notes)
        return self._given(work, request, attempt, notes)

    def _begin(self, decision: Decision, request: EngineRequest, output: Output) -> Attempt:
        self._reserve(decision)
        tell(request.observers, Decided(decision))
        return Attempt(decision, OwnOutput(output))

    async def _told(
        self, work: Deliberation, request: EngineRequest, attempt: Attempt, came: Answer | Exception, notes: list[str]
    ) -> Decision | None:
        """Take in what came of an attempt, and log it; returns the decision to go on with, if any.

        Raises:
            Exception: what came, where nothing answers the request any more.
        """
        if isinstance(came, Answer):
            self._note_success(work, attempt.decision, came)
            following = work.ask()
        else:
            self._note_failure(work, request, attempt, came)
            following = work.ask() if self._may_go_on(came, request, attempt.output) else None
        if following is None and self.brain.decides_again:
            vote_over(work.episode, request.conversation.question)
        await self._log(work, request, attempt, came, notes, over=following is None)
        if following is None and isinstance(came, Exception) and not work.episode.context.answers:
            raise came
        return following

    async def _log(
        self,
        work: Deliberation,
        request: EngineRequest,
        attempt: Attempt,
        came: Answer | Exception,
        notes: list[str],
        *,
        over: bool,
    ) -> None:
        """Log what came of an attempt, and note for whoever asked what went wrong."""
        decision, rounds = attempt.decision, self._rounds(work, attempt.decision, over=over)
        event, reply = self.event_factory.decision(decision, request.query), self._reply(work, request) if over else None
        if reply is not None:
            self._knowledge.replica.replies.note(*reply)
        if isinstance(came, Exception):
            notes += await self._keep(request, event, self.event_factory.failure(decision, came, attempt.usage, rounds, reply))
            notes.append(f"{decision.configuration} failed: {came}")
            return
        outcome = self.event_factory.outcome(decision, came, rounds, reply)
        if over:
            notes += await self._keep(request, event, outcome)
        else:
            # Whoever asks waits for what follows, and not for the log meanwhile.
            self._knowledge.submit(event, outcome)
            tell(request.observers, Ended(decision.id, came))

    def _reply(self, work: Deliberation, request: EngineRequest) -> Reply | None:
        """What the request is answered with, and by whom; `None` where it is not."""
        kept = work.episode.result().kept
        if kept is None or not isinstance(kept.came, Answered):
            return None
        key = reply_key(request.conversation.turns, kept.came.answer.text)
        return Reply(key, self.brain.space[kept.decision.configuration].model)

    def _rounds(self, work: Deliberation, decision: Decision, *, over: bool) -> Rounds | None:
        """What the log is told of an attempt's place in its episode; `None` of an engine that decides once."""
        if not self.brain.decides_again:
            return None
        kept, conclusion, attempt = work.episode.context.kept, work.conclusion(), work.attempt_of(decision)
        return Rounds(
            attempt.belief,
            over,
            kept.decision.number if over and kept is not None else None,
            conclusion.record() if over and conclusion is not None else None,
            round(self.brain.estimates.scale.position(work.episode.context.spent), 6),
            work.episode.context.spent,
            attempt.complete or not attempt.answered,
        )

    def _given(self, work: Deliberation, request: EngineRequest, last: Attempt, notes: Sequence[str]) -> Answer:
        """The request's answer, with what all attempts have cost; observers are told of it."""
        answer = answer_of(work.episode, work.lost, self.brain.space, work.id_of, notes, in_rounds=self.brain.decides_again)
        if (conclusion := work.conclusion()) is not None:
            tell(request.observers, Concluded(conclusion))
        # Of an attempt that failed that was told when it did.
        answered = work.attempt_of(last.decision).answered
        tell(request.observers, Ended(last.decision.id if answered else answer.decision_id or "", answer))
        return answer

    def _of_model(self, attempt: Attempt, why: str) -> Reasons:
        return {each: why for each in self.brain.space if each.model == attempt.model}

    def _may_go_on(self, error: Exception, request: EngineRequest, output: OwnOutput) -> bool:
        """Whether another model may answer after an error."""
        if isinstance(error, RequestRefused) or not isinstance(error, (SearchFailed, ContextLengthError)):
            return False
        return request.in_time and not output.has_output()

    async def _first_to_answer(
        self, first: Attempt, work: Deliberation, request: EngineRequest, notes: list[str]
    ) -> tuple[Attempt, Answer | Exception]:
        """What comes of an attempt; where it does not answer in half of its time, of another one that is begun beside it."""
        patience = self._patience(first, request, work.excluded)
        running = spent_of(request, self.brain, work)
        if patience is None:
            return first, await self._run(first, running)
        first.task = asyncio.ensure_future(self._run(first, running))
        try:
            await asyncio.wait((first.task,), timeout=patience)
            if first.task.done() or first.watch.replied or first.output.has_output():
                return first, await first.task
            decision = work.beside(self._of_model(first, f"{first.model} has not answered for {first.seconds:.3g} s"))
            if decision is None:
                return first, await first.task
            second = self._begin(decision, request, first.output.shared)
            second.task = asyncio.ensure_future(self._run(second, running))
        except BaseException:
            await _cancelled(first)
            raise
        notes.append(f"{first.model} had not answered for {first.seconds:.3g} s, and {second.model} was asked beside it")
        return await self._race([first, second], work, request, notes)

    async def _race(
        self, running: list[Attempt], work: Deliberation, request: EngineRequest, notes: list[str]
    ) -> tuple[Attempt, Answer | Exception]:
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
                    self._note_failure(work, request, attempt, came)
                    await self._log(work, request, attempt, came, notes, over=False)
        finally:
            for each in running:
                await _cancelled(each)
                lost = sum(map(self.brain.estimates.cost, each.ledgers))
                work.tell(each.decision, Failed(NotInTime(each.why), lost), each.ledgers)

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
            # Another attempt may be going on, which tells how the request ends.
            rounds = Rounds() if self.brain.decides_again else None
            failure = self.event_factory.failure(decision, attempt.why, attempt.usage, rounds)
            self._spend(decision, failure)
            self._knowledge.submit(self.event_factory.decision(decision, request.query), failure)
            raise
        except Exception as error:
            tell(request.observers, Ended(decision.id, error=error))
            return error

    def _note_success(self, work: Deliberation, decision: Decision, answer: Answer) -> None:
        """Remember how it went."""
        eligibility, verifier = self.brain.eligibility, self.brain.design.verifier
        eligibility.breaker.record_success(decision.configuration.model)
        eligibility.observe_seconds(decision.configuration, answer.ledger.seconds - answer.wait_seconds)
        self._spend(decision, answer.ledger)
        read, sampled = answer.ledger.tokens
        spend, score = self.brain.estimates.cost(answer.ledger), self.event_factory.score(answer)
        name = "" if verifier is None or score is None else verifier.name
        # A message without text, such as one of tool calls, ends as a path does that has some.
        complete = any(path.fate is Fate.FINISHED for path in answer.paths)
        work.tell(decision, Answered(answer, score, spend, sampled or None, read or None, name, complete=complete))

    async def _keep(self, request: EngineRequest, *new: LogEvent) -> list[str]:
        """Log what happened; a log that fails never costs the user the answer, who is told of it instead."""
        outcome = await self._knowledge.keep(*new)
        if isinstance(outcome, LogError):
            tell(request.observers, Logged(new, error=outcome))
            return [f"not logged, so feedback on it cannot be learned from: {outcome}"]
        tell(request.observers, Logged(new, spooled=outcome))
        return [] if outcome is None else [str(outcome)]

    def _note_failure(self, work: Deliberation, request: EngineRequest, attempt: Attempt, error: Exception) -> None:
        """Remember that a decision came to nothing, and what its model is to be spared for."""
        eligibility, decision = self.brain.eligibility, attempt.decision
        failure = self.event_factory.failure(decision, error, attempt.usage)
        self._spend(decision, failure)
        seconds = None if request.in_time else request.limits.seconds
        if seconds is not None and isinstance(error, BudgetError) and not isinstance(error, CrowdedError):
            # As of those that are given up; what had no budget for tokens tells nothing of time.
            eligibility.observe_seconds(decision.configuration, 2.0 * seconds)
        if isinstance(error, SearchFailed) and (not error.errors or any(fault_of(each) is Fault.MODEL for each in error.errors)):
            eligibility.breaker.record_failure(decision.configuration.model)
        work.tell(decision, Failed(error, self.brain.estimates.cost(failure)), attempt.ledgers)
        work.excluded = {**work.excluded, **self._of_model(attempt, str(error))}

    def _reserve(self, decision: Decision) -> None:
        """Count what a decision is expected to cost, for those that are taken before it is known: a burst would overdraw every budget."""
        if (expected := _expected_spend(decision)) is not None:
            self._count(decision, expected)

    def _spend(self, decision: Decision, record: Ledger | Outcome) -> None:
        cost, expected = self.brain.estimates.cost(record), _expected_spend(decision)
        if expected is None:
            self._count(decision, cost)
            return
        for pacer in self._pacers(decision):
            pacer.revise(expected, cost)

    def _count(self, decision: Decision, cost: float) -> None:
        """Count a cost: with the first decision of a request a further request's budget comes in, and with the others none."""
        for pacer in self._pacers(decision):
            if decision.round:
                pacer.revise(0.0, cost)
            else:
                pacer.spend(cost)

    def _pacers(self, decision: Decision) -> Iterator[Pacing | Pacer]:
        if self.brain.pacing is not None:
            yield self.brain.pacing
        if decision.target is not None:
            yield self._knowledge.replica.pacers.of(decision.target)


def _expected_spend(decision: Decision) -> float | None:
    """What a decision is expected to cost beside what was spent before it."""
    whole = decision.expected.get("spend")
    return None if whole is None else whole - decision.spent


async def _cancelled(attempt: Attempt) -> None:
    """Cancel an attempt that runs, and wait until its decision is closed."""
    if attempt.task is not None and not attempt.task.done():
        attempt.task.cancel()
        await asyncio.wait((attempt.task,))
