"""A policy that decides once, as what decides again: its first decision, and others only while models fail."""

from __future__ import annotations

import numpy as np

from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.objective import Objective
from uniscale_integrations.policy.policy import Assessment, Choice, Context, Mask, Observation, Policy, State
from uniscale_integrations.rounds.attempt import Answered
from uniscale_integrations.rounds.context import RoundContext


class OneRound:
    """Any `Policy` as `LearnsFromRounds`, for episodes of one round.

    Args:
        policy: what decides and learns.
        arms: what it chooses from.

    Example:
        >>> from uniscale_integrations.policy.default_policy import LinUCBPolicy
        >>> from uniscale_integrations.policy.objective import weights
        >>> from uniscale_integrations.policy.schema import FeatureSchema
        >>> from uniscale_integrations.rounds.episode import Episode, Limits
        >>> from uniscale_integrations.space import Configuration
        >>> arms = Arms.of([Configuration("small"), Configuration("large")], FeatureSchema(("bias",)), [0.0, 1.0])
        >>> policy = OneRound(LinUCBPolicy(arms), arms)
        >>> request, every = Context(np.ones(1)), np.ones(2, dtype=bool)
        >>> episode = Episode(policy, request, weights("balanced"), every, arms.model_of, Limits(rounds=1))
        >>> episode.tell(episode.ask(), Answered("yes", 0.9, 1.0))
        >>> episode.ask() is None
        True
    """

    def __init__(self, policy: Policy, arms: Arms) -> None:
        self.policy, self.arms = policy, arms

    @property
    def name(self) -> str:
        """That of the policy."""
        return self.policy.name

    def believe(self, request: Context, action: int, score: float | None, verifier: str = "") -> float:
        """The score; nothing is decided by it."""
        return 0.0 if score is None else score

    def prior_belief(self, action: int, score: float | None) -> float:
        """The score, too."""
        return 0.0 if score is None else score

    def assess(self, context: RoundContext, objective: Objective, eligible: Mask) -> Assessment:
        """That of the policy, which knows of no attempts; what there is an answer to stops."""
        assessment = self.policy.assess(context.request, objective, eligible)
        kept = context.kept
        if kept is None:
            return assessment
        correct, score, cost, reward, bonus = (
            np.append(each, 0.0)
            for each in (assessment.correct, assessment.score, assessment.cost, assessment.reward, assessment.bonus)
        )
        correct[-1], score[-1] = kept.belief, kept.score or 0.0
        spend = None if assessment.spend is None else np.append(assessment.spend, context.spent)
        only_stop = np.arange(len(correct)) == len(self.arms)
        return Assessment(correct, score, cost, reward, bonus, only_stop, spend, assessment.objective)

    def choose(self, assessment: Assessment, rng: np.random.Generator) -> Choice:
        """That of the policy."""
        stop = len(self.arms)
        return Choice(stop) if len(assessment.eligible) > stop else self.policy.choose(assessment, rng)

    def ended(self, episode: str, context: RoundContext) -> None:
        """Have it learn of the attempt that was answered, under the episode's id."""
        kept, arms = context.kept, self.arms
        if kept is None:
            return
        came, action = kept.came, kept.decision.configuration
        assert isinstance(came, Answered)
        every = np.ones(len(arms), dtype=np.bool_)
        single = np.full(len(arms), max(came.spend, 1e-300))
        cost = float(arms.rates.positions(single, every)[action])
        self.policy.decided(episode, action, context.request)
        observation = Observation(came.score, cost, came.output_tokens, came.input_tokens)
        self.policy.outcome(episode, action, context.request, observation)

    def feedback(
        self, episode: str, context: RoundContext, correct: float, weight: float = 1.0, previous: float | None = None
    ) -> None:
        """Have it learn how right the answer was."""
        if (kept := context.kept) is not None:
            self.policy.feedback(episode, kept.decision.configuration, context.request, correct, weight, previous)

    def state(self) -> State:
        """That of the policy."""
        return self.policy.state()

    def load(self, state: State) -> None:
        """As of the policy."""
        self.policy.load(state)
