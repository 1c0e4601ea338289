"""The text that is most like all others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.search.medoid import medoid

TEXTS = st.lists(st.lists(st.sampled_from("abcd"), max_size=4), min_size=1, max_size=6)


@given(TEXTS)
def test_it_shares_most_words_with_the_others_and_is_the_first_of_equals(texts: list[list[str]]) -> None:
    def alike(left: list[str], right: list[str]) -> float:
        both = set(left) | set(right)
        return sum(word in left and word in right for word in both) / len(both) if both else 0.0

    shared = [round(sum(alike(text, other) for other in texts), 9) for text in texts]
    assert medoid([" ".join(text) for text in texts]) == shared.index(max(shared))


def test_texts_without_blanks_between_words_are_compared_by_their_characters() -> None:
    assert medoid(["月亮很远", "太阳离地球很远", "太阳很远", "今天"]) == 2
