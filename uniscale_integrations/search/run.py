"""From a question and a configuration to an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from uniscale_integrations.cost.ledger import Charge, Ledger
from uniscale_integrations.deprecation import former_keywords, former_names, member
from uniscale_integrations.errors import ConfigurationError, ContinuationError, SearchFailed
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.beam import BeamSearch, SearchSettings
from uniscale_integrations.search.budget import Meter
from uniscale_integrations.search.comparison import compare_answers
from uniscale_integrations.search.conversation import SupportsConversation
from uniscale_integrations.search.driver import Driver
from uniscale_integrations.search.events import SearchObserver
from uniscale_integrations.search.paths import Fate
from uniscale_integrations.search.ports import (
    Generator,
    GeneratorSession,
    SupportsVoteScores,
    SupportsWholeAnswers,
    Verifier,
    shared_usage,
)
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.vote_count import VoteCount
from uniscale_integrations.search.votes import Vote, vote_rule
from uniscale_integrations.texts import utf8_safe


def settings_for(request: Request, verifier: Verifier | None) -> tuple[SearchSettings, list[str]]:
    """The search settings of a request, and notes on what the verifier does not allow.

    Raises:
        ConfigurationError: the configuration must choose between candidates and there is no verifier to choose by.
    """
    notes: list[str] = []
    if verifier is None and request.configuration.cp > 1:
        raise ConfigurationError(
            f"{request.configuration} chooses between CP={request.configuration.cp} candidates, which needs a verifier; "
            "name one, or use CP=1"
        )
    early = request.early_stopping and verifier is not None
    if early and verifier is not None and not verifier.path_local:
        early = False
        notes.append(f"early stopping is off: {verifier.name} scores a path by comparing it with others")
    return (
        SearchSettings(
            max_steps=request.sampling.max_steps,
            early_stopping=early,
            schedule=request.schedule if early else "lockstep",
            aggregation=request.aggregation,
            upper=1.0 if verifier is None else verifier.upper,
            whole_answers=not request.budget.limits(),
            question=request.question,
        ),
        notes,
    )


class SearchRun:
    """One request being run; `answer()` gives what is best so far, also after an interruption."""

    def __init__(
        self, request: Request, generator: Generator, verifier: Verifier | None = None, observe: SearchObserver | None = None
    ) -> None:
        conversation = request.conversation
        if not request.question.strip() and (conversation is None or not conversation.may_be_empty):
            raise ConfigurationError("the question is empty; give it at least one word")
        settings, notes = settings_for(request, verifier)
        # Asking a protocol whether an object is one takes longer than all else here.
        horizon: int | None = getattr(generator, "horizon", None)
        if horizon is not None and horizon < settings.max_steps:
            settings = replace(settings, max_steps=horizon)
        if (question := utf8_safe(request.question)) != request.question:
            request = replace(request, question=question)
        self.request = request
        self.search = BeamSearch(request.configuration, settings)
        self.meter = Meter(request.budget, request.hardware)
        self._generator, self._verifier = generator, verifier
        self._names = (generator.name, verifier.name if verifier else "")
        self._generation = _open_session(generator, request)
        try:
            self._verification = verifier.open(request.question) if verifier else None
        except BaseException:
            self._generation.close()
            raise
        votes = self._open_vote()
        if votes is None:
            self.search.notes.extend(notes)
        # Candidates of a vote come one by one, to be cancelled once it is decided, and are compared when they are there.
        as_one = self._generation.together or (verifier is not None and not verifier.path_local and votes is None)
        self._driver = Driver(
            self.search,
            self._generation,
            self._verification,
            self.meter,
            self._names[1],
            generator_name=self._names[0],
            as_one=as_one,
            observe=observe,
            votes=votes,
        )

    def _open_vote(self) -> VoteCount | None:
        """What counts the vote that this search is, where it may stop once it is decided."""
        (qp, cp, _), rule = self.request.configuration.shape, vote_rule(self.request.sampling.votes)
        if rule is None or cp > 1 or len(rule.sizes(qp)) < 2:
            return None
        share: float = getattr(self._verifier, "vote_share", 0.0)
        # As above.
        samples: SupportsWholeAnswers | None = self._generation if hasattr(self._generation, "samples_whole") else None  # type: ignore[assignment]  # it is one
        if samples is None or not samples.samples_whole(asked=self.search.settings.whole_answers):
            return None
        if self._verifier is not None and not share:
            return None
        self.search.vote = Vote(qp, rule, share)
        scores: SupportsVoteScores | None = self._verification  # type: ignore[assignment]  # its verifier says so
        return VoteCount(self.search, self.search.vote, scores, self._names[1])

    async def execute(self) -> Answer:
        """Run to the end of the search or of the budget."""
        try:
            await self._driver.run()
        finally:
            self.close()
        if self.request.configuration.qp > 1:
            await compare_answers(self.search, self.request.question, self.meter.remaining_seconds())
        return self.answer()

    def close(self) -> None:
        """Close both sessions, also when closing one of them fails."""
        try:
            if self._verification is not None:
                self._verification.close()
        finally:
            self._generation.close()

    def answer(self) -> Answer:
        """The best answer so far.

        Raises:
            SearchFailed: every candidate failed, with what each said.
        """
        ledger = self.ledger()
        result = self.search.result()
        if result is None:
            causes = tuple(dict.fromkeys(path.reason for path in self.search.paths if path.reason))
            why = "; ".join(causes or self.search.notes) or "nothing was sampled"
            errors = tuple(path.payload for path in self.search.paths if isinstance(path.payload, BaseException))
            usage = ledger.eflops, ledger.usd
            raise SearchFailed(f"{self.request.configuration} produced nothing: {why}", causes, errors, usage)
        return Answer(
            text=result.text,
            answer=result.answer,
            score=result.score,
            best_text=result.best.text,
            best_score=result.best.value,
            configuration=self.request.configuration,
            ledger=ledger,
            paths=result.paths,
            answers=self.search.answers,
            stop_reason=result.stop_reason,
            warnings=(*self._notes(result.notes), *filter(None, [self.meter.overrun(ledger.usage)])),
            payload=result.winner.payload,
            decision_id=self.request.decision_id,
            wait_seconds=member(self._generation, "wait_seconds", "waited", 0.0),
            finish_reason=result.finish_reason,
            vote=self.search.vote.decided if self.search.vote else "",
        )

    def _notes(self, notes: Sequence[str]) -> tuple[str, ...]:
        """All notes; what the verifier has found out as well as the vote is said once."""
        verifier_notes = getattr(self._verification, "notes", ())
        return (*notes, *self._generation.notes, *(note for note in verifier_notes if note not in notes))

    def ledger(self) -> Ledger:
        """What was spent so far, also after an interruption."""
        generator, verifier = self._names
        prompts = [Charge("generator", generator, shared_usage(self._generation))]
        if self._verification is not None:
            prompts.append(Charge("verifier", verifier, shared_usage(self._verification)))
        generator_usage, verifier_usage = self._driver.cancelled
        prompts.append(Charge("generator", generator, generator_usage, Fate.CANCELLED))
        prompts.append(Charge("verifier", verifier, verifier_usage, Fate.CANCELLED))
        return Ledger.of(
            self.search.paths,
            profile=self.request.hardware,
            generator=generator,
            verifier=verifier,
            prompts=prompts,
            seconds=self.meter.seconds,
        )


def _open_session(generator: Generator, request: Request) -> GeneratorSession:
    conversation = request.conversation
    # As above.
    converses: SupportsConversation | None = generator if hasattr(generator, "open_conversation") else None  # type: ignore[assignment]  # it is one
    if conversation is not None and converses is not None:
        return converses.open_conversation(conversation, request.sampling, request.configuration, request.emit)
    if conversation is not None and not conversation.is_single_question:
        raise ConfigurationError(f"{generator.name} takes single questions only, not conversations")
    return generator.open(request.question, request.sampling)


@former_keywords(lost="on_failure", shown="has_output")
async def arun(
    request: Request,
    generator: Generator,
    verifier: Verifier | None = None,
    observe: SearchObserver | None = None,
    on_failure: Callable[[Ledger], object] | None = None,
    has_output: Callable[[], bool] = lambda: False,
) -> Answer:
    """Search for the answer to a request.

    Args:
        request: the question and how to search.
        generator: the base model.
        verifier: scores the steps.
        observe: called with what happens; see `telemetry`.
        on_failure: called with what was spent where no answer comes of it, also when the caller cancels.
        has_output: whether any of the answer has been shown already, so that it cannot be begun anew.

    Raises:
        ConfigurationError: the request cannot be run as it stands.
        BudgetError: the budget does not cover the first step of one sample.
        SearchFailed: every candidate failed.
        RequestRefused: the provider refused the request itself.
    """
    answer = await _execute(SearchRun(request, generator, verifier, observe), on_failure)
    if answer.stop_reason and not has_output() and any(isinstance(path.payload, ContinuationError) for path in answer.paths):
        # The model turned out not to go on with what it has begun. Now that this is known, it is asked for whole answers.
        again = await _execute(SearchRun(request, generator, verifier, observe), on_failure)
        return replace(again, ledger=answer.ledger.plus(again.ledger), warnings=(*answer.warnings, *again.warnings))
    return answer


async def _execute(current: SearchRun, on_failure: Callable[[Ledger], object] | None) -> Answer:
    try:
        return await current.execute()
    except BaseException:
        if on_failure is not None:
            on_failure(current.ledger())
        raise


def run(
    request: Request, generator: Generator, verifier: Verifier | None = None, observe: SearchObserver | None = None
) -> Answer:
    """`arun` for callers without an event loop; Ctrl-C gives the best answer so far, marked as cut.

    Raises:
        KeyboardInterrupt: interrupted before anything was found.
    """
    current = SearchRun(request, generator, verifier, observe)
    try:
        return asyncio.run(current.execute())
    except KeyboardInterrupt:
        if current.search.result() is None:
            raise
        return current.answer()


__getattr__ = former_names(__name__, {"Run": "SearchRun"})
