"""How much the question is worth knowing on a table: what a linear policy earns that has seen the reward of everything."""

from __future__ import annotations

import numpy as np

from uniscale_integrations.deprecation import former_keywords
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Objective
from uniscale_integrations.replay.stream import World

RIDGE = 30.0
"""Precision of a coefficient, of features that vary by about 1."""


@former_keywords(weights="objective")
def best_linear(world: World, objective: Objective, folds: int = 5, seed: int = 0) -> float:
    """Mean reward of the policy that takes, on questions held out, the configuration with the best reward by ridge regression on the rest.

    It knows the reward of every configuration on every other question, which no policy ever does. What it earns beyond the best fixed
    configuration is what the features tell about the questions; where that is nothing, there is no context to learn.

    Args:
        world: the tables; nothing drifts.
        objective: of the reward.
        folds: how often the questions are divided.
        seed: of the division.
    """
    rewards = world.earned(objective, world.parts, world.raw_costs).mean(axis=2)
    order = np.random.default_rng(seed).permutation(len(rewards))
    total = 0.0
    for fold in range(folds):
        test_rows = order[fold::folds]
        train_rows = np.setdiff1d(order, test_rows)
        if not len(test_rows) or not len(train_rows):
            continue
        centre = rewards[train_rows].mean(axis=0)
        theta = _ridge(world.queries[train_rows], rewards[train_rows] - centre)
        total += float(rewards[test_rows, (world.queries[test_rows] @ theta + centre).argmax(axis=1)].sum())
    return total / len(rewards)


def _ridge(rows: Array, values: Array) -> Array:
    gram = rows.T @ rows + RIDGE * np.eye(rows.shape[1])
    return np.asarray(np.linalg.solve(gram, rows.T @ values))
