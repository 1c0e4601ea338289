"""What happens while a request is served, as typed events for whoever looks: progress, traces, metrics.

Observers are told and asked nothing: what one returns is ignored, and what it raises is logged as a warning. So that somebody looks never
changes an answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uniscale_integrations.engine.journal import Decision
    from uniscale_integrations.log.events import Event as LogEvent
    from uniscale_integrations.search.paths import Candidate, Path, PathKey
    from uniscale_integrations.search.run import Answer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Decided:
    """A configuration was chosen.

    Attributes:
        decision: with what was expected of it.
    """

    decision: Decision


@dataclass(frozen=True, slots=True)
class Sampled:
    """A model has given candidates for the next step of a path, or for a whole answer.

    Attributes:
        path: which path they continue.
        candidates: what it gave; a failed one says why in its `error`.
        decision_id: the decision that they belong to; empty where no engine decides.
    """

    path: PathKey
    candidates: tuple[Candidate, ...]
    decision_id: str = ""


@dataclass(frozen=True, slots=True)
class Scored:
    """The search has taken candidates, with the verifier's scores.

    Attributes:
        contenders: paths that may still become the answer, or on which it may be built.
        count: how many paths there have been.
        best: value of the best finished path; `None` where none has one.
        decision_id: as of `Sampled`.
    """

    contenders: tuple[Path, ...]
    count: int
    best: float | None
    decision_id: str = ""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Paths were given up: they can no longer win, fell out of the beam, or failed.

    Attributes:
        paths: each with its `fate` and the `reason`.
        decision_id: as of `Sampled`.
    """

    paths: tuple[Path, ...]
    decision_id: str = ""


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
    """Events are in the log, or could not be written.

    Attributes:
        events: which.
        error: why they are not there; `None` where they are.
    """

    events: tuple[LogEvent, ...]
    error: Exception | None = None


Event = Decided | Sampled | Scored | Stopped | Ended | Logged
Observer = Callable[[Event], object]
"""Takes an event at once, on the thread or event loop that it happens on, which waits for it."""


def tell(observers: Sequence[Observer], event: Event) -> None:
    """Tell everybody who looks.

    Example:
        >>> seen = []
        >>> tell([seen.append], Logged(()))
        >>> seen
        [Logged(events=(), error=None)]
    """
    for observer in observers:
        try:
            observer(event)
        except Exception:
            _log.warning("an observer raised at %s, which changes nothing but what it saw", type(event).__name__, exc_info=True)
