"""What targets are measured by: which fixed configuration, or which mix of two, does best what was asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.targets import AtLeast, Target, Within


@dataclass(frozen=True, slots=True)
class Mix:
    """Two configurations, each taken for a share of the requests whatever they ask.

    Attributes:
        arms: their numbers; the same one twice where one alone does it.
        share: of the second one.
        accuracy: mean correctness.
        cost: mean cost.
    """

    arms: tuple[int, int]
    share: float
    accuracy: float
    cost: float


def merit(target: Target, accuracy: float, cost: float) -> tuple[bool, float]:
    """The greater, the better is what a target asks for done: first that it is met, then at how little cost, or how often right.

    Example:
        >>> max([(0.95, 3.0), (0.91, 2.0), (0.8, 1.0)], key=lambda each: merit(AtLeast(0.9), *each))
        (0.91, 2.0)
        >>> max([(0.95, 3.0), (0.91, 2.0), (0.8, 1.0)], key=lambda each: merit(Within(1.5), *each))
        (0.8, 1.0)
    """
    if isinstance(target, AtLeast):
        met = accuracy >= target.accuracy
        return met, -cost if met else accuracy
    met = not isinstance(target, Within) or cost <= target.mean_cost
    return met, accuracy if met else -cost


def best_mix(target: Target, accuracy: Array, costs: Array) -> Mix:
    """The best mix of two configurations that does not look at the questions; one that fails least where none can do what is asked for.

    Args:
        target: what is asked for.
        accuracy: mean correctness of each configuration, shape (K,).
        costs: mean cost of each, likewise.

    Example:
        >>> mix = best_mix(AtLeast(0.8), np.array([0.7, 0.9]), np.array([1.0, 5.0]))
        >>> mix.arms, round(mix.share, 6), round(mix.cost, 6)
        ((0, 1), 0.5, 3.0)
    """
    mixes = []
    for cheap in range(len(costs)):
        for dear in range(len(costs)):
            share = _share(target, accuracy[[cheap, dear]], costs[[cheap, dear]]) if cheap != dear else 0.0
            mean_accuracy, cost = (float(each[cheap] + share * (each[dear] - each[cheap])) for each in (accuracy, costs))
            mixes.append(Mix((cheap, dear if share else cheap), round(share, 12), round(mean_accuracy, 12), cost))
    return max(mixes, key=lambda mix: merit(target, mix.accuracy, mix.cost * (1.0 - 1e-9)))


def _share(target: Target, accuracy: Array, costs: Array) -> float:
    """The share of the second of two configurations at which the target is just met, in [0, 1]."""
    if isinstance(target, AtLeast):
        goal, (first, second) = target.accuracy, accuracy
    else:
        goal, (first, second) = target.mean_cost if isinstance(target, Within) else costs[0], costs
    # Of Python's numbers a quotient that is too great is infinite, without a warning.
    return float(np.clip(float(goal - first) / float(second - first), 0.0, 1.0)) if second != first else 0.0
