"""The estimate that stands in for a vocabulary, measured against the vocabularies."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tokens.samples import SAMPLES
from uniscale_integrations.tokens import VOCABULARIES
from uniscale_integrations.tokens.estimate import amounts, estimate_tokens
from uniscale_integrations.tokens.vocabulary import CL100K, O200K


@pytest.mark.parametrize("vocabulary", [O200K, CL100K])
@pytest.mark.parametrize("kind", SAMPLES)
def test_it_is_right_within_a_quarter(kind: str, vocabulary: str) -> None:
    encoding = VOCABULARIES.load(vocabulary)
    assert encoding is not None, "llama-index-core ships both vocabularies"
    counted = len(encoding.encode_ordinary(SAMPLES[kind]))
    assert estimate_tokens(SAMPLES[kind], vocabulary) == pytest.approx(counted, rel=0.25)


def test_four_characters_a_token_are_not() -> None:
    encoding = VOCABULARIES.load(O200K)
    assert encoding is not None
    wrong = {kind for kind, text in SAMPLES.items() if abs(len(text) / 4 / len(encoding.encode_ordinary(text)) - 1) > 0.25}
    assert wrong >= {"Chinese", "Japanese", "Korean", "emoji"}


@given(st.text(max_size=200))
def test_any_text_has_a_finite_number_and_an_empty_one_none(text: str) -> None:
    tokens = estimate_tokens(text, O200K)
    assert 0 <= tokens <= 3 * len(text)
    assert (tokens == 0) == (text == "")
    assert estimate_tokens(text, CL100K) >= 0


@given(st.text("ab1 \t\n,;é中", min_size=1, max_size=60))
def test_runs_are_counted_as_regular_expressions_find_them(text: str) -> None:
    found = amounts(text)
    assert found["digits"] == len(re.findall("[0-9]{1,3}", text))
    assert found["punctuation"] == len(re.findall("[,;]+", text))
    assert found["newlines"] == len(re.findall(r"\n\s*", text))
    assert found["indentation"] == len(re.findall(r"[ \t]{2,}", text))
    assert found["letters"] == len(re.findall("[abé]", text))
    assert found["Han"] == text.count("中")
