"""What is hoped for of a further attempt before anything was learned of it, and what an episode costs with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uniscale_integrations.policy.amounts import Amounts
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.default_policy import LEAST_SHARE
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.policy import Context, Mask


@dataclass(frozen=True, slots=True)
class Hope:
    """What is believed of rounds beforehand.

    Attributes:
        optimism: correctness and score expected of a configuration nothing is known of.
        rise: how much more is hoped for with every doubling of the paths that a search samples, up to 1.
        gap: how much of what an answer lacks a further one is hoped to bring.
    """

    optimism: float = 0.85
    rise: float = 0.02
    gap: float = 0.6

    def single(self, arms: Arms) -> Array:
        """Of one answer of each configuration, shape (K,)."""
        return np.minimum(1.0, self.optimism + self.rise * arms.doublings)

    def first(self, single: Array) -> Array:
        """Of an episode that begins with each, correctness and score, shape (2, K): what lacks, a second one may bring."""
        hope = single + self.gap * (1.0 - single)
        return np.stack([hope, hope])

    def again(self, belief: float, ceiling: float, score: float, count: int) -> Array:
        """Of an episode that goes on with each, likewise.

        Args:
            belief: `c^` of the kept answer.
            ceiling: what it would be at a score of 1, beyond which no better score can raise it.
            score: of the kept answer.
            count: K.
        """
        return np.array([[belief + self.gap * max(ceiling - belief, 0.0)], [score + self.gap * (1.0 - score)]]).repeat(count, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """What attempts at a request are expected to cost.

    Attributes:
        single: one of each configuration, in dollars or eFLOPs, shape (K,).
        plain: one plain call of each one's model, likewise.
        eligible: which of them tell the ends of the scale of `C~`, shape (K,).
    """

    arms: Arms
    single: Array
    plain: Array
    eligible: Mask

    @classmethod
    def of(cls, arms: Arms, amounts: Amounts, query: Array, request: Context, eligible: Mask) -> Prices:
        """As they are learned so far, for a question with centred features."""
        single, steady = amounts.spend_and_steady(query, request)
        if request.extra_costs is not None:
            single = np.maximum(single + request.extra_costs, LEAST_SHARE * single)
        is_plain = arms.plain
        plain = np.where(is_plain, steady, steady[is_plain].min()) if is_plain.any() else steady / arms.rates.paths
        return cls(arms, single, plain, eligible)

    def positions(self, spends: Array) -> Array:
        """`C~` of some costs, shape (n,); beyond 1 of what costs more than the dearest attempt."""
        rates = self.arms.rates
        ends = np.concatenate([self.eligible, np.zeros(len(spends), dtype=np.bool_)])
        return rates.positions(np.concatenate([self.single, spends]), ends)[len(self.single) :]

    def first(self, spent: float, hope: Array) -> tuple[Array, Array]:
        """`C~` and cost of an episode that begins with each configuration, with a second attempt at the median price if it is needed.

        Args:
            spent: by attempts that have failed.
            hope: that none is needed, shape (K,).
        """
        median = float(np.median(self.single[self.eligible])) if self.eligible.any() else 0.0
        once = spent + self.single
        position = hope * self.positions(once) + (1.0 - hope) * self.positions(once + median)
        return position, once + (1.0 - hope) * median

    def again(self, spent: float) -> tuple[Array, Array]:
        """`C~` and cost of an episode that goes on with each configuration, and of one that stops, shape (K + 1,) each."""
        spends = np.append(spent + self.single, spent)
        return self.positions(spends), spends
