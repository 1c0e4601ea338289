"""What is said of one decision, with its means, at the same cost however many have judged it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import fsum, inf

from uniscale_integrations.log.events import Feedback


class ExactMean:
    """A weighted mean whose terms come and go, the same as if those that are there had been summed up at once.

    The sum is kept as floats that do not overlap (J. R. Shewchuk, 1997), of which there are a few.

    Example:
        >>> from statistics import fmean
        >>> mean = ExactMean()
        >>> for value in (0.1, 0.2, 1.0):
        ...     mean.add(value)
        >>> mean.replace(1.0, 0.3)
        >>> mean.value == fmean((0.1, 0.2, 0.3))
        True
    """

    __slots__ = ("parts", "weight")

    def __init__(self) -> None:
        self.parts: list[float] = []
        self.weight = 0.0

    def add(self, value: float, weight: float = 1.0) -> None:
        """Take a term in."""
        self.weight += weight
        self._sum_up(weight * value)

    def replace(self, old: float, new: float, weight: float = 1.0) -> None:
        """Take another term in the place of one of the same weight."""
        self._sum_up(-(weight * old))
        self._sum_up(weight * new)

    @property
    def value(self) -> float:
        """The mean of at least one term."""
        return fsum(self.parts) / self.weight

    def _sum_up(self, term: float) -> None:
        count = 0
        for part in self.parts:
            large, small = (term, part) if abs(term) >= abs(part) else (part, term)
            term = large + small
            if rest := small - (term - large):
                self.parts[count] = rest
                count += 1
        self.parts[count:] = [term]


def keep_newest(said: dict[tuple[str, str], Feedback], feedback: Feedback) -> None:
    """Keep a judgement, by its source and what it is about, unless what is kept was said later; of the same time the one that came later.

    Judgements arrive in another order than they were given in where one of them has waited for the log.

    Example:
        >>> said = {}
        >>> for correct, at in ((1.0, 20.0), (0.0, 10.0)):
        ...     keep_newest(said, Feedback("d1", correct, at=at))
        >>> [each.correct for each in said.values()]
        [1.0]
    """
    about = feedback.source, feedback.key
    if about not in said or feedback.at >= said[about].at:
        said[about] = feedback


class Judgements:
    """What was said last of a decision by every source of every thing, in whatever order it has arrived.

    Attributes:
        weight: the greatest of its judgements.
        sources: who has judged, each with the mean of what it says, in the order in which they first did.
        greatest: share of a source.

    Example:
        >>> said = Judgements()
        >>> said.add("thumbs", "correct", 0.0, 0.5)
        >>> said.add("exact-match", "correct", 0.9, 1.0)
        >>> said.mean, said.of(["thumbs", "judge"]), said.others({"thumbs": 0.5})
        (0.6, {'thumbs': 0.0}, 0.9)
    """

    __slots__ = ("_all", "_of_sources", "_said", "greatest", "sources", "weight")

    def __init__(self) -> None:
        self.weight, self.greatest = 0.0, 0.0
        self._said: dict[tuple[str, str], tuple[float, float]] = {}
        self.sources: dict[str, ExactMean] = {}
        self._all, self._of_sources = ExactMean(), ExactMean()

    def add(self, source: str, key: str, correct: float, share: float, *, at: float = -inf, weight: float = 1.0) -> None:
        """Keep a judgement in the place of what its source has said of the same thing, unless that was said later.

        Args:
            source: who judges.
            key: what about.
            correct: what it says.
            share: what the source counts, always the same.
            at: Unix time; of the same time the one that comes later stays.
            weight: what this judgement counts.
        """
        self.weight = max(self.weight, weight)
        before, before_at = self._said.get((source, key), (None, -inf))
        if at < before_at:
            return
        self._said[source, key] = correct, at
        own = self.sources.get(source)
        if own is None:
            own = self.sources[source] = ExactMean()
            self.greatest = max(self.greatest, share)
        earlier = own.value if own.weight else None
        if before is None:
            own.add(correct)
            self._all.add(correct, share)
        else:
            own.replace(before, correct)
            self._all.replace(before, correct, share)
        if earlier is None:
            self._of_sources.add(own.value, share)
        else:
            self._of_sources.replace(earlier, own.value, share)

    @property
    def mean(self) -> float:
        """The mean of all judgements, weighted with the shares of their sources."""
        return self._all.value

    @property
    def share(self) -> float:
        """The sum of the shares of all sources."""
        return self._of_sources.weight

    def of(self, sources: Iterable[str]) -> dict[str, float]:
        """What some sources say, as far as they have."""
        return {source: self.sources[source].value for source in sources if source in self.sources}

    def others(self, shares: Mapping[str, float]) -> float:
        """The weighted sum of what all others say than those of these shares."""
        return fsum((*self._of_sources.parts, *(-(share * self.sources[source].value) for source, share in shares.items())))
