"""What an answer is worth, by true correctness and cost: what a policy is measured by, whatever it believes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.hosted.kind import Kind
from benchmarks.hosted.sampling import Floats, vote_expectation
from benchmarks.hosted.traffic import Traffic
from uniscale_integrations.policy.objective import MODES, Weights

LEAST_SPAN = np.log(100.0)
"""Least extent of the scale of `C~`, so that prices a tenth apart are no whole scale apart."""

OBJECTIVES = ("balanced", "quality-first", "cost-sensitive", "value=0.01", "value=0.001", "points=5")
"""Those that are played by default, by name."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What an answer is worth.

    Attributes:
        name: "balanced" and the like, "value=V", or "points=P".
        weights: of correctness, score and `1 - C~`; `None` where it is a value less dollars.
        right: USD that a right answer is worth.
        points: for a value such that always asking the dearest model pays where it is right on so many more of 100.

    Example:
        >>> Objective.of("value=0.01").right, Objective.of("points=5").points, Objective.of("balanced").weights
        (0.01, 5.0, Weights(correct=0.4, score=0.3, cost=0.3))
    """

    name: str
    weights: Weights | None = None
    right: float | None = None
    points: float | None = None

    @classmethod
    def of(cls, name: str) -> Objective:
        """By its name.

        Raises:
            ValueError: no such objective.
        """
        if name in MODES:
            return cls(name, weights=MODES[name])
        kind, _, number = name.partition("=")
        if kind in ("value", "points"):
            amount = float(number)
            return cls(name, right=amount) if kind == "value" else cls(name, points=amount)
        raise ValueError(f"no objective {name!r}; there are {', '.join(MODES)}, value=USD and points=NUMBER")

    def values(self, traffic: Traffic) -> Floats:
        """USD that a right answer to each request is worth, shape (T,); 1 of weights, whose rewards have no unit."""
        if self.weights is not None:
            return np.ones(len(traffic))
        if self.right is not None:
            return np.full(len(traffic), self.right)
        plain = np.where(traffic.available & (traffic.paths == 1), traffic.expected_dollars, np.nan)
        value: Floats = (np.nanmax(plain, axis=1) - np.nanmin(plain, axis=1)) / ((self.points or 0.0) / 100.0)
        return value

    def rewards(self, traffic: Traffic) -> Floats:
        """Of every configuration's answer to every request, 0 where there is none, shape (T, K)."""
        rewards = self.of_answers(traffic, traffic.correct, traffic.score, traffic.dollars)
        return np.where(traffic.failed, 0.0, rewards)

    def expected(self, kind: Kind, traffic: Traffic) -> Floats:
        """What these rewards are on average over everything that is random but the questions, shape (T, K)."""
        models = [kind.models[model] for model in traffic.model_of.tolist()]
        votes = [
            [
                vote_expectation(model.right_on(topic), model.consistency, paths)
                for model, paths in zip(models, traffic.paths.tolist(), strict=True)
            ]
            for topic in traffic.topics
        ]
        accuracy, score = np.moveaxis(np.array(votes)[traffic.topic], -1, 0)
        score = np.where(traffic.paths > 1, score, np.nan)
        served = 1.0 - np.array([model.failure_rate for model in models])
        return served * self.of_answers(traffic, accuracy, score, traffic.expected_dollars)

    def of_answers(self, traffic: Traffic, correct: Floats, score: Floats, dollars: Floats) -> Floats:
        """Of some answers to every request.

        Args:
            traffic: the requests.
            correct: whether they are right, shape (T, n).
            score: NaN where there is none, shape (T, n).
            dollars: what they cost, above 0, shape (T, n).

        Returns:
            shape (T, n).
        """
        if self.weights is None:
            return self.values(traffic)[:, None] * correct - dollars
        cheapness = 1.0 - positions(traffic, dollars)
        unscored = self.weights.without(score=True)
        with_score = self.weights.correct * correct + self.weights.score * np.nan_to_num(score) + self.weights.cost * cheapness
        return np.where(np.isnan(score), unscored.correct * correct + unscored.cost * cheapness, with_score)


def positions(traffic: Traffic, dollars: Floats) -> Floats:
    """`C~` of costs: on a log scale from the cheapest of a request's configurations, as wide as to the dearest, not clipped.

    Returns:
        the shape of the costs, (T, n).
    """
    expected = np.where(traffic.available, traffic.expected_dollars, np.nan)
    cheapest = np.log(np.nanmin(expected, axis=1))[:, None]
    span = np.maximum(np.log(np.nanmax(expected, axis=1))[:, None] - cheapest, LEAST_SPAN)
    # What failed cost nothing, and is no answer either.
    place: Floats = (np.log(np.where(dollars > 0, dollars, np.exp(cheapest))) - cheapest) / span
    return place
