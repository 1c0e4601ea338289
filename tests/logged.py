"""What stands in the log of an engine."""

from __future__ import annotations

from uniscale_integrations.engine import UniScale
from uniscale_integrations.log.events import Decision, Feedback, Outcome


def decisions(engine: UniScale) -> list[Decision]:
    return [entry.event for entry in engine.log.since() if isinstance(entry.event, Decision)]


def decided(engine: UniScale) -> list[str]:
    """The ids of all decisions, in order."""
    return [decision.decision_id for decision in decisions(engine)]


def judged(engine: UniScale) -> list[Feedback]:
    return [entry.event for entry in engine.log.since() if isinstance(entry.event, Feedback)]


def outcomes(engine: UniScale) -> list[Outcome]:
    return [entry.event for entry in engine.log.since() if isinstance(entry.event, Outcome)]
