"""`uniscale log`."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from uniscale_integrations.cli.app import app
from uniscale_integrations.log.events import DecisionEvent, Feedback, Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import BEGINNING
from uniscale_integrations.space import Configuration


def decision(decision_id: str, model: str) -> DecisionEvent:
    return DecisionEvent(decision_id, Configuration(model), (1.0,), "lexical", (0.4, 0.3, 0.3), query="Zoë?", at=1_700_000_000.0)


@pytest.fixture
def address(tmp_path: Path) -> str:
    log = open_log(f"sqlite:///{tmp_path / 'log.db'}")
    log.append(
        decision("a", "small"), Outcome("a", 0.5, 2e9), decision("b", "small"), Outcome("b", None, 4e9), decision("c", "large")
    )
    for feedback in (Feedback("a", 1.0, "judge"), Feedback("a", 0.0, "human"), Feedback("c", 1.0)):
        log.give_feedback(feedback)
    log.save_snapshot("some fold", BEGINNING, b"state")
    log.close()
    return log.url


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["log", *arguments])


def last_line(result: Result) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    return values


def test_info_tells_how_the_configurations_have_done(address: str) -> None:
    values = last_line(run("info", address, "--json"))
    assert values["events"] == {"decision": 3, "feedback": 3, "outcome": 2}
    assert values["configurations"] == [
        {"configuration": "(small,1,1,1)", "decisions": 2, "score": 0.5, "cost": 3e9, "judged": 1, "correct": 0.5},
        {"configuration": "(large,1,1,1)", "decisions": 1, "score": None, "cost": None, "judged": 1, "correct": 1.0},
    ]
    told = run("info", address).output
    assert "2023-11-14T22:13:20+00:00" in told
    assert "3 G" in told


def test_info_tells_how_much_is_judged_and_whether_all_in_one_sense(address: str) -> None:
    values = last_line(run("info", address, "--json"))["feedback"]
    assert values == {"answers": 2, "judged": 2, "judged_share": 1.0, "agreeing": 1, "one_sided": False}
    log = open_log(address)
    for number in range(60):
        log.append(decision(f"n{number}", "small"), Outcome(f"n{number}", None), decision(f"m{number}", "small"))
        log.append(Outcome(f"m{number}", None), Feedback(f"n{number}", 0.0, "thumbs"))
    log.close()
    result = run("info", address, "--json")
    values = last_line(result)["feedback"]
    assert (values["agreeing"], values["one_sided"]) == (60, True)
    assert "50.8% of 122 answers are judged" in result.output
    assert "silence=Silence(means=1.0" in " ".join(result.output.split())


def test_info_tells_who_judges_how_much_and_how_far_sources_agree(address: str) -> None:
    values = last_line(run("info", address, "--json"))["sources"]
    alone = {"source": "feedback", "judgements": 1, "share": pytest.approx(1 / 3), "shared": 0, "agreement": None}
    contradicting = [{**alone, "source": source, "shared": 1, "agreement": 0.0} for source in ("human", "judge")]
    assert values == [alone, *contradicting]
    with closing(open_log(address)) as log:
        for number in range(30):
            log.append(decision(f"n{number}", "small"), Outcome(f"n{number}", None))
            log.append(Feedback(f"n{number}", 1.0, "judge"), Feedback(f"n{number}", float(number < 24), "human"))
            log.append(Feedback(f"n{number}", 0.25, f"[/b] user {number}"))
    human = next(each for each in last_line(run("info", address, "--json"))["sources"] if each["source"] == "human")
    others = (1.0 + 0.25) / 2
    agreement = (24 * (1 - abs(1.0 - others)) + 6 * (1 - others) + 0.0) / 31
    assert human == {
        "source": "human",
        "judgements": 31,
        "shared": 31,
        "share": 31 / 93,
        "agreement": pytest.approx(agreement),
    }
    told = run("info", address).output
    assert "who judges, the first 20 of 33" in told
    assert "[/b] user 0" in told


def test_info_tells_how_far_a_verifier_can_be_trusted(address: str) -> None:
    log = open_log(address)
    for number in range(60):
        log.append(decision(f"n{number}", "small"), Outcome(f"n{number}", 0.9, extra={"verifier": "too sure"}))
        log.give_feedback(Feedback(f"n{number}", float(number % 2)))
    log.close()
    unnamed, found = last_line(run("info", address, "--json"))["verifiers"]
    assert (unnamed["pairs"], unnamed["brier"], unnamed["brier_recalibrated"]) == (1, 0.0, None)
    assert (found["verifier"], found["pairs"], found["version"]) == ("too sure", 60, 0)
    assert found["brier"] == pytest.approx(0.41)
    assert found["brier_recalibrated"] == pytest.approx(0.25, abs=0.01)
    assert [(part["right"], part["count"]) for part in found["reliability"]] == [(0.5, 60)]
    assert "Brier score 0.4100, 0.25" in run("info", address).output


def test_verify_finds_what_belongs_to_no_decision(address: str) -> None:
    assert run("verify", address).exit_code == 0
    log = open_log(address)
    log.append(Outcome("nobody", 0.5), decision("a", "small"))
    log.close()
    result = run("verify", address, "--json")
    assert result.exit_code == 1
    assert last_line(result) == {"events": 10, "there": 10, "decisions": 3, "lost": ["nobody"], "twice": ["a"], "unreadable": []}


def test_rebuild_drops_the_snapshots(address: str) -> None:
    assert last_line(run("rebuild", address, "--json")) == {"dropped": 1}
    assert last_line(run("rebuild", address, "--json")) == {"dropped": 0}


def test_export_writes_every_event_in_order(address: str, tmp_path: Path) -> None:
    lines = run("export", address).stdout.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == [
        "decision",
        "outcome",
        "decision",
        "outcome",
        "decision",
        *["feedback"] * 3,
    ]
    assert json.loads(lines[0])["query"] == "Zoë?"
    assert run("export", address, "--target", str(tmp_path / "events.jsonl")).exit_code == 0
    assert (tmp_path / "events.jsonl").read_text().splitlines() == lines
    assert "cannot write" in run("export", address, "--target", str(tmp_path / "no" / "events.jsonl")).output


def test_a_log_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    for command in ("info", "verify", "rebuild", "export"):
        result = run(command, f"sqlite:///{tmp_path / 'none.db'}")
        assert result.exit_code == 2
        assert "there is no log at" in result.output
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over_the_log(address: str) -> None:
    file = address.removeprefix("sqlite:///")
    for words in (["log", "export", address, "--target", file], ["report", address, "-o", file]):
        refused = CliRunner().invoke(app, words)
        assert refused.exit_code == 2
        assert "is the log itself" in refused.output
    assert last_line(run("info", address, "--json"))["events"]["decision"] == 3


def test_who_has_read_enough_of_an_export_may_go(address: str) -> None:
    with closing(open_log(address)) as log:
        log.append(*(decision(f"more {place}", "small") for place in range(3_000)))
    command = f"{shlex.quote(str(Path(sys.executable).with_name('uniscale')))} log export {address} | head -1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)


def test_names_are_shown_as_they_are(address: str) -> None:
    with closing(open_log(address)) as log:
        log.append(decision("d", "[/b]"), Outcome("d", 0.5, 2e9))
    told = run("info", address)
    assert told.exit_code == 0, told.output
    assert "([/b],1,1,1)" in told.output


def test_a_terminal_that_cannot_show_a_name_ends_no_command(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'log.db'}"
    with closing(open_log(address)) as log:
        log.append(DecisionEvent("a", Configuration("\u691c\u8a3c"), (1.0,), "", (1.0, 0.0, 0.0)), Outcome("a", 0.5))
    command = [str(Path(sys.executable).with_name("uniscale")), "log", "info", address]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}, check=False)
    assert done.returncode == 0, done.stderr
    assert b"\\u691c\\u8a3c" in done.stdout
