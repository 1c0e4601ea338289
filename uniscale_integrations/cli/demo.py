"""`uniscale demo`: what search buys, on the embedded models and questions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from uniscale_integrations.cli.console import err, out, print_json, quantity, quiet_loading, told_plainly
from uniscale_integrations.search.many import arun_many
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.run import Answer, Request
from uniscale_integrations.space import Configuration

if TYPE_CHECKING:
    from uniscale_integrations.models.questions import Question

SHAPES = {
    "uniscale-0.3m": ((1, 1, 1), (4, 1, 1), (1, 8, 2), (4, 8, 4)),
    "uniscale-1m": ((1, 1, 1), (4, 1, 1), (1, 8, 2)),
    "uniscale-3m": ((1, 1, 1), (1, 8, 2)),
}


def demo(
    count: Annotated[int, typer.Option(help="How many of the embedded questions.")] = 48,
    seed: Annotated[int, typer.Option(help="The same seed gives the same answers.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object as the last line.")] = False,
) -> None:
    """Answer embedded questions under several configurations and show what search buys, and what it costs."""
    with told_plainly(as_json):
        from uniscale_integrations.models.catalog import load_model
        from uniscale_integrations.models.questions import questions
        from uniscale_integrations.verifiers.load import load_prm

        quiet_loading()
        chosen = questions()[:count]
        with err.status("loading the embedded models"):
            verifier = load_prm()
            models = {name: load_model(name) for name in SHAPES}
        results: list[dict[str, Any]] = []
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=err, transient=True) as progress:
            task = progress.add_task("", total=len(chosen) * sum(map(len, SHAPES.values())))
            for name, shapes in SHAPES.items():
                for shape in shapes:
                    configuration = Configuration(name, *shape)
                    progress.update(task, description=str(configuration))
                    requests = [Request(question.text, configuration, Sampling(seed=seed)) for question in chosen]
                    answers = asyncio.run(
                        arun_many(requests, models[name], verifier, done=lambda index, answer: progress.advance(task))
                    )
                    results.append(_summary(configuration, chosen, answers))
        out.print(_table(results, len(chosen)))
        out.print(_example(chosen, results))
        if as_json:
            for result in results:
                del result["right"]
            print_json({"questions": len(chosen), "configurations": results})


def _summary(configuration: Configuration, chosen: Sequence[Question], answers: list[Answer]) -> dict[str, Any]:
    right = [question.correct(answer.answer) for question, answer in zip(chosen, answers, strict=True)]
    scores = [answer.score for answer in answers if answer.score is not None]
    return {
        "model": configuration.model,
        "qp": configuration.qp,
        "cp": configuration.cp,
        "bs": configuration.bs,
        "accuracy": sum(right) / len(right),
        "score": sum(scores) / len(scores) if scores else None,
        "eflops": sum(answer.ledger.eflops for answer in answers) / len(answers),
        "right": right,
    }


def _table(results: list[dict[str, Any]], count: int) -> Table:
    table = Table(title=f"{count} questions the models have never seen", title_justify="left")
    for column, side in (("model", "left"), ("QP", "right"), ("CP", "right"), ("BS", "right"), ("right", "right")):
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    table.add_column("", justify="left")
    table.add_column("eFLOPs a question", justify="right")
    previous = ""
    for result in results:
        if previous and previous != result["model"]:
            table.add_section()
        previous = result["model"]
        bar = "█" * round(20 * result["accuracy"])
        numbers = [str(result[key]) for key in ("model", "qp", "cp", "bs")]
        table.add_row(*numbers, f"{result['accuracy']:.0%}", bar, quantity(result["eflops"]))
    return table


def _example(chosen: Sequence[Question], results: list[dict[str, Any]]) -> str:
    """A question that the smallest model gets right only by searching, with the command that shows how."""
    plain = next(r for r in results if (r["qp"], r["cp"], r["bs"]) == (1, 1, 1))
    searched = next(r for r in results if r["model"] == plain["model"] and (r["qp"], r["cp"], r["bs"]) == (1, 8, 2))
    for question, before, after in zip(chosen, plain["right"], searched["right"], strict=True):
        if after and not before:
            text = question.text.replace('"', '\\"')
            return f'see a search at work:\n  uniscale ask "{text}" --model {plain["model"]} --cp 8 --bs 2 --trace'
    return 'see a search at work:\n  uniscale ask "What is 12 + 30 - 7?" --cp 8 --bs 2 --trace'
