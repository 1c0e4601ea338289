"""Which coefficients no observation brings together: those of different models, that have only their common ones between them."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.kernels import Array

BORDER = -1
"""Stands for a block where a coefficient belongs to none."""

PARTS = ("A.border", "A.across", "A.own")
"""Names of what stands for `A` in a state: its parts as `Blocks.take_apart` gives them."""


class Blocks:
    """Coefficients in J blocks and a border: an observation is 0 in all blocks but one, so that `A` couples no two of them.

    Args:
        of: the block of each coefficient, 0 to J - 1, or `BORDER`, shape (d,), int64.

    Attributes:
        of: as given.
        border: places of the border's c coefficients, shape (c,).
        in_border: the same, as an index.
        places: places of each block's coefficients, the blocks filled up to the same length p with the place 0, shape (J, p).
        real: which of these stand for a coefficient, shape (J, p), bool.

    Raises:
        ConfigurationError: no border, or a block without a coefficient.

    Example:
        >>> blocks = Blocks(np.array([-1, 0, 0, 1, 0]))
        >>> blocks.places.tolist(), blocks.real.tolist()
        ([[1, 2, 4], [3, 0, 0]], [[True, True, True], [True, False, False]])
    """

    def __init__(self, of: NDArray[np.int64]) -> None:
        self.of = of
        self.border = np.flatnonzero(of == BORDER)
        places = [np.flatnonzero(of == block) for block in range(int(of.max(initial=BORDER)) + 1)]
        if not places or not len(self.border) or not all(map(len, places)) or of.min() < BORDER:
            raise ConfigurationError(f"coefficients need a border and blocks from 0 on, none of them empty, got {of!r:.80}")
        self.places = np.zeros((len(places), max(map(len, places))), dtype=np.int64)
        self.real = np.zeros(self.places.shape, dtype=np.bool_)
        for row, real, each in zip(self.places, self.real, places, strict=True):
            row[: len(each)], real[: len(each)] = each, True
        self._sizes = [len(each) for each in places]
        # A view where the border comes first, as it does in products.
        first = np.array_equal(self.border, np.arange(len(self.border)))
        self.in_border: slice | NDArray[np.int64] = slice(0, len(self.border)) if first else self.border

    @property
    def dim(self) -> int:
        """How many coefficients there are, d."""
        return len(self.of)

    @property
    def size(self) -> int:
        """Numbers that a matrix which couples no two blocks is kept in."""
        count, longest = self.places.shape
        return len(self.border) ** 2 + count * longest * (longest + len(self.border))

    def block_of(self, x: Array) -> int:
        """The block in which a vector of the shape (d,) is not 0; the first where it is 0 in all.

        Raises:
            ConfigurationError: it is not 0 in several.
        """
        touched = self.of[x.nonzero()[0]]
        block = int(touched.max(initial=BORDER))
        if block == BORDER:
            return 0
        if not ((touched == block) | (touched == BORDER)).all():
            raise ConfigurationError("an observation must be 0 in all blocks but one")
        return block

    def part(self, x: Array, block: int) -> Array:
        """A vector's coefficients in a block, 0 where that was filled up, shape (p,)."""
        part: Array = x[self.places[block]]
        if self._sizes[block] < len(part):
            part[self._sizes[block] :] = 0.0
        return part

    def parts(self, rows: Array) -> Array:
        """Those of rows, shape (..., d), in all blocks, shape (..., J, p)."""
        return np.where(self.real, rows[..., self.places], 0.0)

    def join(self, border: Array, parts: Array) -> Array:
        """Vectors of the shape (..., d) from their border, shape (..., c), and their blocks, shape (..., J, p)."""
        joined = np.empty((*border.shape[:-1], self.dim))
        joined[..., self.border] = border
        joined[..., self._order] = parts.reshape(*parts.shape[:-2], -1) if self._full else parts[..., self.real]
        return joined

    def couples(self, matrix: Array) -> bool:
        """Whether a symmetric matrix of the shape (d, d) couples any two blocks."""
        border, across, own = self.take_apart(matrix)
        fillers = self.real.size - int(self.real.sum())
        kept = np.count_nonzero(border) + 2 * np.count_nonzero(across) + np.count_nonzero(own) - fillers
        return bool(np.count_nonzero(matrix) != kept)

    def take_apart(self, matrix: Array) -> tuple[Array, Array, Array]:
        """A symmetric matrix without what couples blocks; where these are filled up it has a 1 on its diagonal.

        Args:
            matrix: shape (d, d).

        Returns:
            the border's part, shape (c, c), the blocks with the border, shape (J, p, c), and with themselves, shape (J, p, p).
        """
        border = matrix[np.ix_(self.border, self.border)]
        across = matrix[self.places[:, :, None], self.border] * self.real[:, :, None]
        own = matrix[self.places[:, :, None], self.places[:, None, :]] * (self.real[:, :, None] & self.real[:, None, :])
        block, place = (~self.real).nonzero()
        own[block, place, place] = 1.0
        return border, across, own

    def put_together(self, border: Array, across: Array, own: Array) -> Array:
        """The matrix, shape (d, d), of what `take_apart` gives."""
        matrix = np.zeros((self.dim, self.dim))
        matrix[np.ix_(self.border, self.border)] = border
        for places, real, with_border, with_own in zip(self.places, self.real, across, own, strict=True):
            there = places[real]
            matrix[np.ix_(there, self.border)] = with_border[real]
            matrix[np.ix_(self.border, there)] = with_border[real].T
            matrix[np.ix_(there, there)] = with_own[np.ix_(real, real)]
        return matrix

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """Places of all blocks' coefficients, block by block."""
        return self.places[self.real]

    @cached_property
    def _full(self) -> bool:
        return bool(self.real.all())
