"""Thompson sampling over the ridge heads of LinUCB: a policy of one's own, as short as one can be."""

from __future__ import annotations

import numpy as np
from scipy.special import log_ndtr

from uniscale_integrations.policy.default_policy import LinUCBPolicy
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.policy import Assessment, Choice

NODES, HEIGHTS = np.polynomial.legendre.leggauss(8)
FAR, TURNS = 7.0, np.linspace(-4.0, 4.0, 9)
"""Standard deviations within which a draw is looked for, and at which the chance of another one to be below it turns."""


class ThompsonSampling(LinUCBPolicy):
    """Draws the reward of every configuration from what is believed of it, and takes the greatest (Thompson, 1933).

    It believes what `LinUCBPolicy` does, whose bonus is the standard deviation that it draws with. Its propensities are those of the draw,
    so that a log of its decisions can be used to judge other policies.

    Example:
        >>> from uniscale_integrations.policy.arms import Arms
        >>> from uniscale_integrations.policy.policy import Context
        >>> from uniscale_integrations.policy.objective import Weights
        >>> from uniscale_integrations.policy.schema import FeatureSchema
        >>> from uniscale_integrations.space import Configuration
        >>> arms = Arms.of([Configuration("small"), Configuration("large")], FeatureSchema(("bias",)), [0.5, 0.5])
        >>> policy = ThompsonSampling(arms)
        >>> assessment = policy.assess(Context(np.ones(1)), Weights(0.4, 0.3, 0.3), np.array([True, True]))
        >>> round(policy.choose(assessment, np.random.default_rng(0)).propensity, 3)
        0.5
    """

    @property
    def name(self) -> str:
        return f"thompson {self.settings!r}"

    def choose(self, assessment: Assessment, rng: np.random.Generator) -> Choice:
        """A configuration, with the probability that its draw is the greatest."""
        arms = np.flatnonzero(assessment.eligible)
        means, spreads = assessment.reward[arms], np.maximum(assessment.bonus[arms], 1e-9)
        draw = int((means + spreads * rng.standard_normal(len(arms))).argmax())
        return Choice(int(arms[draw]), greatest(means, spreads, draw))


def greatest(means: Array, spreads: Array, arm: int) -> float:
    """The probability that one of several independent normal draws is the greatest: Gauss and Legendre, between where any of them turns."""
    low, high = means[arm] - FAR * spreads[arm], means[arm] + FAR * spreads[arm]
    turns = (means[:, None] + spreads[:, None] * TURNS).ravel()
    ends = np.unique(np.concatenate([[low, high], turns[(turns > low) & (turns < high)]]))
    half = np.diff(ends) / 2.0
    points = ((ends[:-1] + ends[1:]) / 2.0)[:, None] + half[:, None] * NODES
    below = log_ndtr((points[..., None] - means) / spreads)
    below[..., arm] = -0.5 * np.square((points - means[arm]) / spreads[arm])
    probability = half @ np.exp(below.sum(axis=-1)) @ HEIGHTS / (np.sqrt(2.0 * np.pi) * spreads[arm])
    return float(np.clip(probability, 1e-9, 1.0))
