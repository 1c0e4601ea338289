"""Ridge regression that learns one observation at a time, on several targets at once, and can forget.

    A = ridge I + sum of x x^T        b = sum of r x        theta = A^-1 b

`A^-1` is kept by Sherman and Morrison (1950): observing `x` takes `u u^T / (1 + x^T u)` off it, where `u = A^-1 x`. These rank-one terms
are kept apart and taken off together, because one matrix product is several times faster than as many rank-one updates. A burst of
observations is folded in one pass (Woodbury).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite, log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_triangular
from scipy.linalg.lapack import dpotrf, dpotri

from uniscale_integrations.errors import ConfigurationError, StateError
from uniscale_integrations.policy.kernels import (
    Array,
    add_outer,
    add_products,
    align,
    symmetric_times_vector,
    times_matrix,
    vector_times_stack,
)

MAX_PENDING_TERMS = 8
"""Observations whose terms are kept apart from the inverse."""

MAX_PENDING_ROWS = 64
"""Observations that are kept apart from `A` and `b`, which nothing needs until the inverse is computed anew."""

REFACTORISE_EVERY = 1024
"""After so many observations the inverse is computed anew, which ends whatever rounding has added up to."""


class Product(NamedTuple):
    """What an observation `x = [a (x) q ; o]` is made of, where `o` has a single 1 or nothing.

    Attributes:
        action: a, shape (m,).
        query: q, shape (n,).
        own: place of the 1 in x; `None` without.
        block: the only one in which x is not 0, where its coefficients fall into `Blocks`.
    """

    action: Array
    query: Array
    own: int | None = None
    block: int | None = None


class Contraction(NamedTuple):
    """What is left of `A^-1` once a query is known.

    Attributes:
        both: M, shape (m, m).
        across: V, shape (m, d - m n).
        squares: the diagonal of W, shape (d - m n,).
    """

    both: Array
    across: Array
    squares: Array


class Surprise(NamedTuple):
    """What an observation said beyond what was expected.

    Attributes:
        errors: observed minus expected, shape (targets,); 0 where nothing was observed.
        leverage: `x^T A^-1 x` before it, of the size 1 where little was known and 0 where much.
    """

    errors: Array
    leverage: float


class RidgeRegression:
    """`A`, its inverse, and `theta` for every target, all learned from the same observations.

    With a discount below 1, what was observed `t` observations ago counts `discount ** t`, and so does the ridge. Left alone that
    would take the ridge to nothing, and with it the inverse to infinity wherever nothing new is seen. So each time that half of it is
    gone, and after `REFACTORISE_EVERY` observations at the latest, the ridge is made whole and the inverse computed from `A` (Cholesky).

    Args:
        dim: length d of an observation.
        targets: how many values are learned from each observation.
        ridge: what `A` begins with on its diagonal, above 0: one number, or one per feature, shape (d,). The greater, the more has to
            be seen before a coefficient leaves 0.
        discount: of every earlier observation at each new one, in (0, 1].

    Raises:
        ConfigurationError: a parameter out of its range.

    Example:
        >>> ridge = RidgeRegression(2)
        >>> ridge.observe(np.array([1.0, 0.0]), np.array([0.5]))
        Surprise(errors=array([0.5]), leverage=1.0)
        >>> ridge.theta, ridge.inverse
        (array([[0.25, 0.  ]]), array([[0.5, 0. ], [0. , 1. ]]))
    """

    def __init__(self, dim: int, targets: int = 1, ridge: float | ArrayLike = 1.0, discount: float = 1.0) -> None:
        for name, value in (("dim", dim), ("targets", targets)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigurationError(f"{name} must be a whole number of at least 1, got {value!r}")
        diagonal = np.array(ridge, dtype=np.float64)
        if diagonal.shape not in ((), (dim,)) or not (np.isfinite(diagonal) & (diagonal > 0)).all():
            raise ConfigurationError(f"ridge must be a number above 0, or {dim} of them, got {ridge!r}")
        if not 0.0 < discount <= 1.0:
            raise ConfigurationError(f"discount must lie in (0, 1], got {discount!r}; 1 forgets nothing")
        self.dim, self.targets, self.discount = dim, targets, float(discount)
        self.ridge = np.broadcast_to(diagonal, (dim,))
        # The weight is what forgetting multiplies A and b by: both are `_weight` times what is stored.
        self._weight, self._since = 1.0, 0
        self._period = REFACTORISE_EVERY if discount == 1.0 else max(1, min(REFACTORISE_EVERY, int(log(0.5) / log(discount))))
        self._begin()

    def _begin(self) -> None:
        """Set up what is kept of `A`, its inverse and `b`, as before any observation."""
        dim, targets = self.dim, self.targets
        self._theta = np.zeros((targets, dim))
        self._stored, self._sums = np.diag(self.ridge), np.zeros((targets, dim))
        self._inverse = align(np.diag(1.0 / self.ridge))
        self._terms, self._pending = np.empty((MAX_PENDING_TERMS, dim)), 0
        self._rows, self._values, self._pending_rows = np.empty((MAX_PENDING_ROWS, dim)), np.empty((MAX_PENDING_ROWS, targets)), 0
        # What `contract` computed last, which an observation of the same query needs again: the query, and its part of the inverse.
        self._contraction: tuple[bytes, Array] | None = None

    @property
    def theta(self) -> Array:
        """Coefficients, shape (targets, d), to look at: they may change with the next observation."""
        return self._theta

    def first(self, count: int) -> Array:
        """So many of the first coefficients, shape (targets, count)."""
        return self.theta[:, :count]

    @property
    def matrix(self) -> Array:
        """`A`, shape (d, d)."""
        self._flush_observations()
        return self._weight * self._stored

    @property
    def sums(self) -> Array:
        """`b` of every target, shape (targets, d)."""
        self._flush_observations()
        return self._weight * self._sums

    @property
    def inverse(self) -> Array:
        """`A^-1`, shape (d, d)."""
        self._apply_pending_terms()
        return self._inverse / self._weight

    def observe(self, x: Array, values: Array, product: Product | None = None) -> Surprise:
        """Learn from one observation, in O(d^2), or O(d m) where the last contraction was of the same query.

        Args:
            x: shape (d,).
            values: one per target, shape (targets,); where one is NaN it was not observed, and its `theta` stays as it is.
            product: what x is made of, where it is such a product.

        Returns:
            how it differed from what was expected.

        Raises:
            ConfigurationError: a wrong shape, or a value that is infinite.
        """
        self._require(x, (self.dim,), "x")
        complete = isfinite(values.dot(values))
        if not complete:
            require_no_infinity(values)
        row, term = x, self._solve(x, product)
        if self.discount < 1.0:
            self._weight *= self.discount
            scale = 1.0 / sqrt(self._weight)
            row, term, values = x * scale, term * scale, values * scale
        spread = 1.0 + float(row.dot(term))
        prediction = self._theta.dot(row)
        errors = values - prediction
        if not complete:
            missing = np.isnan(values)
            errors, values = np.where(missing, 0.0, errors), np.where(missing, prediction, values)
        add_outer(self._theta, errors / spread, term)
        self._rows[self._pending_rows], self._values[self._pending_rows] = row, values
        np.multiply(term, 1.0 / sqrt(spread), out=self._terms[self._pending])
        surprise = Surprise(errors if self._weight == 1.0 else errors * sqrt(self._weight), spread - 1.0)
        self._count(1)
        return surprise

    def observe_many(self, rows: Array, values: Array) -> None:
        """Learn from many observations in one pass, as from one after the other.

        Args:
            rows: shape (n, d), oldest first.
            values: shape (n, targets), NaN where not observed.
        """
        self._require(rows, (len(rows), self.dim), "rows")
        require_no_infinity(values)
        start = 0
        while start < len(rows):
            self._apply_pending_terms()
            # A block ends where the ridge is due, as it would from one after the other.
            end = start + min(MAX_PENDING_TERMS, self._period - self._since, MAX_PENDING_ROWS - self._pending_rows)
            block, targets_block = rows[start:end], values[start:end]
            start = end
            missing = np.isnan(targets_block)
            if missing.any():
                # What is imputed depends on what was learned just before.
                for row, value in zip(block, targets_block, strict=True):
                    self.observe(row, value)
                continue
            weights = self._weight * self.discount ** np.arange(1, len(block) + 1)
            scales = 1.0 / np.sqrt(weights)[:, None]
            rows_block, targets = block * scales, targets_block * scales
            solution = times_matrix(rows_block, self._inverse)
            spread = np.linalg.cholesky(np.eye(len(block)) + solution @ rows_block.T)
            terms = solve_triangular(spread, solution, lower=True)
            errors = targets - rows_block @ self._theta.T
            self._theta += solve_triangular(spread, errors, lower=True).T @ terms
            self._weight = float(weights[-1])
            self._terms[: len(block)] = terms
            new = slice(self._pending_rows, self._pending_rows + len(block))
            self._rows[new], self._values[new] = rows_block, targets
            self._count(len(block))

    def revise(self, x: Array, changes: Array, weight: float = 1.0) -> None:
        """Change what was once observed at `x`: only `b` changes, and `theta` with it.

        Args:
            x: shape (d,), as it was observed.
            changes: new minus old value per target, shape (targets,).
            weight: what the observation still counts, `discount ** age`.
        """
        self._require(x, (self.dim,), "x")
        delta = np.multiply.outer(changes * (weight / self._weight), x)
        self._sums += delta
        self._theta += np.multiply.outer(changes * (weight / self._weight), self._solve(x))

    def forget(self, share: float) -> None:
        """Keep of the weight of all observations only a share; the ridge is made whole.

        Raises:
            ConfigurationError: a share that does not lie in (0, 1].
        """
        if not 0.0 < share <= 1.0:
            raise ConfigurationError(f"what is left must be a share in (0, 1], got {share!r}")
        self._weight *= share
        self._refactor()

    def solve(self, x: Array) -> Array:
        """`A^-1 x`, shape (d,)."""
        solution: Array = self._solve(x) / self._weight
        return solution

    def widths(self, rows: Array) -> Array:
        """`sqrt(x^T A^-1 x)` for each row, shape (n,), of rows of the shape (n, d)."""
        self._apply_pending_terms()
        squares = np.einsum("nd,nd->n", times_matrix(rows, self._inverse), rows)
        widths: Array = np.sqrt(np.maximum(squares, 0.0) / self._weight)
        return widths

    def contract(self, query: Array, dim: int) -> Contraction:
        """`A^-1` between features that begin with a product and share its right factor, `x = [a (x) q ; o]`.

            x^T A^-1 x = a^T M a + 2 a^T V o + o^T W o

        Args:
            query: q, shape (n,).
            dim: length m n of the product.
        """
        n = len(query)
        m = dim // n
        once = vector_times_stack(query, self._inverse[:dim].reshape(m, n, self.dim))
        self._contraction = query.tobytes(), once
        both: Array = once[:, :dim].reshape(-1, n).dot(query).reshape(m, m)
        across, squares = once[:, dim:], self._inverse.diagonal()[dim:]
        if self._pending:
            terms = self._terms[: self._pending]
            first = terms[:, :dim].reshape(-1, n).dot(query).reshape(-1, m)
            both -= first.T.dot(first)
            if dim < self.dim:
                rest = terms[:, dim:]
                across, squares = across - first.T @ rest, squares - np.square(rest).sum(axis=0)
        if self._weight != 1.0:
            both, across, squares = both / self._weight, across / self._weight, squares / self._weight
        return Contraction(both, across, squares)

    def state(self) -> dict[str, Array]:
        """Everything that was learned, as arrays."""
        settings = [self.discount, self._weight, float(self._since)]
        return {"A": self.matrix, "b": self.sums, "ridge": np.array(self.ridge), "settings": np.array(settings)}

    @classmethod
    def from_state(cls, state: Mapping[str, Array]) -> RidgeRegression:
        """What `state` gave.

        Raises:
            StateError: arrays that are missing or do not fit together, or hold a value that is not finite; names array and row.
        """
        arrays = read_arrays(state, ("A", "b", "ridge", "settings"))
        matrix, sums, ridge, settings = arrays.values()
        square = (sums.shape[-1],) * 2
        if sums.ndim != 2 or matrix.shape != square or ridge.shape != square[:1] or settings.shape != (3,):
            shapes = f"A has the shape {matrix.shape}, b {sums.shape}, ridge {ridge.shape}"
            raise StateError(f"{shapes}; they must be (d, d), (targets, d) and (d,)")
        require_finite(arrays)
        regression = cls(len(matrix), len(sums), ridge, float(settings[0]))
        regression._weight, regression._since = float(settings[1]), int(settings[2])
        # In row order, since sums are added up where they stand.
        regression._stored, regression._sums = np.ascontiguousarray(matrix / regression._weight), sums / regression._weight
        regression._invert()
        return regression

    def _solve(self, x: Array, product: Product | None = None) -> Array:
        """The inverse as it is stored times `x`, the pending terms taken off."""
        if product is not None and self._contraction is not None and self._contraction[0] == product.query.tobytes():
            product_vector: Array = product.action.dot(self._contraction[1])
            if product.own is not None:
                product_vector += self._inverse[product.own]
        else:
            product_vector = symmetric_times_vector(self._inverse, x)
        if self._pending:
            terms = self._terms[: self._pending]
            product_vector -= terms.dot(x).dot(terms)
        return product_vector

    def _count(self, new: int) -> None:
        self._pending += new
        self._pending_rows += new
        self._since += new
        if self._since >= self._period:
            self._refactor()
            return
        if self._pending >= MAX_PENDING_TERMS:
            self._apply_pending_terms()
        if self._pending_rows >= MAX_PENDING_ROWS:
            self._flush_observations()

    def _apply_pending_terms(self) -> None:
        """Take the pending terms off the inverse."""
        if self._pending:
            terms, self._pending, self._contraction = self._terms[: self._pending], 0, None
            add_products(self._inverse, terms, -1.0)

    def _flush_observations(self) -> None:
        """Add the collected observations to `A` and `b`."""
        if self._pending_rows:
            rows, values, self._pending_rows = self._rows[: self._pending_rows], self._values[: self._pending_rows], 0
            add_products(self._stored, rows)
            self._sums += times_matrix(np.ascontiguousarray(values.T), rows)

    def _refactor(self) -> None:
        """Make the ridge whole and compute the inverse from `A`."""
        self._flush_observations()
        self._pending = 0
        self._stored *= self._weight
        self._stored[np.diag_indices(self.dim)] += (1.0 - self._weight) * self.ridge
        self._sums *= self._weight
        self._weight, self._since = 1.0, 0
        self._invert()

    def _invert(self) -> None:
        factor, failed = dpotrf(self._stored, lower=1)
        if failed:
            raise StateError(
                f"A is not positive definite from row {failed - 1} on: its values lie too far apart ("
                f"{np.diag(self._stored).min():.3g} to {np.diag(self._stored).max():.3g}); scale the features"
            )
        lower, _ = dpotri(factor, lower=1)
        self._contraction = None
        lower = np.tril(lower)
        self._inverse = align(lower + np.tril(lower, -1).T)
        self._theta = times_matrix(self._sums, self._inverse)

    def _require(self, x: Array, shape: tuple[int, ...], name: str) -> None:
        if x.shape != shape:
            raise ConfigurationError(f"{name} must have the shape {shape}, got {x.shape}")
        # Squares add up to something finite only where every value is.
        if not isfinite(np.vdot(x, x)):
            raise ConfigurationError(
                f"{name} holds a value that is not finite, or too large to square: {x[~(np.abs(x) < 1e150)][0]!r}"
            )


def read_arrays(state: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
    """Arrays of a state as float64.

    Raises:
        StateError: it lacks one.
    """
    missing = [name for name in names if name not in state]
    if missing:
        raise StateError(f"the state lacks {', '.join(missing)}; it must be what `state` gave")
    return {name: np.asarray(state[name], dtype=np.float64) for name in names}


def require_finite(arrays: Mapping[str, Array]) -> None:
    """That every value of these arrays is finite.

    Raises:
        StateError: one is not; names its array and row.
    """
    for name, array in arrays.items():
        invalid = np.flatnonzero(~np.isfinite(array).reshape(len(array), -1).all(axis=1))
        if len(invalid):
            row = invalid[0]
            raise StateError(f"{name} holds a value that is not finite in row {row}; rebuild the state from its log")


def require_no_infinity(values: Array) -> None:
    """That no value to learn is infinite; `ConfigurationError` where one is."""
    if np.isinf(values).any():
        raise ConfigurationError("a value to learn is infinite; give finite numbers, or NaN for one that was not observed")
