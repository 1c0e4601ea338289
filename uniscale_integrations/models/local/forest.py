"""A batch whose nodes share what they have in common.

Nodes that continue the same path form a group with one buffer of keys and values: first those of the path, then those of every token
that was fed since, in the order of time. What a node sees of its group's buffer is a row of booleans, so that branching copies
bookkeeping, not caches, until a group has become crowded. All tokens of a pass stand in one row, whatever their group; only attention,
which works group by group, pads them to the widest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from uniscale_integrations.errors import GenerationError
from uniscale_integrations.models.local.attention import NAME, Grid, supports_groups
from uniscale_integrations.models.local.batch import BufferLayer, OpenBatch
from uniscale_integrations.models.local.oom_retry import out_of_memory
from uniscale_integrations.models.local.rows import Rows
from uniscale_integrations.models.local.state import PathState, Segment, empty_state


class _GroupLayer(BufferLayer):
    """One layer's buffers, of the shape (groups, capacity, heads, width), into which flat tokens are written."""

    def __init__(self, keys: Tensor, values: Tensor, length: int, places: Tensor) -> None:
        super().__init__(keys, values, length)
        self._places = places

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        assert self.keys is not None
        assert self.values is not None
        for buffer, states in ((self.keys, key_states), (self.values, value_states)):
            # What is not a number would reach every node of the group, since a weight of zero does not keep it out.
            buffer.flatten(0, 1).index_copy_(0, self._places, states[0].transpose(0, 1).nan_to_num(0.0, 0.0, 0.0))
        return self.keys[:, : self.length].transpose(1, 2), self.values[:, : self.length].transpose(1, 2)


MAX_PADDING_RATIO = 4
"""How many times the attention of rows of their own the attention of groups may compute, before nodes are given groups of their own.

Each node's attention runs over all that its group has fed, and every group is padded to the widest: nodes that have long gone different
ways, or a crowd beside single nodes, make for cells that nobody looks at. Sharing saves copies and memory traffic instead, which is
worth a few times as much a cell."""


class Forest:
    """Nodes in groups, one for each different state that they start from.

    Args:
        model: one that `supports_groups`, with that attention set.
        states: of the nodes; the same object for nodes that continue the same path.
        room: steps to make room for; more are possible.
    """

    def __init__(self, model: PreTrainedModel, states: Sequence[PathState], room: int) -> None:
        self._model = model
        self._lay_out(states, room)

    def _lay_out(self, states: Sequence[PathState], room: int) -> None:
        numbers: dict[int, int] = {}
        self._groups = [numbers.setdefault(id(state), len(numbers)) for state in states]
        self._positions = [state.length for state in states]
        self._prefixes = list({id(state): state for state in states}.values())
        self._prefix = self._end = max(self._positions)
        empty = states[0].segments[0]
        self._keys, self._values = (
            part.new_zeros((len(part), len(self._prefixes), self._end + room, *part.shape[2:])) for part in empty
        )
        mask = torch.zeros((len(self._prefixes), self._end), dtype=torch.bool)
        for group, state in enumerate(self._prefixes):
            place = self._end - state.length
            mask[group, place:] = True
            for keys, values in state.segments:
                end = place + keys.shape[1]
                self._keys[:, group, place:end] = keys
                self._values[:, group, place:end] = values
                place = end
        self._visible = mask[self._groups]
        """What each node sees of its group's buffer, shape (nodes, end)."""

    def step(self, tokens: Sequence[int]) -> Tensor:
        logits: Tensor = self._forward([[token] for token in tokens], {"logits_to_keep": 0}).logits[0]
        return logits

    def read(self, tokens: Sequence[Sequence[int]], score: Callable[[Any], Tensor] | None = None, **options: Any) -> list[Tensor]:
        new = list(map(len, tokens))
        if self._wasteful(new):
            self._regroup(range(len(new)), max(new))
        output = self._forward(tokens, options)
        if score is None:
            return []
        return list(score(output)[0].split([len(new) for new in tokens]))

    def branch(self, nodes: Sequence[int]) -> None:
        self._groups = [self._groups[node] for node in nodes]
        self._positions = [self._positions[node] for node in nodes]
        self._visible = self._visible[list(nodes)]
        live = sorted(set(self._groups))
        if 2 * len(live) <= len(self._prefixes):
            self._forget_all_but(live)
        if self._wasteful([1] * len(nodes)):
            self._regroup(self._alike(), self._end - self._prefix)

    def state(self, node: int, without: int = 0) -> PathState:
        group = self._groups[node]
        places = (self._visible[node, self._prefix :].nonzero()[:, 0] + self._prefix).to(self._keys.device)
        new = Segment(self._keys[:, group].index_select(1, places), self._values[:, group].index_select(1, places))
        return self._prefixes[group].then(new).without(without)

    def traffic_tokens(self, new: Sequence[int] = ()) -> Sequence[float]:
        if new and self._wasteful(new):
            return [float(length) for length in self._positions]
        sharing = Counter(self._groups)
        common = [prefix.length for prefix in self._prefixes]
        return [
            length - common[group] + common[group] / sharing[group]
            for length, group in zip(self._positions, self._groups, strict=True)
        ]

    def _wasteful(self, new: Sequence[int]) -> bool:
        """Whether feeding so many tokens to each node had better be done in rows of their own."""
        nodes, groups = len(new), len(self._prefixes)
        if groups == nodes:
            return False
        widths = [0] * groups
        for tokens, group in zip(new, self._groups, strict=True):
            widths[group] += tokens
        width, most, longest = max(widths), max(new), max(self._positions)
        return groups * width * (self._end + width) > MAX_PADDING_RATIO * nodes * most * (longest + most)

    def _alike(self) -> list[int]:
        """For each node the first that sees the same, with which it can share a group; itself where that would waste as much."""
        first: dict[tuple[int, bytes], int] = {}
        keys = [(group, row.numpy().tobytes()) for group, row in zip(self._groups, self._visible, strict=True)]
        alike = [first.setdefault(key, node) for node, key in enumerate(keys)]
        together = Counter(alike)
        if len(together) * max(together.values()) > MAX_PADDING_RATIO * len(alike):
            return list(range(len(alike)))
        return alike

    def _regroup(self, alike: Sequence[int], room: int) -> None:
        """Lay the nodes out anew, in one group those that are named alike, which must see the same."""
        states = {node: self.state(node) for node in set(alike)}
        self._lay_out([states[node] for node in alike], room)

    def _forget_all_but(self, groups: list[int]) -> None:
        numbers = {group: number for number, group in enumerate(groups)}
        self._groups = [numbers[group] for group in self._groups]
        self._prefixes = [self._prefixes[group] for group in groups]
        self._keys, self._values = self._keys[:, groups], self._values[:, groups]

    def _forward(self, tokens: Sequence[Sequence[int]], options: dict[str, Any]) -> Any:
        groups = len(self._prefixes)
        fill = [0] * groups
        cells, nodes, positions = [], [], []
        for node, (new, group) in enumerate(zip(tokens, self._groups, strict=True)):
            first = self._positions[node]
            for index in range(len(new)):
                cells.append((group, fill[group]))
                fill[group] += 1
                nodes.append(node)
                positions.append(first + index)
            self._positions[node] = first + len(new)
        width, start = max(fill), self._end
        self._make_room(width)
        self._end += width
        capacity = self._keys.shape[2]
        grid, mask = self._grid(cells, nodes, groups, width)
        device = self._keys.device
        places = torch.tensor([group * capacity + start + place for group, place in cells], device=device)
        layers = [_GroupLayer(k, v, self._end, places) for k, v in zip(self._keys, self._values, strict=True)]
        return self._model(
            input_ids=torch.tensor([[token for new in tokens for token in new]], device=device),
            attention_mask=mask.to(device),
            position_ids=torch.tensor([positions], device=device),
            past_key_values=Cache(layers=list(layers)),
            use_cache=True,
            grid=grid,
            **options,
        )

    def _grid(self, cells: list[tuple[int, int]], nodes: list[int], groups: int, width: int) -> tuple[Grid, Tensor]:
        """Where the tokens stand, and what is added to the attention scores, of the shape (groups, 1, width, end)."""
        where = torch.tensor([group * width + place for group, place in cells])
        owners = torch.full((groups * width,), -1).index_copy_(0, where, torch.tensor(nodes))
        token_of = torch.zeros(groups * width, dtype=torch.int64).index_copy_(0, where, torch.arange(len(where)))
        old = self._visible[owners.clamp(min=0)].view(groups, width, -1)
        by_group = owners.view(groups, width)
        # Among the new tokens, one sees those of its own node up to itself; an empty cell sees itself, so that nothing is not a number.
        new = (by_group[:, :, None] == by_group[:, None, :]).tril()
        visible = torch.cat([old, new], dim=-1)
        last = dict(zip(nodes, where.tolist(), strict=True))
        self._visible = visible.flatten(0, 1)[[last[node] for node in range(len(last))]]
        mask = torch.zeros(visible.shape, dtype=self._keys.dtype).masked_fill_(~visible, float("-inf"))
        device = self._keys.device
        return Grid(groups, width, where.to(device), token_of.to(device)), mask[:, None]

    def _make_room(self, new: int) -> None:
        capacity = self._keys.shape[2]
        if self._end + new > capacity:
            more = max(new, capacity // 2)
            self._keys = torch.nn.functional.pad(self._keys, (0, 0, 0, 0, 0, more))
            self._values = torch.nn.functional.pad(self._values, (0, 0, 0, 0, 0, more))


TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}


def batches_for(model: PreTrainedModel) -> OpenBatch:
    """How batches of this model are to be made: as a `Forest` where that gives what `Rows` give, tried once on a few tokens.

    A model that qualifies has its attention set to one that does the same as before outside of such batches.

    Raises:
        GenerationError: not even `Rows` fit it.
    """
    with torch.inference_mode():
        try:
            reference = _probe(model, Rows)
        except RuntimeError as error:
            if out_of_memory(error):
                raise
            raise GenerationError(
                f"the keys and values of {type(model).__name__} cannot be kept per path: {error}; use a model with plain attention"
            ) from error
        if not supports_groups(model):
            return Rows
        before = model.config.get_text_config()._attn_implementation
        model.set_attn_implementation(NAME)
        alike = False
        try:
            alike = torch.allclose(_probe(model, Forest), reference, rtol=0, atol=TOLERANCE.get(model.dtype, 0.05))
        except Exception as error:
            # A model that does not hand extra arguments on to its attention, or makes something of its own of the mask, may raise
            # anything; rows serve it. A lack of memory is not its fault.
            if out_of_memory(error):
                raise
        finally:
            if not alike:
                model.set_attn_implementation(before)
    return Forest if alike else Rows


def _probe(model: PreTrainedModel, kind: OpenBatch) -> Tensor:
    """What a model makes of two texts that branch off the same beginning and one that does not, relative to the largest number."""
    root, size = empty_state(model), model.config.get_text_config().vocab_size
    start = kind(model, [root], 3)
    start.read([[1 % size, 2 % size, 3 % size]])
    common = start.state(0)
    texts = [[4 % size, 5 % size], [5 % size], [3 % size, 2 % size]]
    outputs = kind(model, [common, common, root], 2).read(texts, lambda output: output[0])
    values = torch.cat([values.flatten() for values in outputs]).float()
    return values / values.abs().max()
