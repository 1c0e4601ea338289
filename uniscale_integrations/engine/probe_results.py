"""What probes have found of models, kept in the log, so that of all its workers one probes and the others know."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Protocol, runtime_checkable
from weakref import WeakSet

from uniscale_integrations.errors import LogError
from uniscale_integrations.log.ports import EventStore

_log = logging.getLogger(__name__)


@runtime_checkable
class LearnsContinuation(Protocol):
    """A generator that finds out by a probe whether its model continues a partial answer."""

    @property
    def continues(self) -> bool | None:
        """Whether it does; `None` as long as that is not known."""
        ...

    @property
    def continuation_identity(self) -> str:
        """The same in every process for a model that behaves the same."""
        ...

    def probe_result(self) -> Mapping[str, Any] | None:
        """What a probe has found, JSON-ready; `None` where none has."""
        ...

    def recall_probe(self, result: Mapping[str, Any]) -> None:
        """Take over what `probe_result` gave in another process."""
        ...


class ProbeResults:
    """Shares what probes have found among the workers of a log.

    A result stays for as long as the log: whoever knows better declares it, `ChatStepModel(..., continuation="prefill")`.

    Args:
        log: where they are.
        interval: seconds after which results of others are looked for again.
    """

    def __init__(self, log: EventStore, interval: float) -> None:
        self._log, self._interval = log, interval
        self._looked = -float("inf")
        self._shared = WeakSet[LearnsContinuation]()

    def due(self, models: Iterable[LearnsContinuation]) -> bool:
        """Whether there may be something to share or to learn."""
        looks = time.monotonic() - self._looked >= self._interval
        return any(
            looks if model.continues is None else model not in self._shared and model.probe_result() is not None
            for model in models
        )

    def exchange(self, models: Iterable[LearnsContinuation]) -> None:
        """Write down what was found here, and have models know what was found elsewhere; a log that fails costs a probe, no answer."""
        self._looked = time.monotonic()
        try:
            for model in models:
                if (result := model.probe_result()) is not None:
                    self._log.save_description(_key(model), result)
                    self._shared.add(model)
                elif model.continues is None and (known := self._log.load_description(_key(model))) is not None:
                    _recall(model, known)
        except LogError as error:
            _log.warning("what probes have found of models is not shared with other workers: %s", error)


def _recall(model: LearnsContinuation, known: Mapping[str, Any]) -> None:
    try:
        model.recall_probe(known)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        _log.warning("what a probe has found of a model cannot be read in the log, and is found out anew: %r", error)


def learners(models: Mapping[str, object]) -> dict[str, LearnsContinuation]:
    """Those of the models that find out by a probe, by name."""
    return {name: model for name, model in models.items() if isinstance(model, LearnsContinuation)}


def _key(model: LearnsContinuation) -> str:
    # An address may hold what is not for a log.
    return f"continuation:{blake2b(model.continuation_identity.encode(), digest_size=12).hexdigest()}"
