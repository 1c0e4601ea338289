"""Replaying a policy on a stream of decisions, with feedback that may come late."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.deprecation import former_attribute
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Objective
from uniscale_integrations.policy.policy import Choice, Context, DetectsChange, Observation, Policy
from uniscale_integrations.policy.request_pacing import Pacing
from uniscale_integrations.policy.targets import WORTH_ONE, Pacer, Target
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


@dataclass(frozen=True, slots=True)
class Consumption:
    """What answers took in a replay.

    Attributes:
        costs: of each configuration at each decision, in the table's unit, shape (T, K).
        tokens: read and sampled, shape (2, T, K), where they are paid for.
    """

    costs: Array
    tokens: Array | None = None


def replay(
    policy: Policy,
    world: World,
    queries: NDArray[np.int64],
    parts: Array,
    objective: Objective | Target,
    *,
    seed: int = 0,
    delay: int = 0,
    purse: Purse | None = None,
    feedback: FeedbackPlan | None = None,
    consumption: Consumption | None = None,
) -> Trace:
    """Let a policy decide, one question after the other, with the calls that an engine and the fold of its log make.

    Args:
        policy: what decides; learns as it goes.
        world: the questions' features.
        queries: the question of each decision, shape (T,).
        parts: correctness, score and `C~` of every configuration at every decision, shape (3, T, K).
        objective: of every request, or the target of all of them.
        seed: of what the policy draws.
        delay: how many decisions later the correctness of one is told.
        purse: a mean budget.
        feedback: which answers are judged, and how; all of them as they are by default.
        consumption: what answers took, which targets and prices per token need.

    Raises:
        ConfigurationError: a target, and it is not said what answers cost.
    """
    if isinstance(objective, Target) and consumption is None:
        raise ConfigurationError(f"{objective} needs to know what answers cost; give consumption=Consumption(costs)")
    pacer = objective.pacer() if isinstance(objective, Target) else None
    judge = None if feedback is None or feedback.complete else Judge(policy, feedback, seed, _listener(pacer))
    tell = _teacher(policy, pacer) if judge is None else judge.judge
    asked = WORTH_ONE if isinstance(objective, Target) else objective
    player = _Player(policy, parts, asked, pacer, purse, consumption, judge, np.random.default_rng(seed))
    choices, propensities = np.empty(len(queries), dtype=np.int64), np.empty(len(queries))
    waiting: deque[tuple[str, int, Context, float]] = deque()
    input_tokens = world.input_tokens
    for time, query in enumerate(queries):
        context = Context(world.queries[query], input_tokens=float(input_tokens[query]))
        choice = player.play(time, context)
        choices[time], propensities[time] = choice.action, choice.propensity
        waiting.append((str(time), choice.action, context, float(parts[0, time, choice.action])))
        if len(waiting) > delay:
            tell(*waiting.popleft())
    changes = policy.changes if isinstance(policy, DetectsChange) else 0
    if judge is None:
        return Trace(choices, propensities, changes)
    return Trace(choices, propensities, changes, judge.verdicts.balance.judged_share or 0.0, judge.warned_after)


@dataclass(frozen=True, slots=True)
class _Player:
    """Takes one decision after the other; what is known of it at once is learned at once."""

    policy: Policy
    parts: Array
    objective: Objective
    pacer: Pacer | None
    purse: Purse | None
    consumption: Consumption | None
    judge: Judge | None
    rng: np.random.Generator

    def play(self, time: int, context: Context) -> Choice:
        """Decide on the question of a time, and learn the score and what the answer took."""
        decision, purse, consumption = str(time), self.purse, self.consumption
        belief = self.policy.assess(context, self.objective, np.ones(self.parts.shape[2], dtype=bool))
        assessment = belief if self.pacer is None else self.pacer.adjust(belief)
        choice = self.policy.choose(assessment if purse is None else purse.pacing.adjust(assessment), self.rng)
        action = choice.action
        self.policy.decided(decision, action, context)
        _, score, cost = self.parts[:, time, action].tolist()
        known_score = None if score != score else score
        tokens = None if consumption is None else consumption.tokens
        read, sampled = (None, None) if tokens is None else tokens[:, time, action].tolist()
        self.policy.outcome(decision, action, context, Observation(known_score, cost, sampled, read))
        if self.judge is not None:
            self.judge.answered(decision, action, context, known_score, time)
        if purse is not None:
            purse.pacing.spend(float(purse.costs[time, action]))
        if self.pacer is not None and consumption is not None:
            self.pacer.decided(decision, belief, action)
            self.pacer.spend(float(consumption.costs[time, action]))
        return choice


def _teacher(policy: Policy, pacer: Pacer | None) -> Callable[[str, int, Context, float], None]:
    """Has the policy learn how right an answer was, and what keeps to a target take note of it."""

    def tell(decision: str, action: int, context: Context, correct: float) -> None:
        policy.feedback(decision, action, context, correct)
        if pacer is not None:
            pacer.judged(decision, correct)

    return tell


def _listener(pacer: Pacer | None) -> Callable[[str, float], None]:
    return pacer.judged if pacer is not None else lambda decision, correct: None
