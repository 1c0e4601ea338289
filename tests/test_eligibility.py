"""Which configurations can serve a request."""

from __future__ import annotations

import time

import pytest

from benchmarks.instant import InstantGenerator
from uniscale_integrations.cost.hardware import H100
from uniscale_integrations.engine.eligibility import LONGEST_REST, REMEMBERED, Eligibility, Resting
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.space import Configuration, ConfigurationSpace


def test_who_fails_for_hours_still_only_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    resting, now = Resting(), 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    for times in range(1, 3_000):
        resting.failed("small")
        assert resting.models() == {"small": times}
    now = LONGEST_REST + 1.0
    assert resting.models() == {}


def test_who_was_slow_once_gets_another_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    models = {name: InstantGenerator(name=name) for name in ("fast", "slow")}
    space, asked = ConfigurationSpace.default(list(models), [(1, 1, 1)]), Conversation((Turn("user", "Why?"),))
    eligibility = Eligibility(space, models, [1.0, 1.0], H100, verified=False)
    eligibility.took(Configuration("slow"), 5.0)
    assert list(eligibility.masked(asked, Budget(seconds=1.0), {})) == [Configuration("slow")]
    now = REMEMBERED + 1.0
    assert not eligibility.masked(asked, Budget(seconds=1.0), {})
    eligibility.took(Configuration("slow"), 0.5)
    assert not eligibility.masked(asked, Budget(seconds=1.0), {}), "what was a while ago is not averaged with"
