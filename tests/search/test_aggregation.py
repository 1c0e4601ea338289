"""Values of paths, and the bounds that early stopping relies on."""

from __future__ import annotations

from math import nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.search.aggregation import AGGREGATIONS, aggregation

NAMES = st.sampled_from(list(AGGREGATIONS))
PARTS = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=8)
UPPER = st.sampled_from([1.0, 0.7, 0.1]) | st.floats(1e-3, 1)
ROUNDING = 1e-12


@given(NAMES, PARTS, st.lists(st.floats(0, 1) | st.just(1.0), max_size=8), st.integers(0, 4), UPPER)
def test_no_continuation_exceeds_the_bound(name: str, parts: list[float], more: list[float], slack: int, upper: float) -> None:
    how = aggregation(name)
    scores, rest = [part * upper for part in parts], [part * upper for part in more]
    horizon = len(scores) + len(rest) + slack
    assert how.value(scores + rest) <= how.bound(how.value(scores), len(scores), horizon, upper) + ROUNDING


@given(st.sampled_from(["mean", "last"]), PARTS, st.integers(0, 8), UPPER)
def test_the_bound_is_reached_by_flawless_steps(name: str, parts: list[float], more: int, upper: float) -> None:
    how, scores = aggregation(name), [part * upper for part in parts]
    bound = how.bound(how.value(scores), len(scores), len(scores) + more, upper)
    assert how.value(scores + [upper] * more) == pytest.approx(bound, abs=ROUNDING)


@given(NAMES, st.tuples(st.floats(0, 1), st.floats(0, 1)), st.integers(1, 8), st.integers(0, 8), UPPER)
def test_the_bound_grows_with_the_value(name: str, parts: tuple[float, float], depth: int, more: int, upper: float) -> None:
    low, high = sorted(part * upper for part in parts)
    bound = aggregation(name).bound
    assert bound(low, depth, depth + more, upper) <= bound(high, depth, depth + more, upper)


@given(NAMES, PARTS, st.floats(0, 1), st.integers(0, 8), UPPER)
def test_the_bound_never_rises_along_a_path(name: str, parts: list[float], part: float, more: int, upper: float) -> None:
    how, scores = aggregation(name), [p * upper for p in parts]
    longer, horizon = [*scores, part * upper], len(scores) + 1 + more
    before = how.bound(how.value(scores), len(scores), horizon, upper)
    assert how.bound(how.value(longer), len(longer), horizon, upper) <= before + ROUNDING


@given(NAMES, PARTS, UPPER)
def test_values_stay_within_the_scores(name: str, parts: list[float], upper: float) -> None:
    scores = [part * upper for part in parts]
    assert aggregation(name).value(scores) <= max(scores)
    if name != "product":
        assert min(scores) <= aggregation(name).value(scores)


@given(st.sampled_from(["mean", "min"]), st.integers(1, 40), UPPER)
def test_equal_scores_are_their_own_value_to_the_last_bit(name: str, count: int, score: float) -> None:
    assert aggregation(name).value([score] * count) == score


@given(st.integers(1, 40), st.integers(0, 40), UPPER)
def test_the_smallest_flaw_keeps_a_mean_below_its_greatest_score(count: int, place: int, upper: float) -> None:
    scores = [upper] * count
    scores.insert(place, nextafter(upper, 0.0))
    assert aggregation("mean").value(scores) < upper


def test_an_unknown_aggregation_names_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="no aggregation 'median'; there are mean, min, last, product"):
        aggregation("median")
