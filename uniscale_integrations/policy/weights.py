"""The reward of UniScale (arXiv 2605.30898), `r = w1 correct + w2 score + w3 (1 - cost)`, with weights for each request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, TypeVar

import numpy as np

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.forecast import Expectation, Forecast
from uniscale_integrations.policy.kernels import Array

Numbers = TypeVar("Numbers", float, Array)

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

    def __str__(self) -> str:
        return f"weights of correctness, score and cost {self.correct:.2f}, {self.score:.2f}, {self.cost:.2f}"

    @property
    def parts(self) -> tuple[float, float, float]:
        """Correctness, score and cost."""
        return self.correct, self.score, self.cost

    def reward(self, correct: Numbers, score: Numbers, cost: Numbers) -> Numbers:
        """`r` of one outcome, or of arrays of them."""
        return self.correct * correct + self.score * score + self.cost * (1.0 - cost)

    def resolve(self, forecast: Forecast) -> Weights:
        """Themselves."""
        return self

    def observable(self, *, scored: bool, judged: bool) -> Weights:
        """As of `Objective`: what cannot be observed drops out, and the score counts for correctness until that is observed."""
        if not scored:
            return self.without(score=True)
        return self if judged else self.score_for_correct()

    def rewards(self, forecast: Forecast) -> Array:
        """`r` of each configuration, shape (K,); one whose answers get no score counts by the other two."""
        rewards = self.reward(forecast.correct, forecast.score, forecast.cost)
        if not self.score or forecast.scored.all() or self.score >= 1.0:
            return rewards
        others = self._of_unscored
        return np.where(forecast.scored, rewards, others.reward(forecast.correct, forecast.score, forecast.cost))

    def gains(self, forecast: Forecast) -> tuple[Array, Array]:
        """As of `Objective`."""
        others = self._of_unscored if self.score < 1.0 else self
        correct: Array = np.where(forecast.scored, self.correct, others.correct)
        score: Array = np.where(forecast.scored, self.score, others.score)
        return correct, score

    def flips_at(self, choice: Expectation, other: Expectation) -> float | None:
        """The weight w of cost at which both are worth the same: `(1 - w) quality + w (1 - cost)`, with the bonus as it is."""
        quality = self.correct + self.score
        shares = (self.correct / quality, self.score / quality) if quality > 0 else (1.0, 0.0)

        def worth(each: Expectation) -> tuple[float, float]:
            return shares[0] * each.correct + shares[1] * each.score + each.bonus, 1.0 - each.cost + each.bonus

        (good, cheap), (other_good, other_cheap) = worth(choice), worth(other)
        gain = (other_cheap - cheap) - (other_good - good)
        if gain == 0.0:
            return None
        weight = (good - other_good) / gain
        return weight if 0.0 <= weight <= 1.0 else None

    def earned(self, correct: float, score: float | None, cost: float, spend: float) -> float:
        """`r`; without a score the others count alone.

        Raises:
            ConfigurationError: only the score counts, and there is none.
        """
        return self.without(score=True).reward(correct, 0.0, cost) if score is None else self.reward(correct, score, cost)

    def record(self) -> dict[str, Any]:
        """As of `Objective`."""
        return {"weights": list(self.parts)}

    def without(self, *, correct: bool = False, score: bool = False) -> Weights:
        """The weights where a component can never be observed: it drops out, the others are made to add up to 1 again.

        >>> weights("quality-first").without(score=True)
        Weights(correct=0.8333333333333334, score=0.0, cost=0.16666666666666669)
        """
        return _normalise(0.0 if correct else self.correct, 0.0 if score else self.score, self.cost)

    def score_for_correct(self) -> Weights:
        """The weights while no correctness was ever observed: the score stands in for it."""
        return Weights(0.0, self.correct + self.score, self.cost)

    @property
    def _of_unscored(self) -> Weights:
        """What counts of a configuration whose answers get no score, while others do; where the score stands in, correctness does."""
        return self.without(score=True) if self.correct else Weights(1.0 - self.cost, 0.0, self.cost)


MODES = {
    "cost-sensitive": Weights(0.2, 0.2, 0.6),
    "balanced": Weights(0.4, 0.3, 0.3),
    "quality-first": Weights(0.5, 0.4, 0.1),
}


def weights(mode: str | Sequence[float]) -> Weights:
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
    numbers = tuple(mode) if isinstance(mode, Iterable) else (mode,)
    good = all(isinstance(number, int | float | np.floating) and 0 <= number < inf for number in numbers)
    if len(numbers) != len(COMPONENTS) or not good or sum(numbers) <= 0:
        raise ConfigurationError(f"weights are three numbers of at least 0, not all 0, for {', '.join(COMPONENTS)}; got {mode!r}")
    return _normalise(*map(float, numbers))


def _normalise(correct: float, score: float, cost: float) -> Weights:
    total = correct + score + cost
    if total <= 0:
        raise ConfigurationError("no component that counts can be observed; give weights to one that can")
    return Weights(correct / total, score / total, cost / total)
