"""What a request consists of: decisions, what came of them, and both together as attempts."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from typing import Any, Final, Generic, TypeVar

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.objective import Expectation
from uniscale_integrations.policy.policy import Assessment

Answer_co = TypeVar("Answer_co", covariant=True)
"""What an answer is, which is no matter of rounds."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The action of asking no further model: the answer that is kept is the request's."""


STOP: Final = Stop()

Action = int | Stop
"""The index of a configuration, or `STOP`."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of an episode.

    Attributes:
        number: counted from 0 within the episode.
        action: the configuration to ask, or `STOP`.
        expected: of the whole episode with this action, all that was spent before counted.
        propensity: with which it was chosen, in (0, 1].
        assessment: that it was chosen from, of every configuration and, once there is an answer, of stopping; `None` of one that is read
            from a log.
    """

    number: int
    action: Action
    expected: Expectation
    propensity: float = 1.0
    assessment: Assessment | None = field(default=None, repr=False, compare=False)

    @property
    def stops(self) -> bool:
        """Whether it asks nobody."""
        return isinstance(self.action, Stop)

    @property
    def configuration(self) -> int:
        """The configuration to ask.

        Raises:
            ConfigurationError: it stops.
        """
        if isinstance(self.action, Stop):
            raise ConfigurationError("a decision to stop has no configuration; look at `stops` first")
        return self.action


@dataclass(frozen=True, slots=True)
class Answered(Generic[Answer_co]):
    """An attempt brought an answer.

    Attributes:
        answer: whatever it is.
        score: the verifier's, in [0, 1]; `None` where nothing scored it.
        spend: what the attempt has cost, in dollars or eFLOPs.
        output_tokens: that were sampled, on all paths together, where they are known.
        input_tokens: that were read, likewise.
        verifier: the name of what scored it; scores of one verifier say nothing of another's.
        counted: whether anybody counted what it has cost.
        complete: whether the answer is whole: not cut off, filtered or empty.

    Raises:
        ConfigurationError: a score out of [0, 1], or a cost that is negative or not finite.
    """

    answer: Answer_co
    score: float | None
    spend: float
    output_tokens: float | None = None
    input_tokens: float | None = None
    verifier: str = ""
    counted: bool = True
    complete: bool = True

    def __post_init__(self) -> None:
        if self.score is not None and not 0.0 <= self.score <= 1.0:
            raise ConfigurationError(f"a score must lie in [0, 1], got {self.score!r}; give None where nothing scored the answer")
        _require_spend(self.spend)


@dataclass(frozen=True, slots=True)
class Failed:
    """An attempt failed.

    Attributes:
        error: why.
        spend: what it has cost all the same, in dollars or eFLOPs.

    Raises:
        ConfigurationError: a cost that is negative or not finite.
    """

    error: Exception
    spend: float = 0.0

    def __post_init__(self) -> None:
        _require_spend(self.spend)


@dataclass(frozen=True, slots=True)
class Attempt(Generic[Answer_co]):
    """A decision and what came of it.

    Attributes:
        decision: to ask a configuration.
        came: an answer or a failure.
        belief: how right the answer was believed to be once its score was seen, in [0, 1]; 0 of a failure, and of what is no whole answer.
    """

    decision: Decision
    came: Answered[Answer_co] | Failed
    belief: float = 0.0

    @property
    def answered(self) -> bool:
        """Whether it brought an answer."""
        return isinstance(self.came, Answered)

    @property
    def complete(self) -> bool:
        """Whether that is a whole one."""
        return isinstance(self.came, Answered) and self.came.complete

    @property
    def score(self) -> float | None:
        """The verifier's; `None` of a failure too."""
        return self.came.score if isinstance(self.came, Answered) else None

    @property
    def verifier(self) -> str:
        """The name of what scored the answer."""
        return self.came.verifier if isinstance(self.came, Answered) else ""


Attempts = tuple[Attempt[Any], ...]
"""Of one request, the first one first."""


def _require_spend(spend: float) -> None:
    if not 0.0 <= spend < inf:
        raise ConfigurationError(f"what an attempt has cost must be a finite number of at least 0, got {spend!r}")
