"""Pictures of an experiment: learning curves, the quality-cost front, and the shares of the configurations over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from uniscale_integrations.errors import ConfigurationError, MissingExtraError
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.replay.experiment import Episode, Run, best_fixed_arm, best_single, interval
from uniscale_integrations.replay.stream import World

COLOURS = {"uis": "#0b6e99", "tts": "#d9822b", "routing": "#3a9d5d", "greedy": "#8d5fb3", "knn": "#b8405e", "random": "#8a8a8a"}
"""Of the policies; told apart by those who see no difference between red and green, too."""

POINTS, SHARES = 200, 8
"""Points of a curve, and configurations that a picture tells apart; the rest are one."""

INCHES = (7.2, 4.4)


def draw(folder: Path, world: World, episodes: Sequence[Episode]) -> list[Path]:
    """Draw all three pictures as PNG files; returns their paths.

    Args:
        folder: where to put them; made where it is not there.
        world: what was replayed.
        episodes: what `experiment` gave.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ConfigurationError: the folder cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("drawing plots", "plots") from error
    runs = _runs_to_plot(episodes)
    paths = []
    for name, picture in (("learning", _learning), ("front", _front), ("shares", _shares)):
        # Not through pyplot, which would ask for a screen and keep what was drawn.
        figure = Figure(figsize=INCHES, layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        picture(axes, world, episodes, runs)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            figure.savefig(folder / f"{name}.png", dpi=160)
        except OSError as error:
            raise ConfigurationError(f"cannot write {folder / name}.png: {error}") from error
        paths.append(folder / f"{name}.png")
    return paths


def _runs_to_plot(episodes: Sequence[Episode]) -> dict[str, list[Run]]:
    """The runs of every policy over the orders; of the searches with one model only those with the best."""
    names = [name for name in episodes[0].runs if not name.startswith("tts:")]
    single = {"tts": best_single(episodes)} if len(names) < len(episodes[0].runs) else {}
    names_of = {name: name for name in names} | single
    return {name: [each.runs[names_of[name]] for each in episodes] for name in COLOURS if name in names_of}


def _learning(axes: Any, world: World, episodes: Sequence[Episode], runs: dict[str, list[Run]]) -> None:
    """Mean reward so far, with the 95 % interval over orders."""
    for name, several in runs.items():
        rewards = np.stack([run.reward for run in several])
        # The first few decisions tell nothing, unless there are no more.
        times = np.unique(np.geomspace(min(10, rewards.shape[1]), rewards.shape[1], POINTS).astype(np.int64))
        curves = np.cumsum(rewards, axis=1)[:, times - 1] / times
        mean = curves.mean(axis=0)
        half = np.array([interval(curves[:, place]) for place in range(len(times))])
        axes.plot(times, mean, color=COLOURS[name], label=name, linewidth=2.0 if name == "uis" else 1.3)
        axes.fill_between(times, mean - half, mean + half, color=COLOURS[name], alpha=0.15, linewidth=0)
    arm, reward, _ = best_fixed_arm(episodes)
    axes.axhline(reward, color="black", linewidth=1, linestyle="--", label=f"best fixed, {world.configurations[arm]}")
    axes.set_xscale("log")
    axes.set(xlabel="decisions", ylabel="mean reward so far", title="What is earned, exploration included", xlim=(10, None))
    axes.legend(frameon=False, fontsize=8)


def _front(axes: Any, world: World, episodes: Sequence[Episode], runs: dict[str, list[Run]]) -> None:
    """Share of right answers against cost: the configurations, which of them no other beats in both, and the policies."""
    correct = world.parts[0].mean(axis=(0, 2))
    cost = world.raw_costs.mean(axis=(0, 2))
    axes.scatter(cost, correct, s=16, color="#b5b5b5", label="configurations")
    order = np.lexsort((-correct, cost))
    front = [arm for place, arm in enumerate(order) if not place or correct[arm] > correct[order[:place]].max()]
    axes.plot(cost[front], correct[front], color="#b5b5b5", linewidth=1, drawstyle="steps-post")
    last_label = -np.inf
    for arm in front:
        # Names that would lie on each other are left out.
        if correct[arm] - last_label > 0.03 * np.ptp(correct):
            last_label, place = correct[arm], (cost[arm], correct[arm])
            name = str(world.configurations[arm])
            axes.annotate(name, place, fontsize=6, color="#666666", xytext=(3, -7), textcoords="offset points")
    for name, several in runs.items():
        mean = [np.mean([getattr(run, part).mean() for run in several]) for part in ("cost", "correct")]
        axes.scatter(*mean, s=60, color=COLOURS[name], edgecolor="white", label=name, zorder=3)
    if (cost > 0).all():
        axes.set_xscale("log")
    unit = "eFLOPs" if world.unit == "eflops" else "US dollars"
    axes.set(xlabel=f"{unit} a question", ylabel="share of right answers", title="Quality and cost")
    axes.legend(frameon=False, fontsize=8)


def _shares(axes: Any, world: World, episodes: Sequence[Episode], runs: dict[str, list[Run]]) -> None:
    """Which configurations the policy over all of them chose, over time, as shares over orders."""
    name = "uis" if "uis" in runs else next(iter(runs))
    choices = np.stack([run.choices for run in runs[name]])
    arms = len(world.configurations)
    window = max(1, choices.shape[1] // 50)
    edges = np.arange(0, choices.shape[1] - window + 1, window)
    shares: Array = np.stack(
        [np.bincount(choices[:, edge : edge + window].ravel(), minlength=arms) for edge in edges], axis=1
    ) / (window * len(choices))
    order = shares.sum(axis=1).argsort()[::-1][:SHARES]
    rest = 1.0 - shares[order].sum(axis=0)
    labels = [str(world.configurations[arm]) for arm in order] + (["others"] if arms > SHARES else [])
    rows = [*shares[order], *([rest] if arms > SHARES else [])]
    axes.stackplot(edges + window / 2, rows, labels=labels, colors=_palette(len(rows)))
    axes.set(xlabel="decisions", ylabel="share of choices", title=f"What {name} chooses", ylim=(0, 1), xlim=(0, choices.shape[1]))
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), reverse=True)


def _palette(count: int) -> list[Any]:
    """Colours of so many configurations; of the rest grey, where there is one."""
    from matplotlib import colormaps

    count_of_colours = min(count, SHARES)
    return [*colormaps["viridis"](np.linspace(0.05, 0.95, count_of_colours)), "#dddddd"][:count]
