"""By how much what a model expects of a log's answers was wrong, weighed by how likely each answer was to be seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.policy.kernels import Array

MIN_PROPENSITY = 0.05
"""Least probability that an answer is weighed by, so that no single one decides an estimate."""


@dataclass(frozen=True, slots=True, eq=False)
class OffPolicy:
    """What stands in for answers that nobody saw.

    Attributes:
        actions: what was chosen, shape (T,).
        model: correctness, score, `C~` and cost that the model expects of what was chosen, shape (4, T).
        weights: what is added of the difference to that beyond the answer itself, shape (T,): `1 / p - 1`, and 0 where nothing was drawn
            or judged.
        learned: correctness as policies see it, shape (T, K): what was said of the answer, and elsewhere draws at the model's odds, which
            are as hard to learn from as answers are.
    """

    actions: NDArray[np.int64]
    model: Array
    weights: Array
    learned: Array

    def correct(self, queries: NDArray[np.int64], values: Array, expected: Array) -> Array:
        """Add to what is estimated of every configuration what the model was wrong by, shape (T, K).

        Args:
            queries: the logged decision that each decision of the stream is, shape (T,).
            values: as the log has them, or by the model where it has none, shape (T, K).
            expected: by the model, of what the log has, shape (T,) in the order of the log.
        """
        result, rows, actions = values.copy(), np.arange(len(queries)), self.actions[queries]
        result[rows, actions] += self.weights[queries] * (values[rows, actions] - expected[queries])
        return result
