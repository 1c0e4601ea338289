"""`uniscale report`: a log as one page."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from uniscale_integrations.cli.console import Policies, out, print_json, told_plainly
from uniscale_integrations.log.log import open_log
from uniscale_integrations.report.page import write_report


def report(
    address: Annotated[
        str, typer.Argument(help="sqlite:///file.db, or postgresql://user@host/database.")
    ] = "sqlite:///uniscale.db",
    target: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path("report.html"),
    trees: Annotated[
        int, typer.Option(min=0, help="Searches that are shown with their paths, the last ones that the log has kept.")
    ] = 500,
    policy: Policies = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object as the last line.")] = False,
) -> None:
    """Write a log as one page: what was chosen, what came of it, what it cost, what is believed, and the paths of single searches.

    The page is one file that fetches nothing, for any browser.

    Example: uniscale report sqlite:///uniscale.db -o report.html
    """
    with told_plainly(as_json), closing(open_log(address, read_only=True)) as log:
        data = write_report(log, target, most_trees=trees, policies=policy or ())
        decisions, tree_count = len(data["decisions"]["id"]), len(data["trees"])
        out.print(f"{target}: {decisions} decisions, {tree_count} of them with their paths; open it in a browser", soft_wrap=True)
        if as_json:
            print_json({"report": str(target), "decisions": decisions, "trees": tree_count, "bytes": target.stat().st_size})
