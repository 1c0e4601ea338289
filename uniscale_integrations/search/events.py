"""What happens in a search, as typed events for whoever looks; see `telemetry`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from uniscale_integrations.search.paths import Candidate, Path, PathKey

_log = logging.getLogger(__name__)

Happening = TypeVar("Happening")


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


SearchEvent = Sampled | Scored | Stopped
SearchObserver = Callable[[SearchEvent], object]


def tell(observers: Sequence[Callable[[Happening], object]], event: Happening) -> None:
    """Tell everybody who looks; what one of them raises is logged and changes nothing.

    Example:
        >>> seen = []
        >>> tell([seen.append], Stopped(()))
        >>> seen
        [Stopped(paths=(), decision_id='')]
    """
    for observer in observers:
        try:
            observer(event)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            # A cancellation that an observer has caused is none of the request.
            _log.warning("an observer raised at %s, which changes nothing but what it saw", type(event).__name__, exc_info=True)
