"""Votes that stop when they are decided: how many candidates to draw now, told how those that are there have voted.

Pure, like `beam`: nothing here samples, awaits or reads an answer. Candidates are drawn in waves, and a vote of N ends after a wave where

- what is left cannot change the outcome (`risk` 0, lossless): the leader's weight exceeds that of every rival by more than all that is
  left could add to it, an answer that nobody has given yet included; or
- little is lost by not waiting: given the votes so far, the rest is a Polya urn over the leader, the runner-up and all others, each with a
  prior of one half, and another answer would be ahead of the leader by at most `risk` votes on average, or `risk * 8 / N` for N above 8:
  who pays for more candidates wants their outcome to be finer.

What is lost is counted in votes, since an answer that overtakes another one by a single vote is hardly more often right. So a model whose
answers all differ is not asked on and on for a leader that changes with every one of them.

Related: adaptive-consistency (Aggarwal et al. 2023), whose Dirichlet asks which answer is the most common one of a model; here the question
is the outcome of the vote among N, which more certainty about the model would not change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement, repeat
from math import comb, fsum, prod
from typing import Literal

from uniscale_integrations.errors import ConfigurationError

VoteMode = Literal["early", "lossless", "latency", "full"]

USUAL_SIZE = 8
"""Candidates of a vote of which the risk is what a rule says; of more it is less."""

PRIOR = 0.5
"""Votes that the leader, the runner-up and all others have each before the first."""

MARGIN = 1e-9
"""Sums of floats that lie closer together count as equal."""


@dataclass(frozen=True, slots=True)
class VoteRule:
    """When a vote stops.

    Attributes:
        waves: candidates of each wave; after the last one they go on doubling, each size `repeats` times. Without any each wave is as
            large as it must be at the least to decide the vote, which takes the fewest candidates where it has to be certain.
        risk: most votes by which the rest would have put another answer ahead, on average, in [0, 1), of up to eight candidates; of N more
            `8 / N` of that. 0 is lossless.
        repeats: how often each further size comes.

    Raises:
        ConfigurationError: a wave without candidates, a risk out of range, or no waves where the vote may stop on a risk.

    Example:
        >>> [VoteRule().sizes(count) for count in (4, 8, 16)]
        [(3, 1), (3, 1, 2, 2), (3, 1, 2, 2, 4, 4)]
        >>> VOTE_RULES["latency"].sizes(16)
        (3, 2, 3, 6, 2)
    """

    waves: tuple[int, ...] = (3, 1, 2, 2)
    risk: float = 0.14
    repeats: int = 2

    def __post_init__(self) -> None:
        if min(self.waves, default=1) < 1 or self.repeats < 1:
            raise ConfigurationError(f"a vote is drawn in waves of at least one candidate, got {self.waves!r}")
        if not 0 <= self.risk < 1:
            raise ConfigurationError(f"the risk of a vote must lie in [0, 1), got {self.risk!r}; 0 stops where it is certain")
        if self.risk and not self.waves:
            raise ConfigurationError(f"a vote that stops at a risk of {self.risk} needs waves, such as (3, 1, 2, 2)")

    def sizes(self, count: int) -> tuple[int, ...]:
        """Of the waves in which so many candidates are drawn; the smallest there may be where the rule has none."""
        sizes: list[int] = []
        for size in self._endless(count):
            if count <= 0:
                break
            sizes.append(min(size, count))
            count -= size
        return tuple(sizes)

    def _endless(self, count: int) -> Iterator[int]:
        if not self.waves:
            yield count // 2 + 1
            yield from repeat(1)
        yield from self.waves
        size = self.waves[-1]
        while True:
            size *= 2
            yield from (size,) * self.repeats


VOTE_RULES: dict[str, VoteRule | None] = {
    "early": VoteRule(),
    "lossless": VoteRule((), risk=0.0),
    "latency": VoteRule((3, 2, 3), repeats=1),
    "full": None,
}
"""By their names in `Sampling.votes`."""


def vote_rule(votes: VoteMode | VoteRule) -> VoteRule | None:
    """The rule of that name, or one as it is; `None` where all candidates are drawn.

    Raises:
        ConfigurationError: no such name; tells those there are.
    """
    if isinstance(votes, VoteRule):
        return votes
    try:
        return VOTE_RULES[votes]
    except (KeyError, TypeError):
        raise ConfigurationError(f"votes must be one of {', '.join(VOTE_RULES)}, or a VoteRule, got {votes!r}") from None


@dataclass(frozen=True, slots=True)
class Group:
    """Candidates that give the same answer.

    Attributes:
        count: how many.
        weight: the sum of their values; `count` where votes are only counted.
        first: the number of the earliest among all candidates, which ties go to.
    """

    count: int
    weight: float
    first: int


NOBODY = Group(0, 0.0, 1 << 30)
"""An answer that nobody has given yet."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How the candidates have voted that are there.

    Attributes:
        ended: requests that are over, failed ones included.
        drawn: candidates among them that count, whether or not they give an answer: what shares are of.
        groups: of those that give one.
        atoms: where further answers could make one of several groups, or take a part of one: parts that stay together whatever comes.
            `None` where groups stay what they are.
        counted: whether weights follow from counts alone, so that the greater group has the greater one.
    """

    ended: int
    drawn: int
    groups: tuple[Group, ...]
    atoms: tuple[Group, ...] | None = None
    counted: bool = False


class Vote:
    """One vote among N candidates.

    Args:
        size: N.
        rule: when it stops.
        share: what part of a candidate's value is the share of candidates that agree with it, in [0, 1]; 0 where votes are only counted.
            The other part lies in [0, 1] and is the candidate's own.

    Attributes:
        asked: candidates that were asked for.
        tally: the last one told.
        decided: why it has stopped; empty while it has not.

    Example:
        >>> vote = Vote(8, VoteRule())
        >>> vote.ask(), vote.ask()
        (3, 0)
        >>> vote.tell(Tally(3, 3, (Group(3, 3.0, 0),)))
        True
        >>> vote.decided
        'decided after 3 of 8 candidates: 3 agree, and the other 5 would put another answer ahead by 0.0074 votes on average'
    """

    def __init__(self, size: int, rule: VoteRule, share: float = 0.0) -> None:
        if size < 1:
            raise ConfigurationError(f"a vote needs at least one candidate, got {size}")
        self.size, self.rule, self.share = size, rule, share
        self.asked, self.decided = 0, ""
        self.tally = Tally(0, 0, ())

    def ask(self) -> int:
        """How many candidates to draw now, none twice; 0 while some of them are under way, and once the vote is over."""
        if self.decided or self.tally.ended < self.asked:
            return 0
        left = self.size - self.asked
        wave = self.rule.sizes(self.size)[len(self.rule.sizes(self.asked))] if self.rule.waves and left else self._fewest(left)
        self.asked += wave
        return wave

    def _fewest(self, left: int) -> int:
        """As many as decide the vote if all of them are for the leader."""
        leader, runner, *_ = (*sorted(self.tally.groups, key=_position), NOBODY, NOBODY)
        return min(left, max(1, (runner.count + left - leader.count) // 2 + 1))

    def tell(self, tally: Tally) -> bool:
        """Count again; returns whether the vote is decided, so that what is under way can be cancelled.

        While some of a wave are under way, it is decided only if it will be after the wave whatever they say, so that who answers first
        decides nothing. Once decided, it stays so.

        Raises:
            ConfigurationError: more candidates than were asked for.
        """
        if tally.ended > self.asked or tally.drawn > tally.ended:
            raise ConfigurationError(f"{tally.drawn} of {tally.ended} candidates came where {self.asked} were asked for")
        if not self.decided:
            self.tally = tally
            self.decided = self._decided(tally)
        return bool(self.decided)

    def could_decide(self, ended: int, drawn: int) -> bool:
        """Whether the vote would be decided if all these candidates agreed; while it would not, they need not be compared.

        Args:
            ended: requests that are over.
            drawn: candidates among them that count.
        """
        return drawn > 0 and bool(self._decided(Tally(ended, drawn, (Group(drawn, float(drawn), 0),), counted=True)))

    def _decided(self, tally: Tally) -> str:
        left = self.size - tally.ended
        if not left or not tally.groups:
            return ""
        leader = min(tally.groups, key=_position)
        after = f"decided after {tally.drawn} of {self.size} candidates: {leader.count} agree, and the other {left}"
        if self._certain(tally, left):
            return f"{after} cannot change that"
        if not self.rule.risk:
            return ""
        under_way = self.asked - tally.ended
        if under_way:
            return f"{after} hardly can" if self._inevitable(tally, under_way, left) else ""
        risk = self._risk(tally, left)
        return (
            f"{after} would put another answer ahead by {risk:.2g} votes on average" if risk <= self._limit(tally.drawn) else ""
        )

    def _limit(self, drawn: int) -> float:
        """The risk that is taken after so many; none on fewer than the first wave has, where some of it have failed."""
        return self.rule.risk * min(1.0, USUAL_SIZE / self.size) if drawn >= self.rule.waves[0] else 0.0

    def _certain(self, tally: Tally, left: int) -> bool:
        """Whether the leader's weight stays above that of every rival, however many of those left fail and whatever the others say."""
        leader, *rivals = sorted(tally.groups if tally.atoms is None else tally.atoms, key=_position)
        if tally.atoms is not None:
            # What can be joined may all be one rival in the end, with a share for which the candidates of each were too few alone.
            count = sum(rival.count for rival in rivals)
            gained = (self.share and rival.count * (count - rival.count) / tally.drawn for rival in rivals)
            rivals = [Group(count, fsum(rival.weight for rival in rivals) + fsum(gained), 0)]
        strongest = (*rivals, NOBODY)
        return all(
            self._least(leader, tally.drawn, more) > max(self._most(rival, tally.drawn, more) for rival in strongest) + MARGIN
            for more in range(left + 1)
        )

    def _least(self, leader: Group, drawn: int, more: int) -> float:
        """The leader's weight if so many more come, none of them for it: its share shrinks, as far as its value is one."""
        if not self.share:
            return leader.weight
        return leader.weight - leader.count * (leader.count / drawn - leader.count / (drawn + more))

    def _most(self, rival: Group, drawn: int, more: int) -> float:
        """A rival's weight if all of so many more are for it, each with the most value."""
        if not self.share:
            return rival.weight + more
        share = (rival.count + more) / (drawn + more)
        rise = rival.count * (share - rival.count / drawn)
        own = 1.0 - self.share
        # One without an answer stands alone, with its own value and no share.
        return rival.weight + rise + max(more * (self.share * share + own), min(more, 1) * (own > 0))

    def _risk(self, tally: Tally, left: int) -> float:
        """By how many votes another answer is ahead of the leader once the rest is drawn, on average."""
        leader, runner, *_ = (*sorted(tally.groups, key=_position), NOBODY)
        others = max(0, tally.drawn - leader.count - runner.count)
        if tally.counted or not self.share:
            return expected_overtake(leader.count, runner.count, others, left)
        final = tally.drawn + left
        return fsum(
            probability
            * max(0.0, self._projected(runner, rise, tally.drawn, final) - self._projected(leader, gain, tally.drawn, final))
            for probability, gain, rise in _draws(leader.count, runner.count, others, left)
        )

    def _projected(self, group: Group, more: int, drawn: int, final: int) -> float:
        """A group's weight in the end if so many more are for it, whose own values are on average as those of its candidates so far."""
        count = group.count + more
        if not group.count:
            return count * (self.share * count / final + 1.0 - self.share)
        return count * (group.weight / group.count + self.share * (count / final - group.count / drawn))

    def _inevitable(self, tally: Tally, under_way: int, left: int) -> bool:
        """Whether the vote will be decided for the same answer after this wave, whatever those under way say, and if they fail."""
        if not tally.counted and self.share:
            # What their own values will be is not known.
            return False
        leader, *rivals = sorted(tally.groups, key=_position)
        rivals = [*rivals[:2], NOBODY]
        rest = left - under_way
        for size in range(under_way + 1):
            for says in combinations_with_replacement(range(-1, len(rivals)), size):
                count = leader.count + says.count(-1)
                grown = [rival.count + says.count(place) for place, rival in enumerate(rivals)]
                runner = max(grown)
                others = max(0, tally.drawn + size - count - runner)
                # Who of those under way stands before the leader takes a tie from it.
                tie = leader.first > 0
                limit = self._limit(tally.drawn + size)
                if runner + tie > count or (rest and expected_overtake(count, runner, others, rest) > limit):
                    return False
        return True


@lru_cache(maxsize=256)
def expected_draws(size: int, rule: VoteRule | None) -> float:
    """How many candidates a vote among so many is expected to draw where nothing is known of the model: what the urn expects.

    Example:
        >>> round(expected_draws(8, VoteRule()), 1), expected_draws(8, None)
        (4.3, 8.0)
    """
    return float(size) if rule is None else _expected_draws((0, 0, 0), size, rule)


@lru_cache(maxsize=4096)
def _expected_draws(counts: tuple[int, int, int], size: int, rule: VoteRule) -> float:
    """The same of a vote that has so many for three answers."""
    machine, drawn = Vote(size, rule), sum(counts)
    machine.asked = drawn
    groups = tuple(Group(count, float(count), place) for place, count in enumerate(counts) if count)
    if drawn and (machine.tell(Tally(drawn, drawn, groups)) or drawn == size):
        return float(drawn)
    wave = machine.ask()

    def grown(gain: int, rise: int) -> tuple[int, int, int]:
        first, second, third = sorted((counts[0] + gain, counts[1] + rise, counts[2] + wave - gain - rise), reverse=True)
        return first, second, third

    return fsum(chance * _expected_draws(grown(gain, rise), size, rule) for chance, gain, rise in _draws(*counts, wave))


def stopped_share(count: int, drawn: int) -> float:
    """The share of the candidates that give an answer, of a vote that was stopped: `(n + 1/2) / (k + 1)`.

    A vote stops when its leader is far ahead, so that `n / k` would be too much: three of three are not as much as eight of eight.

    Example:
        >>> stopped_share(3, 3), stopped_share(1, 3)
        (0.875, 0.375)
    """
    return (count + PRIOR) / (drawn + 1.0)


@lru_cache(maxsize=4096)
def expected_overtake(leader: int, runner: int, others: int, left: int) -> float:
    """By how many votes the runner-up is ahead of the leader once so many more are drawn from the urn, 0 where it is not; the exact mean.

    Args:
        leader: votes for the answer that leads.
        runner: for the one behind it.
        others: for all others together.
        left: votes to come.

    Example:
        >>> round(expected_overtake(2, 1, 0, 2), 3), expected_overtake(2, 1, 0, 1)
        (0.152, 0.0)
    """
    draws = _draws(leader, runner, others, left)
    return fsum(probability * max(0, runner + rise - leader - gain) for probability, gain, rise in draws)


def _draws(leader: int, runner: int, others: int, left: int) -> Iterator[tuple[float, int, int]]:
    """Every division of the votes to come with its probability: Dirichlet-multinomial with `PRIOR` on each.

    Yields:
        the probability, votes for the leader, and votes for the runner-up.
    """
    urn = leader + PRIOR, runner + PRIOR, others + PRIOR
    total = _rising(sum(urn), left)
    for gain in range(left + 1):
        for rise in range(left - gain + 1):
            rest = left - gain - rise
            ways = comb(left, gain) * comb(left - gain, rise)
            balls = _rising(urn[0], gain) * _rising(urn[1], rise) * _rising(urn[2], rest)
            yield ways * balls / total, gain, rise


def _rising(start: float, count: int) -> float:
    """The product of so many numbers from `start` on, each greater by one."""
    return prod(start + step for step in range(count))


def _position(group: Group) -> tuple[float, int]:
    return -group.weight, group.first
