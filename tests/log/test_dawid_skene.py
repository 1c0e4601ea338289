"""What answers judged by several sources tell of the sources."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.log.dawid_skene import MIN_WEIGHT, Confusions, Pattern, fit, hard

CHANCES = st.floats(0.05, 0.95)


def drawn(chances: dict[str, tuple[float, float]], rates: dict[str, float], count: int, seed: int = 0) -> Counter[Pattern]:
    rng = np.random.default_rng(seed)
    counts: Counter[Pattern] = Counter()
    for name, rate in rates.items():
        for _ in range(count):
            right = rng.random() < rate
            says = [(rater, int(rng.random() < (yes if right else 1 - no))) for rater, (yes, no) in sorted(chances.items())]
            counts[name, tuple(says)] += 1
    return counts


def test_three_raters_are_told_apart() -> None:
    chances = {"harsh": (0.6, 0.98), "good": (0.97, 0.97), "lenient": (0.99, 0.5)}
    found = fit(drawn(chances, {"small": 0.5, "large": 0.85}, 2000))
    for rater, expected in chances.items():
        assert found.raters[rater] == pytest.approx(expected, abs=0.05), rater
    assert found.rates["small"] == pytest.approx(0.5, abs=0.04)
    assert found.rates["large"] == pytest.approx(0.85, abs=0.04)


def test_of_two_raters_the_harsh_one_is_found_where_most_answers_are_right() -> None:
    found = fit(drawn({"harsh": (0.6, 1.0), "good": (1.0, 1.0)}, {"small": 0.7, "large": 0.9}, 500))
    assert found.raters["harsh"][0] == pytest.approx(0.6, abs=0.08)
    assert min(found.raters["good"]) > 0.85


@given(CHANCES, CHANCES, CHANCES)
def test_weighted_judgements_have_the_share_of_right_answers(sensitivity: float, specificity: float, rate: float) -> None:
    """`worth` is what makes a noisy rater's mean that of the truth, unless it knows so little that the least weight counts."""
    found = Confusions({"rater": (sensitivity, specificity)}, {}, rate)
    right = rate * sensitivity + (1 - rate) * (1 - specificity)
    yes, no = (found.worth("rater", "any", says) for says in (1.0, 0.0))
    if min(yes, no) > MIN_WEIGHT:
        assert right * yes / (right * yes + (1 - right) * no) == pytest.approx(rate)
    assert MIN_WEIGHT <= min(yes, no) <= max(yes, no) <= 1.0


@given(CHANCES, CHANCES)
def test_silence_counts_so_that_complaints_and_silence_have_the_share_of_right_answers(complaining: float, rate: float) -> None:
    """A share of the wrong answers is complained of, and of right ones none."""
    found = Confusions({"silence": (1.0, complaining)}, {}, rate)
    weight = found.worth_of_silence("silence", "any", right=True)
    silent, complaints = rate + (1 - rate) * (1 - complaining), (1 - rate) * complaining
    if weight > MIN_WEIGHT:
        assert silent * weight / (silent * weight + complaints) == pytest.approx(rate)


@given(CHANCES, CHANCES)
def test_silence_tells_nothing_where_right_and_wrong_answers_are_judged_alike(judged: float, rate: float) -> None:
    found = Confusions({"silence": (1 - judged, judged)}, {}, rate)
    assert found.worth_of_silence("silence", "any", right=True) == MIN_WEIGHT
    assert found.worth_of_silence("silence", "any", right=False) == MIN_WEIGHT


@given(
    st.dictionaries(st.sampled_from("abc"), st.floats(0, 1)),
    st.dictionaries(st.sampled_from("abc"), CHANCES, min_size=3),
    CHANCES,
)
def test_a_posterior_is_a_correctness_and_patterns_share_out_everything(
    says: dict[str, float], chances: dict[str, float], rate: float
) -> None:
    found = Confusions({rater: (chance, chance) for rater, chance in chances.items()}, {}, rate)
    assert 0.0 <= found.posterior(says, "any") <= 1.0
    assert MIN_WEIGHT <= found.reliability(says, "any") <= 1.0
    assert sum(hard(says).values()) == pytest.approx(1.0)


def test_what_is_recorded_is_restored() -> None:
    found = fit(drawn({"a": (0.7, 0.9), "b": (0.9, 0.9)}, {"small": 0.6}, 100))
    assert Confusions.restore(found.record()) == found
