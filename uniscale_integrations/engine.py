"""`UniScale`: decides a configuration for each request, runs it, logs it, and learns from feedback that comes later."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.attribution import Credit, credited, decisions_of
from uniscale_integrations.cost.hardware import H100, HardwareProfile
from uniscale_integrations.cost.ledger import Ledger
from uniscale_integrations.eligibility import Eligibility, Reasons
from uniscale_integrations.errors import (
    BudgetError,
    ConfigurationError,
    ContextLengthError,
    CrowdedError,
    LogError,
    RequestRefused,
    SearchFailed,
)
from uniscale_integrations.estimates import Estimates, KnowsItsCost, Spent, check_units
from uniscale_integrations.failures import Fault, fault_of
from uniscale_integrations.journal import Decision, Journal
from uniscale_integrations.log.events import Event, Feedback, Outcome, new_id
from uniscale_integrations.log.fold import Fold
from uniscale_integrations.log.group import GroupCommit
from uniscale_integrations.log.log import Log
from uniscale_integrations.policy.actions import ActionFeatures, doublings
from uniscale_integrations.policy.encoders import WithNumbers, query_encoder
from uniscale_integrations.policy.learner import Learner, LearnerSettings
from uniscale_integrations.policy.objective import Mode, Weights, weights
from uniscale_integrations.policy.pacing import Pacing
from uniscale_integrations.recalibration import Recalibration
from uniscale_integrations.replica import Replica
from uniscale_integrations.roster import default_space, loaded, suiting
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import NUMBERS, Conversation, Emit, Turn
from uniscale_integrations.search.driver import Observer
from uniscale_integrations.search.ports import Generator, Sampling, Verifier
from uniscale_integrations.search.run import Answer, Request, arun
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.verifiers.formed import Formed
from uniscale_integrations.verifiers.named import checked, named_verifier
from uniscale_integrations.warm_start import Known, batched, known_decisions

WARM_BATCH = 500
"""Decisions that a warm start writes in one transaction."""

Result = TypeVar("Result")


class UniScale:
    """Chooses, for every request, the model and the amount of search, and learns from feedback which choice pays off.

    Args:
        models: names, folders or hub names of local models, chat models of LangChain, or generators; the embedded family by default.
        verifier: what scores the steps: a verifier, its name (see `named_verifier`), or "auto" for the embedded reward model with the
            embedded family, self-certainty with other local models, and agreement between candidates, with self-certainty where
            log-probabilities come, with chat models; `None` for none, which leaves plain samples and votes by count.
        space: the configurations to choose from; every model with the default searches by default.
        mode: "cost-sensitive", "balanced", "quality-first", or three weights; a request may bring its own.
        log: address of the log, or an open one; "sqlite://" keeps it in memory.
        sampling: how to draw.
        features: what the policy sees of a question: by default its text alone; or an embedding of it, by a transformer's name or
            folder, a LangChain `Embeddings` or a LlamaIndex `BaseEmbedding`; or an encoder of your own.
        prices: of models of a framework by name, in dollars per million tokens read and sampled. Without, their costs are eFLOPs of the
            size that a model's name tells ("8b"), or of ten billion parameters.
        hardware: the profile that prices compute.
        settings: of the policy.
        max_cost: most that exploration may spend on one request, in eFLOPs (or dollars for models with a price): configurations
            expected to cost more are not eligible.
        mean_budget: what requests may cost on average, in eFLOPs (or dollars): within it the money goes where it brings most. What is
            overdrawn, or left over, is made good over the next hundred requests or so; every engine keeps to it by itself,
            for what it runs. "quality-first" suits it, since the budget already says what cost is worth.
        sync_interval: seconds after which other workers' events are looked for, at the latest.
        recalibrate: whether the verifier's scores are calibrated to the feedback that comes, before they are learned from.
        store_queries: whether the log keeps the text of questions; otherwise it keeps features and a hash.
        store_paths: whether the log keeps every path of a search, with the text of the answers, for reports to show.

    Raises:
        ConfigurationError: a space of models that are not there, or settings that cannot be.
        LogError: the log cannot be opened.

    Example:
        >>> engine = UniScale(models=["uniscale-0.3m"])
        >>> answer = engine.run("What is 12 + 30 - 7?")
        >>> engine.feedback(answer.decision_id, correct=answer.answer == "35", source="exact-match")
        True
    """

    def __init__(
        self,
        models: Sequence[object] | None = None,
        verifier: Verifier | str | None = "auto",
        space: ConfigurationSpace | None = None,
        mode: Mode = "balanced",
        log: str | Log = "sqlite://",
        *,
        sampling: Sampling | None = None,
        features: object = None,
        prices: Mapping[str, tuple[float, float]] | None = None,
        hardware: HardwareProfile = H100,
        settings: LearnerSettings | None = None,
        max_cost: float | None = None,
        mean_budget: float | None = None,
        sync_interval: float = 1.0,
        recalibrate: bool = False,
        store_queries: bool = False,
        store_paths: bool = False,
    ) -> None:
        self.weights = weights(mode)
        self._models = loaded(models, prices)
        check_units(self._models, hardware)
        if verifier == "auto":
            verifier = suiting(self._models.values())
        self._verifier = named_verifier(verifier, list(self._models)) if isinstance(verifier, str) else checked(verifier)
        self.space = space or default_space(self._models)
        unknown = [configuration for configuration in self.space if configuration.model not in self._models]
        if unknown:
            raise ConfigurationError(f"the space has {unknown[0]}, but the models are {', '.join(self._models)}")
        if max_cost is not None and not max_cost > 0:
            raise ConfigurationError(f"max_cost must be a number above 0, got {max_cost!r}")
        self.sampling, self._hardware = sampling or Sampling(), hardware
        self._encode = WithNumbers(query_encoder(features), len(NUMBERS), "conversation-1")
        self._estimates = Estimates.of(self.space, self._models, hardware, self._verifier)
        self._pacing = None if mean_budget is None else Pacing(mean_budget, self._estimates.scale)
        verified = self._verifier is not None
        self._eligibility = Eligibility(
            self.space, self._models, self._estimates.costs.tolist(), hardware, verified=verified, max_cost=max_cost
        )
        self._own_log = isinstance(log, str)
        self.log = Log(log) if isinstance(log, str) else log
        models_of = [self.space.models.index(configuration.model) for configuration in self.space]
        learner = Learner(
            ActionFeatures({})(self.space),
            models_of,
            self._encode.kinds,
            self._estimates.positions,
            doublings(list(self.space)),
            scored=self._verifier is not None,
            settings=settings,
        )
        self._group = GroupCommit(lambda events: self._append(*events), at_once=self.log.in_memory)
        try:
            verifier_name = None if self._verifier is None else self._verifier.name
            calibration = Recalibration(self.log, verifier_name) if recalibrate and verifier_name is not None else None
            self._journal = Journal(self._encode.name, self._estimates, verifier_name, calibration, store_queries, store_paths)
            fold = Fold(self.log, learner, self.space, self._encode.name, self._estimates)
            self._replica = Replica(fold, sync_interval, calibration)
            fold.resume()
            self.sync()
        except BaseException:
            self.close()
            raise

    @property
    def models(self) -> Mapping[str, Generator]:
        """The models by name."""
        return self._models

    @property
    def verifier(self) -> Verifier | None:
        """What scores the steps."""
        return self._verifier

    @property
    def in_dollars(self) -> bool:
        """Whether costs are counted in dollars, as of models with a price, and not in eFLOPs."""
        return self._estimates.in_dollars

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
            mode: weights of this request.
            budget: what it may cost; what is expected to cost more is not eligible, as long as anything is left.
            models: names of those that may be chosen; all by default.

        Raises:
            ConfigurationError: no configuration can serve it.
            LogError: the choice could not be logged.
        """
        self._replica.sync_if_due()
        chosen = self.weights if mode is None else weights(mode)
        decision = self._decide(_asked(query), chosen, budget or Budget(), new_id(), 0, self._others(models))
        self._append(self._journal.decided(decision, query))
        return decision

    def run(
        self,
        question: str | Conversation,
        *,
        mode: Mode | None = None,
        budget: Budget | None = None,
        sampling: Sampling | None = None,
        models: Collection[str] | None = None,
    ) -> Answer:
        """`arun` for callers that do not await; works inside a running event loop too, and asks models by their synchronous methods."""
        asked = replace(_asked(question), synchronous=True)
        return _finish(self.arun(asked, mode=mode, budget=budget, sampling=sampling, models=models))

    async def arun(
        self,
        question: str | Conversation,
        *,
        mode: Mode | None = None,
        budget: Budget | None = None,
        sampling: Sampling | None = None,
        models: Collection[str] | None = None,
        observe: Observer | None = None,
        emit: Emit | None = None,
    ) -> Answer:
        """Choose a configuration, run it, log choice and outcome, and give the answer with the decision's id.

        Where every candidate of the chosen model fails, or the question is too long for it, the next best model gets its turn, unless
        pieces of an answer have been shown already. A request that a provider refuses for its own sake ends at once, and costs its model
        nothing.

        Args:
            question: what to answer: a text, or a conversation.
            mode: weights of this request.
            budget: what the search may spend; what is expected to cost more, or has taken longer of late, is not eligible as long as
                anything else is left.
            sampling: how to draw, instead of the engine's.
            models: names of those that may be chosen; all by default.
            observe: told of every answer that the search took.
            emit: takes the pieces of an answer while it is made, where the configuration is plain and the model streams.

        Raises:
            ConfigurationError: no configuration can serve it.
            SearchFailed: every model failed.
            RequestRefused: a provider refused the request itself.
            ContextLengthError: the question is too long for the last one that was left.
        """
        chosen, request_id, limits = self.weights if mode is None else weights(mode), new_id(), budget or Budget()
        asked, failed, shown = _asked(question), self._others(models), _Shown(emit)
        notes = await self._replica.async_if_due()
        for attempt in count():
            decision = self._decide(asked, chosen, limits, request_id, attempt, failed)
            configuration = decision.configuration
            request = Request(
                asked.question,
                configuration,
                sampling or self.sampling,
                limits,
                early_stopping=self._verifier is None or self._verifier.path_local,
                hardware=self._hardware,
                conversation=asked,
                emit=shown if emit is not None and configuration.plain else None,
            )
            lost: list[Ledger] = []
            try:
                answer = await arun(request, self._models[configuration.model], self._verifier_for(asked), observe, lost.append)
            except asyncio.CancelledError:
                # The decision is closed, so that nobody waits for its outcome; the log's own thread sees to that.
                failure = self._journal.failed(decision, "cancelled", _spent(lost))
                self._spend(failure)
                self._group.submit(self._journal.decided(decision, question), failure)
                raise
            except Exception as error:
                notes += await self._failed(decision, question, error, limits, _spent(lost))
                if isinstance(error, RequestRefused) or not isinstance(error, (SearchFailed, ContextLengthError)):
                    raise
                failed |= {each: str(error) for each in self.space if each.model == configuration.model}
                if shown.anything or not self._eligibility.anything(asked, failed):
                    raise
                continue
            self._eligibility.resting.answered(configuration.model)
            self._eligibility.took(configuration, answer.ledger.seconds - answer.waited)
            self._spend(answer.ledger)
            notes += await self._keep(self._journal.decided(decision, question), self._journal.answered(decision, answer))
            return replace(answer, decision_id=decision.id, notes=(*answer.notes, *notes))
        raise AssertionError("a request ends with an answer or an error")

    def feedback(
        self,
        target: object,
        correct: float,
        *,
        source: str = "feedback",
        key: str = "correct",
        comment: str = "",
        credit: Credit = "all",
    ) -> bool:
        """Say how right the answer of a decision was; any worker on the log may, any time later.

        Args:
            target: a decision's id, what `decide` or `run` gave, or, with an adapter, a run or its id, a message, an agent's state, a
                response, a span's id, tags. Of several decisions behind it those of this engine's log are judged.
            correct: in [0, 1].
            source: who says so. Each counts once, with the last it said; several are averaged.
            key: what about, where one source judges several things.
            comment: free text.
            credit: who is judged where the target took several decisions: "all", "last", or "split".

        Returns:
            whether any of it was new.

        Raises:
            UnknownDecisionError: no such decision in the log.
            ConfigurationError: `correct` is no number in [0, 1], or a target that nothing knows.
        """
        new, decisions = False, decisions_of(target)
        if len(decisions) > 1:
            # Several engines may have had a part in one result; each learns of its own decisions.
            own = {entry.event.decision_id for entry in self.log.of_decisions(decisions)}
            decisions = tuple(each for each in decisions if each in own) or decisions
        for decision_id, weight in credited(decisions, credit):
            written = self.log.add_feedback(Feedback(decision_id, correct, source, key, comment, weight))
            if written is not None:
                self._replica.follow(written)
                new = True
        return new

    def reward(self, answer: Answer | Outcome, correct: float, mode: Mode | None = None) -> float:
        """What an answer earned, `w1 correct + w2 score + w3 (1 - C~)`; without a score the others count alone.

        Args:
            answer: what `run` gave, or its outcome in the log.
            correct: in [0, 1].
            mode: the weights; the engine's by default.

        Raises:
            ConfigurationError: only the score counts, and there is none.
        """
        chosen = self.weights if mode is None else weights(mode)
        cost = self._estimates.position(answer.ledger if isinstance(answer, Answer) else answer)
        if answer.score is None:
            return chosen.without(score=True).reward(correct, 0.0, cost)
        return chosen.reward(correct, answer.score, cost)

    def cost(self, answer: Answer | Outcome) -> float:
        """What an answer took, in eFLOPs, or in dollars where the engine counts in those.

        Args:
            answer: what `run` gave, or its outcome in the log.
        """
        return self._estimates.cost(answer.ledger if isinstance(answer, Answer) else answer)

    def sync(self) -> int:
        """Learn now what any worker has logged since; returns how many events that were."""
        return self._replica.sync()

    def warm_start(self, source: str | Path | Log, most: int | None = None) -> int:
        """Begin with what is known: an outcome table, or the log of another engine.

        What it says is written to this log, as decisions with their outcomes and feedback, so that every worker learns it and nothing is
        learned twice however often this is called. Configurations that this engine does not have are passed over, and so are a log's
        decisions whose features another encoder made.

        Args:
            source: path of a table, address of a log, or an open log.
            most: only so many of its decisions, the first ones.

        Returns:
            how many decisions were new.

        Raises:
            TableError: no sound table.
            LogError: a log that cannot be read, or this one cannot be written.
            ConfigurationError: its costs are in eFLOPs and the engine's in dollars, or the other way round.
        """
        known = known_decisions(source, self.space, self._encode)
        return sum(self._take_over(part) for part in batched(islice(known, most), WARM_BATCH))

    def _take_over(self, part: Sequence[Known]) -> int:
        outcomes = [event for each in part for event in each if isinstance(event, Outcome)]
        if all(isinstance(model, KnowsItsCost) for model in self._models.values()) and any(map(self._in_another_unit, outcomes)):
            unit, other = ("dollars", "eFLOPs") if self.in_dollars else ("eFLOPs", "dollars")
            remedy = "make it anew with these prices" if self.in_dollars else "give the models prices"
            raise ConfigurationError(
                f"what is known beforehand has its costs in {other}, and this engine counts {unit}; {remedy}"
            )
        held = {entry.event.decision_id for entry in self.log.of_decisions(each[0].decision_id for each in part)}
        new = [each for each in part if each[0].decision_id not in held]
        if new:
            self._append(*(event for each in new for event in each))
        return len(new)

    def _in_another_unit(self, outcome: Outcome) -> bool:
        # A model may be free, and a table may give both.
        return outcome.in_dollars != self.in_dollars and not (self.in_dollars and (outcome.usd or not outcome.eflops))

    def snapshot(self) -> None:
        """Keep what was learned in the log, so that a worker that opens it later need not fold it from its beginning.

        An engine does so by itself now and then. The log alone is what counts: without snapshots nothing is lost but time.

        Raises:
            LogError: it could not be written.
        """
        self._replica.snapshot()

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that was learned so far, as arrays: among others `A` and `b` of correctness and of what is observed at once."""
        return self._replica.state()

    def close(self) -> None:
        """Write what is waiting, and close the log unless it was given open; `with UniScale(...) as engine:` does so at its end."""
        self._group.close()
        if self._own_log:
            self.log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"UniScale({', '.join(self._models)}; {len(self.space)} configurations, log {self.log.name})"

    def _decide(
        self,
        asked: Conversation,
        chosen: Weights,
        limits: Budget,
        request_id: str,
        attempt: int,
        failed: Reasons,
    ) -> Decision:
        if not asked.question.strip() and not asked.may_be_empty:
            raise ConfigurationError("the question is empty; give it at least one word")
        features = self._encode(asked.query, asked.numbers)
        masked = self._eligibility.masked(asked, limits, failed)
        eligible = np.array([configuration not in masked for configuration in self.space])
        if not eligible.any():
            raise ConfigurationError(f"no configuration can serve this request: {next(iter(masked.values()))}")
        believed = self._replica.assess(features, chosen, eligible)
        assessment = believed if self._pacing is None else self._pacing.paced(believed)
        if beyond := np.flatnonzero(eligible & ~assessment.eligible).tolist():
            masked = {
                **masked,
                **{self.space[arm]: "it is expected to cost more than is left of the mean budget" for arm in beyond},
            }
        best = assessment.best
        expected = {name: float(getattr(believed, name)[best]) for name in ("correct", "score", "cost", "reward")}
        bonus = float(assessment.bonus[best])
        return Decision(
            new_id(),
            self.space[best],
            expected,
            bonus,
            chosen,
            request_id,
            attempt,
            tuple(features.tolist()),
            assessment,
            self.space,
            masked,
        )

    def _verifier_for(self, asked: Conversation) -> Verifier | None:
        return self._verifier if asked.valid is None else Formed(self._verifier, asked.valid)

    def _others(self, models: Collection[str] | None) -> dict[Configuration, str]:
        """The configurations that a request leaves out which may only be served by some models.

        Raises:
            ConfigurationError: a model that is not there, or that the space has no configuration of.
        """
        if models is None:
            return {}
        if missing := sorted(set(models).difference(self.space.models)):
            raise ConfigurationError(
                f"no configuration has the model {missing[0]!r}; the models are {', '.join(self.space.models)}"
            )
        return {each: "its model was not asked for" for each in self.space if each.model not in models}

    async def _failed(
        self, decision: Decision, asked: str | Conversation, error: Exception, limits: Budget, spent: tuple[float, float]
    ) -> list[str]:
        """Log that a decision came to nothing, and remember what its model is to be spared for; notes for whoever asked."""
        failure = self._journal.failed(decision, str(error) or repr(error), spent)
        self._spend(failure)
        notes = await self._keep(self._journal.decided(decision, asked), failure)
        if isinstance(error, BudgetError) and not isinstance(error, CrowdedError) and limits.seconds is not None:
            # How long it would have taken is not known, only that it was more.
            self._eligibility.took(decision.configuration, 2.0 * limits.seconds)
        if isinstance(error, SearchFailed) and (not error.errors or any(fault_of(each) is Fault.MODEL for each in error.errors)):
            self._eligibility.resting.failed(decision.configuration.model)
        return [*notes, f"{decision.configuration} failed: {error}"]

    def _spend(self, spent: Spent) -> None:
        if self._pacing is not None:
            self._pacing.spend(self._estimates.cost(spent))

    def _append(self, *new: Event) -> None:
        self._replica.follow(self.log.append(*new))

    async def _keep(self, *new: Event) -> list[str]:
        """Log what happened; a log that fails never costs the user the answer, who is told of it instead."""
        try:
            written = self._group.submit(*new)
            if written.done():
                written.result()
            else:
                await asyncio.wrap_future(written)
        except LogError as error:
            return [f"not logged, so feedback on it cannot be learned from: {error}"]
        return []


class _Shown:
    """Passes pieces of an answer on, and knows whether there were any."""

    def __init__(self, emit: Emit | None) -> None:
        self._emit, self.anything = emit, False

    def __call__(self, piece: Any) -> None:
        self.anything = True
        if self._emit is not None:
            self._emit(piece)


def _spent(lost: Sequence[Ledger]) -> tuple[float, float]:
    """EFLOPs and dollars of attempts that came to nothing."""
    return sum(each.eflops for each in lost), sum(each.usd for each in lost)


def _asked(question: str | Conversation) -> Conversation:
    return question if isinstance(question, Conversation) else Conversation((Turn("user", question),))


def _finish(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end, on a thread of its own where this one already runs an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
