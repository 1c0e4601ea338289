"""What judgements come to, at the same cost however many there are."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.log.plain_verdicts import PlainVerdicts
from uniscale_integrations.log import sources
from uniscale_integrations.log.events import Feedback, Outcome
from uniscale_integrations.log.feedback_rules import FeedbackRules
from uniscale_integrations.log.judgements import ExactMean
from uniscale_integrations.log.silence import Silence
from uniscale_integrations.log.verdicts import Lesson, Verdicts

HOUR = timedelta(hours=1)
RULES = [
    FeedbackRules(),
    FeedbackRules.of(None, {"a": 0.25, "c": 0.1}),
    FeedbackRules.of(Silence(1.0, HOUR), None),
    FeedbackRules.of({"a": Silence(1.0, HOUR), "b": Silence(0.0, HOUR)}, {"b": 0.5, "verifier": 0.5}),
]
names = st.sampled_from(["a", "b", "c", "d", "verifier", *(f"user {number}" for number in range(9))])
step = st.one_of(
    st.tuples(st.just("answer"), st.integers(0, 7), st.none() | st.floats(0, 1)),
    st.tuples(
        *(st.just("judge"), st.integers(0, 7), names, st.sampled_from("kl"), st.floats(0, 1) | st.sampled_from([0.0, 1.0])),
        # How long it has waited for the log.
        *(st.sampled_from([0.0, 0.0, 10.0, 1000.0]), st.sampled_from([0.3, 0.31, 0.5, 1.0])),
    ),
    st.tuples(st.just("pass"), st.floats(0, 4000)),
    st.tuples(st.just("forget"), st.integers(0, 7)),
)


@settings(max_examples=60)
@given(st.sampled_from(RULES), st.lists(step, min_size=20, max_size=150))
def test_they_come_to_the_same_as_said_plainly(rules: FeedbackRules, steps: list[tuple[Any, ...]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "MIN_OVERLAP": 3,
            "MIN_JUDGEMENTS": 2,
            "REFIT": 2,
            "MAX_COMPARED": 4,
            "MAX_COUNTED": 6,
            "MAX_RATERS": 3,
        }.items():
            patch.setattr(sources, name, value)
        quick, plain = Verdicts(rules), PlainVerdicts(rules)
        now, answered, log = 0.0, set[str](), dict[str, list[Feedback | Outcome]]()
        gone = set[str]()
        for what, *values in steps:
            decision = f"d{values[0]}"
            if what == "pass":
                now += values[0]
                due = quick.due(now)
                recall(quick, plain, due & gone, log)
                gone -= due
                for one, other in zip(list(quick.overdue(now)), list(plain.overdue(now)), strict=True):
                    alike(quick.silence(one, "small"), plain.silence(other, "small"))
            elif what == "forget":
                quick.forget(decision)
                plain.forget(decision)
                gone.add(decision)
            elif what == "answer":
                outcome = Outcome(decision, values[1], at=now)
                if decision not in answered:
                    answered.add(decision)
                    quick.answer(outcome)
                    plain.answer(outcome)
                    log.setdefault(decision, []).append(outcome)
            else:
                event = Feedback(decision, values[3], values[1], values[2], weight=values[5], at=now - values[4])
                recall(quick, plain, {decision} & gone, log)
                gone.discard(decision)
                alike(quick.judge(event, f"c{values[0] % 2}"), plain.judge(event, f"c{values[0] % 2}"))
                log.setdefault(decision, []).append(event)
        same(json.loads(quick.record().tobytes()), json.loads(plain.record().tobytes()))


def recall(quick: Verdicts, plain: Verdicts, decisions: set[str], log: dict[str, list[Feedback | Outcome]]) -> None:
    for event in (event for decision in decisions for event in log.get(decision, ())):
        quick.recall(event)
        plain.recall(event)


def alike(one: Lesson | None, other: Lesson | None) -> None:
    same(one and list(one), other and list(other))


def same(one: Any, other: Any) -> None:
    if isinstance(one, dict):
        assert list(one) == list(other)
        same(list(one.values()), list(other.values()))
    elif isinstance(one, list):
        assert len(one) == len(other)
        for each, its in zip(one, other, strict=True):
            same(each, its)
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=1e-12)
    else:
        assert one == other


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1)), min_size=1, max_size=60))
def test_a_mean_whose_terms_are_replaced_is_that_of_those_that_are_there(said: list[tuple[int, float]]) -> None:
    mean, now = ExactMean(), dict[int, float]()
    for who, value in said:
        if who in now:
            mean.replace(now[who], value)
        else:
            mean.add(value)
        now[who] = value
        assert mean.value == fmean(now.values())
    assert len(mean.parts) < 50


@pytest.mark.parametrize("rules", RULES[:3])
def test_the_last_judgement_of_many_takes_no_more_steps_than_one_of_the_first(rules: FeedbackRules) -> None:
    verdicts = Verdicts(rules)
    verdicts.answer(Outcome("a", 0.5, at=0.0))

    def steps(number: int) -> int:
        """Lines of this package that one judgement takes."""
        count = 0

        def trace(frame: Any, event: str, argument: object) -> Any:
            nonlocal count
            count += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            verdicts.judge(Feedback("a", float(number % 2), f"user {number}", at=0.0), "small")
        finally:
            sys.settrace(before)
        return count

    early = max(steps(number) for number in range(20, 40))
    for number in range(40, 4_000):
        verdicts.judge(Feedback("a", float(number % 2), f"user {number}", at=0.0), "small")
    assert max(steps(number) for number in range(4_000, 4_020)) <= early + 20


said = st.tuples(st.integers(0, 1), names, st.sampled_from("kl"), st.floats(0, 1), st.sampled_from([0.2, 0.5, 0.53, 1.0]))


@given(st.lists(said, max_size=12).flatmap(lambda each: st.tuples(st.just(each), st.permutations(range(len(each))))))
@pytest.mark.parametrize("rules", RULES[:2])
def test_judgements_come_to_the_same_in_every_order_of_arrival(
    rules: FeedbackRules, order: tuple[list[tuple[int, str, str, float, float]], list[int]]
) -> None:
    values, places = order
    given_in_order = [
        Feedback(f"d{number}", correct, source, key, weight=weight, at=100.0 + at)
        for at, (number, source, key, correct, weight) in enumerate(values)
    ]
    learned = []
    for arrival in (given_in_order, [given_in_order[place] for place in places]):
        verdicts, sums = Verdicts(rules), dict[str, tuple[float, float]]()
        for each in arrival:
            lesson, (weight, total) = verdicts.judge(each, "small"), sums.get(each.decision_id, (0.0, 0.0))
            if lesson.previous is None:
                weight, total = lesson.weight, lesson.weight * lesson.correct
            else:
                assert lesson.weight == pytest.approx(weight)
                total += lesson.weight * (lesson.correct - lesson.previous) + lesson.extra * lesson.correct
                weight += lesson.extra
            sums[each.decision_id] = weight, total
        learned.append(sums)
    for decision, expected in learned[0].items():
        assert learned[1][decision] == pytest.approx(expected, abs=1e-9)
