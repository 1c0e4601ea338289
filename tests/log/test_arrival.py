"""Judgements that arrive in another order than they were given in, as after having waited for the log: what was said last counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from time import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from benchmarks.durability import difference, engine
from uniscale_integrations.cli.app import app
from uniscale_integrations.engine import UniScale
from uniscale_integrations.engine.recalibration import pairs
from uniscale_integrations.log.events import Event, Feedback
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.log.snapshots import BEFORE
from uniscale_integrations.log.spool import Spool, spool_folder
from uniscale_integrations.log.sql import SAID_LAST
from uniscale_integrations.policy.policy import State
from uniscale_integrations.replay.logged import _histories
from uniscale_integrations.report.collect import page_data


@pytest.fixture(scope="module")
def answered() -> list[Event]:
    """Three decisions with their outcomes."""
    with closing(engine("sqlite://")) as made:
        for number in range(3):
            made.run(f"What is {number} + 1?")
        return [entry.event for entry in made.log.everything()]


def learned(events: Sequence[Event], judgements: Sequence[Feedback]) -> State:
    with closing(open_log("sqlite://")) as log:
        log.append(*events)
        log.write(*judgements)
        with closing(engine(log)) as made:
            return compared(made.state())


def compared(state: State) -> State:
    """Without the detector's sums: whether the world has changed is a matter of what comes after what."""
    return {name: array for name, array in state.items() if name != "sums"}


judgement = st.tuples(st.integers(0, 2), st.sampled_from(["thumbs", "exact", "judge"]), st.floats(0.0, 1.0))


@settings(max_examples=25)
@given(
    weights=st.sampled_from([[1.0], [0.5], [0.5, 1.0, 0.53]]),
    said=st.lists(judgement, min_size=2, max_size=8, unique_by=lambda each: each[2]).flatmap(
        lambda each: st.tuples(st.just(each), st.permutations(range(len(each))))
    ),
)
def test_states_are_the_same_in_every_order_of_arrival(
    answered: list[Event], weights: list[float], said: tuple[list[tuple[int, str, float]], list[int]]
) -> None:
    values, order = said
    ids = list(dict.fromkeys(each.decision_id for each in answered))
    judgements = [
        Feedback(ids[place], correct, source, weight=weights[number % len(weights)], at=time() - 100.0 + number)
        for number, (place, source, correct) in enumerate(values)
    ]
    states = [learned(answered, each) for each in (judgements, [judgements[place] for place in order])]
    if len(weights) > 1:
        # A judgement that counts more than those before it is learned in two steps, which are counted.
        states = [{name: state[name] for name in ("judged.A", "judged.b")} for state in states]
    assert difference(*states) < 1e-9


def test_what_waited_yesterday_does_not_override_what_was_said_today(address: str, tmp_path: Path) -> None:
    with closing(engine(address)) as made:
        [decision, other] = (str(made.run(f"What is {number} + 1?").decision_id) for number in range(2))
        made.feedback(other, 1.0, source="thumbs")
    yesterday = Feedback(decision, 0.0, "thumbs", "correct", "wrong", at=time() - 86_400.0)
    with closing(open_log(address)) as log:
        spool = Spool(spool_folder(log.identity, log.file, tmp_path / "spool"))
    spool.append([yesterday])
    spool.close()
    with closing(engine(address, tmp_path / "elsewhere")) as made:
        assert made.feedback(decision, 1.0, source="thumbs")
    with closing(engine(address, tmp_path / "spool")) as made:
        made.sync()
        state = compared(made.state())
        assert made.feedback(decision, 1.0, source="thumbs") is False, "it has been said, and stands"
        assert made.feedback(decision, 0.0, source="thumbs") is True
    with closing(open_log(address)) as log:
        said = [entry.event for entry in log.everything() if isinstance(entry.event, Feedback)]
        assert [each.correct for each in said] == [1.0, 1.0, 0.0, 0.0]
        events = [entry.event for entry in log.everything()]
    in_time = sorted((each for each in events[:-1] if isinstance(each, Feedback)), key=lambda each: each.at)
    assert difference(state, learned([each for each in events if not isinstance(each, Feedback)], in_time)) < 1e-9


def test_whoever_reads_a_log_takes_what_was_said_last(
    log: EventStore, answered: list[Event], address: str, tmp_path: Path
) -> None:
    log.append(*answered)
    ids = list(dict.fromkeys(each.decision_id for each in answered))
    for order, decision in zip(list(permutations([(10.0, 0.0), (20.0, 0.25), (30.0, 1.0)]))[1:], ids, strict=False):
        log.write(*(Feedback(decision, correct, "thumbs", at=answered[-1].at - 100.0 + at) for at, correct in order))
    assert [pair.correct for pair in pairs(log)] == [1.0] * 3
    assert page_data(log)["decisions"]["correct"] == [1.0] * 3
    assert [said.correct for each in _histories(log) for said in each.verdicts.values()] == [1.0] * 3
    shown = CliRunner().invoke(app, ["log", "info", address, "--json"])
    rows = json.loads(shown.stdout.strip().splitlines()[-1])["configurations"]
    assert {row["correct"] for row in rows} == {1.0}


def test_judgements_of_the_same_time_count_as_they_come(log: EventStore, answered: list[Event]) -> None:
    log.append(*answered)
    first = Feedback(answered[0].decision_id, 1.0, "thumbs")
    assert log.write(first, replace(first, correct=0.0)).new == (True, True)
    with closing(engine("sqlite://")) as made:
        made.log.append(*(entry.event for entry in log.everything()))
        made.sync()
        assert made.state()["told"].sum() == 1
    assert [pair.correct for pair in pairs(log)] == [0.0]


@pytest.mark.parametrize("ahead", [0.5, 3600.0, 1e9])
def test_a_revision_counts_also_where_the_clock_before_it_was_ahead(log: EventStore, answered: list[Event], ahead: float) -> None:
    log.append(*answered)
    decision = answered[0].decision_id
    first = Feedback(decision, 1.0, "thumbs", at=time() + ahead)
    assert log.write(first).new == (True,)
    # The clock has been set, or another worker's is right; and who repeats it says nothing new.
    assert [log.write(Feedback(decision, 0.0, "thumbs")).new for _ in range(3)] == [(True,), (False,), (False,)]
    assert log.write(Feedback(decision, 0.5, "thumbs"), Feedback(decision, 0.25, "thumbs")).new == (True, True)
    with closing(engine("sqlite://")) as made:
        made.log.append(*(entry.event for entry in log.everything()))
        made.sync()
        assert made.state()["right"] == pytest.approx(0.25)


def test_what_has_waited_elsewhere_does_not_overtake_what_was_said_since(log: EventStore, answered: list[Event]) -> None:
    log.append(*answered)
    decision, now = answered[0].decision_id, time()
    log.write(Feedback(decision, 1.0, "thumbs", at=now - 10.0))
    log.write(Feedback(decision, 0.0, "thumbs", at=now - 60.0))
    assert [entry.event.at for entry in log.everything()][-2:] == [now - 10.0, now - 60.0]
    assert [pair.correct for pair in pairs(log)] == [1.0]


def test_a_snapshot_of_before_is_read_where_the_log_does_not_tell_all(address: str) -> None:
    def folded(made: UniScale) -> int:
        return made._knowledge.replica.fold.events

    with closing(engine(address)) as made:
        for number in range(4):
            made.feedback(made.run(f"What is {number} + 1?"), 1.0)
        made.sync()
        state = made.state()
        learned = made._knowledge.replica.fold
        _, position, kept = learned.snapshot()
        made.log.save_snapshot(learned.identity.name(BEFORE[0]), position, kept)
    with closing(engine(address)) as made:
        assert folded(made) == 12, "the log tells all"
    with closing(open_log(address)) as log:
        log.forget_snapshots("nothing")
        with log.alone() as connection:
            connection.exec_driver_sql("DELETE FROM uniscale_events WHERE seq < 4")
    with closing(engine(address)) as made:
        assert folded(made) == 0
        for name, array in made.state().items():
            if not name.endswith(".settings") and array.dtype.kind == "f":
                np.testing.assert_allclose(array, state[name], atol=1e-9)


def test_what_was_said_last_is_found_as_quickly_however_often_it_was_revised(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'log.db'}"
    with closing(open_log(address)) as log:
        plan = "EXPLAIN QUERY PLAN " + SAID_LAST.replace("?", "'a'")
        with log.reading() as connection:
            [*steps] = (row[-1] for row in connection.exec_driver_sql(plan))
    assert any("decision_id=? AND kind=? AND about=? AND at<?" in each for each in steps), steps
    assert not any(each == "USE TEMP B-TREE FOR ORDER BY" for each in steps), steps
