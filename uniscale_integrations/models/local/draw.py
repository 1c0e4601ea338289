"""Drawing tokens: several candidates may draw from the same distribution, each with a uniform number of its own."""

from __future__ import annotations

import torch
from torch import Tensor


def draw(logits: Tensor, nodes: Tensor, uniforms: Tensor, temperatures: Tensor, top_ps: Tensor) -> tuple[Tensor, Tensor]:
    """Sample by inverting the cumulative distribution, so that a candidate's token depends on its own number only.

    Args:
        logits: shape (nodes, vocabulary).
        nodes: shape (candidates,), int64, the distribution that each candidate draws from.
        uniforms: shape (candidates,), float64, in [0, 1).
        temperatures: shape (nodes,), float64; 0 takes the most likely token.
        top_ps: shape (nodes,), float64; the smallest set of tokens with at least this probability is kept.

    Returns:
        token ids (candidates,) int64, and their log-probabilities under the model itself, (candidates,) float64.
    """
    logits = logits.double().cpu()
    log_probabilities = torch.log_softmax(logits, dim=-1)
    greedy = temperatures == 0
    if bool(greedy.all()):
        choice = log_probabilities.argmax(dim=-1)[nodes]
    else:
        weights = torch.softmax(logits / temperatures.masked_fill(greedy, 1.0)[:, None], dim=-1)
        if bool((top_ps < 1).any()):
            weights = _nucleus(weights, top_ps)
        cumulative = weights.cumsum(dim=-1)[nodes]
        total = cumulative[:, -1:]
        # A product that rounds up to the total would point behind the last token that has any weight.
        targets = (uniforms[:, None] * total).minimum(total.nextafter(torch.zeros_like(total)))
        choice = torch.searchsorted(cumulative, targets, right=True)[:, 0].clamp(max=logits.shape[-1] - 1)
        if bool(greedy.any()):
            choice = torch.where(greedy[nodes], log_probabilities.argmax(dim=-1)[nodes], choice)
    return choice, log_probabilities[nodes, choice]


def _nucleus(weights: Tensor, top_ps: Tensor) -> Tensor:
    descending, order = weights.sort(dim=-1, descending=True)
    beyond = descending.cumsum(dim=-1) - descending >= top_ps[:, None]
    beyond[:, 0] = False
    return weights.scatter(-1, order, descending.masked_fill(beyond, 0.0))
