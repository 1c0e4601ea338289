import json
import sys

import pytest

from benchmarks.hosted.__main__ import main


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks.hosted", *arguments])
    main()


def test_the_last_line_is_what_was_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--kinds", "pair", "twins", "--objectives", "balanced", "points=5", "--orders", "1", "--requests", "20"]
    command(monkeypatch, *arguments, "--processes", "1", "--json")
    output = capsys.readouterr()
    [line] = output.out.splitlines()
    found = json.loads(line)
    assert list(found["kinds"]) == ["pair", "twins"]
    assert set(found["overall"]) == {"balanced", "points=5"}
    assert 0.0 < found["kinds"]["pair"]["balanced"]["share"]["whole"] < 1.5
    assert "twins" in output.err


def test_live_figures_stand_next_to_those_without_servers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command(monkeypatch, "--live", "--kinds", "twins", "--objectives", "balanced", "--orders", "1", "--requests", "12", "--json")
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(found["live"]["twins"]["balanced"]) == {"langchain", "llama_index", "fast"}


def test_kinds_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command(monkeypatch, "--kinds", "triplets")
    assert "triplets" in capsys.readouterr().err
