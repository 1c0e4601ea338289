"""How often each of several judges is right, told from where they agree (Dawid and Skene 1979), with Beta priors.

An answer is right or wrong. A rater calls right ones right with its sensitivity, and wrong ones wrong with its specificity, whatever the
others say. Given who said what of how many answers of which configuration, expectation maximisation finds both of every rater and the
share of right answers of every configuration. With two raters it is the configurations' different shares that tell which of the two errs
(Hui and Walter 1980), as far as the priors leave that open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.policy.kernels import Array

Pattern = tuple[str, tuple[tuple[str, int], ...]]
"""A configuration, and which raters called its answer right (1) or wrong (0)."""

PRIOR = (9.0, 1.0)
"""Answers of each kind, right ones and wrong ones, that a rater is believed to have called what they are, and what they are not."""

RATE_STRENGTH = 4.0
"""Answers for which the share of right ones of all configurations counts in that of one."""

MAX_STEPS, TOLERANCE = 200, 1e-6

MIN_WEIGHT = 0.01
"""What a judgement counts that tells nothing: a policy takes weights above 0."""


@dataclass(frozen=True, slots=True)
class Confusions:
    """What is known of raters and configurations.

    Attributes:
        raters: sensitivity and specificity of each rater.
        rates: the share of right answers of each configuration.
        rate: that of all of them.

    Example:
        >>> found = Confusions({"thumbs": (0.6, 1.0)}, {}, 0.8)
        >>> [round(found.worth("thumbs", "small", says), 3) for says in (1.0, 0.0)]
        [1.0, 0.231]
        >>> round(found.posterior({"thumbs": 0.0}, "small"), 3)
        0.615
    """

    raters: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    rate: float = 0.5

    def worth(self, rater: str, configuration: str, says: float) -> float:
        """What a judgement counts, so that right and wrong ones together have the share of right answers that is estimated.

        It is importance reweighting for labels with noise (Liu and Tao, arXiv 1411.7718): `r J / P(says right)` of a right one and
        `(1 - r) J / P(says wrong)` of a wrong one, where `r` is the configuration's share of right answers and `J` is sensitivity +
        specificity - 1, which is 0 of a rater that knows nothing.

        Args:
            rater: who says so.
            configuration: of the answer.
            says: how right, in [0, 1].
        """
        sensitivity, specificity = self.raters[rater]
        rate, informed = self.rates.get(configuration, self.rate), sensitivity + specificity - 1.0
        right = rate * sensitivity + (1.0 - rate) * (1.0 - specificity)
        weight = says * rate * informed / right + (1.0 - says) * (1.0 - rate) * informed / (1.0 - right)
        return min(1.0, max(MIN_WEIGHT, weight))

    def worth_of_silence(self, rater: str, configuration: str, *, right: bool) -> float:
        """What silence counts as a right answer, or as a wrong one, so that with what was said of others the share of right ones is `rate`.

        Where complaints come of a share `p` of the wrong answers, silent ones count as much as a share `p` of the right answers; where
        judgements come of right and wrong ones alike, silence tells nothing.

        Args:
            rater: the silence of a source, with how often right answers have it for sensitivity, and how often wrong ones have it not.
            configuration: of the answer.
            right: what it counts as.
        """
        sensitivity, specificity = self.raters[rater]
        rate, informed = self.rates.get(configuration, self.rate), sensitivity + specificity - 1.0
        silent = rate * sensitivity + (1.0 - rate) * (1.0 - specificity)
        weight = rate * informed / silent if right else -(1.0 - rate) * informed / silent
        return min(1.0, max(MIN_WEIGHT, weight))

    def reliability(self, raters: Mapping[str, float], configuration: str) -> float:
        """How much of the truth some raters tell together, in (0, 1]: the squared correlation of what each says with it, joined."""
        rate, missing = self.rates.get(configuration, self.rate), 1.0
        for rater in raters:
            sensitivity, specificity = self.raters[rater]
            right = rate * sensitivity + (1.0 - rate) * (1.0 - specificity)
            informed = max(0.0, sensitivity + specificity - 1.0)
            missing *= 1.0 - min(1.0, rate * (1.0 - rate) * informed**2 / (right * (1.0 - right)))
        return max(MIN_WEIGHT, 1.0 - missing)

    def posterior(self, says: Mapping[str, float], configuration: str, weights: Mapping[str, float] | None = None) -> float:
        """How likely an answer is right, given what raters say of it; what is between right and wrong is a mixture of both.

        Args:
            says: how right each rater says it is, in [0, 1].
            configuration: of the answer.
            weights: of raters, exponents of what they say; 1 by default.
        """
        rate = self.rates.get(configuration, self.rate)
        total = 0.0
        for pattern, share in hard(says).items():
            right, wrong = rate, 1.0 - rate
            for rater, bit in pattern:
                (sensitivity, specificity), weight = self.raters[rater], (weights or {}).get(rater, 1.0)
                right *= (sensitivity if bit else 1.0 - sensitivity) ** weight
                wrong *= (1.0 - specificity if bit else specificity) ** weight
            total += share * right / (right + wrong)
        return min(1.0, total)

    def record(self) -> list[Any]:
        """For `restore`, JSON-ready."""
        return [{rater: list(each) for rater, each in self.raters.items()}, dict(self.rates), self.rate]

    @classmethod
    def restore(cls, record: list[Any]) -> Self:
        """What `record` gave."""
        raters, rates, rate = record
        return cls({rater: (sensitivity, specificity) for rater, (sensitivity, specificity) in raters.items()}, rates, rate)


def hard(says: Mapping[str, float]) -> dict[tuple[tuple[str, int], ...], float]:
    """What raters say, as a mixture of patterns of right and wrong; shares sum to 1.

    Example:
        >>> hard({"judge": 0.75, "thumbs": 1.0})
        {(('judge', 0), ('thumbs', 1)): 0.25, (('judge', 1), ('thumbs', 1)): 0.75}
    """
    patterns: dict[tuple[tuple[str, int], ...], float] = {(): 1.0}
    for rater, value in sorted(says.items()):
        parts = [(bit, share) for bit, share in ((0, 1.0 - value), (1, value)) if share > 0.0]
        patterns = {(*pattern, (rater, bit)): own * share for pattern, own in patterns.items() for bit, share in parts}
    return patterns


def fit(
    counts: Mapping[Pattern, float],
    weights: Mapping[str, float] | None = None,
    priors: Mapping[str, tuple[float, float]] | None = None,
) -> Confusions:
    """The raters' sensitivities and specificities and the configurations' shares of right answers, by expectation maximisation.

    Args:
        counts: how often each pattern was seen.
        weights: of raters, exponents of what they say; 1 by default.
        priors: of raters; `PRIOR` by default.

    Example:
        >>> counts = {("small", (("a", 1), ("b", 1), ("c", 1))): 50, ("small", (("a", 0), ("b", 1), ("c", 1))): 30}
        >>> counts[("small", (("a", 0), ("b", 0), ("c", 0)))] = 20
        >>> found = fit(counts)
        >>> [round(sensitivity, 1) for sensitivity, _ in found.raters.values()]
        [0.7, 1.0, 1.0]
    """
    seen = sorted((pattern, count) for pattern, count in counts.items() if count > 0.0)
    raters = sorted({rater for (_, says), _ in seen for rater, _ in says})
    names = sorted({configuration for (configuration, _), _ in seen})
    place = {name: number for number, name in enumerate(names)}
    column = {rater: number for number, rater in enumerate(raters)}
    number, configuration = np.array([count for _, count in seen]), np.array([place[each] for (each, _), _ in seen])
    right, wrong = np.zeros((len(seen), len(raters))), np.zeros((len(seen), len(raters)))
    for row, ((_, says), _) in enumerate(seen):
        for rater, bit in says:
            (right if bit else wrong)[row, column[rater]] = 1.0
    exponent = np.array([(weights or {}).get(rater, 1.0) for rater in raters])
    prior = np.array([(priors or {}).get(rater, PRIOR) for rater in raters]).T
    chances, rates, rate = _maximise(number, configuration, right, wrong, exponent, prior, len(names))
    found = {rater: (float(chances[0, place]), float(chances[1, place])) for rater, place in column.items()}
    return Confusions(found, dict(zip(names, rates.tolist(), strict=True)), rate)


def _maximise(
    number: Array,
    configuration: NDArray[np.int64],
    right: Array,
    wrong: Array,
    exponent: Array,
    prior: Array,
    configurations: int,
) -> tuple[Array, Array, float]:
    """Sensitivities and specificities, shape (2, S), and rates, shape (C,), from P patterns.

    Args:
        number: of answers with each pattern, shape (P,).
        configuration: of each pattern, shape (P,).
        right: 1 where a rater says right, shape (P, S).
        wrong: 1 where it says wrong, shape (P, S).
        exponent: of raters, shape (S,).
        prior: answers that a rater is believed to have told aright and wrongly, shape (2, S).
        configurations: C.
    """
    strength = prior.sum(axis=0)
    chances = np.tile(prior[0] / strength, (2, 1))
    total: Array = np.bincount(configuration, number, configurations).astype(np.float64)
    said = (right + wrong).sum(axis=1)
    truth = np.divide(right.sum(axis=1), said, out=np.full(len(number), 0.5), where=said > 0)
    rates, rate = _rates(number * truth, configuration, total)
    for _ in range(MAX_STEPS):
        sensitivity, specificity = chances
        log_right = np.log(rates)[configuration] + (
            exponent * (right * np.log(sensitivity) + wrong * np.log1p(-sensitivity))
        ).sum(1)
        log_wrong = np.log1p(-rates)[configuration] + (
            exponent * (right * np.log1p(-specificity) + wrong * np.log(specificity))
        ).sum(1)
        truth = 1.0 / (1.0 + np.exp(np.clip(log_wrong - log_right, -500.0, 500.0)))
        rates, rate = _rates(number * truth, configuration, total)
        shares = np.stack([number * truth, number * (1.0 - truth)])
        agreed = np.stack([(shares[0][:, None] * right).sum(0), (shares[1][:, None] * wrong).sum(0)])
        all_said = np.stack([(share[:, None] * (right + wrong)).sum(0) for share in shares])
        before, chances = chances, (agreed + prior[0]) / (all_said + strength)
        if np.abs(chances - before).max() < TOLERANCE:
            break
    return chances, rates, rate


def _rates(right: Array, configuration: NDArray[np.int64], total: Array) -> tuple[Array, float]:
    rate = float((right.sum() + 1.0) / (total.sum() + 2.0))
    rates: Array = (np.bincount(configuration, right, len(total)) + RATE_STRENGTH * rate) / (total + RATE_STRENGTH)
    return rates, rate
