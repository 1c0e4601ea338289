"""Bandits of other packages as they learn one reward a decision, each with the settings that it is tried with.

The first setting of each is what its package recommends for a start without data, or does by default. All see the features of questions
that `uniscale` sees, the first of which is 1, so that none fits an intercept of its own; those that take features of arms see the same
ones of configurations too. What is drawn is drawn from the seed of the order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import Array, Contender


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What a bandit is made for.

    Attributes:
        actions: features of the K arms, shape (K, m), the first of which is 1.
        query_dim: features of a question, n.
        seed: of what it draws.
    """

    actions: Array
    query_dim: int
    seed: int

    def __len__(self) -> int:
        return len(self.actions)


Maker = Callable[[Problem], Contender]


def linucb(problem: Problem, alpha: float) -> Contender:
    """The plain LinUCB of this package, on products of features of configuration and question: what is left without components."""
    from uniscale_integrations.policy.product import ProductLinUCB

    bandit = ProductLinUCB(problem.actions, problem.query_dim, alpha=alpha)
    return Contender(bandit.select, bandit.update, problem.query_dim)


def paretobandit(problem: Problem, alpha: float, forgetting: float) -> Contender:
    from pareto_bandit.policy import DisjointLinUCBPolicy

    names = [str(arm) for arm in range(len(problem))]
    bandit = DisjointLinUCBPolicy(names, dim=problem.query_dim, alpha=alpha, forgetting_factor=forgetting, seed=problem.seed)

    def select(query: Array) -> int:
        name, _ = bandit.select_arm(query)
        # Its router counts requests by this; without it nothing is forgotten.
        bandit.mark_selected(name)
        return int(name)

    return Contender(select, lambda arm, query, reward: bandit.update(names[arm], query, reward), problem.query_dim)


def contextualbandits(problem: Problem, alpha: float) -> Contender:
    from contextualbandits.online import LinUCB

    bandit = LinUCB(nchoices=len(problem), alpha=alpha, fit_intercept=False, use_float=False, random_state=problem.seed + 1)

    def update(arm: int, query: Array, reward: float) -> None:
        bandit.partial_fit(query[None], np.array([arm]), np.array([reward]))

    return Contender(lambda query: int(bandit.predict(query[None])[0]), update, problem.query_dim)


def mabwiser(problem: Problem, policy: str, alpha: float) -> Contender:
    from mabwiser.mab import MAB, LearningPolicy

    learning = getattr(LearningPolicy, policy)(alpha=alpha)
    bandit = MAB(arms=list(range(len(problem))), learning_policy=learning, seed=problem.seed, n_jobs=1)
    fitted = False

    def select(query: Array) -> int:
        # It refuses to predict before it was fitted; all arms are alike then.
        return int(bandit.predict(query[None])) if fitted else problem.seed % len(problem)

    def update(arm: int, query: Array, reward: float) -> None:
        nonlocal fitted
        learn = bandit.partial_fit if fitted else bandit.fit
        learn(np.array([arm]), np.array([reward]), query[None])
        fitted = True

    return Contender(select, update, problem.query_dim)


def river(problem: Problem, alpha: float, beta: float) -> Contender:
    from river.bandit import LinUCBDisjoint

    bandit, arms = LinUCBDisjoint(alpha=alpha, beta=beta, seed=problem.seed), list(range(len(problem)))

    def named(query: Array) -> dict[str, float]:
        return {str(place): value for place, value in enumerate(query.tolist())}

    return Contender(
        lambda query: int(bandit.pull(arms, context=named(query))),
        lambda arm, query, reward: bandit.update(arm, named(query), reward),
        problem.query_dim,
    )


def bayesianbandits_disjoint(problem: Problem) -> Contender:
    """As in the package's own introduction."""
    from bayesianbandits import Arm, ContextualAgent, NormalInverseGammaRegressor, UpperConfidenceBound

    arms = [Arm(arm, learner=NormalInverseGammaRegressor()) for arm in range(len(problem))]
    return _agent(ContextualAgent(arms, UpperConfidenceBound(alpha=0.84), random_seed=problem.seed), problem)


def bayesianbandits_shared(problem: Problem, precision: float) -> Contender:
    """One learner for all arms, on products of features of configuration and question, and Thompson sampling.

    Args:
        problem: what it is made for.
        precision: of the reward around what is expected.
    """
    from bayesianbandits import Arm, FunctionArmFeaturizer, LipschitzContextualAgent, NormalRegressor, ThompsonSampling

    def features(context: Any, tokens: Any) -> Any:
        queries, chosen = np.asarray(context), problem.actions[np.asarray(tokens, dtype=int)]
        return np.einsum("qn,km->qmnk", queries, chosen).reshape(len(queries), -1, len(chosen))

    agent = LipschitzContextualAgent(
        [Arm(arm) for arm in range(len(problem))],
        ThompsonSampling(),
        FunctionArmFeaturizer(features),
        NormalRegressor(1.0, precision),
        random_seed=problem.seed,
    )
    return _agent(agent, problem)


def _agent(agent: Any, problem: Problem) -> Contender:
    def update(arm: int, query: Array, reward: float) -> None:
        agent.select_for_update(arm).update(query[None], np.array([reward]))

    return Contender(lambda query: int(agent.pull(query[None])[0]), update, problem.query_dim)


def vowpalwabbit(problem: Problem, exploration: str) -> Contender:
    """Draws from the probabilities that it gives, and is told with which one it chose."""
    from vowpalwabbit import Workspace

    space = Workspace(f"--cb_explore_adf {exploration} --quiet -q qa --cb_type mtr --random_seed {problem.seed + 1}")
    arms = [f"|a {_numbered(row)}" for row in problem.actions]
    rng = np.random.default_rng(problem.seed)
    drawn: NDArray[np.float64] = np.full(len(arms), 1.0 / len(arms))

    def select(query: Array) -> int:
        nonlocal drawn
        drawn = np.asarray(space.predict([f"shared |q {_numbered(query)}", *arms]), dtype=np.float64)
        drawn /= drawn.sum()
        return int(rng.choice(len(arms), p=drawn))

    def update(arm: int, query: Array, reward: float) -> None:
        labelled = [*arms]
        labelled[arm] = f"0:{-reward:.6f}:{drawn[arm]:.6f} {arms[arm]}"
        space.learn([f"shared |q {_numbered(query)}", *labelled])

    return Contender(select, update, problem.query_dim)


def _numbered(values: Array) -> str:
    return " ".join(f"{place}:{value:.5f}" for place, value in enumerate(values.tolist()))


PEERS: Mapping[str, Mapping[str, Maker]] = {
    "linucb": {f"alpha {alpha}": partial(linucb, alpha=alpha) for alpha in (1.0, 0.2, 0.05)},
    "paretobandit": {
        f"alpha {alpha}, forgetting {forgetting}": partial(paretobandit, alpha=alpha, forgetting=forgetting)
        for alpha, forgetting in ((0.05, 0.997), (0.01, 1.0), (0.2, 1.0))
    },
    "vowpalwabbit": {
        name: partial(vowpalwabbit, exploration=options)
        for name, options in (
            ("epsilon 0.05", "--epsilon 0.05"),
            ("SquareCB", "--squarecb"),
            ("SquareCB 100", "--squarecb --gamma_scale 100"),
        )
    },
    "contextualbandits": {f"alpha {alpha}": partial(contextualbandits, alpha=alpha) for alpha in (1.0, 0.2, 0.05)},
    "mabwiser": {
        f"{policy} alpha {alpha}": partial(mabwiser, policy=policy, alpha=alpha)
        for policy, alpha in (("LinUCB", 1.0), ("LinUCB", 0.2), ("LinUCB", 0.05))
    },
    "bayesianbandits": {
        "UCB 0.84, an arm each": bayesianbandits_disjoint,
        "Thompson, shared, precision 10": partial(bayesianbandits_shared, precision=10.0),
        "Thompson, shared, precision 100": partial(bayesianbandits_shared, precision=100.0),
    },
    "river": {f"beta {beta}": partial(river, alpha=1.0, beta=beta) for beta in (1.0, 25.0, 400.0)},
}
"""By name of the package, and of the setting: how it is made. `linucb` is this package's own, without all that is above it."""
