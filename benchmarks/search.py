"""`python -m benchmarks.search [--json]`: reuse of caches, early stopping, the cost model, and overhead, each against a baseline."""

from __future__ import annotations

import argparse
import json
import sys

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks import cost_model, early_stopping, kv_reuse, overhead
from uniscale_integrations.models.catalog import language_models


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--questions", type=int, default=512, help="for early stopping, dealt out to the models")
    parser.add_argument("--models", nargs="+", default=language_models(), help="for early stopping")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=("kv", "early", "cost", "overhead"), help="one part alone")
    arguments = parser.parse_args()
    if arguments.questions < len(arguments.models):
        parser.error(
            f"{arguments.questions} questions do not go round {len(arguments.models)} models; give --questions a larger number"
        )
    torch.set_num_threads(arguments.threads)
    console, parts = Console(), {arguments.only} if arguments.only else {"kv", "early", "cost", "overhead"}
    result: dict[str, object] = {"threads": arguments.threads}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        if "overhead" in parts:
            result |= overhead.measure()
        if "kv" in parts:
            result |= kv_reuse.measure()
        if "cost" in parts:
            measured = cost_model.measure(arguments.threads, 32, progress)
            del measured["profile"]
            result |= {"cost_model_spearman": measured["cost_model_spearman"], "cost_model": measured}
        if "early" in parts:
            rows = early_stopping.measure(arguments.models, arguments.questions, progress)
            result |= {"early_stopping": early_stopping.summary(rows), "early_stopping_rows": rows}
    show(console, result)
    if arguments.json:
        sys.stdout.write(json.dumps(result) + "\n")


def show(console: Console, result: dict[str, object]) -> None:
    """The result as tables."""
    table = Table(title="search", title_justify="left", show_header=False)
    for key, value in result.items():
        if isinstance(value, float | int):
            table.add_row(key, f"{value:.4g}")
    console.print(table)
    rows = result.get("early_stopping_rows")
    if isinstance(rows, list):
        saved = Table(title="early stopping", title_justify="left")
        for column in ("model", "QP", "CP", "BS", "schedule", "eFLOPs saved", "different answers", "accuracy", "without"):
            saved.add_column(column)
        for row in rows:
            numbers = [str(row[key]) for key in ("model", "qp", "cp", "bs", "schedule")]
            saved.add_row(
                *numbers,
                f"{row['eflops_saved']:.1%}",
                str(row["different"]),
                f"{row['accuracy']:.1%}",
                f"{row['accuracy_without']:.1%}",
            )
        console.print(saved)


if __name__ == "__main__":
    main()
