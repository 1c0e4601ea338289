"""Bandits of other packages, each as a pair of functions: choose an arm for a question, and learn a reward.

Those that are disjoint see the d features of the question and keep a matrix for each arm; those that share one see d features of every arm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Contender(NamedTuple):
    """A bandit being measured.

    Attributes:
        select: arm for a question's features, shape (n,).
        update: learns the reward of an arm on a question.
        query_dim: n.
    """

    select: Callable[[Array], int]
    update: Callable[[int, Array, float], object]
    query_dim: int


ACTION_DIM = 16
"""Features of an action in the product form; a question has d / 16."""


def uniscale_product(d: int, k: int) -> Contender:
    from uniscale_integrations.policy.product import ProductLinUCB

    bandit = ProductLinUCB(np.random.default_rng(0).standard_normal((k, ACTION_DIM)), d // ACTION_DIM)
    return Contender(bandit.select, bandit.update, d // ACTION_DIM)


def uniscale_dense(d: int, k: int) -> Contender:
    from uniscale_integrations.policy.linucb import LinUCB

    bandit, actions = LinUCB(d), np.random.default_rng(0).standard_normal((k, ACTION_DIM))

    def rows(query: Array) -> Array:
        return (actions[:, :, None] * query).reshape(k, d)

    def update(arm: int, query: Array, reward: float) -> None:
        bandit.update((actions[arm][:, None] * query).ravel(), reward)

    return Contender(lambda query: bandit.select(rows(query)), update, d // ACTION_DIM)


def plain_numpy(d: int, k: int) -> Contender:
    """What a person would write: a shared inverse, an outer product for each update."""
    actions, inverse, b = np.random.default_rng(0).standard_normal((k, ACTION_DIM)), np.eye(d), np.zeros(d)

    def select(query: Array) -> int:
        rows = (actions[:, :, None] * query).reshape(k, d)
        return int((rows @ (inverse @ b) + np.sqrt(np.einsum("kd,kd->k", rows @ inverse, rows))).argmax())

    def update(arm: int, query: Array, reward: float) -> None:
        nonlocal inverse, b
        x = np.outer(actions[arm], query).ravel()
        u = inverse @ x
        inverse -= np.outer(u, u) / (1.0 + x @ u)
        b += reward * x

    return Contender(select, update, d // ACTION_DIM)


def bayesianbandits(d: int, k: int) -> Contender:
    from bayesianbandits import Arm, FunctionArmFeaturizer, LipschitzContextualAgent, NormalRegressor, ThompsonSampling

    actions = np.random.default_rng(0).standard_normal((k, ACTION_DIM))

    def features(context: Any, tokens: Any) -> Any:
        queries, chosen = np.asarray(context), actions[np.asarray(tokens, dtype=int)]
        return np.einsum("qn,km->qmnk", queries, chosen).reshape(len(queries), d, len(chosen))

    agent = LipschitzContextualAgent(
        [Arm(arm) for arm in range(k)],
        ThompsonSampling(),
        FunctionArmFeaturizer(features),
        NormalRegressor(1.0, 1.0),
        random_seed=0,
    )

    def update(arm: int, query: Array, reward: float) -> None:
        agent.select_for_update(arm).update(query[None], np.array([reward]))

    return Contender(lambda query: int(agent.pull(query[None])[0]), update, d // ACTION_DIM)


def contextualbandits(d: int, k: int) -> Contender:
    from contextualbandits.online import LinUCB

    bandit = LinUCB(nchoices=k, fit_intercept=False, use_float=False, random_state=1)
    rng = np.random.default_rng(0)
    bandit.fit(rng.standard_normal((k, d)), np.arange(k), rng.random(k))
    return Contender(
        lambda query: int(bandit.predict(query[None])[0]),
        lambda arm, query, reward: bandit.partial_fit(query[None], np.array([arm]), np.array([reward])),
        d,
    )


def paretobandit(d: int, k: int) -> Contender:
    from pareto_bandit.policy import DisjointLinUCBPolicy

    names = [str(arm) for arm in range(k)]
    bandit = DisjointLinUCBPolicy(names, dim=d, alpha=1.0)
    return Contender(
        lambda query: int(bandit.select_arm(query)[0]), lambda arm, query, reward: bandit.update(names[arm], query, reward), d
    )


def mabwiser(d: int, k: int) -> Contender:
    from mabwiser.mab import MAB, LearningPolicy

    bandit = MAB(arms=list(range(k)), learning_policy=LearningPolicy.LinUCB(alpha=1.0), n_jobs=1)
    rng = np.random.default_rng(0)
    bandit.fit(decisions=np.arange(k), rewards=rng.random(k), contexts=rng.standard_normal((k, d)))
    return Contender(
        lambda query: int(bandit.predict(query[None])),
        lambda arm, query, reward: bandit.partial_fit(np.array([arm]), np.array([reward]), query[None]),
        d,
    )


def river(d: int, k: int) -> Contender:
    from river.bandit import LinUCBDisjoint

    bandit, arms = LinUCBDisjoint(alpha=1.0, seed=0), list(range(k))

    def named(query: Array) -> dict[str, float]:
        return {str(place): value for place, value in enumerate(query.tolist())}

    return Contender(
        lambda query: int(bandit.pull(arms, context=named(query))),
        lambda arm, query, reward: bandit.update(arm, named(query), reward),
        d,
    )


def vowpalwabbit(d: int, k: int) -> Contender:
    from vowpalwabbit import Workspace

    space = Workspace("--cb_explore_adf --squarecb --quiet -q :: --cb_type mtr --random_seed 1 -b 22")
    actions = np.random.default_rng(0).standard_normal((k, ACTION_DIM))
    arms = ["|a " + " ".join(f"{place}:{value:.5f}" for place, value in enumerate(row)) for row in actions]

    def shared(query: Array) -> str:
        return "shared |q " + " ".join(f"{place}:{value:.5f}" for place, value in enumerate(query))

    def select(query: Array) -> int:
        return int(np.argmax(space.predict([shared(query), *arms])))

    def update(arm: int, query: Array, reward: float) -> None:
        labelled = [*arms]
        labelled[arm] = f"0:{-reward}:0.5 {arms[arm]}"
        space.learn([shared(query), *labelled])

    return Contender(select, update, d // ACTION_DIM)


CONTENDERS: dict[str, tuple[str, Callable[[int, int], Contender]]] = {
    "uniscale product": ("one A, product form", uniscale_product),
    "uniscale": ("one A", uniscale_dense),
    "plain numpy": ("one A", plain_numpy),
    "bayesianbandits": ("one A, Thompson sampling", bayesianbandits),
    "contextualbandits": ("an A for each arm", contextualbandits),
    "paretobandit": ("an A for each arm", paretobandit),
    "mabwiser": ("an A for each arm", mabwiser),
    "river": ("an A for each arm", river),
    "vowpalwabbit": ("hashed weights, SquareCB", vowpalwabbit),
}
"""By name: what it learns, and how it is made for d features and K arms."""
