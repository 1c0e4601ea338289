"""Models and logs that fail."""

from __future__ import annotations

from contextlib import closing

import pytest
from sqlalchemy import event

from tests.engine.two_models import QUESTIONS, Half, Saying, engine
from tests.logged import store
from uniscale_integrations.engine import UniScale, knowledge
from uniscale_integrations.errors import (
    ContextLengthError,
    LogError,
    SearchFailed,
)
from uniscale_integrations.log.events import DecisionEvent as Decided
from uniscale_integrations.log.events import Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import Entry, Position
from uniscale_integrations.space import Configuration, ConfigurationSpace


def test_where_a_model_fails_the_next_one_answers_and_both_are_logged() -> None:
    models = [Saying("broken", 1e6, fails=True), Saying("sound", 1e8, "Answer: 5")]
    made = UniScale(models, Half(), ConfigurationSpace.default(["broken", "sound"], [(1, 1, 1)]), mode=[0, 0, 1])
    answer = made.run(QUESTIONS[0])
    assert answer.configuration.model == "sound"
    assert "(broken,1,1,1) failed" in answer.warnings[-1]
    events = [entry.event for entry in made.log.since()]
    decided = [each for each in events if isinstance(each, Decided)]
    assert [each.round for each in decided] == [0, 1]
    assert len({each.request_id for each in decided}) == 1
    assert [bool(each.failed) for each in events if isinstance(each, Outcome)] == [True, False]


def test_a_question_too_long_for_one_model_goes_to_the_next() -> None:
    made = UniScale(["uniscale-0.3m", Saying("patient", 1e12)], None, mode=[0, 0, 1])
    answer = made.run("What is 1 + 1? " * 400)
    assert answer.configuration.model == "patient"
    assert any("shorten it or use a longer context" in note for note in answer.warnings)
    alone = UniScale(["uniscale-0.3m"], None)
    with pytest.raises(ContextLengthError, match="shorten it"):
        alone.run("What is 1 + 1? " * 400)


def test_where_all_models_fail_the_error_is_theirs() -> None:
    made = UniScale([Saying("broken", 1e6, fails=True)], Half(), ConfigurationSpace([Configuration("broken")]))
    with pytest.raises(SearchFailed, match="out of order"):
        made.run(QUESTIONS[0])


def test_a_log_that_is_full_does_not_cost_the_answer(log: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knowledge, "JUDGING", 0.2)
    made = engine(log=log)

    def fill(connection: object, record: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # type: ignore[attr-defined]

    event.listen(store(made)._engine, "connect", fill)
    made.log.close()
    answers = [made.run(QUESTIONS[0]) for _ in range(60)]
    assert all(answer.answer in ("4", "5") for answer in answers)
    note = answers[-1].warnings[-1]
    assert note.startswith("not in the log yet (cannot write to the log ")
    assert "database or disk is full); kept in " in note
    kept = made.feedback(answers[-1], 1.0)
    assert kept
    assert "kept in" in str(kept)
    event.remove(store(made)._engine, "connect", fill)
    made.log.close()
    made.close()
    with closing(open_log(log)) as there:
        counts = there.counts()
    assert counts["feedback"] == 1
    assert counts["decision"] == counts["outcome"] >= 60, "some may have been written before it was full"


def test_a_log_that_cannot_be_read_does_not_cost_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    made = engine(sync_interval=0.0)

    def broken(position: Position) -> list[Entry]:
        raise LogError("cannot read the log")

    monkeypatch.setattr(made.log, "since", broken)
    # Nobody waits long to learn that it cannot be read, so that the first may not know yet.
    answers = [made.run(QUESTIONS[0]) for _ in range(20)]
    assert all(answer.answer is not None for answer in answers)
    assert "decided without what others have logged of late: cannot read the log" in answers[-1].warnings
