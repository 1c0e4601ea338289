"""Whose answer several attempts speak for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.rounds.joint_vote import Voter, joint_vote
from uniscale_integrations.search.paths import PathKey
from uniscale_integrations.search.voting import Ballot, vote

ANSWERS = st.sampled_from(["3", "3.0", "4", "5", None])
SINGLE = st.builds(lambda answer, belief: Voter(answer, belief, ()), ANSWERS, st.floats(0.0, 1.0))


def searched(answers: list[str], values: list[float], belief: float = 0.5) -> Voter:
    ballots = [Ballot(each, value, PathKey(tree, (0,))) for tree, (each, value) in enumerate(zip(answers, values, strict=True))]
    return Voter(vote(ballots).answer, belief, ballots)


def test_searches_vote_together() -> None:
    few = searched(["3", "3", "4", "4.0"], [0.9, 0.9, 0.8, 0.8])
    many = searched(["4", "4", "4", "5"], [0.7, 0.7, 0.7, 0.7])
    assert joint_vote([few, many], kept=0) == 1


def test_a_single_sample_counts_by_how_right_it_is_believed_to_be() -> None:
    search, single = searched(["3", "3", "4", "4"], [0.5, 0.5, 0.4, 0.4], 0.55), Voter("4", 0.9, ())
    assert joint_vote([search, single], kept=1) == 1
    assert joint_vote([Voter("4", 0.7, ()), Voter("3", 0.8, ()), Voter("4", 0.75, ())], kept=1) == 2


@given(st.lists(SINGLE, min_size=1, max_size=5), st.data())
def test_what_nobody_else_says_is_no_reason_to_change(voters: list[Voter], data: st.DataObject) -> None:
    kept = data.draw(st.integers(0, len(voters) - 1))
    chosen = joint_vote(voters, kept)
    assert 0 <= chosen < len(voters)
    if chosen != kept:
        same = [
            voter for voter in voters if voter.answer is not None and float(voter.answer) == float(voters[chosen].answer or 0)
        ]
        assert len(same) > 1
        assert voters[chosen].belief == max(voter.belief for voter in same)


@given(st.lists(SINGLE, min_size=2, max_size=2), st.integers(0, 1))
def test_two_single_samples_leave_what_is_kept_or_say_the_same(voters: list[Voter], kept: int) -> None:
    chosen = joint_vote(voters, kept)
    assert chosen == kept or voters[0].answer == voters[1].answer or {voters[0].answer, voters[1].answer} == {"3", "3.0"}
