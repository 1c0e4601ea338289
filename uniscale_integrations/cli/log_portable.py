"""`uniscale log export` and `uniscale log import`: a log as JSON Lines, and back."""

from __future__ import annotations

import sys
from contextlib import closing, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from uniscale_integrations.cli.console import out, print_json, told_plainly
from uniscale_integrations.cli.log import Address, AsJson
from uniscale_integrations.errors import LogError
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.portable import lines, read


def export(
    address: Address, target: Annotated[Path | None, typer.Option(help="A file to write; standard output by default.")] = None
) -> None:
    """Write all events as JSON Lines, in the log's order, with what they refer to; `uniscale log import` makes the same log of them.

    Example: uniscale log export sqlite:///uniscale.db --target events.jsonl
    """
    with told_plainly(False), closing(open_log(address, read_only=True)) as log:
        if target is not None:
            log.spare(target)
        try:
            with nullcontext(sys.stdout) if target is None else target.open("w", encoding="utf-8") as file:
                for line in lines(log):
                    file.write(line + "\n")
        except BrokenPipeError:
            raise
        except OSError as error:
            raise LogError(f"cannot write {target}: {error}") from error


def import_(
    address: Address,
    source: Annotated[Path, typer.Argument(help="What `uniscale log export` wrote; - for standard input.")],
    as_json: AsJson = False,
) -> None:
    """Write to a log what an export holds and the log does not yet; a log that is not there is made. To repeat it adds nothing.

    A log without events also takes over what was learned, of an export of a log that was pruned with --keep-learned. Exit code 1 where
    lines were passed over.

    Example: uniscale log import postgresql://user@host/database events.jsonl
    """
    with told_plainly(as_json):
        if str(source) != "-" and not source.is_file():
            raise LogError(f"there is no file {source} to read")
        with (
            nullcontext(sys.stdin.buffer) if str(source) == "-" else source.open("rb") as file,
            closing(open_log(address)) as log,
        ):
            # A line that is no UTF-8 is one that cannot be read, as others are.
            done = read(log, (line.decode(errors="surrogateescape") for line in file))
        out.print(f"{done.events} events are new, {done.present} were there already")
        if done.states:
            out.print(f"{done.states} states of events that are gone were taken over")
        if done.left:
            out.print(f"{done.left} states of events that are gone were not taken over, since this log has events of its own")
        if done.unreadable:
            out.print(f"{len(done.unreadable)} lines cannot be read: {done.unreadable[0]}")
        if as_json:
            print_json(asdict(done) | {"unreadable": done.unreadable[:100]})
        if done.unreadable:
            raise typer.Exit(1)
