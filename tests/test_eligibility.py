"""Which configurations can serve a request."""

from __future__ import annotations

import time

import pytest

from benchmarks.instant import InstantGenerator
from uniscale_integrations.cost.hardware import H100
from uniscale_integrations.engine.eligibility import MAX_COOLDOWN, MEMORY_SECONDS, CircuitBreaker, Eligibility
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.space import Configuration, ConfigurationSpace


def test_who_fails_for_hours_still_only_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    resting, now = CircuitBreaker(), 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for times in range(1, 3_000):
        resting.record_failure("small")
        assert resting.models() == {"small": times}
    now = MAX_COOLDOWN + 1.0
    assert resting.models() == {}


def test_who_was_slow_once_gets_another_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    models = {name: InstantGenerator(name=name) for name in ("fast", "slow")}
    space, asked = ConfigurationSpace.default(list(models), [(1, 1, 1)]), Conversation((Turn("user", "Why?"),))
    eligibility = Eligibility(space, models, H100, verified=False)
    eligibility.observe_seconds(Configuration("slow"), 5.0)
    assert list(eligibility.reasons(asked, Budget(seconds=1.0), {})) == [Configuration("slow")]
    now = MEMORY_SECONDS + 1.0
    assert not eligibility.reasons(asked, Budget(seconds=1.0), {})
    eligibility.observe_seconds(Configuration("slow"), 0.5)
    assert not eligibility.reasons(asked, Budget(seconds=1.0), {}), "what was a while ago is not averaged with"


def test_each_failure_in_a_row_doubles_the_rest_and_an_answer_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    resting, now = CircuitBreaker(), 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)

    def rest() -> float:
        """How long a model that has just failed is left alone."""
        nonlocal now
        resting.record_failure("small")
        began = now
        while resting.models():
            now += 0.25
        return now - began

    assert [rest() for _ in range(8)] == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, MAX_COOLDOWN, MAX_COOLDOWN]
    resting.record_success("small")
    assert rest() == 1.0


def test_how_long_it_took_of_late_counts_and_not_only_the_last_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    models = {name: InstantGenerator(name=name) for name in ("fast", "slow")}
    space, asked = ConfigurationSpace.default(list(models), [(1, 1, 1)]), Conversation((Turn("user", "Why?"),))
    eligibility = Eligibility(space, models, H100, verified=False)
    for seconds in (4.0, 4.0, 0.5):
        eligibility.observe_seconds(Configuration("slow"), seconds)
    assert list(eligibility.reasons(asked, Budget(seconds=2.0), {})) == [Configuration("slow")]
    now = MEMORY_SECONDS
    assert list(eligibility.reasons(asked, Budget(seconds=2.0), {})) == [Configuration("slow")], "so long it is remembered"
    other = Eligibility(space, models, H100, verified=False)
    other.remember(eligibility)
    assert other.reasons(asked, Budget(seconds=2.0), {}) == eligibility.reasons(asked, Budget(seconds=2.0), {})
