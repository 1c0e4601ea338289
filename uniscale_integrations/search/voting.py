"""The verifier-weighted vote that merges the answers of all trees."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum, inf

from uniscale_integrations.answers.sameness import Equal, groups
from uniscale_integrations.errors import ConfigurationError, VerifierError
from uniscale_integrations.search.medoid import medoid
from uniscale_integrations.search.paths import PathKey


@dataclass(slots=True)
class Ballot:
    """What one finished path votes for.

    Attributes:
        answer: its answer as written; `None` where none could be extracted.
        value: `V(p)`; `None` where nothing scored the path.
        key: the path.
        text: the whole of it, by which those are compared that have no answer.
    """

    answer: str | None
    value: float | None
    key: PathKey
    text: str = ""


def vote(ballots: Iterable[Ballot], question: str = "", equal: Equal | None = None) -> Ballot:
    """The best ballot of the answer that most of the value stands behind.

    The weight of an answer is the sum of `V(p)` over the paths that give one that is the same (`sameness`). An answer that could not be
    extracted agrees with no other and stands for itself, with its own value. Ties fall to the best value, then to the earliest path. Where
    no ballot has a value, each counts 1; where only some have, those without weigh nothing. Texts that hold no answer and that nothing
    scored are no votes for anything: of those the `medoid` wins.

    Args:
        ballots: one for each path that takes part.
        question: what was asked; it says how answers are read.
        equal: compares expressions; without it those that are written differently differ.

    Raises:
        ConfigurationError: there are no ballots.
        VerifierError: a value that is negative or not finite.

    Example:
        >>> cast = [("12", 0.4), ("12.0", 0.5), ("7", 0.8)]
        >>> vote(Ballot(answer, value, PathKey(tree, (0,))) for tree, (answer, value) in enumerate(cast)).key
        PathKey(tree=1, lineage=(0,))
    """
    entries = list(ballots)
    by_count = _only_counted(entries)
    if len(entries) == 1:
        return entries[0]
    ranks = [_rank(group, by_count) for group in _groups(entries, question, equal)]
    best = min(ranks, key=_position)[2]
    return _typical(ranks) if by_count and best.answer is None else best


def _only_counted(ballots: Sequence[Ballot]) -> bool:
    """Whether ballots are only counted, because none has a value."""
    if not ballots:
        raise ConfigurationError("a vote needs at least one ballot; no path was finished")
    for ballot in ballots:
        if ballot.value is not None and not 0.0 <= ballot.value < inf:
            raise VerifierError(f"the path {ballot.key} has the value {ballot.value!r}; a vote needs finite values of at least 0")
    return all(ballot.value is None for ballot in ballots)


def _groups(ballots: Sequence[Ballot], question: str, equal: Equal | None) -> Iterable[list[Ballot]]:
    """The ballots by answer."""
    numbers = iter(groups([ballot.answer for ballot in ballots if ballot.answer is not None], question, equal))
    of: dict[int | PathKey, list[Ballot]] = {}
    for ballot in ballots:
        of.setdefault(ballot.key if ballot.answer is None else next(numbers), []).append(ballot)
    return of.values()


Rank = tuple[float, tuple[bool, float, PathKey], Ballot]
"""What answers are ordered by, first of all minus the weight; and the best ballot of this one."""


def _typical(ranks: list[Rank]) -> Ballot:
    """Of texts without an answer that have most votes, the one that is most like the others."""
    top = min(ranks, key=_position)[0]
    ties = sorted((best for rank, _, best in ranks if rank == top and best.answer is None), key=_order)
    return ties[medoid([ballot.text for ballot in ties])]


def _rank(group: list[Ballot], by_count: bool) -> Rank:
    if len(group) == 1:
        [best] = group
        return -(1.0 if by_count else best.value or 0.0), _order(best), best
    best = min(group, key=_order)
    # fsum rounds once, so that the order of the ballots cannot change a tie.
    weight = fsum(1.0 if by_count else ballot.value or 0.0 for ballot in group)
    return -weight, _order(best), best


def _order(ballot: Ballot) -> tuple[bool, float, PathKey]:
    return ballot.value is None, -(ballot.value or 0.0), ballot.key


def _position(rank: Rank) -> tuple[float, tuple[bool, float, PathKey]]:
    return rank[0], rank[1]
