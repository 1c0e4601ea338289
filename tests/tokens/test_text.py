"""Counting texts: right by the vocabulary, bounded for any text, remembered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tokens.samples import SAMPLES
from uniscale_integrations.tokens import VOCABULARIES, Vocabularies, count_tokens, token_ids
from uniscale_integrations.tokens import text as text_module
from uniscale_integrations.tokens.text import MAX_COUNTED, MAX_SEGMENT, CountCache, count_pieces, segments

GPT = "gpt-5-mini"


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_text_is_counted_by_the_model_s_vocabulary(kind: str) -> None:
    encoding = VOCABULARIES.load("o200k_base")
    assert encoding is not None
    ids = encoding.encode_ordinary(SAMPLES[kind])
    assert count_tokens(SAMPLES[kind], GPT, wait=True) == len(ids)
    assert token_ids(SAMPLES[kind], GPT) == ids


@pytest.mark.parametrize("unit", ["a", " ", "\n", "中", "🎉", "=", "0"])
def test_a_million_of_one_character_is_counted_by_pieces(unit: str) -> None:
    count_tokens("", GPT)
    VOCABULARIES.load("o200k_base")
    million = count_tokens(unit * 1_000_000, GPT)
    tenth = count_tokens(unit * MAX_COUNTED, GPT)
    assert million == pytest.approx(10 * tenth, rel=0.1)


def test_pieces_of_a_long_text_stand_for_the_whole() -> None:
    long = "\n".join(SAMPLES.values()) * 60
    assert len(long) > MAX_COUNTED
    assert count_tokens(long, GPT, wait=True) == pytest.approx(len(token_ids(long, GPT)), rel=0.05)


@given(st.text("ab \n", max_size=50).map(lambda text: text * 400))
def test_segments_are_the_text_and_short(text: str) -> None:
    parts = list(segments(text))
    assert "".join(parts) == text
    assert all(len(part) <= MAX_SEGMENT for part in parts)


def test_segments_do_not_change_the_count_of_prose() -> None:
    prose = SAMPLES["English"] * 30
    encoding = VOCABULARIES.load("o200k_base")
    assert encoding is not None
    assert count_tokens(prose, GPT, wait=True) == len(encoding.encode_ordinary(prose))


def test_no_more_is_counted_however_long_a_text_is() -> None:
    counted: list[int] = []

    def count(piece: str) -> int:
        counted.append(len(piece))
        return len(piece)

    assert count_pieces("x" * 3_000_000, count) == 3_000_000
    assert sum(counted) <= MAX_COUNTED


def test_without_a_vocabulary_texts_are_estimated_and_ids_are_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "VOCABULARIES", Vocabularies(list))
    for text in SAMPLES.values():
        assert len(token_ids(text, GPT)) == round(count_tokens(text, GPT, wait=True)) > 0
    same = token_ids("na" * 100, GPT)
    assert len(set(same)) < len(same)


def test_lone_surrogates_are_counted() -> None:
    assert count_tokens("\ud800 and so on", GPT, wait=True) > 0
    assert count_tokens("\ud800 and so on", GPT) > 0


def test_the_cache_keeps_the_most_recent() -> None:
    cache = CountCache(limit=2)
    keys = [("v", True, 1, number) for number in range(3)]
    cache.put(keys[0], 1.0)
    cache.put(keys[1], 2.0)
    assert cache.get(keys[0]) == 1.0
    cache.put(keys[2], 3.0)
    assert [cache.get(key) for key in keys] == [1.0, None, 3.0]
    assert len(cache) == 2
