"""`uniscale replay`: policies compared on outcome tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from uniscale_integrations.cli.console import err, out, print_json, quantity, told_plainly
from uniscale_integrations.cli.weights import ModeOption, WeightsOption, weights_of
from uniscale_integrations.errors import ConfigurationError

if TYPE_CHECKING:
    from uniscale_integrations.policy.encoders import QueryEncoder
    from uniscale_integrations.replay.experiment import Episode, Setup
    from uniscale_integrations.replay.stream import World


Tables = Annotated[list[Path], typer.Argument(help="Outcome tables (.jsonl, .jsonl.gz); several are one stream, in that order.")]
FeedbackOption = Annotated[str, typer.Option(help="Which answers are judged: both right and wrong ones, or down or up alone.")]
SilenceOption = Annotated[
    float | None, typer.Option(help="The correctness that an answer without a judgement stands for; nothing by default.")
]
SilenceAfterOption = Annotated[int, typer.Option(help="Decisions after which an answer is without a judgement.")]
WrongOption = Annotated[float, typer.Option(help="Share of judgements that say the opposite.")]
BudgetOption = Annotated[float | None, typer.Option(help="Mean cost per question that uis has to keep to, in the tables' unit.")]
DriftOption = Annotated[str, typer.Option(help="none, or permute: from the middle on every model has the quality of the next.")]
FullCostsOption = Annotated[
    Path | None, typer.Option(help="For --without early-stopping: the table made with `uniscale table --no-early-stopping`.")
]
FeaturesOption = Annotated[
    str | None, typer.Option(help="A transformer whose embeddings tell the kinds of questions; their text by default.")
]
PlotsOption = Annotated[
    Path | None, typer.Option(help="A folder for pictures: learning curves, quality and cost, shares over time.")
]


def replay(
    tables: Tables,
    mode: ModeOption = "balanced",
    weights: WeightsOption = None,
    policies: Annotated[str, typer.Option(help="Which to compare, separated by commas.")] = "uis,tts,routing,random,greedy,knn",
    seeds: Annotated[int, typer.Option(help="How many orders of the questions.")] = 10,
    delay: Annotated[int, typer.Option(help="Decisions until the correctness of one is told.")] = 0,
    feedback: FeedbackOption = "both",
    silence: SilenceOption = None,
    silence_after: SilenceAfterOption = 20,
    wrong: WrongOption = 0.0,
    budget_per_query: BudgetOption = None,
    passes: Annotated[int, typer.Option(help="How often each table is gone through, in another order each time.")] = 1,
    drift: DriftOption = "none",
    without: Annotated[str, typer.Option(help="An ablation: verification, cost (both not known then), or early-stopping.")] = "",
    full_costs: FullCostsOption = None,
    features: FeaturesOption = None,
    plots: PlotsOption = None,
    processes: Annotated[int, typer.Option(help="Orders side by side; no more than there are idle cores.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object as the last line.")] = False,
) -> None:
    """Replay policies on outcome TABLES and compare the reward that they earn, exploration included.

    uis is UniScale's policy over all configurations, routing over the plain samples of all models, tts over the searches of the one model
    that is best in hindsight. Bounds are the best fixed configuration; a linear policy that knows every reward on all other questions,
    which tells what the question is worth knowing; and the oracle, which knows the best for each question.

    With --feedback down only wrong answers are judged, as by a thumbs-down button; --silence 1.0 then takes the others for right, as
    `UniScale(silence=Silence(means=1.0))` does.

    Example: uniscale replay family.jsonl.gz --mode cost-sensitive --seeds 20 --plots pictures
    """
    with told_plainly(as_json):
        from uniscale_integrations.policy.encoders import query_encoder
        from uniscale_integrations.replay.experiment import Setup, best_single
        from uniscale_integrations.replay.feedback import FeedbackPlan

        names = tuple(name.strip() for name in policies.split(",") if name.strip())
        plan = FeedbackPlan(feedback, silence, silence_after, wrong)
        setup = Setup(weights_of(mode, weights), names, seeds, delay, drift, without, passes, budget_per_query, feedback=plan)
        if (without == "early-stopping") != (full_costs is not None):
            raise ConfigurationError(
                "--without early-stopping and --full-costs go together: make the same table with "
                "`uniscale table --no-early-stopping` and name it with --full-costs"
            )
        if processes < 1:
            raise ConfigurationError(f"--processes must be at least 1, got {processes}")
        with err.status("reading the tables"):
            world = _world(tables, query_encoder(features), full_costs)
        episodes = _replay(world, setup, processes)
        result = {"mode": mode if weights is None else None, **_result(world, setup, episodes)}
        out.print(_table(result, "eFLOPs" if world.unit == "eflops" else "USD"))
        out.print(_bounds(result, best_single(episodes).removeprefix("tts:") if "tts" in result["policies"] else ""))
        if "feedback" in result:
            out.print(_judged(result["feedback"]))
        if plots is not None:
            _draw(plots, world, episodes)
        if as_json:
            print_json(result)


def _draw(folder: Path, world: World, episodes: Sequence[Episode]) -> None:
    from uniscale_integrations.replay.plots import draw

    out.print(f"drawn: {', '.join(map(str, draw(folder, world, episodes)))}")


def _replay(world: World, setup: Setup, processes: int) -> list[Episode]:
    """All orders, with a bar that shows how far it is."""
    from uniscale_integrations.replay.experiment import experiment

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("replaying orders", total=setup.seeds)
        return experiment(world, setup, processes, done=lambda: progress.advance(task))


def _world(tables: Sequence[Path], encode: QueryEncoder, full_costs: Path | None) -> World:
    """The tables' world; at the costs of another table, on the scale of their own, where one is given."""
    from uniscale_integrations.replay.stream import World
    from uniscale_integrations.replay.table import OutcomeTable

    outcome_tables = [OutcomeTable.read(path) for path in tables]
    world = World.of(outcome_tables, encode)
    if full_costs is None:
        return world
    full = OutcomeTable.read(full_costs)
    return World.of([table.with_costs_of(full) for table in outcome_tables], encode, world.scale)


def _result(world: World, setup: Setup, episodes: Sequence[Episode]) -> dict[str, Any]:
    """What `--json` prints, apart from the mode's name."""
    from uniscale_integrations.replay.experiment import ahead, best_fixed_arm, standings
    from uniscale_integrations.replay.upper_bounds import best_linear

    arm, reward, second_half = best_fixed_arm(episodes)
    result = {
        "weights": list(setup.weights.parts),
        "decisions": len(next(iter(episodes[0].runs.values())).reward) if episodes[0].runs else 0,
        "seeds": setup.seeds,
        "best_fixed": {"configuration": str(world.configurations[arm]), "reward": reward, "second_half": second_half},
        "linear": {"reward": best_linear(world, setup.weights) if setup.drift == "none" else None},
        "oracle": {"reward": sum(each.oracle for each in episodes) / len(episodes)},
        "policies": {name: asdict(standing) for name, standing in standings(episodes).items()},
        "uis_ahead": {name: {"reward": mean, "ci95": half} for name, (mean, half) in ahead(episodes).items()},
    }
    return result if setup.feedback.complete else result | {"feedback": _feedback(setup, episodes)}


def _feedback(setup: Setup, episodes: Sequence[Episode]) -> dict[str, Any]:
    """How answers were judged: the mean share that was, and after how many judgements every run was warned of; `None` where one was not."""
    runs = [run for episode in episodes for run in episode.runs.values()]
    warnings = [run.warned_after for run in runs]
    judged = sum(run.judged_share for run in runs) / len(runs) if runs else None
    warned_after = None if None in warnings else max((each for each in warnings if each is not None), default=None)
    return {**asdict(setup.feedback), "judged": judged, "warned_after": warned_after}


def _judged(feedback: dict[str, Any]) -> str:
    """How answers were judged, in words."""
    text = f"{feedback['judged'] or 0.0:.1%} of answers were judged"
    if feedback["warned_after"] is None:
        return text
    return (
        f"{text}; warning: judgements all agreed, as an engine says after at most {feedback['warned_after']} of them. "
        "If answers that nobody judges mean the opposite, say so by --silence"
    )


def _table(result: dict[str, Any], unit: str) -> Table:
    """The policies as a table."""
    best, reward = result["best_fixed"], result["best_fixed"]["reward"]
    weights = ", ".join(f"{weight:g}" for weight in result["weights"])
    title = f"{result['decisions']} decisions, {result['seeds']} orders, weights {weights}; cost of a question in {unit}"
    table = Table(title=title, title_justify="left")
    for column in ("policy", "reward", "to best", "2nd half", "uis ahead by", "right", "cost"):
        table.add_column(column, justify="left" if column == "policy" else "right")
    for name, standing in result["policies"].items():
        table.add_row(
            name,
            f"{standing['reward']:.4f}",
            _against(standing["reward"], reward),
            _against(standing["second_half"], best["second_half"]),
            _ahead(result["uis_ahead"].get(name), reward),
            f"{standing['accuracy']:.1%}",
            quantity(standing["cost"]) if unit == "eFLOPs" else f"{standing['cost']:.3g}",
        )
    return table


def _bounds(result: dict[str, Any], single: str) -> str:
    """What the policies are measured against, in words."""
    best = result["best_fixed"]
    parts = [f"best fixed {best['configuration']}: {best['reward']:.4f}"]
    for label, name in (("linear, knowing all other rewards", "linear"), ("oracle", "oracle")):
        reward = result[name]["reward"]
        if reward is not None:
            parts.append(f"{label}: {reward:.4f} ({_against(reward, best['reward'])})")
    return "; ".join(parts + ([f"tts has {single}"] if single else []))


def _ahead(difference: dict[str, float] | None, base: float) -> str:
    return f"{difference['reward'] / base:+.2%} ± {difference['ci95'] / base * 100:.2f}" if difference and base else ""


def _against(value: float, base: float) -> str:
    return f"{value / base - 1:+.2%}" if base else ""
