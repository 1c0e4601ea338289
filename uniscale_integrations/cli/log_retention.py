"""`uniscale log prune` and `uniscale log forget`: what a log need not keep, and what it must not."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from uniscale_integrations.cli.console import Policies, beginning_needed, out, print_json, told_plainly
from uniscale_integrations.cli.log import Address, AsJson
from uniscale_integrations.engine import retention
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.spool import Spool, spool_of
from uniscale_integrations.log.sql import SQLStore

SpoolFolder = Annotated[
    Path | None,
    typer.Option(
        help="The folder of `UniScale(spool=...)`, where that was set: what ended workers have left there is written first."
    ),
]


def prune(
    address: Address,
    before: Annotated[str, typer.Option(help="A date, or a date and time, in UTC where it names no zone: 2026-01-31.")],
    keep_learned: Annotated[bool, typer.Option("--keep-learned", help="What they have taught stays, in snapshots.")] = False,
    spool: SpoolFolder = None,
    policy: Policies = None,
    as_json: AsJson = False,
) -> None:
    """Take out decisions that were taken before a date, with their outcomes and feedback, while workers go on.

    With --keep-learned every engine that opens the log later has learned what it would have without. Otherwise what they have taught
    goes as well: engines fold their state from what is left, also those that are running. Exit code 1 where the log cannot tell that.

    Example: uniscale log prune sqlite:///uniscale.db --before 2026-01-01 --keep-learned
    """
    with told_plainly(as_json), beginning_needed(as_json):
        at = _time(before)
        with closing(open_log(address, create=False)) as log:
            removed = retention.prune(log, at, keep_learned=keep_learned, spool=_spool(log, spool), policies=policy or ())
            text = f"took out {removed.events} events of decisions before {before}"
            if removed.kept:
                text += f"; {removed.kept} decisions stay, of which there is more to be learned"
            if keep_learned:
                text += f"; what they have taught is kept in snapshots of {removed.folds} states"
            elif removed.events:
                text += "; engines fold their state from what is left"
            out.print(text)
            _tell_of_waiting(removed)
            if as_json:
                print_json(asdict(removed))


def forget(
    address: Address,
    decision: Annotated[str | None, typer.Option(help="The id of a decision; all decisions of its request go.")] = None,
    source: Annotated[str | None, typer.Option(help="A source of feedback; all that it has said goes.")] = None,
    tag: Annotated[str | None, typer.Option(help="All decisions that were taken under a tag go.")] = None,
    spool: SpoolFolder = None,
    as_json: AsJson = False,
) -> None:
    """Take out decisions, or what a source has said, with all that they have taught, and wipe them from the database's file.

    Engines fold their state from what is left, also those that are running. Exit code 1 where the log has lost its beginning: what they
    have taught could not be taken out then, and nothing is changed.

    Example: uniscale log forget sqlite:///uniscale.db --tag user-17
    """
    with told_plainly(as_json), beginning_needed(as_json), closing(open_log(address, create=False)) as log:
        removed = retention.forget(log, decision=decision, source=source, tag=tag, spool=_spool(log, spool))
        if removed.events:
            of = f" of {removed.decisions} decisions" if removed.decisions else ""
            out.print(
                f"took out {removed.events} events{of}, and what they had taught; engines fold their state from what is left"
            )
        else:
            out.print("there is nothing of it in the log")
        _tell_of_waiting(removed)
        if as_json:
            print_json(asdict(removed))


def _tell_of_waiting(removed: retention.Removed) -> None:
    if removed.waiting:
        out.print(
            f"{removed.waiting} workers that are running on this host keep events that the log has not taken yet; repeat this once it has"
        )


def _spool(log: SQLStore, folder: Path | None) -> Spool | None:
    """Where an engine with that setting keeps what the log does not take.

    Raises:
        ConfigurationError: there is no such folder.
    """
    if folder is None:
        return None
    if not folder.is_dir():
        raise ConfigurationError(f"there is no folder {folder}; --spool takes what engines on the log were given as spool=")
    return spool_of(log, folder)


def _time(text: str) -> float:
    """A date, or a date and time, as Unix time.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"--before takes a date such as 2026-01-31, or 2026-01-31T12:00, got {text!r:.80}") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
