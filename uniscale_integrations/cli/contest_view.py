"""What `uniscale demo` shows: a live view while the contestants answer, and tables when they have."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from uniscale_integrations.cli.console import quantity
from uniscale_integrations.texts import printable

if TYPE_CHECKING:
    from uniscale_integrations.demo.contest import Result, Tally
    from uniscale_integrations.models.questions import Question

RECENT = 60
"""Questions of the running means."""

BAR = 11
"""Columns of the longest bar, so that a terminal of 80 holds the table."""


class ContestView:
    """Drawn anew while it goes on.

    Args:
        tallies: of the contestants, the engine's first.
        total: how many questions there are.
        unit: of costs.
    """

    def __init__(self, tallies: Sequence[Tally], total: int, unit: str) -> None:
        self._tallies, self._total, self._unit = tallies, total, unit
        self._start = time.monotonic()
        self._last = Text("")

    def note(self, question: Question, result: Result) -> None:
        """Note what was asked last, and what came of it."""
        mark = "right" if result.right else "wrong"
        self._last = Text.assemble(
            (f"{result.framework or 'last'}: ", "dim"), printable(question.text[:90]), "  ", str(result.configuration), "  ",
            (mark, "green" if result.right else "red"),
        )  # fmt: skip

    def line(self) -> str:
        """How far it is, in one line, where nothing can be drawn."""
        first = self._tallies[0]
        reward, right, cost = (first.mean(of, RECENT) for of in ("reward", "right", "cost"))
        parts = [
            f"{len(first.results)} of {self._total}",
            f"right {right:.0%}",
            f"reward {reward:.3f}",
            f"{quantity(cost)} {self._unit}",
        ]
        return ", ".join([*parts, self._remaining_time()])

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        done = sum(len(tally.results) for tally in self._tallies)
        bar = ProgressBar(total=self._total * len(self._tallies), completed=done, width=40)
        head = Table.grid(padding=(0, 1))
        head.add_row(
            Text(f"{len(self._tallies[0].results)} of {self._total} questions"), bar, Text(self._remaining_time(), "dim")
        )
        yield Group(head, standing(self._tallies, self._unit, RECENT), self._last)

    def _remaining_time(self) -> str:
        done = sum(len(tally.results) for tally in self._tallies)
        if not done:
            return "time left: not known yet"
        seconds = (time.monotonic() - self._start) * (self._total * len(self._tallies) / done - 1.0)
        return f"{int(seconds // 60)}:{int(seconds % 60):02d} left"


def standing(tallies: Sequence[Tally], unit: str, recent: int | None = None) -> Table:
    """All contestants on the same questions.

    Args:
        tallies: the engine's first.
        unit: of costs.
        recent: the last so many questions, for means that move; all of them by default.
    """
    title = (
        f"means over the last {recent} questions"
        if recent
        else f"{len(tallies[0].results)} questions that the models have never seen"
    )
    table = Table(title=title, title_justify="left")
    for name in ("", "reward", "right", f"{unit} each"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    table.add_column("", justify="left", no_wrap=True)
    most = max((tally.mean("cost", recent) for tally in tallies), default=0.0) or 1.0
    for place, tally in enumerate(tallies):
        if not tally.results:
            table.add_row(tally.name, "", "", "", "")
            continue
        reward, right, cost = (tally.mean(of, recent) for of in ("reward", "right", "cost"))
        bar = "█" * max(1, round(BAR * cost / most))
        table.add_row(
            tally.name, f"{reward:.3f}", f"{right:.1%}", quantity(cost), Text(bar, "dim"), style="" if place else "bold"
        )
        if place == 0:
            table.add_section()
    cut_off = sum(result.cut_off for tally in tallies for result in tally.results)
    if cut_off:
        table.caption = f"{cut_off} answers were cut off at a limit; they count as they are"
    return table


def verdict(tallies: Sequence[Tally]) -> str:
    """How the engine does in the last half of the questions, beside the best model alone on the same."""
    ours, alone = tallies[0], [tally for tally in tallies if tally.model]
    half = max(1, len(ours.results) // 2)
    if not alone:
        return ""
    best = max(alone, key=lambda tally: tally.mean("right", half))
    more = ours.mean("right", half) - best.mean("right", half)
    share = ours.mean("cost", half) / best.mean("cost", half) if best.mean("cost", half) else 0.0
    return (
        f"In the last {half} questions UniScale was right on {ours.mean('right', half):.1%}, {abs(more):.1%} "
        f"{'more' if more >= 0 else 'less'} than {best.name}, at {share:.2f} of what that took, and earned "
        f"{ours.mean('reward', half):.3f} against {best.mean('reward', half):.3f}."
    )


def kinds_table(questions: Sequence[Question], results: Sequence[Result]) -> Table:
    """What was learned: what is chosen for which kind of question, in the last half of them."""
    table = Table(title="what is chosen for which kind of question, in the last half", title_justify="left")
    for name, justify in (
        ("kind", "left"),
        ("questions", "right"),
        ("right", "right"),
        ("most often", "left"),
        ("share", "right"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    groups: dict[str, list[Result]] = defaultdict(list)
    half = len(results) // 2
    for question, result in list(zip(questions, results, strict=True))[half:]:
        groups[question.family.replace("_", " ")].append(result)
    for kind in sorted(groups):
        group = groups[kind]
        [(configuration, count)] = Counter(str(result.configuration) for result in group).most_common(1)
        right = sum(result.right for result in group) / len(group)
        table.add_row(kind, str(len(group)), f"{right:.0%}", configuration, f"{count / len(group):.0%}")
    return table
