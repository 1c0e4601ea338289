"""The policy over components: the paper's LinUCB where everything is observed, and what it does beyond."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniscale_integrations.errors import ConfigurationError, StateError
from uniscale_integrations.policy.actions import ActionFeatures
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.components import Components
from uniscale_integrations.policy.default_policy import CHEAP, DEAR, LearnerSettings, LinUCBPolicy
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.kinds import TextFeatures
from uniscale_integrations.policy.linucb import LinUCB
from uniscale_integrations.policy.objective import Weights, weights
from uniscale_integrations.policy.policy import Assessment, Context, Observation
from uniscale_integrations.policy.priors import Precisions
from uniscale_integrations.policy.product import Products
from uniscale_integrations.policy.rates import Rates
from uniscale_integrations.policy.schema import FeatureSchema
from uniscale_integrations.space import Configuration, ConfigurationSpace

UNIT = st.floats(0, 1)
SHORT, CODE = "Who won the cup in 1998?", "Write a function that sorts a list of strings by their length."


@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(2, 6),
    st.booleans(),
    st.integers(0, 60),
    st.tuples(UNIT, UNIT, UNIT),
    st.integers(0, 2**32),
)
@settings(max_examples=60)
def test_with_everything_observed_the_weighted_heads_are_the_scalar_linucb(
    m: int, n: int, arms: int, own: bool, count: int, numbers: tuple[float, float, float], seed: int
) -> None:
    if sum(numbers) < 1e-3:
        numbers = (1.0, 0.0, 0.0)
    rng, chosen = np.random.default_rng(seed), weights(numbers)
    products = Products(rng.standard_normal((arms, m)), n, own=own)
    prior, cost = rng.random((2, arms)), rng.random(arms)
    heads, scalar = Components(products, prior, 2.0, 0.99), LinUCB(products.dim, ridge=2.0, discount=0.99)
    # What is known beforehand, as costs are, is no matter of learning.
    centre = chosen.reward(prior[0], prior[1], cost)
    for _ in range(count):
        query, arm = rng.standard_normal(n), int(rng.integers(arms))
        correct, score = map(float, rng.random(2))
        heads.score(arm, query, score)
        heads.judge(arm, query, correct)
        scalar.update(products.features(arm, query), chosen.reward(correct, score, float(cost[arm])) - centre[arm])
    query = rng.standard_normal(n)
    expected_parts, (correctness_widths, score_widths) = heads.means(query), heads.widths(query)
    means = chosen.reward(expected_parts[0], expected_parts[1], cost)
    # Of what is not learned nothing is unknown: the widths are those of a reward of correctness and score alone.
    widths = (correctness_widths * chosen.correct + score_widths * chosen.score) / max(chosen.correct + chosen.score, 1e-300)
    rows = np.stack([products.features(arm, query) for arm in range(arms)])
    expected, spread = scalar.scores(rows)
    np.testing.assert_allclose(means, centre + expected, atol=1e-9)
    np.testing.assert_allclose(widths, spread, atol=1e-9)
    bonus = heads.bonus(query, (np.full(arms, chosen.correct), np.full(arms, chosen.score)))
    np.testing.assert_allclose(bonus, (chosen.correct + chosen.score) * spread, atol=1e-9)


def learner(space: ConfigurationSpace, costs: Array | None = None, scored: bool = True, **changes: object) -> LinUCBPolicy:
    positions = np.linspace(0, 1, len(space)) if costs is None else costs
    chosen = replace(LearnerSettings(), **changes)  # type: ignore[arg-type]
    return LinUCBPolicy(Arms.of(tuple(space), TextFeatures().schema, positions, scored=scored), chosen)


def asked(text: str) -> Context:
    return Context(TextFeatures()(text))


def assessed(policy: LinUCBPolicy, context: Context, weighting: Weights, eligible: Sequence[bool] | None = None) -> Assessment:
    return policy.assess(context, weighting, np.array(eligible if eligible is not None else [True] * len(policy.arms)))


def teach(policy: LinUCBPolicy, world: dict[str, list[float]], turns: int, weighting: Weights, seed: int = 0) -> list[int]:
    """Let it decide on the questions in turn; returns what it chose."""
    rng, chosen = np.random.default_rng(seed), []
    for turn in range(turns):
        text = list(world)[turn % len(world)]
        context, name = asked(text), f"{seed} {turn}"
        arm = assessed(policy, context, weighting).best
        policy.decided(name, arm, context)
        correct = float(rng.random() < world[text][arm])
        policy.outcome(name, arm, context, Observation(None, float(policy.arms.costs[arm])))
        policy.feedback(name, arm, context, correct)
        chosen.append(arm)
    return chosen


SPACE = ConfigurationSpace.default(["a", "b", "c"], [(1, 1, 1)])


def test_the_best_configuration_changes_with_the_question() -> None:
    policy = learner(SPACE, np.full(3, 0.5), scored=False)
    world = {SHORT: [0.9, 0.2, 0.5], CODE: [0.2, 0.9, 0.5]}
    chosen = teach(policy, world, 600, weights("quality-first"))
    assert np.mean(np.array(chosen[400::2]) == 0) > 0.8
    assert np.mean(np.array(chosen[401::2]) == 1) > 0.8


def test_a_first_arm_that_does_well_does_not_keep_the_others_from_being_tried() -> None:
    policy = learner(SPACE, np.full(3, 0.5), scored=False)
    assert teach(policy, {SHORT: [0.8, 0.8, 0.97]}, 400, weights("quality-first"))[-100:].count(2) > 90


def test_a_request_carries_its_own_weights_without_relearning() -> None:
    policy = learner(SPACE, scored=False)
    teach(policy, {SHORT: [0.5, 0.6, 0.95]}, 300, weights([1, 0, 0]))
    query = asked(SHORT)
    assert assessed(policy, query, weights([1, 0, 0])).best == 2
    assert assessed(policy, query, weights([0.01, 0, 0.99])).best == 0


def test_until_feedback_comes_the_score_stands_in() -> None:
    policy = learner(SPACE, np.full(3, 0.5))
    query = asked(SHORT)
    for _ in range(60):
        for arm, score in enumerate((0.2, 0.9, 0.4)):
            policy.outcome("a", arm, query, Observation(score, 0.5))
    assert assessed(policy, query, weights("balanced")).best == 1
    assert policy.components.feedback == 0


def test_an_answer_that_nothing_scored_leaves_the_score_as_it_is() -> None:
    policy = learner(SPACE)
    query = asked(SHORT)
    policy.outcome("a", 0, query, Observation(0.3, 0.1))
    before = assessed(policy, query, weights("balanced"))
    policy.outcome("a", 0, query, Observation(None, 0.7))
    after = assessed(policy, query, weights("balanced"))
    assert after.score[0] == pytest.approx(before.score[0], abs=1e-12)
    assert after.cost[0] > before.cost[0]


def test_what_is_not_eligible_is_not_chosen() -> None:
    policy = learner(SPACE)
    query = asked(SHORT)
    assert assessed(policy, query, weights("balanced"), [False, False, True]).best == 2
    with pytest.raises(ConfigurationError, match="no configuration can serve this request"):
        _ = assessed(policy, query, weights("balanced"), [False] * 3).best


def test_it_notices_when_the_models_change_and_finds_the_new_best() -> None:
    policy = learner(SPACE, np.full(3, 0.5), scored=False)
    teach(policy, {SHORT: [0.5, 0.9, 0.4]}, 700, weights("quality-first"))
    assert policy.changes == 0
    chosen = teach(policy, {SHORT: [0.9, 0.4, 0.5]}, 400, weights("quality-first"), seed=1)
    assert policy.changes >= 1
    assert chosen[300:].count(0) > 90


def test_searches_of_several_models_have_a_level_of_their_own_beside_their_model_and_amounts() -> None:
    space = ConfigurationSpace.default(["a", "b"], [(1, 1, 1), (2, 1, 1), (1, 4, 2)])
    policy = learner(space, np.full(6, 0.5), scored=False)
    # Good only together: neither the model nor the search by itself tells.
    chosen = teach(policy, {SHORT: [0.5, 0.5, 0.2, 0.2, 0.2, 0.95]}, 900, weights("quality-first"))
    assert chosen[-200:].count(5) > 170


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"3 configurations do not fit features \(3, 4\) with 4 names, costs \(2,\)"):
        Arms.of(tuple(SPACE), TextFeatures().schema, np.zeros(2))
    with pytest.raises(ConfigurationError, match="features need names, each its own"):
        FeatureSchema(("bias", "bias"))


def test_precisions_are_by_kind_of_coefficient() -> None:
    found = Precisions().diagonal(np.array([False, True, False]), np.array([False, True]), own=2)
    assert found.tolist() == [100, 150, 60, 60, 1000, 50, 16, 1000, 50, 30, 30]


def test_what_was_never_tried_is_hoped_for_less_after_others_have_disappointed() -> None:
    def hope(common: float) -> float:
        policy = learner(SPACE, np.full(3, 0.5), scored=False, precisions=Precisions(common=common))
        query = asked(SHORT)
        for number in range(200):
            policy.feedback("a", 0, query, float(number % 4 == 0))
        return float(assessed(policy, query, weights([1, 0, 0])).correct[2])

    assert 0.25 < hope(4.0) < hope(16.0) < hope(64.0) < hope(1e9) < 0.86


def test_more_is_hoped_for_with_more_search() -> None:
    space = ConfigurationSpace([Configuration("a"), Configuration("b", 4), Configuration("c", 512)])
    made = learner(space, np.zeros(3), optimism=0.8, rise=0.05)
    assert made.components.prior.tolist() == [[0.8, 0.9, 1.0]] * 2


PRICES = {"huge": (30.0, 150.0), "large": (3.0, 15.0), "mini": (0.375, 1.875), "nano": (0.01, 0.01)}


def sold(
    prices: Mapping[str, tuple[float, float]], discount: float = 1.0, features: tuple[str, ...] = ("bias",)
) -> tuple[ConfigurationSpace, LinUCBPolicy]:
    """A policy over models with prices, alone and with four samples."""
    space = ConfigurationSpace.default(list(prices), [(1, 1, 1), (4, 1, 1)])
    rates = Rates.of_tokens([each.qp for each in space], [prices[each.model] for each in space])
    arms = Arms.of(list(space), FeatureSchema(features), np.zeros(len(space)), rates=rates)
    settings = LearnerSettings(optimism=0.8, rise=0.05, price=0.02, discount=discount, shared_blame=0.0)
    return space, LinUCBPolicy(arms, settings)


def test_less_is_hoped_for_of_models_that_are_sold_for_less() -> None:
    space, policy = sold(PRICES)
    hoped = assessed(policy, Context(np.ones(1)), weights([1, 0, 0]))
    hope = {(each.model, each.qp): value for each, value in zip(space, hoped.correct, strict=True)}
    assert hope["huge", 1] == hope["large", 1] == pytest.approx(0.8, abs=1e-3)
    assert hope["large", 1] - hope["mini", 1] == pytest.approx(0.06, abs=1e-3)
    assert hope["large", 1] - hope["nano", 1] == pytest.approx(0.02 * np.log2(DEAR / CHEAP), abs=1e-3)
    assert all(hope[name, 4] - hope[name, 1] == pytest.approx(0.1) for name in PRICES)
    assert hoped.score.tolist() == pytest.approx([0.8 + 0.05 * np.log2(each.qp) for each in space])


@pytest.mark.parametrize("discount", [1.0, 0.999])
def test_judgements_of_a_model_say_more_than_its_price(discount: float) -> None:
    space, policy = sold(PRICES, discount)
    query, nano = Context(np.ones(1)), space.index(Configuration("nano"))
    for number in range(1000):
        policy.feedback(str(number), nano, query, float(number % 10 > 0))
    assert assessed(policy, query, weights([1, 0, 0])).correct[nano] == pytest.approx(0.9, abs=0.01)


@given(judged=st.lists(st.tuples(st.integers(0, 7), st.sampled_from([0.0, 1.0]), st.floats(-1, 1)), max_size=40))
def test_what_was_judged_at_other_prices_is_believed_as_if_it_had_been_judged_at_these(
    judged: list[tuple[int, float, float]],
) -> None:
    _, then = sold(PRICES, features=("bias", "length"))
    _, now = sold(PRICES | {"nano": (3.0, 15.0), "large": (0.1, 0.4)}, features=("bias", "length"))
    query = Context(np.array([1.0, 0.3]))
    for policy in (then, now):
        for number, (action, correct, length) in enumerate(judged):
            policy.feedback(str(number), action, Context(np.array([1.0, length])), correct)
    expected = assessed(now, query, weights([1, 0, 0])).correct
    now.load(then.state())
    assert assessed(now, query, weights([1, 0, 0])).correct.tolist() == pytest.approx(expected.tolist(), abs=1e-9)


def test_what_is_hoped_for_by_price_is_what_ridge_regression_about_it_makes_of_judgements() -> None:
    space, policy = sold(PRICES, features=("bias", "length"))
    query, rng = Context(np.array([1.0, 0.3])), np.random.default_rng(0)
    hoped = assessed(policy, query, weights([1, 0, 0])).correct
    products, components = policy.components.products, policy.components
    rows, values = [], []
    for number in range(60):
        action, length, correct = int(rng.integers(len(space))), rng.uniform(-1, 1), float(rng.random() < 0.7)
        observed = np.array([1.0, length])
        policy.feedback(str(number), action, Context(observed), correct)
        rows.append(products.features(action, observed))
        values.append(correct - hoped[action])
    ridge = components.correctness_head.ridge
    theta = np.linalg.solve(np.diag(ridge) + np.array(rows).T @ rows, np.array(rows).T @ values)
    assert (hoped + products.means(theta, query.query)).tolist() == pytest.approx(components.means(query.query)[0].tolist())


def test_what_is_hoped_for_by_price_does_not_make_another_policy_of_it() -> None:
    assert learner(SPACE, price=0.0).name == learner(SPACE, price=0.1).name != learner(SPACE, rise=0.1).name


def test_what_nobody_sells_is_hoped_for_alike() -> None:
    made = learner(SPACE, np.array([0.0, 0.5, 1.0]))
    assert np.ptp(assessed(made, asked(SHORT), weights([1, 0, 0])).correct) == 0.0


def test_action_features_leave_out_what_is_the_same_for_all() -> None:
    features = ActionFeatures({"a": 1e6, "b": 1e8})
    assert features([Configuration("a"), Configuration("b")]).shape == (2, 1 + 1 + 2)
    assert features([Configuration("a", 1), Configuration("a", 4)]).shape == (2, 1 + 1 + 1)
    with pytest.raises(ConfigurationError, match="the size of model 'a' must be a finite number above 0"):
        ActionFeatures({"a": 0.0})([Configuration("a")])


def test_while_nothing_is_told_it_tries_them_all_and_not_the_first_again_and_again() -> None:
    policy, query = learner(SPACE, np.full(3, 0.5), scored=False), asked(SHORT)
    chosen = []
    for turn in range(30):
        chosen.append(assessed(policy, query, weights("quality-first")).best)
        policy.decided(str(turn), chosen[-1], query)
    assert sorted(chosen) == [arm for arm in range(3) for _ in range(10)]


def test_what_is_waited_for_says_nothing_of_a_configuration_that_is_known() -> None:
    policy, query = learner(SPACE, np.full(3, 0.5), scored=False), asked(SHORT)
    teach(policy, {SHORT: [0.3, 0.9, 0.4]}, 600, weights("quality-first"))
    before = assessed(policy, query, weights("quality-first")).correct
    for turn in range(100):
        policy.decided(f"late {turn}", 1, query)
    after = assessed(policy, query, weights("quality-first"))
    assert after.best == 1
    assert before[1] - 0.01 < after.correct[1] <= before[1]


def test_what_is_waited_for_of_a_model_is_waited_for_of_all_its_searches() -> None:
    space = ConfigurationSpace.default(["a", "b"], [(1, 1, 1), (2, 1, 1), (8, 1, 1)])
    policy, query = learner(space, np.full(len(space), 0.5), scored=False), asked(SHORT)
    for turn in range(40):
        policy.decided(str(turn), space.index(Configuration("a")), query)
    hope = policy.components.prior[0]
    drop = hope - assessed(policy, query, weights("quality-first")).correct
    own = np.array([each.model == "a" for each in space])
    assert np.ptp(drop[own]) < 1e-12 < drop[own].min()
    assert drop[~own].tolist() == pytest.approx([0.0] * 3)


def test_once_enough_is_waited_for_of_all_the_one_that_looks_best_is_asked() -> None:
    policy, query = learner(SPACE, np.array([0.0, 0.01, 0.02]), scored=False), asked(SHORT)
    chosen = []
    for turn in range(200):
        chosen.append(assessed(policy, query, weights("balanced")).best)
        policy.decided(str(turn), chosen[-1], query)
    assert min(np.bincount(chosen[:70], minlength=3)) >= 15
    assert set(chosen[70:]) == {0}


def test_a_state_goes_on_with_what_it_waits_for() -> None:
    policy, query = learner(SPACE, scored=False), asked(SHORT)
    teach(policy, {SHORT: [0.3, 0.9, 0.4], CODE: [0.8, 0.2, 0.4]}, 200, weights("balanced"))
    for turn in range(7):
        policy.decided(f"late {turn}", turn % 3, query)
    stored = learner(SPACE, scored=False)
    stored.load(policy.state())
    for each in (policy, stored):
        each.feedback("late 3", 0, query, 1.0)
    for name in ("correct", "score", "cost", "reward", "bonus"):
        found, expected = (getattr(assessed(each, query, weights("balanced")), name) for each in (stored, policy))
        np.testing.assert_allclose(found, expected, atol=1e-9)
    with pytest.raises(StateError, match="the state lacks seen"):
        stored.load({})
    with pytest.raises(StateError, match="the average question must be 30 finite numbers"):
        stored.load(policy.state() | {"average": np.zeros(3)})


def test_errors_where_little_is_known_are_no_sign_of_change() -> None:
    policy, context = learner(SPACE, np.full(3, 0.5), scored=False), asked(SHORT)
    for turn in range(5):
        # Each about a new kind of question, of which nothing is known yet.
        strange = Context(np.concatenate([[1.0], 6.0 * np.eye(len(context.query) - 1)[turn]]))
        policy.feedback(str(turn), 0, strange, 0.0)
    assert not policy.state()["sums"].any()
    for turn in range(40):
        policy.feedback(f"known {turn}", 0, context, float(turn % 2))
    assert policy.state()["sums"].any(), "where it is known, errors are added up"


def test_with_what_is_forgotten_its_count_is_forgotten_too() -> None:
    policy = learner(SPACE, np.full(3, 0.5), scored=False)
    teach(policy, {SHORT: [0.5, 0.9, 0.4]}, 700, weights("quality-first"))
    before = policy.state()["told"].sum()
    teach(policy, {SHORT: [0.9, 0.1, 0.5]}, 200, weights("quality-first"), seed=1)
    assert policy.changes >= 1
    assert policy.state()["told"].sum() < before / 2
    assert policy.state()["told"].sum() <= 200 + policy.settings.forget * before
