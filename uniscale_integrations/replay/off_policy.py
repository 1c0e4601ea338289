"""What other policies would have earned on the requests of a log, which has one answer to each: the doubly robust estimate.

A ridge per configuration on the features of questions says what the answers would have been that nobody saw (the direct method). Where
the engine drew its choice with a known probability p below 1, the difference of what came of it to what the ridge says is added with the
weight 1 / p, so that the estimate is right on average even where the ridge is wrong (Dudik, Langford and Li, arXiv 1103.4601). Where the
choice was certain the answer counts as it is for policies that choose the same; for others there is the ridge alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.replay.correction import MIN_PROPENSITY, OffPolicy
from uniscale_integrations.replay.logged import LoggedDecisions
from uniscale_integrations.replay.stream import Outcomes, World

RIDGE = 30.0
"""Precision of a coefficient, of features that vary by about 1."""

PRIOR = 2.0
"""Answers like the average of all configurations that each is taken to have had beforehand."""


def logged_world(log: LoggedDecisions, costs: str = "known", seed: int = 0) -> World:
    """A log as a world in which policies can be replayed, with what their estimates rest on.

    Args:
        log: what was decided, and what came of it.
        costs: as of `World.of`.
        seed: of the answers that are drawn where nobody saw one.
    """
    count, arms = len(log.actions), len(log.configurations)
    rows = np.arange(count)
    model = np.stack([
        np.clip(_expected(log, log.correct), 0.0, 1.0),
        np.clip(_expected(log, log.score), 0.0, 1.0),
        _expected_costs(log),
    ])  # fmt: skip
    values = model.copy()
    for part, seen in enumerate((log.correct, log.score, log.cost)):
        known = np.isfinite(seen)
        values[part, rows[known], log.actions[known]] = seen[known]
    # An answer that nothing scored has no score, whatever others had.
    values[1, rows, log.actions] = log.score
    outcomes = Outcomes(log.configurations, log.schema, log.features, values[..., None], log.unit)
    world = World.of_outcomes(outcomes, np.ones((count, arms), dtype=np.int64), (count,), None, costs)
    chosen = model[:, rows, log.actions]
    chosen[1] = np.where(np.isnan(log.score), np.nan, chosen[1])
    position = np.array([world.scale.position(cost) for cost in chosen[2].tolist()])
    drawn = np.random.default_rng(seed).random((count, arms)) < values[0]
    learned = drawn.astype(np.float64)
    learned[rows[log.judged], log.actions[log.judged]] = log.correct[log.judged]
    weights = np.where(log.drawn, 1.0 / np.maximum(log.propensities, MIN_PROPENSITY) - 1.0, 0.0)
    off_policy = OffPolicy(log.actions, np.stack([chosen[0], chosen[1], position, chosen[2]]), weights, learned)
    return replace(world, off_policy=off_policy)


def _expected(log: LoggedDecisions, seen: Array) -> Array:
    """What is expected of every configuration on every question, shape (T, K); NaN of those of which nothing was seen and nothing of any.

    Args:
        log: questions and choices.
        seen: of the answers, shape (T,), NaN where unknown.
    """
    known = np.isfinite(seen)
    overall = float(seen[known].mean()) if known.any() else np.nan
    result = np.empty((len(seen), len(log.configurations)))
    for arm in range(len(log.configurations)):
        own = known & (log.actions == arm)
        result[:, arm] = _ridge(log.features[own], seen[own], log.features, overall)
    return result


def _expected_costs(log: LoggedDecisions) -> Array:
    """What every configuration is expected to cost on every question, shape (T, K): factors, where everything costs something."""
    if not (log.cost > 0).all():
        return np.maximum(_expected(log, log.cost), 0.0)
    expected: Array = np.exp(_expected(log, np.log(log.cost)))
    for arm in range(len(log.configurations)):
        own = log.actions == arm
        # The mean of a cost lies above the exponential of the mean of its logarithm.
        expected[:, arm] *= log.cost[own].mean() / expected[own, arm].mean()
    return expected


def _ridge(features: Array, seen: Array, questions: Array, overall: float) -> Array:
    """What a ridge expects on questions, with the level drawn towards `overall`."""
    level = (seen.sum() + PRIOR * overall) / (len(seen) + PRIOR)
    if not len(seen):
        return np.full(len(questions), level)
    centre = features.mean(axis=0)
    rows = features - centre
    gram = rows.T @ rows + RIDGE * np.eye(rows.shape[1])
    theta = np.linalg.solve(gram, rows.T @ (seen - seen.mean()))
    expected: Array = level + (questions - centre) @ theta
    return expected
