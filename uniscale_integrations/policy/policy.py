"""What it is to be a policy in a replay, and the learner as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.learner import Learner
from uniscale_integrations.policy.objective import Weights
from uniscale_integrations.policy.pacing import Pacing


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one choice.

    Attributes:
        correct: in [0, 1].
        score: in [0, 1]; `None` where nothing scored the answer.
        cost: `C~`.
        spent: the cost itself, in the unit of a budget; where an outcome lies beyond the scale, `C~` does not tell it.
    """

    correct: float
    score: float | None
    cost: float
    spent: float = 0.0


class Policy(Protocol):
    """Chooses one of K configurations for a question and learns what came of it."""

    def choose(self, query: Array) -> int:
        """The configuration for a question with these features."""
        ...

    def came(self, action: int, query: Array, result: Result) -> None:
        """Told at once: score and cost. Correctness must not be looked at yet."""
        ...

    def judged(self, action: int, query: Array, result: Result) -> None:
        """Told when feedback comes: everything."""
        ...


class LinUCBPolicy:
    """The `Learner` under fixed weights, and within a budget where there is one.

    Args:
        learner: what expects and learns.
        weights: what counts.
        pacing: of the budget, where there is one.
    """

    def __init__(self, learner: Learner, weights: Weights, pacing: Pacing | None = None) -> None:
        self.learner, self.weights, self._pacing = learner, weights, pacing
        self._taken = self._told = 0

    def choose(self, query: Array) -> int:
        self.learner.see(query)
        assessment = self.learner.assess(query, self.weights)
        action = (assessment if self._pacing is None else self._pacing.paced(assessment)).best
        self.learner.took(str(self._taken), action)
        self._taken += 1
        return action

    def came(self, action: int, query: Array, result: Result) -> None:
        self.learner.outcome(action, query, result.score, result.cost)
        if self._pacing is not None:
            self._pacing.spend(result.spent)

    def judged(self, action: int, query: Array, result: Result) -> None:
        # What is told first was taken first.
        self.learner.judge(action, query, result.correct, str(self._told))
        self._told += 1


def reward(result: Result, weights: Weights) -> float:
    """`r`; a component that was not observed has no weight."""
    if result.score is None:
        return weights.without(score=True).reward(result.correct, 0.0, result.cost)
    return weights.reward(result.correct, result.score, result.cost)
