"""A batch in which every node has a row and a cache of its own; works with every model that keeps keys and values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from uniscale_integrations.models.local.batch import BufferLayer, pad_right
from uniscale_integrations.models.local.state import PathState, Segment


class _RowLayer(BufferLayer):
    """One layer's cache with room at its end, so that a new token is written, not concatenated."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        end = self.length + key_states.shape[-2]
        assert self.keys is not None
        assert self.values is not None
        self.keys[:, :, self.length : end] = key_states
        self.values[:, :, self.length : end] = value_states
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]


class Rows:
    """The caches of all nodes side by side, padded on the left.

    Args:
        model: a causal language model or a classifier of its tokens.
        states: of the nodes.
        room: steps to make room for; more are possible.
    """

    def __init__(self, model: PreTrainedModel, states: Sequence[PathState], room: int) -> None:
        longest = max(state.length for state in states)
        self._model = model
        empty = states[0].segments[0]
        self._keys, self._values = (
            part.new_zeros((len(part), len(states), part.shape[2], longest + room, part.shape[3])) for part in empty
        )
        self._prefixes = list(states)
        self._starts = torch.tensor([longest - state.length for state in states])
        self._length = longest
        self._ends = [longest] * len(states)
        for row, state in enumerate(states):
            place = longest - state.length
            for keys, values in state.segments:
                end = place + keys.shape[1]
                self._keys[:, row, :, place:end] = keys.transpose(1, 2)
                self._values[:, row, :, place:end] = values.transpose(1, 2)
                place = end

    def step(self, tokens: Sequence[int]) -> Tensor:
        logits: Tensor = self._forward(torch.tensor(tokens)[:, None], None, {"logits_to_keep": 1}).logits[:, -1]
        return logits

    def read(self, tokens: Sequence[Sequence[int]], score: Callable[[Any], Tensor] | None = None, **options: Any) -> list[Tensor]:
        before = self._length
        matrix, lengths = pad_right(tokens, 0)
        output = self._forward(matrix, lengths, options)
        self._ends = [before + len(row) for row in tokens]
        if score is None:
            return []
        values = score(output)
        return [values[row, : len(new)] for row, new in enumerate(tokens)]

    def branch(self, nodes: Sequence[int]) -> None:
        if list(nodes) == list(range(len(self._prefixes))):
            return
        index = torch.tensor(nodes)
        self._starts = self._starts[index]
        spare = int(self._starts.min())
        index = index.to(self._keys.device)
        self._keys, self._values = self._keys[:, index, :, spare:], self._values[:, index, :, spare:]
        self._starts, self._length = self._starts - spare, self._length - spare
        self._prefixes = [self._prefixes[node] for node in nodes]
        self._ends = [self._ends[node] - spare for node in nodes]

    def state(self, node: int, without: int = 0) -> PathState:
        prefix = self._prefixes[node]
        new = slice(int(self._starts[node]) + prefix.length, self._ends[node])
        keys, values = (buffer[:, node, :, new].transpose(1, 2).contiguous() for buffer in (self._keys, self._values))
        return prefix.then(Segment(keys, values)).without(without)

    def traffic_tokens(self, new: Sequence[int] = ()) -> Sequence[float]:
        return [float(self._length - start) for start in self._starts.tolist()]

    def _forward(self, tokens: Tensor, lengths: Tensor | None, options: dict[str, Any]) -> Any:
        """One pass over tokens of the shape (rows, new), padded on the right to `lengths`; padding is seen by no one."""
        new = tokens.shape[1]
        self._make_room(new)
        positions = torch.arange(self._length + new)
        mask = positions[None, :] >= self._starts[:, None]
        places = positions[None, self._length :] - self._starts[:, None]
        if lengths is not None:
            mask &= positions[None, :] < self._length + lengths[:, None]
            # Padding must not ask for positions beyond a context that its row does not exceed.
            places = places.minimum((self._length + lengths - 1 - self._starts)[:, None]).clamp(min=0)
        device = self._keys.device
        layers = [_RowLayer(keys, values, self._length) for keys, values in zip(self._keys, self._values, strict=True)]
        output = self._model(
            input_ids=tokens.to(device),
            attention_mask=mask.long().to(device),
            position_ids=places.to(device),
            past_key_values=Cache(layers=list(layers)),
            use_cache=True,
            **options,
        )
        self._length += new
        self._ends = [self._length] * len(self._ends)
        return output

    def _make_room(self, new: int) -> None:
        capacity = self._keys.shape[3]
        if self._length + new > capacity:
            more = max(new, capacity // 2)
            self._keys = torch.nn.functional.pad(self._keys, (0, 0, 0, more))
            self._values = torch.nn.functional.pad(self._values, (0, 0, 0, more))
