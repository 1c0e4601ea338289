"""`python -m benchmarks.demo [--json]`: the demo's questions, after learning: what the policy gets and spends, beside the fixed models.

Runs `uniscale demo` itself, for several seeds and modes, each several times over one log, so that a run begins with what those before it
have learned. What counts is the second half of the questions of the first run, and all of later ones; each model alone answers the same.

The *line* is what the models get between their costs, by interpolation: what somebody gets who sends a fixed share of the requests to one
and the rest to another. Likewise the policy's own line runs between its modes: every request may carry its own.

Runs that are in the folder already are not run again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.replay.experiment import interval

MODES = ("balanced", "0.3,0.3,0.4", "cost-sensitive")
SHARE, POINTS = 0.4, 0.06
"""What is hoped for: the best model's accuracy at this share of its eFLOPs, and so much more accuracy at its eFLOPs."""

COMMAND = "from uniscale_integrations.cli import main; main()"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--questions", type=int, default=300, help="of each run")
    parser.add_argument("--runs", type=int, default=2, help="how often the demo goes on over the same log")
    parser.add_argument("--modes", nargs="+", default=list(MODES), help="modes, or weights such as 0.3,0.3,0.4")
    parser.add_argument("--budget", default="", help="of the engine's questions, as of the demo: a number, or a model")
    parser.add_argument("--rounds", type=int, default=None, help="as of the demo")
    parser.add_argument("--folder", type=Path, default=Path(".benchmarks/demo"), help="where runs are kept")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number in range(given.runs):
        runs = {
            mode: [_run(given, mode, seed, number, others=mode == given.modes[0]) for seed in range(given.seeds)]
            for mode in given.modes
        }
        found.append({"learned_from": number * given.questions or given.questions // 2, **compared(runs)})
        _show(found[-1])
    if given.json:
        sys.stdout.write(json.dumps(found) + "\n")


def _run(given: argparse.Namespace, mode: str, seed: int, number: int, *, others: bool) -> dict[str, Mapping[str, float]]:
    """What every contestant got in one run, `right`, `reward` and `cost`; those who do not learn are the same whatever the mode."""
    folder, count, budget = given.folder, given.questions, given.budget
    name = f"{mode}-{budget}-{seed}-{count}" if budget else f"{mode}-{seed}-{count}"
    name = name if given.rounds is None else f"{name}-rounds{given.rounds}"
    kept = folder / f"{name}-{number}.json"
    if not kept.exists():
        told = [
            *("demo", "--questions", str(count), "--weights" if "," in mode else "--mode", mode, "--seed", str(seed), "--json"),
            *("--log", f"sqlite:///{folder / name}.db", "--report", str(folder / "report.html"), "--budget", budget),
            "--others" if others else "--no-others",
            *(["--fresh"] if number == 0 else []),
            *([] if given.rounds is None else ["--rounds", str(given.rounds)]),
        ]
        sys.stderr.write(f"uniscale {' '.join(told)}\n")
        done = subprocess.run([sys.executable, "-c", COMMAND, *told], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{done.stderr}\nthe demo ended with exit code {done.returncode}")
        kept.write_text(done.stdout.strip().splitlines()[-1] + "\n")
    contestants = json.loads(kept.read_text())["contestants"]
    return {each["name"]: each if number else each["last_half"] for each in contestants}


def compared(runs: Mapping[str, Sequence[Mapping[str, Mapping[str, float]]]]) -> dict[str, Any]:
    """The modes against the line of the models, seed by seed.

    Args:
        runs: of each mode, for each seed, what each contestant got; the first mode's with all contestants.
    """
    first = next(iter(runs.values()))
    alone = sorted((name for name in first[0] if name.endswith(" alone")), key=lambda name: np.mean(_of(first, name, "cost")))
    cost, right = (np.array([_of(first, name, what) for name in alone]).T for what in ("cost", "right"))
    best = int(right.mean(axis=0).argmax())
    ours = {
        mode: {what: _of(of_mode, "UniScale", what) for what in ("right", "cost", "reward")} for mode, of_mode in runs.items()
    }
    modes = {
        mode: {
            **{what: _mean(values) for what, values in got.items()},
            "share": _mean(got["cost"] / cost[:, best]),
            "more_than_best": _mean(got["right"] - right[:, best]),
            "above_line": _mean(got["right"] - _along(got["cost"], cost, right)),
        }
        for mode, got in ours.items()
    }
    # One line through the modes' means: that of a single seed is too uneven to be read backwards.
    points = sorted((each["cost"][0], each["right"][0]) for each in modes.values())
    spent, got_right = map(np.array, zip(*points, strict=True))
    goal, price = float(right[:, best].mean()), float(cost[:, best].mean())
    reached = np.maximum.accumulate(got_right)
    share = float(np.interp(goal, reached, spent)) / price if reached[0] <= goal <= reached[-1] else None
    more = float(np.interp(price, spent, got_right)) - goal if spent[0] <= price <= spent[-1] else None
    others = [name for name in first[0] if name != "UniScale"]
    return {
        "seeds": len(first),
        "alone": {name: {what: _mean(_of(first, name, what)) for what in ("right", "cost", "reward")} for name in others},
        "best": alone[best],
        "modes": modes,
        "share_at_its_accuracy": share,
        "more_at_its_cost": more,
        "cheaper": (share is not None and share <= SHARE)
        or any(each["more_than_best"][0] >= 0 and each["share"][0] <= SHARE for each in modes.values()),
        "better": (more is not None and more >= POINTS)
        or any(each["more_than_best"][0] >= POINTS and each["share"][0] <= 1 for each in modes.values()),
    }


def _of(runs: Sequence[Mapping[str, Mapping[str, float]]], name: str, what: str) -> Array:
    return np.array([run[name][what] for run in runs])


def _mean(values: Array) -> tuple[float, float]:
    """With the half width of its 95 % interval."""
    return float(values.mean()), interval(values)


def _along(costs: Array, cost: Array, right: Array) -> Array:
    """The height of each seed's line between the models at a cost; shape (seeds,)."""
    return np.array([np.interp(at, x, np.maximum.accumulate(y)) for at, x, y in zip(costs, cost, right, strict=True)])


def _show(found: Mapping[str, Any]) -> None:
    title = f"after {found['learned_from']} questions and more, {found['seeds']} seeds, means and 95 % intervals"
    table = Table(title=title, title_justify="left")
    for name in ("", "right", "eFLOPs", "reward", f"of {found['best']}'s", "more right", "above the line"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for name, row in found["alone"].items():
        table.add_row(name, _percent(row["right"]), f"{row['cost'][0]:.3g}", f"{row['reward'][0]:.3f}", "", "", "")
    table.add_section()
    for mode, row in found["modes"].items():
        figures = (_percent(row["right"]), f"{row['cost'][0]:.3g}", f"{row['reward'][0]:.3f}")
        share = f"{row['share'][0]:.2f} ± {row['share'][1]:.2f}"
        table.add_row(f"UniScale, {mode}", *figures, share, _percent(row["more_than_best"]), _percent(row["above_line"]))
    console = Console() if sys.stdout.isatty() else Console(width=130)
    console.print(table)
    share, more = found["share_at_its_accuracy"], found["more_at_its_cost"]
    if share is not None:
        console.print(f"Between the modes: the accuracy of {found['best']} at {share:.2f} of its eFLOPs.")
    if more is not None:
        console.print(f"Between the modes: at its eFLOPs {100 * more:+.1f} points.")
    cheaper, better = ("met" if found[goal] else "missed" for goal in ("cheaper", "better"))
    console.print(f"As right on {SHARE:.0%} of its eFLOPs: {cheaper}; {100 * POINTS:.0f} points more at the same: {better}.")


def _percent(mean: Sequence[float]) -> str:
    return f"{100 * mean[0]:.1f} ± {100 * mean[1]:.1f}"


if __name__ == "__main__":
    main()
