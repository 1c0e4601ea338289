"""What it is to be a policy in a replay, and the learner as one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.policy.budget_pacer import BudgetPacer
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.learner import Assessment, Learner
from uniscale_integrations.policy.objective import Weights


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
        pacer: of the budget.
        scale: of the costs, where there is a budget.
    """

    def __init__(
        self, learner: Learner, weights: Weights, pacer: BudgetPacer | None = None, scale: CostScale | None = None
    ) -> None:
        self.learner, self.weights = learner, weights
        self._paced = None if pacer is None or scale is None else (pacer, scale)
        self._taken = self._told = 0

    def choose(self, query: Array) -> int:
        self.learner.see(query)
        action = self._best(self.learner.assess(query, self.weights))
        self.learner.took(str(self._taken), action)
        self._taken += 1
        return action

    def _best(self, assessment: Assessment) -> int:
        if self._paced is None:
            return assessment.best
        pacer, scale = self._paced
        costs = np.array([scale.cost(position) for position in np.clip(assessment.cost, 0.0, 1.0)])
        surcharge, allowed = pacer.terms(assessment.reward, costs, assessment.eligible)
        return replace(assessment, reward=assessment.reward - surcharge, eligible=allowed).best

    def came(self, action: int, query: Array, result: Result) -> None:
        self.learner.outcome(action, query, result.score, result.cost)
        if self._paced is not None:
            pacer, _ = self._paced
            pacer.spend(result.spent)

    def judged(self, action: int, query: Array, result: Result) -> None:
        # What is told first was taken first.
        self.learner.judge(action, query, result.correct, str(self._told))
        self._told += 1


def reward(result: Result, weights: Weights) -> float:
    """`r`; a component that was not observed has no weight."""
    if result.score is None:
        return weights.without(score=True).reward(result.correct, 0.0, result.cost)
    return weights.reward(result.correct, result.score, result.cost)
