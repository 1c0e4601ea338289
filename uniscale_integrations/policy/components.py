"""Two ridge heads over the same features, correctness and score; a request's objective makes them one reward.

Each has its own `A`, which grows only where it was observed: the score's where something scored the answer, that of correctness when
feedback comes. With everything observed both are the same, and the weighted heads are the scalar LinUCB of the paper. What answers cost is
learned apart from them, in `amounts`, since it follows from prices that are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from uniscale_integrations.errors import StateError
from uniscale_integrations.policy.heads import head_of
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.product import Products
from uniscale_integrations.policy.ridge import RidgeRegression, Surprise


class Components:
    """What is expected of every action on a query, component by component.

    Args:
        products: actions and length of a query.
        prior: expected components of every action before anything was observed, shape (2, K): correctness and score.
        ridge: prior precision of the coefficients: one number, or one per feature, shape (d,).
        discount: of all earlier observations at each new one.
        centre: coefficients of correctness, shape (d,), that the ridge pulls towards in place of 0. What is expected is then
            `theta + A^-1 ridge centre`, so that no observation depends on it: it may change, and what was learned stays right.

    Attributes:
        correctness_head: the head of correctness.
        score_head: the head of the score.
        feedback: how often correctness was observed.
    """

    def __init__(
        self,
        products: Products,
        prior: Array,
        ridge: float | ArrayLike = 1.0,
        discount: float = 1.0,
        centre: Array | None = None,
    ) -> None:
        self.products = products
        self.prior = np.array(prior, dtype=np.float64)
        self.correctness_head = products.regression(1, ridge, discount)
        self.score_head = products.regression(1, ridge, discount)
        self.feedback = 0
        self._centre = None if centre is None or not centre.any() else centre
        # What the ridge makes of its centre, until the next judgement.
        self._pulled: Array | None = None

    @property
    def correctness(self) -> Array:
        """Coefficients of correctness with what the centre of the ridge makes of them, shape (1, d)."""
        theta, pull = self.correctness_head.theta, self._pull
        return theta if pull is None else theta + pull

    def common(self, query: Array) -> float:
        """What is expected to make all configurations alike right or wrong on a query."""
        common, pull = float(self.correctness_head.first(len(query))[0] @ query), self._pull
        return common if pull is None else common + float(pull[: len(query)] @ query)

    @property
    def _pull(self) -> Array | None:
        """`A^-1 ridge centre`, shape (d,), computed when it is first looked at after a judgement; `None` without a centre."""
        if self._pulled is None and self._centre is not None:
            self._pulled = self.correctness_head.solve(self.correctness_head.ridge * self._centre)
        return self._pulled

    def means(self, query: Array) -> Array:
        """Expected correctness and score, shape (2, K)."""
        if self.products.blocks is None:
            theta = np.concatenate([self.correctness, self.score_head.theta])
            return self.prior + self.products.means(theta, query)
        heads = [self.products.expect(head, query) for head in (self.correctness_head, self.score_head)]
        expected: Array = self.prior + np.concatenate(heads)
        if (pull := self._pull) is not None:
            expected[0] += self.products.means(pull, query)
        return expected

    def widths(self, query: Array) -> Array:
        """`sqrt(x^T A^-1 x)` under the two matrices, of correctness and of the score, shape (2, K)."""
        return np.array([self.products.widths(ridge, query) for ridge in (self.correctness_head, self.score_head)])

    def bonus(self, query: Array, gains: tuple[Array, Array]) -> Array:
        """What not knowing correctness and score better is worth, `sum gain sqrt(x^T A^-1 x)`, shape (K,).

        Args:
            query: shape (n,).
            gains: what a unit more of each is worth, two arrays of the shape (K,); of a head that is worth nothing no width is computed.
        """
        bonus = np.zeros(len(self.products))
        for head, gain in zip((self.correctness_head, self.score_head), gains, strict=True):
            if gain.any():
                bonus += gain * self.products.widths(head, query)
        return bonus

    def state(self) -> dict[str, Array]:
        """Everything that was learned, as arrays."""
        parts = {"judged": self.correctness_head.state(), "observed": self.score_head.state()}
        return {f"{part}.{name}": array for part, arrays in parts.items() for name, array in arrays.items()} | {
            "feedback": np.array(self.feedback)
        }

    def load(self, state: Mapping[str, Array]) -> None:
        """Take over what `state` gave.

        Raises:
            StateError: arrays that do not fit these actions, or that hold a value which is not finite; names array and row.
        """
        heads: list[RidgeRegression] = []
        for part in ("judged", "observed"):
            head = self.products.regression_from(head_of(state, part))
            if (head.dim, head.targets) != (self.products.dim, 1):
                raise StateError(f"the {part} head has {head.dim} coefficients, these configurations need {self.products.dim}")
            heads.append(head)
        self.correctness_head, self.score_head = heads
        self._pulled = None
        self.feedback = int(state["feedback"])

    def forget(self, share: float) -> None:
        """Keep of the weight of everything observed only a share, in (0, 1]; the prior is what is believed of the rest."""
        self._pulled = None
        self.correctness_head.forget(share)
        self.score_head.forget(share)

    def score(self, action: int, query: Array, score: float) -> None:
        """Learn the verifier's score of an answer."""
        self.products.observe(self.score_head, action, query, np.array([score - self.prior[1, action]]))

    def judge(self, action: int, query: Array, correct: float, weight: float = 1.0, *, anew: bool = True) -> Surprise:
        """Learn correctness, when feedback comes; returns how it differed from what was expected.

        Args:
            action: the configuration.
            query: features of the question, centred, shape (n,).
            correct: in [0, 1].
            weight: what it counts, in (0, 1].
            anew: whether this is another judgement, and not more weight of one that was learned.
        """
        self.feedback += anew
        self._pulled = None
        if weight != 1.0:
            scale = sqrt(weight)
            row, value = scale * self.products.features(action, query), scale * (correct - self.prior[0, action])
            errors, leverage = self.correctness_head.observe(row, np.array([value]))
            return Surprise(errors / scale, leverage)
        return self.products.observe(self.correctness_head, action, query, np.array([correct - self.prior[0, action]]))
