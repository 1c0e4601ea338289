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
from uniscale_integrations.replay.feedback import FeedbackPlan, Judge
from uniscale_integrations.replay.stream import World


@dataclass(frozen=True, slots=True)
class Trace:
    """What a policy did on one stream.

    Attributes:
        choices: the configuration of each decision, shape (T,).
        propensities: with which each was chosen, shape (T,).
        changes: how often the policy noticed a change.
        judged_share: share of the answers that were judged.
        warned_after: judgements after which feedback was found one-sided; `None` where it was not.
    """

    choices: NDArray[np.int64]
    propensities: Array
    changes: int = 0
    judged_share: float = 1.0
    warned_after: int | None = None

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
    feedback: FeedbackPlan | None = None,
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
        feedback: which answers are judged, and how; all of them as they are by default.
    """
    judge = None if feedback is None or feedback.complete else Judge(policy, feedback, seed)
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
        known_score = None if score != score else score
        policy.outcome(decision, choice.action, context, Observation(known_score, cost))
        if judge is not None:
            judge.answered(decision, choice.action, context, known_score, time)
        if purse is not None:
            purse.pacing.spend(float(purse.costs[time, choice.action]))
        waiting.append((decision, choice.action, context, correct))
        if len(waiting) > delay:
            (policy.feedback if judge is None else judge.judge)(*waiting.popleft())
    changes = policy.changes if isinstance(policy, DetectsChange) else 0
    if judge is None:
        return Trace(choices, propensities, changes)
    return Trace(choices, propensities, changes, judge.verdicts.balance.judged_share or 0.0, judge.warned_after)
