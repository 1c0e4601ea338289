"""What an engine knows: its log, and what was learned from it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from uniscale_integrations.concurrency.forks import ForkLock, follow_forks
from uniscale_integrations.concurrency.threads import begin_in_thread, in_thread, wait_a_while
from uniscale_integrations.engine.attribution import Credit, credit_shares, decisions_of
from uniscale_integrations.engine.brain import Brain
from uniscale_integrations.engine.recalibration import Recalibration
from uniscale_integrations.engine.replica import Replica
from uniscale_integrations.errors import LogError, no_decision
from uniscale_integrations.log.events import Event, Feedback
from uniscale_integrations.log.fold import schema_key
from uniscale_integrations.log.group import PATIENCE, GroupCommit, Receipt
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import EventStore, Spooled
from uniscale_integrations.log.spool import HasSpool, Spool, spool_folder, spool_of

_log = logging.getLogger(__name__)


JUDGING = 2.0
"""Seconds that whoever judges waits for the log; what it has not taken by then is kept aside."""


class Knowledge:
    """Writes the log, learns from it, and takes feedback.

    What is not in the log within moments waits for it in a spool, so that nobody waits for a log that hangs.

    Args:
        log: its address, or an open one, which is left open.
        spool: the folder of the spool; "memory" for none; by default beside the log's file, or where programs keep their state.

    Attributes:
        log: the log.

    Raises:
        LogError: it cannot be opened.
    """

    def __init__(self, log: str | EventStore, spool: str | Path | None = None) -> None:
        self._own = isinstance(log, str)
        self.log: EventStore = open_log(log) if isinstance(log, str) else log
        self._group = GroupCommit(self._write, at_once=self.log.in_memory, spool=_spool_of(self.log, spool))
        self._description_keys: set[str] = set()
        self._users, self._closing, self._counting = 0, False, ForkLock()
        follow_forks(self)

    def begin(self, brain: Brain, interval: float, *, recalibrate: bool, seed: int | None) -> None:
        """Learn what the log holds, from a snapshot on where there is one.

        Args:
            brain: what learns.
            interval: seconds after which other workers' events are looked for.
            recalibrate: whether the verifier's scores are calibrated to the feedback.
            seed: of what the policy draws.
        """
        verifier = brain.design.verifier
        self.recalibration = Recalibration(self.log, verifier.name) if recalibrate and verifier is not None else None
        self.brain = brain
        self.replica = Replica(brain.fold, interval, self.recalibration, seed)
        brain.fold.resume()
        # Somebody else may hold the lock of a log; what is to be written waits for the first request.
        self.replica.sync(keep=False)
        if left := self._group.adopt():
            _log.warning("%s: %d events that were kept aside are being written", self.log.name, left)

    def swap(self, brain: Brain) -> None:
        """Go on with another brain, which takes over what this one has learned."""
        # A request that is under way may be the first to be logged that this one has decided.
        self._describe(self.brain)
        self.replica.swap(brain.fold)
        self.brain = brain
        try:
            # Who starts anew goes on from here: from its beginning the log would tell nothing of succession.
            self.replica.snapshot()
        except LogError as error:
            _log.warning("what was learned has not been kept in the log after an update: %s", error)

    def snapshot(self) -> None:
        """Keep what was learned in the log, and say what has learned it, for who is to know whose states count.

        Raises:
            LogError: it could not be written.
        """
        self._describe(self.brain)
        self.replica.snapshot()

    def append(self, *new: Event) -> None:
        """Write events as they are, in their order, and learn from them.

        Raises:
            LogError: nothing of it was written.
        """
        self._describe(self.brain)
        self.replica.follow(self.log.append(*new))

    def submit(self, *new: Event) -> None:
        """Have events written by the log's own thread, and wait for nothing."""
        self._group.submit(*new)

    async def keep(self, *new: Event) -> Spooled | LogError | None:
        """Have events written, without holding up the event loop; where they wait, or what went wrong, if anything."""
        receipt = self._group.submit(*new)
        await wait_a_while(receipt, self.patience(PATIENCE))
        if receipt.done():
            return _refusal(receipt)
        return await in_thread(lambda: self._put_aside(receipt))

    def keep_now(self, *new: Event) -> Spooled | None:
        """The same for callers that do not await.

        Raises:
            LogError: they can neither be written nor kept.
        """
        return self._settled(self._group.submit(*new), PATIENCE)

    def feedback(self, target: object, credit: Credit, feedback: Feedback) -> bool | Spooled:
        """Write feedback on what a target stands for, and wait until it is there, or kept; returns whether any of it was new."""
        decisions = decisions_of(target)
        reading = self._own_decisions(decisions)
        wait([reading], self.patience(JUDGING))
        receipt = self._group.submit(*self._feedback_for(decisions, credit, feedback, _read_in_time(reading)))
        return self._settled(receipt, JUDGING) or any(receipt.result())

    async def afeedback(self, target: object, credit: Credit, feedback: Feedback) -> bool | Spooled:
        """The same, without holding up the event loop."""
        decisions = decisions_of(target)
        reading = self._own_decisions(decisions)
        await wait_a_while(reading, self.patience(JUDGING))
        receipt = self._group.submit(*self._feedback_for(decisions, credit, feedback, _read_in_time(reading)))
        if not await wait_a_while(receipt, self.patience(JUDGING)) and (
            kept := await in_thread(lambda: self._settled(receipt, 0.0))
        ):
            return kept
        return any(receipt.result())

    def _settled(self, receipt: Receipt, patience: float) -> Spooled | None:
        """Wait for the log, and where it does not answer keep what it was to write; `None` where it has been written.

        Raises:
            LogError: it can neither be written nor kept.
        """
        wait([receipt], self.patience(patience))
        outcome = _refusal(receipt) if receipt.done() else self._put_aside(receipt)
        if isinstance(outcome, LogError):
            raise outcome
        return outcome

    def patience(self, seconds: float) -> float:
        """How long to wait for a log: not at all where others have waited as long, in vain."""
        return seconds if self._group.behind < seconds else 0.0

    def _put_aside(self, receipt: Receipt) -> Spooled | LogError | None:
        try:
            place = self._group.put_aside(receipt)
        except LogError as error:
            return LogError(f"{self._group.trouble or 'the log does not answer'}; {error}")
        # It may have come through meanwhile.
        return _refusal(receipt) if receipt.done() else Spooled(self._group.trouble or "it has not answered yet", place)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Whoever closes the log meanwhile lets the block end first."""
        with self._counting:
            self._users += 1
        try:
            yield
        finally:
            with self._counting:
                self._users = max(0, self._users - 1)
                last = self._closing and not self._users
            if last:
                # The block may have ended on an event loop, which does not wait for a log.
                begin_in_thread(self._close)

    def after_fork(self) -> None:
        """Requests of the other process are not under way in this one."""
        self._users = 0

    def close(self) -> None:
        """Write what is waiting, and close the log unless it was given open; where requests are under way, when the last has ended."""
        with self._counting:
            later, self._closing = self._users > 0, True
        if not later:
            self._close()

    def _close(self) -> None:
        if (replica := getattr(self, "replica", None)) is not None:
            replica.close()
        self._group.close()
        if self._own:
            self.log.close()

    def settle(self) -> None:
        """Wait a moment for what was submitted to be in the log and learned, for who looks at either."""
        self._group.settle(JUDGING)

    def _own_decisions(self, decisions: Sequence[str]) -> Future[set[str]]:
        """Those of several decisions that are in this log: several engines may have had a part in one result; each learns of its own.

        Nothing is looked up of a single one, or where the log is known not to answer.
        """
        if len(decisions) > 1 and self.patience(JUDGING):
            return begin_in_thread(lambda: {entry.event.decision_id for entry in self.log.of_decisions(decisions)})
        none = Future[set[str]]()
        none.set_result(set())
        return none

    def _feedback_for(self, decisions: Sequence[str], credit: Credit, feedback: Feedback, own: Collection[str]) -> list[Feedback]:
        decisions = tuple(each for each in decisions if each in own) or decisions
        return [replace(feedback, decision_id=decision, weight=weight) for decision, weight in credit_shares(decisions, credit)]

    def _write(self, new: Sequence[Event]) -> list[bool | Exception]:
        """Write events and learn from them; tells of each whether it was new, or that it is on no decision that is there."""
        try:
            self._describe(self.brain)
            result = self.log.write(*new)
        except LogError:
            # It may be another log that is written next, in the place of one that was removed.
            self._description_keys.clear()
            raise
        if result.count:
            self.replica.follow(result)
        answers: list[bool | Exception] = list(result.new)
        for place in result.without_decision:
            answers[place] = no_decision(new[place].decision_id, self.log.name)
        return answers

    def _describe(self, brain: Brain) -> None:
        """Say in the log, once, what decides and what its features are called."""
        if brain.key in self._description_keys:
            return
        encode = brain.design.encode
        names = {"names": list(encode.schema.names), "kinds": sorted(encode.schema.kinds)}
        self.log.save_description(schema_key(encode.name), names)
        self.log.save_description(brain.key, brain.record())
        self._description_keys.add(brain.key)


def _spool_of(log: EventStore, folder: str | Path | None) -> Spool | None:
    if log.in_memory or folder == "memory":
        return None
    place = None if folder is None else Path(folder)
    if isinstance(log, HasSpool):
        return spool_of(log, place)
    return Spool(spool_folder(log.name, None, place).absolute())


def _read_in_time(reading: Future[set[str]]) -> set[str]:
    """What was read of a log; nothing where it has not answered, or cannot."""
    return reading.result() if reading.done() and not isinstance(reading.exception(), LogError) else set()


def _refusal(receipt: Receipt) -> LogError | None:
    """Why events that were written or refused were refused."""
    error = receipt.exception()
    if error is None or isinstance(error, LogError):
        return error
    raise error
