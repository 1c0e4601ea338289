"""What is decided, logged and learned of single requests."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from tests.engine.two_models import QUESTIONS, engine
from tests.logged import decisions
from uniscale_integrations.engine.journal import Decision
from uniscale_integrations.errors import (
    LogError,
    UnknownDecisionError,
)
from uniscale_integrations.log.events import DecisionEvent as Decided
from uniscale_integrations.log.events import Outcome
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Weights
from uniscale_integrations.policy.schema import FeatureSchema
from uniscale_integrations.search.answer import Answer


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
    assert made.decide(QUESTIONS[0]).objective == Weights(1.0, 0.0, 0.0)


def test_a_decision_says_what_decided_it_and_what_could_have_been_chosen(log: str) -> None:
    made = engine(log=log, policy="random")
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


def test_what_an_answer_earned() -> None:
    made = engine(mode=[0.5, 0.25, 0.25])
    answer = made.run(QUESTIONS[0], mode=[0, 0, 1])
    assert answer.configuration.model == "small"
    assert made.reward(answer, 1.0) == pytest.approx(0.5 + 0.25 * 0.5 + 0.25)
    [outcome] = [entry.event for entry in made.log.since() if isinstance(entry.event, Outcome)]
    assert made.reward(outcome, 1.0) == made.reward(answer, 1.0)
    assert made.reward(replace(outcome, score=None), 0.0, [0.5, 0.25, 0.25]) == pytest.approx(1 / 3)


def test_it_can_be_asked_without_awaiting_inside_a_running_loop() -> None:
    made = engine()

    async def inside() -> str | None:
        return made.run(QUESTIONS[0]).answer

    assert asyncio.run(inside()) in ("4", "5")


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


def test_what_another_encoder_has_logged_is_read_by_the_names_of_its_features(log: str) -> None:
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

    one = engine(log=log, features=Lengths())
    for turn in range(12):
        one.feedback(one.run(QUESTIONS[turn % 2]), float(turn % 3 > 0))
    other = engine(log=log, features=Renamed())
    assert other.state()["told"].sum() == 12
    before, after = one.decide(QUESTIONS[0]), other.decide(QUESTIONS[0])
    np.testing.assert_allclose(after.assessment.correct, before.assessment.correct, atol=1e-9)
