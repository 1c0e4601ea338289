"""Key-value caches of single paths, and one forward pass over many of them.

A path's cache is a `RowState`. `Batch.of` lays the caches of any number of paths side by side, padded on the left, with room for
the tokens to come, so that every new token is one forward pass for all rows and nothing that was computed once is computed again.
Rows leave the batch as soon as they are done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, CacheLayerMixin

from uniscale_integrations.errors import GenerationError


class RowState(NamedTuple):
    """The cache of one path.

    Attributes:
        keys: shape (layers, kv_heads, length, head_dim).
        values: shape (layers, kv_heads, length, head_dim).
    """

    keys: Tensor
    values: Tensor

    @property
    def length(self) -> int:
        return int(self.keys.shape[2])


class _BufferLayer(CacheLayerMixin):
    """One layer's cache in a buffer with room at its end, so that a new token is written, not concatenated."""

    is_croppable = False
    is_compileable = False

    def __init__(self, keys: Tensor, values: Tensor, length: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        self.keys, self.values, self.length = keys, values, length
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """The buffers exist from the start."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        end = self.length + key_states.shape[-2]
        assert self.keys is not None
        assert self.values is not None
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        return self.length

    def get_max_length(self) -> int:
        return -1


class Batch:
    """Rows of paths with their caches, ready for the next tokens.

    Attributes:
        starts: per row, how many padding positions stand before its first token.
        length: cached positions, padding included.
    """

    def __init__(self, model: PreTrainedModel, keys: Tensor, values: Tensor, starts: Tensor, length: int) -> None:
        self._model = model
        self._keys, self._values = keys, values
        self.starts, self.length = starts, length

    @classmethod
    def of(cls, model: PreTrainedModel, states: Sequence[RowState], room: int) -> Batch:
        """The rows of these states side by side, with room for `room` further tokens each."""
        longest = max(state.length for state in states)
        layers, heads, _, width = states[0].keys.shape
        shape = (layers, len(states), heads, longest + room, width)
        keys, values = states[0].keys.new_zeros(shape), states[0].values.new_zeros((*shape[:-1], states[0].values.shape[-1]))
        starts = torch.tensor([longest - state.length for state in states])
        for row, state in enumerate(states):
            keys[:, row, :, longest - state.length : longest] = state.keys
            values[:, row, :, longest - state.length : longest] = state.values
        return cls(model, keys, values, starts, longest)

    def __len__(self) -> int:
        return len(self.starts)

    def forward(self, tokens: Tensor, lengths: Tensor | None = None, **options: Any) -> Any:
        """Feed the next tokens of every row.

        Args:
            tokens: shape (rows, new), int64, padded on the right.
            lengths: shape (rows,), how many of them are real; all of them by default.
            options: handed to the model.

        Returns:
            the model's output; positions beyond a row's length mean nothing.
        """
        new = tokens.shape[1]
        self._make_room(new)
        positions = torch.arange(self.length + new)
        mask = positions[None, :] >= self.starts[:, None]
        if lengths is not None:
            mask &= positions[None, :] < self.length + lengths[:, None]
        layers = [_BufferLayer(k, v, self.length) for k, v in zip(self._keys, self._values, strict=True)]
        places = positions[None, self.length :] - self.starts[:, None]
        if lengths is not None:
            # Padding must not ask for positions beyond a context that its row does not exceed.
            places = places.minimum((self.length + lengths - 1 - self.starts)[:, None])
        places = places.clamp(min=0)
        device = self._keys.device
        output = self._model(
            input_ids=tokens.to(device),
            attention_mask=mask.long().to(device),
            position_ids=places.to(device),
            past_key_values=Cache(layers=list(layers)),
            use_cache=True,
            **options,
        )
        self.length += new
        return output

    def _make_room(self, new: int) -> None:
        capacity = self._keys.shape[3]
        if self.length + new > capacity:
            more = max(new, capacity // 2)
            self._keys = torch.nn.functional.pad(self._keys, (0, 0, 0, more))
            self._values = torch.nn.functional.pad(self._values, (0, 0, 0, more))

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows only."""
        index = torch.tensor(rows)
        self.starts = self.starts[index]
        spare = int(self.starts.min()) if len(rows) else 0
        index = index.to(self._keys.device)
        self._keys, self._values = self._keys[:, index, :, spare:], self._values[:, index, :, spare:]
        self.starts, self.length = self.starts - spare, self.length - spare

    def state(self, row: int, trailing: int = 0) -> RowState:
        """The cache of one row, without its last `trailing` positions."""
        part = slice(int(self.starts[row]), self.length - trailing)
        return RowState(self._keys[:, row, :, part].clone(), self._values[:, row, :, part].clone())


def empty_state(model: PreTrainedModel) -> RowState:
    """The state before the first token.

    Raises:
        GenerationError: the model keeps something else than keys and values (a recurrent state), which cannot be shared by paths.
    """
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    unknown = kinds - {"full_attention", "sliding_attention", "chunked_attention"}
    if unknown or getattr(model, "_is_stateful", False):
        kind = ", ".join(sorted(unknown)) or "recurrent"
        raise GenerationError(
            f"{type(model).__name__} has {kind} layers, whose state cannot be kept per path; use a model with attention alone"
        )
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    nothing = torch.empty((config.num_hidden_layers, heads, 0, width), dtype=model.dtype, device=model.device)
    return RowState(nothing, nothing)


def pad_right(rows: Sequence[Sequence[int]], value: int) -> tuple[Tensor, Tensor]:
    """Token rows as one matrix (rows, longest) int64, and their lengths (rows,)."""
    lengths = torch.tensor([len(row) for row in rows])
    matrix = torch.full((len(rows), int(lengths.max())), value, dtype=torch.int64)
    for i, row in enumerate(rows):
        matrix[i, : len(row)] = torch.tensor(row, dtype=torch.int64)
    return matrix, lengths


def pad_left(rows: Sequence[Sequence[int]], value: int) -> tuple[Tensor, Tensor]:
    """Token rows as one matrix (rows, longest) int64, and how much padding stands before each (rows,)."""
    longest = max(len(row) for row in rows)
    padding = [longest - len(row) for row in rows]
    matrix = [[value] * before + list(row) for before, row in zip(padding, rows, strict=True)]
    return torch.tensor(matrix, dtype=torch.int64), torch.tensor(padding)
