"""The engine, on generators and verifiers that answer at once and on the embedded family."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path as File
from threading import Event
from typing import Any

import numpy as np
import pytest
from langchain_core.language_models import FakeListChatModel
from sqlalchemy import event

from benchmarks.instant import InstantGenerator, InstantVerifier
from tests.logged import decisions, learned, outcomes, store
from uniscale_integrations.cost.hardware import H100
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.engine import Model, UniScale
from uniscale_integrations.engine.estimates import expected_cost
from uniscale_integrations.engine.journal import Decision
from uniscale_integrations.engine.model_registry import generators
from uniscale_integrations.errors import (
    ConfigurationError,
    ContextLengthError,
    LogError,
    SearchFailed,
    StateError,
    UniScaleError,
    UnknownDecisionError,
)
from uniscale_integrations.langchain.chat_model import as_generator
from uniscale_integrations.log.events import DecisionEvent as Decided
from uniscale_integrations.log.events import Feedback, Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import Entry, Position
from uniscale_integrations.policy.default_policy import LearnerSettings
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.schema import FeatureSchema
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.search.paths import Candidate, Expansion, Path
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.run import Answer
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.telemetry import Decided as Decided_
from uniscale_integrations.telemetry import Ended, Sampled, Scored
from uniscale_integrations.telemetry import Event as Event_

QUESTIONS = ("Who won the cup in 1998?", "Write a function that sorts a list of strings by their length.")


class Saying(InstantGenerator):
    """A model that says one thing, at a price, and fails where told to."""

    def __init__(self, name: str, compute: float, says: str = "Answer: 4", fails: bool = False) -> None:
        super().__init__(1, name, compute)
        self.compute, self.says, self.fails = compute, says, fails

    async def expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        if self.fails:
            raise RuntimeError("out of order")
        return [[Candidate((self.says,), True, Usage(compute=self.compute))] * wish.count for wish in expansions]


class Half(InstantVerifier):
    """A verifier that gives everything a half."""

    name = "half"

    async def score(self, items: Sequence[tuple[Path, Candidate]]) -> list[tuple[tuple[float, ...] | None, Usage]]:
        return [((0.5,), NOTHING) for _ in items]


def engine(*, log: str = "sqlite://", shapes: Sequence[tuple[int, int, int]] = ((1, 1, 1),), **changes: object) -> UniScale:
    models = [Saying("small", 1e6, "Answer: 4"), Saying("large", 1e8, "Answer: 5")]
    space = ConfigurationSpace.default(["small", "large"], shapes)
    return UniScale(models, Half(), space, log=log, **changes)  # type: ignore[arg-type]


def test_it_learns_which_model_is_right_for_which_question() -> None:
    made = engine(mode=[1, 0, 0])
    chosen: dict[str, list[str]] = {question: [] for question in QUESTIONS}
    for turn in range(160):
        question = QUESTIONS[turn % 2]
        answer = made.run(question)
        assert answer.decision_id is not None
        made.feedback(answer, float((answer.answer == "4") == (question == QUESTIONS[0])))
        chosen[question].append(answer.configuration.model)
    assert chosen[QUESTIONS[0]][-20:].count("small") > 17
    assert chosen[QUESTIONS[1]][-20:].count("large") > 17


def test_decision_outcome_and_feedback_are_logged_in_that_order() -> None:
    made = engine()
    answer = made.run(QUESTIONS[0])
    assert made.feedback(answer, 1.0, source="exact-match")
    assert not made.feedback(answer.decision_id or "", 1.0, source="exact-match")
    decided, came, judged = (entry.event for entry in made.log.since())
    assert isinstance(decided, Decided)
    assert isinstance(came, Outcome)
    assert {decided.decision_id, came.decision_id, judged.decision_id} == {answer.decision_id}
    assert decided.configuration == answer.configuration
    assert (decided.query, len(decided.query_hash)) == (None, 32), "questions are not kept unless asked for"
    assert came.score == answer.score == 0.5
    assert came.eflops == answer.ledger.eflops > 0


def test_a_decision_alone_is_logged_and_explained() -> None:
    made = engine(shapes=((1, 1, 1), (2, 2, 1)), mode="cost-sensitive", store_queries=True)
    decision = made.decide(QUESTIONS[0])
    assert isinstance(decision, Decision)
    [entry] = made.log.since()
    assert isinstance(entry.event, Decided)
    assert (entry.event.decision_id, entry.event.query) == (decision.id, QUESTIONS[0])
    explanation = decision.explain()
    assert explanation.choice.configuration == decision.configuration
    assert explanation.choice.reward == decision.expected["reward"]
    assert {candidate.configuration for candidate in explanation.candidates} == set(made.space)
    for candidate in explanation.candidates[1:]:
        if candidate.flips_at is not None:
            rest = 1 - candidate.flips_at
            again = made.decide(QUESTIONS[0], mode=[rest / 2, rest / 2, candidate.flips_at])
            worth = {each.configuration: each.reward + each.bonus for each in again.explain().candidates}
            # The bonus follows the weights too, a little.
            assert worth[candidate.configuration] == pytest.approx(worth[decision.configuration], abs=0.2)


def test_a_request_may_bring_its_own_weights() -> None:
    made = engine(mode=[1, 0, 0])
    for _ in range(40):
        answer = made.run(QUESTIONS[0])
        made.feedback(answer, float(answer.answer == "5"))
    assert made.decide(QUESTIONS[0]).configuration.model == "large"
    assert made.decide(QUESTIONS[0], mode=[0.01, 0, 0.99]).configuration.model == "small"
    assert made.decide(QUESTIONS[0]).weights.parts == (1, 0, 0)


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


def test_a_log_that_is_full_does_not_cost_the_answer(tmp_path: File) -> None:
    made = engine(log=f"sqlite:///{tmp_path / 'log.db'}")

    def fill(connection: object, record: object) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # type: ignore[attr-defined]

    event.listen(store(made)._engine, "connect", fill)
    made.log.close()
    answers = [made.run(QUESTIONS[0]) for _ in range(60)]
    assert all(answer.answer in ("4", "5") for answer in answers)
    assert "not logged, so feedback on it cannot be learned from" in answers[-1].notes[-1]
    with pytest.raises(UnknownDecisionError):
        made.feedback(answers[-1], 1.0)
    event.remove(store(made)._engine, "connect", fill)
    made.log.close()
    assert not made.run(QUESTIONS[0]).notes
    made.close()


def test_many_requests_at_once_are_all_logged(tmp_path: File) -> None:
    made = engine(log=f"sqlite:///{tmp_path / 'log.db'}")

    async def many() -> list[str]:
        answers = await asyncio.gather(*(made.arun(QUESTIONS[turn % 2]) for turn in range(60)))
        return [answer.decision_id or "" for answer in answers]

    ids = asyncio.run(many())
    assert len(set(ids)) == 60
    assert made.log.counts() == {"decision": 60, "outcome": 60}
    made.close()


def test_it_can_be_asked_without_awaiting_inside_a_running_loop() -> None:
    made = engine()

    async def inside() -> str | None:
        return made.run(QUESTIONS[0]).answer

    assert asyncio.run(inside()) in ("4", "5")


WORKER = """
import sys
from tests.test_engine import QUESTIONS, engine
made = engine(log=sys.argv[1], sync_interval=0.05)
for turn in range(40):
    answer = made.run(QUESTIONS[turn % 2])
    made.feedback(answer, float(turn % 3 == 0), source=sys.argv[2])
"""


def state(made: UniScale) -> list[np.ndarray]:
    components = learned(made).components
    arrays = [array for ridge in (components.correctness_head, components.outcome_head) for array in (ridge.matrix, ridge.sums)]
    return [*arrays, learned(made)._average]


def test_workers_on_one_log_come_to_the_same_state(tmp_path: File) -> None:
    log = f"sqlite:///{tmp_path / 'log.db'}"
    first = engine(log=log)
    root = File(__file__).parents[1]
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, log, f"worker {number}"], cwd=root) for number in range(3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    first.sync()
    second = engine(log=log)
    assert first.log.counts() == {"decision": 120, "feedback": 120, "outcome": 120}
    assert first._knowledge.replica.fold.feedback == 120
    for left, right in zip(state(first), state(second), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-8)
    first.close()
    second.close()


def test_feedback_of_another_worker_is_seen_within_the_interval(tmp_path: File) -> None:
    log = f"sqlite:///{tmp_path / 'log.db'}"
    one, other = engine(log=log, sync_interval=0.0), engine(log=log, sync_interval=0.0)
    answer = one.run(QUESTIONS[0])
    other.feedback(answer, 1.0)
    one.decide(QUESTIONS[0])
    assert one._knowledge.replica.fold.feedback == 1
    one.close()
    other.close()


def test_several_sources_are_averaged_and_a_revision_takes_the_place_of_what_it_revises() -> None:
    made, right = engine(), engine()
    answer = made.run(QUESTIONS[0])
    for source, correct in (("judge", 1.0), ("human", 0.0), ("judge", 0.5)):
        made.feedback(answer, correct, source=source)
    made.sync()
    said = right.log
    for entry in made.log.since()[:2]:
        said.append(entry.event)
    right.feedback(answer, 0.25)
    right.sync()
    for left, expected in zip(state(made), state(right), strict=True):
        np.testing.assert_allclose(left, expected, atol=1e-12)


def test_configurations_that_cannot_serve_are_masked_with_the_reason() -> None:
    models = [Saying("small", 1e6), Saying("large", 1e9)]
    space = ConfigurationSpace.default(["small", "large"], [(1, 1, 1), (1, 4, 2)])
    made = UniScale(models, None, space, max_cost=1e8)
    decision = made.decide(QUESTIONS[0])
    assert decision.configuration == Configuration("small")
    reasons = {candidate.configuration: candidate.ineligibility for candidate in decision.explain().candidates}
    assert "needs a verifier" in reasons[Configuration("small", 1, 4, 2)]
    assert "more than max_cost=1e+08" in reasons[Configuration("large")]
    with pytest.raises(ConfigurationError, match="no configuration can serve this request: it is expected to cost"):
        UniScale(models, None, ConfigurationSpace([Configuration("large")]), max_cost=1.0).decide(QUESTIONS[0])


def test_a_mean_budget_goes_where_it_brings_most() -> None:
    free = engine(mode=[1, 0, 0])
    small, large = (expected_cost(free.models[model], Configuration(model), H100, free.verifier) for model in ("small", "large"))
    budget = float(small + 0.4 * (large - small))
    made = engine(mode=[1, 0, 0], mean_budget=budget)
    spent, chosen = [], {question: list[str]() for question in QUESTIONS}
    for turn in range(300):
        question = QUESTIONS[turn % 2]
        answer = made.run(question)
        # Both models know the one question, only the large one the other.
        made.feedback(answer, float(question == QUESTIONS[0] or answer.configuration.model == "large"))
        spent.append(answer.ledger.eflops)
        chosen[question].append(answer.configuration.model)
    assert np.mean(spent) < budget + 10 * budget / len(spent)
    assert chosen[QUESTIONS[1]][-100:].count("large") > 60
    assert chosen[QUESTIONS[0]][-100:].count("large") < 20


def test_what_a_mean_budget_has_not_left_is_masked_with_the_reason() -> None:
    made = engine(mode=[1, 0, 0], mean_budget=1.0)
    made.run(QUESTIONS[0])
    decision = made.decide(QUESTIONS[0])
    assert decision.configuration == Configuration("small"), "the cheapest is always left"
    [large] = [each for each in decision.explain().candidates if each.configuration == Configuration("large")]
    assert "left of the mean budget" in large.ineligibility
    with pytest.raises(ConfigurationError, match="a budget per request must be a finite number above 0"):
        engine(mean_budget=0.0)


def test_what_cannot_be_is_refused() -> None:
    small = Saying("small", 1e6)
    with pytest.raises(ConfigurationError, match="needs at least one model"):
        UniScale([])
    with pytest.raises(ConfigurationError, match="two models are named 'small'"):
        UniScale([small, small])
    with pytest.raises(ConfigurationError, match=r"the space has \(other,1,1,1\), but the models are small"):
        UniScale([small], Half(), ConfigurationSpace([Configuration("other")]))
    with pytest.raises(ConfigurationError, match="no mode 'cheap'"):
        UniScale([small], Half(), mode="cheap")
    with pytest.raises(ConfigurationError, match="max_cost must be a number above 0"):
        UniScale([small], Half(), max_cost=0.0)
    made = engine()
    with pytest.raises(ConfigurationError, match="the question is empty"):
        made.run("  ")
    with pytest.raises(ConfigurationError, match="this answer belongs to no decision"):
        made.feedback(replace(made.run(QUESTIONS[0]), decision_id=None), 1.0)
    with pytest.raises(UnknownDecisionError, match="the log has no decision 'nobody'"):
        made.feedback("nobody", 1.0)
    with pytest.raises(ConfigurationError, match=r"correct must be a number in \[0, 1\]"):
        made.feedback(made.run(QUESTIONS[0]), 2.0)


def test_the_embedded_family_needs_nothing_but_its_name() -> None:
    made = UniScale(["uniscale-0.3m", "uniscale-1m"], settings=LearnerSettings())
    answer = made.run("What is 12 + 30 - 7?")
    assert answer.answer is not None
    assert answer.score is not None
    assert made.feedback(answer, answer.answer == "35")
    plain, searched = (made.space[0], made.space[-1])
    costs = [expected_cost(made.models[each.model], each, H100, made.verifier) for each in (plain, searched)]
    assert costs[0] < costs[1]


def test_a_snapshot_is_a_shortcut_and_nothing_else(tmp_path: File) -> None:
    log = f"sqlite:///{tmp_path / 'log.db'}"
    made = engine(log=log)
    answers = [made.run(QUESTIONS[turn % 2]) for turn in range(30)]
    for answer in answers[:20]:
        made.feedback(answer, float(answer.answer == "4"))
    made.snapshot()
    for answer in answers[10:]:
        made.feedback(answer, 0.5, source="another")
    made.sync()
    resumed, anew = engine(log=log), engine(log=log, sync_interval=5.0)
    assert resumed._knowledge.replica.fold.events == 20, "only what came after the snapshot"
    store(anew)._engine.dispose()
    with store(anew)._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM uniscale_snapshots")
    anew = engine(log=log)
    assert anew._knowledge.replica.fold.events == 100
    for other in (resumed, anew):
        for left, right in zip(state(other), state(made), strict=True):
            np.testing.assert_allclose(left, right, atol=1e-9)
    for each in (made, resumed, anew):
        each.close()


def test_a_snapshot_of_other_settings_is_not_taken(tmp_path: File) -> None:
    log = f"sqlite:///{tmp_path / 'log.db'}"
    made = engine(log=log)
    made.run(QUESTIONS[0])
    made.snapshot()
    assert engine(log=log, settings=LearnerSettings(alpha=0.1))._knowledge.replica.fold.events == 2
    assert engine(log=log)._knowledge.replica.fold.events == 0


def test_what_was_learned_of_answers_outlasts_a_change_of_prices(tmp_path: File) -> None:
    log = f"sqlite:///{tmp_path / 'log.db'}"
    made = engine(log=log)
    for turn in range(10):
        made.feedback(made.run(QUESTIONS[turn % 2]), float(turn % 3 > 0))
    made.snapshot()
    with store(made)._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM uniscale_events")
    dearer = UniScale([Saying("small", 2e6, "Answer: 4"), Saying("large", 2e9, "Answer: 5")], Half(), made.space, log=log)
    assert dearer._knowledge.replica.fold.events == 0
    before, after = made.decide(QUESTIONS[0]).assessment, dearer.decide(QUESTIONS[0]).assessment
    np.testing.assert_allclose(after.correct, before.correct, atol=1e-9)
    np.testing.assert_allclose(after.score, before.score, atol=1e-9)
    told = [engine._brain.estimates for engine in (made, dearer)]
    # By what factor costs differ from what was expected is known still.
    factors = [(costs - each.positions) * each.scale.span for costs, each in zip((before.cost, after.cost), told, strict=True)]
    np.testing.assert_allclose(factors[0], factors[1], atol=1e-9)
    as_large = Outcome("", 0.5, float(made._brain.estimates.costs[1]))
    assert dearer.reward(as_large, 1.0) > made.reward(as_large, 1.0), "the same cost is nearer to the cheap end now"


def test_a_poisoned_snapshot_is_refused_with_what_is_wrong(tmp_path: File) -> None:
    log = f"sqlite:///{tmp_path / 'log.db'}"
    made = engine(log=log)
    made.run(QUESTIONS[0])
    learned(made).components.correctness_head._stored[3, 4] = np.nan
    made.snapshot()
    with pytest.raises(StateError, match="A holds a value that is not finite in row 3; rebuild the state from its log"):
        engine(log=log)


def test_what_it_logged_itself_is_not_read_again_unless_others_wrote_in_between(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = f"sqlite:///{tmp_path / 'log.db'}"
    made, other = engine(log=log, sync_interval=60.0), engine(log=log)
    reads: list[Position] = []
    since = made.log.since

    def counted(position: Position) -> list[Entry]:
        reads.append(position)
        return since(position)

    monkeypatch.setattr(made.log, "since", counted)
    for _ in range(5):
        made.feedback(made.run(QUESTIONS[0]), 1.0)
    assert (reads, made._knowledge.replica.fold.events) == ([], 15)
    other.feedback(other.run(QUESTIONS[1]), 0.0)
    made.run(QUESTIONS[0])
    made.decide(QUESTIONS[0])
    assert reads
    assert made._knowledge.replica.fold.events == 21
    other.sync()
    for left, right in zip(state(made), state(other), strict=True):
        np.testing.assert_allclose(left, right, atol=1e-12)
    made.close()
    other.close()


def test_while_the_log_is_read_other_requests_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    made = engine(sync_interval=0.05)
    made.run(QUESTIONS[0])
    reading, may_go_on = Event(), Event()
    since = made.log.since

    def slow(position: Position) -> list[Entry]:
        reading.set()
        assert may_go_on.wait(20), "whoever was to let it go on was kept waiting by it"
        return since(position)

    monkeypatch.setattr(made.log, "since", slow)

    async def both() -> list[Answer]:
        await asyncio.sleep(0.1)
        first = asyncio.create_task(made.arun(QUESTIONS[0]))
        while not reading.is_set():
            await asyncio.sleep(0.001)
        second = await made.arun(QUESTIONS[1])
        may_go_on.set()
        return [await first, second]

    assert all(answer.decision_id for answer in asyncio.run(both()))


def test_a_log_that_cannot_be_read_does_not_cost_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    made = engine(sync_interval=0.0)

    def broken(position: Position) -> list[Entry]:
        raise LogError("cannot read the log")

    monkeypatch.setattr(made.log, "since", broken)
    answer = made.run(QUESTIONS[0])
    assert answer.answer is not None
    assert "decided without what others have logged of late: cannot read the log" in answer.warnings


def test_shared_feedback_counts_with_its_weight_and_is_revised_with_it(tmp_path: File) -> None:
    made = engine(log=f"sqlite:///{tmp_path / 'log.db'}", mode=[1, 0, 0])
    decisions = [made.decide(QUESTIONS[0]) for _ in range(2)]
    ids = [decision.id for decision in decisions]
    made.log.add_feedback(Feedback(ids[0], 1.0, "test", weight=0.25))
    made.log.add_feedback(Feedback(ids[1], 1.0, "test"))
    made.log.add_feedback(Feedback(ids[0], 0.5, "test", weight=0.25))
    made.sync()
    ridge = np.diag(made.state()["judged.ridge"])
    products, average = learned(made).components.products, made.state()["average"]
    expected, sums = ridge.copy(), np.zeros(len(ridge))
    for decision, correct, weight in zip(decisions, (0.5, 1.0), (0.25, 1.0), strict=True):
        centred = np.array(decision.features) - average
        centred[0] = 1.0
        row = products.features(list(made.space).index(decision.configuration), centred)
        prior = learned(made).components.prior[0, list(made.space).index(decision.configuration)]
        expected += weight * np.outer(row, row)
        sums += weight * (correct - prior) * row
    np.testing.assert_allclose(made.state()["judged.A"], expected, atol=1e-12)
    np.testing.assert_allclose(made.state()["judged.b"][0], sums, atol=1e-12)
    again = engine(log=f"sqlite:///{tmp_path / 'log.db'}", mode=[1, 0, 0])
    np.testing.assert_allclose(again.state()["judged.A"], expected, atol=1e-12)
    with pytest.raises(ConfigurationError, match="weight above 0"):
        Feedback("d", 1.0, weight=0.0)


def test_a_request_s_budget_masks_what_is_too_dear_as_long_as_anything_is_left() -> None:
    made = engine(shapes=((1, 1, 1), (4, 1, 1)), mode=[1, 0, 0])
    decision = made.decide(QUESTIONS[0], budget=Budget(eflops=5e6))
    assert decision.configuration.model == "small"
    masked = {str(each.configuration): each.ineligibility for each in decision.explain().candidates}
    assert masked["(large,1,1,1)"] == "it is expected to cost 1e+08, more than the request's 5e+06"
    assert made.decide(QUESTIONS[0], budget=Budget(eflops=1.0)).configuration in made.space
    assert made.decide(QUESTIONS[0], models=["large"]).configuration.model == "large"
    with pytest.raises(ConfigurationError, match="its model was not asked for"):
        made.decide(QUESTIONS[0], models=[])


def test_conversations_go_only_to_models_that_take_them() -> None:
    made = engine()
    several = Conversation((Turn("user", "Hi?"), Turn("assistant", "Hello."), Turn("user", QUESTIONS[0])))
    with pytest.raises(ConfigurationError, match="small takes single questions only"):
        made.decide(several)
    assert made.run(Conversation((Turn("user", QUESTIONS[0]),))).decision_id


def test_what_an_answer_earned() -> None:
    made = engine(mode=[0.5, 0.25, 0.25])
    answer = made.run(QUESTIONS[0], mode=[0, 0, 1])
    assert answer.configuration.model == "small"
    assert made.reward(answer, 1.0) == pytest.approx(0.5 + 0.25 * 0.5 + 0.25)
    [outcome] = [entry.event for entry in made.log.since() if isinstance(entry.event, Outcome)]
    assert made.reward(outcome, 1.0) == made.reward(answer, 1.0)
    assert made.reward(replace(outcome, score=None), 0.0, [0.5, 0.25, 0.25]) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"verifier": "agreemnt"}, "no verifier 'agreemnt': there are none, self-certainty, agreement"),
        ({"verifier": 3}, "a verifier must be one of"),
        ({"verifier": print}, "CallableVerifier takes a function"),
        ({"models": "uniscale-3m"}, "a list, got 'uniscale-3m'"),
    ],
)
def test_what_cannot_be_a_verifier_or_models_is_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UniScaleError, match=message):
        UniScale(**{"models": ["uniscale-0.3m"]} | settings)


def test_it_closes_its_log_at_the_end_of_a_block(tmp_path: File) -> None:
    with UniScale(["uniscale-0.3m"], log=f"sqlite:///{tmp_path / 'log.db'}") as engine:
        answer = engine.run("What is 2 + 3?")
        assert "uniscale-0.3m; 8 configurations, log sqlite:///" in repr(engine)
    with UniScale(["uniscale-0.3m"], log=f"sqlite:///{tmp_path / 'log.db'}") as engine:
        assert engine.feedback(answer.decision_id, 1.0)


class Weighing(InstantVerifier):
    """A verifier of this process, whose reading takes eFLOPs."""

    async def score(self, items: Sequence[tuple[Path, Candidate]]) -> list[tuple[tuple[float, ...] | None, Usage]]:
        return [((0.5,), Usage(compute=1e12)) for _ in items]


def test_dollars_are_counted_in_dollars_whatever_the_verifier_takes() -> None:
    models = generators([FakeListChatModel(responses=["Answer: 4"], name=name) for name in ("mini", "maxi")])
    names = [model if isinstance(model, str) else model.name for model in models]
    prices = dict(zip(names, ((0.25, 2.0), (2.5, 20.0)), strict=True))
    space = ConfigurationSpace.default(names, [(1, 1, 1)])
    made = UniScale(models, Weighing(), space, prices=prices, mean_budget=1e-4, mode="cost-sensitive")
    answers = [made.run(f"What is {number} + 2?") for number in range(30)]
    assert all(answer.ledger.eflops > 0 for answer in answers)
    assert all(0 < made.cost(answer) == answer.ledger.usd < 1e-3 for answer in answers)
    assert all(outcome.cost == answer.ledger.usd for outcome, answer in zip(outcomes(made), answers, strict=True))
    positions = {
        answer.configuration.model: outcome.extra["cost"] for outcome, answer in zip(outcomes(made), answers, strict=True)
    }
    assert positions[names[0]] < 1.0, "the cheaper model is not taken for the dearest there is"
    assert [each.configuration.model for each in answers[-10:]].count(names[0]) >= 8


def test_text_that_is_no_unicode_costs_nobody_anything() -> None:
    made = engine(store_queries=True, store_paths=True)

    asked = [f"{QUESTIONS[0]} {end}" for end in ("0", "1", "2", "\ud83d", "4", "5")]

    async def together() -> list[Answer]:
        return await asyncio.gather(*map(made.arun, asked))

    answers = asyncio.run(together())
    assert not any(answer.warnings for answer in answers)
    assert made.log.counts() == {"decision": 6, "outcome": 6}
    assert made.feedback(answers[3], 1.0, comment="half of a pair: \ud83d")
    assert made.decide("\ud83d and more").configuration in made.space
    with pytest.raises((UnknownDecisionError, LogError)):
        made.feedback("\ud83d", 1.0)


def test_an_open_log_is_its_owners_to_close() -> None:
    log = open_log("sqlite://")
    with UniScale([Saying("small", 1e6)], Half(), log=log) as made:
        made.run(QUESTIONS[0])
    assert log.counts() == {"decision": 1, "outcome": 1}


def test_models_come_and_go_and_prices_change_while_requests_go_on(tmp_path: File) -> None:
    made = engine(log=f"sqlite:///{tmp_path / 'log.db'}")
    for turn in range(12):
        made.feedback(made.run(QUESTIONS[turn % 2]), float(turn % 3 > 0))
    before, fold = made.state(), made._knowledge.replica.fold
    told = dict(zip(map(str, before["arms.configurations"]), before["told"].tolist(), strict=True))
    made.update(models=["small", "large", Model(Saying("third", 4e6, "Answer: 4"), successor_of="small")])
    assert list(made.models) == ["small", "large", "third"]
    assert {each.model for each in made.space} == {"small", "large", "third"}
    after = made.state()
    now = dict(zip(map(str, after["arms.configurations"]), after["told"].tolist(), strict=True))
    assert {name: now[name] for name in told} == told
    assert after["seen"] == before["seen"]
    made.feedback(made.run(QUESTIONS[0], models=["third"]), 1.0)
    assert made.state()["told"].sum() == sum(told.values()) + 1
    made.update(models=["large", "third"])
    assert {each.model for each in made.space} == {"large", "third"}
    assert made.run(QUESTIONS[0]).configuration.model in ("large", "third")
    assert made._knowledge.replica.fold is not fold
    with pytest.raises(ConfigurationError, match="the models are large, third"):
        made.update(prices={"small": (1.0, 2.0)})
    with pytest.raises(ConfigurationError, match="which counts its own cost in eFLOPs"):
        made.update(prices={"large": (1.0, 2.0)})
    with pytest.raises(ConfigurationError, match="an engine needs at least one model"):
        made.update(models=[])
    assert list(made.models) == ["large", "third"]


def test_a_request_under_way_ends_as_it_began(tmp_path: File) -> None:
    made = engine(log=f"sqlite:///{tmp_path / 'log.db'}")

    async def answered() -> Answer:
        running = asyncio.create_task(made.arun(QUESTIONS[0], models=["small"]))
        await asyncio.sleep(0)
        await asyncio.to_thread(made.update, models=["large"])
        return await running

    answer = asyncio.run(answered())
    assert answer.configuration.model == "small"
    assert made.feedback(answer, 1.0), "and may be judged, though nothing is learned of it any more"
    assert made.state()["told"].sum() == 0


def test_a_decision_says_what_decided_it_and_what_could_have_been_chosen(tmp_path: File) -> None:
    made = engine(log=f"sqlite:///{tmp_path / 'log.db'}", policy="random")
    taken = made.decide(QUESTIONS[0])
    assert taken.propensity == 1 / len(made.space)
    [logged] = decisions(made)
    assert logged.propensity == taken.propensity
    record = made.log.load_description(logged.extra["brain"])
    assert record is not None
    assert record["policy"] == {"source": "random", "settings": None}
    assert [tuple(each) for each in record["configurations"]] == [(each.model, *each.shape) for each in made.space]
    flags = np.unpackbits(np.frombuffer(bytes.fromhex(logged.extra["eligible"]), dtype=np.uint8))[: len(made.space)]
    assert flags.all()
    with pytest.warns(DeprecationWarning, match="Decision.width is now Decision.bonus"):
        assert taken.width == taken.bonus


def test_what_another_encoder_has_logged_is_read_by_the_names_of_its_features(tmp_path: File) -> None:
    class Lengths:
        name = "lengths"
        schema = FeatureSchema(("bias", "characters", "words"))

        def __call__(self, text: str) -> Array:
            return np.array([1.0, len(text) / 40, len(text.split()) / 8])

    class Renamed(Lengths):
        name = "lengths and lines"
        schema = FeatureSchema(("bias", "lines", "characters", "words"))

        def __call__(self, text: str) -> Array:
            bias, characters, words = super().__call__(text)
            return np.array([bias, text.count("\n"), characters, words])

    log = f"sqlite:///{tmp_path / 'log.db'}"
    one = engine(log=log, features=Lengths())
    for turn in range(12):
        one.feedback(one.run(QUESTIONS[turn % 2]), float(turn % 3 > 0))
    other = engine(log=log, features=Renamed())
    assert other.state()["told"].sum() == 12
    before, after = one.decide(QUESTIONS[0]), other.decide(QUESTIONS[0])
    np.testing.assert_allclose(after.assessment.correct, before.assessment.correct, atol=1e-9)


def test_an_evaluator_on_an_event_loop_does_not_hold_it_up_while_the_log_is_locked(tmp_path: File) -> None:
    log = f"sqlite:///{tmp_path / 'log.db'}"
    made = engine(log=log)
    answers = [made.run(QUESTIONS[0]) for _ in range(3)]
    gaps: list[float] = []

    async def beat() -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            gaps.append(time.monotonic() - before)
            before = time.monotonic()

    async def judged() -> list[bool]:
        beating = asyncio.create_task(beat())
        with sqlite3.connect(tmp_path / "log.db", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            running = [asyncio.create_task(made.afeedback(answer, 1.0)) for answer in answers]
            await asyncio.sleep(1.0)
            assert not any(task.done() for task in running)
            other.execute("ROLLBACK")
        new = await asyncio.gather(*running)
        beating.cancel()
        return new

    assert asyncio.run(judged()) == [True] * 3
    assert max(gaps) < 0.5, "a second passes while the log is locked"
    assert made.state()["told"].sum() == 3
    assert asyncio.run(made.afeedback(answers[0], 1.0)) is False
    with pytest.raises(UnknownDecisionError, match="no decision 'nobody'"):
        asyncio.run(made.afeedback("nobody", 1.0))


def test_observers_are_told_what_happens_and_change_nothing() -> None:
    seen: list[Event_] = []
    watched, alone = engine(observers=[seen.append], sampling=Sampling(seed=1)), engine(sampling=Sampling(seed=1))
    answer = watched.run(QUESTIONS[0])
    assert answer.text == alone.run(QUESTIONS[0]).text
    kinds = [type(event).__name__ for event in seen]
    assert (kinds[0], kinds[-2:]) == ("Decided", ["Logged", "Ended"])
    assert {"Sampled", "Scored"} <= set(kinds)
    assert {event.decision_id for event in seen if isinstance(event, (Sampled, Scored, Ended))} == {answer.decision_id}


def test_updates_at_once_come_one_after_the_other(tmp_path: File) -> None:
    made = engine(log=f"sqlite:///{tmp_path / 'log.db'}")

    def add(number: int) -> None:
        while True:
            present = list(made.models)
            made.update(models=[*present, Saying(f"new {number}", 4e6, "Answer: 4")])
            if f"new {number}" in made.models:
                return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))
    before = made.state()["seen"]
    made.feedback(made.run(QUESTIONS[0]), 1.0)
    assert made.state()["seen"] == before + 1
    assert made._brain.fold is made._knowledge.replica.fold, "what decides is what learns"


def test_an_update_that_is_refused_changes_nothing() -> None:
    given = as_generator(FakeListChatModel(responses=["4"]), name="priced")
    made = UniScale([given, as_generator(FakeListChatModel(responses=["5"]), name="other")], None)
    with pytest.raises(ConfigurationError, match="cannot be compared"):
        made.update(models=[Model(given, price=(1.0, 2.0)), "other"])
    assert getattr(given, "price", None) is None
    with pytest.raises(ConfigurationError, match="new is to succeed 'old', but the models are"):
        made.update(models=["priced", Model(as_generator(FakeListChatModel(responses=["5"]), name="new"), successor_of="old")])
    limited = UniScale([given], None, max_cost=1e30)
    with pytest.raises(ConfigurationError, match="costs would be counted in dollars, but max_cost or mean_budget is in eFLOPs"):
        limited.update(prices={"priced": (1.0, 2.0)})
    assert not limited.in_dollars


def test_an_observer_that_writes_on_what_it_is_shown_changes_nothing() -> None:
    def meddle(event: Event_) -> None:
        if isinstance(event, Decided_):
            event.decision.assessment.eligible[:] = False
        elif isinstance(event, Sampled):
            for candidate in event.candidates:
                candidate.steps = ("Answer: 666",)
            raise asyncio.CancelledError

    meddled, alone = (engine(observers=observers, sampling=Sampling(seed=1)) for observers in ([meddle], []))
    assert meddled.run(QUESTIONS[0]).text == alone.run(QUESTIONS[0]).text
    [logged] = decisions(meddled)
    assert logged.extra["eligible"] == decisions(alone)[0].extra["eligible"]


def test_who_starts_anew_goes_on_from_where_an_update_has_left_it(tmp_path: File) -> None:
    log = f"sqlite:///{tmp_path / 'log.db'}"
    made = engine(log=log)
    for turn in range(30):
        made.feedback(made.run(QUESTIONS[turn % 2]), float(turn % 3 > 0))
    heir = Saying("heir", 2e6, "Answer: 4")
    made.update(models=["large", Model(heir, successor_of="small")])
    anew = UniScale([made.models["large"], heir], Half(), made.space, log=log)
    before, after = made.decide(QUESTIONS[0]).assessment, anew.decide(QUESTIONS[0]).assessment
    np.testing.assert_allclose(after.correct, before.correct, atol=1e-9)
