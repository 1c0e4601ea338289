"""Every command tells how it is used, and takes wrong use in one line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from uniscale_integrations.cli.app import app


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    inside = getattr(command, "commands", None)
    if inside is None:
        yield path, command
    for name, inner in (inside or {}).items():
        yield from commands(inner, (*path, name))


EVERY = dict(commands(typer.main.get_command(app)))


def example(path: tuple[str, ...]) -> list[str]:
    """The example in a command's help, as a shell would take it apart."""
    found = re.search(r"Example: (uniscale .*)", EVERY[path].help or "")
    assert found is not None, f"uniscale {' '.join(path)} --help has no example"
    return shlex.split(found[1])


def test_the_command_itself_has_help() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    for name in ("demo", "ask", "replay", "table", "report", "calibrate", "log"):
        assert name in result.output


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_every_command_has_an_example_that_it_takes(path: tuple[str, ...]) -> None:
    program, *words = example(path)
    assert program == "uniscale"
    assert tuple(words[: len(path)]) == path
    # What the example says can be parsed; nothing is run.
    EVERY[path].make_context(" ".join(path), words[len(path) :])
    assert "Example: uniscale" in " ".join(CliRunner().invoke(app, [*path, "--help"]).output.split())


WRONG = [
    ["nonsense"],
    ["ask"],
    ["ask", "What is 2 + 2?", "--cp", "many"],
    ["ask", "What is 2 + 2?", "--nonsense"],
    ["ask", "", "--model", "uniscale-0.3m"],
    ["ask", "What is 2 + 2?", "--model", "no-such-model"],
    ["demo", "--questions", "0"],
    ["demo", "--mode", "fast"],
    ["replay", "no-such-table.jsonl"],
    ["replay"],
    ["table", "out.jsonl", "--count", "-1"],
    ["report", "sqlite:///no-such.db"],
    ["report", "nonsense"],
    ["log", "info", "sqlite:///no-such.db"],
    ["log", "verify", "mysql://nobody@nowhere/none"],
    ["log", "nonsense"],
    ["calibrate", "--seconds", "soon"],
]


@pytest.mark.parametrize("words", WRONG, ids=" ".join)
def test_wrong_use_ends_in_exit_code_2_and_never_in_a_traceback(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.output.strip()
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())
