"""Budgets and the meter that watches them."""

from __future__ import annotations

import pytest

from uniscale_integrations.cost.hardware import profile
from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.search.budget import Budget, Meter


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
@pytest.mark.parametrize("name", ["eflops", "usd", "tokens", "seconds"])
def test_a_limit_must_be_a_number_above_zero(name: str, limit: float) -> None:
    with pytest.raises(ConfigurationError, match=f"a budget of {name} must be a number above 0, got {limit!r}"):
        Budget(**{name: limit})


def test_without_limits_nothing_is_exceeded() -> None:
    meter = Meter(Budget(), profile("h100"))
    meter.charge(Usage(prompt_tokens=1e12, usd=1e6))
    assert not meter.limited
    assert meter.excess() == ""
    assert meter.remaining_seconds() is None


@pytest.mark.parametrize(
    ("budget", "within", "beyond"),
    [
        (Budget(tokens=10), Usage(prompt_tokens=4, completion_tokens=6), Usage(prompt_tokens=5, completion_tokens=6)),
        (Budget(usd=0.5), Usage(usd=0.5), Usage(usd=0.51)),
        (Budget(eflops=1e9), Usage(compute=1e9), Usage(compute=1.1e9)),
        (Budget(eflops=1e9), Usage(traffic=1e6), Usage(traffic=1e8)),
    ],
)
def test_a_limit_may_be_reached_but_not_exceeded(budget: Budget, within: Usage, beyond: Usage) -> None:
    for usage, broken in ((within, False), (beyond, True)):
        meter = Meter(budget, profile("h100"))
        assert bool(meter.excess(usage)) is broken
        meter.charge(usage)
        assert bool(meter.excess()) is broken


def test_what_was_spent_and_what_is_planned_count_together() -> None:
    meter = Meter(Budget(tokens=10), profile("h100"))
    meter.charge(Usage(prompt_tokens=6))
    meter.charge(Usage(completion_tokens=3))
    assert meter.excess(Usage(completion_tokens=1)) == ""
    assert meter.excess(Usage(completion_tokens=2)) == "budget of 10 tokens, 11 needed to go on"


def test_the_first_broken_limit_is_the_one_named() -> None:
    meter = Meter(Budget(tokens=10, usd=1), profile("h100"))
    assert "1 usd" in meter.excess(Usage(usd=2))
    assert "10 tokens" in meter.excess(Usage(prompt_tokens=20))


def test_time_runs_from_the_start_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("uniscale_integrations.search.budget.monotonic", lambda: now)
    meter = Meter(Budget(seconds=2), profile("h100"))
    now = 101.5
    assert meter.remaining_seconds() == 0.5
    assert meter.excess() == ""
    now = 103.0
    assert meter.seconds == 3.0
    assert meter.remaining_seconds() == 0.0
    assert meter.excess() == "deadline of 2 s, 3 s have passed"
