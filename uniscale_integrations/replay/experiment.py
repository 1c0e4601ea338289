"""The paper's main experiment on outcome tables: policies compared over many orders of the same questions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student
from threadpoolctl import threadpool_limits

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.actions import doublings
from uniscale_integrations.policy.baselines import Fixed, Greedy, NearestNeighbours, Random
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.learner import Learner, LearnerSettings
from uniscale_integrations.policy.objective import Weights
from uniscale_integrations.policy.pacing import Pacing
from uniscale_integrations.policy.policy import LinUCBPolicy, Policy
from uniscale_integrations.replay.replay import replay
from uniscale_integrations.replay.stream import Stream, World

POLICIES = ("uis", "tts", "routing", "random", "greedy", "knn")
ABLATIONS = ("verification", "cost", "early-stopping")


@dataclass(frozen=True, slots=True)
class Setup:
    """What is replayed, apart from the tables.

    Attributes:
        weights: of the reward.
        policies: names, of `POLICIES`.
        seeds: how many orders.
        delay: decisions until correctness is told.
        drift: see `Stream.of`.
        without: what the policies go without, of `ABLATIONS`; rewards are counted as ever. Early stopping is no matter of policies, but of
            the costs in the world.
        passes: how often each table is gone through.
        budget: mean cost per question that "uis" has to keep to, in the table's unit; `None` is none.
        settings: of the learner.
    """

    weights: Weights
    policies: tuple[str, ...] = POLICIES
    seeds: int = 10
    delay: int = 0
    drift: str = "none"
    without: str = ""
    passes: int = 1
    budget: float | None = None
    settings: LearnerSettings | None = None

    def __post_init__(self) -> None:
        for name in self.policies:
            if name not in POLICIES:
                raise ConfigurationError(f"no policy {name!r}; there are {', '.join(POLICIES)}")
        if self.without and self.without not in ABLATIONS:
            raise ConfigurationError(f"nothing to go without is called {self.without!r}; there are {', '.join(ABLATIONS)}")
        for name, value, least in (("seeds", self.seeds, 1), ("delay", self.delay, 0), ("passes", self.passes, 1)):
            if value < least:
                raise ConfigurationError(f"{name} must be at least {least}, got {value}")
        if self.budget is not None and not 0 < self.budget < float("inf"):
            raise ConfigurationError(f"a budget per query must be a number above 0, got {self.budget!r}")


@dataclass(frozen=True, slots=True)
class Run:
    """One policy on one order.

    Attributes:
        reward: of each decision, shape (T,).
        correct: of each.
        cost: of each, in the table's unit.
        chosen: the configuration of each, by its number in the whole world.
        changes: how often the policy noticed a change.
    """

    reward: Array
    correct: Array
    cost: Array
    chosen: NDArray[np.int64]
    changes: int = 0


@dataclass(frozen=True, slots=True)
class Episode:
    """All policies on one order.

    Attributes:
        runs: by policy; "tts" has one for each model, "tts:<model>".
        fixed: mean reward of every configuration over the stream and over its second half, shape (2, K).
        oracle: mean reward of the best configuration of every decision, in hindsight.
    """

    runs: dict[str, Run]
    fixed: Array
    oracle: float


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
        return list(_told(map(work, range(setup.seeds)), done))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        return list(_told(pool.map(work, range(setup.seeds)), done))


def _told(episodes: Iterable[Episode], done: Callable[[], None]) -> Iterator[Episode]:
    for each in episodes:
        done()
        yield each


def episode(world: World, setup: Setup, seed: int) -> Episode:
    """All policies on the order of one seed."""
    stream = Stream.of(world, seed, setup.drift, setup.passes)
    parts, costs = stream.parts(world), stream.costs(world)
    rewards = world.rewards(setup.weights, parts)
    times, half = np.arange(len(stream)), len(stream) // 2
    shown = parts.copy()
    if setup.without == "verification":
        shown[1] = np.nan
    runs: dict[str, Run] = {}
    for name, arms, policy in _policies(world, setup, seed):
        trace = replay(policy, world.only(arms), stream.queries, shown[:, :, arms], setup.delay, costs[:, arms])
        chosen = np.asarray(arms)[trace.chosen]
        changes = policy.learner.changes if isinstance(policy, LinUCBPolicy) else 0
        runs[name] = Run(rewards[times, chosen], parts[0, times, chosen], costs[times, chosen], chosen, changes)
    return Episode(runs, np.stack([rewards.mean(axis=0), rewards[half:].mean(axis=0)]), float(rewards.max(axis=1).mean()))


def _policies(world: World, setup: Setup, seed: int) -> Iterator[tuple[str, list[int], Policy]]:
    """The policies, each with the configurations that it may choose from."""
    count, everything = len(world.configurations), list(range(len(world.configurations)))
    weights = _shown(world, setup)
    if "uis" in setup.policies:
        pacing = None if setup.budget is None else Pacing(setup.budget, world.scale)
        yield "uis", everything, LinUCBPolicy(_learner(world, setup), weights, pacing)
    if "routing" in setup.policies:
        plain = [arm for arm in everything if world.configurations[arm].plain]
        if plain:
            yield "routing", plain, _linucb(world, plain, setup, weights)
    if "tts" in setup.policies:
        for number in sorted(set(world.models)):
            arms = [arm for arm in everything if world.models[arm] == number]
            yield f"tts:{world.configurations[arms[0]].model}", arms, _linucb(world, arms, setup, weights)
    if "random" in setup.policies:
        yield "random", everything, Random(count, seed)
    if "greedy" in setup.policies:
        yield "greedy", everything, Greedy(count, weights)
    if "knn" in setup.policies:
        yield "knn", everything, NearestNeighbours(count, world.queries.shape[1], weights, seed)


def _linucb(world: World, arms: list[int], setup: Setup, weights: Weights) -> Policy:
    """The learner on a part of the configurations."""
    return Fixed(0) if len(arms) == 1 else LinUCBPolicy(_learner(world.only(arms), setup), weights)


def _learner(world: World, setup: Setup) -> Learner:
    scored = world.scored and setup.without != "verification"
    paths = doublings(world.configurations)
    return Learner(world.actions, world.models, world.kinds, world.costs, paths, scored=scored, settings=setup.settings)


def _shown(world: World, setup: Setup) -> Weights:
    """The weights as the policies know them."""
    weights = setup.weights if world.scored and setup.without != "verification" else setup.weights.without(score=True)
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
    """

    reward: float
    reward_ci95: float
    second_half: float
    accuracy: float
    cost: float


def standings(episodes: Sequence[Episode]) -> dict[str, Standing]:
    """How every policy stands; of the searches with one model only the best in hindsight, as "tts"."""
    found = {name: _standing([each.runs[name] for each in episodes]) for name in episodes[0].runs}
    single = {name: standing for name, standing in found.items() if name.startswith("tts:")}
    named = {name: standing for name, standing in found.items() if name not in single}
    if single:
        named["tts"] = max(single.values(), key=lambda standing: standing.reward)
    return {name: named[name] for name in POLICIES if name in named}


def best_single(episodes: Sequence[Episode]) -> str:
    """The name of the run that "tts" stands for."""
    names = [name for name in episodes[0].runs if name.startswith("tts:")]
    return max(names, key=lambda name: float(np.mean([each.runs[name].reward.mean() for each in episodes])))


def ahead(episodes: Sequence[Episode]) -> dict[str, tuple[float, float]]:
    """By how much "uis" earns more than each other policy, order by order: the mean difference and half its 95 % interval."""
    if "uis" not in episodes[0].runs:
        return {}
    earned = {name: np.array([each.runs[name].reward.mean() for each in episodes]) for name in episodes[0].runs}
    others = {name: earned[name] for name in POLICIES if name in earned and name != "uis"}
    if any(name.startswith("tts:") for name in earned):
        others["tts"] = earned[best_single(episodes)]
    differences = {name: earned["uis"] - others[name] for name in POLICIES if name in others}
    return {name: (float(difference.mean()), interval(difference)) for name, difference in differences.items()}


def _standing(runs: Sequence[Run]) -> Standing:
    means = np.array([run.reward.mean() for run in runs])
    return Standing(
        float(means.mean()),
        interval(means),
        float(np.mean([run.reward[len(run.reward) // 2 :].mean() for run in runs])),
        float(np.mean([run.correct.mean() for run in runs])),
        float(np.mean([run.cost.mean() for run in runs])),
    )


def interval(values: Array) -> float:
    """Half width of the 95 % interval of a mean (Student), 0 for one value."""
    if len(values) < 2:
        return 0.0
    return float(student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def best_fixed(episodes: Sequence[Episode]) -> tuple[int, float, float]:
    """The configuration that is best in hindsight over all orders, its mean reward, and that of the second halves."""
    means = np.mean([each.fixed for each in episodes], axis=0)
    best = int(means[0].argmax())
    return best, float(means[0, best]), float(means[1, best])
