"""A verifier recalibrated from feedback: a monotone map from its scores to the share of answers that turned out right.

With few pairs a logistic curve is fitted (Platt, 1999, with his smoothed targets), with many a monotone function (isotonic regression).
Neither turns round which of two answers scores higher.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression, minimize
from scipy.special import expit

from uniscale_integrations.errors import ConfigurationError, StateError

MIN_PAIRS = 20
"""Pairs below which nothing is fitted."""

MIN_ISOTONIC_PAIRS = 200
"""Pairs from which on the map is isotonic."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A monotone map of [0, 1] into itself, linear between its knots.

    Attributes:
        scores: the knots, ascending.
        values: what each stands for, ascending.
        pairs: how many pairs it was fitted to.
        method: "platt" or "isotonic".

    Example:
        >>> always_sure = Calibration.fit([0.9] * 60 + [1.0] * 60, [0, 1] * 30 + [1] * 60)
        >>> round(always_sure(0.9), 1), always_sure(1.0) > 0.9
        (0.5, True)
    """

    scores: tuple[float, ...]
    values: tuple[float, ...]
    pairs: int
    method: Literal["platt", "isotonic"]

    def __call__(self, score: float) -> float:
        """The share of right answers among those with this score."""
        return float(np.interp(score, self.scores, self.values))

    @classmethod
    def fit(cls, scores: ArrayLike, correct: ArrayLike) -> Calibration:
        """The map that fits pairs best.

        Args:
            scores: of answers, in [0, 1], shape (n,).
            correct: how right each was, in [0, 1], shape (n,).

        Raises:
            ConfigurationError: fewer than `MIN_PAIRS` pairs, or numbers out of [0, 1].
        """
        x, y = _check_pairs(scores, correct)
        if len(x) < MIN_PAIRS:
            raise ConfigurationError(f"{len(x)} pairs are too few to calibrate a verifier; wait for {MIN_PAIRS}")
        return cls._platt(x, y) if len(x) < MIN_ISOTONIC_PAIRS else cls._isotonic(x, y)

    @classmethod
    def _platt(cls, x: Array, y: Array) -> Calibration:
        right, wrong = float(y.sum()), float(len(y) - y.sum())
        # One more of each kind than was seen, so that certainty is never learned from a few.
        soft_labels = y * (right + 1.0) / (right + 2.0) + (1.0 - y) / (wrong + 2.0)

        def loss(parameters: Array) -> float:
            margins = parameters[0] * x + parameters[1]
            return float((np.logaddexp(0.0, margins) - soft_labels * margins).sum())

        slope, offset = minimize(loss, np.array([1.0, 0.0]), bounds=[(0.0, None), (None, None)], method="L-BFGS-B").x
        knots = np.linspace(0.0, 1.0, 65)
        return cls(tuple(knots.tolist()), tuple(expit(slope * knots + offset).tolist()), len(x), "platt")

    @classmethod
    def _isotonic(cls, x: Array, y: Array) -> Calibration:
        knots, places, counts = np.unique(x, return_inverse=True, return_counts=True)
        means = np.bincount(places, weights=y) / counts
        values = isotonic_regression(means, weights=counts).x
        # Within a step only its ends are needed.
        inner = np.zeros(len(knots), dtype=bool)
        inner[1:-1] = (values[1:-1] == values[:-2]) & (values[1:-1] == values[2:])
        return cls(tuple(knots[~inner].tolist()), tuple(np.clip(values[~inner], 0.0, 1.0).tolist()), len(x), "isotonic")

    def body(self) -> dict[str, Any]:
        """As JSON-ready values; `of` reads them back."""
        return {"scores": list(self.scores), "values": list(self.values), "pairs": self.pairs, "method": self.method}

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Calibration:
        """What `body` gave.

        Raises:
            StateError: no monotone map.
        """
        scores, values = np.array(body["scores"], dtype=np.float64), np.array(body["values"], dtype=np.float64)
        sound = scores.shape == values.shape and scores.ndim == 1 and scores.size and np.isfinite([scores, values]).all()
        if not sound or (np.diff(scores) <= 0).any() or (np.diff(values) < 0).any() or values[0] < 0.0 or values[-1] > 1.0:
            raise StateError(f"a calibration must be ascending knots and ascending values in [0, 1], got {str(body)[:100]}")
        return cls(tuple(scores.tolist()), tuple(values.tolist()), int(body["pairs"]), body["method"])


@dataclass(frozen=True, slots=True)
class Reliability:
    """Answers whose scores are alike.

    Attributes:
        score: their mean score.
        right: the share of them that was right.
        count: how many there are.
    """

    score: float
    right: float
    count: int


def reliability(scores: ArrayLike, correct: ArrayLike, bins: int = 10) -> list[Reliability]:
    """The reliability curve: the share of right answers by score, in equal parts of [0, 1]; parts without answers are left out."""
    x, y = _check_pairs(scores, correct)
    part = np.minimum((x * bins).astype(np.int64), bins - 1)
    return [
        Reliability(float(x[part == each].mean()), float(y[part == each].mean()), int((part == each).sum()))
        for each in np.unique(part)
    ]


def brier(scores: ArrayLike, correct: ArrayLike) -> float:
    """The Brier score: mean squared difference between score and correctness; 0 is best."""
    x, y = _check_pairs(scores, correct)
    return float(np.square(x - y).mean())


def held_out(scores: Sequence[float], correct: Sequence[float], folds: int = 5) -> list[float] | None:
    """Scores as maps give them that were fitted to the other pairs only; `None` where those are too few.

    Fit and test on the same pairs would flatter the map.
    """
    x, y = _check_pairs(scores, correct)
    if len(x) - (len(x) + folds - 1) // folds < MIN_PAIRS:
        return None
    result = np.empty(len(x))
    for fold in range(folds):
        held = np.arange(len(x)) % folds == fold
        calibration = Calibration.fit(x[~held], y[~held])
        result[held] = [calibration(score) for score in x[held]]
    return result.tolist()


def _check_pairs(scores: ArrayLike, correct: ArrayLike) -> tuple[Array, Array]:
    x, y = np.asarray(scores, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ConfigurationError(f"scores and correctness must be as many as each other, got the shapes {x.shape} and {y.shape}")
    for name, values in (("score", x), ("correctness", y)):
        invalid = values[~((values >= 0.0) & (values <= 1.0))]
        if len(invalid):
            raise ConfigurationError(f"a {name} must be a number in [0, 1], got {invalid[0]!r}")
    return x, y
