"""`python -m benchmarks.hosted [--json]`: what learning on hosted models earns, from cold costs, against the best fixed configuration.

Simulated kinds of traffic: two to eight models at prices 1.1 to 50 apart, with skills by topic; prompts of 50, 500 and 4,000 tokens; all
answers judged or few, late, wrongly, or bad ones only; failures, twins, a reasoner, models that arrive. The policy plays them with what an
engine knows on its first day: prices, no mean costs. Reported are shares of the reward of the fixed configuration that is best in
hindsight, over the whole, the first 200 requests and the last half; accuracy; dollars for 1,000 requests; the same of a rule that knows the
kinds; and after how many requests the models that are best on some topic had been tried ten times.

With `--live` the models are behind a real server that speaks OpenAI's protocol, on loopback, and are asked by ChatOpenAI and OpenAILike
through `UniScaleChatModel` and `UniScaleLLM` with their default settings; next to it stands what comes without servers on the same orders.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.hosted.fast import overall, run_all
from benchmarks.hosted.goal_measures import goal_table, goals_overall
from benchmarks.hosted.goals import Goal
from benchmarks.hosted.kinds import KINDS
from benchmarks.hosted.live import LIVE_KINDS, live
from benchmarks.hosted.measures import PARTS
from benchmarks.hosted.objectives import OBJECTIVES


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hosted", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), metavar="KIND", help=f"default: all of {', '.join(KINDS)}")
    parser.add_argument(
        "--objectives",
        nargs="+",
        help=f"also at-least=SHARE and within=USD, or =middle; default: {' '.join(OBJECTIVES)}; live: points=5",
    )
    parser.add_argument("--orders", type=int, help="of each kind (default: 10; live: 2)")
    parser.add_argument("--requests", type=int, default=600, help="of each order (default: 600)")
    parser.add_argument("--processes", type=int, default=2, help="side by side (default: 2)")
    parser.add_argument("--silence", type=int, help="requests after which silence means the opposite of one-sided judgements")
    parser.add_argument("--live", action="store_true", help=f"behind servers; by default the kinds {', '.join(LIVE_KINDS)}")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    given = parser.parse_args()
    found = behind_servers(given) if given.live else without_servers(given)
    if given.json:
        sys.stdout.write(json.dumps(found) + "\n")


def without_servers(given: argparse.Namespace) -> dict[str, Any]:
    """What the policy earns, by kind and objective, and over all kinds."""
    objectives = given.objectives or list(OBJECTIVES)
    console, by_kind = _console(given), dict[str, dict[str, Any]]()
    work = run_all(
        given.kinds or list(KINDS),
        objectives,
        orders=given.orders or 10,
        requests=given.requests,
        processes=given.processes,
        silence=given.silence,
    )
    for kind, row in work:
        by_kind[kind] = row
        sys.stderr.write(f"{kind}: " + ", ".join(f"{name} {_headline(each)}" for name, each in row.items()) + "\n")
    goals = [name for name in objectives if Goal.of(name) is not None]
    totals = {name: goals_overall(by_kind, name) if name in goals else overall(by_kind, name) for name in objectives}
    for name in objectives:
        console.print(goal_table(name, by_kind) if name in goals else _table(name, by_kind, totals[name]))
    return {"kinds": by_kind, "overall": totals}


def behind_servers(given: argparse.Namespace) -> dict[str, Any]:
    """What engines behind both frameworks earn, by kind, objective and way, next to what the policy earns without servers."""
    console, by_kind = _console(given), dict[str, Any]()
    table = Table(title="behind servers, and without")
    for column in ("kind", "objective", "way", *PARTS, "lost", "right", "$/1000", "found after"):
        table.add_column(column, justify="left" if column in ("kind", "objective", "way") else "right", no_wrap=True)
    objectives = given.objectives or ["points=5"]
    for kind, row in live(given.kinds or LIVE_KINDS, objectives, orders=given.orders or 2, requests=given.requests):
        by_kind[kind] = row
        for objective, ways in row.items():
            for way, found in ways.items():
                table.add_row(kind, objective, way, *_figures(found), _found_after(found))
    console.print(table)
    return {"live": by_kind}


def _headline(found: dict[str, Any]) -> str:
    if "share" in found:
        return f"{found['share']['whole']:.3f}"
    return f"{found['expected_accuracy']['last half']:.3f} right at {found['cost_ratio']['last half']:.2f} of the mix's cost"


def _console(given: argparse.Namespace) -> Console:
    """Wide enough for the tables also where it is no terminal."""
    stream = sys.stderr if given.json else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 150)


def _table(objective: str, by_kind: dict[str, dict[str, Any]], total: dict[str, Any]) -> Table:
    table = Table(title=f"{objective}: shares of the best fixed configuration's reward")
    for column in ("kind", "rule", *PARTS, "lost", "right", "$/1000", "found after", "best fixed"):
        table.add_column(column, justify="left" if column in ("kind", "best fixed") else "right", no_wrap=True)
    for kind, row in by_kind.items():
        found = row[objective]
        rule = f"{found['rule']['share']['whole']:.3f}"
        table.add_row(kind, rule, *_figures(found), _found_after(found), found["best_fixed"])
    table.add_section()
    table.add_row(
        "mean",
        f"{total['mean_rule_share']:.3f}",
        *(f"{total['mean_share'][part]:.3f}" for part in PARTS),
        f"{total['mean_lost']:.3f}",
    )
    return table


def _figures(found: dict[str, Any]) -> tuple[str, ...]:
    """Shares, right answers lost, accuracy, and dollars for 1,000 requests."""
    shares = (f"{found['share'][part]:.3f}" for part in PARTS)
    return (*shares, f"{found['lost']['whole']:.3f}", f"{found['accuracy']:.3f}", f"{found['dollars_per_1000']:.3f}")


def _found_after(found: dict[str, Any]) -> str:
    return "" if found["found_after_median"] is None else f"{found['found_after_median']:.0f}"


if __name__ == "__main__":
    main()
