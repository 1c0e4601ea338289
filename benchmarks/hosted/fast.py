"""All kinds without servers: every order of every kind through the package's policy, for each objective."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from multiprocessing import get_context
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.hosted.goal_measures import GoalOrder, goal_summary, measure_goal
from benchmarks.hosted.goals import Goal
from benchmarks.hosted.kinds import KINDS
from benchmarks.hosted.measures import Order, columns, measure, summary
from benchmarks.hosted.objectives import Objective
from benchmarks.hosted.player import ENCODE, Silence, play


@dataclass(frozen=True, slots=True)
class Task:
    """One order of a kind.

    Attributes:
        kind: its name.
        seed: of the order.
        requests: how many.
        objectives: names of those that it is played for.
        silence: requests after which silence is taken for the opposite of what people say; `None` for never.
    """

    kind: str
    seed: int
    requests: int
    objectives: tuple[str, ...]
    silence: int | None = None


def run(task: Task) -> dict[str, Order | GoalOrder]:
    """What an order came to, by objective or goal."""
    kind = KINDS[task.kind]
    traffic = kind.draw(task.seed, task.requests)
    features = np.stack([ENCODE(text) for text in traffic.texts])
    meaning = None if task.silence is None else Silence.of(kind.judging)
    silence = None if meaning is None else Silence(meaning.means, task.silence or 0)
    result: dict[str, Order | GoalOrder] = {}
    for name in task.objectives:
        if (goal := Goal.of(name)) is not None:
            choices = play(kind, traffic, features, goal, seed=task.seed, silence=silence).choices
            result[name] = measure_goal(kind, traffic, goal, choices)
            continue
        objective = Objective.of(name)
        done = play(kind, traffic, features, objective, seed=task.seed, silence=silence)
        result[name] = measure(kind, traffic, objective, columns(traffic, objective.rewards(traffic), done.choices), done.first)
    return result


def run_all(
    kinds: Sequence[str],
    objectives: Sequence[str],
    *,
    orders: int = 10,
    requests: int = 600,
    processes: int = 2,
    silence: int | None = None,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every kind over all orders: its name, and by objective its summary; as they are done, in their order."""
    tasks = [Task(kind, seed, requests, tuple(objectives), silence) for kind, seed in product(kinds, range(orders))]
    for kind, results in _by_kind(kinds, _results(tasks, processes), orders):
        yield kind, {name: _summary([result[name] for result in results]) for name in objectives}


def _summary(orders: Sequence[Order | GoalOrder]) -> dict[str, Any]:
    goals = [order for order in orders if isinstance(order, GoalOrder)]
    return goal_summary(goals) if goals else summary([order for order in orders if isinstance(order, Order)])


def overall(by_kind: dict[str, dict[str, Any]], objective: str) -> dict[str, Any]:
    """Over all kinds for one objective: mean share, the worst kinds, and when what had to be found was."""
    rows = {kind: found[objective] for kind, found in by_kind.items()}
    shares = {part: {kind: row["share"][part] for kind, row in rows.items()} for part in next(iter(rows.values()))["share"]}
    worst = {part: min(of, key=lambda kind: of[kind]) for part, of in shares.items()}
    late = {kind: row["found_after_median"] for kind, row in rows.items() if row["found_after_median"] is not None}
    return {
        "mean_share": {part: float(np.mean(list(of.values()))) for part, of in shares.items()},
        "worst_share": {part: {"kind": kind, "share": shares[part][kind]} for part, kind in worst.items()},
        "mean_lost": float(np.mean([row["lost"]["whole"] for row in rows.values()])),
        "most_lost": max(
            ({"kind": kind, "lost": row["lost"]["whole"]} for kind, row in rows.items()), key=lambda each: each["lost"]
        ),
        "mean_rule_share": float(np.mean([row["rule"]["share"]["whole"] for row in rows.values()])),
        "latest_found": {"kind": max(late, key=lambda kind: late[kind]), "requests": max(late.values())} if late else None,
    }


def _results(tasks: Sequence[Task], processes: int) -> Iterator[dict[str, Order | GoalOrder]]:
    if processes == 1:
        yield from map(run, tasks)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        yield from pool.map(run, tasks)


def _by_kind(
    kinds: Sequence[str], results: Iterable[dict[str, Order | GoalOrder]], orders: int
) -> Iterator[tuple[str, list[dict[str, Order | GoalOrder]]]]:
    stream = iter(results)
    for kind in kinds:
        yield kind, [next(stream) for _ in range(orders)]


def _one_thread() -> None:
    """Side by side, processes that each take all cores get in each other's way."""
    threadpool_limits(1)
