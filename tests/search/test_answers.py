"""Extraction and normal form of answers."""

from __future__ import annotations

import json
import sys
from time import process_time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from uniscale_integrations.answers.mathematics import equal_mathematics
from uniscale_integrations.search.answers import extract_answer, normalise_answer, same_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"\boxed{1} and then \boxed{\frac{a}{b}}", r"\frac{a}{b}"),
        (r"\boxed{\{1, 2\}} is the set", r"\{1, 2\}"),
        (r"\boxed{4} but later \boxed{5", "4"),
        ("Answer: 3\n" + r"\boxed{4}", "4"),
        ("48 / 2 = 24\n#### 24", "24"),
        ("#### 24\nNow another question with 7", "24"),
        ("#### Step 4: add\nThe answer is 12.", "12"),
        ("#### Final answer: 12", "12"),
        ("Answer: 5\nAnswer: 6", "6"),
        ("**Answer:** 12", "12"),
        ("**Answer: 12**", "12"),
        ("**Final Answer:**\n\n12 km", "12 km"),
        ("FINAL ANSWER: Dr. Smith", "Dr. Smith"),
        ("So the answer is **12**. I enjoyed 3 of these.", "12"),
        ("The answer is: (B)", "(B)"),
        ('Answer: {"a": 1,\n "b": 2}', '{"a": 1,\n "b": 2}'),
        ('```json\n{"a": [1,\n2]}\n```', '{"a": [1,\n2]}'),
        ("[3, 1, 2]", "[3, 1, 2]"),
        ("We add them.\n3 + 4 = 7", "7"),
        ("that makes 1,234.50 dollars\n\n", "1,234.50 dollars"),
        ("it is \N{MINUS SIGN}3.5", "\N{MINUS SIGN}3.5"),
        ("from 10-3", "10-3"),
        ("we have 3/4 left", "3/4"),
        ("H2O is Water", "H2O is Water"),
        ("Let me think about 5.\n**Paris.**", "Paris"),
        ("This last line is far too long to be an answer of any kind", None),
        ("```python\nprint()\n```", "```python\nprint()\n```"),
        ("The answer is", "The answer is"),
        ("", None),
        (" \n ", None),
    ],
)
def test_extracts_the_answer_that_a_text_ends_with(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@given(st.text())
def test_extraction_takes_any_text_and_never_gives_an_empty_answer(text: str) -> None:
    assert extract_answer(text) != ""


@pytest.mark.parametrize(
    "text", ["\\boxed{" * 3000, "[" * 20_000, "{" * 20_000, "answer is " * 3000, "answer" + " " * 20_000 + "x"]
)
def test_a_text_that_degenerates_is_read_in_time_linear_in_its_length(text: str) -> None:
    start = process_time()
    extract_answer(text)
    assert process_time() - start < 1.0


@pytest.mark.parametrize(
    ("answer", "normal"),
    [
        ("  Hello   World ", "hello world"),
        ("$1,234.00$", "1234"),
        ("1,234, 5,678", "1234, 5678"),
        ("1, 2, 3", "1, 2, 3"),
        ("1,2,3", "1, 2, 3"),
        ("[1,234]", "1, 234"),
        ("['1', '2']", "1, 2"),
        ('["1","2"]', "1, 2"),
        ("[a, b]", "a, b"),
        ("(1,2)", "(1, 2)"),
        ("[[1,2],[3,4]]", "[[1,2],[3,4]]"),
        ("12.0", "12"),
        ("12.50", "12.5"),
        ("1.10.0", "1.10.0"),
        (".5", "0.5"),
        ("12.", "12"),
        ("1/2", "1/2"),
        (r"-\frac{1}{2}", "-1/2"),
        (r"2\frac{1}{2}", r"2\frac{1}{2}"),
        ("\N{MINUS SIGN}3", "-3"),
        (r"12\text{km}", "12 km"),
        ("12 km", "12 km"),
        (r"\$12", "$12"),
        (r"1{,}234", "1234"),
        ("**`12`**", "12"),
        ('"12"', "12"),
        ("'", "'"),
        ("[]", "[]"),
        ("...", "..."),
        ("{'b': 1, 'a': 'X'}", '{"a":"X","b":1}'),
        ('{"b": [1, 2.0],\n "a": {"z": null, "y": true}}', '{"a":{"y":true,"z":null},"b":[1,2]}'),
        ('[{"b": 1, "a": 2}]', '[{"a":2,"b":1}]'),
        ("", ""),
    ],
)
def test_normal_form(answer: str, normal: str) -> None:
    assert normalise_answer(answer) == normal


ANSWER_LIKE = st.text(alphabet=" 0123456789.,-/$%[](){}'\"\\*`abXY:\N{MINUS SIGN}", max_size=30) | st.text(max_size=20)


@settings(deadline=None)
@given(ANSWER_LIKE | st.lists(ANSWER_LIKE, max_size=3).map(repr))
@example("[[1,2]]")
@example("$$ .5, 1,000 $$")
@example("['a, b', \"c\"]")
@example("[1e400]")
@example('{"a": 1e22}')
@example("[" * 3000 + "]" * 3000)
def test_normalising_twice_changes_nothing(answer: str) -> None:
    once = normalise_answer(answer)
    assert normalise_answer(once) == once


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.booleans() | st.text(max_size=5), min_size=1))
def test_the_order_of_the_keys_of_an_object_does_not_matter(value: dict[str, object]) -> None:
    assert normalise_answer(json.dumps(value)) == normalise_answer(json.dumps(dict(reversed(value.items())), indent=2))


@given(st.integers(min_value=1000, max_value=10**12))
def test_thousands_separators_say_nothing(number: int) -> None:
    assert normalise_answer(f"{number:,}") == normalise_answer(str(number)) == str(number)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("1/2", "0.5", True),
        (r"\frac{2}{4}", "1/2", True),
        ("x + 1", "1 + x", True),
        ("2**3", "8", True),
        (r"\{1, 2\}", r"\{2, 1\}", True),
        ("3, 4", "4, 3", False),
        ("Paris 12", "London 12", False),
        ("12 km", "12 miles", False),
        ("A", "B", False),
        ("9^9^9", "(9^9)^9", False),
    ],
)
def test_same_answer_is_symmetric_and_knows_mathematics(left: str, right: str, same: bool) -> None:
    assert same_answer(left, right) is same_answer(right, left) is same


@settings(max_examples=50, deadline=None)
@given(ANSWER_LIKE, ANSWER_LIKE)
def test_same_answer_never_raises(left: str, right: str) -> None:
    assert same_answer(left, left)
    assert same_answer(left, right) in (True, False)


@pytest.mark.parametrize(
    "expression", ["9^9^9", "9^{9^{9}}", "((2^999)^999)^999", "2^99999", "9" * 40, "20!", "(x+y)^{99}", "1+" * 80 + "1"]
)
def test_expressions_that_would_take_forever_are_left_alone(expression: str) -> None:
    assert equal_mathematics(expression, "1") is None


def test_without_math_verify_the_normal_forms_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "math_verify", None)
    assert equal_mathematics("x + 1", "1 + x") is None
    assert same_answer("1/2", "0.5")
    assert same_answer("$12.0$", "12")
