"""Recomputing the arithmetic of a step."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniscale_integrations.concurrency.processes import WORKERS
from uniscale_integrations.search.paths import Candidate, Path, PathKey
from uniscale_integrations.verifiers import MathVerifier
from uniscale_integrations.verifiers.arithmetic import judge_arithmetic


@pytest.mark.parametrize(
    ("step", "verdict"),
    [
        ("3 + 4 = 7", 1.0),
        ("3 + 4 = 8", 0.0),
        ("3 + 4 = 7, and 7 * 2 = 15", 0.0),
        ("17 / 3 = 5.67", 1.0),
        ("17 / 3 = 5.66", 0.0),
        ("17 / 3 = 6", 0.0),
        ("1 / (2 - 2) = 3", 0.0),
        ("80 * 50% = 40", 1.0),
        ("30 / 50% = 60", 1.0),
        ("2^0.5 = 1.41", 1.0),
        ("2^0.5 = 1.5", 0.0),
        ("10^400 = 1.5", 0.0),
        ("123456789123456789 + 1 = 123456789123456790", 1.0),
        ("1 + 1 = 2, " * 1000, 1.0),
        ("I like 7", None),
        ("x + 4 = 8", None),
        ("9^9^9 + 1 = 3", None),
    ],
)
def test_a_false_equality_sinks_the_step_and_no_claim_is_no_verdict(step: str, verdict: float | None) -> None:
    assert asyncio.run(judge_arithmetic(step)) == verdict


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 99), st.sampled_from("+-*"), st.integers(0, 99), st.integers(-1, 1))
def test_true_results_pass_and_wrong_ones_fail(left: int, operator: str, right: int, error: int) -> None:
    true = {"+": left + right, "-": left - right, "*": left * right}[operator]
    assert asyncio.run(judge_arithmetic(f"so {left} {operator} {right} = {true + error}")) == float(error == 0)


def test_steps_without_claims_get_the_greatest_score() -> None:
    candidate = Candidate(("Let us see\n", "3 + 4 = 8\n"), False)
    assert asyncio.run(MathVerifier().open("3 + 4?").score([(Path(PathKey(0, ())), candidate)]))[0][0] == (1.0, 0.0)


@pytest.fixture
def only_the_standard_library(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Processes that find this package and the standard library alone."""
    WORKERS.close()
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if "site-packages" not in entry])
    yield
    WORKERS.close()


@pytest.mark.usefixtures("only_the_standard_library")
def test_without_math_verify_numbers_are_judged_and_roots_are_not() -> None:
    candidate = Candidate(("3 + 4 = 8\n", "2^0.5 = 1.5\n"), False)
    assert asyncio.run(MathVerifier().open("3 + 4?").score([(Path(PathKey(0, ())), candidate)]))[0][0] == (0.0, 1.0)
