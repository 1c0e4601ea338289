"""`uniscale replay`: policies compared on outcome tables."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from uniscale_integrations.cli.console import err, out, print_json, told_plainly
from uniscale_integrations.cli.replay_view import result_of, show, support_of
from uniscale_integrations.cli.weights import (
    AtLeastOption,
    ModeOption,
    PointsOption,
    RightOption,
    WeightsOption,
    WithinOption,
    sought_by,
)
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.log.connect import without_password
from uniscale_integrations.policy.objective import MODES

if TYPE_CHECKING:
    from uniscale_integrations.replay.experiment import Episode, Setup
    from uniscale_integrations.replay.logged import LoggedDecisions
    from uniscale_integrations.replay.stream import World


Tables = Annotated[
    list[str],
    typer.Argument(
        help="Outcome tables (.jsonl, .jsonl.gz), of which several are one stream, in that order; or the address of an engine's log."
    ),
]
CostsOption = Annotated[
    str, typer.Option(help="What is known of costs beforehand: cold (a price for each model) or known (every mean cost).")
]
FeedbackOption = Annotated[
    str,
    typer.Option(
        help="Which answers are judged: both right and wrong ones, or down or up alone; or the share that is, such as 0.1."
    ),
]
RoundsOption = Annotated[
    int, typer.Option(help="Answers that uis may look at before it gives one; beside it, as once, the same with one round.")
]
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
    right: RightOption = None,
    points: PointsOption = None,
    at_least: AtLeastOption = None,
    within: WithinOption = None,
    costs: CostsOption = "cold",
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
    rounds: RoundsOption = 1,
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

    With --rounds 2 uis decides again once it has seen an answer and its score, as `UniScale(rounds=2)` does, and the cost of all attempts
    counts; on tables without scores it has one round.

    Policies know as much of costs as an engine on its first day; with --costs known they know every configuration's mean cost. TABLES
    may be a log: what nobody has seen of it is estimated, and it is said what estimates rest on.

    Example: uniscale replay family.jsonl.gz --mode cost-sensitive --seeds 20 --plots pictures
    """
    with told_plainly(as_json):
        from uniscale_integrations.replay.experiment import Setup
        from uniscale_integrations.replay.feedback import FeedbackPlan

        kind, share = _judged(feedback)
        plan = FeedbackPlan(kind, silence, silence_after, wrong, share)
        names = tuple(filter(None, map(str.strip, policies.split(","))))
        _check(without, full_costs, processes)
        objective = sought_by(mode, weights, right, points, at_least, within)
        setup = Setup(objective, names, seeds, delay, drift, without, passes, budget_per_query, feedback=plan, rounds=rounds)
        with err.status("reading the tables"):
            world, logged = _world(tables, costs, features, full_costs, drift)
        episodes = _replay(world, setup, processes)
        named = mode if objective in MODES.values() and weights is None else None
        result = {"mode": named, **result_of(world, setup, episodes), "costs": costs}
        if logged is not None:
            result["log"] = support_of(logged, episodes)
        _tell(result, world, episodes, plots, as_json)


def _judged(feedback: str) -> tuple[str, float]:
    """Which answers are judged, and what share of them."""
    try:
        return "both", float(feedback)
    except ValueError:
        return feedback, 1.0


def _check(without: str, full_costs: Path | None, processes: int) -> None:
    """That options fit together.

    Raises:
        ConfigurationError: they do not.
    """
    if (without == "early-stopping") != (full_costs is not None):
        raise ConfigurationError(
            "--without early-stopping and --full-costs go together: make the same table with "
            "`uniscale table --no-early-stopping` and name it with --full-costs"
        )
    if processes < 1:
        raise ConfigurationError(f"--processes must be at least 1, got {processes}")


def _tell(result: dict[str, Any], world: World, episodes: Sequence[Episode], plots: Path | None, as_json: bool) -> None:
    """Show what was found, draw it into a folder where one is given, and print it as JSON where that is asked for."""
    show(result, world)
    if plots is not None:
        from uniscale_integrations.replay.plots import draw

        out.print(f"drawn: {', '.join(map(str, draw(plots, world, episodes)))}")
    if as_json:
        print_json(result)


def _replay(world: World, setup: Setup, processes: int) -> list[Episode]:
    """All orders, with a bar that shows how far it is."""
    from uniscale_integrations.replay.experiment import experiment

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("replaying orders", total=setup.seeds)
        return experiment(world, setup, processes, done=lambda: progress.advance(task))


def _world(
    sources: Sequence[str], costs: str, features: str | None, full_costs: Path | None, drift: str
) -> tuple[World, LoggedDecisions | None]:
    """The tables' world; at the costs of another table, on the scale of their own, where one is given. Or that of a log, and the log.

    Raises:
        ConfigurationError: a log beside others, or with what is of tables.
    """
    from uniscale_integrations.policy.encoders import query_encoder
    from uniscale_integrations.replay.stream import World
    from uniscale_integrations.replay.table import OutcomeTable

    logs = [source for source in sources if "://" in source]
    if not logs:
        encode = query_encoder(features)
        outcome_tables = [OutcomeTable.read(path) for path in sources]
        world = World.of(outcome_tables, encode, costs=costs)
        if full_costs is None:
            return world, None
        full = OutcomeTable.read(full_costs)
        return World.of([table.with_costs_of(full) for table in outcome_tables], encode, world.scale, costs), None
    if len(sources) > 1:
        raise ConfigurationError(f"a log is replayed alone, got {', '.join(map(without_password, sources))}")
    for option, given in (("--features", features), ("--full-costs", full_costs), ("--drift", drift != "none")):
        if given:
            raise ConfigurationError(
                f"{option} is of outcome tables; a log has its own features, and one answer to each question"
            )
    from uniscale_integrations.log.log import open_log
    from uniscale_integrations.replay.logged import LoggedDecisions
    from uniscale_integrations.replay.off_policy import logged_world

    with closing(open_log(logs[0], read_only=True)) as log:
        logged = LoggedDecisions.read(log)
    return logged_world(logged, costs), logged
