"""Baselines, the detector of change and the pacer of a budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.baselines import Fixed, Greedy, NearestNeighbours, Random
from uniscale_integrations.policy.budget_pacer import BudgetPacer
from uniscale_integrations.policy.change import ChangeDetector
from uniscale_integrations.policy.objective import weights
from uniscale_integrations.policy.policy import Policy, Result, reward

RIGHT, WRONG = Result(1.0, None, 0.0), Result(0.0, None, 0.0)
HERE, THERE = np.array([1.0, 0.0]), np.array([1.0, 9.0])


def play(policy: Policy, world: dict[int, list[Result]], turns: int) -> list[int]:
    chosen = []
    for turn in range(turns):
        place = turn % len(world)
        query = (HERE, THERE)[place]
        arm = policy.choose(query)
        policy.came(arm, query, world[place][arm])
        policy.judged(arm, query, world[place][arm])
        chosen.append(arm)
    return chosen


def test_greedy_tries_each_once_and_keeps_to_the_best_mean() -> None:
    assert play(Greedy(3, weights("balanced")), {0: [WRONG, RIGHT, WRONG]}, 6) == [0, 1, 2, 1, 1, 1]


def test_nearest_neighbours_tell_questions_apart() -> None:
    policy = NearestNeighbours(2, 2, weights("balanced"), seed=0, neighbours=3)
    chosen = play(policy, {0: [RIGHT, WRONG], 1: [WRONG, RIGHT]}, 400)
    assert np.mean([arm == turn % 2 for turn, arm in enumerate(chosen)][200:]) > 0.9


def test_chance_takes_every_configuration_and_the_same_with_the_same_seed() -> None:
    chosen = play(Random(4, seed=1), {0: [WRONG] * 4}, 200)
    assert set(chosen) == {0, 1, 2, 3}
    assert chosen == play(Random(4, seed=1), {0: [WRONG] * 4}, 200)
    assert play(Fixed(2), {0: [WRONG] * 4}, 5) == [2] * 5


def test_feedback_that_is_still_out_leaves_greedy_with_what_it_knows() -> None:
    policy = Greedy(2, weights("balanced"))
    assert [policy.choose(HERE) for _ in range(2)] == [0, 1]
    policy.judged(1, HERE, WRONG)
    assert policy.choose(HERE) == 1


def test_an_answer_without_a_score_is_rewarded_by_the_other_components() -> None:
    assert reward(Result(1.0, 0.5, 0.25), weights("balanced")) == pytest.approx(0.4 + 0.15 + 0.225)
    assert reward(Result(1.0, None, 0.25), weights("balanced")) == pytest.approx((0.4 + 0.225) / 0.7)


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

    def mean_cost(price: float) -> float:
        worth = [(gains - price * costs / budget, costs) for gains, costs in options]
        # The cheapest of each request's best choices.
        return float(np.mean([costs[left >= left.max() - 1e-9].min() for left, costs in worth]))

    assert surcharge.tolist() == pytest.approx((pacer.price * options[-1][1] / budget).tolist())
    cheapest = np.mean([costs.min() for _, costs in options])
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
