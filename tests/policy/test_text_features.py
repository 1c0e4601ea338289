"""Features of texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.policy.instruction import LONG, features_of_prompt, instruction
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


PAGES = "The committee met on Tuesday. It spoke of the plans for the new library, and of what they cost. " * 40
CODE = "for i in range(10):\n    total[i] += values[i] * 3\n" * 40


@given(st.text(max_size=LONG))
def test_what_is_asked_of_a_short_text_is_all_of_it(text: str) -> None:
    assert instruction(text) is text
    whole, asked = features_of_prompt(text)
    assert whole.tolist() == asked.tolist() == lexical_features(text).tolist()


@given(st.text(min_size=1), st.sampled_from(["\n", "\n\n", "\r\n\r\n", "\n \t\n", " ", "\f", ""]))
def test_what_is_asked_of_a_long_text_is_a_short_one(text: str, between: str) -> None:
    long = between.join([text] * (1 + 3 * LONG // len(text)))
    assert len(instruction(long)) <= LONG
    found = TextFeatures()(long)
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 60


@pytest.mark.parametrize(
    "asked",
    [
        "What did the mayor say?",
        "which of them voted against it",
        "Translate into German, keep the tone.",
        "Please return a JSON list of all people.",
        "**Task:** classify the ticket as bug or question",
        "Question: 谁投了反对票?",
        "TL;DR in three points",
    ],
)
@pytest.mark.parametrize("blank", ["\n\n", "\r\n\r\n", "\n  \n"])
def test_what_is_asked_of_pages_stands_before_or_after_them(asked: str, blank: str) -> None:
    assert instruction(f"{PAGES}{blank}{asked}") == asked
    assert instruction(f"{asked}{blank}{PAGES}\n") == asked
    assert instruction(f"{asked}{blank}{PAGES}{blank}{asked}") == f"{asked}\n{asked}"


def test_of_pages_without_a_question_both_ends_count() -> None:
    found = instruction(f"Minutes of the council.\n\n{PAGES}\n\nThe minutes were approved.")
    assert found == "Minutes of the council.\nThe minutes were approved."


def test_pages_hide_neither_what_is_asked_nor_that_they_are_code() -> None:
    encode = TextFeatures()
    kinds = [
        list(EXAMPLES)[encode(text)[len(NAMES) :].argmax()] for text in (f"{PAGES}\n\nTranslate into German: the last line.",)
    ]
    assert kinds == ["writing"]
    asked = "What is wrong with it?"
    of_code, of_prose = (dict(zip(NAMES, encode(f"{asked}\n\n{text}").tolist(), strict=False)) for text in (CODE, PAGES))
    assert of_code["signs of code"] > 1 + of_prose["signs of code"]
    assert of_prose["characters"] > 2
    assert of_prose["sentence length"] == lexical_features(asked)[NAMES.index("sentence length")]


@pytest.mark.parametrize("end", ["", "\n\nAnswer:", "\nHelpful Answer:\n", "\n\n### Response:", "\nSQL:\n\nAnswer:"])
@pytest.mark.parametrize("between", ["\n", " ", "\n\n"])
def test_what_is_asked_is_found_in_a_paragraph_and_before_a_label(between: str, end: str) -> None:
    assert instruction(f"{PAGES}{between}Who voted against it?{end}") == "Who voted against it?"


@pytest.mark.parametrize("between", ["\n", " ", "\n\n"])
def test_what_is_asked_is_found_at_the_beginning_of_a_paragraph(between: str) -> None:
    assert instruction(f"Summarize this in a sentence.{between}{PAGES}") == "Summarize this in a sentence."
