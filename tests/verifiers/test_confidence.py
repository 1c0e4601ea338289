"""Self-certainty."""

from __future__ import annotations

import asyncio
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.errors import ConfigurationError, VerifierError
from uniscale_integrations.search.paths import Candidate, Path, PathKey
from uniscale_integrations.verifiers import SelfCertainty


def score(candidate: Candidate, temperature: float = 1.0) -> tuple[float, ...] | None:
    return asyncio.run(SelfCertainty(temperature).open("question").score([(Path(PathKey(0, ())), candidate)]))[0][0]


def test_the_score_is_the_geometric_mean_of_the_token_probabilities() -> None:
    whole = score(Candidate(("a", "b"), True, log_probabilities=(-0.5, -1.0)))
    assert whole == pytest.approx((exp(-0.5), exp(-1.0)), abs=1e-4)
    assert score(Candidate(("a",), True, log_probabilities=(-0.5,)), temperature=2.0) == pytest.approx((exp(-0.25),), abs=1e-4)


@given(st.floats(-1e300, 1e-3), st.floats(1e-3, 1e3))
def test_scores_stay_in_range(log_probability: float, temperature: float) -> None:
    scores = score(Candidate(("a",), True, log_probabilities=(log_probability,)), temperature)
    assert scores is not None
    assert 0.0 <= scores[0] <= 1.0


def test_no_opinion_without_log_probabilities_and_no_scores_without_steps() -> None:
    assert score(Candidate(("a",), True)) is None
    assert score(Candidate((), True)) == ()


@pytest.mark.parametrize("log_probability", [float("nan"), 0.5])
def test_a_poisoned_log_probability_is_refused(log_probability: float) -> None:
    with pytest.raises(VerifierError, match=repr(log_probability)):
        score(Candidate(("a",), True, log_probabilities=(log_probability,)))


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_temperature_is_refused(temperature: float) -> None:
    with pytest.raises(ConfigurationError, match="temperature"):
        SelfCertainty(temperature)
