"""What requests of several rounds teach, whenever and in whatever parts the log is read."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.engine.test_rounds import Doubting, engine
from tests.engine.two_models import engine as engine_that_decides_once
from uniscale_integrations.engine import UniScale
from uniscale_integrations.log import fold
from uniscale_integrations.log.events import DecisionEvent, Feedback, Outcome
from uniscale_integrations.log.fold import Fold
from uniscale_integrations.log.lessons import Rounds, first_id, later_id
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import Entry, EventStore


def lived(log: EventStore, count: int = 24) -> UniScale:
    """Requests of one round and of two, some of them judged, at once or much later, by one or several sources."""
    made, rng = engine(log=log, policy=Doubting), random.Random(1)
    asked: list[str] = []
    for number in range(count):
        answer = made.run(f"What is {number} + 2?", rounds=1 if number % 3 == 0 else None)
        asked.append(answer.rounds[rng.randrange(len(answer.rounds))].decision_id)
        if number % 2:
            made.feedback(asked[-1], rng.random())
    for decision_id in asked[: count // 2]:
        made.feedback(decision_id, rng.random(), source="late")
    return made


def same(left: UniScale | Fold, right: UniScale | Fold) -> None:
    """Whether two have learned the same."""
    states = [each.state() if isinstance(each, UniScale) else each.policy.state() for each in (left, right)]
    assert states[0].keys() == states[1].keys()
    for name, array in states[0].items():
        if array.dtype.kind == "f":
            np.testing.assert_allclose(array, states[1][name], atol=1e-9, err_msg=name)


def parts(entries: list[Entry], rng: random.Random) -> Iterator[list[Entry]]:
    while entries:
        size = rng.randint(1, 7)
        yield entries[:size]
        entries = entries[size:]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("at_hand", [4, 20_000])
def test_it_does_not_matter_in_what_parts_the_log_is_read(monkeypatch: pytest.MonkeyPatch, seed: int, at_hand: int) -> None:
    monkeypatch.setattr(fold, "MAX_DECISIONS", at_hand)
    log = open_log("sqlite://")
    made = lived(log)
    whole, cut = made.brain.fold.anew(), _empty(made)
    for part in parts(list(log.everything()), random.Random(seed)):
        cut.apply(part)
    same(whole, cut)


@pytest.mark.parametrize("before", [1, 7, 30, 55])
def test_it_goes_on_from_a_snapshot_that_was_taken_in_the_middle_of_a_request(before: int) -> None:
    log = open_log("sqlite://")
    made = lived(log)
    entries = list(log.everything())
    first, second = _empty(made), _empty(made)
    first.apply(entries[:before])
    second.take(first.state())
    second.position = first.position
    second.apply(entries[before:])
    same(made.brain.fold.anew(), second)


def test_requests_of_an_engine_that_decides_once_are_learned_from() -> None:
    log = open_log("sqlite://")
    once = engine_that_decides_once(log=log)
    for number in range(10):
        once.feedback(once.run(f"What is {number} + 2?"), float(number % 2))
    again = engine(log=log, policy="linucb", rounds=2)
    assert int(again.state()["seen"]) == 10
    trust = again.state()["trust 0.b"]
    assert np.abs(trust).max() > 0


def test_an_engine_that_decides_once_learns_from_requests_of_several_rounds() -> None:
    log = open_log("sqlite://")
    lived(log)
    once = engine(log=log, policy="linucb", rounds=1)
    assert int(once.state()["told"].sum()) >= 12


def test_ids_of_a_request_are_found_by_any_of_them() -> None:
    first = "0f" * 16
    assert [first_id(later_id(first, number)) for number in range(12)] == [first] * 12
    assert first_id("run-7-2") == "run-7-2", "an id that somebody else has made stands for itself"


@pytest.mark.parametrize("record", [None, {}, {"belief": "much"}, {"belief": 7.0}, {"belief": 0.5, "kept": "first"}, [1, 2]])
def test_what_cannot_be_read_of_rounds_is_a_request_by_itself(record: object) -> None:
    assert Rounds.of(Outcome("d", 0.5, extra={"rounds": record})) is None
    log = open_log("sqlite://")
    made = engine(log=log)
    made.run("What is 2 + 2?")
    event = next(entry.event for entry in log.everything() if isinstance(entry.event, DecisionEvent))
    odd = DecisionEvent("ab" * 16, event.configuration, event.features, event.encoder, event.weights)
    log.append(odd, Outcome(odd.decision_id, 0.5, extra={"rounds": record}), Feedback(odd.decision_id, 1.0))
    before = int(made.state()["seen"])
    made.sync()
    assert int(made.state()["seen"]) == before + 1


def test_an_attempt_that_was_given_up_does_not_end_its_request() -> None:
    log = open_log("sqlite://")
    made = engine(log=log)
    made.run("What is 2 + 2?")
    [first, *_] = [entry.event for entry in log.everything() if isinstance(entry.event, DecisionEvent)]
    beside = [replace(first, decision_id=later_id("cd" * 16, number), round=number) for number in range(2)]
    before = int(made.state()["seen"])
    log.append(*beside, Outcome(beside[0].decision_id, None, failed="given up", extra={"rounds": Rounds().record()}))
    made.sync()
    assert int(made.state()["seen"]) == before
    answer = Outcome(beside[1].decision_id, 0.9, eflops=1e8, extra={"rounds": Rounds(0.8, over=True, kept=1).record()})
    log.append(answer, Feedback(beside[0].decision_id, 1.0))
    made.sync()
    assert int(made.state()["seen"]) == before + 1
    assert made.brain.fold.feedback == 1


def _empty(made: UniScale) -> Fold:
    """A fold as of an engine, which has read nothing yet."""
    brain = made.brain
    of = brain.fold
    return Fold(of.log, brain.design.policy.learner(brain.arms), brain.arms, brain.design.encode.name, of._costs)
