"""How much the question is worth knowing on a table: what a linear policy earns that has seen the reward of everything."""

from __future__ import annotations

import numpy as np

from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Weights
from uniscale_integrations.replay.stream import World

RIDGE = 30.0
"""Precision of a coefficient, of features that vary by about 1."""


def best_linear(world: World, weights: Weights, folds: int = 5, seed: int = 0) -> float:
    """Mean reward of the policy that takes, on questions held out, the configuration with the best reward by ridge regression on the rest.

    It knows the reward of every configuration on every other question, which no policy ever does. What it earns beyond the best fixed
    configuration is what the features tell about the questions; where that is nothing, there is no context to learn.

    Args:
        world: the tables; nothing drifts.
        weights: of the reward.
        folds: how often the questions are divided.
        seed: of the division.
    """
    rewards = world.rewards(weights, world.parts).mean(axis=2)
    order = np.random.default_rng(seed).permutation(len(rewards))
    earned = 0.0
    for fold in range(folds):
        held = order[fold::folds]
        known = np.setdiff1d(order, held)
        if not len(held) or not len(known):
            continue
        centre = rewards[known].mean(axis=0)
        theta = _ridge(world.queries[known], rewards[known] - centre)
        earned += float(rewards[held, (world.queries[held] @ theta + centre).argmax(axis=1)].sum())
    return earned / len(rewards)


def _ridge(rows: Array, values: Array) -> Array:
    gram = rows.T @ rows + RIDGE * np.eye(rows.shape[1])
    return np.asarray(np.linalg.solve(gram, rows.T @ values))
