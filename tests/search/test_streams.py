"""Random streams that depend on the path alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.search.streams import stream, uniforms

PLACES = st.tuples(st.integers(0, 2**63), st.integers(0, 64), st.text(max_size=20), st.integers(0, 64))


@given(PLACES, PLACES)
def test_a_path_always_draws_the_same_and_another_one_something_else(
    one: tuple[int, int, str, int], other: tuple[int, int, str, int]
) -> None:
    assert np.array_equal(uniforms(*one, 4), uniforms(*one, 4))
    assert np.array_equal(uniforms(*one, 4), uniforms(*other, 4)) is (one == other)


def test_numbers_in_the_text_are_not_taken_for_the_trees_or_candidates() -> None:
    places = [(1, 2, "3|4", 5), (1, 2, "4", 3), (12, 3, "4", 5), (1, 23, "4", 5), (1, 2, "5|3|4", 5), (1, 2, "34", 5)]
    assert len({stream(*place).random() for place in places}) == len(places)


def test_a_longer_draw_begins_with_the_shorter_one() -> None:
    assert np.array_equal(uniforms(0, 1, "a", 2, 10)[:3], uniforms(0, 1, "a", 2, 3))


def test_draws_are_uniform_across_paths() -> None:
    draws = np.concatenate(
        [uniforms(7, tree, f"step {n}\n", index, 8) for tree in range(5) for n in range(25) for index in range(4)]
    )
    assert draws.min() >= 0.0
    assert draws.max() < 1.0
    counts, _ = np.histogram(draws, bins=8, range=(0, 1))
    assert abs(counts - 500).max() < 100
