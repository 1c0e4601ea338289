"""What models practise on."""

from __future__ import annotations

import numpy as np
import pytest

from training.corpus import Corpus
from training.language_model import RECIPES, Recipe
from training.tasks import FAMILIES


def corpus(each: int) -> Corpus:
    """So many problems of every family, mixed, of two tokens each."""
    families = np.random.default_rng(0).permutation(np.repeat(np.arange(len(FAMILIES), dtype=np.int8), each))
    count = len(families)
    return Corpus(np.arange(2 * count, dtype=np.int32), 2 * np.arange(count + 1), np.ones(count, dtype=np.int32), families)


@pytest.mark.parametrize("recipe", [recipe for recipe in RECIPES.values() if recipe.focus], ids=lambda recipe: str(recipe.focus))
def test_a_specialist_practises_on_all_of_its_own_families_and_a_little_on_every_other(recipe: Recipe) -> None:
    rows = corpus(each=300).practice(recipe.focus, recipe.share)
    practised = [FAMILIES[place] for place in corpus(each=300).families[rows]]
    own = [family for family in practised if family in recipe.focus]
    assert len(own) == 300 * len(recipe.focus)
    assert len(set(rows.tolist())) == len(rows)
    assert len(own) / len(practised) == pytest.approx(recipe.share, abs=0.02)
    assert set(practised) == set(FAMILIES), "it has seen every sort"


def test_a_specialist_of_nothing_else_practises_on_its_own_families_alone() -> None:
    rows = corpus(each=30).practice(FAMILIES[:2], 1.0)
    assert sorted(FAMILIES[place] for place in corpus(each=30).families[rows]) == sorted(FAMILIES[:2] * 30)


def test_who_is_no_specialist_practises_on_everything() -> None:
    assert corpus(each=3).practice((), 0.8).tolist() == list(range(3 * len(FAMILIES)))
