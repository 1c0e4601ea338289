"""What counts: `r = w1 correct + w2 score + w3 (1 - cost)` (UniScale, arXiv 2605.30898), with weights for each request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.kernels import Array

Mode = str | Sequence[float]
"""The name of a mode, or three numbers of at least 0 for correctness, score and cost."""

COMPONENTS = ("correct", "score", "cost")


@dataclass(frozen=True, slots=True)
class Weights:
    """How much correctness, the verifier's score and cheapness count; they add up to 1.

    Example:
        >>> weights("balanced")
        Weights(correct=0.4, score=0.3, cost=0.3)
        >>> round(weights("balanced").reward(correct=1.0, score=0.5, cost=0.0), 6)
        0.85
    """

    correct: float
    score: float
    cost: float

    @property
    def parts(self) -> tuple[float, float, float]:
        """Correctness, score and cost."""
        return self.correct, self.score, self.cost

    def reward(self, correct: float, score: float, cost: float) -> float:
        """`r` of one outcome, each component in [0, 1]."""
        return self.correct * correct + self.score * score + self.cost * (1.0 - cost)

    def rewards(self, components: Array) -> Array:
        """`r` of many.

        Args:
            components: correctness, score and cost, shape (3, ...).

        Returns:
            shape (...).
        """
        correct, score, cost = components
        rewards: Array = self.correct * correct + self.score * score + self.cost * (1.0 - cost)
        return rewards

    def without(self, *, correct: bool = False, score: bool = False) -> Weights:
        """The weights where a component can never be observed: it drops out, the others are made to add up to 1 again.

        >>> weights("quality-first").without(score=True)
        Weights(correct=0.8333333333333334, score=0.0, cost=0.16666666666666669)
        """
        return _normalise(0.0 if correct else self.correct, 0.0 if score else self.score, self.cost)

    def score_for_correct(self) -> Weights:
        """The weights while no correctness was ever observed: the score stands in for it."""
        return Weights(0.0, self.correct + self.score, self.cost)


MODES = {
    "cost-sensitive": Weights(0.2, 0.2, 0.6),
    "balanced": Weights(0.4, 0.3, 0.3),
    "quality-first": Weights(0.5, 0.4, 0.1),
}


def weights(mode: Mode) -> Weights:
    """The weights of a mode.

    Args:
        mode: its name, or three numbers of at least 0, of which one is above 0; they are divided by their sum.

    Raises:
        ConfigurationError: no such mode, or numbers that cannot be weights.

    Example:
        >>> weights([2, 1, 1])
        Weights(correct=0.5, score=0.25, cost=0.25)
    """
    if isinstance(mode, str):
        if mode not in MODES:
            raise ConfigurationError(f"no mode {mode!r}; there are {', '.join(MODES)}, or give three weights")
        return MODES[mode]
    numbers = tuple(mode)
    good = all(isinstance(number, int | float | np.floating) and 0 <= number < inf for number in numbers)
    if len(numbers) != len(COMPONENTS) or not good or sum(numbers) <= 0:
        raise ConfigurationError(f"weights are three numbers of at least 0, not all 0, for {', '.join(COMPONENTS)}; got {mode!r}")
    return _normalise(*map(float, numbers))


def _normalise(correct: float, score: float, cost: float) -> Weights:
    total = correct + score + cost
    if total <= 0:
        raise ConfigurationError("no component that counts can be observed; give weights to one that can")
    return Weights(correct / total, score / total, cost / total)
