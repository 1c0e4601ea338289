"""What changing the model costs within a session: another one reads the conversation anew, the last one has it in its cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from uniscale_integrations.cost.hardware import HardwareProfile
from uniscale_integrations.cost.price import HasPrice
from uniscale_integrations.engine.continuation import Continuation
from uniscale_integrations.engine.estimates import SupportsCostEstimate
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.search.ports import Generator
from uniscale_integrations.space import Configuration

CACHED_SHARE = 0.5
"""Of its price that an input token costs from a cache, where the price list does not say; providers charge a tenth to a half."""


def saved_by_staying(
    continuation: Continuation,
    space: Sequence[Configuration],
    models: Mapping[str, Generator],
    hardware: HardwareProfile,
    paths: Array,
) -> Array:
    """What each configuration costs less, as numbers of at most 0, since its model has the context in its cache, shape (K,).

    In dollars, or in eFLOPs, as the model counts. Those of other models read it anew, which is what they cost anyway.

    Args:
        continuation: what the request continues.
        space: K configurations.
        models: by name.
        hardware: what prices eFLOPs.
        paths: how often each reads the conversation, shape (K,).
    """
    model = models.get(continuation.model)
    saved = 0.0 if model is None else _saved(model, continuation.tokens, hardware)
    return np.array([-saved if each.model == continuation.model else 0.0 for each in space]) * paths


def _saved(model: Generator, tokens: int, hardware: HardwareProfile) -> float:
    """What it takes a model less to read so many tokens from its cache than to read them anew."""
    # What runs in this process keeps nothing from request to request; only servers do.
    if not isinstance(model, SupportsCostEstimate) or not isinstance(model, HasPrice):
        return 0.0
    usage = model.plain_usage(tokens, 0)
    cached = None if model.price is None else model.price.cached_per_million
    if cached is not None:
        return max(0.0, usage.usd - tokens * cached / 1e6)
    return (1.0 - CACHED_SHARE) * (hardware.eflops(usage) or usage.usd)
