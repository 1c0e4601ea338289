"""Attention for flat batches: the tokens of a pass stand in one row, and attend within groups that share keys and values.

Registered with transformers under `NAME`. Whatever else a model is asked to do goes on as with its usual "sdpa" attention.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "uniscale_groups"


class Grid(NamedTuple):
    """Where the tokens of a pass stand in their groups.

    Attributes:
        groups: how many there are.
        width: tokens of the largest.
        cells: shape (tokens,), int64, each token's place in the grid of groups * width cells.
        tokens: shape (groups * width,), int64, the token that stands in each cell; the first where none does.
    """

    groups: int
    width: int
    cells: Tensor
    tokens: Tensor


def grouped_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    grid: Grid | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention of each token to the keys of its group.

    Args:
        module: the model's attention layer.
        query: shape (1, heads, tokens, head_dim).
        key: shape (groups, kv_heads, places, head_dim).
        value: likewise.
        attention_mask: shape (groups, 1, width, places), added to the scores.
        grid: where the tokens stand; without it this is transformers' own attention.

    Returns:
        what the tokens took up, of the shape (1, tokens, heads, head_dim).
    """
    if grid is None:
        plain: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
        return plain
    heads, width = query.shape[1], query.shape[3]
    spread = query[0].transpose(0, 1).index_select(0, grid.tokens)
    spread = spread.view(grid.groups, grid.width, heads, width).transpose(1, 2)
    output = sdpa_attention_forward(module, spread, key, value, attention_mask, **kwargs)[0]
    return output.flatten(0, 1).index_select(0, grid.cells)[None], None


AttentionInterface.register(NAME, grouped_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)


def supports_groups(model: PreTrainedModel) -> bool:
    """Whether a model's attention can be replaced by this one: it leaves the choice to transformers, and sees everything before."""
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None)
    windows = set(kinds) != {"full_attention"} if kinds else getattr(config, "sliding_window", None) is not None
    return model._supports_attention_backend and config._attn_implementation in ("sdpa", NAME) and not windows
