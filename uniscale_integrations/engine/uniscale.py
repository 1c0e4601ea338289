"""`UniScale`: decides a configuration for each request, runs it, logs it, and learns from feedback that comes later."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, Self, TypeVar

from numpy.typing import NDArray

from uniscale_integrations.cost.hardware import H100, HardwareProfile
from uniscale_integrations.deprecation import former_keywords
from uniscale_integrations.engine.attribution import Credit
from uniscale_integrations.engine.brain import Brain, build
from uniscale_integrations.engine.journal import Decision, EventFactory
from uniscale_integrations.engine.knowledge import Knowledge
from uniscale_integrations.engine.requests import EngineRequest, Requests
from uniscale_integrations.engine.setup import ClientSettings, Prices, design_of, updated_design
from uniscale_integrations.engine.warm_start import take_over
from uniscale_integrations.log.events import Feedback, Outcome
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.policy.default_policy import LearnerSettings
from uniscale_integrations.policy.named import PolicySpec
from uniscale_integrations.policy.objective import Mode, weights
from uniscale_integrations.policy.policy import PolicyFactory
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation, Emit, Turn
from uniscale_integrations.search.ports import Generator, Sampling, Verifier
from uniscale_integrations.search.run import Answer
from uniscale_integrations.space import ConfigurationSpace
from uniscale_integrations.telemetry import Observer

Result = TypeVar("Result")


class UniScale:
    """Chooses, for every request, the model and the amount of search, and learns from feedback which choice pays off.

    Args:
        models: names, folders or hub names of local models, chat models of LangChain, generators, or any of these in a `Model`; the
            embedded family by default.
        verifier: what scores the steps: a verifier, its name (see `named_verifier`), or "auto" for the embedded reward model with the
            embedded family, self-certainty with other local models, and agreement between candidates, with self-certainty where
            log-probabilities come, with chat models; `None` for none, which leaves plain samples and votes by count.
        space: the configurations to choose from; every model with the default searches by default.
        mode: "cost-sensitive", "balanced", "quality-first", or three weights; a request may bring its own.
        log: address of the log, or an open one; "sqlite://" keeps it in memory.
        sampling: how to draw.
        features: what the policy sees of a question: by default its text alone; or an embedding of it, by a transformer's name or
            folder, a LangChain `Embeddings` or a LlamaIndex `BaseEmbedding`; or an encoder of your own; or a `JointContext`, the paper's
            encoder of question and configuration, with which the policy is "joint".
        prices: of models of a framework by name, in dollars per million tokens read and sampled. Without, their costs are eFLOPs of the
            size that a model's name tells ("8b"), or of ten billion parameters.
        hardware: the profile that prices compute.
        settings: of the policies "linucb", "thompson" and "joint".
        policy: what chooses and learns: "linucb", "thompson", "greedy", "knn", "random" or "joint", a class that takes `Arms` (see
            `Policy`), or "module:name" of one.
        max_cost: most that exploration may spend on one request, in eFLOPs (or dollars for models with a price): configurations
            expected to cost more are not eligible.
        mean_budget: what requests may cost on average, in eFLOPs (or dollars): within it the money goes where it brings most. What is
            overdrawn, or left over, is made good over the next hundred requests or so; every engine keeps to it by itself,
            for what it runs. "quality-first" suits it, since the budget already says what cost is worth.
        sync_interval: seconds after which other workers' events are looked for, at the latest.
        recalibrate: whether the verifier's scores are calibrated to the feedback that comes, before they are learned from.
        store_queries: whether the log keeps the text of questions; otherwise it keeps features and a hash.
        store_paths: whether the log keeps every path of a search, with the text of the answers, for reports to show.
        observers: are told what happens while requests are served, as events of `telemetry`; they change nothing.
        client_settings: of the clients around models of a framework, from the beginning and after `update`: `max_concurrency`,
            `timeout` in seconds and `retries` of one request, and the `api_key` of models that are named with their provider. Models
            that are generators already keep their own.

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
        log: str | EventStore = "sqlite://",
        *,
        sampling: Sampling | None = None,
        features: object = None,
        policy: str | PolicyFactory = "linucb",
        prices: Prices | None = None,
        hardware: HardwareProfile = H100,
        settings: LearnerSettings | None = None,
        max_cost: float | None = None,
        mean_budget: float | None = None,
        sync_interval: float = 1.0,
        recalibrate: bool = False,
        store_queries: bool = False,
        store_paths: bool = False,
        observers: Sequence[Observer] = (),
        client_settings: ClientSettings | None = None,
    ) -> None:
        self.weights, self.sampling = weights(mode), sampling or Sampling()
        spec = PolicySpec(policy, settings)
        clients = client_settings or {}
        design = design_of(models, verifier, space, features, spec, prices, hardware, max_cost, mean_budget, clients)
        self._observers, self._updating = tuple(observers), Lock()
        self._storage = {"store_queries": store_queries, "store_paths": store_paths}
        self._knowledge = Knowledge(log)
        try:
            brain = build(design, self._knowledge.log)
            self._knowledge.begin(brain, sync_interval, recalibrate=recalibrate, seed=self.sampling.seed)
        except BaseException:
            self._knowledge.close()
            raise
        self._requests = self._with(brain)

    def _with(self, brain: Brain) -> Requests:
        """What serves requests with a brain."""
        return Requests(brain, self._knowledge, EventFactory(brain, self._knowledge.recalibration, **self._storage))

    @property
    def brain(self) -> Brain:
        """What decides now: models, configurations, verifier and costs that belong together.

        It does not change, `update` puts another one in its place. Who reads several of these reads them from one brain; `models` and
        `space` of the engine, read one after the other, may be of two.

        Example:
            >>> engine = UniScale(models=["uniscale-0.3m", "uniscale-1m"])
            >>> before = engine.brain
            >>> engine.update(models=["uniscale-1m"])
            >>> [list(brain.models) for brain in (before, engine.brain)]
            [['uniscale-0.3m', 'uniscale-1m'], ['uniscale-1m']]
        """
        return self._requests.brain

    @property
    def models(self) -> Mapping[str, Generator]:
        """The models by name."""
        return self.brain.models

    @property
    def verifier(self) -> Verifier | None:
        """What scores the steps."""
        return self.brain.verifier

    @property
    def space(self) -> ConfigurationSpace:
        """The configurations to choose from."""
        return self.brain.space

    @property
    def log(self) -> EventStore:
        """The log."""
        return self._knowledge.log

    @property
    def in_dollars(self) -> bool:
        """Whether costs are counted in dollars, as of models with a price, and not in eFLOPs."""
        return self.brain.in_dollars

    def update(
        self, *, models: Sequence[object] | None = None, space: ConfigurationSpace | None = None, prices: Prices | None = None
    ) -> None:
        """Go on with other models, configurations or prices, while requests go on.

        Requests that are under way end as they began. Nothing that was learned of the models and configurations that stay is lost, and one
        that was removed and comes back begins with what the log tells of it.

        Args:
            models: all that there are to be: new ones as at the beginning, perhaps in a `Model`, and those that stay, by their names.
            space: the configurations to choose from; by default those of the models that stay, and what suits the ones that come.
            prices: of models by name, in USD per 1M input and output tokens; of others they stay.

        Raises:
            ConfigurationError: models, configurations or prices that do not fit together; nothing has changed then.
            LogError: the log cannot be read; nothing has changed then.

        Example:
            >>> from uniscale_integrations import Model
            >>> engine = UniScale(models=["uniscale-0.3m"])
            >>> engine.update(models=["uniscale-0.3m", Model("uniscale-1m", successor_of="uniscale-0.3m")])
            >>> list(engine.models)
            ['uniscale-0.3m', 'uniscale-1m']
        """
        with self._updating:
            now = self.brain
            brain = build(updated_design(now.design, models, space, prices), self.log, now)
            self._knowledge.swap(brain)
            self._requests = self._with(brain)

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
        self._knowledge.replica.sync_if_due()
        requests = self._requests
        decision = requests.decide(self._request(query, mode, budget), requests.others(models))
        self._knowledge.append(requests.event_factory.decision(decision, query))
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
        conversation = replace(_conversation(question), synchronous=True)
        return _finish(self.arun(conversation, mode=mode, budget=budget, sampling=sampling, models=models))

    @former_keywords(shown="has_output")
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
        has_output: Callable[[], bool] = lambda: False,
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
            observe: told what happens, beside the engine's own observers; see `telemetry`.
            emit: takes the pieces of an answer while it is made, where the configuration is plain and the model streams.
            has_output: whether any of the answer has been shown already, beside those pieces, so that it cannot be begun anew.

        Raises:
            ConfigurationError: no configuration can serve it.
            SearchFailed: every model failed.
            RequestRefused: a provider refused the request itself.
            ContextLengthError: the question is too long for the last one that was left.
        """
        requests = self._requests
        observers = self._observers if observe is None else (*self._observers, observe)
        further = {"sampling": sampling or self.sampling, "observers": observers, "emit": emit, "has_output": has_output}
        request = self._request(question, mode, budget, **further)
        return await requests.answer(request, requests.others(models))

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
        return self._knowledge.feedback(target, credit, Feedback("", correct, source, key, comment))

    async def afeedback(
        self,
        target: object,
        correct: float,
        *,
        source: str = "feedback",
        key: str = "correct",
        comment: str = "",
        credit: Credit = "all",
    ) -> bool:
        """`feedback` for callers on an event loop, which goes on while the log is written; raises and returns the same."""
        return await self._knowledge.afeedback(target, credit, Feedback("", correct, source, key, comment))

    def reward(self, answer: Answer | Outcome, correct: float, mode: Mode | None = None) -> float:
        """What an answer earned, `w1 correct + w2 score + w3 (1 - C~)`; without a score the others count alone.

        Args:
            answer: what `run` gave, or its outcome in the log.
            correct: in [0, 1].
            mode: the weights; the engine's by default.

        Raises:
            ConfigurationError: only the score counts, and there is none.
        """
        objective = self.weights if mode is None else weights(mode)
        cost = self.brain.estimates.position(answer.ledger if isinstance(answer, Answer) else answer)
        if answer.score is None:
            return objective.without(score=True).reward(correct, 0.0, cost)
        return objective.reward(correct, answer.score, cost)

    def cost(self, answer: Answer | Outcome) -> float:
        """What an answer took, in eFLOPs, or in dollars where the engine counts in those.

        Args:
            answer: what `run` gave, or its outcome in the log.
        """
        return self.brain.estimates.cost(answer.ledger if isinstance(answer, Answer) else answer)

    def sync(self) -> int:
        """Learn now what any worker has logged since; returns how many events that were."""
        return self._knowledge.replica.sync()

    def warm_start(self, source: str | Path | EventStore, limit: int | None = None, *, most: int | None = None) -> int:
        """Begin with what is known: an outcome table, or the log of another engine.

        What it says is written to this log, as decisions with their outcomes and feedback, so that every worker learns it and nothing is
        learned twice however often this is called. Configurations that this engine does not have are passed over, and so are a log's
        decisions whose features another encoder made.

        Args:
            source: path of a table, address of a log, or an open log.
            limit: only so many of its decisions, the first ones.
            most: the name of `limit` before.

        Returns:
            how many decisions were new.

        Raises:
            TableError: no sound table.
            LogError: a log that cannot be read, or this one cannot be written.
            ConfigurationError: its costs are in eFLOPs and the engine's in dollars, or the other way round.
        """
        if most is not None:
            warnings.warn("warm_start(most=...) is now warm_start(limit=...)", DeprecationWarning, stacklevel=2)
        return take_over(source, self._knowledge, self.brain, most if limit is None else limit)

    def snapshot(self) -> None:
        """Keep what was learned in the log, so that a worker that opens it later need not fold it from its beginning.

        An engine does so by itself now and then, and after every `update`. Without snapshots the log is folded from its beginning, which
        gives the same, but for what was handed on to successors and what models that are gone have taught of the others.

        Raises:
            LogError: it could not be written.
        """
        self._knowledge.replica.snapshot()

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that was learned so far, as arrays: among others `A` and `b` of correctness and of what is observed at once."""
        return self._knowledge.replica.state()

    def close(self) -> None:
        """Write what is waiting, and close the log unless it was given open; `with UniScale(...) as engine:` does so at its end."""
        self._knowledge.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        brain = self.brain
        return f"UniScale({', '.join(brain.models)}; {len(brain.space)} configurations, log {self.log.name})"

    def _request(self, question: str | Conversation, mode: Mode | None, budget: Budget | None, **further: Any) -> EngineRequest:
        objective = self.weights if mode is None else weights(mode)
        return EngineRequest(_conversation(question), question, objective, budget or Budget(), **further)


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
