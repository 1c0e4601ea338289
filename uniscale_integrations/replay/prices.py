"""What a policy knows of costs before the first question of a replay: as much as an engine on its first day, which has a price list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import nnls

from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.engine.estimates import answers_sampled
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.rates import Rates
from uniscale_integrations.space import Configuration

COSTS = ("cold", "known")
"""How much is known beforehand: a price for each model, or the mean cost of each configuration."""

MAX_MISFIT = 0.1
"""By how much, in proportion, prices per token may miss the mean cost of a configuration, or costs are no matter of tokens alone."""


def check_costs(costs: str) -> None:
    """That this is a setting that there is.

    Raises:
        ConfigurationError: it is none.
    """
    if costs not in COSTS:
        raise ConfigurationError(f"no costs {costs!r}; there are {', '.join(COSTS)}")


def plain_costs(configurations: Sequence[Configuration], means: Array) -> Array:
    """What a plain call of each configuration's model costs on average, shape (K,).

    Of a model without a plain call in the table it is told from its searches, by the paths that they are expected to take.

    Args:
        configurations: K of them.
        means: mean cost of each, shape (K,).

    Example:
        >>> plain_costs([Configuration("a"), Configuration("a", 4), Configuration("b", 2)], np.array([1.0, 3.0, 8.0])).tolist()
        [1.0, 1.0, 4.0]
    """
    per_path = means / np.array([answers_sampled(each) for each in configurations])
    result = np.empty(len(configurations))
    for model in dict.fromkeys(each.model for each in configurations):
        own = [arm for arm, each in enumerate(configurations) if each.model == model]
        plain = [arm for arm in own if configurations[arm].plain] or own
        result[own] = per_path[plain].mean()
    return result


def token_prices(configurations: Sequence[Configuration], costs: Array, tokens: Array) -> Array | None:
    """What models charge for a token that is read and for one that is sampled, shape (K, 2), as a table's own rows tell.

    Non-negative least squares of the rows of each model, by relative error. `None` where costs are no matter of tokens alone, as those of
    models of one's own, whose searches share what they have read.

    Args:
        configurations: K of them.
        costs: shape (Q, K, S).
        tokens: read and sampled, shape (2, Q, K, S).

    Example:
        >>> tokens = np.array([[[[100.0]], [[300.0]]], [[[50.0]], [[20.0]]]])
        >>> token_prices([Configuration("a")], 2e-6 * tokens[0] + 8e-6 * tokens[1], tokens).round(9).tolist()
        [[2e-06, 8e-06]]
    """
    if not (costs > 0).all():
        return None
    prices = np.empty((len(configurations), 2))
    for model in dict.fromkeys(each.model for each in configurations):
        own = [arm for arm, each in enumerate(configurations) if each.model == model]
        shares = (tokens[:, :, own] / costs[:, own]).reshape(2, -1).T
        # Columns of one size, or rounding decides.
        size = np.maximum(shares.max(axis=0), 1e-300)
        prices[own] = nnls(shares / size, np.ones(len(shares)))[0] / size
    fitted = np.einsum("kp,pqks->k", prices, tokens) / costs.sum(axis=(0, 2))
    return prices if (np.abs(fitted - 1.0) <= MAX_MISFIT).all() else None


def first_day_rates(configurations: Sequence[Configuration], costs: Array, tokens: Array | None, scale: CostScale) -> Rates:
    """What an engine knows of costs on its first day: what models charge for tokens, or an estimate of a plain call of each.

    Args:
        configurations: K of them.
        costs: shape (Q, K, S).
        tokens: read and sampled, shape (2, Q, K, S), where they are known.
        scale: on which `C~` is a position.
    """
    paths = [answers_sampled(each) for each in configurations]
    prices = None if tokens is None else token_prices(configurations, costs, tokens)
    if prices is not None:
        return replace(Rates.of_tokens(paths, [(read * 1e6, sampled * 1e6) for read, sampled in prices.tolist()]), scale=scale)
    plain = plain_costs(configurations, costs.mean(axis=(0, 2)))
    # What costs nothing has no logarithm: it counts as the cheapest.
    return Rates.of_estimates(np.where(plain > 0, plain, scale.cheapest) * paths, paths, scale)
