"""`python -m benchmarks.many_models [--json]`: time and memory of the default policy by the number of its models.

The policy learns with `A` whole, and with it in blocks of one for each model (`policy.arrowhead`), each in a process of its own on one BLAS
thread, each of its models with one configuration or four. Medians of a decision, of what is learned of its answer and of a judgement; how
long it takes to compute a head's inverse anew, as after every 1024 of these; and the megabytes that it takes in memory and in a snapshot.
Each third row is "whole" in units of "blocks".
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from statistics import median
from typing import Any

import numpy as np

from benchmarks.bandit import THREADS
from uniscale_integrations.policy import product
from uniscale_integrations.policy.actions import ActionFeatures
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.default_policy import LinUCBPolicy
from uniscale_integrations.policy.kinds import TextFeatures
from uniscale_integrations.policy.objective import weights
from uniscale_integrations.policy.policy import Context, Observation
from uniscale_integrations.policy.rates import Rates
from uniscale_integrations.space import Configuration

MODELS, SHAPES = (3, 10, 30, 100), (1, 4)
SHAPE = ((1, 1, 1), (4, 1, 1), (1, 4, 2), (2, 4, 2))
WARM, SECONDS, MAX_TURNS = 20, 2.0, 1500
MEASURES = ("decision_us", "outcome_us", "feedback_us", "anew_ms", "memory_mb", "state_mb")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--models", nargs="+", type=int, default=MODELS)
    parser.add_argument("--shapes", nargs="+", type=int, default=SHAPES, help="configurations of each model")
    parser.add_argument("--one", nargs=3, metavar=("FORM", "MODELS", "SHAPES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        form, models, shapes = arguments.one
        sys.stdout.write(json.dumps(measure(form, int(models), int(shapes))) + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title="one BLAS thread; medians, and whole / blocks", title_justify="left")
    for column in ("models", "configurations", "form", *MEASURES):
        table.add_column(column.replace("_", " "), justify="right")
    rows: list[dict[str, Any]] = []
    for shapes in arguments.shapes:
        for models in arguments.models:
            whole, blocks = (apart(form, models, shapes) for form in ("whole", "blocks"))
            ratio = {name: whole[name] / max(blocks[name], 1e-9) for name in MEASURES}
            rows += [whole, blocks, ratio | {"form": "ratio", "models": models, "shapes": shapes}]
            for row in rows[-3:]:
                digits = ".2f" if row["form"] == "ratio" else ".4g"
                table.add_row(str(models), str(models * shapes), row["form"], *(format(row[name], digits) for name in MEASURES))
    Console().print(table)
    if arguments.json:
        sys.stdout.write(json.dumps({"rows": rows}) + "\n")


def apart(form: str, models: int, shapes: int) -> dict[str, Any]:
    """`measure` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.many_models", "--one", form, str(models), str(shapes)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | dict.fromkeys(THREADS, "1"), check=True)
    row: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return row


def arms_of(models: int, shapes: int) -> Arms:
    """So many models of prices from 0.1 to 10 dollars, each with so many configurations."""
    sizes = dict(zip((f"model-{number}" for number in range(models)), np.geomspace(0.1, 10.0, models), strict=True))
    configurations = [Configuration(model, *shape) for model in sizes for shape in SHAPE[:shapes]]
    prices = [(sizes[each.model], 4.0 * sizes[each.model]) for each in configurations]
    rates = Rates.of_tokens([each.most_paths for each in configurations], prices)
    costs = np.linspace(0.0, 1.0, len(configurations))
    return Arms.of(configurations, TextFeatures().schema, costs, features=ActionFeatures(sizes), rates=rates)


def measure(form: str, models: int, shapes: int) -> dict[str, Any]:
    """One policy: a row of the result."""
    product.MIN_GROUPS, product.MAX_SHARE = (2, np.inf) if form == "blocks" else (sys.maxsize, 0.0)
    arms, objective = arms_of(models, shapes), weights("balanced")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    policy, rng, eligible = LinUCBPolicy(arms), np.random.default_rng(1), np.ones(len(arms), dtype=bool)
    seconds: list[tuple[float, float, float]] = []
    began = time.perf_counter()
    for turn in range(WARM + MAX_TURNS):
        context = Context(np.concatenate([[1.0], rng.standard_normal(len(arms.schema) - 1)]), input_tokens=300.0)
        observation = Observation(float(rng.random()), 0.5, float(rng.integers(50, 500)), 300.0)
        started = time.perf_counter()
        best = policy.assess(context, objective, eligible).best
        decided = time.perf_counter()
        policy.decided(str(turn), best, context)
        policy.outcome(str(turn), best, context, observation)
        learned = time.perf_counter()
        policy.feedback(str(turn), best, context, float(rng.random() < 0.7))
        ended = time.perf_counter()
        seconds.append((decided - started, learned - decided, ended - learned))
        if turn > 2 * WARM and ended - began > SECONDS:
            break
    decision, outcome, feedback = (1e6 * median(column) for column in zip(*seconds[WARM:], strict=True))
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3
    stored = sum(array.nbytes for array in policy.state().values()) / 1e6
    started = time.perf_counter()
    policy.components.correctness_head.forget(1.0)
    anew = 1e3 * (time.perf_counter() - started)
    medians = {"decision_us": decision, "outcome_us": outcome, "feedback_us": feedback}
    figures = medians | {"anew_ms": anew, "memory_mb": memory, "state_mb": stored}
    return {"form": form, "models": models, "shapes": shapes, **figures}


if __name__ == "__main__":
    main()
