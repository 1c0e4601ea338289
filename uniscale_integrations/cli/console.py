"""What every command shares: where it prints, how it fails, and the JSON on its last line."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.text import Text

from uniscale_integrations.errors import LostBeginning, UniScaleError
from uniscale_integrations.texts import printable, printable_json

Policies = Annotated[
    list[str] | None,
    typer.Option("--policy", help="module:name of a policy of your own that the log names; nothing else is imported. Repeat it."),
]


class _Printable:
    """Something to show, without control characters: what models, logs and tables hold could move the cursor or rename the window."""

    def __init__(self, inner: RenderableType) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._inner, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement.get(console, options, self._inner)


class _WithoutControl(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """As of rich."""
        return [_Printable(each) for each in renderables]


# Without markup: names of models and what logs hold are shown as they are.
out = Console(highlight=False, markup=False)
err = Console(stderr=True, highlight=False, markup=False)
for _console in (out, err):
    _console.push_render_hook(_WithoutControl())


class _PrintableFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """As of `logging`."""
        return printable(super().format(record))


def strip_warnings() -> None:
    """Have warnings that nobody else handles, and that quote what logs and models hold, be shown without control characters as well."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_PrintableFormatter())


def escape_unencodable() -> None:
    """Have what a terminal's encoding lacks be shown as escapes, so that it ends no command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_json(values: Mapping[str, Any]) -> None:
    """One JSON object on one line, as the last line of the output."""
    sys.stdout.write(printable_json(json.dumps(values, default=str)) + "\n")
    sys.stdout.flush()


@contextmanager
def told_plainly(as_json: bool) -> Iterator[None]:
    """Errors of this package, and files that cannot be used, end the command with their message and exit code 2, without a traceback."""
    try:
        yield
    except BrokenPipeError:
        # Whoever reads has seen enough; nor is there anybody to tell at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
    except (UniScaleError, OSError) as error:
        err.print(Text.assemble((type(error).__name__, "bold red"), f": {printable(str(error))}"), soft_wrap=True)
        if as_json:
            print_json({"error": type(error).__name__, "message": str(error)})
        raise typer.Exit(2) from None


@contextmanager
def beginning_needed(as_json: bool) -> Iterator[None]:
    """That a log has lost its beginning ends the command with that message and exit code 1; nothing has been changed then."""
    try:
        yield
    except LostBeginning as error:
        err.print(Text(printable(str(error))), soft_wrap=True)
        if as_json:
            print_json({"error": type(error).__name__, "message": str(error)})
        raise typer.Exit(1) from None


def quiet_loading() -> None:
    """Keep the model library's own progress bars out of ours."""
    from transformers.utils import logging

    logging.disable_progress_bar()


def quantity(value: float) -> str:
    """A large number in three digits.

    >>> quantity(1234567.0), quantity(12.0), quantity(0.0)
    ('1.23 M', '12.0', '0')
    """
    if value == 0:
        return "0"
    for power, unit in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= power:
            return f"{value / power:.3g} {unit}"
    return f"{value:.3g}" if value % 1 else f"{value:.1f}"
