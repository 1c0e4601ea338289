"""LinUCB (Li et al., arXiv 1003.0146) on one scalar reward, the policy of UniScale (arXiv 2605.30898) in its plainest form.

a* = argmax_a  theta^T x_a + alpha sqrt(x_a^T A^-1 x_a)

An engine decides by `default_policy`, which has a head for each component of the reward; both update A and b in `ridge`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike

from uniscale_integrations.errors import ConfigurationError, StateError
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.ridge import Product, RidgeRegression


class LinUCB:
    """A linear bandit: it expects a reward that is linear in an action's features, and tries what it knows little of.

    All actions share `theta`, so that what is learned of one tells of those like it.

    Args:
        dim: number of features d.
        alpha: how much a width is worth, at least 0.
        ridge: prior precision of the coefficients, above 0: one number, or one per feature, shape (d,).
        discount: of all earlier rewards at each new one, in (0, 1]; below 1 it follows rewards that drift.
        prior_mean: what to expect before anything was observed. A number is the reward expected of every action: above what most
            can give it is optimistic, and each gets its chance. An array of the shape (d,) is a prior `theta`.

    Attributes:
        regression: what was learned, as the difference to the prior.
        level: the reward expected of every action; 0 where the prior is an array.
        prior: prior `theta`, shape (d,); 0 where the prior is a number.

    Raises:
        ConfigurationError: a parameter out of its range.

    Example:
        >>> bandit = LinUCB(2, alpha=0.5, prior_mean=1.0)
        >>> arms = np.eye(2)
        >>> for _ in range(50):
        ...     arm = bandit.select(arms)
        ...     bandit.update(arms[arm], [0.3, 0.8][arm])
        >>> bandit.select(arms), bandit.scores(arms)[0].round(2).tolist()
        (1, [0.53, 0.8])
    """

    def __init__(
        self,
        dim: int,
        alpha: float = 1.0,
        ridge: float | ArrayLike = 1.0,
        discount: float = 1.0,
        prior_mean: float | ArrayLike = 0.0,
    ) -> None:
        if not 0.0 <= alpha < float("inf"):
            raise ConfigurationError(f"alpha must be a number of at least 0, got {alpha!r}")
        self.regression = RidgeRegression(dim, 1, ridge, discount)
        self.alpha = float(alpha)
        prior = np.asarray(prior_mean, dtype=np.float64)
        if prior.shape not in ((), (dim,)) or not np.isfinite(prior).all():
            raise ConfigurationError(f"prior_mean must be a finite number, or an array of the shape ({dim},), got {prior_mean!r}")
        self.level, self.prior = (float(prior), np.zeros(dim)) if prior.ndim == 0 else (0.0, prior.copy())
        self._has_prior = bool(self.prior.any())

    @property
    def theta(self) -> Array:
        """Coefficients, shape (d,); with a number as the prior mean they tell the difference to it."""
        return self.coefficients.copy()

    @property
    def coefficients(self) -> Array:
        """`theta` to look at: it may change with the next update."""
        theta: Array = self.regression.theta[0]
        return self.prior + theta if self._has_prior else theta

    def select(self, actions: Array) -> int:
        """The index of the action to take, the first of equals.

        Args:
            actions: features, shape (K, d), float64.

        Raises:
            ConfigurationError: no actions, or features of another length.
        """
        means, widths = self.scores(actions)
        return int((means + self.alpha * widths).argmax())

    def scores(self, actions: Array) -> tuple[Array, Array]:
        """Expected rewards and widths `sqrt(x^T A^-1 x)` of actions.

        Args:
            actions: features, shape (K, d).

        Returns:
            two arrays of the shape (K,).
        """
        rows = np.asarray(actions, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.regression.dim or not len(rows):
            raise ConfigurationError(
                f"actions must have the shape (K, {self.regression.dim}) with K at least 1, got {rows.shape}"
            )
        return self.level + rows @ self.coefficients, self.regression.widths(rows)

    def update(self, x: ArrayLike, reward: float, product: Product | None = None) -> None:
        """Learn the reward of an action.

        Args:
            x: its features, shape (d,).
            reward: a finite number.
            product: what they are made of, where they are a product; see `RidgeRegression.observe`.

        Raises:
            ConfigurationError: a wrong shape, or a value that is not finite; nothing is learned then.
        """
        if not isfinite(reward):
            raise ConfigurationError(f"a reward must be a finite number, got {reward!r}")
        row = np.asarray(x, dtype=np.float64)
        self.regression.observe(row, np.array([reward - self._expect(row)]), product)

    def update_many(self, rows: ArrayLike, rewards: ArrayLike) -> None:
        """Learn from a burst of rewards in one pass, as from one after the other.

        Args:
            rows: features, shape (n, d), oldest first.
            rewards: shape (n,).
        """
        features, values = np.asarray(rows, dtype=np.float64), np.asarray(rewards, dtype=np.float64)
        if values.shape != (len(features),) or not np.isfinite(values).all():
            raise ConfigurationError(f"rewards must be {len(features)} finite numbers, one per row, got {rewards!r:.80}")
        self.regression.observe_many(features, (values - self.level - features @ self.prior)[:, None])

    def revise(self, x: ArrayLike, change: float, weight: float = 1.0) -> None:
        """Change a reward that was learned: `A` stays, only `b` moves.

        Args:
            x: the action's features, as they were learned.
            change: new minus old reward.
            weight: what that observation still counts, `discount ** age`.
        """
        if not isfinite(change):
            raise ConfigurationError(f"the change of a reward must be a finite number, got {change!r}")
        self.regression.revise(np.asarray(x, dtype=np.float64), np.array([change]), weight)

    def state(self) -> dict[str, Array]:
        """Everything that was learned, as arrays for `np.savez`: A (d, d), b (d,), ridge (d,), prior (d,), settings."""
        state = self.regression.state()
        own = {"b": state["b"][0], "prior": self.prior.copy()}
        return state | own | {"settings": np.array([self.alpha, self.level, *state["settings"]])}

    @classmethod
    def from_state(cls, state: Mapping[str, Array]) -> LinUCB:
        """The bandit whose `state` it was.

        Raises:
            StateError: arrays that are missing, do not fit together, or hold a value that is not finite; names array and row.
        """
        missing = [name for name in ("b", "prior", "settings") if name not in state]
        if missing:
            raise StateError(f"the state lacks {', '.join(missing)}; it must be what `state` gave")
        prior, (alpha, level, *settings) = np.asarray(state["prior"]), np.asarray(state["settings"]).tolist()
        ridge = RidgeRegression.from_state({**state, "b": np.atleast_2d(state["b"]), "settings": np.array(settings)})
        if prior.shape != (ridge.dim,) or not np.isfinite([*prior, alpha, level]).all():
            raise StateError(
                f"the prior must be {ridge.dim} finite numbers, alpha and level finite; got {prior!r}, {alpha!r}, {level!r}"
            )
        bandit = cls(ridge.dim, alpha, ridge.ridge, ridge.discount, prior)
        bandit.regression, bandit.level = ridge, level
        return bandit

    def _expect(self, row: Array) -> float:
        return self.level + float(row @ self.prior) if self._has_prior and row.shape == self.prior.shape else self.level
