"""The verifier-weighted vote."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.errors import ConfigurationError, VerifierError
from uniscale_integrations.search.answers import normalise_answer
from uniscale_integrations.search.paths import PathKey
from uniscale_integrations.search.voting import Ballot, vote

ANSWERS = st.sampled_from(["7", "7.0", "8", "nine", None])
VALUES = st.floats(0, 1)


def ballots(
    values: st.SearchStrategy[float | None], answers: st.SearchStrategy[str | None] = ANSWERS
) -> st.SearchStrategy[list[Ballot]]:
    votes = st.lists(st.tuples(answers, values), min_size=1, max_size=8)
    return votes.map(lambda cast: [Ballot(answer, value, PathKey(tree, (0,))) for tree, (answer, value) in enumerate(cast)])


def of(*cast: tuple[str | None, float | None]) -> list[Ballot]:
    return [Ballot(answer, value, PathKey(tree, (0,))) for tree, (answer, value) in enumerate(cast)]


ANY = ballots(VALUES) | ballots(st.none()) | ballots(VALUES | st.none())


@given(ANY, st.randoms())
def test_the_order_of_the_ballots_does_not_matter(cast: list[Ballot], random: object) -> None:
    shuffled = cast.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert vote(shuffled) == vote(cast)


@given(ballots(VALUES | st.none(), st.just("7")))
def test_a_unanimous_answer_wins_with_its_best_ballot(cast: list[Ballot]) -> None:
    winner = vote(cast)
    best = max((b.value for b in cast if b.value is not None), default=None)
    assert winner.answer == "7"
    assert winner == next(b for b in cast if b.value == best)


@given(ANY, VALUES)
def test_more_weight_for_the_winner_keeps_it_the_winner(cast: list[Ballot], value: float) -> None:
    winner = vote(cast)
    unscored = all(b.value is None for b in cast)
    more = replace(winner, value=None if unscored else value, key=PathKey(len(cast), (0,)))
    if winner.answer is None:
        # An answer that nobody could read agrees with nobody: its weight grows with its own value only.
        more = replace(winner, value=None if unscored else max(winner.value or 0.0, value))
        assert vote([more if b is winner else b for b in cast]).key == winner.key
    else:
        answer = vote([*cast, more]).answer
        assert answer is not None
        assert normalise_answer(answer) == normalise_answer(winner.answer)


@given(ANSWERS, VALUES | st.none())
def test_a_single_ballot_wins(answer: str | None, value: float | None) -> None:
    ballot = Ballot(answer, value, PathKey(0, (0,)))
    assert vote([ballot]) is ballot


def test_the_sum_of_values_beats_one_high_value() -> None:
    assert vote(of(("8", 0.9), ("7", 0.5), ("7.0", 0.6))).key.tree == 2


def test_a_tie_falls_to_the_best_value_and_then_to_the_earliest_path() -> None:
    assert vote(of(("8", 0.25), ("8", 0.25), ("7", 0.5))).answer == "7"
    assert vote(of(("8", 0.5), ("7", 0.5))).answer == "8"


def test_unreadable_answers_do_not_add_up() -> None:
    assert vote(of((None, 0.6), (None, 0.7), ("7", 0.8))).answer == "7"
    assert vote(of((None, 0.6), (None, 0.7))).key.tree == 1
    assert vote(of((None, 0.9), ("7", 0.8))).answer is None


def test_without_values_the_majority_wins_and_a_tie_falls_to_the_earliest_path() -> None:
    assert vote(of(("8", None), ("7", None), ("7.", None))).key.tree == 1
    assert vote(of(("8", None), ("7", None))).answer == "8"


def test_a_ballot_without_a_value_weighs_nothing_beside_ballots_with_one() -> None:
    assert vote(of(("8", None), ("8", None), ("7", 0.1))).answer == "7"


def test_no_ballots_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="at least one ballot"):
        vote([])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1])
def test_poisoned_values_are_refused(value: float) -> None:
    with pytest.raises(VerifierError, match=repr(value)):
        vote([Ballot("7", value, PathKey(0, (0,)))])


def prose(*texts: str, value: float | None = None) -> list[Ballot]:
    return [Ballot(None, value, PathKey(tree, (0,)), text=text) for tree, text in enumerate(texts)]


TEXTS = ("The moon is far away.", "It is the sun that is far from the earth.", "The sun is far from the earth.", "What a day!")


def test_of_texts_without_an_answer_and_without_values_the_medoid_wins() -> None:
    assert vote(prose(*TEXTS)).key.tree == 2
    assert vote(prose(*TEXTS[:2])).key.tree == 0


def test_of_texts_without_an_answer_the_best_value_wins_where_there_are_values() -> None:
    cast = [replace(ballot, value=value) for ballot, value in zip(prose(*TEXTS), (0.1, 0.2, 0.3, 0.9), strict=True)]
    assert vote(cast).key.tree == 3


def test_an_answer_that_two_agree_on_wins_over_prose() -> None:
    assert vote([*prose(*TEXTS), *(Ballot("12", None, PathKey(tree, (0,))) for tree in (7, 8))]).answer == "12"


def test_equal_expressions_add_up() -> None:
    cast = of(("2x + 2", 0.4), ("x + 2", 0.5), ("2(x + 1)", 0.4))
    assert vote(cast).answer == "x + 2"
    assert vote(cast, "", lambda left, right: {left, right} == {"2x+2", "2(x+1)"}).answer == "2x + 2"
