"""Ridge heads in a policy's state: `A` whole, or in the parts that blocks leave of it; either form is read as the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.policy.arrowhead import ArrowheadRegression
from uniscale_integrations.policy.blocks import PARTS, Blocks
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.ridge import RidgeRegression, read_arrays


def from_whole(blocks: Blocks, state: Mapping[str, Array]) -> RidgeRegression:
    """What a state that has `A` whole, or in parts of any blocks, tells of coefficients in these.

    Args:
        blocks: those of an observation from now on.
        state: as of `RidgeRegression.state` or `ArrowheadRegression.state`.

    Returns:
        an `ArrowheadRegression` of these blocks, but where `A` couples them one that has it whole.

    Raises:
        StateError: as of `RidgeRegression`.
    """
    if "blocks" in state and np.array_equal(state["blocks"], blocks.of):
        return ArrowheadRegression.from_state(state)
    state = whole_head(state)
    matrix = np.asarray(state.get("A"), dtype=np.float64)
    if matrix.shape != (blocks.dim,) * 2 or blocks.couples(matrix):
        return RidgeRegression.from_state(state)
    parts = dict(zip(PARTS, blocks.take_apart(matrix), strict=True))
    return ArrowheadRegression.from_state({**state, **parts, "blocks": blocks.of.astype(np.float64)})


def head_of(state: Mapping[str, NDArray[Any]], part: str) -> dict[str, Array]:
    """The state of one of a policy's heads, by its name."""
    begin = f"{part}."
    return {name.removeprefix(begin): array for name, array in state.items() if name.startswith(begin)}


def whole_head(state: Mapping[str, Array]) -> dict[str, Array]:
    """The state of a regression with `A` whole, shape (d, d)."""
    if "blocks" not in state:
        return dict(state)
    arrays = read_arrays(state, (*PARTS, "blocks"))
    matrix = Blocks(arrays["blocks"].astype(np.int64)).put_together(*(arrays[name] for name in PARTS))
    return {name: array for name, array in state.items() if name not in (*PARTS, "blocks")} | {"A": matrix}


def whole_heads(state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """A policy's state with `A` of every head whole."""
    result = dict(state)
    for part in in_parts(state):
        names = {f"{part}.{name}": name for name in (*PARTS, "blocks")}
        head = whole_head({short: result.pop(name) for name, short in names.items() if name in state})
        result |= {f"{part}.{name}": array for name, array in head.items()}
    return result


def in_parts(state: Mapping[str, NDArray[Any]]) -> list[str]:
    """The names of the heads in a policy's state whose `A` is in parts."""
    return [name.removesuffix(".blocks") for name in state if name.endswith(".blocks")]
