"""What a replay's policies know of costs before the first question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.engine.outcomes import OutcomeRow
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.objective import Value, weights
from uniscale_integrations.policy.policy import Context
from uniscale_integrations.replay.experiment import Setup, experiment, standings
from uniscale_integrations.replay.prices import first_day_rates, plain_costs, token_prices
from uniscale_integrations.replay.stream import World
from uniscale_integrations.replay.table import OutcomeTable
from uniscale_integrations.space import Configuration

SMALL, LARGE, SEARCH = Configuration("small"), Configuration("large"), Configuration("small", 4)
PRICES = {"small": (0.25e-6, 2e-6), "large": (1.25e-6, 10e-6)}


def hosted(
    correct: Callable[[int, Configuration], float] = lambda q, c: 1.0, count: int = 120, cost: Callable[[float], float] = float
) -> OutcomeTable:
    """A table of models that are paid for by the token; answers of the large one are half as long."""
    rng, rows = np.random.default_rng(7), []
    for q in range(count):
        prompt = int(rng.integers(50, 400))
        for c in (SMALL, LARGE, SEARCH):
            read, sampled = prompt * c.qp, int(rng.integers(100, 200)) * c.qp * (1 if c == LARGE else 2)
            dollars = read * PRICES[c.model][0] + sampled * PRICES[c.model][1]
            row = OutcomeRow(f"q{q}", f"What is {q}?", c, correct(q, c), cost_usd=cost(dollars))
            rows.append(replace(row, prompt_tokens=float(read), completion_tokens=float(sampled)))
    return OutcomeTable.of(rows, "hosted")


def test_prices_per_token_are_those_that_made_the_costs() -> None:
    table = hosted()
    assert table.tokens is not None
    found = token_prices(table.configurations, table.cost, table.tokens)
    assert found is not None
    np.testing.assert_allclose(found, [PRICES[each.model] for each in table.configurations], rtol=1e-6)


@given(st.floats(1e-8, 1e-3), st.floats(1e-8, 1e-3), st.integers(0, 2**31))
def test_any_prices_are_found(read: float, sampled: float, seed: int) -> None:
    tokens = np.random.default_rng(seed).integers(10, 5000, (2, 30, 1, 1)).astype(float)
    found = token_prices([SMALL], read * tokens[0] + sampled * tokens[1], tokens)
    assert found is not None
    np.testing.assert_allclose(found, [[read, sampled]], rtol=1e-5)


def test_costs_that_tokens_do_not_explain_are_estimated_from_a_plain_call() -> None:
    table = hosted(cost=lambda dollars: 1e-4 if dollars < 1e-3 else 5e-2)
    assert table.tokens is not None
    assert token_prices(table.configurations, table.cost, table.tokens) is None
    world = World.of([table], costs="cold")
    assert world.tokens is None
    assert not world.arms.rates.in_tokens.any()
    small, search = world.arms.rates.per_amount[[0, 2]]
    assert small == pytest.approx(world.mean_costs[0])
    assert search == small


def test_a_model_without_a_plain_call_is_priced_from_its_searches() -> None:
    arms = (Configuration("a", 1, 4, 2), Configuration("b"))
    np.testing.assert_allclose(plain_costs(arms, np.array([5.0, 3.0]))[1], 3.0)
    rates = first_day_rates(arms, np.array([5.0, 3.0]).reshape(1, 2, 1), None, World.of([hosted()]).scale)
    np.testing.assert_allclose(rates.spend(rates.usual, np.zeros(2)), [5.0, 3.0])


def test_cold_prices_are_applied_to_the_tokens_of_the_question() -> None:
    world = World.of([hosted()], costs="cold")
    assert world.tokens is not None
    rates = world.arms.rates
    short, long = (rates.spend(rates.usual, np.full(3, tokens)) for tokens in (50.0, 5000.0))
    np.testing.assert_allclose((long - short) / 4950.0, [0.25e-6, 1.25e-6, 1e-6], rtol=1e-5)
    assert world.input_tokens.min() >= 50
    assert Context(world.queries[0]).input_tokens < world.input_tokens.max()


def test_known_and_cold_measure_by_the_same_scale_and_cold_learns_what_known_knows() -> None:
    table = hosted(lambda q, c: float(c == LARGE or q % 3 == 0), count=300)
    known, cold = (World.of([table], costs=costs) for costs in ("known", "cold"))
    np.testing.assert_array_equal(known.parts, cold.parts)
    assert known.scale == cold.scale
    for objective in (weights("balanced"), Value(points=5.0)):
        first, second = (standings(experiment(each, Setup(objective, ("uis",), seeds=1)))["uis"] for each in (known, cold))
        assert second.second_half == pytest.approx(first.second_half, abs=0.05 * abs(first.second_half))


def test_what_is_free_can_be_replayed_cold() -> None:
    table = hosted(cost=lambda dollars: 0.0 if dollars < 8e-4 else dollars)
    assert (table.cost == 0).any()
    world = World.of([table], costs="cold")
    assert np.isfinite(world.arms.costs).all()
    assert len(experiment(world, Setup(weights("balanced"), ("uis",), seeds=1))) == 1


def test_costs_of_another_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no costs 'warm'; there are cold, known"):
        World.of([hosted()], costs="warm")
