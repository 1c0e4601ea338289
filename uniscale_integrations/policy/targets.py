"""What an application can ask for as a whole: to be right on a share of its answers, or to keep to a mean cost.

Neither is an objective of one request. Each becomes one by the value of a right answer, a Lagrange multiplier that is solved on requests
of late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from threading import Lock
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.accuracy_pacer import AccuracyPacer
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Objective, Value, objective, objective_of_record
from uniscale_integrations.policy.policy import Assessment
from uniscale_integrations.policy.request_pacing import Pacing

MAX_VALUE_FACTOR = 1e6
"""A right answer that may cost anything is worth so many times what the dearest configuration costs, one that may not a like fraction."""


MAX_CARRY = 5.0
"""So many requests' mean cost that was left over is made use of later; what more is, is saved."""


@runtime_checkable
class Target(Protocol):
    """What is asked of requests together."""

    def pacer(self) -> Pacer:
        """What keeps to it, from a beginning."""
        ...

    def record(self) -> dict[str, Any]:
        """JSON-ready; `target_of_record` reads it back."""
        ...


class Pacer(Protocol):
    """Keeps to a target, over requests that may come from several threads."""

    def adjust(self, assessment: Assessment) -> Assessment:
        """A request's assessment under `WORTH_ONE`, with the rewards that the target makes of it.

        Raises:
            ConfigurationError: the policy does not expect what configurations cost.
        """
        ...

    def decided(self, decision: str, assessment: Assessment, action: int) -> None:
        """Count a decision."""
        ...

    def spend(self, cost: float) -> None:
        """Count what a decision has cost, or is expected to cost, in dollars or eFLOPs."""
        ...

    def revise(self, expected: float, cost: float) -> None:
        """Count what a decision has cost in the place of what it was expected to cost."""
        ...

    def judged(self, decision: str, correct: float) -> None:
        """Take note of how right an answer was."""
        ...


WORTH_ONE = Value(right=1.0)
"""The objective that policies assess a request by before a target says what a right answer is worth."""


Mode = str | Sequence[float] | Objective | Target
"""The name of a mode, three numbers of at least 0 for correctness, score and cost, an objective, or a target."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a request is after, a target told from an objective once: to ask a protocol whether an object is one takes a while.

    Attributes:
        objective: by which policies assess it; `WORTH_ONE` where there is a target, which makes another one of it.
        target: what is asked of requests together, if anything is.

    Example:
        >>> Goal.of(Value(right=0.1)), Goal.of(AtLeast(0.9)).target
        (Goal(objective=Value(right=0.1, points=None, by_score=False), target=None), AtLeast(accuracy=0.9))
    """

    objective: Objective
    target: Target | None = None

    @classmethod
    def of(cls, sought: Objective | Target) -> Self:
        """The goal that an objective or a target is."""
        return cls(WORTH_ONE, sought) if isinstance(sought, Target) else cls(sought)

    @property
    def sought(self) -> Objective | Target:
        """As given."""
        return self.objective if self.target is None else self.target


def sought(mode: Mode | Mapping[str, Any]) -> Objective | Target:
    """What a mode stands for.

    Args:
        mode: an objective or a target, which stay as they are, what `record` gave of one, or as of `weights`.

    Raises:
        ConfigurationError: none of these.

    Example:
        >>> sought("balanced"), sought(AtLeast(0.9)), sought({"within": 0.002})
        (Weights(correct=0.4, score=0.3, cost=0.3), AtLeast(accuracy=0.9), Within(mean_cost=0.002))
    """
    if isinstance(mode, Mapping):
        return target_of_record(mode) or objective_of_record(mode)
    return mode if isinstance(mode, Target) else objective(mode)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The cheapest way to be right on a share of the answers.

    Args:
        accuracy: the share, between 0 and 1.

    Raises:
        ConfigurationError: no such share.

    Example:
        >>> AtLeast(0.9)
        AtLeast(accuracy=0.9)
    """

    accuracy: float

    def __post_init__(self) -> None:
        if not (isinstance(self.accuracy, int | float) and 0.0 < self.accuracy < 1.0):
            raise ConfigurationError(
                f"AtLeast takes a share of right answers between 0 and 1, such as 0.9, got {self.accuracy!r}"
            )

    def pacer(self) -> Pacer:
        """As of `Target`."""
        return _AccuracyKeeper(self.accuracy)

    def record(self) -> dict[str, Any]:
        """As of `Target`."""
        return {"at_least": self.accuracy}


@dataclass(frozen=True, slots=True)
class Within:
    """As many right answers as a mean cost allows, which is spent on the requests where it brings most.

    Args:
        mean_cost: of a request, in dollars, or eFLOPs of models without prices.

    Raises:
        ConfigurationError: no number above 0.

    Example:
        >>> Within(0.002)
        Within(mean_cost=0.002)
    """

    mean_cost: float

    def __post_init__(self) -> None:
        if not (isinstance(self.mean_cost, int | float) and 0.0 < self.mean_cost < inf):
            raise ConfigurationError(f"Within takes a mean cost per request above 0, such as 0.002, got {self.mean_cost!r}")

    def pacer(self) -> Pacer:
        """As of `Target`."""
        return _CostKeeper(self.mean_cost)

    def record(self) -> dict[str, Any]:
        """As of `Target`."""
        return {"within": self.mean_cost}


def target_of_record(record: Mapping[str, Any]) -> Target | None:
    """The target that a `record` is of; `None` where it is of none.

    >>> target_of_record(AtLeast(0.9).record()), target_of_record({"right": 0.1})
    (AtLeast(accuracy=0.9), None)
    """
    if "at_least" in record:
        return AtLeast(float(record["at_least"]))
    return Within(float(record["within"])) if "within" in record else None


BOLD = 2.0
"""How many times as much not knowing a configuration better is worth under `AtLeast`.

Where right answers are bought at almost any price, what is cheap and was unlucky at first would never be asked again otherwise, and what it
saves never be found out.
"""


@dataclass(slots=True)
class _AccuracyKeeper:
    accuracy: float
    _pacer: AccuracyPacer = field(init=False)
    _lock: Any = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        self._pacer = AccuracyPacer(self.accuracy)

    def adjust(self, assessment: Assessment) -> Assessment:
        spend = _spend_of(assessment)
        bold = replace(assessment, bonus=BOLD * assessment.bonus)
        with self._lock:
            value = self._pacer.value(bold.correct, spend, bold.eligible, bold.bonus)
        return _at(value, bold, spend)

    def decided(self, decision: str, assessment: Assessment, action: int) -> None:
        with self._lock:
            self._pacer.decided(decision, float(assessment.correct[action]))

    def spend(self, cost: float) -> None:
        """It does not matter."""

    def revise(self, expected: float, cost: float) -> None:
        """As above."""

    def judged(self, decision: str, correct: float) -> None:
        with self._lock:
            self._pacer.judged(decision, correct)


class _CostKeeper:
    def __init__(self, mean_cost: float) -> None:
        self._pacing = Pacing(mean_cost, carry=MAX_CARRY)

    def adjust(self, assessment: Assessment) -> Assessment:
        spend = _spend_of(assessment)
        surcharge, affordable = self._pacing.terms(assessment, assessment.correct)
        # What a unit of correctness must cost at most, so that rewards are in money as of every other value.
        price = float(surcharge.max()) / _unit(spend)
        value = 1.0 / price if price > 0.0 else inf
        return _at(value, replace(assessment, eligible=affordable), spend)

    def decided(self, decision: str, assessment: Assessment, action: int) -> None:
        """What it costs is counted when it is known."""

    def spend(self, cost: float) -> None:
        self._pacing.spend(cost)

    def revise(self, expected: float, cost: float) -> None:
        self._pacing.revise(expected, cost)

    def judged(self, decision: str, correct: float) -> None:
        """It does not matter."""


def _at(value: float, assessment: Assessment, spend: Array) -> Assessment:
    """An assessment under `WORTH_ONE` where a right answer is worth so much."""
    # Where it is worth nothing the best of the cheapest answers, where it is worth anything the cheapest of the best.
    unit = _unit(spend)
    value = float(np.clip(value, unit / MAX_VALUE_FACTOR, MAX_VALUE_FACTOR * unit))
    return replace(
        assessment,
        reward=value * assessment.correct - spend,
        bonus=value * assessment.bonus,
        objective=Value(right=value),
    )


def _unit(spend: Array) -> float:
    """What the dearest configuration costs; anything where all of them are free."""
    return float(spend.max()) or 1.0


def _spend_of(assessment: Assessment) -> Array:
    if assessment.spend is None:
        raise ConfigurationError(
            "this policy does not expect what configurations cost, which AtLeast and Within need; take 'linucb'"
        )
    return assessment.spend
