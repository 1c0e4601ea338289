"""`uniscale ask`, on the embedded models."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.loopback import served
from tests.openai_server import Server
from uniscale_integrations.cli.app import app

QUESTION = "What is 12 + 30 - 7?"


def ask(*arguments: str, question: str = QUESTION) -> Result:
    return CliRunner().invoke(app, ["ask", question, "--model", "uniscale-0.3m", *arguments])


def last_line(result: Result) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    return values


def test_a_search_is_answered_with_its_score_and_ledger() -> None:
    result = ask("--cp", "4", "--bs", "2", "--json")
    assert result.exit_code == 0, result.output
    values = last_line(result)
    assert values["configuration"] == {"model": "uniscale-0.3m", "qp": 1, "cp": 4, "bs": 2}
    assert values["answer"]
    assert 0 <= values["score"] <= 1
    assert values["ledger"]["by_role"]["verifier"]["eflops"] > 0
    assert "ledger" in result.stdout


def test_the_trace_draws_every_tree_and_why_paths_ended() -> None:
    result = ask("--qp", "2", "--cp", "4", "--bs", "2", "--trace", "--schedule", "lockstep", "--no-early-stopping", "--json")
    assert "tree 0" in result.stdout
    assert "tree 1" in result.stdout
    assert "<- answer" in result.stdout
    paths = last_line(result)["paths"]
    assert {path["tree"] for path in paths} == {0, 1}
    assert all(path["reason"] for path in paths if path["fate"] in ("outranked", "pruned", "duplicate"))


def test_the_same_seed_gives_the_same_paths_under_both_schedules() -> None:
    runs = [ask("--qp", "3", "--schedule", schedule, "--seed", "5", "--json") for schedule in ("leader", "lockstep")]
    first, second = (last_line(run) for run in runs)
    assert first["best_score"] == second["best_score"]


def test_a_token_budget_cuts_the_search_and_keeps_the_best() -> None:
    values = last_line(ask("--qp", "4", "--cp", "8", "--bs", "4", "--no-early-stopping", "--budget-tokens", "250", "--json"))
    assert values["text"]
    assert "budget of 250 tokens" in values["cut"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--cp", "2", "--bs", "4"), "BS=4 is larger than the CP=2 candidates"),
        (("--qp", "0"), "QP must be a whole number of at least 1, got 0"),
        (("--budget-eflops", "10"), "less than the first step of one sample"),
        (("--schedule", "backwards"), "there are 'lockstep' and 'leader'"),
        (("--aggregation", "median"), "there are mean, min, last, product"),
        (("--verifier", "none", "--cp", "4"), "needs a verifier"),
        (("--hardware", "abacus"), "abacus"),
        (("--temperature", "-1"), "temperature must be a number of at least 0"),
    ],
)
def test_what_cannot_be_run_is_told_plainly(arguments: tuple[str, ...], message: str) -> None:
    result = ask(*arguments, "--json")
    assert result.exit_code == 2
    assert message in last_line(result)["message"]


def test_an_unknown_model_names_those_there_are() -> None:
    result = CliRunner().invoke(app, ["ask", QUESTION, "--model", "gpt-17", "--json"])
    assert result.exit_code == 2
    assert "uniscale-0.3m, uniscale-1m, uniscale-3m" in last_line(result)["message"]


def test_empty_and_over_long_questions_are_refused() -> None:
    assert "empty" in last_line(ask("--json", question="   "))["message"]
    message = last_line(ask("--json", question="1 + " * 2000))["message"]
    assert "more than uniscale-0.3m can read" in message


def test_what_looks_like_markup_or_moves_the_cursor_is_shown_as_it_is() -> None:
    result = ask("--trace", question="[/b] \x1b]0;owned\x07\x1b[2J What is 12 + 30 - 7?")
    assert result.exit_code == 0, result.output
    assert "[/b] ]0;owned[2J What is 12 + 30 - 7?" in result.stdout
    refused = CliRunner().invoke(app, ["ask", QUESTION, "--model", "[/b]"])
    assert refused.exit_code == 2
    assert "[/b]" in refused.output


def test_a_model_of_a_provider_answers_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server()
    with served(server) as url:
        monkeypatch.setenv("OPENAI_API_KEY", "test")
        for name in ("OPENAI_API_BASE", "OPENAI_BASE_URL"):
            monkeypatch.setenv(name, url)
        result = CliRunner().invoke(app, ["ask", QUESTION, "--model", "openai:gpt-4.1-mini", "--qp", "2", "--json"])
    assert result.exit_code == 0, result.output
    assert last_line(result)["answer"] == "4"
    assert [body["model"] for body in server.bodies] == ["gpt-4.1-mini"] * 2


def test_a_hosted_model_at_an_address_costs_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with served(Server()) as url:
        options = ["--model", "openai:mine", "--base-url", url, "--price", "mine=1,2"]
        result = CliRunner().invoke(app, ["ask", QUESTION, *options, "--json"])
        refused = CliRunner().invoke(app, ["ask", QUESTION, *options, "--instruction", "Be brief."])
    assert result.exit_code == 0, result.output
    ledger = last_line(result)["ledger"]
    assert ledger["usd"] == pytest.approx((ledger["prompt_tokens"] + 2 * ledger["completion_tokens"]) / 1e6)
    assert ledger["usd"] > 0
    assert "USD" in result.stdout
    assert refused.exit_code == 2
    assert "takes no instruction" in " ".join(refused.output.split())
