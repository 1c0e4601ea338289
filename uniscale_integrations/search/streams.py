"""A random stream of its own for every candidate of every path.

A draw depends on the seed, the tree, the text of the path and the candidate's index, and on nothing else: not on the batch it runs
in, not on the order of trees, not on which other paths were stopped. That is what makes runs with and without early stopping, or
under either schedule, comparable path by path.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


def stream(seed: int, tree: int, text: str, index: int) -> np.random.Generator:
    """The random generator of candidate `index` after the path `text` in `tree`.

    >>> bool(stream(0, 1, "2 + 2 = 4", 0).random() == stream(0, 1, "2 + 2 = 4", 0).random())
    True
    """
    digest = blake2b(f"{seed}|{tree}|{index}|{text}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def uniforms(seed: int, tree: int, text: str, index: int, count: int) -> NDArray[np.float64]:
    """The first `count` numbers of that stream, uniform in [0, 1), shape (count,)."""
    return stream(seed, tree, text, index).random(count)
