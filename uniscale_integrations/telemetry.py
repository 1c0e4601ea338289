"""What happens while a request is served, as typed events for whoever looks: progress, traces, metrics.

Observers are told and asked nothing: what one returns is ignored, and what it raises is logged as a warning. So that somebody looks never
changes an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from uniscale_integrations.engine.journal import Conclusion, Decision
from uniscale_integrations.log.events import Event as LogEvent
from uniscale_integrations.log.ports import Spooled
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.events import Sampled, Scored, Stopped

__all__ = ["Concluded", "Decided", "Ended", "Event", "Logged", "Observer", "Sampled", "Scored", "Stopped"]


@dataclass(frozen=True, slots=True)
class Decided:
    """A configuration was chosen.

    Attributes:
        decision: with what was expected of it.
    """

    decision: Decision


@dataclass(frozen=True, slots=True)
class Concluded:
    """It was decided to ask nobody further, once an answer was seen.

    Attributes:
        conclusion: with what was expected of going on.
    """

    conclusion: Conclusion


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt has ended.

    Attributes:
        decision_id: its decision.
        answer: what came of it; `None` where nothing did.
        error: why not.
    """

    decision_id: str
    answer: Answer | None = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Logged:
    """Events are in the log, wait for it, or could not be written.

    Attributes:
        events: which.
        error: why they will not be there; `None` where they will.
        spooled: why they are not there yet, and where they are kept; `None` where they are.
    """

    events: tuple[LogEvent, ...]
    error: Exception | None = None
    spooled: Spooled | None = None


Event = Decided | Concluded | Sampled | Scored | Stopped | Ended | Logged
Observer = Callable[[Event], object]
"""Takes an event at once, on the thread or event loop that it happens on, which waits for it."""
