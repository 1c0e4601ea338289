"""Amounts are learned and prices applied."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.default_policy import LinUCBPolicy
from uniscale_integrations.policy.objective import Value
from uniscale_integrations.policy.policy import Context, Observation
from uniscale_integrations.policy.rates import Rates
from uniscale_integrations.policy.schema import FeatureSchema
from uniscale_integrations.space import Configuration

SPACE = [Configuration("mini"), Configuration("mini", 4), Configuration("maxi"), Configuration("maxi", 4)]
SCHEMA = FeatureSchema(("bias", "length", "code"), frozenset(("code",)))
PRICES = {"mini": (0.25, 2.0), "maxi": (1.25, 10.0)}
EVERY = np.ones(4, dtype=bool)


def policy(prices: dict[str, tuple[float, float]] = PRICES) -> LinUCBPolicy:
    rates = Rates.of_tokens([each.qp for each in SPACE], [prices[each.model] for each in SPACE])
    return LinUCBPolicy(Arms.of(SPACE, SCHEMA, np.zeros(4), rates=rates))


def context(code: float = 0.0, tokens: float = 1000.0) -> Context:
    return Context(np.array([1.0, 0.3, code]), input_tokens=tokens)


def spend(learner: LinUCBPolicy, code: float = 0.0, tokens: float = 1000.0) -> list[float]:
    found = learner.assess(context(code, tokens), Value(right=0.01), EVERY).spend
    assert found is not None
    return [float(each) for each in found]


def answer(learner: LinUCBPolicy, arm: int, output: float, read: float = 1000.0, code: float = 0.0, times: int = 60) -> None:
    for number in range(times):
        name = f"{arm} {code} {number}"
        learner.decided(name, arm, context(code))
        learner.outcome(name, arm, context(code), Observation(None, 0.5, output, read))


def test_before_anything_was_seen_a_hundred_tokens_are_expected() -> None:
    found = spend(policy())
    assert found[0] == pytest.approx((1000 * 0.25 + 100 * 2.0) / 1e6, rel=0.05)
    assert found[1] == pytest.approx(4 * found[0])
    assert found[2] == pytest.approx(5 * found[0])


@given(st.integers(0, 3), st.floats(1.0, 4000.0), st.floats(-1.0, 1.0))
def test_what_sets_a_model_apart_on_a_kind_of_question_is_no_part_of_the_steady_cost(
    arm: int, output: float, code: float
) -> None:
    learner = policy()
    answer(learner, arm, output, code=1.0, times=5)
    query = np.array([1.0, 0.3, code])
    found, steady = learner.amounts.spend_and_steady(query, context())
    np.testing.assert_array_equal(found, learner.amounts.spend(query, context()))
    average = learner.amounts.spend(np.array([1.0, 0.0, 0.0]), Context(query, input_tokens=0.0))
    common = learner.amounts.spend_and_steady(query, Context(query, input_tokens=0.0))[1]
    np.testing.assert_allclose(common / average, np.full(4, common[0] / average[0]), rtol=1e-9)
    assert (steady > 0).all()


def test_how_long_answers_are_is_learned_for_all_models_and_each() -> None:
    learner = policy()
    answer(learner, 0, 400.0)
    found = spend(learner)
    assert found[0] == pytest.approx((1000 * 0.25 + 400 * 2.0) / 1e6, rel=0.15)
    assert found[2] > 1.5 * spend(policy())[2], "the other model is expected to answer at more length too"
    answer(learner, 2, 2000.0)
    assert spend(learner)[2] == pytest.approx((1000 * 1.25 + 2000 * 10.0) / 1e6, rel=0.25)


def test_kinds_of_questions_have_answers_of_their_own_length() -> None:
    learner = policy()
    for _ in range(2):
        answer(learner, 0, 50.0, code=0.0, times=80)
        answer(learner, 0, 800.0, code=1.0, times=80)
    short, long = spend(learner, 0.0)[0], spend(learner, 1.0)[0]
    assert short < 0.6 * (1000 * 0.25 + 800 * 2.0) / 1e6 < long


def test_a_longer_prompt_costs_more_at_once() -> None:
    learner = policy()
    assert spend(learner, tokens=4000.0)[0] - spend(learner)[0] == pytest.approx(3000 * 0.25 / 1e6)


def test_a_provider_that_counts_otherwise_is_noticed() -> None:
    learner = policy()
    answer(learner, 0, 100.0, read=1500.0)
    assert spend(learner)[0] == pytest.approx((1500 * 0.25 + 100 * 2.0) / 1e6, rel=0.1)


@given(st.floats(0.1, 10.0), st.floats(0.1, 10.0))
@settings(max_examples=20, deadline=None)
def test_a_price_that_changes_changes_what_is_expected_at_once_and_nothing_that_was_learned(read: float, sampled: float) -> None:
    before = policy()
    answer(before, 0, 400.0)
    answer(before, 3, 1200.0, read=4000.0)
    dearer = policy({"mini": (0.25 * read, 2.0 * sampled), "maxi": (1.25 * read, 10.0 * sampled)})
    dearer.load(before.state())
    # What is read and what is sampled is the same: costs are linear in the two prices.
    only_read, only_sampled = (
        policy({name: (first * one, second * other) for name, (first, second) in PRICES.items()})
        for one, other in ((1, 0), (0, 1))
    )
    for each in (only_read, only_sampled):
        each.load(before.state())
    expected = read * np.array(spend(only_read)) + sampled * np.array(spend(only_sampled))
    np.testing.assert_allclose(spend(dearer), expected, rtol=1e-6)


def test_a_model_that_comes_is_expected_to_answer_as_the_others_do() -> None:
    before = LinUCBPolicy(
        Arms.of(SPACE[:2], SCHEMA, np.zeros(2), rates=Rates.of_tokens([1, 4], [PRICES["mini"], PRICES["mini"]]))
    )
    for number in range(60):
        before.decided(str(number), 0, context())
        before.outcome(str(number), 0, context(), Observation(None, 0.5, 600.0, 1000.0))
    after = policy()
    after.load(before.state())
    assert spend(after)[0] == pytest.approx((1000 * 0.25 + 600 * 2.0) / 1e6, rel=0.2)
    assert spend(after)[2] > 2.0 * spend(policy())[2]


def test_what_a_conversation_saves_is_taken_off() -> None:
    learner = policy()
    saved = replace(context(), extra_costs=np.array([-1e-4, 0.0, 0.0, -1.0]))
    found = learner.assess(saved, Value(right=0.01), EVERY).spend
    assert found is not None
    plain = spend(learner)
    assert found.tolist() == pytest.approx([plain[0] - 1e-4, plain[1], plain[2], 0.1 * plain[3]])


def test_positions_are_on_an_open_scale_of_the_request() -> None:
    learner = policy()
    found = learner.assess(context(), Value(right=0.01), EVERY)
    assert found.spend is not None
    np.testing.assert_allclose(found.cost, np.log(found.spend / found.spend.min()) / np.log(100), atol=1e-9)
    only_dear = learner.assess(context(), Value(right=0.01), np.array([False, False, True, True]))
    assert only_dear.cost[2] == pytest.approx(0.0, abs=1e-9)
    assert only_dear.cost[0] < 0.0, "cheaper than the cheapest that may be chosen"


def test_rates_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="finite numbers of at least 0"):
        Rates.of_tokens([1.0], [(-1.0, 2.0)])
    with pytest.raises(ConfigurationError, match="do not fit rates"):
        Arms.of(SPACE, SCHEMA, np.zeros(4), rates=Rates.of_tokens([1.0], [(1.0, 2.0)]))
