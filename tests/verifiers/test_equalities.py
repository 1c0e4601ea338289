"""Reading arithmetic claims out of text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.verifiers.equalities import claimed_equalities


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("So 3 + 4 = 7 apples.", [("3+4", "7")]),
        ("1. 3 + 4 = 7", [("3+4", "7")]),
        ("- 3 + 4 = 7", [("3+4", "7")]),
        ("**3 + 4 = 7**", [("3+4", "7")]),
        ("Step 1: 3 + 4 = 7, 2 + 2 = 5. 1 + 1 = 2", [("3+4", "7"), ("2+2", "5"), ("1+1", "2")]),
        ("n = (3 + 4) * 2 = 7 * 2 = 14", [("(3+4)*2", "7*2"), ("7*2", "14")]),
        ("3 + 4 = 7 = 8", [("3+4", "7"), ("7", "8")]),
        ("8 = 2 * 4", [("8", "2*4")]),
        ("48/2 = <<48/2=24>>24", [("48/2", "24")]),
        ("$3 + $4 = $7", [("3+4", "7")]),
        (r"\(3 \times 4 = 12\)", [("3*4", "12")]),
        (r"\frac{6}{2} = 3", [("((6)/(2))", "3")]),
        ("1,000 + 234 = 1,234", [("1000+234", "1234")]),
        ("2 x 3 = 6 and 2**10 = 1024", [("2*3", "6"), ("2^10", "1024")]),
        ("80 * 50% = 40", [("80*50%", "40")]),
        ("3.5 + .5 = 4.", [("3.5+.5", "4")]),
        ("1 + 2 = 3 (since 1)", [("1+2", "3")]),
    ],
)
def test_claims_are_read(text: str, claims: list[tuple[str, str]]) -> None:
    assert [tuple(claim) for claim in claimed_equalities(text)] == claims


@pytest.mark.parametrize(
    "text",
    [
        "2x + 3 = 7",
        "x - 3 = 4 + 1",
        "10 + 4 = 2x",
        "3 + 4 = 7 + y",
        "f(3) = 9",
        "C(5, 2) = 10",
        "5! = 120",
        "60 * 2 = 5!",
        "2(3+4) = 14",
        "((3+4)*2 = 14",
        "17 / 3 = 5 remainder 2",
        "3:00 + 2 = 5:00",
        "3 + 4 >= 7 and 3 + 4 == 7",
        "3 apples + 4 apples = 7 apples",
        "7 = 7, n = 7",
        "3 + 4 =",
        "",
    ],
)
def test_what_may_be_algebra_or_a_unit_claims_nothing(text: str) -> None:
    assert claimed_equalities(text) == []


@given(st.text(alphabet="0123456789+-*/^()=. x,%$\n", max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    for left, right in claimed_equalities(text):
        assert left.count("(") == left.count(")")
        assert right
