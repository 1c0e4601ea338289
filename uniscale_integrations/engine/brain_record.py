"""A brain as the log describes it, written and read again, so that another process can fold the log as this one does."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.duplicate_arms import DuplicateArms
from uniscale_integrations.engine.design import Design
from uniscale_integrations.engine.estimates import Estimates
from uniscale_integrations.engine.price_history import PriceHistory
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.log.feedback_rules import FeedbackRules
from uniscale_integrations.log.fold import Costs
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.policy.actions import ActionFeatures
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.named import PolicySpec
from uniscale_integrations.policy.policy import Policy
from uniscale_integrations.policy.rates import Rates
from uniscale_integrations.policy.schema import FeatureSchema
from uniscale_integrations.rounds.ports import LearnsFromRounds
from uniscale_integrations.space import Configuration

_log = logging.getLogger(__name__)

UNREADABLE = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, RecursionError)
"""What reading a description ends in that is of another version, or that somebody else has written."""


def describe(design: Design, estimates: Estimates, duplicates: DuplicateArms) -> dict[str, Any]:
    """A design as the log keeps it; see `Brain.record`."""
    schema = design.encode.schema
    return {
        "policy": design.policy.record(),
        "configurations": [[each.model, *each.shape] for each in design.space],
        "sizes": dict(design.sizes or {}),
        "encoder": design.encode.name,
        "features": list(schema.names),
        "kinds": sorted(schema.kinds),
        "scale": [estimates.scale.cheapest, estimates.scale.dearest],
        "costs": estimates.positions.tolist(),
        "dollars": estimates.in_dollars,
        "rates": estimates.rates.record(),
        "verifier": None if design.verifier is None else design.verifier.name,
        **duplicates.record(),
    } | ({} if design.feedback.default else {"feedback": design.feedback.record()})


def duplicates_of(record: Mapping[str, Any]) -> DuplicateArms:
    """Which configurations run the same search, as a brain knew when it was described."""
    return DuplicateArms.of(record)


def restore(
    log: EventStore, key: str, record: Mapping[str, Any], policies: Collection[str] = ()
) -> tuple[Arms, Policy | LearnsFromRounds, Costs]:
    """What a brain learned with, made again from what the log describes: its arms, a policy that has learned nothing yet, and the costs.

    Args:
        log: describes this brain and those before it.
        key: under which it does.
        record: the description.
        policies: that may be imported beside those of this package, as of `PolicySpec.of`.

    Raises:
        ConfigurationError: a policy that is not allowed or cannot be imported here, or a description that is none.
    """
    try:
        return _restore(log, key, record, policies)
    except ConfigurationError:
        raise
    except UNREADABLE as error:
        raise ConfigurationError(f"its description in the log cannot be read: {error!r:.200}") from error


def _restore(
    log: EventStore, key: str, record: Mapping[str, Any], policies: Collection[str]
) -> tuple[Arms, Policy | LearnsFromRounds, Costs]:
    schema = FeatureSchema(tuple(record["features"]), frozenset(record["kinds"]))
    scale = CostScale(*record["scale"])
    configurations = [Configuration(model, *shape) for model, *shape in record["configurations"]]
    features, has_scores = ActionFeatures(record["sizes"]), record["verifier"] is not None
    # Brains of before there were rates tell what they expected of each whole cost.
    rates = Rates.of_record(record["rates"]) if "rates" in record else None
    arms = Arms.of(configurations, schema, record["costs"], features=features, scored=has_scores, span=scale.span, rates=rates)
    return arms, PolicySpec.of(record["policy"], policies).learner(arms), PriceHistory(log, key, record)


def rules_of(record: Mapping[str, Any]) -> FeedbackRules:
    """How a described brain learns from feedback; as by default where the description cannot be read."""
    try:
        return FeedbackRules.restore(record.get("feedback"))
    except UNREADABLE as error:
        _log.warning("how feedback is learned from cannot be read in the log, and is taken to be as by default: %r", error)
        return FeedbackRules()
