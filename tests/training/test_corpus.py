"""What models practise on."""

from __future__ import annotations

import numpy as np
import pytest

from training.corpus import OTHERS, Corpus
from training.language_model import RECIPES
from training.tasks import FAMILIES


def corpus(each: int) -> Corpus:
    """So many problems of every family, mixed, of two tokens each."""
    families = np.random.default_rng(0).permutation(np.repeat(np.arange(len(FAMILIES), dtype=np.int8), each))
    count = len(families)
    return Corpus(np.arange(2 * count, dtype=np.int32), 2 * np.arange(count + 1), np.ones(count, dtype=np.int32), families)


@pytest.mark.parametrize("focus", [recipe.focus for recipe in RECIPES.values() if recipe.focus])
def test_a_specialist_practises_on_all_of_its_own_and_on_one_other_problem_for_every_few(focus: tuple[str, ...]) -> None:
    rows = corpus(each=300).practice(focus)
    practised = [FAMILIES[place] for place in corpus(each=300).families[rows]]
    own = [family for family in practised if family in focus]
    assert len(own) == 300 * len(focus)
    assert len(set(rows.tolist())) == len(rows)
    assert len(own) / (len(practised) - len(own)) == pytest.approx(OTHERS, rel=0.2)
    assert set(practised) == set(FAMILIES), "it has seen every sort"


def test_who_is_no_specialist_practises_on_everything() -> None:
    assert corpus(each=3).practice(()).tolist() == list(range(3 * len(FAMILIES)))
