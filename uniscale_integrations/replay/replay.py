"""Replaying a policy on a stream of decisions, with feedback that may come late."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.deprecation import former_attribute
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Objective
from uniscale_integrations.policy.policy import Context, DetectsChange, Observation, Policy
from uniscale_integrations.policy.request_pacing import Pacing
from uniscale_integrations.replay.stream import World


@dataclass(frozen=True, slots=True)
class Trace:
    """What a policy did on one stream.

    Attributes:
        choices: the configuration of each decision, shape (T,).
        propensities: with which each was chosen, shape (T,).
        changes: how often the policy noticed a change.
    """

    choices: NDArray[np.int64]
    propensities: Array
    changes: int = 0

    chosen = former_attribute("choices")


@dataclass(frozen=True, slots=True)
class Purse:
    """A mean budget in a replay.

    Attributes:
        pacing: keeps to it.
        costs: what each configuration costs at each decision, shape (T, K).
    """

    pacing: Pacing
    costs: Array


def replay(
    policy: Policy,
    world: World,
    queries: NDArray[np.int64],
    parts: Array,
    objective: Objective,
    *,
    seed: int = 0,
    delay: int = 0,
    purse: Purse | None = None,
) -> Trace:
    """Let a policy decide, one question after the other, with the calls that an engine and the fold of its log make.

    Args:
        policy: what decides; learns as it goes.
        world: the questions' features.
        queries: the question of each decision, shape (T,).
        parts: correctness, score and `C~` of every configuration at every decision, shape (3, T, K).
        objective: of every request.
        seed: of what the policy draws.
        delay: how many decisions later the correctness of one is told.
        purse: a mean budget.
    """
    rng, every = np.random.default_rng(seed), np.ones(parts.shape[2], dtype=bool)
    choices, propensities = np.empty(len(queries), dtype=np.int64), np.empty(len(queries))
    waiting: deque[tuple[str, int, Context, float]] = deque()
    for time, query in enumerate(queries):
        context, decision = Context(world.queries[query]), str(time)
        assessment = policy.assess(context, objective, every)
        choice = policy.choose(assessment if purse is None else purse.pacing.adjust(assessment), rng)
        choices[time], propensities[time] = choice.action, choice.propensity
        policy.decided(decision, choice.action, context)
        correct, score, cost = parts[:, time, choice.action].tolist()
        policy.outcome(decision, choice.action, context, Observation(None if score != score else score, cost))
        if purse is not None:
            purse.pacing.spend(float(purse.costs[time, choice.action]))
        waiting.append((decision, choice.action, context, correct))
        if len(waiting) > delay:
            policy.feedback(*waiting.popleft())
    return Trace(choices, propensities, policy.changes if isinstance(policy, DetectsChange) else 0)
