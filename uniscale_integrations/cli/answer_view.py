"""An answer on the terminal and as JSON, with its ledger."""

from __future__ import annotations

from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from uniscale_integrations.cli.console import out, quantity
from uniscale_integrations.cli.trace import draw_paths
from uniscale_integrations.cost.ledger import Ledger
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.texts import printable


def show_answer(question: str, answer: Answer, trace: bool) -> None:
    """Print the answer and what was spent on it; with `trace` also the tree of paths."""
    if trace:
        out.print(draw_paths(question, answer.paths, answer.text))
    score = "not scored" if answer.score is None else f"V = {answer.score:.3f}"
    title = f"{answer.answer if answer.answer is not None else 'no answer'}   ({score})"
    heading = Text(printable(f"{answer.configuration}  {title}"), style="bold")
    out.print(Panel(Group(heading, Text(printable(answer.text.strip()))), expand=False))
    if answer.stop_reason:
        out.print(Text(f"cut: {answer.stop_reason}", style="yellow"))
    if answer.vote:
        out.print(Text(f"vote: {answer.vote}", style="dim"))
    for note in dict.fromkeys(answer.warnings):
        out.print(Text(printable(f"note: {note}"), style="yellow"))
    out.print(ledger_table(answer.ledger))


def ledger_table(ledger: Ledger) -> Table:
    """What was spent, by what became of it, with generator and verifier told apart."""
    table = Table(title=f"ledger, priced for {ledger.profile.name}, {ledger.seconds:.2f} s", title_justify="left")
    dollars = ledger.usd > 0
    for column in ("spent by", "on paths that were", "tokens read", "tokens sampled", "USD" if dollars else "eFLOPs"):
        table.add_column(column, justify="left" if column in ("spent by", "on paths that were") else "right")
    for charge in ledger.charges:
        usage = charge.usage
        if sum(usage) > 0:
            cost = f"{usage.usd:.3g}" if dollars else quantity(ledger.profile.eflops(usage))
            table.add_row(charge.model, charge.fate, f"{usage.prompt_tokens:.0f}", f"{usage.completion_tokens:.0f}", cost)
    input_tokens, output_tokens = ledger.tokens
    table.add_section()
    cost = f"{ledger.usd:.3g}" if dollars else quantity(ledger.eflops)
    table.add_row("all", f"verifier {ledger.verifier_share:.0%}", f"{input_tokens:.0f}", f"{output_tokens:.0f}", cost)
    return table


def as_dict(question: str, answer: Answer, trace: bool = False) -> dict[str, Any]:
    """The answer as JSON-ready values."""
    configuration = answer.configuration
    values: dict[str, Any] = {
        "question": question,
        "configuration": {"model": configuration.model, "qp": configuration.qp, "cp": configuration.cp, "bs": configuration.bs},
        "answer": answer.answer,
        "text": answer.text,
        "score": answer.score,
        "best_score": answer.best_score,
        "cut": answer.stop_reason,
        "vote": answer.vote,
        "finish_reason": answer.finish_reason,
        "notes": list(answer.warnings),
        "ledger": answer.ledger.as_dict(),
    }
    if trace:
        values["paths"] = [
            {
                "tree": path.key.tree,
                "lineage": list(path.key.lineage),
                "steps": list(path.steps),
                "scores": path.scores,
                "value": path.value,
                "fate": path.fate.value,
                "reason": path.reason,
                "count": path.count,
            }
            for path in answer.paths
        ]
    return values
