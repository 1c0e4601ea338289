"""Who judges how much, and how far each agrees with the others, for who looks at a log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean


@dataclass(frozen=True, slots=True)
class SourceShare:
    """One source of feedback.

    Attributes:
        source: its name.
        judgements: how much it has said; what it has revised counts once.
        share: of all judgements, in (0, 1].
        shared: answers that others have judged as well.
        agreement: 1 less the mean distance between what it says of those and the mean of what the others do, in [0, 1]; `None` without any.
    """

    source: str
    judgements: int
    share: float
    shared: int
    agreement: float | None


@dataclass(slots=True)
class _Tally:
    judgements: int = 0
    distances: list[float] = field(default_factory=list)


def source_shares(answers: Iterable[Mapping[tuple[str, str], float]]) -> list[SourceShare]:
    """The sources of feedback, the one that judges most first.

    Args:
        answers: of each what was said last, by source and key, in [0, 1].

    Example:
        >>> answers = [{("thumbs", "correct"): 1.0, ("judge", "correct"): 0.75}, {("thumbs", "correct"): 0.0}]
        >>> for each in source_shares(answers):
        ...     print(each.source, each.judgements, round(each.share, 2), each.shared, each.agreement)
        thumbs 2 0.67 1 0.75
        judge 1 0.33 1 0.75
    """
    tallies: dict[str, _Tally] = {}
    for said in answers:
        values: dict[str, list[float]] = {}
        for (source, _), correct in said.items():
            values.setdefault(source, []).append(correct)
        means = {source: fmean(each) for source, each in values.items()}
        total = sum(means.values())
        for source, mean in means.items():
            tally = tallies.setdefault(source, _Tally())
            tally.judgements += len(values[source])
            if len(means) > 1:
                tally.distances.append(abs(mean - (total - mean) / (len(means) - 1)))
    whole = sum(each.judgements for each in tallies.values())
    rows = [
        SourceShare(
            *(source, each.judgements, each.judgements / whole, len(each.distances)),
            agreement=1.0 - fmean(each.distances) if each.distances else None,
        )
        for source, each in tallies.items()
    ]
    return sorted(rows, key=lambda each: (-each.judgements, each.source))
