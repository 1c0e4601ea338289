"""What decoding and scoring need of a batch of texts whose caches are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import CacheLayerMixin

from uniscale_integrations.models.local.state import PathState


class Batch(Protocol):
    """Texts, called nodes, with their caches, ready for the next tokens.

    `Rows` gives every node a cache of its own and works with every model; `Forest` lets nodes share what they have in common.
    """

    def step(self, tokens: Sequence[int]) -> Tensor:
        """Feed one token to every node; returns what follows, logits of the shape (nodes, vocabulary)."""
        ...

    def read(self, tokens: Sequence[Sequence[int]], score: Callable[[Any], Tensor] | None = None, **options: Any) -> list[Tensor]:
        """Feed any number of tokens, at least one, to every node. After that nothing but `state` may be asked for.

        Args:
            tokens: ids, per node.
            score: what to take from the model's output, of the shape (rows, positions, ...).
            options: handed to the model.

        Returns:
            per node what `score` took at its tokens, of the shape (tokens, ...); empty without `score`.
        """
        ...

    def branch(self, nodes: Sequence[int]) -> None:
        """Go on with these nodes; one that is named twice has two continuations, one that is not named is dropped."""
        ...

    def state(self, node: int, without: int = 0) -> PathState:
        """The cache of one node, without its last so many tokens."""
        ...

    def traffic_tokens(self, new: Sequence[int] = ()) -> Sequence[float]:
        """Tokens whose keys and values the next pass reads for each node: those of its cache, a part only where nodes share them.

        Args:
            new: how many tokens each node is about to `read`; nothing for a `step`.
        """
        ...


class OpenBatch(Protocol):
    """Makes a batch: the model, the states of its nodes, and for how many steps to make room; more are possible."""

    def __call__(self, model: PreTrainedModel, states: Sequence[PathState], room: int) -> Batch: ...


class BufferLayer(CacheLayerMixin):
    """What layers that write into a buffer have in common; a model only ever calls `update`."""

    is_croppable = False
    is_compileable = False

    def __init__(self, keys: Tensor, values: Tensor, length: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        self.keys, self.values, self.length = keys, values, length
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """The buffers exist from the start."""

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        return self.length

    def get_max_length(self) -> int:
        return -1


def pad_right(rows: Sequence[Sequence[int]], value: int) -> tuple[Tensor, Tensor]:
    """Token rows as one matrix (rows, longest) int64, and their lengths (rows,)."""
    lengths = [len(row) for row in rows]
    longest = max(lengths)
    matrix = [[*row, *[value] * (longest - len(row))] for row in rows]
    return torch.tensor(matrix, dtype=torch.int64), torch.tensor(lengths)
