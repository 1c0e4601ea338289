"""`UniScale`: decides a configuration for each request, runs it, logs it, and learns from feedback that comes later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from uniscale_integrations.cost.hardware import H100, HardwareProfile
from uniscale_integrations.engine.brain import build
from uniscale_integrations.engine.knowledge import Knowledge
from uniscale_integrations.engine.known_prices import Prices
from uniscale_integrations.engine.probe_results import ProbeResults, learners
from uniscale_integrations.engine.serving import ServingEngine
from uniscale_integrations.engine.setup import (
    ClientSettings,
    Silences,
    design_of,
    in_rounds,
    policy_for,
    updated_design,
    with_feedback_rules,
)
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.policy.default_policy import LearnerSettings
from uniscale_integrations.policy.named import PolicySpec
from uniscale_integrations.policy.objective import default_objective
from uniscale_integrations.policy.policy import PolicyFactory
from uniscale_integrations.policy.targets import Goal, Mode, sought
from uniscale_integrations.rounds.ports import RoundsFactory
from uniscale_integrations.search.ports import Sampling, Verifier
from uniscale_integrations.search.votes import vote_rule
from uniscale_integrations.space import ConfigurationSpace
from uniscale_integrations.telemetry import Observer


class UniScale(ServingEngine):
    """Chooses, for every request, the model and the amount of search, and learns from feedback which choice pays off.

    Args:
        models: names, folders or hub names of local models, chat models of LangChain, generators, or any of these in a `Model`; the
            embedded family by default.
        verifier: what scores the steps: a verifier, its name (see `named_verifier`), or "auto" for the embedded reward model with the
            embedded family, self-certainty with other local models, and agreement between candidates, with self-certainty where
            log-probabilities come, with chat models; `None` for none, which leaves plain samples and votes by count.
        space: the configurations to choose from; every model with the default searches by default.
        mode: what is sought: `Value(right=0.02)`, what a right answer is worth; "cost-sensitive", "balanced", "quality-first", or three
            weights. By default `Value(points=5)` for models with prices, by which always asking the dearest is worth it if it is right on
            five more of a hundred, and "balanced" for others. `AtLeast(0.9)` is the cheapest way to be right on 90 % of the answers, and
            `Within(0.002)` as many right answers as 0.002 a request allow. A request may bring its own.
        log: address of the log, or an open one; "sqlite://" keeps it in memory.
        sampling: how to draw, and when votes stop (`Sampling.votes`).
        features: what the policy sees of a question: by default its text alone; or an embedding of it, by a transformer's name or
            folder, a LangChain `Embeddings` or a LlamaIndex `BaseEmbedding`; or an encoder of your own; or a `JointContext`, the paper's
            encoder of question and configuration, with which the policy is "joint".
        prices: of models of a framework by name, in dollars per million tokens read and sampled, and perhaps read from a cache. "auto",
            and a model that is not among them: what genai-prices, if it is installed, knows of models at their providers' own addresses.
            `None` for no prices at all. Without a price, costs are eFLOPs of the size that a model's name tells ("8b"), or of ten billion
            parameters.
        hardware: the profile that prices compute.
        settings: of the policies "linucb", "thompson" and "joint".
        policy: what chooses and learns: "linucb", "thompson", "greedy", "knn", "random" or "joint", a class that takes `Arms` (see
            `Policy`), or "module:name" of one. A class that is `LearnsFromRounds` decides again.
        max_cost: most that exploration may spend on one request, in eFLOPs (or dollars for models with a price): configurations
            expected to cost more are not eligible.
        mean_budget: what requests may cost on average, in eFLOPs (or dollars): within it the money goes where it brings most. What is
            overdrawn, or left over, is made good over the next requests; every engine keeps to it by itself, for what it runs.
            "quality-first" suits it, since the budget already says what cost is worth.
        sync_interval: seconds after which other workers' events are looked for, at the latest.
        recalibrate: whether the verifier's scores are calibrated to the feedback that comes, before they are learned from.
        silence: what it means that an answer is not judged in time, such as `Silence(means=1.0, after=timedelta(hours=1))` where there
            is only a thumbs-down button; or that by source, for those whose silence means something. By default nothing is learned of it.
        source_weights: what each source's judgements count, in (0, 1], such as `{"thumbs": 0.3, "exact-match": 1.0}`: in the mean of
            several sources, and in what is learned. Others count 1. With a weight of "verifier" its scores bear witness to how far
            sources are right, beside what these tell of each other.
        store_queries: whether the log keeps the text of questions; otherwise it keeps features and a hash.
        store_paths: whether the log keeps every path of a search, with the text of the answers, for reports to show.
        observers: are told what happens while requests are served, as events of `telemetry`; they change nothing.
        client_settings: of the clients around models of a framework, from the beginning and after `update`: `max_concurrency`,
            `timeout` in seconds and `retries` of one request, and the `api_key` of models that are named with their provider. Models
            that are generators already keep their own.
        rounds: answers that may be looked at before one is given: with 2, once an answer and its score are there, the policy decides
            whether to give it or to ask again, the same model or another one, and learns when that pays off. With 1 it decides once.
            By default 2 where the verifier scores an answer by itself, and 1 where it does not, such as "agreement", or where `policy`
            or `settings` are given. A call may say less, or more; one that streams has 1 unless it or the engine says otherwise.
        spool: the folder where events wait for a log that does not take them within moments, so that nobody waits for it; by default
            beside the log's file, or under `$XDG_STATE_HOME`. "memory" for none: then what waits ends with the process.

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
        mode: Mode | None = None,
        log: str | EventStore = "sqlite://",
        *,
        sampling: Sampling | None = None,
        features: object = None,
        policy: str | PolicyFactory | RoundsFactory = "linucb",
        prices: Prices = "auto",
        hardware: HardwareProfile = H100,
        settings: LearnerSettings | None = None,
        max_cost: float | None = None,
        mean_budget: float | None = None,
        sync_interval: float = 1.0,
        recalibrate: bool = False,
        silence: Silences | None = None,
        source_weights: Mapping[str, float] | None = None,
        store_queries: bool = False,
        store_paths: bool = False,
        observers: Sequence[Observer] = (),
        client_settings: ClientSettings | None = None,
        rounds: int | None = None,
        spool: str | Path | None = None,
    ) -> None:
        # What is wrong with the settings is said before a log is opened.
        asked, sampling, clients = mode if mode is None else sought(mode), sampling or Sampling(), client_settings or {}
        spec = policy_for(rounds, PolicySpec(policy, settings), scored=verifier is not None)
        design = design_of(models, verifier, space, features, spec, prices, hardware, max_cost, mean_budget, clients)
        design = replace(with_feedback_rules(design, silence, source_weights), votes=vote_rule(sampling.votes))
        design = in_rounds(design, rounds)
        knowledge = Knowledge(log, spool)
        probes = ProbeResults(knowledge.log, sync_interval)
        try:
            probes.exchange(learners(design.models).values())
            brain = build(design, knowledge.log)
            knowledge.begin(brain, sync_interval, recalibrate=recalibrate, seed=sampling.seed)
        except BaseException:
            knowledge.close()
            raise
        goal = Goal.of(asked or default_objective(priced=brain.in_dollars))
        stored = {"store_queries": store_queries, "store_paths": store_paths}
        super().__init__(knowledge, goal, sampling, observers, probes, **stored, rounds=rounds)

    def update(
        self, *, models: Sequence[object] | None = None, space: ConfigurationSpace | None = None, prices: Prices = None
    ) -> None:
        """Go on with other models, configurations or prices, while requests go on.

        Requests that are under way end as they began. Nothing that was learned of the models and configurations that stay is lost, and one
        that was removed and comes back begins with what the log tells of it.

        Args:
            models: all that there are to be: new ones as at the beginning, perhaps in a `Model`, and those that stay, by their names.
            space: the configurations to choose from; by default those of the models that stay, and what suits the ones that come.
            prices: of models by name, as at the beginning; of others they stay. "auto" looks known prices up again.

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
        self._succession.swap(lambda brain: build(updated_design(brain.design, models, space, prices), self.log, brain))
