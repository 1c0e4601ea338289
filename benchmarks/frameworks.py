"""What the benchmarks of both frameworks have in common: their options, and what a call takes beside the inner model's."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from statistics import median
from typing import Any

from uniscale_integrations.policy.targets import Mode

Learning = Callable[[Sequence[int], int, Mode], Mapping[str, Any]]
"""Takes orders, questions and a mode."""


def run(
    description: str, orders: int, questions: int, learning: Learning, others: Mapping[str, Callable[[], Mapping[str, Any]]]
) -> None:
    """Parse the command line, run the parts that it names, and print what they found.

    Args:
        description: of the command.
        orders: how many, by default.
        questions: likewise.
        learning: the part that learns.
        others: further parts by name.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=orders)
    parser.add_argument("--questions", type=int, default=questions)
    parser.add_argument("--mode", default="balanced", help="a mode's name, or three weights")
    parser.add_argument("--first", type=int, default=0, help="the first order, for runs in parts")
    parser.add_argument("--parts", nargs="+", default=["learning", *others])
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    given = parser.parse_args()
    parts = {
        "learning": lambda: learning(range(given.first, given.first + given.orders), given.questions, _mode(given.mode)),
        **others,
    }
    found = {name: dict(part()) for name, part in parts.items() if name in given.parts}
    for name, figures in found.items():
        sys.stdout.write(f"{name}: {json.dumps(figures)}\n")
    if given.json:
        sys.stdout.write(json.dumps(found) + "\n")


def _mode(said: str) -> Mode:
    """A mode, or the weights of correctness, score and cheapness."""
    return tuple(map(float, said.split(","))) if "," in said else said


def timed(calls: int, *asks: Callable[[], object]) -> list[float]:
    """Milliseconds that each call takes, by turns; medians."""
    times: list[list[float]] = [[] for _ in asks]
    for _ in range(calls):
        for ask, taken in zip(asks, times, strict=True):
            began = time.perf_counter()
            ask()
            taken.append(time.perf_counter() - began)
    return [1e3 * median(taken) for taken in times]


def timed_async(calls: int, *asks: Callable[[], Awaitable[object]]) -> list[float]:
    """As `timed`, of calls that are awaited on one loop."""

    async def work() -> list[float]:
        times: list[list[float]] = [[] for _ in asks]
        for _ in range(calls):
            for ask, taken in zip(asks, times, strict=True):
                began = time.perf_counter()
                await ask()
                taken.append(time.perf_counter() - began)
        return [1e3 * median(taken) for taken in times]

    return asyncio.run(work())


def added(sync: Sequence[float], asynchronous: Sequence[float]) -> dict[str, float]:
    """What a call through the outer model adds to the inner one's, of `timed` and `timed_async`."""
    figures: dict[str, float] = {}
    for name, (alone, through) in (("sync", sync), ("async", asynchronous)):
        figures |= {f"{name}_inner_ms": alone, f"{name}_ms": through, f"{name}_added_ms": through - alone}
    return figures
