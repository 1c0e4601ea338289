"""`uniscale calibrate`: measure this machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from uniscale_integrations.cli.console import err, out, print_json, quantity, told_plainly
from uniscale_integrations.cost.calibrate import calibrate as measure


def calibrate(
    threads: Annotated[int | None, typer.Option(help="Torch threads while measuring; no more than there are idle cores.")] = None,
    seconds: Annotated[float, typer.Option(help="How long to measure.")] = 6.0,
    save: Annotated[
        Path | None, typer.Option(help="Where to write the profile; by default where `--hardware local` reads it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object as the last line.")] = False,
) -> None:
    """Measure this machine's FLOP/s, memory bandwidth and time per layer, and save them as the hardware profile "local".

    Example: uniscale calibrate --seconds 2
    """
    with told_plainly(as_json):
        with Progress(console=err, transient=True) as progress:
            task = progress.add_task("measuring", total=1.0)
            hardware = measure(threads, seconds, lambda what, share: progress.update(task, completed=share, description=what))
        file = hardware.save(save)
        table = Table(title=f"hardware profile {hardware.name!r}", title_justify="left", show_header=False)
        table.add_row("compute", f"{quantity(hardware.peak_flops)}FLOP/s")
        table.add_row("memory bandwidth", f"{quantity(hardware.bandwidth)}B/s")
        table.add_row("arithmetic intensity", f"{hardware.intensity:.2f} FLOP/B")
        table.add_row("launch of a layer", f"{hardware.layer_seconds * 1e6:.0f} us")
        table.add_row("saved to", str(file))
        out.print(table)
        if as_json:
            print_json(asdict(hardware) | {"intensity": hardware.intensity, "file": str(file)})
