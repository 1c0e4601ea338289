"""One vote over what several attempts have answered: of searches path by path, of single samples by how right each is believed to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from math import log

from uniscale_integrations.answers.sameness import Equal, groups
from uniscale_integrations.search.voting import Ballot, vote

MAX_BELIEF = 0.99
"""Nothing is believed more than that, nor less than what is left of it: odds stay finite."""


@dataclass(frozen=True, slots=True)
class Voter:
    """One attempt.

    Attributes:
        answer: read off what it gives; `None` where nothing in it looks like one.
        belief: how right it is believed to be, in [0, 1].
        ballots: of its paths that took part in its own vote.
    """

    answer: str | None
    belief: float
    ballots: Sequence[Ballot]


def joint_vote(voters: Sequence[Voter], kept: int, question: str = "", equal: Equal | None = None) -> int:
    """The number of the attempt whose answer most speaks for.

    Attempts that all have several paths vote as one search would, by the values of all paths; a single sample has no share of a vote, so
    that with one among them each attempt counts the log-odds of its belief. Where no answer is given twice, or none can be read, what is
    kept stays.

    Args:
        voters: the attempts.
        kept: the number of the one that is kept otherwise.
        question: what was asked; it says how answers are read.
        equal: compares expressions.

    Example:
        >>> from uniscale_integrations.search.paths import PathKey
        >>> single = [Voter("7", 0.65, ()), Voter("8", 0.8, ()), Voter("7.0", 0.7, ())]
        >>> joint_vote(single, kept=1)
        2
    """
    readable = [number for number, voter in enumerate(voters) if voter.answer is not None]
    if len(voters) < 2 or kept not in readable:
        return kept
    if all(len(voter.ballots) > 1 for voter in voters):
        ballots = list(chain.from_iterable(voter.ballots for voter in voters))
        winner = vote(ballots, question, equal).answer
        names = [winner or "", *(voters[number].answer or "" for number in readable)]
        same = groups(names, question, equal)
        agreeing = [number for place, number in enumerate(readable, 1) if same[place] == same[0]]
        return kept if not agreeing or winner is None or kept in agreeing else max(agreeing, key=lambda each: voters[each].belief)
    numbers = groups([voters[number].answer or "" for number in readable], question, equal)
    odds: dict[int, float] = {}
    for number, group in zip(readable, numbers, strict=True):
        odds[group] = odds.get(group, 0.0) + _log_odds(voters[number].belief)
    own = numbers[readable.index(kept)]
    best = max(odds, key=lambda group: (odds[group], group == own))
    if best == own or numbers.count(best) < 2:
        return kept
    return max(
        (number for number, group in zip(readable, numbers, strict=True) if group == best), key=lambda each: voters[each].belief
    )


def _log_odds(belief: float) -> float:
    within = min(max(belief, 1.0 - MAX_BELIEF), MAX_BELIEF)
    return log(within / (1.0 - within))
