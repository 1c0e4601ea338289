"""A request to an engine, with everything that it says about how to answer it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic

from uniscale_integrations.engine.continuation import Continuation
from uniscale_integrations.log.events import new_id
from uniscale_integrations.policy.targets import Goal
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import Conversation, Emit
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.telemetry import Observer

INSTANT = 1e-3
"""Seconds: a budget of none is no budget."""


@dataclass(frozen=True, slots=True, eq=False)
class EngineRequest:
    """One request; several decisions may be taken for it.

    Attributes:
        conversation: the conversation.
        query: what the log keeps a hash of, or the text.
        goal: what it is after.
        limits: what it may cost.
        sampling: how to draw.
        observers: are told what happens.
        emit: takes the pieces of an answer while it is made.
        has_output: whether any of the answer has been shown already, beside those pieces.
        continues: the tool loop or the session that it goes on with.
        rounds: answers that may be looked at before one is given; the last of them cannot be followed.
        id: of the request; it may take several decisions.
        began: when it came, by `time.monotonic`.
    """

    conversation: Conversation
    query: str | Conversation
    goal: Goal
    limits: Budget
    sampling: Sampling = Sampling()
    observers: tuple[Observer, ...] = ()
    emit: Emit | None = None
    has_output: Callable[[], bool] = lambda: False
    continues: Continuation | None = None
    rounds: int = 1
    id: str = field(default_factory=new_id)
    began: float = field(default_factory=monotonic)

    @property
    def in_time(self) -> bool:
        """Whether its deadline, if it has one, is still to come."""
        seconds = self.remaining.seconds
        return seconds is None or seconds > INSTANT

    @property
    def remaining(self) -> Budget:
        """What is left of its limits: its deadline is one for all decisions; where it has passed, an instant."""
        if self.limits.seconds is None:
            return self.limits
        return replace(self.limits, seconds=max(self.limits.seconds - (monotonic() - self.began), INSTANT))
