"""Ridge regression whose coefficients fall into blocks that only a border of common ones connects, at a cost that is linear in the blocks.

An observation is `x = (x_0, x_j)`: the c coefficients of the border and those of one block j of p, such as of one model. So `A` is an
arrowhead, and given the coefficients of the border those of different blocks are independent:

    A = [A_00  A_01 ... A_0J]      G_j = A_jj^-1,  F_j = G_j A_j0            shapes (p, p) and (p, c)
        [A_10  A_11         ]      S = A_00 - sum_j A_0j F_j,  C = S^-1      the Schur complement, shape (c, c)
        [ ...         ...   ]      (A^-1)_00 = C,  (A^-1)_j0 = -F_j C,  (A^-1)_jk = F_j C F_k^T, and with k = j beside that G_j
        [A_J0          A_JJ ]

With `z = x_0 - sum_j F_j^T x_j`, what the border's coefficients see of x once those of the blocks are solved for,

    x^T A^-1 x = z^T C z + sum_j x_j^T G_j x_j
    theta_0 = C (b_0 - sum_j F_j^T b_j),  theta_j = t_j - F_j theta_0,  t_j = G_j b_j

so that G, F, C, theta_0 and t are all there is to keep. Observing x in block j changes A_jj by `x_j x_j^T`, A_j0 by `x_j x_0^T`, A_00 by
`x_0 x_0^T`. With `g = G_j x_j`, `s = 1 + x_j^T g`, `u = C z` and `w = s + z^T u`, which is `1 + x^T A^-1 x`, Sherman and Morrison give

    G_j -= g g^T / s,   F_j += g z^T / s,   S += z z^T / s,   C -= u u^T / w
    t_j += g (r - t_j^T x_j) / s,   theta_0 += u (r - theta^T x) / w

No other block changes. An update costs O(p (p + c) + c^2) however many blocks there are; `theta` and all widths O(J p (p + c)).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg.lapack import dpotrf, dpotri, dpotrs

from uniscale_integrations.errors import StateError
from uniscale_integrations.policy.blocks import PARTS, Blocks
from uniscale_integrations.policy.kernels import (
    Array,
    add_outer,
    add_products,
    add_rank_one,
    symmetric_times_vector,
    times_matrix,
    times_vector,
    vector_times,
    vector_times_stack,
)
from uniscale_integrations.policy.ridge import (
    MAX_PENDING_ROWS,
    Contraction,
    Product,
    RidgeRegression,
    Surprise,
    read_arrays,
    require_finite,
    require_no_infinity,
)

MAX_STEPS = 8
"""Observations up to which what they changed is computed, and not all anew."""


class ArrowheadRegression(RidgeRegression):
    """What `RidgeRegression` learns from observations that are 0 in all blocks but one.

    Args:
        blocks: which coefficients belong together.
        targets: as of `RidgeRegression`.
        ridge: likewise.
        discount: likewise.

    Raises:
        ConfigurationError: a parameter out of its range.

    Example:
        >>> regression = ArrowheadRegression(Blocks(np.array([-1, 0, 1])))
        >>> regression.observe(np.array([1.0, 1.0, 0.0]), np.array([0.5]))
        Surprise(errors=array([0.5]), leverage=2.0)
        >>> regression.theta.round(3).tolist(), regression.widths(np.eye(3)).round(3).tolist()
        ([[0.167, 0.167, 0.0]], [0.816, 0.816, 1.0])
    """

    def __init__(self, blocks: Blocks, targets: int = 1, ridge: float | ArrayLike = 1.0, discount: float = 1.0) -> None:
        self.blocks = blocks
        super().__init__(blocks.dim, targets, ridge, discount)

    def _begin(self) -> None:
        blocks, targets = self.blocks, self.targets
        (count, size), common = blocks.places.shape, len(blocks.border)
        ridge, border = self._ridge_of_blocks(), self.ridge[blocks.border]
        # A_jj and A_j0 beside each other, and so G_j and F_j: what is taken times the one is taken times the other.
        self._stored_own, self._solved = (np.zeros((count, size, size + common)) for _ in range(2))
        diagonal = np.arange(size)
        self._stored_own[:, diagonal, diagonal], self._solved[:, diagonal, diagonal] = ridge, 1.0 / ridge
        self._stored_border, self._inverse_border = np.diag(border), np.diag(1.0 / border)
        self._sums_border, self._sums_own = np.zeros((targets, common)), np.zeros((count, targets, size))
        self._theta_border, self._theta_alone = np.zeros_like(self._sums_border), np.zeros_like(self._sums_own)
        # Observations that are kept apart from A and b: x_j beside x_0, and j.
        self._rows, self._values = np.empty((MAX_PENDING_ROWS, size + common)), np.empty((MAX_PENDING_ROWS, targets))
        self._blocks_of_rows, self._pending_rows = np.empty(MAX_PENDING_ROWS, dtype=np.int64), 0
        self._steps: list[tuple[int, Array]] = []
        self._spread: Array | None = None
        self._forget_answers()

    def _forget_answers(self) -> None:
        """Nothing that was computed of the coefficients holds any longer."""
        self._joined: Array | None = None
        self._projection: tuple[bytes, Array] | None = None

    @property
    def theta(self) -> Array:
        """Coefficients, shape (targets, d); put together in O(J p c) when they are first looked at after a change."""
        if self._joined is None:
            own = self._theta_alone - (self._solved[:, :, self._size :] @ self._theta_border.T).swapaxes(1, 2)
            self._joined = self.blocks.join(self._theta_border, own.swapaxes(0, 1))
        return self._joined

    def first(self, count: int) -> Array:
        """As of `RidgeRegression`, of the border without the blocks where it comes first."""
        in_border = isinstance(self.blocks.in_border, slice) and count <= len(self.blocks.border)
        return self._theta_border[:, :count] if in_border else super().first(count)

    @property
    def matrix(self) -> Array:
        """`A`, shape (d, d), which is made for whoever wants it whole."""
        return self.blocks.put_together(*self._parts())

    @property
    def sums(self) -> Array:
        """`b` of every target, shape (targets, d)."""
        self._flush_observations()
        return self._weight * self.blocks.join(self._sums_border, self._sums_own.swapaxes(0, 1))

    @property
    def inverse(self) -> Array:
        """`A^-1`, shape (d, d), likewise."""
        return self._times_inverse(np.eye(self.dim))

    def observe(self, x: Array, values: Array, product: Product | None = None) -> Surprise:
        """Learn from one observation, in O(p (p + c) + c^2).

        Args:
            x: shape (d,), 0 in all blocks but one.
            values: as of `RidgeRegression`.
            product: what x is made of, where it says the block.

        Raises:
            ConfigurationError: a wrong shape, a value that is infinite, or an x that is not 0 in several blocks.
        """
        self._require(x, (self.dim,), "x")
        complete = isfinite(values.dot(values))
        if not complete:
            require_no_infinity(values)
        block = self.blocks.block_of(x) if product is None or product.block is None else product.block
        row, size = self._rows[self._pending_rows], self._size
        row[:size], row[size:] = self.blocks.part(x, block), x[self.blocks.in_border]
        if self.discount < 1.0:
            self._weight *= self.discount
            scale = 1.0 / sqrt(self._weight)
            row *= scale
            values = values * scale
        own = row[:size]
        solved = vector_times(own, self._solved[block])
        rest = row[size:] - solved[size:]
        step = symmetric_times_vector(self._inverse_border, rest)
        spread_alone = 1.0 + float(own.dot(solved[:size]))
        spread = spread_alone + float(rest.dot(step))
        expected_alone = self._theta_alone[block].dot(own)
        prediction = expected_alone + self._theta_border.dot(rest)
        errors = values - prediction
        if not complete:
            missing = np.isnan(values)
            errors, values = np.where(missing, 0.0, errors), np.where(missing, prediction, values)
        alone = solved[:size] / spread_alone
        add_outer(self._theta_border, errors / spread, step)
        add_outer(self._theta_alone[block], values - expected_alone, alone)
        np.negative(solved[:size], out=solved[:size])
        solved[size:] = rest
        add_rank_one(self._solved[block], alone, solved)
        step /= sqrt(spread)
        add_rank_one(self._inverse_border, -step, step)
        if self._spread is not None:
            self._steps.append((block, step))
            if len(self._steps) > MAX_STEPS:
                self._spread, self._steps = None, []
        self._values[self._pending_rows], self._blocks_of_rows[self._pending_rows] = values, block
        surprise = Surprise(errors if self._weight == 1.0 else errors * sqrt(self._weight), spread - 1.0)
        self._count(1)
        return surprise

    def observe_many(self, rows: Array, values: Array) -> None:
        """Learn from many observations, one after the other; as of `RidgeRegression`."""
        self._require(rows, (len(rows), self.dim), "rows")
        require_no_infinity(values)
        for row, value in zip(rows, values, strict=True):
            self.observe(row, value)

    def revise(self, x: Array, changes: Array, weight: float = 1.0) -> None:
        """Change what was once observed at `x`, as of `RidgeRegression`."""
        self._require(x, (self.dim,), "x")
        block, border = self.blocks.block_of(x), x[self.blocks.in_border]
        own = self.blocks.part(x, block)
        solved = vector_times(own, self._solved[block])
        step = symmetric_times_vector(self._inverse_border, border - solved[self._size :])
        change = (changes * (weight / self._weight))[:, None]
        self._sums_border += change * border
        self._sums_own[block] += change * own
        self._theta_border += change * step
        self._theta_alone[block] += change * solved[: self._size]
        self._forget_answers()

    def solve(self, x: Array) -> Array:
        """`A^-1 x`, shape (d,), of an x that may be of several blocks."""
        solution: Array = self._times_inverse(x[None])[0]
        return solution

    def widths(self, rows: Array) -> Array:
        """`sqrt(x^T A^-1 x)` for each row, shape (n,), of rows of the shape (n, d), which may be of several blocks each."""
        widths: Array = np.sqrt(np.maximum(np.einsum("nd,nd->n", rows, self._times_inverse(rows)), 0.0))
        return widths

    def means_with(self, query: Array, actions: Array, block: NDArray[np.int64], place: NDArray[np.int64] | None) -> Array:
        """`theta^T x` of K observations whose blocks begin with the same query, in O(J n (p + c)), shape (targets, K).

        Args:
            query: what each x_j begins with, shape (n,).
            actions: of each x_0 the left factor, `x_0 = a (x) query`, shape (K, c / n).
            block: each j, shape (K,).
            place: where in the block each has a 1 beside the query, shape (K,); `None` without.
        """
        size, n, border = self._size, len(query), self._theta_border
        across = np.ascontiguousarray(self._project(query)[:, size:])
        alone = np.stack([times_vector(np.ascontiguousarray(each), query) for each in self._theta_alone[:, :, :n].swapaxes(0, 1)])
        alone -= np.stack([times_vector(across, each) for each in border])
        means: Array = border.reshape(len(border), -1, n).dot(query).dot(actions.T) + alone[:, block]
        if place is not None:
            beside = self._theta_alone[:, :, n:].swapaxes(1, 2) - self._solved[:, n:, size:] @ border.T
            means += beside[block, place - n].T
        return means

    def widths_with(self, query: Array, actions: Array, block: NDArray[np.int64], place: NDArray[np.int64] | None) -> Array:
        """`sqrt(x^T A^-1 x)` of such observations, in O(J n (p + c) + K c^2), shape (K,); parameters as of `means_with`."""
        size, n, inverse = self._size, len(query), self._inverse_border
        once = self._project(query)
        alone, across = once[:, :size], np.ascontiguousarray(once[:, size:])
        # C times what the border's coefficients have to do with the query, for each of the left factor's.
        lifted = times_vector(inverse.reshape(-1, n), query).reshape(len(inverse), -1)
        both = query.dot(lifted.reshape(-1, n, lifted.shape[1]))
        turned = times_matrix(across, inverse)
        of_block = times_vector(np.ascontiguousarray(alone[:, :n]), query) + np.einsum("jc,jc->j", turned, across)
        # What is left of x_0 is a (x) q less the block's part and, with a 1 beside, that of it.
        mixed = times_matrix(across, lifted)
        squares = of_block[block] + np.einsum("km,km->k", actions.dot(both) - 2.0 * mixed[block], actions)
        if place is not None:
            beside, where = np.ascontiguousarray(self._solved[:, n:, size:]), place - n
            own = 2.0 * (alone[:, n:] + (beside @ turned[:, :, None])[:, :, 0]) + self._spread_of(beside)
            own += self._solved[:, n:, n:size].diagonal(axis1=1, axis2=2)
            squares += own[block, where]
            squares -= 2.0 * np.einsum("km,km->k", (beside @ lifted)[block, where], actions)
        widths: Array = np.sqrt(np.maximum(squares, 0.0) / self._weight)
        return widths

    def _spread_of(self, beside: Array) -> Array:
        """`f^T C f` of each last row f of the F_j, shape (J, s), of rows of the shape (J, s, c).

        Every observation takes `(f^T u)^2 / w` off it where it did not change f, so that few cost less than all anew.
        """
        flat, steps = beside.reshape(-1, beside.shape[2]), self._steps
        if self._spread is None or self._spread.shape != beside.shape[:2]:
            self._spread = np.einsum("fc,fc->f", times_matrix(flat, self._inverse_border), flat).reshape(beside.shape[:2])
        elif steps:
            terms = times_matrix(flat, np.ascontiguousarray(np.stack([step for _, step in steps]).T))
            self._spread -= np.einsum("ft,ft->f", terms, terms).reshape(beside.shape[:2])
            for block in {block for block, _ in steps}:
                rows = beside[block]
                self._spread[block] = np.einsum("sc,sc->s", rows @ self._inverse_border, rows)
        self._steps = []
        return self._spread

    def _project(self, query: Array) -> Array:
        """`q^T G_j` and `q^T F_j` of every block that begins with a query, shape (J, p + c); the last is kept."""
        key = query.tobytes()
        if self._projection is None or self._projection[0] != key:
            self._projection = key, vector_times_stack(query, self._solved[:, : len(query)])
        return self._projection[1]

    def contract(self, query: Array, dim: int) -> Contraction:
        """As of `RidgeRegression`, in O(J^2): `widths_with` is what is fast."""
        n, rest = len(query), self.dim - dim
        m = dim // n
        lift = np.zeros((m + rest, self.dim))
        lift[:m, :dim], lift[m:, dim:] = np.kron(np.eye(m), query), np.eye(rest)
        whole = lift @ self._times_inverse(lift).T
        return Contraction(whole[:m, :m], whole[:m, m:], whole.diagonal()[m:])

    def state(self) -> dict[str, Array]:
        """Everything that was learned, as arrays: the parts of `A` in place of it; `whole_head` puts it together."""
        settings = [self.discount, self._weight, float(self._since)]
        own = {"blocks": self.blocks.of.astype(np.float64), "b": self.sums, "ridge": np.array(self.ridge)}
        return dict(zip(PARTS, self._parts(), strict=True)) | own | {"settings": np.array(settings)}

    @classmethod
    def from_state(cls, state: Mapping[str, Array]) -> ArrowheadRegression:
        """What `state` gave.

        Raises:
            StateError: as of `RidgeRegression`.
        """
        arrays = read_arrays(state, (*PARTS, "b", "ridge", "settings", "blocks"))
        require_finite(arrays)
        *parts, sums, ridge, settings, of = arrays.values()
        blocks = Blocks(of.astype(np.int64))
        (count, size), common = blocks.places.shape, len(blocks.border)
        expected = [(common, common), (count, size, common), (count, size, size), (len(sums), blocks.dim), (blocks.dim,), (3,)]
        if [each.shape for each in (*parts, sums, ridge, settings)] != expected:
            shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
            raise StateError(f"the state holds {shapes}, which do not fit together")
        regression = cls(blocks, len(sums), ridge, float(settings[0]))
        regression._weight, regression._since = float(settings[1]), int(settings[2])
        border, across, own = (part / regression._weight for part in parts)
        regression._stored_border, regression._stored_own = border, np.concatenate([own, across], axis=2)
        sums = sums / regression._weight
        regression._sums_border = np.ascontiguousarray(sums[:, blocks.border])
        regression._sums_own = np.ascontiguousarray(blocks.parts(sums).swapaxes(0, 1))
        regression._invert()
        return regression

    @property
    def _size(self) -> int:
        """How long blocks are, p."""
        return self.blocks.places.shape[1]

    def _ridge_of_blocks(self) -> Array:
        """The ridge on the blocks' diagonals, 1 where they are filled up, shape (J, p)."""
        return np.where(self.blocks.real, self.ridge[self.blocks.places], 1.0)

    def _parts(self) -> tuple[Array, Array, Array]:
        """`A` as `Blocks.take_apart` gives it."""
        self._flush_observations()
        own, across = (
            self._weight * part for part in (self._stored_own[:, :, : self._size], self._stored_own[:, :, self._size :])
        )
        return self._weight * self._stored_border, across, own

    def _count(self, new: int) -> None:
        self._pending_rows += new
        self._since += new
        self._forget_answers()
        if self._since >= self._period:
            self._refactor()
        elif self._pending_rows >= MAX_PENDING_ROWS:
            self._flush_observations()

    def _flush_observations(self) -> None:
        """Add the collected observations to `A` and `b`."""
        count, size, self._pending_rows = self._pending_rows, self._size, 0
        if not count:
            return
        rows, values, of = self._rows[:count], self._values[:count], self._blocks_of_rows[:count]
        border = np.ascontiguousarray(rows[:, size:])
        add_products(self._stored_border, border)
        self._sums_border += values.T @ border
        for block in set(of.tolist()):
            mine = of == block
            own = rows[mine, :size].T
            self._stored_own[block] += own @ rows[mine]
            self._sums_own[block] += (own @ values[mine]).T

    def _times_inverse(self, rows: Array) -> Array:
        """Rows times `A^-1`, shape (n, d)."""
        own, inverse, across = self.blocks.parts(rows), self._solved[:, :, : self._size], self._solved[:, :, self._size :]
        border = (rows[:, self.blocks.border] - np.einsum("njp,jpc->nc", own, across, optimize=True)) @ self._inverse_border
        solved = np.einsum("njp,jpq->njq", own, inverse) - np.einsum("jpc,nc->njp", across, border)
        return self.blocks.join(border, solved) / self._weight

    def _refactor(self) -> None:
        self._flush_observations()
        diagonal, lost, weight = np.arange(self._size), 1.0 - self._weight, self._weight
        for array in (self._stored_own, self._stored_border, self._sums_own, self._sums_border):
            np.multiply(array, weight, out=array)
        self._stored_own[:, diagonal, diagonal] += lost * self._ridge_of_blocks()
        self._stored_border[np.diag_indices(len(self._stored_border))] += lost * self.ridge[self.blocks.border]
        self._weight, self._since = 1.0, 0
        self._invert()

    def _invert(self) -> None:
        """G, F, C, theta_0 and t from `A` and `b` (Cholesky)."""
        size, border = self._size, self._stored_border.copy()
        moments, identity = self._sums_border.copy(), np.eye(size)
        for block, (stored, solved) in enumerate(zip(self._stored_own, self._solved, strict=True)):
            factor = _factor(stored[:, :size], self.blocks.places[block])
            solved[:], _ = dpotrs(factor, np.concatenate([identity, stored[:, size:]], axis=1), lower=1)
            border -= stored[:, size:].T @ solved[:, size:]
            moments -= self._sums_own[block] @ solved[:, size:]
        self._spread, self._steps = None, []
        lower = np.tril(dpotri(_factor(border, self.blocks.border), lower=1)[0])
        self._inverse_border = lower + np.tril(lower, -1).T
        self._theta_border = moments @ self._inverse_border
        self._theta_alone = self._sums_own @ self._solved[:, :, :size].swapaxes(1, 2)
        self._forget_answers()


def _factor(matrix: Array, places: NDArray[np.int64]) -> Array:
    factor, failed = dpotrf(matrix, lower=1)
    if failed:
        raise StateError(
            f"A is not positive definite from row {places[failed - 1]} on: its values lie too far apart ("
            f"{np.diag(matrix).min():.3g} to {np.diag(matrix).max():.3g}); scale the features"
        )
    result: Array = factor
    return result
