"""What is learned of a log, however it is cut into parts."""

from __future__ import annotations

import random

import numpy as np
import pytest

from benchmarks.instant import InstantGenerator
from uniscale_integrations.engine import UniScale
from uniscale_integrations.log import fold
from uniscale_integrations.log.events import Feedback, Outcome
from uniscale_integrations.log.log import open_log


def test_workers_that_read_it_in_other_parts_learn_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold, "MAX_DECISIONS", 5)
    rng = random.Random(0)
    log = open_log("sqlite://")
    live = UniScale([InstantGenerator(name="small"), InstantGenerator(name="large")], None, log=log)
    asked = [live.run(f"What is {place} + 1?").decision_id for place in range(40)]
    for place, decision_id in enumerate(asked):
        assert decision_id is not None
        live.feedback(decision_id, rng.random(), source="late")
        if place % 3 == 0:
            live.run(f"And {place}?")
    told = int(live.state()["told"].sum())
    assert told == 40
    anew = UniScale([InstantGenerator(name="small"), InstantGenerator(name="large")], None, log=log)
    for name in ("judged.A", "judged.b", "observed.A", "told"):
        np.testing.assert_allclose(anew.state()[name], live.state()[name], atol=1e-9, err_msg=name)


def test_what_failed_teaches_neither_score_nor_cost() -> None:
    log = open_log("sqlite://")
    live = UniScale([InstantGenerator(name="small"), InstantGenerator(name="large")], None, log=log)
    decision = live.decide("Why?")
    before = live.state()
    log.append(Outcome(decision.id, None, eflops=1e12, failed="it broke"))
    live.sync()
    for name in ("judged.A", "judged.b", "observed.A", "observed.b"):
        np.testing.assert_array_equal(live.state()[name], before[name], err_msg=name)
    log.append(Outcome(decision.id, 0.5, eflops=1e12))
    live.sync()
    assert (live.state()["observed.A"] != before["observed.A"]).any()


def test_a_comment_that_changes_is_written_and_teaches_nothing_new() -> None:
    live = UniScale([InstantGenerator(name="small"), InstantGenerator(name="large")], None)
    answer = live.run("Why?")
    assert live.feedback(answer, 1.0, comment="well")
    before = live.state()
    assert live.feedback(answer, 1.0, comment="very well")
    assert not live.feedback(answer, 1.0, comment="very well")
    for name in ("judged.A", "judged.b", "told", "right"):
        np.testing.assert_array_equal(live.state()[name], before[name], err_msg=name)
    comments = [entry.event.comment for entry in live.log.since() if isinstance(entry.event, Feedback)]
    assert comments == ["well", "very well"]


def test_a_revision_changes_b_and_nothing_else() -> None:
    live = UniScale([InstantGenerator(name="small"), InstantGenerator(name="large")], None)
    answer = live.run("Why?")
    live.feedback(answer, 1.0)
    before = live.state()
    live.feedback(answer, 0.0)
    after = live.state()
    assert (after["judged.b"] != before["judged.b"]).any()
    for name in ("judged.A", "observed.A", "observed.b", "told", "sums"):
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
