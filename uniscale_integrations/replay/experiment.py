"""The paper's main experiment on outcome tables: policies compared over many orders of the same questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student
from threadpoolctl import threadpool_limits

from uniscale_integrations.deprecation import former_attribute, former_keywords
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.default_policy import LearnerSettings
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.named import LEARNERS, PolicySpec
from uniscale_integrations.policy.objective import Objective, Weights
from uniscale_integrations.policy.policy import PolicyFactory
from uniscale_integrations.policy.request_pacing import Pacing
from uniscale_integrations.policy.targets import Target
from uniscale_integrations.replay.feedback import FeedbackPlan
from uniscale_integrations.replay.replay import Consumption, Purse, replay
from uniscale_integrations.replay.rounds import replay_rounds, rounds_policy
from uniscale_integrations.replay.stream import Stream, World
from uniscale_integrations.replay.yardsticks import merit

POLICIES = ("uis", "tts", "routing", "random", "greedy", "knn")
"""What is compared by default: UniScale's policy over all configurations, over those of one model, over plain samples; and the others."""

PARTS = ("uis", "tts", "routing")

ONCE = "once"
"""The name of "uis" with one round, beside several."""
ABLATIONS = ("verification", "cost", "early-stopping")


@former_keywords(weights="objective")
@dataclass(frozen=True, slots=True)
class Setup:
    """What is replayed, apart from the tables.

    Attributes:
        objective: what rewards are counted by, or the target that policies keep to.
        policies: "uis", "tts" and "routing", which are one policy on some of the configurations, and names as of `PolicySpec`.
        learner: the policy behind those three, as of `PolicySpec`.
        seeds: how many orders.
        delay: decisions until correctness is told.
        drift: see `Stream.of`.
        without: what the policies go without, of `ABLATIONS`; rewards are counted as ever. Early stopping is no matter of policies, but of
            the costs in the world.
        passes: how often each table is gone through.
        budget: mean cost per question that "uis" has to keep to, in the table's unit; `None` is none.
        settings: of the learner.
        feedback: which answers are judged, and how.
        rounds: answers that "uis" may look at before it gives one; with more than one, "once" is the same policy that decides once. A world
            without scores has one round.
    """

    objective: Objective | Target
    policies: tuple[str, ...] = POLICIES
    seeds: int = 10
    delay: int = 0
    drift: str = "none"
    without: str = ""
    passes: int = 1
    budget: float | None = None
    settings: LearnerSettings | None = None
    learner: str = "linucb"
    feedback: FeedbackPlan = field(default_factory=FeedbackPlan)
    rounds: int = 1

    weights = former_attribute("objective")

    def __post_init__(self) -> None:
        for name in self.policies:
            if name not in PARTS:
                PolicySpec(name)
        if self.without and self.without not in ABLATIONS:
            raise ConfigurationError(f"nothing to go without is called {self.without!r}; there are {', '.join(ABLATIONS)}")
        for name, value, least in (
            ("seeds", self.seeds, 1),
            ("delay", self.delay, 0),
            ("passes", self.passes, 1),
            ("rounds", self.rounds, 1),
        ):
            if value < least:
                raise ConfigurationError(f"{name} must be at least {least}, got {value}")
        if self.budget is not None and not 0 < self.budget < float("inf"):
            raise ConfigurationError(f"a budget per query must be a number above 0, got {self.budget!r}")
        if self.budget is not None and isinstance(self.objective, Target):
            raise ConfigurationError(f"{self.objective} keeps to its own terms; give it, or a budget per query")
        if self.rounds > 1 and (self.without or self.settings is not None or self.learner != "linucb"):
            raise ConfigurationError(
                f"{self.rounds} rounds are played by a policy of their own, with all that it sees; leave out ablations and other learners, "
                "or replay one round"
            )
        if self.without == "cost" and not isinstance(self.objective, Weights):
            raise ConfigurationError(
                f"without cost is an ablation of weights, {self.objective} has no weight of cost to take away"
            )


@dataclass(frozen=True, slots=True)
class Run:
    """One policy on one order.

    Attributes:
        reward: of each decision, shape (T,).
        correct: of each.
        cost: of each, in the table's unit.
        choices: the configuration of each, by its number in the whole world.
        changes: how often the policy noticed a change.
        judged_share: share of the answers that were judged.
        warned_after: judgements after which feedback was found one-sided; `None` where it was not.
        seen_share: share of its choices whose answer is on record: all of a table, of a log those that the engine made too.
        attempts: how many answers were looked at on average.
    """

    reward: Array
    correct: Array
    cost: Array
    choices: NDArray[np.int64]
    changes: int = 0
    judged_share: float = 1.0
    warned_after: int | None = None
    seen_share: float = 1.0
    attempts: float = 1.0

    chosen = former_attribute("choices")


@dataclass(frozen=True, slots=True)
class Episode:
    """All policies on one order.

    Attributes:
        runs: by policy; "tts" has one for each model, "tts:<model>".
        fixed_rewards: mean reward of every configuration over the stream and over its second half, shape (2, K).
        oracle: mean reward of the best configuration of every decision, in hindsight.
        fixed_costs: mean cost of every configuration, likewise, in the table's unit.
        target: what was asked for as a whole, by which policies are told apart; `None` where rewards are.
    """

    runs: dict[str, Run]
    fixed_rewards: Array
    oracle: float
    fixed_costs: Array | None = None
    target: Target | None = None

    fixed = former_attribute("fixed_rewards")


def experiment(world: World, setup: Setup, processes: int = 1, done: Callable[[], None] = lambda: None) -> list[Episode]:
    """Every policy on every order, the same orders for all.

    Args:
        world: the tables.
        setup: what to replay.
        processes: side by side, each on one thread.
        done: told of each order that is done.
    """
    work = partial(episode, world, setup)
    if processes == 1:
        return list(_report_progress(map(work, range(setup.seeds)), done))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        return list(_report_progress(pool.map(work, range(setup.seeds)), done))


def _report_progress(episodes: Iterable[Episode], done: Callable[[], None]) -> Iterator[Episode]:
    for each in episodes:
        done()
        yield each


def episode(world: World, setup: Setup, seed: int) -> Episode:
    """All policies on the order of one seed."""
    stream = Stream.of(world, seed, setup.drift, setup.passes)
    parts, costs, tokens = stream.parts(world), stream.costs(world), stream.tokens(world)
    rewards, correct, spent = _estimates(world, setup.objective, stream, parts, costs)
    times, half = np.arange(len(stream)), len(stream) // 2
    observations = parts.copy()
    if world.off_policy is not None:
        observations[0] = world.off_policy.learned[stream.queries]
    if setup.without == "verification":
        observations[1] = np.nan
    runs: dict[str, Run] = {}
    known = world if isinstance(setup.objective, Weights) else world.in_money()
    if _in_rounds(world, setup):
        runs["uis"] = _rounds(world, setup, stream, seed)
    for name, arms, factory in _policies(world, setup):
        part = known.only(arms)
        visible_arms = part.arms if setup.without != "verification" else replace(part.arms, scored=False)
        purse = Purse(Pacing(setup.budget, world.scale), costs) if name in ("uis", ONCE) and setup.budget is not None else None
        trace = replay(
            factory(visible_arms),
            part,
            stream.queries,
            observations[:, :, arms],
            _policy_objective(world, setup, name),
            seed=seed,
            delay=setup.delay,
            purse=purse,
            feedback=setup.feedback,
            consumption=Consumption(costs[:, arms], None if tokens is None else tokens[:, :, arms]),
        )
        choices = np.asarray(arms)[trace.choices]
        seen = 1.0 if world.off_policy is None else float((choices == world.off_policy.actions[stream.queries]).mean())
        earned, right, paid = (each[times, choices] for each in (rewards, correct, spent))
        runs[name] = Run(earned, right, paid, choices, trace.changes, trace.judged_share, trace.warned_after, seen)
    fixed = (np.stack([each.mean(axis=0), each[half:].mean(axis=0)]) for each in (rewards, spent))
    target = setup.objective if isinstance(setup.objective, Target) else None
    fixed_rewards, fixed_costs = fixed
    return Episode(runs, fixed_rewards, float(rewards.max(axis=1).mean()), fixed_costs, target)


def _in_rounds(world: World, setup: Setup) -> bool:
    """Whether "uis" decides again: a second decision has nothing to go by where nothing is scored.

    Raises:
        ConfigurationError: of a log, which has one answer to each question.
    """
    if setup.rounds > 1 and world.off_policy is not None:
        raise ConfigurationError(
            "rounds are replayed on tables, which know what every configuration answers; a log has one answer each"
        )
    return setup.rounds > 1 and world.scored and "uis" in setup.policies


def _rounds(world: World, setup: Setup, stream: Stream, seed: int) -> Run:
    """Episodes over all configurations."""
    in_money = world.in_money()
    played = replay_rounds(
        rounds_policy(in_money, setup.rounds),
        in_money,
        stream,
        _policy_objective(world, setup, "uis"),
        rounds=setup.rounds,
        feedback=setup.feedback,
        seed=seed,
        delay=setup.delay,
        pacing=None if setup.budget is None else Pacing(setup.budget, world.scale),
    )
    earned = world.earned(setup.objective, played.parts, played.costs)
    return Run(
        earned,
        played.parts[0],
        played.costs,
        played.choices,
        judged_share=played.judged_share,
        warned_after=played.warned_after,
        changes=played.changes,
        attempts=float(played.attempts.mean()),
    )


def _estimates(
    world: World, objective: Objective | Target, stream: Stream, parts: Array, costs: Array
) -> tuple[Array, Array, Array]:
    """Reward, correctness and cost of every configuration at every decision, shape (T, K) each; of a log what is estimated of them."""
    rewards = world.earned(objective, parts, costs)
    logged = world.off_policy
    if logged is None:
        return rewards, parts[0], costs
    expected = world.earned(objective, logged.model[:3], logged.model[3])
    return (
        logged.correct(stream.queries, rewards, expected),
        logged.correct(stream.queries, parts[0], logged.model[0]),
        logged.correct(stream.queries, costs, logged.model[3]),
    )


def _policies(world: World, setup: Setup) -> Iterator[tuple[str, list[int], PolicyFactory]]:
    """What makes each policy, with the configurations that it may choose from."""
    everything = list(range(len(world.configurations)))
    learner = PolicySpec(setup.learner, setup.settings)
    if "uis" in setup.policies:
        yield ONCE if _in_rounds(world, setup) else "uis", everything, learner
    if "routing" in setup.policies and (plain := [arm for arm in everything if world.configurations[arm].plain]):
        yield "routing", plain, learner
    if "tts" in setup.policies:
        for model in world.arms.models:
            yield f"tts:{model}", [arm for arm in everything if world.configurations[arm].model == model], learner
    for name in setup.policies:
        if name not in PARTS:
            yield name, everything, PolicySpec(name, setup.settings if name in LEARNERS else None)


def _policy_objective(world: World, setup: Setup, name: str) -> Objective | Target:
    """What a policy is after, as far as it can be observed."""
    objective = setup.objective
    if isinstance(objective, Target):
        return objective
    if not isinstance(objective, Weights):
        # What always asking the dearest model must bring says nothing where there is one model only.
        return world.resolve(objective) if name.startswith("tts:") else objective
    weights = objective if world.scored and setup.without != "verification" else objective.without(score=True)
    return replace(weights, cost=0.0) if setup.without == "cost" else weights


def _one_thread() -> None:
    """Side by side, processes that each take all cores get in each other's way."""
    threadpool_limits(1)


@dataclass(frozen=True, slots=True)
class Standing:
    """A policy over all orders.

    Attributes:
        reward: mean over all decisions of all orders.
        reward_ci95: half width of the 95 % interval of that mean over orders (Student); 0 with one order.
        second_half: mean reward of the second half of each order.
        accuracy: mean correctness.
        cost: mean cost, in the table's unit.
        second_half_accuracy: mean correctness of the second half of each order.
        second_half_cost: mean cost of it.
        attempts: answers that were looked at, on average.
    """

    reward: float
    reward_ci95: float
    second_half: float
    accuracy: float
    cost: float
    second_half_accuracy: float
    second_half_cost: float
    attempts: float = 1.0


def standings(episodes: Sequence[Episode]) -> dict[str, Standing]:
    """How every policy stands; of the searches with one model only the best in hindsight, as "tts"."""
    all_standings = {name: _standing([each.runs[name] for each in episodes]) for name in episodes[0].runs}
    result = {name: standing for name, standing in all_standings.items() if not name.startswith("tts:")}
    if len(result) < len(all_standings):
        result["tts"] = all_standings[best_single(episodes)]
    return dict(sorted(result.items(), key=lambda each: POLICIES.index(each[0]) if each[0] in POLICIES else len(POLICIES)))


def best_single(episodes: Sequence[Episode]) -> str:
    """The name of the run that "tts" stands for."""
    single = {name: _standing([each.runs[name] for each in episodes]) for name in episodes[0].runs if name.startswith("tts:")}
    target = episodes[0].target
    if target is None:
        return max(single, key=lambda name: single[name].reward)
    return max(single, key=lambda name: merit(target, single[name].accuracy, single[name].cost))


def ahead(episodes: Sequence[Episode]) -> dict[str, tuple[float, float]]:
    """By how much "uis" earns more than each other policy, order by order: the mean difference and half its 95 % interval."""
    if "uis" not in episodes[0].runs:
        return {}
    means = {name: np.array([each.runs[name].reward.mean() for each in episodes]) for name in episodes[0].runs}
    others = {name: values for name, values in means.items() if name != "uis" and not name.startswith("tts:")}
    if any(name.startswith("tts:") for name in means):
        others["tts"] = means[best_single(episodes)]
    differences = {name: means["uis"] - values for name, values in others.items()}
    return {name: (float(difference.mean()), interval(difference)) for name, difference in differences.items()}


def _standing(runs: Sequence[Run]) -> Standing:
    means = np.array([run.reward.mean() for run in runs])
    return Standing(
        float(means.mean()),
        interval(means),
        _second_half([run.reward for run in runs]),
        float(np.mean([run.correct.mean() for run in runs])),
        float(np.mean([run.cost.mean() for run in runs])),
        _second_half([run.correct for run in runs]),
        _second_half([run.cost for run in runs]),
        float(np.mean([run.attempts for run in runs])),
    )


def _second_half(several: Sequence[Array]) -> float:
    return float(np.mean([values[len(values) // 2 :].mean() for values in several]))


def interval(values: Array) -> float:
    """Half width of the 95 % interval of a mean (Student), 0 for one value."""
    if len(values) < 2:
        return 0.0
    return float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def best_fixed_arm(episodes: Sequence[Episode]) -> tuple[int, float, float]:
    """The configuration that is best in hindsight over all orders, its mean reward, and that of the second halves.

    Of a target the one that does best what was asked for.
    """
    means, costs = fixed_arms(episodes)
    target = episodes[0].target
    if target is None:
        best = int(means[0].argmax())
    else:
        best = max(range(means.shape[1]), key=lambda arm: merit(target, means[0, arm], costs[0, arm]))
    return best, float(means[0, best]), float(means[1, best])


def fixed_arms(episodes: Sequence[Episode]) -> tuple[Array, Array]:
    """Mean reward of every configuration over all orders and over their second halves, shape (2, K), and their mean cost likewise."""
    rewards: Array = np.mean([each.fixed_rewards for each in episodes], axis=0)
    costs = [np.full_like(rewards, np.nan) if each.fixed_costs is None else each.fixed_costs for each in episodes]
    return rewards, np.mean(costs, axis=0)
