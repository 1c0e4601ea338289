"""`uniscale demo`: the main job on the embedded family, or on models of one's own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from uniscale_integrations.cli.console import err, out, print_json, quiet_loading, told_plainly
from uniscale_integrations.cli.hosted import price_list
from uniscale_integrations.cli.weights import ModeOption, VerifierOption, WeightsOption, weights_of
from uniscale_integrations.errors import ConfigurationError, LogError
from uniscale_integrations.texts import printable

if TYPE_CHECKING:
    from uniscale_integrations.demo.contest import Contestant, Tally
    from uniscale_integrations.engine import UniScale
    from uniscale_integrations.models.questions import Question
    from uniscale_integrations.policy.objective import Weights
    from uniscale_integrations.search.ports import Generator

ROUND = 20
"""Questions after which the contestants wait for each other."""

CALIBRATION_QUESTIONS = 300
"""Most questions that are asked to find out what a model takes alone."""


def demo(
    count: Annotated[int, typer.Option("--questions", "-n", min=1, help="How many questions to answer.")] = 300,
    mode: ModeOption = "balanced",
    weights: WeightsOption = None,
    models: Annotated[
        str, typer.Option(help="Models of your own: hub names, folders, GGUF files, openai:gpt-5-mini; with commas.")
    ] = "",
    price: Annotated[
        list[str] | None,
        typer.Option(help="Of a provider's model, dollars per million tokens read and sampled: gpt-5-mini=0.25,2.0."),
    ] = None,
    verifier: VerifierOption = "auto",
    budget: Annotated[
        str, typer.Option(help="What a question may take on average: eFLOPs (or dollars), or a model: as much as it takes alone.")
    ] = "",
    log: Annotated[
        str, typer.Option(help="Where what is learned stays; a second run goes on from it.")
    ] = "sqlite:///uniscale.db",
    report: Annotated[Path, typer.Option(help="The page to write at the end.")] = Path("report.html"),
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over: remove the log, and with it what earlier runs have learned.")
    ] = False,
    others: Annotated[
        bool | None,
        typer.Option("--others/--no-others", help="Measure what else could be done; by default with the embedded models."),
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(help="Answers that may be looked at before one is given, as of UniScale(rounds=...).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the questions' order, and of drawing.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object as the last line.")] = False,
) -> None:
    """Stream questions through a LangChain chain and a LlamaIndex query engine on one engine that learns, beside what else could be done.

    Example: uniscale demo --questions 100 --mode quality-first
    """
    with told_plainly(as_json):
        objective = weights_of(mode, weights)
        if not report.parent.is_dir() or report.is_dir():
            raise ConfigurationError(f"cannot write the report to {report}; give a file in a folder that there is")
        weighing = _weighing(models, price or [], verifier)
        with weighing:
            mean = _budget(budget, weighing, seed, count)
        engine = _engine(weighing, objective, mean, log, seed, rounds, fresh=fresh)
        with closing(engine):
            before = engine.log.counts().get("decision", 0)
            if before:
                out.print(f"Going on from {before} decisions in {engine.log.name}; --fresh starts over.")
            questions = _questions(count, before, seed)
            alone = (not models) if others is None else others
            tallies, stopped_early = _run(engine, questions, alone, seed)
            _close(engine, tallies, questions, report, interrupted=stopped_early)
            if as_json:
                print_json(_figures(engine, tallies, questions, report, before=before, interrupted=stopped_early))
        if stopped_early:
            raise typer.Exit(130)


def _weighing(models: str, prices: Sequence[str], verifier: str) -> UniScale:
    """An engine in memory: it loads the verifier, once, and finds out what is wrong before any log is touched."""
    with err.status("loading the models and both frameworks (some seconds)"):
        # What is not installed is said first of all.
        for module in ("models.catalog", "demo.application"):
            import_module(f"uniscale_integrations.{module}")
        quiet_loading()
        from uniscale_integrations.engine import UniScale

        return UniScale(_models(models, prices), verifier)


def _models(names: str, prices: Sequence[str]) -> list[Generator]:
    """The models of these names, loaded, with their prices; the embedded family without any."""
    import torch

    from uniscale_integrations.engine.model_registry import loaded

    given = price_list(prices)
    own = [name.strip() for name in names.split(",") if name.strip()]
    if not own:
        # The embedded models' matrices are so small that sharing one out between cores takes longer than computing it.
        torch.set_num_threads(1)
    return list(loaded(own or None, given).values())


def _engine(
    weighing: UniScale, worth: Weights, budget: float | None, log: str, seed: int, rounds: int | None, *, fresh: bool
) -> UniScale:
    from uniscale_integrations.engine import UniScale
    from uniscale_integrations.search.ports import Sampling

    models = list(weighing.models.values())
    engine = partial(
        UniScale,
        models,
        weighing.verifier,
        mode=worth.parts,
        sampling=Sampling(seed=seed),
        mean_budget=budget,
        rounds=rounds,
    )
    if fresh:
        # What is wrong with the rest is said before anything is removed.
        engine().close()
        _forget(log, models)
    return engine(log=log, store_queries=True, store_paths=True)


def _budget(option: str, engine: UniScale, seed: int, count: int) -> float | None:
    """A number, or what a model takes alone, on some questions that come last in the order; `None` for no budget."""
    from uniscale_integrations.demo.contest import Alone
    from uniscale_integrations.search.ports import Sampling

    if not option:
        return None
    if option not in engine.models:
        try:
            return float(option)
        except ValueError as error:
            raise ConfigurationError(f"a budget is a number or one of {', '.join(engine.models)}, got {option!r}") from error
    number = min(CALIBRATION_QUESTIONS, count)
    with err.status(Text(f"asking {option} {number} questions, for what it takes")):
        alone = Alone(engine, engine.models[option], engine.verifier, Sampling(seed=seed))
        results = asyncio.run(alone.answer(_questions(number, -number, seed), 0))
        return sum(result.cost for result in results) / len(results)


def _forget(log: str, models: Sequence[Generator]) -> None:
    """Remove a log that earlier runs have left, and no other."""
    from uniscale_integrations.log.connect import address_of
    from uniscale_integrations.models.catalog import language_models

    url = address_of(log)
    if url.get_backend_name() != "sqlite":
        raise ConfigurationError(
            f"--fresh removes the file of an SQLite log; give another database than {url.render_as_string()}"
        )
    if not url.database or not Path(url.database).exists():
        return
    try:
        others = _deciding(log) - {model.name for model in models} - set(language_models())
    except LogError as error:
        problem = f"{url.database} is none that can be read ({error})"
        raise ConfigurationError(f"--fresh removes a log, and {problem}; remove it yourself") from error
    if others:
        raise ConfigurationError(
            f"{log} holds decisions between other models too ({', '.join(sorted(others))}); give another --log, or remove the file yourself"
        )
    for end in ("", "-wal", "-shm"):
        Path(url.database + end).unlink(missing_ok=True)


def _deciding(log: str) -> set[str]:
    """The models that a log has decisions for."""
    from uniscale_integrations.log.events import DecisionEvent
    from uniscale_integrations.log.log import open_log

    with closing(open_log(log, read_only=True)) as old:
        return {entry.event.configuration.model for entry in old.everything() if isinstance(entry.event, DecisionEvent)}


def _questions(count: int, before: int, seed: int) -> list[Question]:
    """The next questions of an order that is the same in every run; from the first one again when all have been asked."""
    import random

    from uniscale_integrations.models.questions import questions

    order = list(questions())
    random.Random(seed).shuffle(order)
    return [order[(before + place) % len(order)] for place in range(count)]


def _run(engine: UniScale, questions: Sequence[Question], measured: bool, seed: int) -> tuple[list[Tally], bool]:
    """Have all contestants answer, round by round; whether Ctrl-C ended it."""
    from rich.live import Live

    from uniscale_integrations.cli.contest_view import ContestView
    from uniscale_integrations.demo.contest import Behind, Tally, others
    from uniscale_integrations.search.ports import Sampling

    contestants: list[Contestant] = [Behind(engine, questions)]
    if measured:
        contestants += others(engine, engine.verifier, Sampling(seed=seed))
    tallies = [Tally(contestant.name) for contestant in contestants]
    view = ContestView(tallies, len(questions), "$" if engine.in_dollars else "eFLOPs")

    async def rounds() -> None:
        for first in range(0, len(questions), ROUND):
            part = questions[first : first + ROUND]
            # All at the same time: what they ask of a model goes into shared batches, which change neither answers nor bills.
            await asyncio.gather(*(_turn(each, tally, part, first) for each, tally in zip(contestants, tallies, strict=True)))
            if not first and all(result.failed for result in tallies[0].results):
                raise ConfigurationError(f"none of the first {len(part)} questions was answered: {tallies[0].results[0].failed}")
            view.note(part[-1], tallies[0].results[-1])
            if not out.is_terminal:
                sys.stderr.write(f"{printable(view.line())}\n")

    with Live(view, console=out, refresh_per_second=4, transient=True):
        try:
            asyncio.run(rounds())
        except KeyboardInterrupt:
            return tallies, True
    return tallies, False


async def _turn(contestant: Contestant, tally: Tally, part: Sequence[Question], first: int) -> None:
    tally.results += await contestant.answer(part, first)


def _close(engine: UniScale, tallies: Sequence[Tally], questions: Sequence[Question], report: Path, *, interrupted: bool) -> None:
    """The tables, and where the page is."""
    from uniscale_integrations.cli.contest_view import kinds_table, standing, verdict
    from uniscale_integrations.report.page import write_report

    done = len(tallies[0].results)
    if interrupted:
        out.print(
            f"Stopped after {done} questions; what was answered and judged is in the log, and the next run goes on from there."
        )
    if done:
        out.print(standing(tallies, "$" if engine.in_dollars else "eFLOPs"))
        if len(tallies) > 1:
            out.print(verdict(tallies), soft_wrap=True)
        out.print(kinds_table(questions[:done], tallies[0].results))
    alone = {tally.model: (tally.mean("right"), tally.mean("cost")) for tally in tallies if tally.model and tally.results}
    write_report(engine.log, report, alone=alone)
    out.print(
        f"What was decided, what it cost and every path of every search: open {report.resolve()} in a browser.", soft_wrap=True
    )
    out.print(f"What was learned stays in {engine.log.name}; run this again to go on from it.", soft_wrap=True)


def _figures(
    engine: UniScale, tallies: Sequence[Tally], questions: Sequence[Question], report: Path, *, before: int, interrupted: bool
) -> dict[str, Any]:
    half = max(1, len(tallies[0].results) // 2)
    return {
        "questions": len(tallies[0].results),
        "before": before,
        "interrupted": interrupted,
        "unit": "usd" if engine.in_dollars else "eflops",
        "report": str(report),
        "log": engine.log.name,
        "through": {name: sum(result.framework == name for result in tallies[0].results) for name in ("LangChain", "LlamaIndex")},
        "contestants": [
            {
                "name": tally.name,
                **{of: tally.mean(of) for of in ("right", "reward", "cost")},
                "last_half": {of: tally.mean(of, half) for of in ("right", "reward", "cost")},
            }
            for tally in tallies
            if tally.results
        ],
    }
