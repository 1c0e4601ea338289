"""Which answers are the same, and of which kind they are."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniscale_integrations.answers.arithmetic import value_of
from uniscale_integrations.answers.mathematics import equal_mathematics
from uniscale_integrations.answers.sameness import groups
from uniscale_integrations.answers.values import read_value


@pytest.mark.parametrize(
    "answers",
    [
        ["3/4", "0.75", r"\boxed{\frac{3}{4}}", r"$\dfrac34$", "¾", "three quarters", "75%"],
        ["(B)", "B", "**B**", "B) Oslo", "Option B", "(b)"],
        ["2 1/2", "2.5", r"2\frac{1}{2}", "2½", "5/2"],
        ["1,250,000", "1250000", "1 250 000", "1.25 million", r"1.25 \times 10^6", "1.25e6"],
        ["$18", "18 USD", "18 dollars", r"\$18.00", "18"],
        ["2 km", "2000 m", "2 kilometers"],
        ["30 May 2026", "May 30, 2026", "2026-05-30", "30.05.2026", "Saturday, 30 May 2026"],
        ["2:30 pm", "14:30", "at 2.30 p.m."],
        ["{1, 3}", r"\{3, 1\}", "x = 1 or x = 3"],
        ["x = 5", "5", "$x=5$"],
        ["(-inf, 3)", "x < 3", r"(-\infty, 3)"],
        ["A, C", "C and A", "(A), (C)"],
        ["O(n log n)", r"$O(n \log n)$", "O(n*log n)"],
        ["Yes", "yes, it is", "Ja"],
        ["The Eiffel Tower", "eiffel tower."],
        ["```python\nx = 1 + 2\n```", "```\nx=1+2  # three\n```"],
        ['{"a": 1, "b": 2}', '{"b": 2.0, "a": 1}'],
        [r"\frac{\sqrt{2}}{2}", r"\frac{1}{\sqrt{2}}"],
        [r"6\sqrt2", "6√2", r"6\sqrt{2}", r"\sqrt{72}"],
        [r"\frac{\ln 7}{\ln 2}", r"\log_2 7"],
        [r"2x\sin x + x^2\cos x", r"x(2\sin x + x\cos x)"],
        ["y = 2x - 3", "2x - y = 3"],
        ["x = ±4", "x = 4 and x = -4"],
        [r"x = 1 \pm \sqrt{2}", r"x = 1 + \sqrt{2} and x = 1 - \sqrt{2}"],
        [r"\infty", r"+\infty", "∞"],
        [r"0.\overline{3}", "1/3", r"\frac13"],
        [r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", r"A = \begin{bmatrix} 1 & 2 \\ 3 & 4.0 \end{bmatrix}"],
        ["2 hours and 15 minutes", "135 minutes", "2h 15min"],
        ["18 out of 20", "18/20"],
        ["H₂O", r"\text{H}_2\text{O}", "H2O"],
        ["b)", "B", "(b)"],
        ["- Rome\n- Oslo", "Rome, Oslo"],
        ["I and III only", "statements I and III"],
    ],
    ids=lambda answers: str(answers[0])[:20],
)
def test_the_same(answers: list[str]) -> None:
    assert groups(answers, "", equal_mathematics) == [0] * len(answers)
    assert groups(answers[::-1], "", equal_mathematics) == [0] * len(answers)


@pytest.mark.parametrize(
    ("left", "right", "question"),
    [
        ("1.2.3", "1.2", ""),
        ("3.10", "3.1", "Which version do I need?"),
        ("192.168.0.1", "192.168.0.10", ""),
        ("3-2", "1", ""),
        ("3-2", "2-3", ""),
        ("2026-05-30", "1991", ""),
        ("05/06/2026", "06/05/2026", ""),
        ("€18", "$18", ""),
        ("12 km", "12 miles", ""),
        ("12 apples", "12 pears", ""),
        ("x = 5", "y = 5", ""),
        ("1, 2", "2, 1", ""),
        ("(1, 2)", "(2, 1)", ""),
        ("x > 3", r"x \ge 3", ""),
        ("B and C", "B", ""),
        (r"1-\frac{1}{e}", r"1+\frac{1}{e}", ""),
        (r"\frac{1}{2^{99}}", r"\frac{1}{2^{98}}", ""),
        ("+1 555 010 9999", "+1 555 010 9998", ""),
        ("O(n)", "O(n^2)", ""),
        ("Yes", "No", ""),
        ("±3", "3", ""),
        ("√2", "2", ""),
        ("6√2", "62", ""),
        (r"\sqrt 2", "2", ""),
        ("√3/3", "1", ""),
        (r"\ln\frac{5}{2}", r"\frac{\ln 5}{2}", ""),
        (r"\sin\frac{x}{2}", r"\frac{\sin x}{2}", ""),
        (r"\sin^2 x", r"\sin x^2", ""),
        ("3", "2x - y = 3", ""),
        ("2x - y = 3", "x + y = 3", ""),
        ("n!", "n", ""),
        (r"1-\frac{1}{\mathrm{e}}", r"1+\frac{1}{\mathrm{e}}", ""),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", r"\begin{pmatrix} 1 & 3 \\ 2 & 4 \end{pmatrix}", ""),
        ("1,234", "1.234", ""),
    ],
)
def test_not_the_same(left: str, right: str, question: str) -> None:
    assert groups([left, right], question, equal_mathematics) == [0, 1]


def test_a_question_tells_which_option_was_meant_and_what_a_number_is_of() -> None:
    assert groups(["Oslo", "B"], "Which city? (A) Rome (B) Oslo (C) Bern") == [0, 0]
    assert groups(["25", "25%"], "What percentage is left?") == [0, 0]
    assert groups(["25", "25%"], "How many are left?") == [0, 1]


def test_an_answer_without_a_unit_joins_one_group_only() -> None:
    assert groups(["12", "12 km", "12 km", "12 miles"]) == [0, 0, 0, 1]


ANSWERS = st.lists(
    st.sampled_from(
        [
            "12",
            "12.0",
            "12 km",
            "12000 m",
            "12 miles",
            "B",
            "(B)",
            "1/2",
            "0.5",
            "50%",
            "x=1/2",
            "y = 0.5",
            "Paris",
            "[1,2)",
            "{1, 2}",
        ]
    )
    | st.text(alphabet=" 0123456789.,-/$%()xyAB=<>^", max_size=12),
    min_size=1,
    max_size=8,
)


@settings(deadline=None)
@given(ANSWERS, st.randoms())
def test_groups_do_not_depend_on_the_order(answers: list[str], random: Random) -> None:
    places = list(range(len(answers)))
    random.shuffle(places)
    straight, shuffled = groups(answers), groups([answers[place] for place in places])
    pairs = {(i, j): straight[i] == straight[j] for i in places for j in places}
    assert all(
        pairs[places[i], places[j]] == (shuffled[i] == shuffled[j]) for i in range(len(places)) for j in range(len(places))
    )


@settings(deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_reading_takes_any_text(answer: str, question: str) -> None:
    assert read_value(answer, question) == read_value(answer, question)
    hash(read_value(answer, question))


@given(st.fractions(max_denominator=1000), st.fractions(max_denominator=1000))
def test_arithmetic_is_exact(left: Fraction, right: Fraction) -> None:
    assert value_of(f"({left}) - ({right})") == left - right


@pytest.mark.parametrize("text", ["2^99999", "9^9^9", "1/0", "(" * 99, "1e99999", "x", ""])
def test_what_has_no_small_value_has_none(text: str) -> None:
    assert value_of(text) is None
