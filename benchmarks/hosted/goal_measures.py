"""How near plays came to what was asked of all requests together: per order, and over all orders of a kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.hosted.goals import Goal, cheapest_mix, expected_correct
from benchmarks.hosted.kind import Kind
from benchmarks.hosted.sampling import Floats, Integers
from benchmarks.hosted.traffic import Traffic
from uniscale_integrations.policy.targets import AtLeast, Within
from uniscale_integrations.replay.yardsticks import best_mix

GOAL_PARTS = ("whole", "last half")
"""What of an order is looked at."""


@dataclass(frozen=True, slots=True)
class GoalOrder:
    """What one order came to; means a request.

    Attributes:
        asked: the share of right answers, or USD.
        at_least: whether it is a share of right answers.
        policy: accuracy as it was, accuracy expected of the choices by true skills, and dollars in each of `GOAL_PARTS`, shape (2, 3).
        mix: accuracy and dollars of the cheapest mix in each, shape (2, 2).
        blind: likewise of the best mix of two configurations that does not look at the requests.
    """

    asked: float
    at_least: bool
    policy: Floats
    mix: Floats
    blind: Floats


def measure_goal(kind: Kind, traffic: Traffic, goal: Goal, choices: Integers) -> GoalOrder:
    """What an order came to.

    Args:
        kind: that the traffic was drawn from.
        traffic: the requests.
        goal: what they were played for.
        choices: the configuration that answered each request, shape (T,).
    """
    target, times = goal.target(kind, traffic), np.arange(len(traffic))
    expected = expected_correct(kind, traffic)
    columns = np.stack([array[times, choices] for array in (traffic.correct, expected, traffic.dollars)], axis=1)
    parts = (slice(None), slice(len(traffic) // 2, None))
    there = np.where(traffic.available, expected, -np.inf)
    return GoalOrder(
        target.accuracy if isinstance(target, AtLeast) else target.mean_cost,
        isinstance(target, AtLeast),
        np.stack([columns[part].mean(axis=0) for part in parts]),
        np.stack([cheapest_mix(there[part], traffic.expected_dollars[part], target) for part in parts]),
        np.stack([_blind_mix(traffic, expected, part, target) for part in parts]),
    )


def _blind_mix(traffic: Traffic, expected: Floats, part: slice, target: AtLeast | Within) -> tuple[float, float]:
    always = traffic.available[part].all(axis=0)
    mix = best_mix(target, expected[part][:, always].mean(axis=0), traffic.expected_dollars[part][:, always].mean(axis=0))
    return mix.accuracy, mix.cost


def goal_summary(orders: Sequence[GoalOrder]) -> dict[str, Any]:
    """Over all orders of a kind, JSON-ready."""
    policy, mix, blind = (np.mean([getattr(order, name) for order in orders], axis=0) for name in ("policy", "mix", "blind"))
    asked = float(np.mean([order.asked for order in orders]))
    accuracy, expected, dollars = (dict(zip(GOAL_PARTS, column.tolist(), strict=True)) for column in policy.T)
    best_accuracy, least_dollars = (dict(zip(GOAL_PARTS, column.tolist(), strict=True)) for column in mix.T)
    blind_accuracy, blind_dollars = (dict(zip(GOAL_PARTS, column.tolist(), strict=True)) for column in blind.T)
    # Where one order is short of what was asked and another beyond it, their mean is right; so each counts by how far off it is.
    misses = [abs(order.policy[1, 1 if order.at_least else 2] - order.asked) for order in orders]
    return {
        "asked": asked,
        "at_least": orders[0].at_least,
        "accuracy": accuracy,
        "expected_accuracy": expected,
        "dollars_per_1000": {part: 1000.0 * each for part, each in dollars.items()},
        "mix": {"accuracy": best_accuracy, "dollars_per_1000": {part: 1000.0 * each for part, each in least_dollars.items()}},
        "blind": {"accuracy": blind_accuracy, "dollars_per_1000": {part: 1000.0 * each for part, each in blind_dollars.items()}},
        "blind_cost_ratio": {part: dollars[part] / blind_dollars[part] for part in GOAL_PARTS},
        "cost_ratio": {part: dollars[part] / least_dollars[part] for part in GOAL_PARTS},
        "accuracy_ratio": {part: accuracy[part] / best_accuracy[part] for part in GOAL_PARTS},
        "mean_miss": float(np.mean(misses)),
    }


def goals_overall(by_kind: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    """Over all kinds for one goal, in the last half: the median and the worst of what is short, and of what it costs against the mixes."""
    rows, half = {kind: found[name] for kind, found in by_kind.items()}, "last half"
    if next(iter(rows.values()))["at_least"]:
        short = {kind: row["asked"] - row["expected_accuracy"][half] for kind, row in rows.items()}
        against = {name: {kind: row[name][half] for kind, row in rows.items()} for name in ("cost_ratio", "blind_cost_ratio")}
        return {measure: _median_and_worst(of) for measure, of in ({"short": short} | against).items()}
    cost = {kind: row["dollars_per_1000"][half] / (1000.0 * row["asked"]) for kind, row in rows.items()}
    lost = {
        name: {kind: row[mix]["accuracy"][half] - row["expected_accuracy"][half] for kind, row in rows.items()}
        for name, mix in (("short", "mix"), ("blind_short", "blind"))
    }
    return {measure: _median_and_worst(of) for measure, of in ({"cost": cost} | lost).items()}


def _median_and_worst(by_kind: dict[str, float]) -> dict[str, Any]:
    worst = max(by_kind, key=lambda kind: by_kind[kind])
    return {"median": float(np.median(list(by_kind.values()))), "worst": {"kind": worst, "value": by_kind[worst]}}


def goal_table(name: str, by_kind: dict[str, dict[str, Any]]) -> Table:
    """What was asked in every kind, what came of it in the last half, and the cheapest mixes, with and without knowing skills."""
    table, half = Table(title=f"{name}: the last half, and the cheapest mix that knows all skills and costs"), "last half"
    columns = "kind", "asked", "right", "expected", "$/1000", "mix right", "mix $/1000", "cost / mix", "cost / blind"
    for column in columns:
        table.add_column(column, justify="left" if column == "kind" else "right", no_wrap=True)
    for kind, found in by_kind.items():
        row = found[name]
        figures = (row["asked"], row["accuracy"][half], row["expected_accuracy"][half], row["dollars_per_1000"][half])
        mix = (
            row["mix"]["accuracy"][half],
            row["mix"]["dollars_per_1000"][half],
            row["cost_ratio"][half],
            row["blind_cost_ratio"][half],
        )
        table.add_row(kind, f"{figures[0]:.5g}", *(f"{figure:.3f}" for figure in (*figures[1:], *mix)))
    return table
