"""What it means that nobody judges an answer, and when that is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from heapq import heappop, heappush
from math import isfinite
from typing import Any, NamedTuple

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.log.events import plain

ANYBODY = ""
"""The source of a silence that is everybody's."""


@dataclass(frozen=True, slots=True)
class Silence:
    """What it means that an answer is not judged in time, as where there is nothing but a thumbs-down button.

    A decision that was answered, and that nobody has judged by `after`, is learned as `means`. How much that counts is what silence tells:
    everything while a source only ever contradicts `means`, less the more often it also says the same as `means`, and, once other sources
    have judged enough of the silent decisions, what those have shown. A judgement that comes afterwards takes silence's place.

    Nothing is written for it. Whether a decision has been silent follows from the times of the events in the log: the first event that
    happened later than the answer plus `after` closes it, in the order of the deadlines. So every worker learns the same, and so does
    whoever folds the log again, also with a silence that an earlier engine on the log did not have.

    Attributes:
        means: the correctness that it stands for, in [0, 1]: 1.0 where people complain of wrong answers, 0.0 where they praise right ones.
        after: how long after the answer.

    Raises:
        ConfigurationError: `means` out of [0, 1], or no time above 0.

    Example:
        >>> from uniscale_integrations import UniScale
        >>> engine = UniScale(models=["uniscale-0.3m"], silence=Silence(means=1.0, after=timedelta(minutes=30)))
        >>> Silence(means=2)
        Traceback (most recent call last):
        uniscale_integrations.errors.ConfigurationError: what silence means must be a correctness in [0, 1], got 2
    """

    means: float = 1.0
    after: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        object.__setattr__(self, "means", plain(self.means))
        if not isinstance(self.means, bool | int | float) or not isfinite(self.means) or not 0 <= self.means <= 1:
            raise ConfigurationError(f"what silence means must be a correctness in [0, 1], got {self.means!r}")
        if not isinstance(self.after, timedelta) or not self.after > timedelta(0):
            raise ConfigurationError(
                f"silence must have a time above 0 after which it counts, such as timedelta(hours=1), got {self.after!r}"
            )

    @property
    def is_right(self) -> bool:
        """Whether it stands for right answers rather than for wrong ones."""
        return self.means >= 0.5

    @property
    def seconds(self) -> float:
        """`after` in seconds."""
        return self.after.total_seconds()


DEADLINES_FORM = (float, int, [(float, int, str, str)])
"""Of what `Deadlines.record` gives, for `has_form`."""


class Deadline(NamedTuple):
    """When a decision that a source has not judged is silent; ordered by time, then by the order of the answers."""

    at: float
    order: int
    source: str
    decision_id: str


class Deadlines:
    """The answered decisions whose deadlines have not passed, and the time as the log knows it.

    Args:
        silence: by source; that of `ANYBODY` for all of them together.

    Attributes:
        clock: the latest time of any event so far, in Unix time; clocks of several workers do not turn it back.

    Example:
        >>> deadlines = Deadlines({"thumbs": Silence(after=timedelta(seconds=10))})
        >>> deadlines.start("a", at=100.0)
        >>> [each.decision_id for each in deadlines.pass_time(110.0)], [each.decision_id for each in deadlines.pass_time(110.5)]
        ([], ['a'])
    """

    def __init__(self, silence: Mapping[str, Silence]) -> None:
        self._silence, self._heap, self._count, self.clock = silence, list[Deadline](), 0, 0.0
        self._awaited: Counter[str] = Counter()

    def start(self, decision_id: str, at: float) -> None:
        """Wait for the judgement of a decision that was answered at some Unix time."""
        for source, silence in self._silence.items():
            self._count += 1
            heappush(self._heap, Deadline(at + silence.seconds, self._count, source, decision_id))
            self._awaited[decision_id] += 1

    def pass_time(self, at: float) -> Iterator[Deadline]:
        """Take out what lies before an event at some Unix time, in order."""
        self.clock = max(self.clock, at)
        while self._heap and self._heap[0].at < self.clock:
            yield heappop(self._heap)

    def close(self, deadline: Deadline) -> None:
        """A deadline that has passed was dealt with."""
        self._awaited[deadline.decision_id] -= 1
        if self._awaited[deadline.decision_id] <= 0:
            del self._awaited[deadline.decision_id]

    def awaits(self, decision_id: str) -> bool:
        """Whether a deadline of a decision has not passed, or was not dealt with."""
        return decision_id in self._awaited

    def before(self, at: float) -> Iterator[Deadline]:
        """What `pass_time` would take out, in no order; everything stays."""
        at, places = max(at, self.clock), [0]
        while places:
            place = places.pop()
            if place < len(self._heap) and self._heap[place].at < at:
                yield self._heap[place]
                places += (2 * place + 1, 2 * place + 2)

    def record(self) -> list[object]:
        """For `restore`, JSON-ready."""
        return [self.clock, self._count, [list(each) for each in sorted(self._heap)]]

    def restore(self, record: list[Any]) -> None:
        """Go on from what `record` gave; deadlines of sources whose silence means nothing here are dropped."""
        clock, count, heap = record
        self.clock, self._count = float(clock), count
        self._heap = [Deadline(*each) for each in heap if each[2] in self._silence]
        self._awaited = Counter(each.decision_id for each in self._heap)
