"""All commands under one name."""

from __future__ import annotations

import typer

from uniscale_integrations.cli.ask import ask
from uniscale_integrations.cli.calibrate import calibrate
from uniscale_integrations.cli.console import escape_unencodable, strip_warnings
from uniscale_integrations.cli.demo import demo
from uniscale_integrations.cli.log import app as log
from uniscale_integrations.cli.log_portable import export, import_
from uniscale_integrations.cli.log_retention import forget, prune
from uniscale_integrations.cli.replay import replay
from uniscale_integrations.cli.report import report
from uniscale_integrations.cli.table import table

app = typer.Typer(
    name="uniscale",
    help="Answer questions with the model and the amount of test-time search that pay off.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(demo)
app.command()(ask)
app.command()(calibrate)
app.command()(table)
app.command()(replay)
app.command()(report)
log.command()(export)
log.command("import")(import_)
log.command()(prune)
log.command()(forget)
app.add_typer(log)


@app.callback()
def root() -> None:
    """Keeps the commands named even while there is only one."""
    strip_warnings()
    escape_unencodable()
