"""Feedback that only ever says one thing is warned of."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from benchmarks.instant import InstantGenerator
from uniscale_integrations import Silence, UniScale
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.one_sided import MIN_RUN, FeedbackBalance


def engine(**settings: object) -> UniScale:
    return UniScale([InstantGenerator(name="small"), InstantGenerator(name="large")], None, **settings)  # type: ignore[arg-type]


def judge(made: UniScale, judgements: list[float | None]) -> None:
    for place, correct in enumerate(judgements):
        answer = made.run(f"What is {place} + 1?")
        if correct is not None:
            made.feedback(answer, correct, source="thumbs")


def test_thumbs_down_alone_are_warned_of_once_in_the_log_and_on_every_answer(caplog: pytest.LogCaptureFixture) -> None:
    log = open_log("sqlite://")
    made = engine(log=log)
    with caplog.at_level(logging.WARNING):
        judge(made, [0.0, None] * (MIN_RUN - 1))
        assert not caplog.records
        assert not made.run("And now?").warnings
        judge(made, [0.0, None, 0.0])
    [record] = caplog.records
    assert "silence=Silence(means=1.0" in record.getMessage()
    [warning] = made.run("And now?").warnings
    assert "say wrong, and 50 % of answers are judged" in warning
    # Who opens the log later knows of it, too.
    assert engine(log=log).run("And then?").warnings
    made.snapshot()
    assert engine(log=log).run("And then?").warnings


def test_with_a_judgement_of_the_other_sort_or_with_silence_there_is_no_warning() -> None:
    made = engine()
    judge(made, [0.0, None] * MIN_RUN + [1.0])
    assert not made.run("And now?").warnings
    made = engine(silence=Silence(means=1.0, after=timedelta(hours=1)))
    judge(made, [0.0, None] * MIN_RUN)
    assert not made.run("And now?").warnings


def test_answers_that_are_all_judged_and_all_right_are_no_reason_to_warn() -> None:
    everything, praised = FeedbackBalance(answers=MIN_RUN), FeedbackBalance(answers=2 * MIN_RUN)
    for balance in (everything, praised):
        for _ in range(MIN_RUN):
            balance.judge(1.0, "exact-match", ())
    assert not everything.one_sided
    assert praised.one_sided
    assert "Silence(means=0.0" in praised.warning


def test_a_revision_is_no_further_judgement() -> None:
    balance = FeedbackBalance(answers=1)
    balance.judge(0.0, "thumbs", ())
    for _ in range(MIN_RUN):
        balance.judge(0.0, "thumbs", {"thumbs"})
    balance.judge(0.0, "exact-match", {"thumbs"})
    assert (balance.run, balance.judged, balance.judged_share) == (2, 1, 1.0)
    assert FeedbackBalance().judged_share is None
