"""`python -m benchmarks.peers_reward [--json]`: reward that this package's policy earns on outcome tables, beside other packages' bandits.

All see the same questions in the same orders, each as the same features, and learn what an answer was worth before the next question comes.
`uniscale` is the policy with its default settings, which learns correctness, score and cost apart and knows of costs what `--costs` says: a
price for each model, or every mean cost. The others learn the reward itself, `w1 correct + w2 score + w3 (1 - C~)`, from one number a
decision; `linucb` is this package's own bandit used in that way, without priors. Those that take features of arms are given those that
`uniscale` has, and what it expects of each one's cost beside them; the others have no place for that.

Each of the others plays with three settings, of which that one counts that has earned most over these very orders, for each table and mode
anew: an advantage in hindsight that `uniscale` does not have. The first is what its package recommends for a start without data, or does by
default; `--json` gives all three:

    paretobandit        alpha 0.05 with forgetting 0.997; 0.01 and 0.2 without forgetting
    vowpalwabbit        --cb_explore_adf with --epsilon 0.05; --squarecb; --squarecb --gamma_scale 100; choices are drawn
    contextualbandits   LinUCB, alpha 1.0; 0.2; 0.05
    mabwiser            LinUCB, alpha 1.0; 0.2; 0.05
    bayesianbandits     UCB 0.84 with a NormalInverseGammaRegressor for each arm; Thompson sampling with one NormalRegressor for all arms,
                        noise precision 10; 100
    river               LinUCBDisjoint, beta (noise precision) 1; 25; 400
    linucb              alpha 1.0; 0.2; 0.05

`share` is of the reward of the configuration that is best in hindsight; `ahead` is by how much `uniscale` earns more on the same orders;
± is the standard error over orders. Peers that are not installed and tables that are not there are passed over, and named.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from threadpoolctl import threadpool_limits

from benchmarks.peers import Array, Contender
from benchmarks.reward_peers import PEERS, Maker, Problem
from uniscale_integrations.policy.objective import MODES, Weights
from uniscale_integrations.replay.experiment import Setup, episode
from uniscale_integrations.replay.prices import COSTS
from uniscale_integrations.replay.stream import Stream, World
from uniscale_integrations.replay.table import OutcomeTable

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
"""Where the tables lie that are not the package's own."""

TABLES = ("gsm8k", "paretobandit", "llmrouter", "family")
FAMILY = ROOT / "benchmarks" / "tables" / "family.jsonl.gz"
OWN = "uniscale"


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """One order of decisions, as every contender has it.

    Attributes:
        questions: features of each, shape (T, n).
        rewards: of every configuration at each, shape (T, K).
    """

    questions: Array
    rewards: Array

    @classmethod
    def of(cls, world: World, weights: Weights, seed: int) -> Order:
        """The order of a seed, which is that of a replay."""
        stream = Stream.of(world, seed)
        return cls(world.queries[stream.queries], world.earned(weights, stream.parts(world), stream.costs(world)))


@dataclass(frozen=True, slots=True)
class Earned:
    """What one contender has earned on one table in one mode.

    Attributes:
        name: of the contender.
        setting: the best of its settings; empty where there is one only.
        rewards: mean reward of each order with it.
        settings: by setting, the mean reward over all orders.
    """

    name: str
    setting: str
    rewards: tuple[float, ...]
    settings: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Place:
    """How a contender stands among the others.

    Attributes:
        name: of the contender.
        setting: as of `Earned`.
        reward: mean over orders.
        error: standard error of that; 0 with one order.
        share: of the best fixed configuration's reward.
        rank: 1 is the best.
        ahead: by how much `uniscale` earns more, on average over orders.
        ahead_error: standard error of that; 0 with one order.
        settings: as of `Earned`.
    """

    name: str
    setting: str
    reward: float
    error: float
    share: float
    rank: int
    ahead: float
    ahead_error: float
    settings: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Cell:
    """One table in one mode.

    Attributes:
        table: its name.
        mode: its name.
        decisions: of each order.
        best_fixed: the configuration that is best in hindsight.
        best_fixed_reward: what that earns.
        places: of all contenders, the best first.
    """

    table: str
    mode: str
    decisions: int
    best_fixed: str
    best_fixed_reward: float
    places: tuple[Place, ...]


def main() -> None:
    given = _arguments()
    out, notes, cells = Console(), list[str](), list[Cell]()
    for name in given.tables:
        path = FAMILY if name == "family" else given.data / f"{name}_outcomes.jsonl.gz"
        if not path.exists():
            notes.append(f"{name} passed over: there is no {path}; --data names the folder of the tables")
            continue
        world = World.of([OutcomeTable.read(path)], costs=given.costs)
        for mode in given.modes:
            work = partial(earn, world, MODES[mode], given.orders)
            found = _side_by_side(work, [OWN, *given.peers], given.processes, f"{name}, {mode}")
            notes.extend(each for each in found if isinstance(each, str))
            cells.append(compared(name, mode, world, [each for each in found if isinstance(each, Earned)]))
            out.print(shown(cells[-1]))
    notes = list(dict.fromkeys(notes))
    for note in notes:
        out.print(note, highlight=False)
    if given.json:
        result = {"orders": given.orders, "costs": given.costs, "cells": [asdict(each) for each in cells], "notes": notes}
        sys.stdout.write(json.dumps(result) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--data", type=Path, default=DATA, help=f"folder of <table>_outcomes.jsonl.gz (default: {DATA})")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--modes", nargs="+", choices=list(MODES), default=list(MODES))
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--orders", type=int, default=5, help="how many of the questions, the same for all (default: 5)")
    parser.add_argument("--costs", choices=COSTS, default="cold", help="what is known of them beforehand (default: cold)")
    parser.add_argument("--processes", type=int, default=1, help="contenders side by side (default: 1)")
    given = parser.parse_args()
    if given.orders < 1 or given.processes < 1:
        parser.error(f"--orders and --processes must be at least 1, got {given.orders} and {given.processes}")
    return given


def _side_by_side(work: Callable[[str], Earned | str], names: Sequence[str], processes: int, what: str) -> list[Earned | str]:
    """The work on every contender, each on one thread, with a bar that says what is being played."""
    bar = partial(track, description=what, total=len(names), console=Console(stderr=True), transient=True)
    if processes == 1:
        with threadpool_limits(1):
            return list(bar(map(work, names)))
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        return list(bar(pool.map(work, names)))


def _one_thread() -> None:
    threadpool_limits(1)


def earn(world: World, weights: Weights, orders: int, name: str) -> Earned | str:
    """What one contender earns on as many orders; or a note that it is not installed."""
    if name == OWN:
        setup = Setup(weights, ("uis",))
        runs = (episode(world, setup, seed).runs["uis"] for seed in range(orders))
        return Earned(name, "", tuple(float(run.reward.mean()) for run in runs), {})
    try:
        return best_setting(name, PEERS[name], world, weights, orders)
    except ModuleNotFoundError as error:
        return f"{name} passed over: not installed ({error.name})"


def best_setting(name: str, settings: Mapping[str, Maker], world: World, weights: Weights, orders: int) -> Earned:
    """What a bandit earns with the setting that earns most over these orders, the first of equals."""
    rewards = {
        setting: tuple(earned_on(world, weights, make, seed) for seed in range(orders)) for setting, make in settings.items()
    }
    means = {setting: float(np.mean(values)) for setting, values in rewards.items()}
    best = max(means, key=lambda setting: means[setting])
    return Earned(name, best, rewards[best], means)


def earned_on(world: World, weights: Weights, make: Maker, seed: int) -> float:
    """Mean reward of a bandit on the order of a seed, which also seeds what it draws."""
    order = Order.of(world, weights, seed)
    actions = np.column_stack([world.arms.features, world.arms.costs])
    choices = play(make(Problem(actions, order.questions.shape[1], seed)), order)
    return float(order.rewards[np.arange(len(choices)), choices].mean())


def play(contender: Contender, order: Order) -> NDArray[np.int64]:
    """Choices of a bandit that learns the reward of each before it takes the next, shape (T,)."""
    choices = np.empty(len(order.questions), dtype=np.int64)
    for time, (question, rewards) in enumerate(zip(order.questions, order.rewards, strict=True)):
        choices[time] = arm = contender.select(question)
        contender.update(arm, question, float(rewards[arm]))
    return choices


def compared(table: str, mode: str, world: World, earned: Sequence[Earned]) -> Cell:
    """How all contenders stand on one table in one mode; `uniscale` is among them."""
    rewards = Order.of(world, MODES[mode], 0).rewards
    means = rewards.mean(axis=0)
    best = int(means.argmax())
    places = standings(earned, float(means[best]))
    return Cell(table, mode, len(rewards), str(world.configurations[best]), float(means[best]), places)


def standings(earned: Sequence[Earned], best_fixed: float) -> tuple[Place, ...]:
    """Places of all contenders, the best first.

    Args:
        earned: of each, over the same orders; `uniscale` is among them.
        best_fixed: what the best fixed configuration earns.
    """
    own = next(np.array(each.rewards) for each in earned if each.name == OWN)
    ordered = sorted(earned, key=lambda each: -float(np.mean(each.rewards)))
    return tuple(_place(rank, each, own, best_fixed) for rank, each in enumerate(ordered, start=1))


def _place(rank: int, earned: Earned, own: Array, best_fixed: float) -> Place:
    rewards = np.array(earned.rewards)
    mean, gains = float(rewards.mean()), own - rewards
    return Place(
        earned.name,
        earned.setting,
        mean,
        standard_error(rewards),
        mean / best_fixed,
        rank,
        float(gains.mean()),
        standard_error(gains),
        earned.settings,
    )


def standard_error(values: Array) -> float:
    """Of the mean; 0 for one value."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def shown(found: Cell) -> Table:
    """One table and mode, for a person."""
    best = f"best fixed: {found.best_fixed}, {found.best_fixed_reward:.4f}"
    table = Table(title=f"{found.table}, {found.mode}: {found.decisions:,} decisions; {best}", title_justify="left")
    for column in ("rank", "bandit", "setting", "reward", "share", "ahead"):
        table.add_column(column, justify="left" if column in ("bandit", "setting") else "right")
    for place in found.places:
        reward = f"{place.reward:.4f}{_error(place.error)}"
        ahead = "" if place.name == OWN else f"{place.ahead:+.4f}{_error(place.ahead_error)}"
        table.add_row(str(place.rank), place.name, place.setting, reward, f"{place.share:.3f}", ahead)
    return table


def _error(error: float) -> str:
    """Nothing where one order tells nothing of it."""
    return f" ± {error:.4f}" if error else ""


if __name__ == "__main__":
    main()
