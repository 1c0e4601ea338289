"""`python -m benchmarks.hosted [--json]`: what learning on hosted models earns, from cold costs, against the best fixed configuration.

Simulated kinds of traffic: two to eight models at prices 1.1 to 50 apart, with skills by topic; prompts of 50, 500 and 4,000 tokens; all
answers judged or few, late, wrongly, or bad ones only; failures, twins, a reasoner, models that arrive. The policy plays them with what an
engine knows on its first day: prices, no mean costs. Reported are shares of the reward of the fixed configuration that is best in
hindsight, over the whole, the first 200 requests and the last half; accuracy; dollars for 1,000 requests; the same of a rule that knows the
kinds; and after how many requests the models that are best on some topic had been tried ten times.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.hosted.fast import overall, run_all
from benchmarks.hosted.kinds import KINDS
from benchmarks.hosted.objectives import OBJECTIVES


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hosted", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS), metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--objectives", nargs="*", default=list(OBJECTIVES), help=f"default: {' '.join(OBJECTIVES)}")
    parser.add_argument("--orders", type=int, default=10, help="of each kind (default: 10)")
    parser.add_argument("--requests", type=int, default=600, help="of each order (default: 600)")
    parser.add_argument("--processes", type=int, default=2, help="side by side (default: 2)")
    parser.add_argument("--silence", type=int, help="requests after which silence means the opposite of one-sided judgements")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    given = parser.parse_args()
    found = fast(given)
    if given.json:
        sys.stdout.write(json.dumps(found) + "\n")


def fast(given: argparse.Namespace) -> dict[str, Any]:
    """All kinds without servers."""
    console, by_kind = Console(stderr=given.json), dict[str, dict[str, Any]]()
    work = run_all(
        given.kinds,
        given.objectives,
        orders=given.orders,
        requests=given.requests,
        processes=given.processes,
        silence=given.silence,
    )
    for kind, row in work:
        by_kind[kind] = row
        sys.stderr.write(f"{kind}: " + ", ".join(f"{name} {each['share']['whole']:.3f}" for name, each in row.items()) + "\n")
    totals = {name: overall(by_kind, name) for name in given.objectives}
    for name in given.objectives:
        console.print(_table(name, by_kind, totals[name]))
    return {"kinds": by_kind, "overall": totals}


def _table(objective: str, by_kind: dict[str, dict[str, Any]], total: dict[str, Any]) -> Table:
    table = Table(title=f"{objective}: shares of the best fixed configuration's reward")
    for column in ("kind", "whole", "first 200", "last half", "rule", "right", "$/1000", "found after", "best fixed"):
        table.add_column(column, justify="left" if column in ("kind", "best fixed") else "right", no_wrap=True)
    for kind, row in by_kind.items():
        found = row[objective]
        shares, late = found["share"], found["found_after_median"]
        table.add_row(
            kind,
            *(f"{shares[part]:.3f}" for part in ("whole", "first 200", "last half")),
            f"{found['rule']['share']['whole']:.3f}",
            f"{found['accuracy']:.3f}",
            f"{found['dollars_per_1000']:.3f}",
            "" if late is None else f"{late:.0f}",
            found["best_fixed"],
        )
    means = total["mean_share"]
    table.add_section()
    table.add_row(
        "mean", *(f"{means[part]:.3f}" for part in ("whole", "first 200", "last half")), f"{total['mean_rule_share']:.3f}"
    )
    return table


if __name__ == "__main__":
    main()
