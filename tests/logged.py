"""What stands in the log of an engine."""

from __future__ import annotations

from uniscale_integrations.engine import UniScale
from uniscale_integrations.log.events import DecisionEvent, Feedback, Outcome
from uniscale_integrations.log.sql import SQLStore
from uniscale_integrations.policy.default_policy import LinUCBPolicy


def decisions(engine: UniScale) -> list[DecisionEvent]:
    return [entry.event for entry in engine.log.since() if isinstance(entry.event, DecisionEvent)]


def decided(engine: UniScale) -> list[str]:
    """The ids of all decisions, in order."""
    return [decision.decision_id for decision in decisions(engine)]


def judged(engine: UniScale) -> list[Feedback]:
    return [entry.event for entry in engine.log.since() if isinstance(entry.event, Feedback)]


def outcomes(engine: UniScale) -> list[Outcome]:
    return [entry.event for entry in engine.log.since() if isinstance(entry.event, Outcome)]


def store(engine: UniScale) -> SQLStore:
    """The log as the database that it is in."""
    assert isinstance(engine.log, SQLStore)
    return engine.log


def learned(engine: UniScale) -> LinUCBPolicy:
    """The policy."""
    policy = engine._knowledge.replica.fold.policy
    assert isinstance(policy, LinUCBPolicy)
    return policy
