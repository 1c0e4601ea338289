"""Logs that are written as lines and read again."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.durability import MODELS, difference
from tests.log.first_revision import FirstRevision
from tests.log.test_retention import engine, events_of, opened, run, state, told, traffic
from uniscale_integrations.engine.retention import forget, prune
from uniscale_integrations.log import portable
from uniscale_integrations.log.events import Event, Outcome
from uniscale_integrations.log.portable import lines, read


def as_told(events: list[Event]) -> list[tuple[str, str, float, object]]:
    return [(event.event_id, event.kind, event.at, event) for event in events]


def exported(address: str, folder: Path) -> str:
    target = folder / "events.jsonl"
    assert run("export", address, "--target", str(target)).exit_code == 0
    return str(target)


def test_an_empty_log_becomes_the_same_and_nothing_is_added_twice(address: str, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path / 'other.db'}"
    with closing(engine(address, recalibrate=True)) as made:
        made.run("Zoë? \ud800 \x00")
        traffic(made, 130)
        made.update(models=["small", "large"])
        traffic(made, 5)
        made.sync()
    file = exported(address, tmp_path)
    count = len(events_of(address))
    assert told("import", other, file) == {
        "events": count,
        "present": 0,
        "states": 0,
        "left": 0,
        "unreadable": [],
        "descriptions": sum(
            json.loads(line)["kind"] in ("description", "calibration") for line in Path(file).read_text().splitlines()
        ),
    }
    assert as_told(events_of(other)) == as_told(events_of(address))
    with opened(address) as one, opened(other) as copy:
        assert copy.descriptions_of("") == one.descriptions_of("")
        assert copy.calibrations() == one.calibrations() != []
        one.forget_snapshots()
        assert list(lines(copy)) == list(lines(one))
    for models in (["small", "large"], list(MODELS)):
        assert difference(state(other, models, recalibrate=True), state(address, models, recalibrate=True)) < 1e-9
    again = told("import", other, file)
    assert (again["events"], again["present"]) == (0, count)
    assert len(events_of(other)) == count


def test_a_log_with_other_events_is_given_what_it_lacks(address: str, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path / 'other.db'}"
    with closing(engine(other)) as made, closing(engine(address)) as running:
        traffic(made, 10)
        traffic(running, 10, 20)
        file = exported(other, tmp_path)
        own, others = events_of(address), events_of(other)
        half = "".join(line + "\n" for line in Path(file).read_text().splitlines()[:20])
        with opened(address) as log:
            assert read(log, half.splitlines()).events > 0
        assert told("import", address, file)["events"] < len(others)
        assert sorted(as_told(events_of(address))[len(own) :]) == sorted(as_told(others))
        running.sync()
        assert difference(running.state(), state(address)) < 1e-9


def test_what_was_learned_of_rows_that_are_gone_goes_with_it(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portable, "BATCH", 7)
    other = f"sqlite:///{tmp_path / 'other.db'}"
    with closing(engine(address)) as made:
        old = traffic(made, 20)
        between = time.time()
        time.sleep(0.01)
        traffic(made, 10, 20)
        made.sync()
        with opened(address) as log:
            forget(log, decision=old[0])
            made.sync()
            assert prune(log, between, keep_learned=True).events > 40
        traffic(made, 10, 40)
    file = exported(address, tmp_path)
    text = Path(file).read_text().splitlines()
    with opened(other) as log:
        read(log, text[: len(text) // 3])
    assert told("import", other, file)["states"] == 1
    expected = state(address)
    assert difference(state(other), expected) < 1e-9
    assert told("import", other, file)["events"] == 0
    assert difference(state(other), expected) < 1e-9
    assert run("forget", other, "--source", "thumbs").exit_code == 1
    with closing(engine(other)) as made:
        traffic(made, 3)
        made.sync()
        assert difference(made.state(), state(other)) < 1e-9
    mine = f"sqlite:///{tmp_path / 'mine.db'}"
    with opened(mine) as log:
        log.append(Outcome("own", 0.5))
    result = run("import", mine, file)
    assert result.exit_code == 0
    assert "1 states of events that are gone were not taken over" in result.output


def test_events_of_the_first_revision_are_added_once(address: str, tmp_path: Path) -> None:
    before = FirstRevision(address, create=True)
    before.append(Outcome("a", 0.5), Outcome("b", 0.5), Outcome("a", 0.6))
    before.close()
    file = exported(address, tmp_path)
    assert told("import", address, file)["events"] == 0
    other = f"sqlite:///{tmp_path / 'other.db'}"
    assert [told("import", other, file)["events"] for _ in range(2)] == [3, 0]
    assert events_of(other) == events_of(address)


def test_lines_that_cannot_be_read_are_passed_over_and_told_of(tmp_path: Path) -> None:
    address, file = f"sqlite:///{tmp_path / 'log.db'}", tmp_path / "events.jsonl"
    good = '{"kind": "outcome", "decision_id": "a", "at": 1.0, "score": 0.5, "event_id": "e"}'
    bad = [
        "{",
        "[]",
        '{"kind": "dream"}',
        '{"kind": "outcome", "decision_id": "a"}',
        '{"kind": "state", "fold": "f", "state": "!"}',
    ]
    file.write_text("\n".join([*bad, "", good]) + "\n")
    result = run("import", address, str(file))
    assert result.exit_code == 1
    assert "1 events are new" in result.output
    assert "5 lines cannot be read: line 1 is passed over" in result.output
    assert "there is no file" in run("import", address, str(tmp_path / "none")).output
