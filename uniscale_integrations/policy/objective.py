"""What counts: weights, `r = w1 correct + w2 score + w3 (1 - cost)` (UniScale, arXiv 2605.30898), or the value of a right answer.

Weights say how much a component counts on scales that have no unit; what they trade, a point of accuracy for which part of the price,
depends on how far the prices lie apart. `Value` says it in money: `r = V correct - spend`. Both are linear in what the same heads
expect, so that a request may bring another objective without anything being learned anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from uniscale_integrations.policy.forecast import Expectation, Forecast
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.value import POINTS, Value
from uniscale_integrations.policy.weights import COMPONENTS, MODES, Weights, weights

__all__ = [
    "COMPONENTS",
    "MODES",
    "POINTS",
    "Expectation",
    "Forecast",
    "Objective",
    "Value",
    "Weights",
    "default_objective",
    "objective",
    "objective_of_record",
    "weights",
]


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
