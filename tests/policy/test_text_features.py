"""Features of texts."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.policy.kinds import EXAMPLES, TextFeatures, kind_features
from uniscale_integrations.policy.lexical import NAMES, SPREADS, lexical_features


@given(st.text())
def test_every_text_has_finite_features_of_moderate_size(text: str) -> None:
    features = TextFeatures()
    found = features(text)
    assert found.shape == (features.dim,) == (len(TextFeatures().schema),)
    assert found[0] == 1
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 60


def test_an_example_is_most_of_all_of_its_own_kind() -> None:
    for place, examples in enumerate(EXAMPLES.values()):
        for example in examples:
            found = kind_features(lexical_features(example))
            assert found.argmax() == place
            assert found @ found == 1.0 or abs(found @ found - 1.0) < 1e-12


def test_what_a_text_looks_like_is_seen() -> None:
    def seen(text: str) -> dict[str, float]:
        return dict(zip(NAMES, lexical_features(text).tolist(), strict=True))

    assert len(NAMES) == len(SPREADS) + 1
    code, trivia = seen("def add(a: int, b: int) -> int:\n    return a + b\n"), seen("who wrote hamlet")
    assert code["signs of code"] > trivia["signs of code"]
    assert code["lines"] > trivia["lines"]
    assert trivia["asks at once"] > code["asks at once"]
    assert seen("Is it 7, 8 or 9?")["numbers"] > seen("Is it so?")["numbers"]
    assert seen("Solve it.")["tells to do"] > seen("It is solved.")["tells to do"]
