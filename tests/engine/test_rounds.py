"""An engine that decides again once an answer was seen."""

from __future__ import annotations

import asyncio
import json
import pathlib
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.durability import difference
from benchmarks.instant import InstantVerifier
from tests.engine.two_models import QUESTIONS, Half, Saying
from tests.logged import decided, decisions, outcomes
from uniscale_integrations.cli.app import app
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.engine import UniScale
from uniscale_integrations.engine.continuation import reply_key
from uniscale_integrations.engine.recalibration import pairs
from uniscale_integrations.errors import BudgetError, ConfigurationError
from uniscale_integrations.log.events import DecisionEvent, new_id
from uniscale_integrations.log.lessons import later_id
from uniscale_integrations.log.log import open_log
from uniscale_integrations.policy.default_policy import LearnerSettings
from uniscale_integrations.policy.policy import Assessment, Choice
from uniscale_integrations.replay.logged import LoggedDecisions
from uniscale_integrations.report.collect import page_data
from uniscale_integrations.rounds.policy import DecidesAgain
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.search.paths import Candidate, Expansion, Path
from uniscale_integrations.space import ConfigurationSpace
from uniscale_integrations.telemetry import Concluded, Decided, Ended, Event, Scored

SMALL, LARGE = 1e6, 1e8


class Knowing(InstantVerifier):
    """A verifier that finds "Answer: 5" right and everything else wrong."""

    name = "knowing"

    async def score(self, items: Sequence[tuple[Path, Candidate]]) -> list[tuple[tuple[float, ...] | None, Usage]]:
        return [((0.98 if "5" in candidate.steps[0] else 0.05,), NOTHING) for _, candidate in items]


class Doubting(DecidesAgain):
    """Begins with the small model, and asks the large one where the score is low."""

    def choose(self, assessment: Assessment, rng: np.random.Generator) -> Choice:
        stop = len(self.arms)
        if len(assessment.eligible) == stop:
            return Choice(0 if assessment.eligible[0] else 1)
        return Choice(1 if assessment.score[stop] < 0.5 and assessment.eligible[1] else stop)


def engine(
    small: Saying | None = None,
    large: Saying | None = None,
    *,
    rounds: int | None = 2,
    log: object = "sqlite://",
    **changes: object,
) -> UniScale:
    models = [small or Saying("small", SMALL, "Answer: 4"), large or Saying("large", LARGE, "Answer: 5")]
    space = ConfigurationSpace.default(["small", "large"], [(1, 1, 1)])
    settings = {"verifier": Knowing(), "space": space, "mode": "quality-first", "log": log, "policy": Doubting} | changes
    return UniScale(models, rounds=rounds, **settings)  # type: ignore[arg-type]


def models_of(answer: Answer) -> list[str]:
    return [each.configuration.model for each in answer.rounds]


def test_it_goes_on_where_an_answer_is_doubtful_and_counts_all_that_was_spent() -> None:
    made = engine()
    answer = made.run(QUESTIONS[0])
    first, second = answer.rounds
    assert (first.configuration.model, first.score, first.kept) == ("small", 0.05, False)
    assert (second.configuration.model, second.score, second.kept) == ("large", 0.98, True)
    assert answer.text == "Answer: 5"
    assert answer.decision_id == second.decision_id
    assert answer.ledger.eflops == pytest.approx(first.eflops + second.eflops)
    assert len({path.key for path in answer.paths}) == len(answer.paths) == 2
    assert made.cost(answer) == pytest.approx(SMALL + LARGE, rel=0.01)


def test_rounds_are_decisions_of_one_request_in_the_log() -> None:
    made = engine()
    made.run(QUESTIONS[0])
    last, kept = decisions(made)[-2:]
    assert (last.request_id, last.round, kept.round) == (kept.request_id, 0, 1)
    assert kept.decision_id == f"{last.decision_id}-1"
    first, second = outcomes(made)[-2:]
    assert (first.extra["rounds"]["over"], second.extra["rounds"]["over"], second.extra["rounds"]["kept"]) == (False, True, 1)


@pytest.mark.parametrize("place", [0, 1])
def test_a_judgement_of_any_of_them_is_of_the_answer(place: int) -> None:
    made, other = engine(), engine()
    for each, at in ((made, place), (other, 1)):
        answer = each.run(QUESTIONS[0])
        assert each.feedback(answer.rounds[at].decision_id, 1.0)
        # A second one by the same source says nothing new.
        each.feedback(answer.rounds[1 - at].decision_id, 1.0)
    for name, array in made.state().items():
        if array.dtype.kind == "f":
            np.testing.assert_allclose(array, other.state()[name], rtol=1e-9, err_msg=name)


def test_whoever_reads_the_log_learns_the_same() -> None:
    log = open_log("sqlite://")
    made = engine(log=log)
    for number in range(12):
        answer = made.run(f"What is {number} + 2?")
        if number % 3:
            made.feedback(answer, float(number % 2))
    anew = engine(log=log)
    for name, array in made.state().items():
        if array.dtype.kind == "f":
            np.testing.assert_allclose(array, anew.state()[name], atol=1e-9, err_msg=name)


def test_a_model_that_fails_in_the_second_round_costs_nobody_the_first_answer() -> None:
    made = engine(large=Saying("large", LARGE, fails=True))
    answer = made.run(QUESTIONS[0])
    assert (answer.text, models_of(answer)) == ("Answer: 4", ["small", "large"])
    assert [bool(each.failed) for each in answer.rounds] == [False, True]
    assert any("out of order" in note for note in answer.warnings)
    assert made.feedback(answer, 0.0)
    assert outcomes(made)[-1].extra["rounds"]["kept"] == 0


def test_a_budget_binds_the_whole_request() -> None:
    made = engine()
    assert models_of(made.run(QUESTIONS[0])) == ["small", "large"]
    assert models_of(made.run(QUESTIONS[0], budget=Budget(eflops=LARGE))) == ["small"]
    assert models_of(made.run(QUESTIONS[0], budget=Budget(eflops=1.2 * LARGE))) == ["small", "large"]
    most = engine(max_cost=LARGE)
    assert models_of(most.run(QUESTIONS[0])) == ["small"]


def test_a_mean_budget_counts_all_rounds_and_comes_in_once_a_request() -> None:
    budget = 0.4 * LARGE
    made = engine(policy="linucb", mode=[1, 0, 0], mean_budget=budget)
    spent = []
    for turn in range(200):
        answer = made.run(QUESTIONS[turn % 2])
        made.feedback(answer, float("5" in answer.text))
        spent.append(answer.ledger.eflops)
    assert np.mean(spent) < budget + 10 * budget / len(spent)
    assert np.mean(spent[-100:]) > 0.5 * budget


def test_what_a_request_may_cost_is_what_its_first_attempt_does() -> None:
    made = engine(policy="linucb")
    candidates = made.decide(QUESTIONS[0], budget=Budget(eflops=LARGE / 2)).explain().candidates
    reasons = {each.configuration.model: each.ineligibility for each in candidates}
    assert reasons == {"small": "", "large": "it is expected to cost 1e+08, more than the request's 5e+07"}
    assert made.run(QUESTIONS[0], budget=Budget(eflops=1.01 * LARGE)).rounds


def test_nothing_is_begun_once_the_deadline_has_passed() -> None:
    def dawdle(event: Event) -> None:
        if isinstance(event, Scored):
            time.sleep(0.6)

    made = engine(observers=[dawdle])
    assert models_of(made.run(QUESTIONS[0], budget=Budget(seconds=0.5))) == ["small"]
    assert models_of(made.run(QUESTIONS[0], budget=Budget(seconds=30.0))) == ["small", "large"]


def test_a_call_says_how_many_rounds_it_has() -> None:
    made = engine()
    assert models_of(made.run(QUESTIONS[0], rounds=1)) == ["small"]
    assert models_of(made.run(QUESTIONS[0], rounds=3)) == ["small", "large"]
    with pytest.raises(ConfigurationError, match="at least 1, got 0"):
        made.run(QUESTIONS[0], rounds=0)
    once = engine(rounds=1, policy="linucb")
    assert once.run(QUESTIONS[0]).rounds == ()
    with pytest.raises(ConfigurationError, match="make the engine with rounds=2"):
        once.run(QUESTIONS[0], rounds=2)


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ({}, 2),
        ({"rounds": 3}, 3),
        ({"rounds": 1}, 1),
        ({"verifier": "agreement"}, 1),
        ({"verifier": None}, 1),
        ({"policy": "thompson"}, 1),
        ({"settings": LearnerSettings(alpha=0.5)}, 1),
        ({"space": ConfigurationSpace.default(["small"], [(1, 1, 1)])}, 1),
    ],
)
def test_two_rounds_are_the_default_where_single_answers_are_scored_and_nothing_else_was_asked_for(
    changes: dict[str, object], most: int
) -> None:
    made = engine(**{"rounds": None, "policy": "linucb", "verifier": Half()} | changes)  # type: ignore[arg-type]
    asked = [max(1, len(made.run(f"What is {number} + 2?").rounds)) for number in range(6)]
    assert max(asked) <= most
    assert (max(asked) > 1) == (most > 1)


def test_a_call_that_streams_has_one_round_unless_somebody_says_otherwise() -> None:
    for rounds, most in ((None, 1), (2, 2)):
        made, shown = engine(rounds=rounds), list[object]()
        answer = asyncio.run(made.arun(Conversation((Turn("user", QUESTIONS[0]),), streaming=True), emit=shown.append))
        assert len(answer.rounds) == most


def test_settings_that_do_not_go_with_rounds_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="verifier"):
        engine(verifier=None, policy="linucb")
    with pytest.raises(ConfigurationError, match="'thompson'"):
        engine(policy="thompson")
    with pytest.raises(ConfigurationError, match="got 0"):
        engine(rounds=0)


def test_observers_are_told_why_it_stopped_or_went_on() -> None:
    seen: list[Event] = []
    made = engine(Saying("small", SMALL, "Answer: 5"), observers=[seen.append])
    made.run(QUESTIONS[0])
    conclusion = next(each.conclusion for each in seen if isinstance(each, Concluded))
    explained = conclusion.explain()
    assert explained.stopping is not None
    assert explained.stopping.chosen
    assert {each.configuration.model for each in explained.candidates} == {"small", "large"}
    first = next(each.decision for each in seen if isinstance(each, Decided))
    assert first.explain().stopping is None
    assert [each.decision_id for each in seen if isinstance(each, Ended)] == [decisions(made)[-1].decision_id]


def test_what_is_asked_again_is_explained_beside_stopping() -> None:
    seen: list[Event] = []
    engine(observers=[seen.append]).run(QUESTIONS[0])
    second = [each.decision for each in seen if isinstance(each, Decided)][1]
    explained = second.explain()
    assert explained.choice.configuration.model == "large"
    assert explained.stopping is not None
    assert not explained.stopping.chosen


def test_what_was_decided_on_and_run_elsewhere_is_learned_from() -> None:
    made = engine()
    before = made.state()["rounds.A"].copy()
    decision = made.decide(QUESTIONS[0])
    assert made.feedback(decision, 1.0)
    assert decided(made) == [decision.id]
    assert not np.array_equal(made.state()["rounds.A"], before)


def test_models_may_come_and_go() -> None:
    made = engine(policy="linucb")
    made.run(QUESTIONS[0])
    seen = int(made.state()["seen"])
    extra = Saying("huge", 1e9, "Answer: 5")
    made.update(models=["small", "large", extra])
    assert int(made.state()["seen"]) == seen
    assert made.run(QUESTIONS[0]).rounds
    made.update(models=["small", extra])
    assert made.run(QUESTIONS[1]).rounds


def test_one_half_is_all_it_hears() -> None:
    made = engine(verifier=Half(), policy="linucb")
    assert all(made.run(question).rounds for question in QUESTIONS)


class Speechless(Saying):
    """A model whose answer is none."""

    async def expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        steps = () if self.says == "empty" else ("Let me think about",)
        nothing = Candidate(steps, True, Usage(compute=self.compute), payload=self.says, incomplete=self.says)
        return [[nothing] * expansion.count for expansion in expansions]


class Insisting(DecidesAgain):
    """Begins with the small model, and asks the large one whatever that has said."""

    def choose(self, assessment: Assessment, rng: np.random.Generator) -> Choice:
        return Choice(0 if len(assessment.eligible) == len(self.arms) else 1)


@pytest.mark.parametrize("why", ["empty", "length", "content_filter"])
@pytest.mark.parametrize("speechless", ["small", "large"])
def test_what_is_no_whole_answer_loses_to_any_that_is(speechless: str, why: str) -> None:
    nothing: dict[str, Any] = {speechless: Speechless(speechless, SMALL if speechless == "small" else LARGE, why)}
    log = open_log("sqlite://")
    made = engine(**nothing, policy=Insisting, log=log)
    for number in range(4):
        answer = made.run(f"What is {number} + 2?")
        assert [each.configuration.model for each in answer.rounds if each.kept] == [
            {"small": "large", "large": "small"}[speechless]
        ]
        assert [each.belief for each in answer.rounds if not each.kept] == [0.0]
        assert answer.text
        made.feedback(answer, 1.0)
    assert difference(made.state(), engine(**nothing, policy=Insisting, log=log).state()) < 1e-9


def test_a_conversation_goes_on_with_the_model_whose_answer_was_given() -> None:
    made = engine(large=Speechless("large", LARGE, "length"), policy=Insisting)
    answer = made.run(QUESTIONS[0])
    assert [each.configuration.model for each in answer.rounds] == ["small", "large"]
    [replied] = [each.extra["reply"] for each in outcomes(made) if "reply" in each.extra]
    assert replied == [reply_key([Turn("user", QUESTIONS[0])], answer.text), "small"]


class Repeating(Saying):
    """A model that says the same whenever it is asked the same, and knows."""

    def repeats(self, options: Mapping[str, Any]) -> bool:
        return options.get("temperature") is None


class Stubborn(DecidesAgain):
    """Asks the small model for as long as it may."""

    def choose(self, assessment: Assessment, rng: np.random.Generator) -> Choice:
        return Choice(0 if assessment.eligible[0] else len(self.arms))


def test_a_model_that_would_say_the_same_is_not_asked_the_same_again() -> None:
    asked = Conversation((Turn("user", QUESTIONS[0]),), options={"temperature": 0.7})
    made = engine(Repeating("small", SMALL), policy=Stubborn)
    assert models_of(made.run(QUESTIONS[0])) == ["small"]
    assert models_of(made.run(asked)) == ["small", "small"]
    assert models_of(engine(policy=Stubborn).run(QUESTIONS[0])) == ["small", "small"]


class Stumbling(Saying):
    """A model that breaks off after having read and said ten tokens each."""

    async def expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        usage = Usage(prompt_tokens=10.0, completion_tokens=10.0, compute=self.compute)
        return [[Candidate((), False, usage, error="broke off")] * expansion.count for expansion in expansions]


class Counting(Saying):
    """A model whose answer takes ten tokens to read and ten to say, and which says so beforehand."""

    tokens = Usage(prompt_tokens=10.0, completion_tokens=10.0)

    def estimate(self, expansion: Expansion) -> Usage:
        return self.tokens.scaled(expansion.count)

    async def expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        usage = self.tokens._replace(compute=self.compute)
        return [[Candidate((self.says,), True, usage)] * expansion.count for expansion in expansions]


@pytest.mark.parametrize("rounds", [1, 2])
def test_what_a_failed_attempt_has_cost_is_part_of_what_the_answer_has(rounds: int) -> None:
    policy = {1: {"policy": "linucb", "mode": [0, 0, 1]}, 2: {}}[rounds]
    made = engine(Stumbling("small", SMALL), Counting("large", LARGE, "Answer: 5"), rounds=rounds, **policy)
    answer = made.run(QUESTIONS[0])
    assert answer.configuration.model == "large"
    assert answer.ledger.tokens == (20.0, 20.0)
    assert answer.ledger.eflops == pytest.approx(SMALL + LARGE)
    assert [each.eflops for each in answer.rounds] == ([] if rounds == 1 else pytest.approx([SMALL, LARGE]))
    assert [each.eflops for each in outcomes(made)] == pytest.approx([SMALL, LARGE])


def test_what_a_failed_attempt_has_cost_is_taken_off_the_budget() -> None:
    models = Stumbling("small", SMALL), Counting("large", LARGE, "Answer: 5")
    assert engine(*models).run(QUESTIONS[0], budget=Budget(tokens=40)).configuration.model == "large"
    with pytest.raises(BudgetError, match="tokens"):
        engine(*models).run(QUESTIONS[0], budget=Budget(tokens=39))


def test_nothing_further_is_begun_for_which_no_tokens_are_left() -> None:
    made = engine(Counting("small", SMALL), Counting("large", LARGE, "Answer: 5"))
    assert models_of(made.run(QUESTIONS[0], budget=Budget(tokens=40))) == ["small", "large"]
    answer = made.run(QUESTIONS[0], budget=Budget(tokens=39))
    assert models_of(answer) == ["small"]
    assert not any("failed" in note for note in answer.warnings)


def test_what_was_expected_of_a_decision_may_be_written_in_any_form() -> None:
    told, log = engine(), open_log("sqlite://")
    answer = told.run(QUESTIONS[0])
    told.feedback(answer, 1.0)
    events = [entry.event for entry in told.log.since()]
    for damage in (None, "much", [1.0], ["a", "b"], [float("nan"), 0.5], [10**400, 0.5], {"correct": 1.0}):
        first = new_id()
        for event in events:
            own = replace(event, decision_id=later_id(first, int("-" in event.decision_id)))
            log.append(replace(own, extra={**own.extra, "expected": damage}) if isinstance(own, DecisionEvent) else own)
    sums = engine(log=log).state()
    assert all(np.isfinite(each).all() for each in sums.values() if each.dtype.kind == "f")


@pytest.mark.parametrize("place", [0, 1])
def test_whoever_reads_a_judgement_of_any_attempt_takes_it_for_the_answer_s(place: int, tmp_path: pathlib.Path) -> None:
    address = f"sqlite:///{tmp_path / 'log.db'}"
    with closing(engine(log=address)) as made:
        for number in range(20):
            answer = made.run(f"What is {number} + 2?")
            made.feedback(answer.rounds[place].decision_id, 1.0)
            # So that there are two configurations to compare.
            made.feedback(made.run(f"What is {number} + 3?", rounds=1), 0.0)
        assert sorted({(each.score, each.correct) for each in pairs(made.log)}) == [(0.05, 0.0), (0.98, 1.0)]
        told = LoggedDecisions.read(made.log)
        assert told.correct[told.score > 0.5].tolist() == [1.0] * 20
        assert [each for each in told.correct[told.score < 0.5] if each == each] == [0.0] * 20
        page = page_data(made.log)["decisions"]
        assert {(score, right) for score, right in zip(page["score"], page["correct"], strict=True)} == {
            (0.05, None),
            (0.05, 0.0),
            (0.98, 1.0),
        }
    told_by = CliRunner().invoke(app, ["log", "info", address, "--json"])
    assert told_by.exit_code == 0, (told_by.output, told_by.exception)
    info = json.loads(told_by.stdout.splitlines()[-1])
    assert {each["configuration"]: (each["judged"], each["correct"]) for each in info["configurations"]} == {
        "(small,1,1,1)": (20, 0.0),
        "(large,1,1,1)": (20, 1.0),
    }
    assert info["feedback"]["answers"] == 40
