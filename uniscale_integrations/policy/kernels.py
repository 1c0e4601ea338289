"""Matrix products of the sizes that a bandit needs, without waiting for threads.

A product with a matrix of a few hundred rows takes microseconds. Spread over two threads of a busy machine it can take milliseconds,
because a barrier waits for the one that is not running. To limit a process' threads is the user's to decide. So it is looked up once how
many threads BLAS may take: with one, each product is one call; with more, it is cut into pieces that are too small to be spread.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import daxpy, dgemm, dger, dsymv
from threadpoolctl import threadpool_info

Array = NDArray[np.float64]

MATRIX_VECTOR = 8192
"""Elements of a matrix that is multiplied by a vector in one piece; OpenBLAS takes threads from 9216 on."""

MATRIX_MATRIX = 200_000
"""Multiplications of a product of two matrices done in one piece; OpenBLAS takes threads from 262144 on."""


LINE = 64
"""Bytes of a cache line."""


def align(array: Array) -> Array:
    """A copy in row order that begins with a cache line; a product with it can be twice as fast as where every read takes two lines."""
    buffer = np.empty(array.size + LINE // array.itemsize)
    start = -buffer.ctypes.data % LINE // array.itemsize
    view = buffer[start : start + array.size].reshape(array.shape)
    view[...] = array
    return view


@cache
def one_thread() -> bool:
    """Whether BLAS was limited to one thread when this process first asked."""
    return all(pool["num_threads"] == 1 for pool in threadpool_info() if pool["user_api"] == "blas")


def symmetric_times_vector(matrix: Array, vector: Array) -> Array:
    """`matrix @ vector` for a symmetric matrix, of the shapes (n, n) and (n,); half of it is read where that can be done at once."""
    if one_thread():
        product: Array = dsymv(1.0, matrix.T, vector, lower=1)
        return product
    return _by_rows(matrix, vector, MATRIX_VECTOR // len(vector))


def times_vector(matrix: Array, vector: Array) -> Array:
    """`matrix @ vector`, of the shapes (rows, n) and (n,); the matrix must be contiguous."""
    product: Array = matrix.dot(vector) if one_thread() else _by_rows(matrix, vector, max(1, MATRIX_VECTOR // len(vector)))
    return product


def vector_times(vector: Array, matrix: Array) -> Array:
    """`vector @ matrix`, of the shapes (n,) and (n, k)."""
    alone = one_thread() or matrix.size <= MATRIX_VECTOR
    product: Array = vector.dot(matrix) if alone else vector_times_stack(vector, matrix[None])[0]
    return product


def times_matrix(left: Array, right: Array) -> Array:
    """`left @ right`, of the shapes (rows, k) and (k, n); both must be contiguous."""
    if one_thread():
        return left @ right
    return _by_rows(left, right, MATRIX_MATRIX // max(1, right.size))


def add_products(matrix: Array, rows: Array, sign: float = 1.0) -> None:
    """Add `sign * rows.T @ rows` to a symmetric matrix where it stands, of the shapes (n, n) and (k, n); both must be contiguous."""
    if one_thread():
        dgemm(sign, rows.T, rows.T, beta=1.0, c=matrix.T, trans_b=True, overwrite_c=True)
        return
    matrix += _by_rows(np.ascontiguousarray(sign * rows.T), rows, MATRIX_MATRIX // max(1, rows.size))


def add_outer(matrix: Array, left: Array, right: Array) -> None:
    """Add `left right^T` to a matrix where it stands, of the shapes (rows, n), (rows,) and (n,); the matrix must be contiguous."""
    if len(left) == 1:
        daxpy(right, matrix[0], a=left[0])
    else:
        matrix += left[:, None] * right


def add_rank_one(matrix: Array, left: Array, right: Array) -> None:
    """The same for a matrix of many rows, in one pass over it; all must be contiguous."""
    if one_thread() or matrix.size <= MATRIX_VECTOR:
        dger(1.0, right, left, a=matrix.T, overwrite_x=False, overwrite_y=False, overwrite_a=True)
    else:
        matrix += left[:, None] * right


def vector_times_stack(vector: Array, stack: Array) -> Array:
    """`vector @ matrix` for each matrix of a stack, of the shapes (n,) and (m, n, k); returns (m, k)."""
    width = MATRIX_VECTOR // len(vector)
    if one_thread() or stack.shape[2] <= width:
        return np.asarray(vector @ stack)
    pieces = [vector @ stack[:, :, start : start + width] for start in range(0, stack.shape[2], width)]
    return np.concatenate(pieces, axis=1)


def _by_rows(left: Array, right: Array, limit: int) -> Array:
    rows = len(left)
    if rows <= limit:
        return left @ right
    piece = _piece(rows, max(1, limit))
    whole = rows - rows % piece
    product = (left[:whole].reshape(-1, piece, left.shape[1]) @ right).reshape(whole, *right.shape[1:])
    return product if whole == rows else np.concatenate([product, left[whole:] @ right])


@lru_cache
def _piece(rows: int, limit: int) -> int:
    """Rows of a piece: as many as allowed, or not many fewer where those leave no rest."""
    return next((piece for piece in range(limit, limit // 2, -1) if rows % piece == 0), limit)
