"""`uniscale table`: an outcome table, made by running every configuration on every question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Annotated, cast

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from uniscale_integrations.cli.console import err, out, print_json, quantity, quiet_loading, told_plainly
from uniscale_integrations.cli.hosted import BaseUrlOption, PriceOption, hosted_models
from uniscale_integrations.cli.weights import VerifierOption
from uniscale_integrations.cost.hardware import profile
from uniscale_integrations.cost.price import HasPrice
from uniscale_integrations.engine.model_registry import is_hosted, load_generator
from uniscale_integrations.engine.outcomes import OutcomeRow, read_outcomes
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.replay.collect import Plan, Query, collect, read_queries
from uniscale_integrations.search.ports import Generator, Sampling, Verifier
from uniscale_integrations.search.request import Request
from uniscale_integrations.space import DEFAULT_SHAPES, Configuration, ConfigurationSpace
from uniscale_integrations.verifiers.named import named_verifier


def table(
    target: Annotated[Path, typer.Argument(help="Where to write the table: name.jsonl or name.jsonl.gz.")],
    models: Annotated[
        list[str] | None, typer.Option("--model", help="A model; give it several times. All embedded ones by default.")
    ] = None,
    shapes: Annotated[
        list[str] | None, typer.Option("--shape", help="QP,CP,BS; give it several times. The default space by default.")
    ] = None,
    questions: Annotated[
        Path | None, typer.Option(help="JSON Lines with `query` and `reference`; the embedded questions by default.")
    ] = None,
    count: Annotated[int | None, typer.Option(help="Only so many of the questions, the first ones.")] = None,
    samples: Annotated[int, typer.Option(help="Repetitions of each configuration on each question.")] = 1,
    verifier: VerifierOption = "auto",
    temperature: Annotated[
        float | None, typer.Option(help="0 is greedy; 0.8 by default, of a provider's models their own.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same table.")] = 0,
    early_stopping: Annotated[
        bool, typer.Option(help="Without it every path is sampled to its end; `uniscale replay --full-costs` takes such a table.")
    ] = True,
    hardware: Annotated[str, typer.Option(help="Profile that prices eFLOPs: h100, a100, cpu, local or a JSON file.")] = "h100",
    at_once: Annotated[int, typer.Option(help="Searches side by side; a local model serves them in shared batches.")] = 32,
    price: PriceOption = None,
    base_url: BaseUrlOption = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Torch threads; no more than there are idle cores.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object as the last line.")] = False,
) -> None:
    """Run every configuration on every question and write the outcomes to TARGET, for `uniscale replay`.

    Rows are kept beside it as they come: after Ctrl-C, or a crash, the same command goes on where it stopped.

    Example: uniscale table family.jsonl.gz --count 200 --samples 2
    """
    with told_plainly(as_json):
        hosted_only = bool(models) and all(map(is_hosted, models or ()))
        name_of = {name: name for name in models or ()} if hosted_only else _local_names(models, threads)
        names, priced_for = list(name_of), profile(hardware)
        hosted = hosted_models(names, price or [], base_url, priced_for)
        space = ConfigurationSpace.default(names, [_shape(shape) for shape in shapes] if shapes else DEFAULT_SHAPES)
        if temperature is None and not hosted_only:
            temperature = 0.8
        sampling = Sampling(temperature, seed=seed, votes="early" if early_stopping else "full")
        request = Request("", space[0], sampling, early_stopping=early_stopping, hardware=priced_for)
        plan = Plan(_queries(questions, count), space, samples, request, _prices(hosted))
        suits = "consensus" if verifier == "auto" and hosted_only else verifier
        _collect(plan, name_of, hosted, named_verifier(suits, names), target, at_once)
        summary = summarise(list(read_outcomes(target)))
        out.print(_show(target, summary))
        if as_json:
            print_json({"table": str(target), "rows": plan.rows, "questions": len(plan.queries), "configurations": summary})


def _local_names(models: Sequence[str] | None, threads: int | None) -> dict[str, str]:
    """What to load, by what models are called once they are loaded; all embedded ones by default."""
    from uniscale_integrations.models.catalog import language_models, model_name

    quiet_loading()
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    return {model_name(name): name for name in models or language_models()}


def _prices(models: Mapping[str, Generator]) -> dict[str, tuple[float, float]]:
    """Of models that have one."""
    prices = {name: model.price for name, model in models.items() if isinstance(model, HasPrice) and model.price is not None}
    return {name: (price.prompt_per_million, price.completion_per_million) for name, price in prices.items()}


def _collect(
    plan: Plan,
    name_of: Mapping[str, str],
    hosted: Mapping[str, Generator],
    verifier: Verifier | None,
    target: Path,
    at_once: int,
) -> None:
    """Make the rows that are lacking, with a bar that shows how far it is."""
    with _progress() as progress:
        total = sum(map(work, plan.space)) * len(plan.queries) * plan.samples
        task, rows = progress.add_task("loading", total=total, rows=0, of=plan.rows), 0

        def load(name: str) -> Generator:
            progress.update(task, description=f"loading {name}")
            return hosted[name] if name in hosted else load_generator(name_of[name])

        def done(outcome: OutcomeRow) -> None:
            nonlocal rows
            rows += 1
            progress.update(task, description=str(outcome.configuration), advance=work(outcome.configuration), rows=rows)

        try:
            collect(plan, load, verifier, target, at_once=at_once, done=done)
        except KeyboardInterrupt:
            err.print(f"stopped after {rows} of {plan.rows} rows; the same command goes on from there")
            raise typer.Exit(130) from None


def work(configuration: Configuration) -> int:
    """About how long a search takes, in plain samples; so that the time that is left can be told before it has come to the long ones."""
    return configuration.most_paths


def _progress() -> Progress:
    rows = TextColumn("{task.fields[rows]}/{task.fields[of]} rows")
    what = TextColumn("{task.description}", markup=False)
    columns = (what, BarColumn(), rows, TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    return Progress(*columns, console=err, transient=True)


def _queries(file: Path | None, count: int | None) -> list[Query]:
    if count is not None and count < 1:
        raise ConfigurationError(f"--count must be at least 1, got {count}")
    if file is not None:
        return read_queries(file)[:count]
    from uniscale_integrations.models.questions import questions

    # A question that was drawn twice is one.
    distinct = {question.text: question for question in reversed(questions())}
    queries = [
        Query(q.id, q.text, q.reference, {"source": q.family, "level": q.level}) for q in questions() if distinct[q.text] is q
    ]
    if count is not None and count > len(queries):
        raise ConfigurationError(
            f"--count {count} is more than the {len(queries)} embedded questions; give a file with --questions"
        )
    return queries[:count]


def _shape(text: str) -> tuple[int, int, int]:
    try:
        qp, cp, bs = map(int, text.split(","))
    except ValueError:
        raise ConfigurationError(f"--shape is three whole numbers, QP,CP,BS, for example 2,4,2; got {text!r}") from None
    return qp, cp, bs


def summarise(outcomes: Sequence[OutcomeRow]) -> list[dict[str, object]]:
    """Accuracy, score and cost of each configuration."""
    groups: dict[Configuration, list[OutcomeRow]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.configuration, []).append(outcome)
    summary: list[dict[str, object]] = []
    for configuration, rows in groups.items():
        scores = [row.score for row in rows if row.score is not None]
        qp, cp, bs = configuration.shape
        summary.append(
            {
                "model": configuration.model,
                "qp": qp,
                "cp": cp,
                "bs": bs,
                "rows": len(rows),
                "accuracy": fmean(row.correct for row in rows),
                "score": fmean(scores) if scores else None,
                "eflops": fmean(row.eflops or 0.0 for row in rows),
                "cost_usd": fmean(row.cost_usd or 0.0 for row in rows),
            }
        )
    return summary


def _show(target: Path, summary: Sequence[Mapping[str, object]]) -> Table:
    view = Table(title=str(target), title_justify="left")
    dollars = any(row["cost_usd"] for row in summary)
    for column in ("model", "QP", "CP", "BS", "rows", "right", "score", f"{'USD' if dollars else 'eFLOPs'} a question"):
        view.add_column(column, justify="left" if column == "model" else "right")
    for row in summary:
        score = row["score"]
        numbers = [str(row[name]) for name in ("model", "qp", "cp", "bs", "rows")]
        cost = f"{row['cost_usd']:.3g}" if dollars else quantity(cast(float, row["eflops"]))
        view.add_row(*numbers, f"{row['accuracy']:.1%}", "" if score is None else f"{score:.3f}", cost)
    return view
