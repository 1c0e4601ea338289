"""Replaying episodes on outcome tables: what deciding again would have brought, with the cost of all attempts."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.log.events import DecisionEvent, Outcome
from uniscale_integrations.log.lessons import DecisionContext
from uniscale_integrations.policy.default_policy import LinUCBPolicy
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Objective
from uniscale_integrations.policy.policy import Assessment, Context, DetectsChange, Observation
from uniscale_integrations.policy.request_pacing import Pacing
from uniscale_integrations.policy.targets import WORTH_ONE, Pacer, Target
from uniscale_integrations.replay.feedback import FeedbackPlan, Judge
from uniscale_integrations.replay.stream import Stream, World
from uniscale_integrations.rounds.attempt import Answered
from uniscale_integrations.rounds.context import RoundContext
from uniscale_integrations.rounds.episode import Episode, Limits
from uniscale_integrations.rounds.one_round import OneRound
from uniscale_integrations.rounds.policy import DecidesAgain, RoundsSettings
from uniscale_integrations.rounds.ports import LearnsFromRounds


@dataclass(frozen=True, slots=True)
class Played:
    """The episodes of one stream.

    Attributes:
        parts: correctness and score of the kept answer, and `C~` of all attempts together, shape (3, T).
        costs: of all attempts together, in the table's unit, shape (T,).
        attempts: how many there were, shape (T,).
        choices: the configuration whose answer is kept, shape (T,).
        judged_share: share of the answers that were judged.
        warned_after: as of `Trace`, likewise `changes`.
    """

    parts: Array
    costs: Array
    attempts: NDArray[np.int64]
    choices: NDArray[np.int64]
    judged_share: float = 1.0
    warned_after: int | None = None
    changes: int = 0


def rounds_policy(world: World, rounds: int, settings: RoundsSettings | None = None) -> LearnsFromRounds:
    """What decides episodes of so many rounds: of one, the default policy as ever."""
    if rounds > 1:
        return DecidesAgain(world.arms, settings)
    return OneRound(LinUCBPolicy(world.arms), world.arms)


def replay_rounds(
    policy: LearnsFromRounds,
    world: World,
    stream: Stream,
    objective: Objective | Target,
    *,
    rounds: int = 2,
    feedback: float | FeedbackPlan = 1.0,
    seed: int = 0,
    delay: int = 0,
    pacing: Pacing | None = None,
) -> Played:
    """Let a policy play episodes, one question after the other, and learn as it goes.

    A configuration that is asked again gives its next sample on the question; where there is none left, it is not eligible.

    Args:
        policy: what decides.
        world: the tables, whose policy knows costs in the tables' unit; see `World.in_money`.
        stream: the order of the questions.
        objective: of every request, or the target of all of them.
        rounds: answers of an episode at most.
        feedback: share of the episodes whose answer is judged, in [0, 1], which ones depends on the seed alone; or how they are judged.
        seed: of that, and of what the policy draws.
        delay: how many decisions later the correctness of one is told.
        pacing: of a mean budget.

    Raises:
        ConfigurationError: a share out of [0, 1].
    """
    plan = feedback if isinstance(feedback, FeedbackPlan) else FeedbackPlan(share=feedback)
    pacer = objective.pacer() if isinstance(objective, Target) else None
    lessons = _Played(policy)
    judge = Judge(lessons, plan, seed, pacer.judged if pacer is not None else lambda decision, correct: None)
    asked = WORTH_ONE if isinstance(objective, Target) else objective
    player = _Player(policy, world, asked, Limits(rounds), pacer, pacing, np.random.default_rng(seed))
    count = len(stream)
    parts, costs = np.empty((3, count)), np.empty(count)
    attempts, choices = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    waiting: deque[tuple[str, int, Context, float]] = deque()
    for time, question in enumerate(stream.queries):
        context = player.play(str(time), int(question), stream.samples[time], stream.quality_of[time])
        policy.ended(str(time), context)
        lessons.episodes[str(time)] = context
        kept = context.kept
        assert kept is not None, "tables have an answer to every question"
        assert isinstance(kept.came, Answered), "which is one"
        arm, sample = cast("tuple[int, int]", kept.came.answer)
        correct, score = world.parts[:2, question, stream.quality_of[time, arm], sample]
        judge.answered(str(time), arm, context.request, None if score != score else float(score), time)
        waiting.append((str(time), arm, context.request, float(correct)))
        if len(waiting) > delay:
            judge.judge(*waiting.popleft())
        parts[:, time] = correct, score, world.scale.position(context.spent)
        costs[time], attempts[time], choices[time] = context.spent, len(context.attempts), arm
    balance = judge.verdicts.balance
    changes = policy.changes if isinstance(policy, DetectsChange) else 0
    return Played(parts, costs, attempts, choices, balance.judged_share or 0.0, judge.warned_after, changes)


class _Played:
    """Teaches a policy of episodes what judgements of them come to, as `Lessons`."""

    def __init__(self, policy: LearnsFromRounds) -> None:
        self.policy = policy
        self.episodes: dict[str, RoundContext] = {}

    def judged_as(self, decision_id: str) -> str:
        return decision_id

    def family(self, decision_id: str) -> Collection[str]:
        return (decision_id,)

    def decided(self, event: DecisionEvent, past: DecisionContext) -> None:
        """It is told of whole episodes."""

    def outcome(self, event: Outcome, past: DecisionContext, observation: Observation) -> Outcome | None:
        return event

    def answered(self, decision_id: str, past: DecisionContext) -> DecisionContext:
        return past

    def feedback(self, decision_id: str, past: DecisionContext, correct: float, weight: float, previous: float | None) -> None:
        self.policy.feedback(decision_id, self.episodes[decision_id], correct, weight, previous)

    def recall(self, event: DecisionEvent | Outcome, past: DecisionContext) -> Outcome | None:
        return None

    def forget(self, decision_id: str) -> None:
        self.episodes.pop(decision_id, None)


@dataclass(frozen=True, slots=True)
class _Player:
    """Plays one episode after the other, as an engine would."""

    policy: LearnsFromRounds
    world: World
    objective: Objective
    limits: Limits
    pacer: Pacer | None
    pacing: Pacing | None
    rng: np.random.Generator

    def play(self, decision: str, question: int, first: NDArray[np.int64], quality_of: NDArray[np.int64]) -> RoundContext:
        """Answer what is asked by what the tables say.

        Args:
            decision: its id.
            question: its number.
            first: the sample of each configuration to begin with, shape (K,).
            quality_of: whose correctness and score each configuration has, shape (K,).
        """
        world, beliefs = self.world, list[Assessment]()
        request = Context(world.queries[question], input_tokens=float(world.input_tokens[question]))

        def adjust(context: RoundContext, belief: Assessment) -> Assessment:
            beliefs.append(belief)
            return self._adjust(context, belief)

        every = np.ones(len(world.configurations), dtype=np.bool_)
        episode: Episode[tuple[int, int]] = Episode(
            self.policy, request, self.objective, every, world.arms.model_of, self.limits, self.rng, adjust
        )
        asked = np.zeros(len(first), dtype=np.int64)
        while (choice := episode.ask()) is not None:
            arm = choice.configuration
            if self.pacer is not None and not episode.context.attempts:
                self.pacer.decided(decision, beliefs[0], arm)
            there = int(world.samples[question, arm])
            sample = int((first[arm] + asked[arm]) % there)
            asked[arm] += 1
            if asked[arm] >= there:
                episode.withdraw([arm])
            score = float(world.parts[1, question, quality_of[arm], sample])
            tokens = (None, None) if world.tokens is None else world.tokens[:, question, arm, sample].tolist()
            spend = float(world.raw_costs[question, arm, sample])
            episode.tell(choice, Answered((arm, sample), None if score != score else score, spend, tokens[1], tokens[0]))
        for pacer in (self.pacer, self.pacing):
            if pacer is not None:
                pacer.spend(episode.context.spent)
        return episode.context

    def _adjust(self, context: RoundContext, belief: Assessment) -> Assessment:
        """As an engine does by what is asked of requests together."""
        if context.answers:
            return belief if self.pacing is None else self.pacing.adjust_again(belief, context.spent)
        assessment = belief if self.pacer is None else self.pacer.adjust(belief)
        return assessment if self.pacing is None else self.pacing.adjust(assessment)
