"""What an engine can be made of, and what not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.engine.two_models import QUESTIONS, Half, Saying, engine
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import (
    ConfigurationError,
    UniScaleError,
    UnknownDecisionError,
)
from uniscale_integrations.log.log import open_log
from uniscale_integrations.policy.default_policy import LearnerSettings
from uniscale_integrations.space import Configuration, ConfigurationSpace


def test_what_cannot_be_is_refused() -> None:
    small = Saying("small", 1e6)
    with pytest.raises(ConfigurationError, match="needs at least one model"):
        UniScale([])
    with pytest.raises(ConfigurationError, match="two models are named 'small'"):
        UniScale([small, small])
    with pytest.raises(ConfigurationError, match=r"the space has \(other,1,1,1\), but the models are small"):
        UniScale([small], Half(), ConfigurationSpace([Configuration("other")]))
    with pytest.raises(ConfigurationError, match="no mode 'cheap'"):
        UniScale([small], Half(), mode="cheap")
    with pytest.raises(ConfigurationError, match="max_cost must be a number above 0"):
        UniScale([small], Half(), max_cost=0.0)
    made = engine()
    with pytest.raises(ConfigurationError, match="the question is empty"):
        made.run("  ")
    with pytest.raises(ConfigurationError, match="this answer belongs to no decision"):
        made.feedback(replace(made.run(QUESTIONS[0]), decision_id=None), 1.0)
    with pytest.raises(UnknownDecisionError, match="the log has no decision 'nobody'"):
        made.feedback("nobody", 1.0)
    with pytest.raises(ConfigurationError, match=r"correct must be a number in \[0, 1\]"):
        made.feedback(made.run(QUESTIONS[0]), 2.0)


def test_the_embedded_family_needs_nothing_but_its_name() -> None:
    made = UniScale(["uniscale-0.3m", "uniscale-1m"], settings=LearnerSettings())
    answer = made.run("What is 12 + 30 - 7?")
    assert answer.answer is not None
    assert answer.score is not None
    assert made.feedback(answer, answer.answer == "35")
    costs = made.brain.estimates.costs
    assert costs[0] < costs[-1], "a plain sample costs less than a search"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"verifier": "agreemnt"}, "no verifier 'agreemnt': there are none, self-certainty, agreement"),
        ({"verifier": 3}, "a verifier must be one of"),
        ({"verifier": print}, "CallableVerifier takes a function"),
        ({"models": "uniscale-3m"}, "a list, got 'uniscale-3m'"),
    ],
)
def test_what_cannot_be_a_verifier_or_models_is_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UniScaleError, match=message):
        UniScale(**{"models": ["uniscale-0.3m"]} | settings)


def test_it_closes_its_log_at_the_end_of_a_block(log: str) -> None:
    with UniScale(["uniscale-0.3m"], log=log) as engine:
        answer = engine.run("What is 2 + 3?")
        assert "uniscale-0.3m; 8 configurations, log sqlite:///" in repr(engine)
    with UniScale(["uniscale-0.3m"], log=log) as engine:
        assert engine.feedback(answer.decision_id, 1.0)


def test_an_open_log_is_its_owners_to_close() -> None:
    log = open_log("sqlite://")
    with UniScale([Saying("small", 1e6)], Half(), log=log, rounds=1) as made:
        made.run(QUESTIONS[0])
    assert log.counts() == {"decision": 1, "outcome": 1}
