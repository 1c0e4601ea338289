"""`uniscale ask`: one question, one configuration, everything that happened."""

from __future__ import annotations

from typing import Annotated, cast

import typer
from rich.text import Text

from uniscale_integrations.cli.answer_view import as_dict, show_answer
from uniscale_integrations.cli.console import err, print_json, quiet_loading, told_plainly
from uniscale_integrations.cli.hosted import BaseUrlOption, PriceOption, hosted_models
from uniscale_integrations.cli.weights import VerifierOption
from uniscale_integrations.cost.hardware import profile
from uniscale_integrations.engine.model_registry import is_hosted, load_generator, suiting
from uniscale_integrations.search.aggregation import aggregation
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.beam import Schedule
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.events import Scored, SearchEvent
from uniscale_integrations.search.ports import Generator, Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import run
from uniscale_integrations.space import Configuration
from uniscale_integrations.verifiers.named import named_verifier


def ask(
    question: Annotated[str, typer.Argument(help="What to answer.")],
    model: Annotated[
        str, typer.Option(help="Embedded model, model folder, .gguf file, hub name, or provider:model such as openai:gpt-5-mini.")
    ] = "uniscale-1m",
    qp: Annotated[int, typer.Option(help="Question parallelism: independent trees.")] = 1,
    cp: Annotated[int, typer.Option(help="Candidate parallelism: next steps sampled for each kept path.")] = 1,
    bs: Annotated[int, typer.Option(help="Beam size: paths kept per tree.")] = 1,
    verifier: VerifierOption = "auto",
    early_stopping: Annotated[bool, typer.Option(help="Stop paths that can no longer win, and votes once decided.")] = True,
    schedule: Annotated[
        str, typer.Option(help="lockstep: all trees at once; leader: the first first, the others in waves.")
    ] = "leader",
    aggregate: Annotated[str, typer.Option("--aggregation", help="mean, min, last or product of the step scores.")] = "mean",
    temperature: Annotated[float | None, typer.Option(help="0 is greedy; 0.8 by default.")] = None,
    top_p: Annotated[float, typer.Option(help="Nucleus; 1 keeps everything.")] = 1.0,
    max_steps: Annotated[int, typer.Option(help="H_max: how often a search may choose; the last step is the rest.")] = 48,
    max_step_tokens: Annotated[int, typer.Option(help="Longest step but the last, in tokens.")] = 256,
    max_tokens: Annotated[
        int | None, typer.Option(help="Longest answer, in tokens, cut off there; by default the context.")
    ] = None,
    instruction: Annotated[str | None, typer.Option(help="Put after the question; nothing by default.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same paths.")] = 0,
    budget_eflops: Annotated[float | None, typer.Option(help="Stop after this many equivalent FLOPs.")] = None,
    budget_usd: Annotated[float | None, typer.Option(help="Stop after this many US dollars.")] = None,
    budget_tokens: Annotated[float | None, typer.Option(help="Stop after this many tokens.")] = None,
    budget_seconds: Annotated[float | None, typer.Option(help="Stop after this much time.")] = None,
    hardware: Annotated[str, typer.Option(help="Profile that prices eFLOPs: h100, a100, cpu, local or a JSON file.")] = "h100",
    price: PriceOption = None,
    base_url: BaseUrlOption = None,
    trace: Annotated[bool, typer.Option(help="Draw the tree of paths.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object as the last line.")] = False,
) -> None:
    """Answer QUESTION under one configuration (M, QP, CP, BS) and show what it took.

    Ctrl-C gives the best answer so far.

    Example: uniscale ask "What is 48 + 27 - 19?" --model uniscale-0.3m --cp 8 --bs 2 --trace
    """
    with told_plainly(as_json):
        configuration = Configuration(model, qp, cp, bs)
        request = Request(
            question,
            configuration,
            Sampling(temperature, top_p, max_step_tokens, max_steps, seed, max_tokens, "early" if early_stopping else "full"),
            Budget(budget_eflops, budget_usd, budget_tokens, budget_seconds),
            early_stopping,
            cast(Schedule, schedule),  # the search refuses any other, with the names there are
            aggregation(aggregate),
            profile(hardware),
        )
        hosted = hosted_models([model], price or [], base_url, request.hardware) if is_hosted(model) or price or base_url else {}
        answer = _answer(request, verifier, instruction, hosted.get(model))
        show_answer(question, answer, trace)
        if as_json:
            print_json(as_dict(question, answer, trace))


def _answer(request: Request, verifier: str, instruction: str | None, hosted: Generator | None) -> Answer:
    """The answer, of a model that is loaded or of a client that is there, with what happens meanwhile on the status line."""
    model = request.configuration.model
    with err.status(Text(f"loading {model}")) as status:
        if hosted is None:
            quiet_loading()
        if hosted is None or instruction is not None:
            # What a provider's model does not take is said there.
            hosted = load_generator(model, lambda message: status.update(Text(message)), instruction=instruction)
        generator = hosted
        judge = named_verifier(suiting([generator]) if verifier == "auto" else verifier, [model])

        def observe(event: SearchEvent) -> None:
            if isinstance(event, Scored):
                depth = max((path.depth for path in event.contenders), default=0)
                best = "" if event.best is None else f", best V={event.best:.3f}"
                status.update(f"{event.count} candidates, depth {depth}, {len(event.contenders)} paths in the running{best}")

        return run(request, generator, judge, observe)
