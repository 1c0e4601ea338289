"""`uniscale table`, on the embedded models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.loopback import served
from tests.openai_server import Server
from uniscale_integrations.cli.app import app
from uniscale_integrations.engine import UniScale
from uniscale_integrations.engine.outcomes import read_outcomes
from uniscale_integrations.models.catalog import family


def test_a_table_of_the_embedded_family(tmp_path: Path) -> None:
    target = tmp_path / "table.jsonl.gz"
    arguments = ["--model", "uniscale-0.3m", "--shape", "1,1,1", "--shape", "2,4,2", "--count", "3", "--samples", "2", "--json"]
    result = CliRunner().invoke(app, ["table", str(target), *arguments])
    assert result.exit_code == 0, result.output
    values = json.loads(result.stdout.strip().splitlines()[-1])
    table = list(read_outcomes(target))
    assert values["rows"] == len(table) == 12
    assert [(row["qp"], row["rows"]) for row in values["configurations"]] == [(1, 6), (2, 6)]
    assert values["configurations"][0]["accuracy"] == sum(row.correct for row in table if row.configuration.plain) / 6
    assert {row.extra["level"] for row in table} <= {1, 2, 3, 4}


def test_a_table_of_a_provider_s_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(Server()) as url:
        monkeypatch.setenv("OPENAI_API_KEY", "test")
        for name in ("OPENAI_API_BASE", "OPENAI_BASE_URL"):
            monkeypatch.setenv(name, url)
        arguments = ["--model", "openai:gpt-4.1-mini", "--shape", "1,1,1", "--shape", "2,1,1", "--count", "2"]
        result = CliRunner().invoke(app, ["table", str(tmp_path / "table.jsonl"), *arguments])
    assert result.exit_code == 0, result.output
    assert {row.configuration.model for row in read_outcomes(tmp_path / "table.jsonl")} == {"openai:gpt-4.1-mini"}


def test_a_table_of_hosted_models_has_their_prices_and_is_replayed_in_dollars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    target, questions, server = tmp_path / "table.jsonl", tmp_path / "questions.jsonl", Server()
    questions.write_text("".join(json.dumps({"query": f"What is {n} + 2?", "reference": str(n + 2)}) + "\n" for n in range(3)))
    with served(server) as url:
        models = ["--model", "openai:small", "--model", "openai:large", "--base-url", url, "--shape", "1,1,1"]
        prices = ["--price", "small=1,2", "--price", "large=10,20"]
        arguments = ["table", str(target), "--questions", str(questions), *models]
        result = CliRunner().invoke(app, [*arguments, *prices, "--json"])
        assert result.exit_code == 0, result.output
        refused = CliRunner().invoke(app, [*arguments[:1], str(tmp_path / "other.jsonl"), *arguments[2:], *prices[:2]])
    assert refused.exit_code == 2
    assert "no price of openai:large is known" in " ".join(refused.output.split())
    assert all("temperature" not in body for body in server.bodies)
    rows = list(read_outcomes(target))
    assert len(rows) == 6
    for row in rows:
        factor = 1 if row.configuration.model == "openai:small" else 10
        assert row.prompt_tokens
        assert row.completion_tokens
        assert row.cost_usd == pytest.approx(factor * (row.prompt_tokens + 2 * row.completion_tokens) / 1e6)
    assert [each["cost_usd"] > 0 for each in json.loads(result.stdout.strip().splitlines()[-1])["configurations"]] == [True, True]
    replayed = CliRunner().invoke(app, ["replay", str(target), "--seeds", "1", "--policies", "uis", "--points", "5", "--json"])
    assert replayed.exit_code == 0, replayed.output
    assert json.loads(replayed.stdout.strip().splitlines()[-1])["unit"] == "usd"


def test_what_cannot_be_run_is_told(tmp_path: Path) -> None:
    for arguments, message in (
        (["--shape", "2,4"], "--shape is three whole numbers"),
        (["--count", "0"], "--count must be at least 1"),
        (["--count", "99999"], "embedded questions"),
        (["--questions", str(tmp_path / "none.jsonl")], "cannot read"),
        (["--model", "no-such-model", "--count", "1"], "no model 'no-such-model'"),
        (["--verifier", "none", "--count", "1"], "needs a verifier"),
        (["--model", "uniscale-0.3m", "--price", "uniscale-0.3m=1,2"], "cost eFLOPs"),
        (["--model", "uniscale-0.3m", "--base-url", "http://localhost/v1"], "--base-url is of a provider's models"),
    ):
        result = CliRunner().invoke(app, ["table", str(tmp_path / "table.jsonl"), *arguments])
        assert result.exit_code == 2, result.output
        assert message in result.output


def test_an_engine_of_the_same_folder_begins_with_its_table(tmp_path: Path) -> None:
    folder, target = str(family()["uniscale-0.3m"].folder), tmp_path / "table.jsonl"
    shapes = ["--shape", "1,1,1", "--verifier", "none", "--count", "3"]
    result = CliRunner().invoke(app, ["table", str(target), "--model", folder, *shapes])
    assert result.exit_code == 0, result.output
    with UniScale([folder], None) as engine:
        assert engine.warm_start(target) == 3
