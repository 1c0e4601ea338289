"""Replaying a policy on a stream of decisions, with feedback that may come late."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.policy import Policy, Result
from uniscale_integrations.replay.stream import World


@dataclass(frozen=True, slots=True)
class Trace:
    """What a policy did on one stream.

    Attributes:
        chosen: the configuration of each decision, shape (T,).
        correct: of each, shape (T,).
        score: likewise; NaN where nothing scored the answer.
        cost: `C~` of each.
    """

    chosen: NDArray[np.int64]
    correct: Array
    score: Array
    cost: Array


def replay(
    policy: Policy, world: World, queries: NDArray[np.int64], parts: Array, delay: int = 0, costs: Array | None = None
) -> Trace:
    """Let a policy decide, one question after the other.

    Args:
        policy: what decides; learns as it goes.
        world: the questions' features.
        queries: the question of each decision, shape (T,).
        parts: correctness, score and `C~` of every configuration at every decision, shape (3, T, K).
        delay: how many decisions later the correctness of one is told.
        costs: what each configuration costs at each decision, for a policy with a budget; shape (T, K).
    """
    chosen = np.empty(len(queries), dtype=np.int64)
    waiting: deque[tuple[int, Array, Result]] = deque()
    for time, query in enumerate(queries):
        features = world.queries[query]
        action = policy.choose(features)
        correct, score, cost = parts[:, time, action].tolist()
        result = Result(correct, None if score != score else score, cost, 0.0 if costs is None else float(costs[time, action]))
        chosen[time] = action
        policy.came(action, features, result)
        waiting.append((action, features, result))
        if len(waiting) > delay:
            policy.judged(*waiting.popleft())
    found = parts[:, np.arange(len(queries)), chosen]
    return Trace(chosen, found[0], found[1], found[2])
