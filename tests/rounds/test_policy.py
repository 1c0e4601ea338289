"""What deciding again learns, keeps and hands on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.errors import StateError
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.default_policy import LinUCBPolicy
from uniscale_integrations.policy.objective import Objective, Value, weights
from uniscale_integrations.policy.policy import Context
from uniscale_integrations.policy.schema import FeatureSchema
from uniscale_integrations.rounds.attempt import Answered, Failed
from uniscale_integrations.rounds.context import RoundContext
from uniscale_integrations.rounds.episode import Episode, Limits
from uniscale_integrations.rounds.one_round import OneRound
from uniscale_integrations.rounds.policy import DecidesAgain
from uniscale_integrations.rounds.ports import LearnsFromRounds
from uniscale_integrations.rounds.trust import Trust
from uniscale_integrations.space import Configuration

ARMS = Arms.of(
    [Configuration(model, qp) for model in ("small", "large") for qp in (1, 4)],
    FeatureSchema(("bias", "length")),
    [0.0, 0.3, 0.7, 1.0],
    span=4.6,
)
EVERY = np.ones(4, dtype=bool)
SPEND = np.exp(ARMS.span * ARMS.costs)


def requests(count: int, seed: int = 0) -> list[Context]:
    rng = np.random.default_rng(seed)
    return [Context(np.array([1.0, rng.standard_normal()])) for _ in range(count)]


def answered_once(policy: LearnsFromRounds) -> RoundContext:
    """Let it answer one request, whose answer can still be judged."""
    episode: Episode[str] = Episode(policy, requests(1)[0], weights("balanced"), EVERY, ARMS.model_of, Limits(1))
    decision = episode.ask()
    assert decision is not None
    episode.tell(decision, Answered("", 0.4, 1.0))
    policy.ended("e", episode.context)
    return episode.context


def lived(policy: DecidesAgain, count: int, informative: bool = True, seed: int = 0) -> list[int]:
    """Let it answer so many requests; how many attempts each had. Small models are right on half of the questions, large ones on all."""
    rng, attempts = np.random.default_rng(seed), []
    for number, request in enumerate(requests(count, seed)):
        easy = rng.random() < 0.5
        episode: Episode[float] = Episode(policy, request, weights([0.7, 0.0, 0.3]), EVERY, ARMS.model_of)
        while (decision := episode.ask()) is not None:
            arm = decision.configuration
            right = arm > 1 or easy
            score = (0.9 if right else 0.1) if informative else float(rng.random())
            episode.withdraw([arm])
            episode.tell(decision, Answered(float(right), score, float(SPEND[arm])))
        policy.ended(str(number), episode.context)
        policy.feedback(str(number), episode.context, episode.result().answer)
        attempts.append(len(episode.context.attempts))
    return attempts


def test_scores_that_tell_are_followed_and_scores_that_do_not_are_not() -> None:
    told, noise = lived(DecidesAgain(ARMS), 400), lived(DecidesAgain(ARMS), 400, informative=False)
    assert np.mean(noise[200:]) < np.mean(told[200:])
    assert np.mean(noise[200:]) < 1.1


@given(st.integers(0, 30), st.integers(0, 5))
def test_a_state_that_was_read_back_decides_and_learns_the_same(count: int, seed: int) -> None:
    first, second = DecidesAgain(ARMS), DecidesAgain(ARMS)
    lived(first, count, seed=seed)
    second.load(first.state())
    assert lived(first, 10, seed=seed + 1) == lived(second, 10, seed=seed + 1)
    for name, array in first.state().items():
        if array.dtype.kind == "U":
            assert array.tolist() == second.state()[name].tolist()
        else:
            np.testing.assert_allclose(array, second.state()[name], rtol=1e-6, atol=1e-9)


def test_states_that_do_not_fit_are_refused_and_change_nothing() -> None:
    policy = DecidesAgain(ARMS)
    lived(policy, 20)
    before = policy.state()
    poisoned = policy.state() | {"average": np.array([1.0, np.nan])}
    for wrong in ({}, poisoned, {k: v for k, v in before.items() if not k.startswith("rounds.")}):
        with pytest.raises(StateError):
            policy.load(wrong)
    assert all(np.array_equal(before[name], array) for name, array in policy.state().items())


def test_what_was_learned_of_models_that_stay_is_kept_when_others_come_and_go() -> None:
    policy = DecidesAgain(ARMS)
    lived(policy, 60)
    more = Arms.of(
        [*ARMS.configurations, Configuration("huge"), Configuration("huge", 4)],
        FeatureSchema(("bias", "length")),
        [*ARMS.costs, 1.1, 1.3],
        span=4.6,
    )
    wider, back = DecidesAgain(more), DecidesAgain(ARMS)
    wider.load(policy.state())
    back.load(wider.state())
    (before, _), (between, _), (after, _) = (each.on_average() for each in (policy, wider, back))
    np.testing.assert_allclose(between[:2, :4], before[:2], atol=1e-6)
    np.testing.assert_allclose(after[:2], before[:2], atol=1e-6)
    for place, request in enumerate(requests(5, 3)):
        beliefs = [each.believe(request, place % 4, 0.3) for each in (policy, wider, back)]
        assert beliefs == pytest.approx([beliefs[0]] * 3, abs=1e-6)


def test_a_successor_begins_with_what_is_believed_of_its_predecessor() -> None:
    policy = DecidesAgain(ARMS)
    lived(policy, 60)
    heirs = Arms.of(
        [*ARMS.configurations[:2], Configuration("larger"), Configuration("larger", 4)],
        FeatureSchema(("bias", "length")),
        ARMS.costs,
        span=4.6,
        successors=(("larger", "large"),),
    )
    anew, unrelated = DecidesAgain(heirs), DecidesAgain(heirs)
    anew.load(policy.state())
    np.testing.assert_allclose(anew.on_average()[0][:2, 2:], policy.on_average()[0][:2, 2:], atol=0.05)
    assert unrelated.on_average()[0][0, 2] != pytest.approx(anew.on_average()[0][0, 2], abs=1e-3)


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.sampled_from([weights("balanced"), Value(points=5.0), weights([1, 0, 0])]))
def test_what_stopping_is_worth_is_computed(score: float, belief: float, objective: Objective) -> None:
    policy = DecidesAgain(ARMS)
    lived(policy, 30)
    episode: Episode[str] = Episode(policy, requests(1)[0], objective, EVERY, ARMS.model_of)
    decision = episode.ask()
    assert decision is not None
    episode.tell(decision, Answered("", score, 2.5))
    context = episode.context
    assert context.objective is not None
    assessment = policy.assess(context, context.objective, EVERY)
    kept = context.kept
    assert kept is not None
    stop = assessment.of(4)
    assert (stop.correct, stop.score, stop.spend) == (kept.belief, score, 2.5)
    assert assessment.reward[4] == pytest.approx(context.objective.earned(kept.belief, score, stop.cost, 2.5), abs=1e-9)
    assert assessment.spend is not None
    assert (assessment.spend[:4] > 2.5).all()


def test_judging_anew_is_as_if_it_had_been_said_at_first() -> None:
    first, second = DecidesAgain(ARMS), DecidesAgain(ARMS)
    for policy in (first, second):
        context = answered_once(policy)
    first.feedback("e", context, 0.0)
    first.feedback("e", context, 1.0, previous=0.0)
    second.feedback("e", context, 1.0)
    for name, array in first.state().items():
        if array.dtype.kind != "U":
            np.testing.assert_allclose(array, second.state()[name], atol=1e-12)


@given(st.floats(0.05, 0.9), st.floats(0.05, 0.9), st.floats(0.0, 1.0))
def test_more_weight_of_a_judgement_is_as_if_it_had_had_that_at_first(weight: float, more: float, correct: float) -> None:
    for make in (lambda: DecidesAgain(ARMS), lambda: OneRound(LinUCBPolicy(ARMS), ARMS)):
        first: LearnsFromRounds = make()
        second: LearnsFromRounds = make()
        for policy in (first, second):
            context = answered_once(policy)
        first.feedback("e", context, correct, weight)
        first.feedback("e", context, correct, more, previous=correct)
        second.feedback("e", context, correct, weight + more)
        for name, array in first.state().items():
            # How often a matrix was changed, and how surprising the judgement was with the weight that it came with, are not the same.
            if array.dtype.kind != "U" and not name.endswith("settings") and name != "sums":
                np.testing.assert_allclose(array, second.state()[name], atol=1e-12, err_msg=name)


def test_an_episode_that_failed_altogether_teaches_nothing_but_the_question() -> None:
    policy = DecidesAgain(ARMS)
    episode: Episode[str] = Episode(policy, requests(1)[0], weights("balanced"), EVERY, ARMS.model_of)
    while (decision := episode.ask()) is not None:
        episode.tell(decision, Failed(TimeoutError(), 1.0))
    policy.ended("e", episode.context)
    policy.feedback("e", episode.context, 1.0)
    assert int(policy.state()["seen"]) == 1
    assert not policy.state()["rounds.b"].any()


@given(st.integers(0, 3), st.floats(0.0, 1.0), st.floats(-3.0, 3.0))
def test_trust_lies_between_0_and_1_and_rises_with_what_was_right(action: int, score: float, length: float) -> None:
    query, trust = np.array([1.0, length]), Trust(ARMS, np.full(4, 0.85))
    before = trust(action, query, score)
    trust.observe(action, query, score, 1.0)
    after = trust(action, query, score)
    assert 0.0 <= before <= after <= 1.0


def test_one_verifiers_scores_say_nothing_of_anothers() -> None:
    policy = DecidesAgain(ARMS)
    request = requests(1)[0]
    before = policy.believe(request, 0, 0.9, "judge")
    episode: Episode[str] = Episode(policy, request, weights("balanced"), EVERY, ARMS.model_of, Limits(1))
    decision = episode.ask()
    assert decision is not None
    episode.tell(decision, Answered("", 0.9, 1.0, verifier="rules"))
    for _ in range(20):
        policy.feedback("e", episode.context, 0.0)
    assert policy.believe(request, 0, 0.9, "rules") < before
    assert policy.believe(request, 0, 0.9, "judge") == before
