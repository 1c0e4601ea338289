"""What keeps to the targets that requests bring, one for each, over all requests of an engine."""

from __future__ import annotations

from collections import OrderedDict

from uniscale_integrations.concurrency.forks import ForkLock
from uniscale_integrations.policy.targets import Pacer, Target

MAX_TARGETS = 64
"""Targets that are kept to at once; of more, the one that was asked for longest ago begins anew."""


class Pacers:
    """The pacers of an engine's targets.

    Example:
        >>> from uniscale_integrations.policy.targets import AtLeast
        >>> pacers = Pacers()
        >>> pacers.of(AtLeast(0.9)) is pacers.of(AtLeast(0.9))
        True
    """

    def __init__(self) -> None:
        self._lock = ForkLock()
        self._of: OrderedDict[Target, Pacer] = OrderedDict()

    def of(self, target: Target) -> Pacer:
        """What keeps to a target."""
        with self._lock:
            if target not in self._of:
                self._of[target] = target.pacer()
            self._of.move_to_end(target)
            if len(self._of) > MAX_TARGETS:
                self._of.popitem(last=False)
            return self._of[target]

    def judged(self, decision: str, correct: float) -> None:
        """Tell all of them how right the answer of a decision was."""
        if self._of:
            with self._lock:
                pacers = tuple(self._of.values())
            for each in pacers:
                each.judged(decision, correct)
