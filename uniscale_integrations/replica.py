"""A worker's copy of what was learned, kept in step with the log while requests go on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from threading import Lock, RLock
from typing import Any

from numpy.typing import NDArray

from uniscale_integrations.errors import LogError
from uniscale_integrations.log.fold import Fold
from uniscale_integrations.log.log import Entry
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.learner import Assessment
from uniscale_integrations.policy.objective import Weights
from uniscale_integrations.recalibration import Recalibration


class Replica:
    """Folds the log: its own worker's events as they are written, those of others at intervals.

    Any thread may call anything. The log is read without holding up those who only want to know what is learned so far.

    Args:
        fold: from the log to the learner.
        interval: seconds after which others' events are looked for, at the latest.
        recalibration: of the verifier, where it is wanted.
    """

    def __init__(self, fold: Fold, interval: float, recalibration: Recalibration | None = None) -> None:
        self.fold = fold
        self._interval, self._recalibration = interval, recalibration
        self._lock, self._syncing = Lock(), RLock()
        self._stale, self._synced = True, 0.0

    def assess(self, features: Array, weights: Weights, eligible: NDArray[Any]) -> Assessment:
        """What is expected of every configuration, as far as the log has been folded."""
        with self._lock:
            return self.fold.learner.assess(features, weights, eligible)

    def follow(self, written: Sequence[Entry]) -> None:
        """Learn from what this worker has just logged, or later with what others have, where that came in between."""
        with self._lock:
            if not self.fold.follow(written):
                self._stale = True

    def sync(self) -> int:
        """Learn now what any worker has logged since; returns how many events that were.

        Raises:
            LogError: the log cannot be read, or a snapshot or a calibration not be written.
        """
        with self._syncing:
            self._stale, self._synced = False, time.monotonic()
            new = 0
            while entries := self.fold.log.since(self.fold.position):
                with self._lock:
                    new += self.fold.apply_new(entries)
            if self.fold.worth_keeping:
                self._keep()
            if self._recalibration is not None:
                self._recalibration.refresh(self.fold.learner.components.feedback)
            return new

    def sync_if_due(self) -> None:
        """Learn what others have logged, if it is time to."""
        if self._due:
            self.sync()

    async def async_if_due(self) -> list[str]:
        """The same, off the event loop; a log that cannot be read is told of, and what is known already has to do."""
        if not self._due:
            return []
        # Whoever asks next meanwhile need not wait for the log, too.
        self._stale, self._synced = False, time.monotonic()
        try:
            await asyncio.to_thread(self.sync)
        except LogError as error:
            return [f"decided without what others have logged of late: {error}"]
        return []

    def snapshot(self) -> None:
        """Keep everything that is in the log now as a snapshot.

        Raises:
            LogError: it could not be read or written.
        """
        with self._syncing:
            self.sync()
            self._keep()

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that was learned so far, as arrays."""
        with self._lock:
            return self.fold.learner.state()

    @property
    def _due(self) -> bool:
        return self._stale or time.monotonic() - self._synced > self._interval

    def _keep(self) -> None:
        with self._lock:
            name, position, state = self.fold.snapshot()
        self.fold.log.save_snapshot(name, position, state)
