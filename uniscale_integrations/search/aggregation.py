"""From step scores to `V(p)`, and the most that `V(p)` can still become.

Early stopping is exact because every aggregation brings its own upper bound. With steps scored in [0, `upper`] and at most
`horizon` of them, no continuation of a path of `depth` steps and value `value` ends above `bound(value, depth, horizon, upper)`,
and the bound grows with the value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import fsum, nextafter, prod

from uniscale_integrations.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Aggregation:
    """How step scores become a path's value.

    Attributes:
        name: as users give it.
        value: scores (at least one) -> `V(p)`.
        bound: (value, depth, horizon, upper) -> the greatest value that any continuation can end with.
        recovers: whether a low score can be made up for completely by later ones.
        worst: (value, depth, more) -> the least value that so many further steps can lead to.

    Example:
        >>> mean = aggregation("mean")
        >>> mean.value([1.0, 0.5]), mean.bound(0.75, 2, 6, 1.0)
        (0.75, 0.9166666666666666)
    """

    name: str
    value: Callable[[Sequence[float]], float]
    bound: Callable[[float, int, int, float], float]
    recovers: bool = False
    worst: Callable[[float, int, int], float] = lambda value, depth, more: 0.0


def _mean(scores: Sequence[float]) -> float:
    """The mean; rounding neither moves the mean of equal scores nor lifts another one onto its greatest score.

    So a path reaches `upper` exactly where each of its steps does, which the ties of early stopping rest on.
    """
    mean = fsum(scores) / len(scores)
    # Where the scores differ, one of the ends most often lies above the mean and spares a look at all of them.
    if mean < scores[0] != scores[-1] or mean < scores[-1] != scores[0]:
        return mean
    greatest = max(scores)
    if min(scores) == greatest:
        return greatest
    return mean if mean < greatest else nextafter(greatest, 0.0)


def _mean_worst(value: float, depth: int, more: int) -> float:
    return depth * value / (depth + more)


def _mean_bound(value: float, depth: int, horizon: int, upper: float) -> float:
    """UniScale's path-aware bound: `(j * V(p_ij) + (H_max - j) * v_sup) / H_max`."""
    return (depth * value + (horizon - depth) * upper) / horizon


def _last(scores: Sequence[float]) -> float:
    return scores[-1]


def _own_value(value: float, depth: int, horizon: int, upper: float) -> float:
    """A minimum, or a product of factors up to 1, never rises again."""
    return value


def _last_bound(value: float, depth: int, horizon: int, upper: float) -> float:
    return upper if depth < horizon else value


MEAN = Aggregation("mean", _mean, _mean_bound, worst=_mean_worst)
MINIMUM = Aggregation("min", min, _own_value)
LAST = Aggregation("last", _last, _last_bound, recovers=True)
PRODUCT = Aggregation("product", prod, _own_value)

AGGREGATIONS = {each.name: each for each in (MEAN, MINIMUM, LAST, PRODUCT)}


def aggregation(name: str) -> Aggregation:
    """The aggregation of that name.

    Raises:
        ConfigurationError: no such aggregation; names those there are.
    """
    try:
        return AGGREGATIONS[name]
    except KeyError:
        raise ConfigurationError(f"no aggregation {name!r}; there are {', '.join(AGGREGATIONS)}") from None
