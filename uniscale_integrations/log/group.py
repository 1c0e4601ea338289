"""Many small writes as few transactions, which nobody waits for longer than they like: what the log does not take now waits for it."""

from __future__ import annotations

import atexit
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from threading import Condition, Lock, Thread
from weakref import WeakSet

from uniscale_integrations.concurrency.forks import follow_forks
from uniscale_integrations.errors import LogError, UnknownDecisionError
from uniscale_integrations.log.events import Event
from uniscale_integrations.log.spool import Abandoned, Spool

PATIENCE = 0.02
"""Seconds after which the log is behind, so that whoever answers a request waits for it no longer."""

CLOSING = 5.0
"""Seconds that closing waits for a log that does not answer."""

MAX_WAITING = 50_000
"""Events that wait for a log; of more, those that come are refused."""

MAX_BATCH = 1_000
"""Events of one transaction, unless more were submitted together."""

UNWRITABLE, UNWRITABLE_LONG = 1.0, 30.0
"""Seconds after which a spool is tried again that could not be written, twice as long each time: all that waits is said anew for it."""

WATCH = 0.2
"""Seconds between two looks whether what was put aside is still there."""

FIRST_PAUSE, LAST_PAUSE = 0.05, 5.0
"""Seconds before a log that has failed is tried again; twice as long each time."""

AGAIN, EARLY = 5.0, 900.0
"""Seconds after which a judgement that was kept aside is tried again whose decision is not there, and those after which it no longer is."""

IDLE = 10.0
"""Seconds after which a thread that has nothing to write ends."""

Result = bool | Exception
"""Of an event whether it was new, or why it was refused."""

_log = logging.getLogger(__name__)


class Receipt(Future[Sequence[bool]]):
    """What becomes of events that were submitted: of each whether it was new, once all are in the log to stay.

    Attributes:
        events: which.
        since: when they were submitted, by `time.monotonic`.
        aside: whether they are kept elsewhere until the log takes them.
        again: when they are tried again, of judgements of something that is not in the log yet.
        refused: those that the log will never take.
    """

    def __init__(self, events: Sequence[Event], *, aside: bool = False) -> None:
        super().__init__()
        self.events, self.aside, self.since = events, aside, time.monotonic()
        self.again, self.refused = 0.0, list[Event]()


@dataclass(slots=True)
class _Unwritable:
    """A spool that could not be written: until when it is not tried again, why, and how long that is."""

    until: float
    error: LogError
    pause: float


class GroupCommit:
    """Writes events on a thread of its own, together with all that came since it last did, and again where the log was at fault.

    A commit waits for the disk, which takes as long for one event as for hundreds.

    Args:
        write: writes events in one transaction, and says of each whether it was new, or why it was refused; where it raises, nothing was
            written, or all of it was by events' ids: written again, it is not there twice.
        at_once: write them on the caller's thread instead, as is quicker where a commit waits for nothing.
        spool: where events wait for a log that does not take them; in memory by default, which ends with the process.

    Attributes:
        trouble: why the log takes nothing at present, as far as it has said; otherwise empty.

    Example:
        >>> from uniscale_integrations.log.events import Outcome
        >>> written = []
        >>> group = GroupCommit(lambda events: written.extend(events) or [True] * len(events))
        >>> group.submit(Outcome("a", 0.5), Outcome("b", 0.5)).result(), len(written)
        ([True, True], 2)
        >>> group.close()
    """

    def __init__(
        self, write: Callable[[Sequence[Event]], Sequence[Result]], *, at_once: bool = False, spool: Spool | None = None
    ) -> None:
        self._write, self._at_once, self._spool = write, at_once, spool
        self._closed, self._given_up = False, False
        self._begin()
        follow_forks(self)
        if not at_once:
            _open_groups.add(self)

    def _begin(self) -> None:
        self._changed, self._spooling = Condition(), Lock()
        self._waiting: list[Receipt] = []
        self._early: list[Receipt] = []
        self._in_hand: list[Receipt] = []
        self._adopted: list[Abandoned] = []
        self._thread: Thread | None = None
        self._watch: Thread | None = None
        self._failures, self.trouble = 0, ""
        self._unwritable: _Unwritable | None = None

    def after_fork(self) -> None:
        """A forked process has what waits, but not the thread that writes it: it is the other's, and so is the file that it is kept in."""
        self._begin()
        if self._spool is not None:
            self._spool.close()

    def submit(self, *events: Event) -> Receipt:
        """Have events written, in one transaction with each other, after all that was submitted before.

        Raises (from the receipt):
            LogError: they cannot be written as they are, too many wait already, or the log has been closed.
        """
        receipt = Receipt(events)
        if self._at_once and not self._closed:
            self._write_batch([receipt])
        else:
            self._enqueue(receipt)
        return receipt

    def write(self, *events: Event) -> Sequence[bool]:
        """Write events, and wait until they are there to stay.

        Raises:
            LogError: as of `submit`.
        """
        return self.submit(*events).result()

    def _enqueue(self, *receipts: Receipt) -> None:
        with self._changed:
            waiting = sum(len(each.events) for each in (*self._in_hand, *self._waiting)) if self.trouble else 0
            if self._closed:
                _tell(receipts, LogError("the log has been closed"))
            elif waiting > MAX_WAITING:
                _tell(receipts, LogError(f"{waiting} events wait for the log already; {self.trouble}"))
            else:
                self._waiting += receipts
                if self._thread is None or not self._thread.is_alive():
                    self._thread = Thread(target=self._run, name="uniscale-log", daemon=True)
                    self._thread.start()
                self._changed.notify_all()

    @property
    def behind(self) -> float:
        """Seconds that the log has not taken what was submitted first of all that waits; 0 where nothing does."""
        first = next(iter((*self._in_hand[:1], *self._waiting[:1])), None)
        return 0.0 if first is None else time.monotonic() - first.since

    def put_aside(self, receipt: Receipt) -> str:
        """Keep events until the log takes them, with all others that wait for it; says where.

        Raises:
            LogError: they cannot be kept; they may still arrive in the log, as long as this process lives.
        """
        if self._spool is None:
            receipt.aside = True
            return "memory"
        self._check_spool()
        with self._spooling:
            # Others may have found out while this one waited for them.
            self._check_spool(again=True)
            self._keep(self._spool, all_anew=self._is_gone(self._spool))
            self._watch_over(self._spool)
            place = str(self._spool.place)
        self._clear_spool()
        return place

    def _check_spool(self, *, again: bool = False) -> None:
        """That the spool was not found to be unwritable a moment ago.

        Args:
            again: whether it is tried now; meanwhile nobody waits for whether it can be written.

        Raises:
            LogError: it was.
        """
        unwritable, now = self._unwritable, time.monotonic()
        if unwritable is not None:
            if now < unwritable.until:
                raise LogError(str(unwritable.error)) from unwritable.error
            if again:
                unwritable.until = now + UNWRITABLE_LONG

    def _keep(self, spool: Spool, *, all_anew: bool) -> None:
        """Write to the spool what waits and is not there yet, or all of it.

        Raises:
            LogError: it cannot be written, and is not tried again for a while.
        """
        try:
            self._append(spool, all_anew=all_anew)
        except LogError as error:
            pause = UNWRITABLE if self._unwritable is None else min(2.0 * self._unwritable.pause, UNWRITABLE_LONG)
            self._unwritable = _Unwritable(time.monotonic() + pause, error, pause)
            raise
        self._unwritable = None

    def _append(self, spool: Spool, *, all_anew: bool) -> None:
        with self._changed:
            left = [each for each in (*self._in_hand, *self._waiting, *self._early) if not each.done()]
            new = [each for each in left if all_anew or not each.aside]
        gone = bool(new) and spool.append([event for each in new for event in each.events])
        if gone and not all_anew and (others := [each for each in left if each.aside]):
            # It has been removed this very moment.
            spool.append([event for each in others for event in each.events])
        for each in new:
            each.aside = True
        if all_anew:
            self._adopted = []

    def _is_gone(self, spool: Spool) -> bool:
        # Twice, for one may have arrived, and been removed for that, while it was looked for.
        return all(spool.gone or any(each.gone for each in list(self._adopted)) for _ in range(2))

    def _watch_over(self, spool: Spool) -> None:
        """Write what is put aside anew where somebody removes it before it has arrived: whoever waited has been told that it is kept."""
        with self._changed:
            if self._watch is None:
                self._watch = Thread(target=self._watching, args=(spool,), name="uniscale-spool", daemon=True)
                self._watch.start()

    def _watching(self, spool: Spool) -> None:
        told = False
        while self._waits_aside():
            with self._spooling:
                if self._is_gone(spool):
                    try:
                        self._check_spool(again=True)
                        self._keep(spool, all_anew=True)
                        _log.warning("somebody has removed what was kept for the log; it is kept in %s anew", spool.place)
                    except LogError as error:
                        if not told:
                            told = True
                            _log.error(
                                "somebody has removed what was kept for the log, which is lost if this process ends: %s", error
                            )
            with self._changed:
                self._changed.wait_for(lambda: self._given_up, WATCH)

    def _waits_aside(self) -> bool:
        with self._changed:
            waits = any(each.aside for each in (*self._in_hand, *self._waiting, *self._early))
            if not waits or self._given_up:
                self._watch = None
                return False
            return True

    def adopt(self) -> int:
        """Write what processes have left in the spool that ended before it had arrived; returns how many events that are."""
        count = 0
        for left in self._spool.abandoned() if self._spool is not None else ():
            events = left.events
            count += len(events)
            parts = [events[start : start + MAX_BATCH] for start in range(0, len(events), MAX_BATCH)]
            receipts = [Receipt(part, aside=True) for part in parts]
            if receipts:
                self._adopted.append(left)
            _when_all_are_done(receipts, left, self._adopted)
            self._enqueue(*receipts)
        if count and self._spool is not None:
            self._watch_over(self._spool)
        return count

    def close(self, limit: float | None = None) -> None:
        """Write what is waiting, as long as the log answers in time, and end the thread; what comes afterwards is refused."""
        _open_groups.discard(self)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.flush(limit)
        with self._changed:
            self._given_up = True
            self._changed.notify_all()
        if self._spool is not None:
            with self._spooling:
                self._spool.close()

    def settle(self, limit: float) -> bool:
        """Wait until all that was submitted is in the log; returns whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._in_hand, limit)

    def flush(self, limit: float | None = None) -> bool:
        """Wait until all that was submitted is in the log, or put it aside; returns whether it is in the log."""
        if self.settle(CLOSING if limit is None else limit):
            return True
        with self._changed:
            left = [*self._in_hand, *self._waiting]
        if not left:
            return True
        count, why = sum(len(each.events) for each in left), self.trouble or "it does not answer"
        try:
            place = self.put_aside(left[0])
        except LogError as error:
            _log.error("%d events are not in the log (%s), and are lost when this process ends: %s", count, why, error)
        else:
            lost = ", and are lost when this process ends" if self._spool is None else ", for who opens the log next on this host"
            _log.warning("%d events are not in the log yet (%s); they are kept in %s%s", count, why, place, lost)
        return False

    def _run(self) -> None:
        while batch := self._next():
            again = self._write_batch(batch)
            self._take_up_early_ones()
            with self._changed:
                self._in_hand = []
                self._waiting[:0] = again
                self._changed.notify_all()
            if not again:
                self._clear_spool()
            else:
                pause = min(FIRST_PAUSE * 2.0 ** (self._failures - 1), LAST_PAUSE) if self._failures else 0.0
                with self._changed:
                    self._changed.wait_for(lambda: self._given_up, FIRST_PAUSE if self._closed else pause)

    def _next(self) -> list[Receipt]:
        """What is to be written next; nothing where the thread is to end."""
        with self._changed:
            if not self._waiting and not self._closed:
                self._changed.wait_for(lambda: self._waiting or self._closed, AGAIN if self._early else IDLE)
            if not self._waiting and self._early and not self._closed:
                self._waiting, self._early = self._early, []
            if not self._waiting or self._given_up:
                self._thread = None
                return []
            events = end = 0
            while end < len(self._waiting) and (end == 0 or events + len(self._waiting[end].events) <= MAX_BATCH):
                events += len(self._waiting[end].events)
                end += 1
            self._in_hand, self._waiting = self._waiting[:end], self._waiting[end:]
            return [*self._in_hand]

    def _write_batch(self, batch: Sequence[Receipt]) -> list[Receipt]:
        """Write what several have submitted, and tell each of them; returns what is to be tried again."""
        try:
            results = self._write([event for each in batch for event in each.events])
        except LogError as error:
            if error.passing and not self._at_once:
                self._note_trouble(error)
                return [*batch]
            return self._write_apart(batch, error)
        except Exception as error:
            return self._write_apart(batch, error)
        else:
            self._note_recovery()
            place = 0
            for each in batch:
                own = results[place : place + len(each.events)]
                place += len(each.events)
                if not self._comes_too_early(each, own):
                    _tell([each], results=own)
        return []

    def _write_apart(self, batch: Sequence[Receipt], error: Exception) -> list[Receipt]:
        """Write apart what together was refused: one that cannot be written, for its size, must not take the others with it."""
        if len(batch) > 1:
            return [again for each in batch for again in self._write_batch([each])]
        [receipt] = batch
        if not receipt.aside or len(receipt.events) == 1:
            receipt.refused = [*receipt.events]
            _tell(batch, error)
            return []
        results, receipt.refused = list[Result](), []
        for event in receipt.events:
            try:
                results += self._write([event])
            except Exception as refusal:
                if isinstance(refusal, LogError) and refusal.passing:
                    self._note_trouble(refusal)
                    # What has been written is not written twice.
                    return [receipt]
                receipt.refused.append(event)
                results.append(refusal)
        if not self._comes_too_early(receipt, results):
            _tell(batch, results=results)
        return []

    def _take_up_early_ones(self) -> None:
        """Try judgements again that were kept aside and have come before what they judge, which another may have kept aside as well."""
        now = time.monotonic()
        with self._changed:
            due = [each for each in self._early if now >= each.again]
            self._early = [each for each in self._early if now < each.again]
            self._waiting += due

    def _comes_too_early(self, receipt: Receipt, results: Sequence[Result]) -> bool:
        """Whether a judgement may still be of something that is on its way; then it is tried again later."""
        if not receipt.aside or not any(isinstance(each, UnknownDecisionError) for each in results):
            return False
        if self._closed and self._spool is None:
            return False
        if time.monotonic() - receipt.since > EARLY:
            return False
        receipt.again = time.monotonic() + AGAIN
        with self._changed:
            self._early.append(receipt)
        return True

    def _clear_spool(self) -> None:
        """Where nothing waits any more, nothing need be kept aside."""
        if self._spool is None:
            return
        with self._spooling:
            with self._changed:
                waits = any(each.aside for each in (*self._in_hand, *self._waiting, *self._early))
            if not waits:
                self._spool.clear()

    def _note_trouble(self, error: LogError) -> None:
        self._failures += 1
        if not self.trouble:
            _log.warning("%s; requests go on, and what they bring waits until the log is back", error)
        self.trouble = str(error)

    def _note_recovery(self) -> None:
        if self.trouble:
            _log.warning("the log takes events again, after %d tries", self._failures)
        self._failures, self.trouble = 0, ""


_open_groups: WeakSet[GroupCommit] = WeakSet()


def _write_what_is_left() -> None:
    """Threads that are daemons end with the interpreter, in the middle of what they do."""
    for group in list(_open_groups):
        group.flush()


atexit.register(_write_what_is_left)


def _when_all_are_done(receipts: Sequence[Receipt], left: Abandoned, adopted: list[Abandoned]) -> None:
    pending: set[Future[Sequence[bool]]] = set(receipts)

    def one_done(receipt: Future[Sequence[bool]]) -> None:
        pending.discard(receipt)
        if not pending:
            # Before it goes, so that nobody takes it for removed by somebody else.
            with suppress(ValueError):
                adopted.remove(left)
            left.refuse([event for each in receipts for event in each.refused])
            left.remove()

    for each in receipts:
        each.add_done_callback(one_done)
    if not receipts:
        left.remove()


def _tell(receipts: Iterable[Receipt], error: BaseException | None = None, results: Sequence[Result] = ()) -> None:
    refusal = error or next((each for each in results if isinstance(each, Exception)), None)
    for receipt in receipts:
        if receipt.aside and refusal is not None:
            # Whoever waited has been told that it is kept.
            if isinstance(refusal, UnknownDecisionError):
                _log.error("feedback that was kept aside has come to nothing: %s", refusal)
            else:
                _log.error("the log takes %d of %d events that were kept aside: %s", *_taken(receipt), refusal)
        # Who was cancelled while waiting is told nothing any more; what happened is written all the same.
        if not receipt.set_running_or_notify_cancel():
            continue
        if refusal is None:
            receipt.set_result([each is True for each in results])
        else:
            receipt.set_exception(refusal)


def _taken(receipt: Receipt) -> tuple[int, int]:
    """How many of its events the log has taken, and how many there are."""
    return len(receipt.events) - len(receipt.refused), len(receipt.events)
