"""What plays came to: per order, and over all orders of a kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from benchmarks.hosted.kind import Kind
from benchmarks.hosted.objectives import Objective
from benchmarks.hosted.sampling import Floats, Integers
from benchmarks.hosted.traffic import Traffic
from benchmarks.hosted.yardsticks import alone, fixed, rule, to_be_found

PARTS = ("whole", "first 200", "last half")
"""What of an order is looked at."""

TRIES = 10
"""After so many tries of a model it counts as found."""

COLUMNS = ("reward", "accuracy", "dollars")


@dataclass(frozen=True, slots=True)
class Order:
    """What one order came to; means a request.

    Attributes:
        policy: reward, accuracy and dollars in each of `PARTS`, shape (3, 3).
        rule: the same of the rule that knows the kinds.
        alone: the same of each model alone, by name.
        fixed: reward of every fixed configuration in each of `PARTS`, shape (C, 3).
        names: of those.
        value: what a right answer is worth, in the unit of the rewards.
        found_after: for each model that is best on some topic, requests from its coming until it had been tried ten times.
    """

    policy: Floats
    rule: Floats
    alone: dict[str, Floats]
    fixed: Floats
    names: tuple[str, ...]
    value: float
    found_after: dict[str, int]


def columns(traffic: Traffic, rewards: Floats, choices: Integers) -> Floats:
    """Reward, accuracy and dollars of some choices, shape (T, 3)."""
    times = np.arange(len(traffic))
    return np.stack([array[times, choices] for array in (rewards, traffic.correct, traffic.dollars)], axis=1)


def measure(kind: Kind, traffic: Traffic, objective: Objective, played: Floats, first: Integers) -> Order:
    """What an order came to.

    Args:
        kind: that the traffic was drawn from.
        traffic: the requests.
        objective: what they were played for.
        played: reward, accuracy and dollars of each request, shape (T, 3).
        first: the configuration that each request was first given to, shape (T,).
    """
    rewards = objective.rewards(traffic)
    names, choices = fixed(traffic)
    models, plain = alone(traffic)
    found = {kind.models[model].name: _found_after(traffic, first, model) for model in to_be_found(kind, traffic, objective)}
    return Order(
        policy=_parts(played),
        rule=_parts(columns(traffic, rewards, rule(kind, traffic, objective))),
        alone={name: _parts(columns(traffic, rewards, row)) for name, row in zip(models, plain, strict=True)},
        fixed=np.stack([_parts(columns(traffic, rewards, row))[:, 0] for row in choices]),
        names=names,
        value=float(objective.values(traffic).mean()),
        found_after=found,
    )


def summary(orders: Sequence[Order]) -> dict[str, Any]:
    """Over all orders of a kind, JSON-ready: shares of the reward of the fixed configuration that is best over them in hindsight.

    Where that one earns next to nothing, shares say little; what is lost against it is therefore also told in right answers a request.
    """
    arms = np.mean([order.fixed for order in orders], axis=0)
    best = int(arms[:, 0].argmax())
    yardstick, value = arms[best], float(np.mean([order.value for order in orders]))
    found = [requests for order in orders for requests in order.found_after.values()]
    policy = np.mean([order.policy for order in orders], axis=0)
    by_order = np.array([order.policy[0, 0] for order in orders])
    models = {name: np.mean([order.alone[name] for order in orders], axis=0) for name in orders[0].alone}
    return {
        "best_fixed": orders[0].names[best],
        "best_fixed_reward": float(yardstick[0]),
        "share": _shares(policy[:, 0], yardstick),
        "lost": {
            part: float(best_reward - reward) / value
            for part, reward, best_reward in zip(PARTS, policy[:, 0], yardstick, strict=True)
        },
        "share_sd_over_orders": float((by_order / abs(yardstick[0])).std()),
        **_row(policy),
        "rule": {"share": _shares(np.mean([order.rule for order in orders], axis=0)[:, 0], yardstick)}
        | _row(np.mean([order.rule for order in orders], axis=0)),
        "alone": {name: {"share": _shares(rows[:, 0], yardstick)} | _row(rows) for name, rows in models.items()},
        "found_after_median": median(found) if found else None,
        "found_after_max": max(found) if found else None,
    }


def _shares(rewards: Floats, yardstick: Floats) -> dict[str, float]:
    """`1 - lost / |best|`, which is the ratio where rewards are above 0, and still says what is lost where they are not."""
    return {part: float(1.0 - (best - reward) / abs(best)) for part, reward, best in zip(PARTS, rewards, yardstick, strict=True)}


def _row(rows: Floats) -> dict[str, float]:
    reward, accuracy, dollars = rows[0].tolist()
    return {"reward": reward, "accuracy": accuracy, "dollars_per_1000": 1000.0 * dollars}


def _parts(rows: Floats) -> Floats:
    """The means of columns in each of `PARTS`, shape (3, 3)."""
    return np.stack([rows.mean(axis=0), rows[:200].mean(axis=0), rows[len(rows) // 2 :].mean(axis=0)])


def _found_after(traffic: Traffic, first: Integers, model: int) -> int:
    arrives = int(np.flatnonzero(traffic.available[:, traffic.model_of == model].any(axis=1))[0])
    tries = np.flatnonzero(traffic.model_of[first[arrives:]] == model)
    return int(tries[TRIES - 1]) + 1 if len(tries) >= TRIES else len(traffic) - arrives
