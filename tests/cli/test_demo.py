"""`uniscale demo`, on a few questions."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from uniscale_integrations.cli.app import app


def test_the_demo_compares_configurations_and_their_cost() -> None:
    result = CliRunner().invoke(app, ["demo", "--count", "4", "--json"])
    assert result.exit_code == 0, result.output
    values = json.loads(result.stdout.strip().splitlines()[-1])
    plain, *searches = [row for row in values["configurations"] if row["model"] == "uniscale-0.3m"]
    assert (plain["qp"], plain["cp"], plain["bs"]) == (1, 1, 1)
    assert all(row["eflops"] > plain["eflops"] for row in searches)
    assert all(0 <= row["accuracy"] <= 1 for row in values["configurations"])
    assert "uniscale ask" in result.stdout
