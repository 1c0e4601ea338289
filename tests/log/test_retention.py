"""Logs that lose old rows and keep what they taught, and logs that forget."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from benchmarks.durability import MODELS, SHAPES, difference
from benchmarks.instant import InstantGenerator, InstantVerifier
from uniscale_integrations import Silence, UniScale
from uniscale_integrations.cli.app import app
from uniscale_integrations.engine.retention import Removed, forget, prune
from uniscale_integrations.engine.tags import tagged
from uniscale_integrations.errors import ConfigurationError, LogError, LostBeginning, UnknownDecisionError
from uniscale_integrations.log import removal
from uniscale_integrations.log.events import DecisionEvent, Event, Feedback, Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import BEGINNING, WriteResult
from uniscale_integrations.log.removal import Removal
from uniscale_integrations.log.spool import Spool, spool_folder
from uniscale_integrations.log.sql import SQLStore
from uniscale_integrations.policy.policy import State
from uniscale_integrations.space import Configuration, ConfigurationSpace

FOREVER = 9e9
"""A Unix time after everything."""


def engine(log: str | SQLStore, models: Collection[str] = tuple(MODELS), **settings: Any) -> UniScale:
    made = [InstantGenerator(2, name, MODELS.get(name, 64e6)) for name in models]
    settings = {"sync_interval": 1000.0, "rounds": 1} | settings
    return UniScale(made, InstantVerifier(), ConfigurationSpace.default(list(models), SHAPES), log=log, **settings)


def state(address: str, models: Collection[str] = tuple(MODELS), **settings: Any) -> State:
    with closing(engine(address, models, **settings)) as made:
        return made.state()


def known(learned: State) -> State:
    """Without how many updates ago each head was last solved anew, which is no part of what it knows."""
    return {name: array for name, array in learned.items() if not name.endswith(".settings")}


def traffic(made: UniScale, count: int, start: int = 0) -> list[str]:
    """Questions, of which two thirds are judged, some by two sources."""
    ids = []
    for number in range(start, start + count):
        answer = made.run(f"What is {number} + 1?")
        assert answer.decision_id is not None
        ids.append(answer.decision_id)
        if number % 3:
            made.feedback(answer, float(number % 5 > 0), source="thumbs" if number % 2 else "exact")
        if number % 6 == 1:
            made.feedback(answer, float(number % 4 > 0), source="judge", comment=f"remark {number}")
    return ids


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["log", *arguments])


def told(*arguments: str) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    values: dict[str, Any] = json.loads(result.stdout.strip().splitlines()[-1])
    return values


@contextmanager
def opened(address: str) -> Iterator[SQLStore]:
    with closing(open_log(address)) as log:
        yield log


def events_of(address: str) -> list[Event]:
    with opened(address) as log:
        return [entry.event for entry in log.everything() if entry.event.decision_id]


def without(events: list[Event], address: str, gone: Collection[str], source: str = "") -> State:
    """What an engine learns of the same log that never had some of its events."""
    with opened(address) as log, closing(open_log("sqlite://")) as other:
        for key, body in log.descriptions_of(""):
            other.save_description(key, body)
        other.append(
            *(
                each
                for each in events
                if each.decision_id not in gone and not (isinstance(each, Feedback) and each.source == source)
            )
        )
        with closing(engine(other)) as made:
            return made.state()


@contextmanager
def halves(address: str) -> Iterator[tuple[UniScale, list[str], float, list[str]]]:
    """An engine that has answered, a time between, and what it answered before and after."""
    with closing(engine(address)) as made:
        old = traffic(made, 30)
        time.sleep(0.02)
        between = time.time()
        time.sleep(0.02)
        new = traffic(made, 12, 30)
        made.sync()
        yield made, old, between, new


def test_old_rows_go_and_all_engines_have_learned_what_they_had(address: str) -> None:
    with halves(address) as (made, old, between, new):
        with closing(engine(address, ["small", "large"])) as other:
            other.run("What is 1 + 2?")
        with closing(engine(address)) as beside:
            before = [made.state(), state(address, ["small", "large"]), state(address, [*MODELS, "huge"])]
            with opened(address) as log:
                places = {entry.event.event_id: entry.position for entry in log.everything()}
                removed = prune(log, between, keep_learned=True)
                assert removed.events == len(old) * 2 + 20 + 5
                assert not log.complete
                left = {entry.event.event_id: entry.position for entry in log.everything()}
                assert not {entry.event.decision_id for entry in log.everything()} & set(old)
                assert left == {each: places[each] for each in left}
                assert prune(log, between, keep_learned=True).events == 0
            for running in (made, beside):
                with pytest.raises(UnknownDecisionError):
                    running.feedback(old[1], 1.0, source="late")
                running.feedback(new[0], 0.5, source="late")
            beside.sync()
            made.sync()
            assert difference(made.state(), beside.state()) < 1e-9
            assert difference(made.state(), state(address)) < 1e-9
            assert difference(made.state(), before[0]) > 1e-6
    assert difference(without_late(address, ["small", "large"]), before[1]) < 1e-9
    # It has never been here, and takes over what another one has learned; all but when that was last put in order is the same.
    with_huge = without_late(address, [*MODELS, "huge"])
    assert difference(apart_from_order(with_huge), apart_from_order(before[2])) < 1e-9


def apart_from_order(arrays: State) -> State:
    return {name: array for name, array in arrays.items() if not name.endswith(".settings")}


def without_late(address: str, models: Collection[str]) -> State:
    """What these have learned, but for what was said late."""
    with opened(address) as log:
        rows = [row.seq for row in Removal(log).found("feedback", lambda body: body["source"] == "late")]
        Removal(log).rows(rows)
    return state(address, models)


def test_a_worker_that_has_not_read_what_goes_learns_it_all_the_same(address: str) -> None:
    with closing(engine(address)) as late:
        with closing(engine(address)) as made:
            traffic(made, 30)
            made.sync()
            expected = made.state()
        with opened(address) as log:
            assert prune(log, FOREVER, keep_learned=True).events > 60
        with closing(engine(address)) as made:
            assert difference(made.state(), expected) < 1e-9
            traffic(made, 5, 40)
            made.sync()
            expected = made.state()
        late.sync()
        assert difference(late.state(), expected) < 1e-9


def test_a_model_that_comes_back_knows_what_rows_had_taught_that_are_gone(address: str) -> None:
    with closing(engine(address)) as made:
        traffic(made, 30)
        made.update(models=["small", "large"])
        traffic(made, 5, 30)
        made.sync()
        with opened(address) as log:
            assert prune(log, FOREVER, keep_learned=True).folds == 2
        middle = InstantGenerator(2, "middle", MODELS["middle"])
        made.update(models=["small", middle, "large"], space=ConfigurationSpace.default(list(MODELS), SHAPES))
        made.sync()
        assert difference(known(made.state()), known(state(address))) < 1e-9
        assert made.state()["told"].sum() == 23


def test_that_nothing_tells_what_was_learned_is_said(address: str, caplog: pytest.LogCaptureFixture) -> None:
    with closing(engine(address)) as made:
        traffic(made, 5)
    with opened(address) as log:
        prune(log, FOREVER, keep_learned=True)
    assert not caplog.text
    state(address, silence=Silence(1.0, timedelta(hours=1)))
    assert "no snapshot holds what events had taught that are gone" in caplog.text


def test_a_log_that_has_lost_rows_is_reported_and_replayed_and_learned_from(address: str, tmp_path: Path) -> None:
    with halves(address) as (made, _old, between, new):
        made.sync()
    with opened(address) as log:
        prune(log, between, keep_learned=True)
        Removal(log).decisions([new[-1]])
        assert log.since()[-1].event.decision_id == ""
    target = tmp_path / "report.html"
    result = CliRunner().invoke(app, ["report", address, "-o", str(target)])
    assert result.exit_code == 0, result.output
    assert run("info", address).exit_code == 0
    with closing(engine("sqlite://")) as other:
        assert other.warm_start(address) == len(new) - 1


def test_a_log_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'none.db'}"
    for words in (("prune", address, "--before", "2026-01-01"), ("forget", address, "--tag", "user-17")):
        result = run(*words)
        assert result.exit_code == 2
        assert "there is no log at" in result.output
    assert not list(tmp_path.iterdir())


def test_a_place_that_was_reached_does_not_come_again(address: str) -> None:
    with opened(address) as log:
        log.append(*(Outcome(f"d{number}", 0.5) for number in range(5)))
        last = log.since()[-1].position
        for _ in range(2):
            cutter = Removal(log)
            cutter.begin()
            cutter.decisions([f"d{number}" for number in range(5)])
            cutter.sweep()
            cutter.end()
            assert [entry.position for entry in log.since()] == [last]
            assert log.since(last) == []
            assert log.complete
        log.append(Outcome("new", 0.5))
        assert [entry.event.decision_id for entry in log.since(last)] == ["new"]
        cutter.sweep()
        assert [entry.event.decision_id for entry in log.since()] == ["new"]
        assert log.complete
        log.append(DecisionEvent("d", *plain()))
        assert run("verify", address).exit_code == 1, "the outcome of no decision is found as ever"


def plain() -> tuple[Any, ...]:
    return Configuration("small"), (1.0,), "lexical", (0.4, 0.3, 0.3)


def test_what_waits_for_its_silence_stays_until_that_is_learned(address: str) -> None:
    silence: dict[str, Any] = {"silence": Silence(1.0, timedelta(hours=1))}
    now = time.time()
    with closing(engine(address, **silence)) as made:
        first = made.run("What is 1 + 1?").decision_id
        expected_events = [entry.event for entry in made.log.everything()]
    with opened(address) as log:
        removed = prune(log, FOREVER, keep_learned=True)
        assert (removed.events, removed.kept) == (0, 1)
        template = next(each for each in expected_events if isinstance(each, DecisionEvent))
        log.append(
            DecisionEvent.of("later", template.body() | {"request_id": "later"}, now + 4000.0),
            Outcome("later", 0.5, at=now + 4000.0),
        )
        expected = state(address, **silence)
        assert prune(log, now + 1000.0, keep_learned=True).events == 2
        assert first not in {entry.event.decision_id for entry in log.everything()}
    assert difference(state(address, **silence), expected) < 1e-9


def test_without_keep_learned_their_influence_goes_as_well(address: str) -> None:
    with halves(address) as (made, old, between, new):
        events = events_of(address)
        made.snapshot()
        date = datetime.fromtimestamp(between, UTC).isoformat()
        assert told("prune", address, "--before", date)["decisions"] == len(old)
        expected = without(events, address, old)
        made.sync()
        assert difference(made.state(), expected) < 1e-9
        assert difference(state(address), expected) < 1e-9
        made.snapshot()
        assert difference(state(address), expected) < 1e-9
        assert told("prune", address, "--before", date)["events"] == 0
        assert told("prune", address, "--before", "2999-01-01")["decisions"] == len(new)
        made.sync()
        assert made.state()["told"].sum() == 0
        assert run("verify", address).exit_code == 0


@pytest.mark.parametrize("what", ["decision", "source", "tag"])
def test_what_is_forgotten_was_never_learned(address: str, what: str) -> None:
    with halves(address) as (made, old, _between, _new), closing(engine(address)) as beside:
        with tagged("user-17"):
            mine = traffic(made, 4, 100)
        events = events_of(address)
        made.snapshot()
        gone, source = {
            "decision": ([old[1]], ""),
            "source": ([], "thumbs"),
            "tag": (mine, ""),
        }[what]
        value = {"decision": old[1], "source": "thumbs", "tag": "user-17"}[what]
        removed = told("forget", address, f"--{what}", value)
        assert removed["events"] > 0
        expected = without(events, address, gone, source)
        for running in (made, beside):
            running.sync()
            assert difference(running.state(), expected) < 1e-9
        assert difference(state(address), expected) < 1e-9
        with opened(address) as log:
            epoch = log.retention.epoch
            assert told("forget", address, f"--{what}", value) == asdict(Removed(0, 0))
            assert log.retention.epoch == epoch
            assert log.complete
        for decision in gone:
            with pytest.raises(UnknownDecisionError):
                made.feedback(decision, 1.0)
        traffic(made, 3, 200)
        made.sync()
        beside.sync()
        assert difference(made.state(), beside.state()) < 1e-9
        assert difference(made.state(), state(address)) < 1e-9


def test_texts_are_nowhere_in_the_file_afterwards(tmp_path: Path) -> None:
    file = tmp_path / "log.db"
    address = f"sqlite:///{file}"
    with closing(engine(address, store_queries=True, store_paths=True)) as made, tagged("someone"):
        for number in range(40):
            answer = made.run(f"Where does Rumpelstiltskin {'x' * 200 * (number % 20)} {number} live?")
            made.feedback(answer, 0.0, comment="Rumpelstiltskin!")
        made.snapshot()
        assert holding(tmp_path, b"Rumpelstiltskin")
        assert told("forget", address, "--tag", "someone")["decisions"] == 40
        assert not holding(tmp_path, b"Rumpelstiltskin")
        made.sync()
        made.snapshot()
        assert not holding(tmp_path, b"Rumpelstiltskin")


def holding(folder: Path, text: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


def test_a_log_that_has_lost_its_beginning_forgets_nothing_and_says_so(address: str) -> None:
    with halves(address) as (made, _old, between, new):
        with opened(address) as log:
            prune(log, between, keep_learned=True)
            before = log.counts(), log.snapshots_of(""), log.retention
            for words in (
                ("forget", address, "--decision", new[0]),
                ("forget", address, "--source", "thumbs"),
                ("prune", address, "--before", "2999-01-01"),
                ("rebuild", address),
            ):
                refused = run(*words)
                assert refused.exit_code == 1
                assert "has lost its beginning" in refused.output
            with pytest.raises(LostBeginning):
                forget(log, tag="user-17")
            assert (log.counts(), log.snapshots_of(""), log.retention) == before
        made.sync()
        assert difference(made.state(), state(address)) < 1e-9


def test_it_is_refused_where_what_was_learned_could_be_lost(address: str) -> None:
    with opened(address) as log:
        log.append(DecisionEvent("d", *plain()))
        with pytest.raises(LogError, match=r"engine\.snapshot\(\)"):
            prune(log, FOREVER, keep_learned=True)
        with closing(engine(log)) as made:
            made.snapshot()
        log.save_snapshot("of another kind-elsewhere", BEGINNING, b"")
        with pytest.raises(LogError, match="has learned nothing yet"):
            prune(log, time.time() - 10.0, keep_learned=True)
        assert prune(log, FOREVER, keep_learned=True).events == 1
        assert [name for name, _ in log.snapshots_of("of another")] == []
    refused = run("prune", address, "--before", "yesterday")
    assert refused.exit_code == 2
    assert "2026-01-31" in refused.output
    assert run("forget", address).exit_code == 2
    with opened(address) as log, pytest.raises(ConfigurationError, match="one of them"):
        forget(log, decision="a", source="b")


OWN_POLICY = """
from pathlib import Path
from uniscale_integrations.policy.baselines import Greedy

Path(__file__).with_suffix(".imported").touch()

class Mine(Greedy):
    name = "mine"
"""


def test_a_policy_that_a_log_names_is_imported_only_where_that_is_allowed(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "policy_of_a_log.py").write_text(OWN_POLICY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "policy_of_a_log", raising=False)
    with closing(engine(address)) as made:
        traffic(made, 6)
        [(_, record)] = made.log.descriptions_of("brain:")
        made.log.save_description("brain:other", record | {"policy": {"source": "policy_of_a_log:Mine", "settings": None}})
        first = made.log.since()[0].event
        assert isinstance(first, DecisionEvent)
        how = (first.configuration, first.features, first.encoder, (1.0, 0.0, 0.0))
        made.log.append(DecisionEvent("last", *how, extra={"brain": "brain:other"}))
    page, prune_all = (
        ("report", address, "-o", str(tmp_path / "page.html")),
        ("prune", address, "--before", "2999-01-01", "--keep-learned"),
    )
    before = events_of(address)
    for allowed in ((), ("--policy", "policy_of_a_log:Another"), ("--policy", "policy_of_a_log")):
        refused = run(*prune_all, *allowed)
        assert refused.exit_code == 2
        assert "'policy_of_a_log:Mine' as a policy" in refused.output
        assert "--policy module:name" in refused.output
        assert CliRunner().invoke(app, [*page, *allowed]).exit_code == 0
        assert "policy_of_a_log:Mine" in (tmp_path / "page.html").read_text()
    assert events_of(address) == before
    assert not (tmp_path / "policy_of_a_log.imported").exists()
    mine = ("--policy", "elsewhere:Policy", "--policy", "policy_of_a_log:Mine")
    assert CliRunner().invoke(app, [*page, *mine]).exit_code == 0
    assert "policy_of_a_log:Mine" not in (tmp_path / "page.html").read_text()
    removed = told(*prune_all, *mine)
    assert (removed["folds"], removed["events"]) == (2, len(before))
    assert (tmp_path / "policy_of_a_log.imported").exists()


def test_what_was_begun_and_not_finished_is_finished_by_who_repeats_it(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with halves(address) as (made, _old, _between, _new):
        events = events_of(address)
        made.snapshot()
        with opened(address) as log, monkeypatch.context() as patch:
            patch.setattr(removal.Removal, "sweep", lambda self: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                forget(log, source="thumbs")
        assert told("forget", address, "--source", "thumbs")["events"] == 0
        expected = without(events, address, [], "thumbs")
        made.sync()
        assert difference(made.state(), expected) < 1e-9
        assert difference(state(address), expected) < 1e-9


@pytest.mark.parametrize("rounds", [1, 2])
def test_workers_go_on_while_rows_go(address: str, rounds: int) -> None:
    """What they are told of all that stays is learned by all; nothing belongs to no decision, nor to half a request."""
    settings: dict[str, Any] = {"sync_interval": 0.0, "rounds": rounds}
    with closing(engine(address, **settings)) as made, closing(engine(address, **settings)) as beside:
        old = traffic(made, 60)
        between = time.time()
        done, late = [False], [0]

        def work(running: UniScale, start: int) -> None:
            number = start
            while not done[0]:
                traffic(running, 1, number)
                try:
                    running.feedback(old[number % len(old)], float(number % 2), source=f"late {number % 7}")
                    late[0] += 1
                except UnknownDecisionError:
                    pass
                number += 1

        with ThreadPoolExecutor(2) as pool:
            working = [pool.submit(work, running, start) for running, start in ((made, 1000), (beside, 2000))]
            try:
                with opened(address) as log:
                    events = sum(prune(log, between, keep_learned=True).events for _ in range(3))
            finally:
                done[0] = True
            for ended in working:
                ended.result()
        assert events > 0
        made.sync()
        beside.sync()
        assert difference(made.state(), beside.state()) < 1e-9
        assert difference(made.state(), state(address, **settings)) < 1e-9
        assert run("verify", address).exit_code == 0
        with opened(address) as log:
            forgotten = [entry.event.decision_id for entry in log.everything() if entry.event.decision_id in old]
            assert len(set(forgotten)) < len(old)


def test_workers_go_on_while_something_is_forgotten(address: str) -> None:
    with closing(engine(address, sync_interval=0.0)) as made, closing(engine(address, sync_interval=0.0)) as beside:
        old = traffic(made, 40)
        done = [False]

        def work(running: UniScale, start: int) -> None:
            number = start
            while not done[0]:
                traffic(running, 1, number)
                number += 1
                if number % 5 == 0:
                    running.snapshot()

        with ThreadPoolExecutor(2) as pool:
            working = [pool.submit(work, running, start) for running, start in ((made, 1000), (beside, 2000))]
            try:
                with opened(address) as log:
                    for decision in old[:5]:
                        assert forget(log, decision=decision).decisions == 1
                    forget(log, source="judge")
            finally:
                done[0] = True
            for ended in working:
                ended.result()
        with opened(address) as log:
            forget(log, source="judge")
        made.sync()
        beside.sync()
        expected = without(events_of(address), address, [])
        for each in (made.state(), beside.state(), state(address)):
            assert difference(each, expected) < 1e-9
        assert run("verify", address).exit_code == 0


def test_what_ended_workers_have_left_does_not_come_back(address: str, tmp_path: Path) -> None:
    with closing(engine(address)) as made:
        [decision] = traffic(made, 1)
        events = events_of(address)
    spool = Spool(tmp_path / "left")
    spool.append(events)
    spool.close()
    with opened(address) as log:
        forget(log, decision=decision, spool=Spool(tmp_path / "left"))
    assert not list(Spool(tmp_path / "left").abandoned())
    assert events_of(address) == []


@pytest.mark.parametrize("decided", [True, False])
def test_a_judgement_that_was_left_before_what_it_judges_is_not_lost(address: str, tmp_path: Path, decided: bool) -> None:
    """Another worker may have left the decision in a file of its own, or keep it still."""
    with closing(engine(address)) as made:
        [decision] = traffic(made, 1, 1)
        events = events_of(address)
    with opened(address) as log:
        forget(log, decision=decision)
    judgements = [each for each in events if isinstance(each, Feedback)]
    folder = tmp_path / "left"
    others = [each for each in events if not isinstance(each, Feedback)]
    parts: list[list[Event]] = [[*judgements], [*others]]
    for part in parts[: 1 + decided]:
        spool = Spool(folder)
        spool.append(part)
        spool.close()
        time.sleep(0.02)
    with opened(address) as log:
        forget(log, source="nobody", spool=Spool(folder))
        left = [event.event_id for each in Spool(folder).abandoned() for event in each.events]
        there = [each.event_id for each in events_of(address)]
        assert sorted(there + left) == sorted(each.event_id for each in (events if decided else judgements))
        assert bool(left) is not decided


def test_a_line_that_the_log_refuses_stops_no_removal(address: str, tmp_path: Path) -> None:
    with closing(engine(address)) as made:
        [decision] = traffic(made, 1)
    spool = Spool(tmp_path / "left")
    spool.append([Feedback(decision, 1.0, "late"), Feedback(decision, 1.0, "late", comment="x"), Outcome("long" * 20, 0.5)])
    spool.close()
    with opened(address) as log:
        refused = log.write

        def write(*new: Event) -> WriteResult:
            if any(len(each.decision_id) > 64 for each in new):
                raise LogError("value too long")
            return refused(*new)

        log.write = write  # type: ignore[method-assign]
        assert forget(log, source="late", spool=Spool(tmp_path / "left")).events > 0
    assert not list(Spool(tmp_path / "left").abandoned())
    assert list((tmp_path / "left").glob("*.unread"))


def test_it_says_where_running_workers_keep_events_that_the_log_has_not_taken_yet(address: str, tmp_path: Path) -> None:
    with closing(engine(address)) as made:
        [decision] = traffic(made, 1)
    with opened(address) as log:
        spool = Spool(spool_folder(log.identity, log.file, tmp_path / "own"))
    spool.append([Feedback(decision, 1.0, "late")])
    arguments = ("forget", address, "--source", "late", "--spool", str(tmp_path / "own"))
    assert "1 workers that are running on this host keep events" in run(*arguments).output
    assert told(*arguments)["waiting"] == 1
    spool.close()
    after = told(*arguments)
    assert (after["events"], after["waiting"]) == (1, 0)


def test_the_command_takes_in_what_was_left_in_a_folder_of_ones_own(address: str, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    with closing(engine(address, spool=folder)) as made:
        decision, other = traffic(made, 2)
        with opened(address) as log:
            spool = Spool(spool_folder(log.identity, log.file, folder))
    spool.append([Feedback(decision, 1.0, "left"), Feedback(other, 1.0, "left")])
    spool.close()
    assert told("forget", address, "--source", "left", "--spool", str(folder))["events"] == 2
    assert not folder.exists()
    with closing(engine(address, spool=folder)) as made:
        made.sync()
        assert "left" not in {entry.event.source for entry in made.log.everything() if isinstance(entry.event, Feedback)}
    missing = run("prune", address, "--before", "2026-01-01", "--spool", str(tmp_path / "none"))
    assert missing.exit_code == 2
    assert "there is no folder" in missing.output
