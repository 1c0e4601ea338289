"""A worker's copy of what was learned, kept in step with the log while requests go on."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future, wait
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from uniscale_integrations.concurrency.forks import ForkLock, follow_forks
from uniscale_integrations.concurrency.threads import begin_in_thread, wait_a_while
from uniscale_integrations.engine.continuation import Continuation, Replies, continuation_of
from uniscale_integrations.engine.pacers import Pacers
from uniscale_integrations.engine.recalibration import Recalibration
from uniscale_integrations.errors import LogError
from uniscale_integrations.log.fold import Fold
from uniscale_integrations.log.ports import Entry, WriteResult
from uniscale_integrations.policy.heads import whole_heads
from uniscale_integrations.policy.objective import Objective
from uniscale_integrations.policy.policy import Assessment, Choice, Context, Mask
from uniscale_integrations.rounds.context import RoundContext
from uniscale_integrations.rounds.ports import RoundsPolicy
from uniscale_integrations.search.conversation import Conversation

PATIENCE = 0.02
"""Seconds that a decision waits at most for what other workers have logged; it is learned in the background, for the decisions after it."""

CLOSING = 1.0
"""Seconds that closing waits for what is being read."""

LATE = 1.0
"""Seconds after which it is said that decisions are taken without it."""

SLICE = 4
"""Events that are folded while decisions wait."""

MANY = 100
"""Events whose folding is worth the time that it takes to say how."""

_log = logging.getLogger(__name__)


class Replica:
    """Folds the log: its own worker's events as they are written, those of others at intervals.

    Any thread may call anything. The log is read without holding up those who only want to know what is learned so far.

    Attributes:
        replies: which model gave which reply, of this worker and of others.

    Args:
        fold: from the log to the policy.
        interval: seconds after which others' events are looked for, at the latest.
        recalibration: of the verifier, where it is wanted.
        seed: of what the policy draws; by chance by default.
    """

    def __init__(self, fold: Fold, interval: float, recalibration: Recalibration | None = None, seed: int | None = None) -> None:
        self.fold = fold
        self._interval, self._recalibration = interval, recalibration
        self._lock, self._syncing = ForkLock(), ForkLock(reentrant=True, brief=False)
        follow_forks(self)
        self._background: Future[int] | None = None
        self._told: Future[int] | None = None
        self._closed = False
        self._begun = 0.0
        self._stale, self._synced = True, 0.0
        self._rng = np.random.default_rng(seed)
        self.pacers, self.replies = Pacers(), Replies()
        fold.judged = self.pacers.judged
        self._has_warned = False

    def after_fork(self) -> None:
        """What is being read is read by the other process."""
        self._background, self._stale = None, True

    def assess(self, policy: RoundsPolicy, context: RoundContext, objective: Objective, eligible: Mask) -> Assessment:
        """What a policy expects of every configuration, as far as the log has been folded."""
        with self._lock:
            return policy.assess(context, objective, eligible)

    def believe(self, policy: RoundsPolicy, request: Context, action: int, score: float | None, verifier: str) -> float:
        """How right a policy believes an answer to be."""
        with self._lock:
            return policy.believe(request, action, score, verifier)

    def choose(self, policy: RoundsPolicy, assessment: Assessment) -> Choice:
        """What a policy makes of that."""
        with self._lock:
            return policy.choose(assessment, self._rng)

    def follow(self, result: WriteResult) -> None:
        """Learn from what this worker has just logged, or later with what others have, where that came in between."""
        try:
            recalled = self._recalled(result.entries)
            with self._lock:
                if not self.fold.follow(result, recalled):
                    self._stale = True
        except LogError:
            # It is in the log, and read from there by the next sync, which says so where that fails, too.
            self._stale = True
        self._warn_once()

    def warnings(self) -> list[str]:
        """What is wrong with the feedback that was learned from, for answers to tell."""
        warning = self.fold.verdicts.warning
        return [] if warning is None else [warning]

    def swap(self, fold: Fold) -> None:
        """Go on with another fold, which takes over what this one has learned.

        What takes long, converting and reading, holds up nobody; only the last few events are folded while others wait.
        """
        self._teach(fold)
        with self._syncing:
            while True:
                entries = fold.log.since(fold.position)
                if self._begin_anew(fold):
                    continue
                with self._lock:
                    fold.apply_new(entries)
                    if fold.position >= self.fold.position:
                        self.fold, fold.judged = fold, self.pacers.judged
                        return

    def _teach(self, fold: Fold) -> None:
        """Have another fold, which is nobody's yet, learn what this one has learned, and what comes back to it from the log."""
        with self._lock:
            state, position, events = self.fold.state(), self.fold.position, self.fold.events
            retention = self.fold.retention
            returning = fold.returning(self.fold)
            anew = bool(returning) or fold.reassigns(self.fold)
        # LAPACK holds the interpreter; on threads that wait for each other it takes ten times as long.
        with threadpool_limits(1):
            if anew and fold.reproducible:
                # As it is for who starts anew.
                fold.resume()
                fold.catch_up()
                return
            fold.position, fold.events, fold.retention = position, events, retention
            fold.take(state)
            if returning:
                fold.recover(returning)

    def close(self) -> None:
        """Begin to read nothing more; a log that is read after it was closed would be opened again."""
        self._closed = True
        if (background := self._background) is not None:
            wait([background], CLOSING)

    def sync(self, *, in_background: bool = False, keep: bool = True) -> int:
        """Learn now what any worker has logged since; returns how many events that were.

        Args:
            in_background: whether nobody waits for it, so that it ends when the log is closed.
            keep: whether what is learned may be kept in the log, too: a snapshot, and a calibration.

        Raises:
            LogError: the log cannot be read, or a snapshot or a calibration not be written.
        """
        with self._syncing:
            self._stale, self._synced = False, time.monotonic()
            new, first = 0, True
            while True:
                if self._closed and in_background:
                    return new
                entries = self.fold.log.since(self.fold.position)
                # What was read before events have gone is whole; of what was read afterwards some may be missing.
                if self._begin_anew(self.fold, whether_parted=first):
                    continue
                first = False
                if not entries:
                    break
                # As for another fold that is taught.
                with threadpool_limits(1) if len(entries) > MANY else nullcontext():
                    new += self._learn(entries)
            self._warn_once()
            if not keep:
                self._stale = self._stale or self.fold.worth_keeping
                return new
            if self.fold.worth_keeping:
                self._keep()
            if self._recalibration is not None:
                self._recalibration.refresh(self.fold.feedback)
            return new

    def _begin_anew(self, fold: Fold, *, whether_parted: bool = False) -> bool:
        """Fold the log again where it has lost what a fold has learned, or what it has yet to learn; returns whether that was so.

        Args:
            fold: of the log.
            whether_parted: whether to look if the log is still the one that it has learned from.
        """
        retention = fold.log.retention
        if not fold.outdated(retention):
            if not whether_parted or not fold.parted(retention):
                return False
            _log.warning("%s lacks what was learned from it, as one that was restored does; it is folded again", fold.log.name)
        with threadpool_limits(1):
            fresh = fold.anew()
        with self._lock:
            fold.adopt(fresh)
        return True

    def _learn(self, entries: Sequence[Entry]) -> int:
        """Fold entries a few at a time, so that decisions are taken in between; nobody waits while the log is read."""
        new = 0
        for start in range(0, len(entries), SLICE):
            part = entries[start : start + SLICE]
            recalled = self._recalled(part)
            with self._lock:
                new += self.fold.apply_new(part, recalled)
            for entry in part:
                self.replies.learn(entry.event)
            # A lock that is taken again at once is seldom seen free by who waits for it.
            time.sleep(0.0)
        return new

    def _recalled(self, entries: Sequence[Entry]) -> list[Entry]:
        with self._lock:
            lacking = self.fold.lacking(entries)
        return self.fold.log.of_decisions(lacking) if lacking else []

    def continuation_of(self, conversation: Conversation) -> Continuation | None:
        """What a conversation continues, as far as this worker knows."""
        return continuation_of(conversation, self.replies)

    def sync_if_due(self) -> list[str]:
        """Learn what others have logged, if it is time to, without waiting long for it; warnings, also that the log cannot be read."""
        if self._due:
            wait([self._sync_in_background()], PATIENCE)
        return [*self._lateness(), *self.warnings()]

    async def sync_if_due_async(self) -> list[str]:
        """The same, off the event loop."""
        if self._due:
            await wait_a_while(self._sync_in_background(), PATIENCE)
        return [*self._lateness(), *self.warnings()]

    def _sync_in_background(self) -> Future[int]:
        # Whoever asks next meanwhile need not wait for the log, too.
        self._stale, self._synced = False, time.monotonic()
        if self._background is None or self._background.done():
            self._begun = time.monotonic()
            self._background = begin_in_thread(lambda: self.sync(in_background=True))
        return self._background

    def _lateness(self) -> list[str]:
        """That decisions are taken without what others have logged of late, where that is so."""
        background = self._background
        if background is None:
            return []
        if not background.done():
            late = time.monotonic() - self._begun
            return [f"decided without what others have logged in the last {late:.0f} s"] if late > LATE else []
        error = background.exception()
        if error is None:
            return []
        if not isinstance(error, LogError) and background is not self._told:
            # Whatever it is, it stands in the log, where it would stop every request of every worker.
            self._told = background
            _log.error("what others have logged cannot be learned", exc_info=error)
        return [f"decided without what others have logged of late: {error}"]

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
            return whole_heads(self.fold.policy.state())

    @property
    def _due(self) -> bool:
        return self._stale or time.monotonic() - self._synced > self._interval

    def _warn_once(self) -> None:
        if not self._has_warned and (warnings := self.warnings()):
            self._has_warned = True
            _log.warning("%s: %s", self.fold.log.name, warnings[0])

    def _keep(self) -> None:
        with self._lock:
            name, position, state = self.fold.snapshot()
        self.fold.log.save_snapshot(name, position, state)
