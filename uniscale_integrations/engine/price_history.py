"""What outcomes have cost at the prices of their time, on the scale of today."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.log.events import Outcome
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.space import Configuration

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pricing:
    """What a brain expected its configurations to cost.

    Attributes:
        scale: which these costs span.
        expected: `C~` of each configuration.
        dollars: whether costs were counted in dollars, and not in eFLOPs.
    """

    scale: CostScale
    expected: Mapping[Configuration, float]
    dollars: bool

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Self:
        """As the log describes it; see `Brain.record`."""
        configurations = [Configuration(model, *shape) for model, *shape in record["configurations"]]
        expected = dict(zip(configurations, record["costs"], strict=True))
        return cls(CostScale(*record["scale"]), expected, bool(record["dollars"]))

    def position(self, outcome: Outcome) -> float:
        """`C~` of an outcome, in [0, 1]."""
        return self.scale.position(outcome.usd if self.dollars else outcome.eflops or outcome.usd)


class PriceHistory:
    """The `Costs` of a fold over a log in which prices, models and configurations have changed.

    What an outcome tells of a configuration is by which factor it cost more than was expected, at the prices of its time. That factor is
    taken to today's expectation. So a fold over the whole log gives what an engine has learned that lived through the changes.

    Args:
        log: describes the brains that decided.
        key: of the brain that learns.
        record: of the same; see `Brain.record`.
    """

    def __init__(self, log: EventStore, key: str, record: Mapping[str, Any]) -> None:
        self._log, self._now = log, Pricing.of(record)
        self._then: dict[str, Pricing | None] = {key: self._now, "": None}

    def position(self, outcome: Outcome, configuration: Configuration, brain: str) -> float:
        """`C~` of an outcome, as of `Costs`; that of a brain which the log does not describe counts at the prices of today."""
        then, now = self._pricing(brain), self._now
        if then is None or then is now or configuration not in then.expected:
            return now.position(outcome)
        factor = (then.position(outcome) - then.expected[configuration]) * then.scale.span
        return now.expected[configuration] + factor / now.scale.span

    def _pricing(self, brain: str) -> Pricing | None:
        if brain not in self._then:
            record = self._log.load_description(brain)
            self._then[brain] = None if record is None else _pricing_of(record, brain)
        return self._then[brain]


def _pricing_of(record: Mapping[str, Any], brain: str) -> Pricing | None:
    try:
        return Pricing.of(record)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        _log.warning("what %s expected of costs cannot be read, and its answers count at the prices of today: %r", brain, error)
        return None
