"""The normalised cost `C~`."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.cost import CostScale
from uniscale_integrations.cost.normalise import MIN_FACTOR
from uniscale_integrations.errors import ConfigurationError

costs = st.floats(1e-12, 1e24)


@given(st.lists(costs, min_size=1, max_size=30), costs)
def test_what_lies_between_the_ends_has_a_position_between_0_and_1(known: list[float], cost: float) -> None:
    scale = CostScale.spanning(known)
    assert scale.dearest >= MIN_FACTOR * scale.cheapest
    assert scale.position(min(known)) == 0
    assert scale.position(max(known)) <= 1 + 1e-12
    assert -1e-12 <= scale.position(min(max(cost, scale.cheapest), scale.dearest)) <= 1 + 1e-12
    assert scale.cost(scale.position(cost)) == pytest.approx(cost, rel=1e-6)


@given(st.lists(costs, min_size=2, max_size=30), costs, costs)
def test_dearer_is_never_placed_lower(known: list[float], one: float, other: float) -> None:
    scale = CostScale.spanning(known)
    assert scale.position(min(one, other)) <= scale.position(max(one, other))


@given(st.floats(1e-6, 1e6), st.floats(0, 10), st.floats(0, 10))
def test_unit_of_the_costs_does_not_matter(unit: float, low: float, high: float) -> None:
    plain, other = CostScale(1.0, 1e10), CostScale(unit, unit * 1e10)
    cost = 10 ** ((low + high) / 2)
    assert other.position(unit * cost) == pytest.approx(plain.position(cost), abs=1e-9)


def test_equal_factors_are_equal_steps() -> None:
    scale = CostScale(2.0, 2000.0)
    assert [scale.position(cost) for cost in (2, 20, 200, 2000)] == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_costs_beyond_the_ends_are_not_clipped() -> None:
    scale = CostScale(10.0, 1000.0)
    assert (scale.position(1.0), scale.position(10_000.0)) == pytest.approx((-0.5, 1.5))


def test_costs_that_lie_close_to_each_other_have_positions_close_to_each_other() -> None:
    assert CostScale.spanning([5.0]).position(5.0) == 0.0
    assert CostScale.spanning([1.0, 1.1]).position(1.1) < 0.03


def test_what_costs_nothing_is_as_cheap_as_can_be() -> None:
    assert CostScale(1.0, 2.0).position(0.0) == 0.0


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_impossible_costs_have_no_position(value: float) -> None:
    with pytest.raises(ConfigurationError, match=f"at least 0, got {value!r}"):
        CostScale(1.0, 2.0).position(value)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_costs_without_a_logarithm_are_refused_by_value(value: float) -> None:
    with pytest.raises(ConfigurationError, match=f"cheapest.*{value!r}"):
        CostScale(value, 1.0)
    with pytest.raises(ConfigurationError, match=f"dearest.*{value!r}"):
        CostScale(1.0, value)
    with pytest.raises(ConfigurationError, match=repr(value)):
        CostScale.spanning([1.0, value])


def test_ends_in_the_wrong_order_and_empty_spaces_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="swap them"):
        CostScale(2.0, 1.0)
    with pytest.raises(ConfigurationError, match="at least one configuration"):
        CostScale.spanning([])


@given(st.floats(1e-9, 1e15), st.floats(1.01, 1e9), st.floats(0, 1))
def test_a_position_leads_back_to_its_cost(cheapest: float, spread: float, position: float) -> None:
    scale = CostScale(cheapest, cheapest * spread)
    assert scale.position(scale.cost(position)) == pytest.approx(position, abs=1e-6)
