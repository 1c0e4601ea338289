"""What an engine knows: its log, and what was learned from it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from uniscale_integrations.concurrency.threads import in_thread
from uniscale_integrations.engine.attribution import Credit, credit_shares, decisions_of
from uniscale_integrations.engine.brain import Brain
from uniscale_integrations.engine.recalibration import Recalibration
from uniscale_integrations.engine.replica import Replica
from uniscale_integrations.errors import LogError, no_decision
from uniscale_integrations.log.events import Event, Feedback
from uniscale_integrations.log.fold import schema_key
from uniscale_integrations.log.group import GroupCommit
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import EventStore

_log = logging.getLogger(__name__)


class Knowledge:
    """Writes the log, learns from it, and takes feedback.

    Args:
        log: its address, or an open one, which is left open.

    Attributes:
        log: the log.

    Raises:
        LogError: it cannot be opened.
    """

    def __init__(self, log: str | EventStore) -> None:
        self._own = isinstance(log, str)
        self.log: EventStore = open_log(log) if isinstance(log, str) else log
        self._group = GroupCommit(self._write, at_once=self.log.in_memory)
        self._description_keys: set[str] = set()

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
        self.replica.sync()

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

    async def keep(self, *new: Event) -> LogError | None:
        """Have events written, without holding up the event loop; what went wrong, if anything."""
        try:
            future = self._group.submit(*new)
            if future.done():
                future.result()
            else:
                await asyncio.wrap_future(future)
        except LogError as error:
            return error
        return None

    def feedback(self, target: object, credit: Credit, feedback: Feedback) -> bool:
        """Write feedback on what a target stands for, and wait until it is there; returns whether any of it was new."""
        return any(self._group.write(*self._feedback_for(decisions_of(target), credit, feedback)))

    async def afeedback(self, target: object, credit: Credit, feedback: Feedback) -> bool:
        """The same, without holding up the event loop."""
        decisions = decisions_of(target)
        if len(decisions) > 1:
            events = await in_thread(lambda: self._feedback_for(decisions, credit, feedback))
        else:
            events = self._feedback_for(decisions, credit, feedback)
        new: Sequence[bool] = await asyncio.wrap_future(self._group.submit(*events))
        return any(new)

    def close(self) -> None:
        """Write what is waiting, and close the log unless it was given open."""
        self._group.close()
        if self._own:
            self.log.close()

    def _feedback_for(self, decisions: Sequence[str], credit: Credit, feedback: Feedback) -> list[Feedback]:
        if len(decisions) > 1:
            # Several engines may have had a part in one result; each learns of its own decisions.
            own = {entry.event.decision_id for entry in self.log.of_decisions(decisions)}
            decisions = tuple(each for each in decisions if each in own) or decisions
        return [replace(feedback, decision_id=decision, weight=weight) for decision, weight in credit_shares(decisions, credit)]

    def _write(self, new: Sequence[Event]) -> list[bool | Exception]:
        """Write events and learn from them; tells of each whether it was new, or that it is on no decision that is there."""
        self._describe(self.brain)
        result = self.log.write(*new)
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
