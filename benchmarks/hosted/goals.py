"""What an application can ask of its requests together, and the cheapest mix of configurations that gives it in hindsight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.hosted.kind import Kind
from benchmarks.hosted.sampling import Floats, vote_expectation
from benchmarks.hosted.traffic import Traffic
from uniscale_integrations.policy.targets import AtLeast, Within

MIDDLE = "middle"
"""Halfway between the cheapest plain sample and the configuration that is right most often, of a kind."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A share of right answers at the least cost, or as many right answers as a mean cost allows.

    Attributes:
        name: "at-least=0.8", "within=0.002", or either with "=middle".
        asks: "at-least" or "within".
        amount: the share, or USD a request; `None` for the middle of a kind.

    Example:
        >>> Goal.of("at-least=0.8").amount, Goal.of("within=middle").amount, Goal.of("balanced")
        (0.8, None, None)
    """

    name: str
    asks: str
    amount: float | None

    @classmethod
    def of(cls, name: str) -> Goal | None:
        """By its name; `None` where it names an objective of single requests."""
        asks, _, amount = name.partition("=")
        if asks not in ("at-least", "within"):
            return None
        return cls(name, asks, None if amount == MIDDLE else float(amount))

    def target(self, kind: Kind, traffic: Traffic) -> AtLeast | Within:
        """What the policy is asked for on a traffic."""
        amount = self._middle(kind, traffic) if self.amount is None else self.amount
        return AtLeast(amount) if self.asks == "at-least" else Within(amount)

    def _middle(self, kind: Kind, traffic: Traffic) -> float:
        always = traffic.available.all(axis=0)
        accuracy = np.where(always, expected_correct(kind, traffic).mean(axis=0), -np.inf)
        dollars = np.where(always, traffic.expected_dollars.mean(axis=0), np.inf)
        best, cheapest = int(accuracy.argmax()), int(dollars.argmin())
        column = accuracy if self.asks == "at-least" else dollars
        return float((column[best] + column[cheapest]) / 2.0)


def expected_correct(kind: Kind, traffic: Traffic) -> Floats:
    """How often each configuration is right on each request's topic where it answers, by true skills, shape (T, K)."""
    models = [kind.models[model] for model in traffic.model_of.tolist()]
    by_topic = [
        [
            vote_expectation(model.right_on(topic), model.consistency, paths)[0]
            for model, paths in zip(models, traffic.paths.tolist(), strict=True)
        ]
        for topic in traffic.topics
    ]
    shares: Floats = np.array(by_topic)[traffic.topic]
    return shares


def cheapest_mix(correct: Floats, dollars: Floats, target: AtLeast | Within) -> tuple[float, float]:
    """Mean accuracy and dollars of the mix that is best for a target, of those that know what is expected of each request.

    It is the solution of the linear program in which each request may be divided between configurations: `argmax V correct - dollars` with
    one value of a right answer for all requests. Where a target is out of reach it is the mix that comes closest.

    Args:
        correct: expected of each configuration on each request, -inf of those that are not there, shape (T, K).
        dollars: likewise, shape (T, K).
        target: what is asked for.

    Example:
        >>> accuracy, dollars = cheapest_mix(np.array([[0.6, 0.9]] * 3), np.array([[1.0, 4.0]] * 3), AtLeast(0.75))
        >>> round(accuracy, 3), round(dollars, 3)
        (0.75, 2.5)
    """
    low, high = (_mix(correct, dollars, value) for value in (0.0, 1e6))
    column, goal = (0, target.accuracy) if isinstance(target, AtLeast) else (1, target.mean_cost)
    if goal <= low[column] or goal >= high[column]:
        return low if goal <= low[column] else high
    least, most = 1e-9, 1e6
    for _ in range(100):
        value = (least * most) ** 0.5
        if (mix := _mix(correct, dollars, value))[column] < goal:
            least, low = value, mix
        else:
            most, high = value, mix
    share = (goal - low[column]) / (high[column] - low[column])
    accuracy, cost = ((1.0 - share) * a + share * b for a, b in zip(low, high, strict=True))
    return accuracy, cost


def _mix(correct: Floats, dollars: Floats, value: float) -> tuple[float, float]:
    here = np.isfinite(correct)
    worth = np.where(here, value * np.where(here, correct, 0.0) - dollars, -np.inf)
    rows, choices = np.arange(len(correct)), worth.argmax(axis=1)
    return float(correct[rows, choices].mean()), float(dollars[rows, choices].mean())
