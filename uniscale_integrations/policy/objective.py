"""What counts: weights, `r = w1 correct + w2 score + w3 (1 - cost)` (UniScale, arXiv 2605.30898), or the value of a right answer.

Weights say how much a component counts on scales that have no unit; what they trade, a point of accuracy for which part of the price,
depends on how far the prices lie apart. `Value` says it in money: `r = V correct - spend`. Both are linear in what the same heads
expect, so that a request may bring another objective without anything being learned anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any, NamedTuple, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.kernels import Array

Numbers = TypeVar("Numbers", float, Array)

COMPONENTS = ("correct", "score", "cost")

POINTS = 5.0
"""Of accuracy that always asking the dearest model has to bring, where nobody says what a right answer is worth."""

ALIKE = 1.01
"""Plain calls whose expected costs differ by less than this factor cost the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """What is expected of K configurations on a request; arrays of the shape (K,).

    Attributes:
        correct: correctness.
        score: the verifier's score.
        cost: `C~`.
        spend: cost in dollars or eFLOPs.
        plain_spend: what one plain call of each one's model is expected to cost, likewise.
        scored: whether an answer of it gets a score.
    """

    correct: Array
    score: Array
    cost: Array
    spend: Array
    plain_spend: Array
    scored: NDArray[np.bool_]

    @classmethod
    def of(cls, correct: Array, score: Array, cost: Array, spend: Array | None = None) -> Self:
        """Of configurations that are all scored, of which no plain call in particular is known."""
        spend = np.exp(cost) if spend is None else spend
        return cls(correct, score, cost, spend, spend, np.ones(len(correct), dtype=np.bool_))


class Expectation(NamedTuple):
    """What is expected of one configuration, with what not knowing it better is worth."""

    correct: float
    score: float
    cost: float
    spend: float
    bonus: float


@runtime_checkable
class Objective(Protocol):
    """What a request is after, linear in the correctness and the score that are expected."""

    def resolve(self, forecast: Forecast) -> Objective:
        """The same with all numbers that depend on what is expected of the configurations on a request."""
        ...

    def observable(self, *, scored: bool, judged: bool) -> Objective:
        """The same where there can be no scores, or where no correctness has been observed yet and the score stands in for it."""
        ...

    def rewards(self, forecast: Forecast) -> Array:
        """The reward that is expected of each configuration, shape (K,)."""
        ...

    def gains(self, forecast: Forecast) -> tuple[Array, Array]:
        """What a unit more of correctness and of score is worth with each configuration, two arrays of the shape (K,)."""
        ...

    def flips_at(self, choice: Expectation, other: Expectation) -> float | None:
        """At what setting of the objective both would be worth the same; `None` where none would do."""
        ...

    def earned(self, correct: float, score: float | None, cost: float, spend: float) -> float:
        """The reward of an answer: how right it was, its score, `C~` and what it has cost in dollars or eFLOPs."""
        ...

    def record(self) -> dict[str, Any]:
        """JSON-ready; `objective_of_record` reads it back."""
        ...


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


@dataclass(frozen=True, slots=True)
class Value:
    """What a right answer is worth, in money: the reward is `right * correct - spend`, in dollars or eFLOPs.

    Args:
        right: value of a right answer, in the unit in which costs are counted: dollars where models have prices.
        points: instead of it, how many points of accuracy always asking the dearest model has to bring to be worth it. What a right
            answer is worth follows from that for each request: `(dearest - cheapest plain call) / (points / 100)`.

    Raises:
        ConfigurationError: neither, or a number that is not above 0.

    Example:
        >>> Value(right=0.02).earned(correct=1.0, score=None, cost=0.5, spend=0.005)
        0.015
        >>> two = Forecast.of(np.array([0.6, 0.9]), np.ones(2), np.array([0.0, 1.0]), np.array([0.001, 0.006]))
        >>> Value(points=5).resolve(two).right
        0.1
        >>> Value(points=5).rewards(two).round(3).tolist()
        [0.059, 0.084]
    """

    right: float | None = None
    points: float | None = None
    by_score: bool = False

    def __post_init__(self) -> None:
        if self.right is None and self.points is None:
            raise ConfigurationError(
                "Value needs right=, what a right answer is worth, or points=, for example Value(right=0.02)"
            )
        for name, value in (("right", self.right), ("points", self.points)):
            if value is not None and not (isinstance(value, int | float) and 0.0 < value < inf):
                raise ConfigurationError(f"{name} of a Value must be a finite number above 0, got {value!r}")

    def __str__(self) -> str:
        points = "" if self.points is None else f"always asking the dearest model worth it for {self.points:g} points more"
        return ", ".join(
            part for part in ("" if self.right is None else f"a right answer worth {self.right:.3g}", points) if part
        )

    def resolve(self, forecast: Forecast) -> Value:
        """With `right` of this request, which `points` leave open."""
        if self.points is None:
            return self
        plain = forecast.plain_spend
        dearest, cheapest = float(plain.max()), float(plain.min())
        # Of models that cost the same none is the dearest; a further call is what can be saved.
        gap = dearest - cheapest if dearest > ALIKE * cheapest else dearest
        return replace(self, right=max(gap, 1e-300) * 100.0 / self.points)

    def observable(self, *, scored: bool, judged: bool) -> Value:
        """As of `Objective`."""
        return self if judged or not scored else replace(self, by_score=True)

    def rewards(self, forecast: Forecast) -> Array:
        """`V correct - spend` of each configuration, shape (K,)."""
        correct = np.where(forecast.scored, forecast.score, forecast.correct) if self.by_score else forecast.correct
        rewards: Array = self._right_for(forecast) * correct - forecast.spend
        return rewards

    def gains(self, forecast: Forecast) -> tuple[Array, Array]:
        """As of `Objective`."""
        right = np.full(len(forecast.correct), self._right_for(forecast))
        return (
            (np.where(forecast.scored, 0.0, right), right * forecast.scored) if self.by_score else (right, np.zeros_like(right))
        )

    def flips_at(self, choice: Expectation, other: Expectation) -> float | None:
        """What a right answer must be worth for both to be worth the same."""
        if self.right is None:
            return None
        # The bonus is so much of the value of a right answer.
        quality, other_quality = (each.correct + each.bonus / self.right for each in (choice, other))
        if quality == other_quality:
            return None
        right = (choice.spend - other.spend) / (quality - other_quality)
        return right if right > 0.0 else None

    def earned(self, correct: float, score: float | None, cost: float, spend: float) -> float:
        """`V correct - spend`.

        Raises:
            ConfigurationError: only points are known, which say what an answer is worth where a request is decided.
        """
        if self.right is None:
            raise ConfigurationError(
                f"what {self} makes of a right answer depends on the request; take the objective of its decision, or Value(right=...)"
            )
        return self.right * correct - spend

    def record(self) -> dict[str, Any]:
        """As of `Objective`."""
        return {name: value for name, value in (("right", self.right), ("points", self.points)) if value is not None}

    def _right_for(self, forecast: Forecast) -> float:
        right = self.right if self.right is not None else self.resolve(forecast).right
        assert right is not None
        return right


MODES = {
    "cost-sensitive": Weights(0.2, 0.2, 0.6),
    "balanced": Weights(0.4, 0.3, 0.3),
    "quality-first": Weights(0.5, 0.4, 0.1),
}


def objective(mode: str | Sequence[float] | Objective) -> Objective:
    """What a mode stands for.

    Args:
        mode: an objective, which stays as it is, or as of `weights`.

    Raises:
        ConfigurationError: none of these.

    Example:
        >>> objective("balanced"), objective(Value(right=0.02)).record()
        (Weights(correct=0.4, score=0.3, cost=0.3), {'right': 0.02})
    """
    return mode if isinstance(mode, Objective) else weights(mode)


def default_objective(*, priced: bool) -> Objective:
    """What is sought where nobody says: with prices that always asking the dearest model is worth `POINTS`; else "balanced".

    >>> default_objective(priced=True)
    Value(right=None, points=5.0, by_score=False)
    """
    return Value(points=POINTS) if priced else MODES["balanced"]


def objective_of_record(record: Mapping[str, Any]) -> Objective:
    """The objective that a `record` is of; settings of later versions are passed over.

    >>> objective_of_record(Value(points=5.0).record())
    Value(right=None, points=5.0, by_score=False)
    """
    if "weights" in record:
        return Weights(*map(float, record["weights"]))
    return Value(record.get("right"), record.get("points"))


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
