"""What forward passes of a decoder-only model use: the two terms of eFLOPs, from the model's own shape.

UniScale (arXiv 2605.30898) prices a configuration in equivalent FLOPs, a measure introduced by Kinetics (arXiv 2506.05333):

    eFLOPs = C_comp + I * C_mem

`C_comp` are floating point operations, `C_mem` bytes moved and `I` the hardware's arithmetic intensity. This module gives the
first two; `HardwareProfile.eflops` puts them together. For a row that processes `n` new tokens after `c` cached ones in one pass,
with `P` weights that multiply, `L` layers, `H` query and `K` key-value heads of width `d`, and `b` bytes per number:

    C_comp  = 2 P n  +  4 L H d (n c + n (n + 1) / 2)       new token j sees c + j tokens, itself included
    traffic = 2 L K d b_kv (c + n)                          the cache is read once, the new tokens are written to it
    weights = P b_w                                         once per pass, whatever the number of rows
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from uniscale_integrations.cost.shape import ModelShape
from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.deprecation import former_keywords, former_value
from uniscale_integrations.errors import ConfigurationError

__all__ = ["ModelShape", "Share", "decode_usage", "forward_usage", "row_usages", "tokens_usage"]


@former_keywords(sampled="samples")
def forward_usage(
    shape: ModelShape,
    new_tokens: Sequence[int],
    contexts: Sequence[int],
    *,
    samples: Sequence[int] | None = None,
    prompt: Sequence[int] | None = None,
) -> Usage:
    """The usage of one batched forward pass.

    Args:
        shape: of the model.
        new_tokens: per row, tokens that the pass processes; at least 1. Padding counts where it is computed.
        contexts: per row, tokens already in its key-value cache.
        samples: per row, tokens drawn from the pass's output; none by default.
        prompt: per row, those of the new tokens that the model did not write itself; none by default.

    Returns:
        The whole pass: operations, bytes, and `shape.layers` layers run one after the other.

    Raises:
        ConfigurationError: no rows, sequences of different lengths, or a count that cannot be.

    Example:
        >>> shape = ModelShape(
        ...     parameters=1000, lookup_parameters=0, layers=2, hidden=8, heads=2, kv_heads=1, head_dim=4, vocabulary=16,
        ...     bytes_per_weight=2, bytes_per_kv=2,
        ... )
        >>> forward_usage(shape, [1, 1], [10, 20], samples=[1, 1])
        Usage(prompt_tokens=0.0, completion_tokens=2.0, compute=6048.0, traffic=1024.0, weights=2000.0, weights_alone=4000.0, \
passes=2.0, usd=0.0, compute_saved=0.0, traffic_saved=0.0, cached_tokens=0.0)
    """
    rows = _rows(new_tokens, contexts, samples, prompt)
    tokens = sum(new_tokens)
    context_tokens = sum(_context_sum(n, c) for n, c in zip(new_tokens, contexts, strict=True))
    return Usage(
        prompt_tokens=float(sum(prompt)) if prompt is not None else 0.0,
        completion_tokens=float(sum(samples)) if samples is not None else 0.0,
        compute=2.0 * shape.matmul_parameters * tokens + shape.attention_flops * context_tokens,
        traffic=shape.kv_bytes * (sum(contexts) + tokens),
        weights=shape.weight_bytes,
        weights_alone=shape.weight_bytes * rows,
        passes=float(shape.layers),
    )


@former_keywords(sampled="samples", moved="traffic_tokens")
def row_usages(
    shape: ModelShape,
    new_tokens: Sequence[int],
    contexts: Sequence[int],
    *,
    samples: Sequence[int] | None = None,
    prompt: Sequence[int] | None = None,
    traffic_tokens: Sequence[float] | None = None,
) -> tuple[Usage, ...]:
    """One batched forward pass split over its rows; the parts sum to `forward_usage` of the same arguments.

    A row pays for its own operations and its own cache; reading the weights and launching the layers is shared equally. Where rows share
    a cache, `traffic_tokens` says how many of its tokens were read for each, and the rest of its context is traffic saved.

    Example:
        >>> shape = ModelShape(
        ...     parameters=1000, lookup_parameters=0, layers=2, hidden=8, heads=2, kv_heads=1, head_dim=4, vocabulary=16,
        ...     bytes_per_weight=2, bytes_per_kv=2,
        ... )
        >>> [(row.compute, row.weights, row.passes) for row in row_usages(shape, [1, 1], [10, 20])]
        [(2704.0, 1000.0, 1.0), (3344.0, 1000.0, 1.0)]
    """
    rows = _rows(new_tokens, contexts, samples, prompt, traffic_tokens)
    per_token, attention, kv_bytes = 2.0 * shape.matmul_parameters, shape.attention_flops, shape.kv_bytes
    alone, weights, passes = shape.weight_bytes, shape.weight_bytes / rows, shape.layers / rows
    nothing = (0,) * rows
    return tuple(
        Usage(
            prompt_tokens=float(prompt_part),
            completion_tokens=float(new_samples),
            compute=per_token * n + attention * _context_sum(n, c),
            traffic=kv_bytes * (c + n),
            weights=weights,
            weights_alone=alone,
            passes=passes,
            traffic_saved=kv_bytes * max(0.0, c - cached_tokens),
        )
        for n, c, cached_tokens, new_samples, prompt_part in zip(
            new_tokens, contexts, traffic_tokens or contexts, samples or nothing, prompt or nothing, strict=True
        )
    )


def decode_usage(shape: ModelShape, context: int, steps: int) -> Usage:
    """The usage of one row that decodes alone, `steps` passes of one new token each, in closed form.

    Args:
        shape: of the model.
        context: tokens in the row's cache before its first pass.
        steps: passes, each with one token drawn.

    Raises:
        ConfigurationError: a negative count.

    Example:
        >>> shape = ModelShape(
        ...     parameters=1000, lookup_parameters=0, layers=2, hidden=8, heads=2, kv_heads=1, head_dim=4, vocabulary=16,
        ...     bytes_per_weight=2, bytes_per_kv=2,
        ... )
        >>> alone = decode_usage(shape, context=10, steps=3)
        >>> alone.weights, alone.completion_tokens
        (6000.0, 3.0)
    """
    context_tokens = _context_sum(steps, context)
    return tokens_usage(shape, Share(steps, context_tokens, steps, context_tokens), samples=steps, context_tokens=context_tokens)


class Share(NamedTuple):
    """One candidate's part of the passes of a batch, as running sums, since rows come, go and are shared while a batch decodes.

    Attributes:
        tokens: computed; one that `k` candidates have in common is `1 / k` for each of them.
        context_tokens: tokens that those saw, themselves included, in sum.
        passes: `1 / n` of every pass over `n` different tokens, shared likewise.
        traffic_tokens: tokens whose keys and values were read or written for it, its part of those that several texts share.
    """

    tokens: float = 0.0
    context_tokens: float = 0.0
    passes: float = 0.0
    traffic_tokens: float = 0.0

    @property
    def seen(self) -> float:
        """The former name of `context_tokens`."""
        return float(former_value(self, "seen", "context_tokens"))

    @property
    def moved(self) -> float:
        """The former name of `traffic_tokens`."""
        return float(former_value(self, "moved", "traffic_tokens"))


NO_SHARE = Share()


@former_keywords(drawn="samples", seen="context_tokens")
def tokens_usage(shape: ModelShape, share: Share, *, samples: int, context_tokens: int) -> Usage:
    """The usage of one candidate of a batch that decodes.

    With the sums of what it needs, or of what the passes did for it:

        C_comp = 2 P tokens + 4 L H d context_tokens,    traffic = 2 L K d b_kv traffic_tokens,
        weights = P b_w passes,    passes = L passes

    A candidate by itself moves all that it sees. Added up over all candidates, usage minus what was saved is what the passes did.

    Args:
        shape: of the model.
        share: the candidate's part of the passes.
        samples: its tokens, each of which takes a pass.
        context_tokens: tokens that those saw, themselves included, in sum.

    Raises:
        ConfigurationError: a negative count, or more passes than tokens.

    Example:
        >>> shape = ModelShape(
        ...     parameters=1000, lookup_parameters=0, layers=2, hidden=8, heads=2, kv_heads=1, head_dim=4, vocabulary=16,
        ...     bytes_per_weight=2, bytes_per_kv=2,
        ... )
        >>> share = Share(tokens=1.5, context_tokens=18, passes=1.5, traffic_tokens=18)
        >>> of_two_that_draw_the_same = tokens_usage(shape, share, samples=3, context_tokens=36)
        >>> of_two_that_draw_the_same.compute, of_two_that_draw_the_same.compute_saved
        (8304.0, 4152.0)
    """
    if min(*share, samples, context_tokens) < 0:
        raise ConfigurationError(f"counts cannot be negative, got {share}, {samples=}, {context_tokens=}")
    if share.passes > share.tokens + 1e-6:
        raise ConfigurationError(f"a pass computes at least one token, got {share}")
    compute, traffic = _compute(shape, samples, context_tokens), shape.kv_bytes * context_tokens
    return Usage(
        completion_tokens=float(samples),
        compute=compute,
        traffic=traffic,
        weights=shape.weight_bytes * share.passes,
        weights_alone=shape.weight_bytes * samples,
        passes=shape.layers * share.passes,
        compute_saved=max(0.0, compute - _compute(shape, share.tokens, share.context_tokens)),
        traffic_saved=max(0.0, traffic - shape.kv_bytes * share.traffic_tokens),
    )


def _compute(shape: ModelShape, tokens: float, context_tokens: float) -> float:
    return 2.0 * shape.matmul_parameters * tokens + shape.attention_flops * context_tokens


def _context_sum(new: int, context: int) -> int:
    """Tokens that `new` tokens after `context` see in sum, each itself included."""
    return new * context + new * (new + 1) // 2


def _rows(
    new_tokens: Sequence[int],
    contexts: Sequence[int],
    samples: Sequence[int] | None,
    prompt: Sequence[int] | None,
    traffic_tokens: Sequence[float] | None = None,
) -> int:
    rows = len(new_tokens)
    if rows == 0:
        raise ConfigurationError("a forward pass needs at least one row, got none")
    for name, counts in (("contexts", contexts), ("samples", samples), ("prompt", prompt), ("traffic_tokens", traffic_tokens)):
        if counts is None:
            continue
        if len(counts) != rows:
            raise ConfigurationError(f"new_tokens has {rows} rows but {name} has {len(counts)}; give every row one number")
        if min(counts) < 0:
            raise ConfigurationError(f"{name} holds {min(counts)}; a number of tokens cannot be negative")
    if min(new_tokens) < 1:
        raise ConfigurationError(f"new_tokens holds {min(new_tokens)}; leave out rows that process nothing")
    return rows
