"""Baselines, the detector of change and the pacer of a budget."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniscale_integrations.errors import ConfigurationError, StateError
from uniscale_integrations.policy import baselines
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.baselines import Greedy, NearestNeighbours, Random
from uniscale_integrations.policy.budget_pacer import BudgetPacer
from uniscale_integrations.policy.change import ChangeDetector
from uniscale_integrations.policy.default_policy import LearnerSettings, LinUCBPolicy
from uniscale_integrations.policy.named import PolicySpec
from uniscale_integrations.policy.objective import weights
from uniscale_integrations.policy.policy import Choice, Context, Observation, Policy
from uniscale_integrations.policy.schema import FeatureSchema
from uniscale_integrations.policy.thompson import ThompsonSampling, greatest
from uniscale_integrations.space import Configuration

HERE, THERE = Context(np.array([1.0, 0.0])), Context(np.array([1.0, 9.0]))
RIGHT, WRONG = 1.0, 0.0
BALANCED = weights("balanced")


def arms(count: int, *, scored: bool = False) -> Arms:
    configurations = [Configuration(f"model {number}") for number in range(count)]
    return Arms.of(configurations, FeatureSchema(("bias", "place")), np.zeros(count), scored=scored)


def decide(policy: Policy, context: Context, name: str, rng: np.random.Generator | None = None) -> Choice:
    every = np.array([True] * len(policy.arms))  # type: ignore[attr-defined]  # baselines have them
    choice = policy.choose(policy.assess(context, BALANCED, every), rng or np.random.default_rng(0))
    policy.decided(name, choice.action, context)
    policy.outcome(name, choice.action, context, Observation(None, 0.0))
    return choice


def play(policy: Policy, world: dict[int, list[float]], turns: int, seed: int = 0) -> list[int]:
    chosen, rng = [], np.random.default_rng(seed)
    for turn in range(turns):
        context = (HERE, THERE)[turn % len(world)]
        arm = decide(policy, context, str(turn), rng).action
        policy.feedback(str(turn), arm, context, world[turn % len(world)][arm])
        chosen.append(arm)
    return chosen


def test_greedy_tries_each_once_and_keeps_to_the_best_mean() -> None:
    assert play(Greedy(arms(3)), {0: [WRONG, RIGHT, WRONG]}, 6) == [0, 1, 2, 1, 1, 1]


def test_nearest_neighbours_tell_questions_apart() -> None:
    policy = NearestNeighbours(arms(2), neighbours=3)
    chosen = play(policy, {0: [RIGHT, WRONG], 1: [WRONG, RIGHT]}, 400)
    assert np.mean([arm == turn % 2 for turn, arm in enumerate(chosen)][200:]) > 0.9


def test_chance_takes_every_configuration_and_the_same_with_the_same_seed() -> None:
    chosen = play(Random(arms(4)), {0: [WRONG] * 4}, 200, seed=1)
    assert set(chosen) == {0, 1, 2, 3}
    assert chosen == play(Random(arms(4)), {0: [WRONG] * 4}, 200, seed=1)


def test_feedback_that_is_still_out_leaves_greedy_with_what_it_knows() -> None:
    policy = Greedy(arms(2))
    assert [decide(policy, HERE, name).action for name in "ab"] == [0, 1]
    policy.feedback("b", 1, HERE, WRONG)
    assert decide(policy, HERE, "c").action == 1


def test_an_answer_without_a_score_is_rewarded_by_the_other_components() -> None:
    policy = Greedy(arms(1))
    policy.decided("a", 0, HERE)
    policy.outcome("a", 0, HERE, Observation(None, 0.25))
    policy.feedback("a", 0, HERE, 1.0)
    assert policy.assess(HERE, BALANCED, np.array([True])).reward[0] == pytest.approx((0.4 + 0.225) / 0.7)


@pytest.mark.parametrize("make", [Greedy, NearestNeighbours, Random, LinUCBPolicy, ThompsonSampling])
def test_what_is_masked_is_not_chosen_and_propensities_are_how_often_it_is(make: Callable[[Arms], Policy]) -> None:
    policy, rng = make(arms(3)), np.random.default_rng(0)
    play(policy, {0: [RIGHT, WRONG, 0.9], 1: [WRONG, RIGHT, 0.8]}, 12)
    assessment = policy.assess(HERE, BALANCED, np.array([True, False, True]))
    choices = [policy.choose(assessment, rng) for _ in range(4000)]
    for arm in range(3):
        mine = [choice.propensity for choice in choices if choice.action == arm]
        assert arm != 1 or not mine
        assert not mine or len(mine) / len(choices) == pytest.approx(mine[0], abs=0.03)


@pytest.mark.parametrize("make", [Greedy, NearestNeighbours, Random, LinUCBPolicy, ThompsonSampling])
def test_a_state_goes_on_where_it_was(make: Callable[[Arms], Policy]) -> None:
    policy, stored = make(arms(3)), make(arms(3))
    play(policy, {0: [RIGHT, WRONG, 0.9], 1: [WRONG, RIGHT, 0.8]}, 60)
    decide(policy, HERE, "open")
    stored.load(policy.state())
    for each in (policy, stored):
        each.feedback("open", 0, HERE, RIGHT)
    every = np.ones(3, dtype=bool)
    for name in ("correct", "score", "cost", "reward", "bonus"):
        found, wanted = (getattr(each.assess(THERE, BALANCED, every), name) for each in (stored, policy))
        np.testing.assert_allclose(found, wanted, atol=1e-9)
    with pytest.raises(StateError, match="the state lacks"):
        stored.load({})


CHANGES: list[Callable[[Any], Any]] = [
    lambda array: array[..., None],
    lambda array: np.concatenate([array, array]),
    lambda array: np.full(array.shape, np.inf),
    lambda array: array.astype(str),
]


@pytest.mark.parametrize(
    ("make", "name"),
    [
        *((Greedy, name) for name in ("chosen", "sums", "counts", "seen")),
        *((NearestNeighbours, name) for name in ("chosen", "sums", "counts", "seen", "number", "queries", "parts")),
    ],
)
@pytest.mark.parametrize("change", CHANGES, ids=["another axis", "twice", "infinite", "texts"])
def test_a_state_of_other_shapes_or_without_numbers_is_refused(
    make: Callable[[Arms], Policy], name: str, change: Callable[[Any], Any]
) -> None:
    policy = make(arms(3))
    play(policy, {0: [RIGHT, WRONG, 0.9], 1: [WRONG, RIGHT, 0.8]}, 60)
    decide(policy, HERE, "open")
    state = policy.state()
    with pytest.raises(StateError):
        make(arms(3)).load({**state, name: change(state[name])})


def test_propensities_of_a_draw_are_exact_and_add_up() -> None:
    rng, every = np.random.default_rng(0), ThompsonSampling(arms(3))
    for _ in range(20):
        count = int(rng.integers(2, 7))
        means, spreads = rng.uniform(0.4, 0.8, count), rng.uniform(0.002, 0.06, count)
        drawn = (means + spreads * rng.standard_normal((200_000, count))).argmax(axis=1)
        found = np.array([greatest(means, spreads, arm) for arm in range(count)])
        assert found.sum() == pytest.approx(1.0, abs=1e-6)
        np.testing.assert_allclose(found, np.bincount(drawn, minlength=count) / len(drawn), atol=0.006)
    assert every.name.startswith("thompson")


def test_what_nobody_judged_is_tried_again_and_not_given_up_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "MAX_PENDING_DECISIONS", 5)
    policy = Greedy(arms(2))
    assert [decide(policy, HERE, name).action for name in "ab"] == [0, 1]
    policy.feedback("a", 0, HERE, RIGHT)
    chosen = [decide(policy, HERE, str(turn)).action for turn in range(12)]
    assert 1 in chosen
    assert len(policy.state()["open"]) <= 5


def observe_many(policy: NearestNeighbours, first: int, last: int) -> None:
    """Questions at ever other places, answered rightly by the first configuration and wrongly by the second."""
    for turn in range(first, last):
        context, arm = Context(np.array([1.0, float(turn)])), turn % 2
        policy.decided(str(turn), arm, context)
        policy.outcome(str(turn), arm, context, Observation(None, 0.0))
        policy.feedback(str(turn), arm, context, 1.0 - arm)


def test_nearest_neighbours_keep_the_most_recent_observations_of_each_configuration() -> None:
    policy, every = NearestNeighbours(arms(2), neighbours=3, max_observations=8), np.array([True, True])
    observe_many(policy, 0, 200)
    state = policy.state()
    assert state["queries"][:, 1].tolist() == [*range(184, 200, 2), *range(185, 200, 2)]
    assert policy.assess(HERE, BALANCED, every).correct.tolist() == [1.0, 0.0]
    stored = NearestNeighbours(arms(2), neighbours=3, max_observations=8)
    stored.load(state)
    for each in (policy, stored):
        observe_many(each, 200, 211)
    for name, array in policy.state().items():
        np.testing.assert_array_equal(stored.state()[name], array)
    place = Context(np.array([1.0, 204.0]))
    np.testing.assert_array_equal(stored.assess(place, BALANCED, every).reward, policy.assess(place, BALANCED, every).reward)


def test_below_the_bound_nearest_neighbours_forget_nothing() -> None:
    bounded, free = (NearestNeighbours(arms(2), neighbours=3, max_observations=limit) for limit in (100, 10**6))
    for policy in (bounded, free):
        observe_many(policy, 0, 200)
    for name, array in free.state().items():
        np.testing.assert_array_equal(bounded.state()[name], array)
    assert bounded.name != free.name, "a state of one is none of the other"


def test_means_need_no_observations_and_neighbours_no_fewer_than_they_are() -> None:
    policy = Greedy(arms(2))
    sizes = []
    for turn in range(300):
        policy.feedback(str(turn), decide(policy, HERE, str(turn)).action, HERE, 0.5)
        sizes.append(sum(array.size for array in policy.state().values()))
    assert sizes[0] == sizes[-1]
    with pytest.raises(ConfigurationError, match="max_observations must be more than the 20 neighbours, got 20"):
        NearestNeighbours(arms(2), max_observations=20)


def test_a_change_of_prices_is_known_to_those_that_keep_means_too() -> None:
    cheap = [Configuration("model 0"), Configuration("model 1")]
    old, new = (
        Greedy(Arms.of(cheap, FeatureSchema(("bias", "place")), costs, scored=False)) for costs in ([0.0, 1.0], [1.0, 0.0])
    )
    for name, arm in (("a", 0), ("b", 1)):
        old.decided(name, arm, HERE)
        old.outcome(name, arm, HERE, Observation(None, float(old.arms.costs[arm])))
        old.feedback(name, arm, HERE, RIGHT)
    every = np.array([True, True])
    assert old.assess(HERE, BALANCED, every).best == 0
    new.load(old.state())
    assert new.assess(HERE, BALANCED, every).best == 1


def test_a_policy_is_known_by_its_name_by_where_it_is_and_by_itself() -> None:
    assert isinstance(PolicySpec("thompson", LearnerSettings(alpha=0.1))(arms(2)), ThompsonSampling)
    for spec in (PolicySpec("greedy"), PolicySpec(Greedy), PolicySpec("uniscale_integrations.policy.baselines:Greedy")):
        assert type(PolicySpec.of(spec.record())(arms(2))) is Greedy
    settings = LearnerSettings(alpha=0.1)
    found = PolicySpec.of(json.loads(json.dumps(PolicySpec("linucb", settings).record())))
    assert found.settings == settings
    for wrong, said in (("best", "no policy 'best'"), ("json:nothing", "cannot be imported"), (7, "a policy is one of linucb")):
        with pytest.raises(ConfigurationError, match=said):
            PolicySpec(wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="settings are those of linucb, thompson, joint"):
        PolicySpec("greedy", settings)


def test_chance_is_rarely_taken_for_a_change() -> None:
    rng, alarms = np.random.default_rng(0), 0
    detector = ChangeDetector(1)
    for error in (rng.random(60_000) < 0.7) - 0.7:
        alarms += detector.observe(0, error / 0.45)
    assert alarms <= 6


@pytest.mark.parametrize("shift", [-0.3, 0.3])
def test_a_change_is_noticed_soon(shift: float) -> None:
    delays = []
    for seed in range(300):
        rng, detector = np.random.default_rng(seed), ChangeDetector(2)
        delays.append(next(t for t in range(2_000) if detector.observe(1, (float(rng.random() < 0.5 + shift) - 0.5) / 0.5)))
        assert not detector.sums.any()
    assert np.mean(delays) < 60
    assert np.quantile(delays, 0.95) < 120


def test_streams_have_sums_of_their_own_which_survive_being_stored() -> None:
    detector, stored = ChangeDetector(2), ChangeDetector(2)
    detector.observe(0, -3.0)
    assert detector.sums.tolist() == [[2.75, 0.0], [0.0, 0.0]]
    stored.load(detector.state())
    assert stored.sums.tolist() == detector.sums.tolist()


def chosen(pacer: BudgetPacer, rewards: list[float], costs: list[float], eligible: list[bool] | None = None) -> int:
    surcharge, allowed = pacer.terms(np.array(rewards), np.array(costs), None if eligible is None else np.array(eligible))
    return int(np.where(allowed, np.array(rewards) - surcharge, -np.inf).argmax())


@given(st.floats(1.2, 400.0), st.integers(0, 2**32))
@settings(max_examples=30)
def test_a_budget_is_kept_whatever_the_dear_configuration_brings(dear: float, seed: int) -> None:
    rng, pacer = np.random.default_rng(seed), BudgetPacer(1.0)
    costs, total, turns = [0.2, dear], 0.0, 2_000
    for _ in range(turns):
        cost = costs[chosen(pacer, [0.5, 0.9], costs)] * rng.uniform(0.8, 1.2)
        pacer.spend(cost)
        total += cost
    # A request may cost a fifth more than was expected of it, which is known only afterwards.
    assert total <= turns + pacer.slack + 1 + 0.2 * dear
    assert dear > 20 or total / turns > 0.5, "what the budget allows is used"


def test_a_budget_goes_where_it_brings_most() -> None:
    rng, pacer = np.random.default_rng(0), BudgetPacer(1.0)
    # What the dear action brings more differs from request to request; what it costs more, too.
    gains, prices = rng.uniform(0.0, 0.4, 3_000), rng.uniform(1.0, 9.0, 3_000)
    bought = np.zeros(3_000, dtype=bool)
    for turn, (gain, price) in enumerate(zip(gains, prices, strict=True)):
        bought[turn] = chosen(pacer, [0.5, 0.5 + gain], [0.5, price]) == 1
        pacer.spend(price if bought[turn] else 0.5)
    spent = 0.5 + bought * (prices - 0.5)
    assert spent.mean() == pytest.approx(1.0, abs=0.02)
    # Whoever knew all requests beforehand would buy where a budget brings most, until the money is spent.
    order = np.argsort(-gains / (prices - 0.5))
    best = order[np.cumsum((prices - 0.5)[order]) <= 0.5 * len(gains)]
    assert gains[bought].sum() > 0.96 * gains[best].sum()


GAIN_AND_COST = st.tuples(st.integers(0, 8), st.integers(1, 8))


@given(st.lists(st.lists(GAIN_AND_COST, min_size=1, max_size=6), min_size=1, max_size=12), st.integers(1, 8))
def test_the_price_parts_what_recent_requests_would_have_cost_above_the_budget_from_what_is_within(
    requests: list[list[tuple[int, int]]], budget: int
) -> None:
    pacer = BudgetPacer(float(budget))
    options = [(np.array([gain / 8 for gain, _ in each]), np.array([float(cost) for _, cost in each])) for each in requests]
    for gains, costs in options:
        surcharge, _ = pacer.terms(gains, costs)
    # The last request's price is that of those before it.
    solved_on = options[:-1] or options

    def mean_cost(price: float) -> float:
        worth = [(gains - price * costs / budget, costs) for gains, costs in solved_on]
        # The cheapest of each request's best choices.
        return float(np.mean([costs[left >= left.max() - 1e-9].min() for left, costs in worth]))

    assert surcharge.tolist() == pytest.approx((pacer.price * options[-1][1] / budget).tolist())
    cheapest = np.mean([costs.min() for _, costs in solved_on])
    assert mean_cost(pacer.price) <= max(budget, cheapest) + 1e-9
    assert pacer.price == 0.0 or mean_cost(pacer.price * (1 - 1e-3)) > budget


def test_what_may_not_be_taken_is_neither_chosen_nor_reckoned_with() -> None:
    pacer, rewards, costs = BudgetPacer(1.0), [0.5, 0.9, 0.95], [0.1, 0.9, 0.95]
    assert chosen(pacer, rewards, costs) == 2
    assert chosen(pacer, rewards, costs, [True, True, False]) == 1
    assert chosen(BudgetPacer(1e-3), rewards, costs, [False, True, True]) == 1
    assert pacer.price == 0.0


@pytest.mark.parametrize("budget", [0.0, -1.0, float("nan"), float("inf")])
def test_a_budget_that_is_none_is_refused(budget: float) -> None:
    with pytest.raises(ConfigurationError, match="a budget per request must be a finite number above 0"):
        BudgetPacer(budget)
    with pytest.raises(ConfigurationError, match="streams must be at least 1"):
        ChangeDetector(0)
