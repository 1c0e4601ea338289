"""Maps from a verifier's scores to the share of right answers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.errors import ConfigurationError, StateError
from uniscale_integrations.verifiers.calibration import MIN_ISOTONIC_PAIRS, MIN_PAIRS, Calibration, brier, held_out, reliability

PAIRS = st.lists(
    st.tuples(st.sampled_from([n / 16 for n in range(17)]), st.sampled_from([0.0, 0.5, 1.0])), min_size=MIN_PAIRS, max_size=400
)


@given(PAIRS)
def test_a_map_is_monotone_and_stays_within_0_and_1(pairs: list[tuple[float, float]]) -> None:
    scores, correct = zip(*pairs, strict=True)
    found = Calibration.fit(scores, correct)
    assert found.method == ("platt" if len(pairs) < MIN_ISOTONIC_PAIRS else "isotonic")
    values = [found(score) for score in np.linspace(0.0, 1.0, 101)]
    assert all(0.0 <= value <= 1.0 for value in values)
    assert (np.diff(values) >= -1e-12).all()
    assert Calibration.of(json.loads(json.dumps(found.body()))) == found


@pytest.mark.parametrize("count", [MIN_PAIRS, 100, MIN_ISOTONIC_PAIRS, 5000])
def test_it_makes_a_verifier_honest(count: int) -> None:
    rng = np.random.default_rng(count)
    truth = rng.uniform(size=2 * count)
    correct = (rng.uniform(size=2 * count) < truth).astype(float)
    scores = truth**0.25
    found = Calibration.fit(scores[:count], correct[:count])
    told = [found(score) for score in scores[count:]]
    assert brier(told, correct[count:]) < brier(scores[count:], correct[count:])
    if count >= MIN_ISOTONIC_PAIRS:
        assert np.abs(np.array(told) - truth[count:]).mean() < 0.09


def test_certainty_is_not_learned_from_a_few() -> None:
    found = Calibration.fit([0.5] * MIN_PAIRS, [1.0] * MIN_PAIRS)
    assert 0.9 < found(0.5) < 0.97


def test_a_verifier_that_is_the_wrong_way_round_ends_up_saying_nothing() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(size=100)
    found = Calibration.fit(scores, (rng.uniform(size=100) > scores).astype(float))
    assert found(0.1) == pytest.approx(found(0.9), abs=1e-3)


def test_the_reliability_curve_tells_where_a_verifier_is_too_sure() -> None:
    curve = reliability([0.05] * 4 + [0.95] * 8 + [1.0] * 2, [0.0] * 4 + [1.0] * 5 + [0.0] * 5)
    assert [(part.score, part.right, part.count) for part in curve] == [(0.05, 0.0, 4), (pytest.approx(0.96), 0.5, 10)]


def test_held_out_pairs_are_not_fitted_to() -> None:
    rng = np.random.default_rng(1)
    correct = (rng.uniform(size=60) < 0.5).astype(float).tolist()
    found = held_out(rng.uniform(size=60).tolist(), correct)
    assert found is not None
    # There is nothing to learn; who fits to what is tested beats a fair coin.
    assert brier(found, correct) > 0.24
    assert held_out([0.5] * 20, [1.0] * 20) is None


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="3 pairs are too few"):
        Calibration.fit([0.1, 0.2, 0.3], [0, 1, 1])
    with pytest.raises(ConfigurationError, match="a score must be a number in"):
        Calibration.fit([float("nan")] * 30, [1] * 30)
    with pytest.raises(ConfigurationError, match="as many as each other"):
        brier([0.1], [0.1, 0.2])
    with pytest.raises(StateError, match="ascending"):
        Calibration.of({"scores": [0.0, 1.0], "values": [0.6, 0.4], "pairs": 30, "method": "platt"})
