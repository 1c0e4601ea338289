"""`uniscale calibrate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from uniscale_integrations.cli.app import app
from uniscale_integrations.cost import profile


def test_the_measured_profile_is_what_local_names_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNISCALE_HOME", str(tmp_path))
    result = CliRunner().invoke(app, ["calibrate", "--seconds", "0.5", "--threads", "1", "--json"])
    assert result.exit_code == 0, result.output
    values = json.loads(result.stdout.strip().splitlines()[-1])
    assert values["peak_flops"] > 1e8
    assert profile("local").peak_flops == values["peak_flops"]
