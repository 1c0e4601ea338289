"""What changing the model costs within a session: another one reads the conversation anew, the last one has it in its cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from uniscale_integrations.cost.hardware import HardwareProfile
from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.cost.price import HasPrice
from uniscale_integrations.engine.continuation import Continuation
from uniscale_integrations.engine.estimates import SupportsCostEstimate
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Weights
from uniscale_integrations.policy.policy import Assessment
from uniscale_integrations.search.ports import Generator
from uniscale_integrations.space import Configuration


def extra_cost(
    continuation: Continuation | None, space: Sequence[Configuration], models: Mapping[str, Generator], hardware: HardwareProfile
) -> Array:
    """What each configuration costs more for reading a context that the model of the last answer has in its cache, shape (K,).

    In dollars, or in eFLOPs, as the model counts. Nothing for that model itself. Of another one it is its price of so many input tokens,
    less what they would cost from a cache, where that is known.

    Args:
        continuation: what the request continues.
        space: K configurations.
        models: by name.
        hardware: what prices eFLOPs.
    """
    extra = np.zeros(len(space))
    if continuation is None or continuation.model not in models:
        return extra
    of_model = {
        name: 0.0 if name == continuation.model else _reading(model, continuation.tokens, hardware)
        for name, model in models.items()
    }
    extra[:] = [of_model[configuration.model] for configuration in space]
    return extra


def _reading(model: Generator, tokens: int, hardware: HardwareProfile) -> float:
    """What it takes a model to read so many tokens that are not in its cache, beyond reading them from there."""
    # What runs in this process keeps nothing from request to request; only providers do.
    if not isinstance(model, SupportsCostEstimate) or not isinstance(model, HasPrice):
        return 0.0
    usage = model.plain_usage(tokens, 0)
    cached: float | None = getattr(model.price, "cached_per_million", None)
    return hardware.eflops(usage) or max(0.0, usage.usd - tokens * (cached or 0.0) / 1e6)


def with_extra_cost(belief: Assessment, extra: Array, scale: CostScale, objective: Weights) -> Assessment:
    """An assessment in which configurations cost more than was learned of them.

    Args:
        belief: what was learned.
        extra: in the scale's unit, shape (K,).
        scale: of `C~`.
        objective: the weights of the reward.
    """
    costs = np.array([scale.cost(position) for position in np.clip(belief.cost, 0.0, 1.0)])
    more = np.log1p(extra / costs) / scale.span
    return replace(belief, cost=belief.cost + more, reward=belief.reward - objective.parts[2] * more)
