"""`uniscale demo`, on a few questions."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from benchmarks.instant import InstantGenerator
from tests.loopback import served
from tests.openai_server import Server
from uniscale_integrations.cli.app import app
from uniscale_integrations.engine import UniScale
from uniscale_integrations.log.events import DecisionEvent
from uniscale_integrations.log.log import open_log


def demo(folder: Path, *options: str) -> Result:
    log, report = f"sqlite:///{folder / 'uniscale.db'}", str(folder / "report.html")
    return CliRunner().invoke(app, ["demo", "--log", log, "--report", report, "--json", *options])


def figures(result: Result) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    return values


def test_both_frameworks_on_one_engine_beside_what_else_could_be_done_and_again(tmp_path: Path) -> None:
    first = demo(tmp_path, "-n", "8")
    assert first.exit_code == 0, first.output
    told = figures(first)
    assert told["through"] == {"LangChain": 6, "LlamaIndex": 2}
    names = [each["name"] for each in told["contestants"]]
    assert names == [
        "UniScale", "uniscale-0.3m alone", "uniscale-1m alone", "uniscale-3m alone", "only routing", "only searching, uniscale-3m",
    ]  # fmt: skip
    for each in told["contestants"]:
        assert 0.0 <= each["right"] <= 1.0
        assert 0.0 < each["reward"] <= 1.0
        assert each["cost"] > 0
    assert "what is chosen for which kind of question" in first.stdout
    assert (tmp_path / "report.html").read_text().count("<script") == 2
    with closing(open_log(f"sqlite:///{tmp_path / 'uniscale.db'}", create=False)) as log:
        counts = log.counts()
    # Every answer was judged, by callbacks, and none twice; some questions were asked twice.
    assert counts["feedback"] == 8
    assert 8 <= counts["decision"] == counts["outcome"] <= 16

    second = demo(tmp_path, "-n", "4", "--no-others")
    assert figures(second)["before"] == counts["decision"]
    assert f"Going on from {counts['decision']} decisions" in second.stdout
    assert [each["name"] for each in figures(second)["contestants"]] == ["UniScale"]

    third = demo(tmp_path, "-n", "4", "--no-others", "--fresh", "--models", "uniscale-0.3m", "--verifier", "agreement")
    assert figures(third)["before"] == 0
    # What agreement scores is decided once.
    with closing(open_log(f"sqlite:///{tmp_path / 'uniscale.db'}", create=False)) as log:
        assert log.counts()["decision"] == 4


def test_a_budget_is_a_number_or_what_a_model_takes_alone(tmp_path: Path) -> None:
    limited = "-n", "12", "--no-others", "--mode", "quality-first", "--budget", "1e9"
    assert demo(tmp_path, *limited).exit_code == 0
    with closing(open_log(f"sqlite:///{tmp_path / 'uniscale.db'}", create=False)) as log:
        chosen = {entry.event.configuration for entry in log.everything() if isinstance(entry.event, DecisionEvent)}
    # None of the larger models' searches, for which quality-first would spend eighty budgets each.
    assert {(each.model, each.bs) for each in chosen} == {("uniscale-0.3m", 1)}
    assert demo(tmp_path, "-n", "2", "--no-others", "--budget", "uniscale-0.3m").exit_code == 0
    refused = demo(tmp_path, "-n", "2", "--budget", "little")
    assert refused.exit_code == 2
    assert "a budget is a number or one of uniscale-0.3m, uniscale-1m, uniscale-3m, got 'little'" in figures(refused)["message"]


def test_weights_stand_in_for_a_mode(tmp_path: Path) -> None:
    assert demo(tmp_path, "-n", "2", "--no-others", "--weights", "2,1,1").exit_code == 0
    with closing(open_log(f"sqlite:///{tmp_path / 'uniscale.db'}", create=False)) as log:
        decided = [entry.event for entry in log.everything() if isinstance(entry.event, DecisionEvent)]
    assert [decision.weights for decision in decided] == [(0.5, 0.25, 0.25)] * 2


def test_ctrl_c_loses_nothing(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'uniscale.db'}"
    # Whoever runs the tests in the background may have them ignore it, and a process inherits that.
    hears = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = [sys.executable, "-c", f"{hears}; from uniscale_integrations.cli import main; main()"]
    command = [*program, "demo", "-n", "300", "--no-others", "--log", address, "--json"]
    with subprocess.Popen(
        [*command, "--report", str(tmp_path / "report.html")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if " of 300, " in line:
                break
        process.send_signal(signal.SIGINT)
        said, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    told = json.loads(said.strip().splitlines()[-1])
    assert told["interrupted"] is True
    assert "Stopped after" in said
    assert "Traceback" not in error
    with closing(open_log(address, create=False)) as log:
        counts = log.counts()
    assert counts["decision"] == counts["outcome"] >= told["questions"] > 0
    assert counts["feedback"] >= told["questions"]
    assert (tmp_path / "report.html").exists()


def test_starting_over_removes_no_log_but_its_own(tmp_path: Path) -> None:
    address, path = f"sqlite:///{tmp_path / 'uniscale.db'}", tmp_path / "uniscale.db"
    with UniScale([InstantGenerator()], None, log=address) as application:
        application.run("What is 1 + 1?")
    refused = demo(tmp_path, "-n", "1", "--no-others", "--fresh")
    assert refused.exit_code == 2
    assert "holds decisions between other models too (instant)" in figures(refused)["message"]
    path.write_bytes(b"somebody's notes" * 100)
    refused = demo(tmp_path, "-n", "1", "--no-others", "--fresh")
    assert refused.exit_code == 2
    assert "is none that can be read" in figures(refused)["message"]
    assert path.read_bytes().startswith(b"somebody's notes")


@pytest.mark.parametrize(
    "wrong",
    [("--verifier", "nonsense"), ("--budget", "-1"), ("--price", "uniscale-0.3m=1,2"), ("--report", "/nowhere/report.html")],
    ids=lambda wrong: wrong[0],
)
def test_wrong_use_removes_nothing(tmp_path: Path, wrong: tuple[str, str]) -> None:
    assert demo(tmp_path, "-n", "1", "--no-others").exit_code == 0
    assert demo(tmp_path, "-n", "1", "--no-others", "--fresh", *wrong).exit_code == 2
    assert figures(demo(tmp_path, "-n", "1", "--no-others"))["before"] == 1


def test_models_of_a_provider_have_the_prices_that_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with served(Server()) as url:
        monkeypatch.setenv("OPENAI_API_KEY", "test")
        monkeypatch.setenv("OPENAI_API_BASE", url)
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        told = figures(
            demo(tmp_path, "-n", "2", "--models", "openai:gpt-5-mini", "--price", "gpt-5-mini=0.25,2.0", "--budget", "0.01")
        )
    assert told["unit"] == "usd"
    assert told["contestants"][0]["cost"] > 0


def test_a_provider_that_answers_nothing_is_told_of_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    for name in ("OPENAI_API_BASE", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/v1")
    told = demo(tmp_path, "-n", "2", "--models", "openai:gpt-5-mini", "--price", "gpt-5-mini=0.25,2.0")
    assert told.exit_code == 2
    assert "none of the first 2 questions was answered" in figures(told)["message"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fresh", "--log", "uniscale.db"], "no address of a log"),
        (["--mode", "fast"], "no mode 'fast'"),
        (["--weights", "1,2"], "weights are three numbers"),
        (["--models", "no-such-model"], "no-such-model"),
        (["--verifier", "nonsense"], "no verifier 'nonsense'"),
        (["--models", "openai:gpt-5-mini"], "openai:gpt-5-mini cannot be reached"),
        (
            ["--price", "gpt-5-mini=much"],
            "--price is a model and two numbers, such as gpt-5-mini=0.25,2.0; got 'gpt-5-mini=much'",
        ),
        (["--price", "gpt-5-mini=1,2"], "there is a price of 'gpt-5-mini', but the models are uniscale-0.3m"),
        (["--fresh", "--log", "postgresql://nobody@nowhere/none"], "give another database"),
    ],
)
def test_wrong_use_ends_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    result = demo(tmp_path, "-n", "1", *options)
    assert result.exit_code == 2
    assert message in figures(result)["message"]
    assert "Traceback" not in result.output
