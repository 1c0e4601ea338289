"""Silence, weights and sources that contradict each other, as they are learned from a log."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.instant import InstantGenerator
from uniscale_integrations import Silence, UniScale
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.log import fold, verdicts
from uniscale_integrations.log.events import DecisionEvent, Event, Feedback, Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.log.silence import Deadlines

STATE = ("judged.A", "judged.b", "observed.A", "told", "right")


def engine(log: EventStore | str = "sqlite://", **settings: object) -> UniScale:
    return UniScale([InstantGenerator(name="small"), InstantGenerator(name="large")], None, log=log, **settings)  # type: ignore[arg-type]


def answered(template: DecisionEvent, decision_id: str, at: float) -> tuple[Event, Event]:
    """A decision like another one, with an answer, at some time."""
    body = template.body() | {"request_id": decision_id}
    return DecisionEvent.of(decision_id, body, at), Outcome(decision_id, None, 1e9, at=at)


@pytest.fixture(scope="module")
def template() -> DecisionEvent:
    made = engine()
    made.run("What is 1 + 1?")
    [decision] = [entry.event for entry in made.log.since() if isinstance(entry.event, DecisionEvent)]
    return decision


def learned(events: Sequence[Event], log: EventStore | None = None, **settings: object) -> Mapping[str, np.ndarray]:
    log = log or open_log("sqlite://")
    log.append(*events)
    return engine(log, **settings).state()


def same(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> None:
    for name in STATE:
        np.testing.assert_allclose(one[name], other[name], atol=1e-9, err_msg=name)


HOUR = Silence(1.0, timedelta(seconds=3600))


def test_a_decision_that_nobody_judges_is_learned_as_what_silence_means(template: DecisionEvent) -> None:
    first, later = answered(template, "a", 100.0), answered(template, "b", 100.0 + 3601.0)
    silent = learned([*first, *later], silence=HOUR)
    judged = learned([*first, Feedback("a", 1.0, at=101.0), *later])
    np.testing.assert_allclose(silent["judged.A"], judged["judged.A"], atol=1e-9)
    assert silent["told"].sum() == 1
    assert learned([*first, *later])["told"].sum() == 0


def test_until_the_time_is_over_nothing_is_learned_and_a_failure_is_not_silent(template: DecisionEvent) -> None:
    first, failed = answered(template, "a", 100.0), answered(template, "f", 50.0)[0]
    on_time = answered(template, "b", 100.0 + 3600.0)
    events = [failed, Outcome("f", None, failed="it broke", at=50.0), *first, *on_time]
    assert learned(events, silence=HOUR)["told"].sum() == 0


def test_a_judgement_after_silence_revises_it(template: DecisionEvent) -> None:
    first, later = answered(template, "a", 100.0), answered(template, "b", 4000.0)
    late = learned([*first, *later, Feedback("a", 0.0, at=5000.0)], silence=HOUR)
    judged = learned([*first, *later, Feedback("a", 0.0, at=5000.0)])
    for name in ("judged.A", "told"):
        np.testing.assert_allclose(late[name], judged[name], atol=1e-9, err_msg=name)
    np.testing.assert_allclose(late["judged.b"], judged["judged.b"], atol=0.1)


def test_a_judgement_in_time_is_all_that_counts(template: DecisionEvent) -> None:
    events = [*answered(template, "a", 100.0), Feedback("a", 0.0, at=200.0), *answered(template, "b", 4000.0)]
    same(learned(events, silence=HOUR), learned(events))


def test_an_old_log_that_is_taken_over_was_judged_in_time(template: DecisionEvent) -> None:
    now = answered(template, "now", 1e6)
    old = [
        event
        for place in range(5)
        for event in (*answered(template, f"o{place}", 100.0), Feedback(f"o{place}", 0.0, "thumbs", at=101.0))
    ]
    made = engine(log := open_log("sqlite://"), silence={"thumbs": HOUR, "": HOUR})
    log.append(*now, *old, *answered(template, "later", 1e6 + 1.0))
    made.sync()
    same(made.state(), learned([*now, *old, *answered(template, "later", 1e6 + 1.0)]))


def test_silence_is_of_its_source_and_steps_back_before_judgements_of_others(template: DecisionEvent) -> None:
    events = [*answered(template, "a", 100.0), Feedback("a", 0.0, "exact-match", at=200.0), *answered(template, "b", 4000.0)]
    same(learned(events, silence={"thumbs": HOUR}), learned(events))
    silent = [*answered(template, "a", 100.0), *answered(template, "b", 4000.0)]
    assert learned(silent, silence={"thumbs": HOUR})["told"].sum() == 1


def test_silence_counts_less_of_a_source_that_also_praises(template: DecisionEvent) -> None:
    def weight(correct: float) -> float:
        events = [
            event
            for place in range(9)
            for event in (*answered(template, f"j{place}", 100.0), Feedback(f"j{place}", correct, at=101.0))
        ]
        events += answered(template, "silent", 200.0)
        before = learned(events, silence=HOUR)
        after = learned([*events, *answered(template, "b", 9000.0)], silence=HOUR)
        return float(after["judged.A"].trace() - before["judged.A"].trace())

    assert weight(1.0) == pytest.approx(0.1 * weight(0.0), rel=1e-6)


def history(template: DecisionEvent, seed: int) -> list[Event]:
    """Answers over some hours, with two sources that judge some of them, in time, late and again."""
    rng, events = random.Random(seed), list[Event]()
    for place in range(120):
        at = 60.0 * place
        events += answered(template, f"d{place}", at + rng.uniform(-100.0, 100.0))
        right = rng.random() < 0.7
        if not right and rng.random() < 0.7:
            events.append(Feedback(f"d{place}", 0.0, "thumbs", at=at + 5.0))
        for back in rng.sample(range(place + 1), min(2, place)):
            says = float(rng.random() < 0.7)
            events.append(Feedback(f"d{back}", says, rng.choice(["exact-match", "judge", "thumbs"]), at=at + rng.random()))
    return events


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "silence", [HOUR, {"thumbs": Silence(1.0, timedelta(minutes=20)), "judge": Silence(0.5, timedelta(hours=1))}]
)
def test_every_worker_learns_the_same_however_it_reads_the_log(
    template: DecisionEvent, seed: int, silence: Silence | dict[str, Silence], monkeypatch: pytest.MonkeyPatch
) -> None:
    events, log = history(template, seed), open_log("sqlite://")
    settings: dict[str, Any] = {"silence": silence, "source_weights": {"thumbs": 0.5}}
    whole = learned(events, **settings)
    monkeypatch.setattr(fold, "MAX_DECISIONS", 7)
    live, rng = engine(log, **settings), random.Random(seed)
    while events:
        part, events = events[: (size := rng.randint(1, 30))], events[size:]
        log.append(*part)
        live.sync()
        if rng.random() < 0.3:
            live.snapshot()
            live = engine(log, **settings)
    same(live.state(), whole)
    log.forget_snapshots()
    same(engine(log, **settings).state(), whole)


def test_what_is_kept_of_decisions_is_bounded_alike_in_all_workers(
    template: DecisionEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "MAX_LEARNED", 10)
    test_every_worker_learns_the_same_however_it_reads_the_log(template, 5, HOUR, monkeypatch)


def test_one_source_without_silence_is_learned_as_it_is(template: DecisionEvent) -> None:
    events, other = list[Event](), list[Event]()
    for place in range(60):
        events += [*answered(template, f"d{place}", 60.0 * place), Feedback(f"d{place}", place % 3 / 2, "one", at=60.0 * place)]
        other += [
            *answered(template, f"d{place}", 60.0 * place),
            Feedback(f"d{place}", place % 3 / 2, f"source-{place % 2}", at=60.0 * place),
        ]
    one, two = learned(events), learned(other)
    for name in STATE:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)
    assert one["judged.A"].trace() - one["judged.ridge"].sum() > 0


def test_weights_count_in_the_mean_of_sources_and_in_what_is_learned(template: DecisionEvent) -> None:
    ask = answered(template, "a", 0.0)
    alone = learned([*ask, Feedback("a", 0.0, "thumbs", at=1.0)], source_weights={"thumbs": 0.25})
    same(alone, learned([*ask, Feedback("a", 0.0, weight=0.25, at=1.0)]))
    both = learned(
        [*ask, Feedback("a", 0.0, "thumbs", at=1.0), Feedback("a", 1.0, "exact", at=2.0)], source_weights={"thumbs": 0.25}
    )
    mean = learned([*ask, Feedback("a", 0.8, at=1.0)])
    for name in ("judged.A", "judged.b"):
        np.testing.assert_allclose(both[name], mean[name], atol=1e-9, err_msg=name)


def test_a_decision_that_several_sources_judge_is_one_that_was_judged(template: DecisionEvent) -> None:
    events = answered(template, "a", 100.0)
    both = [Feedback("a", 1.0, source="quick", at=101.0), Feedback("a", 1.0, source="sure", at=102.0)]
    told = learned([*events, *both], source_weights={"quick": 0.25})
    assert (told["told"].sum(), float(told["right"])) == (1.0, 1.0)


def test_a_source_that_contradicts_the_others_is_corrected(template: DecisionEvent) -> None:
    """It calls 40 % of the right answers wrong; then it is the only one, and what is learned is nearer to the truth."""
    rng, shared, alone, truth = random.Random(1), list[Event](), list[Event](), list[Event]()
    for place in range(600):
        right = rng.random() < 0.8
        harsh = float(right and rng.random() > 0.4)
        asked = answered(template, f"d{place}", float(place))
        others = [Feedback(f"d{place}", float(right), source, at=float(place)) for source in ("exact", "judge")]
        shared += [*asked, Feedback(f"d{place}", harsh, "harsh", at=float(place)), *(others if place < 200 else ())]
        alone += [*asked, Feedback(f"d{place}", harsh, "harsh", at=float(place))]
        truth += [*asked, Feedback(f"d{place}", float(right), "exact", at=float(place))]

    def level(state: Mapping[str, np.ndarray]) -> float:
        """What is believed of the configuration's correctness, less the prior."""
        return float(np.linalg.solve(state["judged.A"], state["judged.b"][0])[0])

    corrected, naive, right_level = (level(learned(events)) for events in (shared, alone, truth))
    assert abs(corrected - right_level) < 0.35 * abs(naive - right_level)


def test_what_silence_tells_is_learned_from_a_sample_that_others_judge(template: DecisionEvent) -> None:
    """A third of the wrong answers is complained of; a tenth of all is checked."""
    rng, events = random.Random(2), list[Event]()
    for place in range(1500):
        right = rng.random() < 0.6
        events += answered(template, f"d{place}", float(place))
        if not right and rng.random() < 0.33:
            events.append(Feedback(f"d{place}", 0.0, "thumbs", at=float(place)))
        if place % 10 == 0:
            events.append(Feedback(f"d{place}", float(right), "checked", at=float(place)))
    made = engine(log := open_log("sqlite://"), silence={"thumbs": Silence(1.0, timedelta(seconds=30))})
    log.append(*events)
    made.sync()
    sources = made.brain.fold.verdicts.sources
    silent_right, complaining = sources.confusions.raters["silence of thumbs"]
    assert silent_right > 0.9
    assert complaining == pytest.approx(0.33, abs=0.12)
    state = made.state()
    assert state["judged.A"].trace() - state["judged.ridge"].sum() > 0


def test_settings_that_cannot_be_are_refused() -> None:
    for settings, message in (
        ({"silence": 1.0}, "silence is a Silence"),
        ({"silence": {"thumbs": 1.0}}, "silence is a Silence"),
        ({"source_weights": {"thumbs": 0.0}}, r"'thumbs' must be a number in \(0, 1\]"),
        ({"source_weights": {"thumbs": 1.5}}, "got 1.5"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            engine(**settings)
    with pytest.raises(ConfigurationError, match=r"in \[0, 1\], got nan"):
        Silence(float("nan"))
    with pytest.raises(ConfigurationError, match="a time above 0"):
        Silence(after=timedelta(0))
    with pytest.raises(ConfigurationError, match="a time above 0"):
        Silence(after=60)  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans())))
def test_deadlines_pass_once_in_order_and_only_when_it_is_later(steps: list[tuple[float, bool]]) -> None:
    deadlines, open_ones, clock = Deadlines({"": Silence(after=timedelta(seconds=10))}), dict[str, float](), 0.0
    for place, (at, answer) in enumerate(steps):
        clock = max(clock, at)
        expected = {each for each, start in open_ones.items() if start + 10.0 < clock}
        assert {each.decision_id for each in deadlines.before(at)} == expected
        passed = list(deadlines.pass_time(at))
        assert all(deadlines.awaits(each.decision_id) for each in passed)
        for each_passed in passed:
            deadlines.close(each_passed)
        assert not any(map(deadlines.awaits, expected))
        assert [each.decision_id for each in passed] == sorted(expected, key=lambda each: (open_ones[each], int(each)))
        for each in expected:
            del open_ones[each]
        if answer:
            deadlines.start(str(place), at)
            open_ones[str(place)] = at
        assert all(deadlines.awaits(each) for each in open_ones)
