"""Logs and exports in which anybody may have written anything: every command says what it passed over, or ends in this package's errors."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from benchmarks.durability import engine
from benchmarks.faults import database_of
from uniscale_integrations.cli.app import app
from uniscale_integrations.errors import LogError, UniScaleError
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.schema import numbers_in

VALUES: list[Any] = [
    *(None, True, -1, 0, 10**400, 2**63, 1e300, float("nan"), float("inf"), -float("inf"), "", "x", "\x00", "\ud800"),
    *("\x1b]0;owned\x07\x9b2J\u202e", [], [[[]]], {}, {"a": 1}, ["small", 1, 1], [0.5] * 3),
]
DEEP = "[" * 100_000
NUMBERS = ["", "x", "1 2 3", "1e9", "9" * 5000, "9" * 30]
TIMES = ["'-1e11'", "'1e11'", "'-1e300'", "'1e300'", "'nan'"]


def run(*arguments: str, **settings: Any) -> Result:
    result = CliRunner().invoke(app, [*arguments], **settings)
    assert result.exception is None or isinstance(result.exception, SystemExit), (arguments, result.exception)
    assert result.exit_code in (0, 1, 2)
    assert not any(each in result.output for each in ("\x1b]0", "\x07", "\x9b", "\u202e"))
    return result


def filled(address: str) -> None:
    with closing(engine(address)) as made:
        for number in range(12):
            answer = made.run(f"What is {number} + 1?")
            made.feedback(answer, float(number % 3 > 0), source="thumbs", comment="well")
            made.feedback(answer, float(number % 2), source="judge")
        made.log.save_calibration("instant", 1, {"scores": [0.0, 1.0], "values": [0.1, 0.9], "pairs": 30, "method": "platt"})
        made.snapshot()


def damaged(value: Any, draw: random.Random) -> Any:
    """The same with something else somewhere in it."""
    if isinstance(value, dict) and value and draw.random() < 0.8:
        name = draw.choice(sorted(value))
        if draw.random() < 0.2:
            return {other: each for other, each in value.items() if other != name}
        return value | {name: damaged(value[name], draw)}
    if isinstance(value, list) and value and draw.random() < 0.6:
        place = draw.randrange(len(value))
        return [*value[:place], damaged(value[place], draw), *value[place + 1 :]]
    return draw.choice(VALUES)


def spoil(address: str, draw: random.Random) -> None:
    """Write something else into some rows of every table."""
    database = database_of(address)
    tables = {"uniscale_events": "seq", "uniscale_descriptions": "key", "uniscale_calibrations": "verifier"}
    with database.begin() as connection:
        for table, name in tables.items():
            rows = connection.execute(text(f"SELECT {name}, body FROM {table}")).all()
            for key, body in draw.sample(list(rows), min(3, len(rows))):
                broken = draw.choice([json.dumps(damaged(json.loads(body), draw)), body[: len(body) // 2], DEEP])
                statement = text(f"UPDATE {table} SET body = :body WHERE {name} = :key")
                connection.execute(statement, {"body": broken.replace("\\ud800", ""), "key": key})
        [row] = draw.sample(list(connection.execute(text("SELECT seq FROM uniscale_events")).scalars()), 1)
        time = draw.choice(TIMES if database.dialect.name == "postgresql" else TIMES[:4])
        connection.execute(text(f"UPDATE uniscale_events SET at = {time} WHERE seq = {row}"))
    database.dispose()


@pytest.mark.parametrize("seed", range(5))
def test_whatever_stands_in_a_log_every_command_ends_in_its_own_words(seed: int, address: str, tmp_path: Path) -> None:
    filled(address)
    spoil(address, random.Random(seed))
    copy, lines = f"sqlite:///{tmp_path / 'copy.db'}", tmp_path / "events.jsonl"
    run("log", "info", address, "--json")
    run("log", "verify", address)
    run("report", address, "-o", str(tmp_path / "report.html"))
    run("replay", address)
    assert run("log", "export", address, "--target", str(lines)).exit_code == 0
    assert run("log", "export", address).stdout == lines.read_text()
    assert run("log", "import", copy, str(lines)).exit_code == 0
    run("log", "info", copy)
    for words in (("forget", address, "--source", "judge"), ("prune", address, "--before", "2999-01-01", "--keep-learned")):
        run("log", *words)
    try:
        with closing(engine(address)) as made:
            made.run("What is 1 + 1?")
    except UniScaleError:
        pass


@pytest.mark.parametrize("name", ["epoch", "first", "pruned", "revision", "version"])
def test_a_note_that_is_no_number_is_named(name: str, address: str, tmp_path: Path) -> None:
    filled(address)
    database = database_of(address)
    for value in NUMBERS:
        with database.begin() as connection:
            connection.execute(text("DELETE FROM uniscale_meta WHERE name = :name"), {"name": name})
            note = text("INSERT INTO uniscale_meta (name, value) VALUES (:name, :value)")
            connection.execute(note, {"name": name, "value": value})
        for words in (
            *(("log", "info", address), ("report", address, "-o", str(tmp_path / "r")), ("log", "rebuild", address)),
            *(("log", "export", address), ("log", "forget", address, "--source", "judge")),
            ("log", "prune", address, "--before", "2026-01-01", "--keep-learned"),
        ):
            told = run(*words).output.replace("\n", "")
            assert "LogError" not in told or f"holds {value!r:.40} as {name!r}" in told or "has lost its beginning" in told, told
        with pytest.raises(LogError, match=f"as '{name}'"):
            numbers_in(name, value)
    database.dispose()


def hostile_lines() -> Iterator[str]:
    draw = random.Random(0)
    feedback = {"kind": "feedback", "decision_id": "d", "at": 1.0, "event_id": "e", "correct": 1.0, "source": "s", "key": "k"}
    lines: list[dict[str, Any]] = [
        feedback | {"comment": ""},
        {"kind": "log", "id": "x", "epoch": 1},
        {"kind": "description", "key": "k", "body": {"a": 1}},
        {"kind": "calibration", "verifier": "v", "version": 1, "body": {"a": 1}},
        {"kind": "state", "fold": "f", "state": "AAAA"},
    ]
    for line in lines:
        for name in line:
            for value in VALUES:
                yield json.dumps(line | {name: value})
        for _ in range(20):
            yield json.dumps(damaged(line, draw))
    yield from (DEEP, '{"kind": "description", "key": "k", "body": ' + '{"a":' * 900 + "1" + "}" * 901)
    yield from ('{"a":' * 100_000, "5", "[]", '"x"', "nul", '{"kind": {}}', '{"kind": "dream"}', "\udcff\udcfe")
    yield '{"kind": "log", "id": "x", "epoch": ' + "9" * 5000 + "}"


def test_whatever_stands_in_an_export_is_read_or_passed_over_and_named(address: str, tmp_path: Path) -> None:
    lines = list(hostile_lines())
    good = {"kind": "outcome", "score": 0.5, "eflops": 1.0, "usd": 0.0, "seconds": 0.0, "failed": "", "extra": {}, "at": 1.0}
    file = tmp_path / "hostile.jsonl"
    whole = [json.dumps(good | {"decision_id": f"d{number}", "event_id": f"good{number}"}) for number in range(len(lines))]
    file.write_bytes("\n".join(each for pair in zip(lines, whole, strict=True) for each in pair).encode(errors="surrogateescape"))
    result = run("log", "import", address, str(file), "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout.strip().splitlines()[-1])
    assert len(told["unreadable"]) == 100
    assert "lines cannot be read: line 1 is passed over" in result.output.replace("\n", " ").replace("line 3", "line 1")
    with closing(open_log(address)) as log:
        assert log.known_ids([f"good{number}" for number in range(len(lines))]) == {
            f"good{number}" for number in range(len(lines))
        }
        assert log.retention.epoch < 2**31
    again = run("log", "import", address, "-", "--json", input=file.read_bytes())
    assert json.loads(again.stdout.strip().splitlines()[-1])["events"] == 0
    for words in (("info", address), ("verify", address), ("export", address)):
        run("log", *words)
    with closing(engine(address)) as made:
        made.run("What is 1 + 1?")
