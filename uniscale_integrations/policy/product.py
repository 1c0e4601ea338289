"""LinUCB for features that are a product of an action and a query, `x = a (x) q`, at a cost that hardly grows with the actions.

    x^T A^-1 x = a^T M a        M = (I (x) q)^T A^-1 (I (x) q)

`M` has the size of an action, so that contracting `A^-1` with the query once (d^2) leaves a few hundred operations for each action.

Where actions fall into groups that have a code each, such as the configurations of many models, the coefficients of a code and of its
actions' indicators are a block that observations of other groups do not touch: `arrowhead`, at a cost that is linear in the groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

from uniscale_integrations.errors import ConfigurationError, StateError
from uniscale_integrations.policy.arrowhead import ArrowheadRegression
from uniscale_integrations.policy.blocks import BORDER, Blocks
from uniscale_integrations.policy.heads import from_whole, whole_head
from uniscale_integrations.policy.kernels import Array, align
from uniscale_integrations.policy.linucb import LinUCB
from uniscale_integrations.policy.ridge import Product, RidgeRegression, Surprise

MIN_GROUPS = 20
"""Groups of actions from which on their blocks pay: with fewer, one small matrix is faster (`python -m benchmarks.many_models`)."""

MAX_SHARE = 0.5
"""Of the numbers of the whole matrix that its blocks may take, which are filled up to the longest, where they are to pay."""


class Products:
    """Fixed actions whose features with a query `q` are the products `a (x) q`, and, if wanted, an indicator of the action itself.

    The product says how actions alike in something do on queries alike in something; the indicator how an action does beside that.

    Args:
        actions: shape (K, m).
        query_dim: n.
        own: whether each action has an indicator.
        codes: how many of the features, the last ones, are codes of groups, one of which is 1 for each action and all others 0; where they
            are not, there are no groups.

    Attributes:
        dim: length d of the features, m n, or m n + K.
        blocks: of the coefficients, one for each group, where it pays to keep them apart; `None` where not.

    Raises:
        ConfigurationError: no actions, or a value that is not finite.
    """

    def __init__(self, actions: ArrayLike, query_dim: int, *, own: bool = False, codes: int = 0) -> None:
        rows = np.array(actions, dtype=np.float64)
        if rows.ndim != 2 or not rows.size or not np.isfinite(rows).all():
            raise ConfigurationError(f"actions must be finite numbers of the shape (K, m), got {rows.shape}")
        self.actions, self.query_dim, self.own = rows, query_dim, own
        self._product = rows.shape[1] * query_dim
        self.dim = self._product + (len(rows) if own else 0)
        # Columns of a thousand actions are faster to go through than their rows.
        self._columns = align(rows.T)
        # Each action as a column of its own, which times a query is their product.
        self._stands = rows[:, :, None]
        self._ones = np.ones(rows.shape[1])
        self._common = max(0, rows.shape[1] - codes)
        self._groups = rows[:, self._common :].argmax(axis=1) if codes else np.zeros(len(rows), dtype=np.int64)
        self.blocks = self._blocks(codes)

    def _blocks(self, codes: int) -> Blocks | None:
        """The coefficients of what actions have in common as the border, and each group's with its actions' indicators as a block."""
        if (
            codes < MIN_GROUPS
            or not self._common
            or not np.array_equal(self.actions[:, self._common :], np.eye(codes)[self._groups])
        ):
            return None
        border, own = np.full(self._common * self.query_dim, BORDER), self._groups if self.own else self._groups[:0]
        of = np.concatenate([border, np.repeat(np.arange(codes), self.query_dim), own])
        blocks = Blocks(of)
        return blocks if blocks.size <= MAX_SHARE * self.dim**2 else None

    @cached_property
    def _left(self) -> Array:
        """What actions have in common, shape (K, m - codes)."""
        return np.ascontiguousarray(self.actions[:, : self._common])

    @cached_property
    def _slots(self) -> NDArray[np.int64] | None:
        """Where in its group's block each action has its indicator, shape (K,); `None` without."""
        if self.blocks is None or not self.own:
            return None
        indicators = self._product + np.arange(len(self))
        slots: NDArray[np.int64] = (self.blocks.places[self._groups] == indicators[:, None]).argmax(axis=1)
        return slots

    def regression(self, targets: int, ridge: float | ArrayLike, discount: float = 1.0) -> RidgeRegression:
        """A regression on these features, in blocks where that pays; parameters as of `RidgeRegression`."""
        if self.blocks is None:
            return RidgeRegression(self.dim, targets, ridge, discount)
        return ArrowheadRegression(self.blocks, targets, ridge, discount)

    def regression_from(self, state: Mapping[str, Array]) -> RidgeRegression:
        """The one whose `state` it was, in whichever form; `RidgeRegression.from_state` says what is raised."""
        return RidgeRegression.from_state(whole_head(state)) if self.blocks is None else from_whole(self.blocks, state)

    def __len__(self) -> int:
        return len(self.actions)

    def features(self, action: int, query: Array) -> Array:
        """The features of an action with a query, shape (d,)."""
        product: Array = (self._stands[action] * query).ravel()
        if not self.own:
            return product
        features = np.zeros(self.dim)
        features[: self._product] = product
        features[self._product + action] = 1.0
        return features

    def observe(self, ridge: RidgeRegression, action: int, query: Array, values: Array) -> Surprise:
        """Let a regression learn what came of an action on a query.

        Args:
            ridge: of `dim` coefficients.
            action: its index.
            query: shape (n,).
            values: one per target of the regression, NaN where not observed.
        """
        return ridge.observe(self.features(action, query), values, self.made_of(action, query))

    def made_of(self, action: int, query: Array) -> Product:
        """What `features` are made of."""
        block = None if self.blocks is None else int(self._groups[action])
        return Product(self.actions[action], query, self._product + action if self.own else None, block)

    def expect(self, ridge: RidgeRegression, query: Array) -> Array:
        """What a regression expects of every action, shape (targets, K)."""
        if self.blocks is not None and isinstance(ridge, ArrowheadRegression):
            return ridge.means_with(query, self._left, self._groups, self._slots)
        return self.means(ridge.theta, query)

    def means(self, theta: Array, query: Array) -> Array:
        """`theta^T x` of every action.

        Args:
            theta: shape (d,), or (targets, d).
            query: shape (n,).

        Returns:
            shape (K,), or (targets, K).
        """
        product = theta[..., : self._product] if self.own else theta
        weights = product.reshape(-1, self.query_dim).dot(query).reshape(*theta.shape[:-1], -1)
        means: Array
        if self.blocks is None:
            means = weights.dot(self._columns)
        else:
            means = weights[..., : self._common].dot(self._columns[: self._common]) + weights[..., self._common + self._groups]
        if self.own:
            means += theta[..., self._product :]
        return means

    def widths(self, ridge: RidgeRegression, query: Array) -> Array:
        """`sqrt(x^T A^-1 x)` of every action, shape (K,)."""
        if self.blocks is not None and isinstance(ridge, ArrowheadRegression):
            return ridge.widths_with(query, self._left, self._groups, self._slots)
        both, across, squares = ridge.contract(query, self._product)
        squares_of = both.dot(self._columns)
        squares_of *= self._columns
        widths: Array = self._ones.dot(squares_of)
        if self.own:
            widths += 2.0 * np.einsum("km,mk->k", self.actions, across) + squares
        np.maximum(widths, 0.0, out=widths)
        np.sqrt(widths, out=widths)
        return widths


class ProductLinUCB:
    """`LinUCB` over `Products`: the same bandit, faster.

    Args:
        actions: shape (K, m).
        query_dim: n, the length of a query's features.
        alpha: as of `LinUCB`.
        ridge: as of `LinUCB`.
        discount: as of `LinUCB`.
        prior_mean: as of `LinUCB`; an array has the shape (m n,).

    Example:
        >>> bandit = ProductLinUCB([[1.0, 0.0], [0.0, 1.0]], query_dim=1, alpha=0.5, prior_mean=1.0)
        >>> for _ in range(50):
        ...     arm = bandit.select(np.ones(1))
        ...     bandit.update(arm, np.ones(1), [0.3, 0.8][arm])
        >>> bandit.select(np.ones(1))
        1
    """

    def __init__(
        self,
        actions: ArrayLike,
        query_dim: int,
        alpha: float = 1.0,
        ridge: float | ArrayLike = 1.0,
        discount: float = 1.0,
        prior_mean: float | ArrayLike = 0.0,
    ) -> None:
        self.products = Products(actions, query_dim)
        self.bandit = LinUCB(self.products.dim, alpha, ridge, discount, prior_mean)

    def select(self, query: ArrayLike) -> int:
        """The index of the action to take, the first of equals.

        Args:
            query: features, shape (n,).
        """
        bounds, widths = self.scores(query)
        widths *= self.bandit.alpha
        bounds += widths
        return int(bounds.argmax())

    def scores(self, query: ArrayLike) -> tuple[Array, Array]:
        """Expected rewards and widths of every action, two arrays of the shape (K,)."""
        features = self._check(query)
        bandit = self.bandit
        means = self.products.means(bandit.coefficients, features)
        means += bandit.level
        return means, self.products.widths(bandit.regression, features)

    def update(self, action: int, query: ArrayLike, reward: float) -> None:
        """Learn the reward of an action, by its index, on a query."""
        features, products = np.asarray(query, dtype=np.float64), self.products
        if features.shape != (products.query_dim,):
            self._check(features)
        self.bandit.update(products.features(action, features), reward, products.made_of(action, features))

    def state(self) -> dict[str, Array]:
        """Everything that was learned, as arrays for `np.savez`; `LinUCB.from_state` takes them too."""
        return self.bandit.state() | {"actions": self.products.actions.copy()}

    @classmethod
    def from_state(cls, state: Mapping[str, Array]) -> ProductLinUCB:
        """The bandit whose `state` it was.

        Raises:
            StateError: as of `LinUCB.from_state`, or actions that do not fit.
        """
        result = cls.__new__(cls)
        result.bandit = LinUCB.from_state(state)
        actions, dim = np.asarray(state.get("actions", ())), result.bandit.regression.dim
        if actions.ndim != 2 or dim % actions.shape[1]:
            raise StateError(f"actions of the shape {actions.shape} do not make features of the length {dim}")
        result.products = Products(actions, dim // actions.shape[1])
        return result

    def _check(self, query: ArrayLike) -> Array:
        features = np.asarray(query, dtype=np.float64)
        if features.shape != (self.products.query_dim,) or not isfinite(features @ features):
            raise ConfigurationError(
                f"a query must be {self.products.query_dim} finite numbers, got {features!r:.80} of the shape {features.shape}"
            )
        return features
