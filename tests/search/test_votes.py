"""Votes that stop when they are decided: the state machine."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from math import fsum
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.search.paths import PathKey
from uniscale_integrations.search.votes import (
    VOTE_RULES,
    Group,
    Tally,
    Vote,
    VoteRule,
    expected_overtake,
    stopped_share,
    vote_rule,
)
from uniscale_integrations.search.voting import Ballot, vote

RULES = [rule for rule in VOTE_RULES.values() if rule is not None]
LOSSLESS = VoteRule((), risk=0.0)


class Cast(NamedTuple):
    """What a candidate says; `answer` is `None` where it cannot be read, `own` where only its answer counts."""

    answer: str | None
    own: float | None = None
    fails: bool = False


def ballots(cast: dict[int, Cast], share: float) -> list[Ballot]:
    """The vote of those candidates, each with its value among them: a share of those that agree, and something of its own."""
    counts, size = Counter(each.answer for each in cast.values()), len(cast)

    def value(each: Cast) -> float | None:
        if not share:
            return None
        if each.answer is None or size == 1:
            return each.own
        agree = counts[each.answer] / size
        return agree if each.own is None else share * agree + (1 - share) * each.own

    return [Ballot(each.answer, value(each), PathKey(place, (0,))) for place, each in sorted(cast.items())]


def tally(ended: int, cast: dict[int, Cast], share: float) -> Tally:
    """How they have voted."""
    groups: dict[object, list[Ballot]] = {}
    for ballot in ballots(cast, share):
        groups.setdefault(ballot.key if ballot.answer is None else ballot.answer, []).append(ballot)
    counted = [
        Group(len(each), fsum(1.0 if not share else ballot.value or 0.0 for ballot in each), each[0].key.tree)
        for each in groups.values()
        if not share or any(ballot.value is not None for ballot in each)
    ]
    plain = not share or all(each.own is None for each in cast.values())
    return Tally(ended, len(cast), tuple(counted), counted=plain)


def play(cast: list[Cast], rule: VoteRule, share: float, random: Random | None = None) -> tuple[Vote, dict[int, Cast]]:
    """Draw until the vote is over; with `random` the candidates of a wave come one by one, in any order. Returns who has come."""
    machine, came, ended = Vote(len(cast), rule, share), dict[int, Cast](), 0
    while more := machine.ask():
        wave = list(range(machine.asked - more, machine.asked))
        if random is not None:
            random.shuffle(wave)
        for place in wave:
            ended += 1
            if not cast[place].fails:
                came[place] = cast[place]
            if (random is not None or ended == machine.asked) and machine.tell(tally(ended, came, share)):
                return machine, came
    return machine, came


def case(random: Random) -> tuple[list[Cast], float]:
    """A random vote: few answers or many, some of them missing, with or without values of their own."""
    share = random.choice([0.0, 1.0, 0.5, random.uniform(0.05, 0.95)])
    answers = [*"abcdefgh"[: random.randint(1, 5)]] + [None] * random.randint(0, 1)
    weights = [random.random() ** 2 for _ in answers]
    own, failing = random.choice([0.0, 0.5, 1.0]), random.choice([0.0, 0.0, 0.3])
    return [
        Cast(
            random.choices(answers, weights)[0],
            random.choice([random.random(), 0.0, 1.0]) if 0 < share < 1 and random.random() < own else None,
            random.random() < failing,
        )
        for _ in range(random.randint(2, 17))
    ], share


@pytest.mark.parametrize("rule", [LOSSLESS, VoteRule(risk=0.0), VoteRule((1,), risk=0.0, repeats=9)], ids=str)
def test_the_lossless_rule_gives_the_answer_of_the_full_vote_in_each_of_ten_thousand_cases(rule: VoteRule) -> None:
    random, stopped = Random(25), 0
    for _ in range(10_000):
        cast, share = case(random)
        machine, came = play(cast, rule, share, random if random.random() < 0.5 else None)
        stopped += bool(machine.decided)
        everybody = {place: each for place, each in enumerate(cast) if not each.fails}
        if everybody:
            assert vote(ballots(came, share)).answer == vote(ballots(everybody, share)).answer, (cast, share)
    assert stopped > 2_000


@given(st.randoms(use_true_random=False), st.sampled_from(RULES))
def test_the_order_within_a_wave_does_not_matter(random: Random, rule: VoteRule) -> None:
    cast, share = case(random)
    if any(each.own is not None for each in cast):
        # A model gives log-probabilities or it does not: what those that are under way will have is what the others have.
        cast = [each._replace(own=each.own or 0.5) for each in cast]
    whole, came = play(cast, rule, share)
    for _ in range(3):
        partly, some = play(cast, rule, share, random)
        # In the last wave one may be given up that the others have outvoted.
        assert partly.asked == whole.asked
        assert bool(partly.decided) == bool(whole.decided) or whole.asked == len(cast)
        if came and some:
            assert vote(ballots(some, share)).answer == vote(ballots(came, share)).answer


@given(st.randoms(use_true_random=False), st.sampled_from(RULES))
def test_no_more_candidates_are_drawn_than_there_are_to_be_and_none_once_it_is_decided(random: Random, rule: VoteRule) -> None:
    cast, share = case(random)
    machine, came = play(cast, rule, share, random)
    assert len(came) <= machine.asked <= len(cast)
    assert machine.decided or machine.asked == len(cast)
    assert machine.ask() == 0


@given(st.randoms(use_true_random=False), st.sampled_from(RULES))
def test_what_comes_after_the_decision_changes_nothing(random: Random, rule: VoteRule) -> None:
    cast, share = case(random)
    machine, came = play(cast, rule, share, random)
    reason, counted = machine.decided, machine.tally
    if reason:
        assert machine.tell(tally(machine.asked, {**came, 99: Cast("z")}, share)) if len(came) < machine.asked else True
        assert (machine.decided, machine.tally) == (reason, counted)


def urn(counts: tuple[Fraction, ...], left: int) -> dict[tuple[Fraction, ...], Fraction]:
    """All ends of a Polya urn with their probabilities, ball by ball."""
    ends = {counts: Fraction(1)}
    for _ in range(left):
        after: dict[tuple[Fraction, ...], Fraction] = {}
        for state, probability in ends.items():
            for place, weight in enumerate(state):
                grown = (*state[:place], weight + 1, *state[place + 1 :])
                after[grown] = after.get(grown, Fraction(0)) + probability * weight / sum(state)
        ends = after
    return ends


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6), st.integers(0, 8))
def test_what_stopping_loses_is_the_mean_of_the_urn(leader: int, runner: int, others: int, left: int) -> None:
    half = Fraction(1, 2)
    ends = urn((leader + half, runner + half, others + half), left)
    exact = sum(p * max(Fraction(0), second - first) for (first, second, _), p in ends.items())
    assert expected_overtake(leader, runner, others, left) == pytest.approx(float(exact), abs=1e-12)


@pytest.mark.parametrize(
    ("groups", "size", "drawn"),
    [
        ([3], 8, 3),
        ([3, 1], 8, 4),
        ([3, 1], 16, None),
        ([2, 1], 4, 3),  # a tie falls to the earlier answer, which leads
        ([5, 1], 8, 6),
        ([2, 1], 8, None),
        ([1, 1, 1], 4, None),
    ],
)
def test_when_the_default_stops(groups: list[int], size: int, drawn: int | None) -> None:
    machine, first, counted = Vote(size, VoteRule()), 0, list[Group]()
    for count in groups:
        counted.append(Group(count, float(count), first))
        first += count
    while machine.asked < first:
        machine.tally = Tally(machine.asked, machine.asked, ())
        machine.ask()
    if machine.asked == first:
        assert machine.tell(Tally(first, first, tuple(counted), counted=True)) is (drawn is not None)
        assert not drawn or f"after {drawn} of {size}" in machine.decided


def test_a_straggler_is_given_up_where_it_could_not_matter() -> None:
    machine = Vote(4, VoteRule())
    assert machine.ask() == 3
    assert not machine.tell(Tally(1, 1, (Group(1, 1.0, 0),), counted=True))
    assert machine.tell(Tally(2, 2, (Group(2, 2.0, 0),), counted=True))
    assert "hardly" in machine.decided
    # So where the one that is missing stands first: its answer could win a tie at the most, which is no better.
    machine = Vote(4, VoteRule())
    assert machine.ask() == 3
    assert machine.tell(Tally(2, 2, (Group(2, 2.0, 1),), counted=True))
    # Nobody gives up what could change a vote that has to be certain.
    machine = Vote(4, VoteRule(risk=0.0))
    assert machine.ask() == 3
    assert not machine.tell(Tally(2, 2, (Group(2, 2.0, 1),), counted=True))


def test_failed_candidates_are_neither_counted_nor_drawn_again() -> None:
    machine = Vote(8, VoteRule())
    assert machine.ask() == 3
    # Two that agree would be enough for the risk, but fewer than a wave are not looked at.
    assert not machine.tell(Tally(3, 2, (Group(2, 2.0, 0),), counted=True))
    assert machine.ask() == 1
    assert machine.tell(Tally(4, 3, (Group(3, 3.0, 0),), counted=True))
    assert "after 3 of 8 candidates: 3 agree, and the other 4" in machine.decided


def test_answers_that_may_be_joined_are_one_rival() -> None:
    groups = (Group(4, 4.0, 0), Group(2, 2.0, 3), Group(1, 1.0, 5))
    for atoms, decided in ((None, True), (groups, False)):
        machine = Vote(8, VoteRule((7,), risk=0.0))
        machine.ask()
        assert machine.tell(Tally(7, 7, groups, atoms)) is decided


def test_the_share_of_a_stopped_vote_lies_below_that_of_a_longer_one() -> None:
    assert [round(stopped_share(count, count), 3) for count in (3, 4, 6)] == [0.875, 0.9, 0.929]


@pytest.mark.parametrize("votes", ["never", 3, None, ["early"]])
def test_rules_that_do_not_exist_are_refused_with_those_that_do(votes: object) -> None:
    with pytest.raises(ConfigurationError, match=r"votes must be one of early, lossless, latency, full, or a VoteRule"):
        vote_rule(votes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"waves": (3, 0)}, "at least one candidate, got (3, 0)"),
        ({"risk": 1.0}, "must lie in [0, 1), got 1.0"),
        ({"risk": float("nan")}, "must lie in [0, 1), got nan"),
        ({"waves": ()}, "needs waves"),
    ],
)
def test_rules_that_cannot_be_are_refused(rule: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        VoteRule(**rule)  # type: ignore[arg-type]


def test_more_than_was_asked_for_is_refused() -> None:
    machine = Vote(8, VoteRule())
    machine.ask()
    with pytest.raises(ConfigurationError, match="4 candidates came where 3 were asked for"):
        machine.tell(Tally(4, 4, ()))
