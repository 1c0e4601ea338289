"""A newcomer's first ten minutes, as they are written down, from the first block to the last."""

from __future__ import annotations

import re
import shlex
from functools import partial
from pathlib import Path

import pytest

from tests.programs import run_code, run_command

PAGE = Path(__file__).parent.parent / "docs" / "walk.md"
BLOCKS = re.findall(r"^## (.*?)$.*?^```(\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the newcomer sees under each heading; installing is what has come before any test."""
    folder = tmp_path_factory.mktemp("walk")
    found: dict[str, str] = {}
    for heading, language, block in BLOCKS:
        if heading == "Install":
            continue
        if language == "python":
            programs = [partial(run_code, block, folder)]
        else:
            lines = [shlex.split(line[2:]) for line in block.splitlines()]
            assert {program for program, *_ in lines} == {"uniscale"}
            programs = [partial(run_command, words, folder) for _, *words in lines]
        for program in programs:
            done = program()
            assert done.returncode == 0, f"{heading}: {done.stdout}{done.stderr}"
            assert "Traceback" not in done.stderr
            found[heading] = found.get(heading, "") + done.stdout
    found["report"] = (folder / "report.html").read_text(encoding="utf-8")
    return found


def test_every_step_is_there() -> None:
    assert [heading for heading, _, _ in BLOCKS] == [
        "Install", "See what it is about", "Ask one question", "In your own program, with feedback", "Why did it decide so?", "Look at it",
        "Swap in another model", "Go on where you were",
    ]  # fmt: skip
    program, *words = shlex.split(BLOCKS[0][2].splitlines()[1][2:])
    assert (program, words[0]) == (".venv/bin/pip", "install")


def test_what_the_newcomer_sees(said: dict[str, str]) -> None:
    assert "only routing" in said["See what it is about"]
    assert "ledger" in said["Ask one question"]
    assert "'model': 'uniscale-" in said["In your own program, with feedback"]
    assert said["Why did it decide so?"].count("uniscale-") == 5
    # Twelve questions of the demo and two of one's own, some of which were asked twice.
    decisions, with_paths = map(int, re.findall(r"(\d+) decisions, (\d+) of them with their paths", said["Look at it"])[0])
    assert 14 <= decisions <= 28
    assert decisions - with_paths >= 2, "programs of one's own keep no paths unless they ask for them"
    assert "Answer: 56" in said["Swap in another model"]
    assert f"Going on from {decisions} decisions" in said["Go on where you were"]
    assert said["report"].startswith("<!doctype html>")
