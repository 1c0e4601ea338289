"""The key-value cache of one path, as a chain of pieces that paths share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from uniscale_integrations.errors import GenerationError


class Segment(NamedTuple):
    """Keys and values of consecutive tokens, each of the shape (layers, tokens, kv_heads, head_dim)."""

    keys: Tensor
    values: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class PathState:
    """The cache of one path. Paths that branch off the same one hold its segments, not copies of them.

    Attributes:
        segments: in the order of the text; the first is the empty one of the model.
        length: tokens in all of them.
    """

    segments: tuple[Segment, ...]
    length: int

    def then(self, segment: Segment) -> PathState:
        """This path continued."""
        return PathState((*self.segments, segment), self.length + segment.keys.shape[1])

    def without(self, tokens: int) -> PathState:
        """This path without its last so many tokens."""
        segments = list(self.segments)
        remaining = tokens
        while remaining:
            keys, values = segments.pop()
            length = max(0, keys.shape[1] - remaining)
            remaining -= keys.shape[1] - length
            if length or not segments:
                segments.append(Segment(keys[:, :length], values[:, :length]))
        return PathState(tuple(segments), self.length - tokens)


def empty_state(model: PreTrainedModel) -> PathState:
    """The state before the first token.

    Raises:
        GenerationError: the model keeps something else than keys and values (a recurrent state), which cannot be shared by paths.
    """
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    unsupported_kinds = kinds - {"full_attention", "sliding_attention", "chunked_attention"}
    if unsupported_kinds or getattr(model, "_is_stateful", False):
        kind = ", ".join(sorted(unsupported_kinds)) or "recurrent"
        raise GenerationError(
            f"{type(model).__name__} has {kind} layers, whose state cannot be kept per path; use a model with attention alone"
        )
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    nothing = torch.empty((config.num_hidden_layers, 0, heads, width), dtype=model.dtype, device=model.device)
    return PathState((Segment(nothing, nothing),), 0)


def context_length(model: PreTrainedModel) -> int:
    """The most tokens that a path may have.

    Rotary embeddings of the kinds "longrope" and "dynamic" turn other angles once any text of a batch is longer than what the model was
    first trained on. Caches kept from before would no longer fit, nor would shorter texts of the batch, so that length is the limit.
    """
    config = model.config.get_text_config()
    limit = int(config.max_position_embeddings)
    parameters = getattr(config, "rope_parameters", None) or {}
    for rope in (parameters, *(each for each in parameters.values() if isinstance(each, dict))):
        if rope.get("rope_type") in ("longrope", "dynamic"):
            limit = min(limit, int(rope.get("original_max_position_embeddings") or limit))
    return limit
