"""What a verifier's score says of an answer: half of what it seems to, until judged answers show more or less."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import numpy as np

from uniscale_integrations.errors import StateError
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.policy import State
from uniscale_integrations.policy.ridge import Surprise
from uniscale_integrations.rounds.context import SCORE, USUAL_SCORE, score_features
from uniscale_integrations.rounds.layout import Layout

FIRST_BELIEF = 0.5
"""How much of a score is believed before any answer was judged: 1 takes it for the probability of being right, 0 learns nothing from it."""

LEVEL = 0.3
"""Factor of the prior precision of how right a configuration's answers are on average, of which no hope is to be kept up here."""


class Trust:
    """Learns from judged answers how right one is, given its score: `c^ = clip(usual + belief (s - usual) + residual, 0, 1)`.

    The residual is a ridge regression on the question and what `score_features` says with every configuration, so that a score may mean one
    thing of a small model and another of a large one, and need not be a probability. It explores nothing. There is one for each verifier,
    whose scores it is of.

    Args:
        arms: the configurations.
        hope: what is expected of an answer of each that has no score, shape (K,).
        belief: how much of a score is believed beforehand, in [0, 1].

    Attributes:
        precision: prior precisions of the coefficients, shape (d,).

    Example:
        >>> from uniscale_integrations.policy.schema import FeatureSchema
        >>> from uniscale_integrations.space import Configuration
        >>> arms = Arms.of([Configuration("small"), Configuration("large")], FeatureSchema(("bias",)), [0.0, 0.5])
        >>> trust, question = Trust(arms, np.full(2, 0.85)), np.ones(1)
        >>> round(trust(0, question, 0.1), 2)
        0.4
        >>> for _ in range(200):
        ...     _ = trust.observe(0, question, 0.1, correct=0.0)
        ...     _ = trust.observe(0, question, 0.99, correct=1.0)
        >>> trust(0, question, 0.1) < 0.05 < 0.95 < trust(0, question, 0.99)
        True
    """

    def __init__(self, arms: Arms, hope: Array, belief: float = FIRST_BELIEF) -> None:
        layout = Layout.of(arms, len(SCORE), LEVEL)
        self._products, self._hope, self._belief = layout.products, hope, belief
        self.precision = layout.precision
        self._head = self._products.regression(1, layout.precision)

    def __call__(self, action: int, query: Array, score: float | None) -> float:
        """`c^` of an answer, in [0, 1].

        Args:
            action: the configuration that gave it.
            query: features of the question, centred, shape (n,).
            score: the verifier's; `None` where nothing scored it.
        """
        features = self._products.features(action, self._beside(query, score))
        return min(1.0, max(0.0, self._expected(action, score) + float(self._head.theta[0] @ features)))

    def observe(
        self,
        action: int,
        query: Array,
        score: float | None,
        correct: float,
        weight: float = 1.0,
        previous: float | None = None,
    ) -> Surprise | None:
        """Learn how right an answer was; returns how that differed from what was expected, `None` of what was judged before.

        Args:
            action: the configuration that gave it.
            query: features of the question, centred, shape (n,).
            score: the verifier's; `None` where nothing scored it.
            correct: in [0, 1].
            weight: what it counts, in (0, 1].
            previous: what was learned before, as of `Policy.feedback`.
        """
        beside = self._beside(query, score)
        if previous is not None and previous != correct:
            self._head.revise(self._products.features(action, beside), np.array([correct - previous]), weight)
            return None
        scale, value = sqrt(weight), correct - self._expected(action, score)
        errors, leverage = self._head.observe(scale * self._products.features(action, beside), np.array([scale * value]))
        return Surprise(errors / scale, leverage) if previous is None else None

    def forget(self, share: float) -> None:
        """Keep of the weight of all judgements only a share, in (0, 1]."""
        self._head.forget(share)

    def state(self) -> dict[str, Array]:
        """Everything that was learned, as arrays."""
        return self._head.state()

    def load(self, state: State | Mapping[str, Array]) -> None:
        """Take over what `state` gave.

        Raises:
            StateError: arrays that are missing or do not fit these configurations.
        """
        head = self._products.regression_from(state)
        if (head.dim, head.targets) != (self._products.dim, 1):
            raise StateError(f"trust in a score has {head.dim} coefficients, these configurations need {self._products.dim}")
        self._head = head

    def _expected(self, action: int, score: float | None) -> float:
        """Before anything was judged."""
        return float(self._hope[action]) if score is None else USUAL_SCORE + self._belief * (score - USUAL_SCORE)

    def _beside(self, query: Array, score: float | None) -> Array:
        return np.concatenate([query, np.zeros(len(SCORE)) if score is None else score_features(score)])
