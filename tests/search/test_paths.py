"""Keys of paths and the order they give."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.search.paths import Path, PathKey

KEYS = st.builds(PathKey, st.integers(0, 3), st.lists(st.integers(0, 3), max_size=4).map(tuple))


@given(KEYS, KEYS, st.integers(0, 3))
def test_what_follows_a_later_path_is_later_too(one: PathKey, other: PathKey, index: int) -> None:
    low, high = sorted((one, other))
    assert low <= high < high.child(index)
    if low < high:
        assert low < high.child(index)


def test_a_path_is_its_steps() -> None:
    path = Path(PathKey(0, (2,)).child(1), ("1 + 1\n", "= 2"))
    assert (path.key, path.text, path.depth) == (PathKey(0, (2, 1)), "1 + 1\n= 2", 2)
