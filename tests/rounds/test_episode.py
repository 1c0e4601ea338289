"""An episode keeps to its rounds and limits whatever comes of its attempts, and whoever decides."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.objective import Objective, Value, weights
from uniscale_integrations.policy.policy import Choice, Context
from uniscale_integrations.policy.schema import FeatureSchema
from uniscale_integrations.rounds.attempt import Answered, Decision, Failed
from uniscale_integrations.rounds.context import worths
from uniscale_integrations.rounds.episode import Episode, Limits
from uniscale_integrations.rounds.policy import DecidesAgain
from uniscale_integrations.space import Configuration

SPACE = [Configuration(model, qp) for model in ("small", "medium", "large") for qp in (1, 4)]
ARMS = Arms.of(SPACE, FeatureSchema(("bias", "length")), [0.0, 0.3, 0.2, 0.5, 0.7, 1.0], span=5.0)
MODELS = ARMS.model_of
REQUEST = Context(np.array([1.0, 0.5]))
OBJECTIVES = st.sampled_from([weights("cost-sensitive"), weights("balanced"), weights("quality-first"), Value(points=5.0)])


class Unforeseeable(DecidesAgain):
    """Chooses whatever is eligible, for its own reasons."""

    def __init__(self, arms: Arms, seed: int) -> None:
        super().__init__(arms)
        self._own = np.random.default_rng(seed)

    def choose(self, assessment: object, rng: np.random.Generator) -> Choice:
        eligible = np.flatnonzero(assessment.eligible)  # type: ignore[attr-defined]
        return Choice(int(self._own.choice(eligible)), 1.0 / len(eligible))


@dataclass
class Played:
    """An episode that was played to its end, and what was seen on the way."""

    episode: Episode[int]
    asked: list[Decision] = field(default_factory=list)
    came: list[Answered[int] | Failed] = field(default_factory=list)


def play(policy: DecidesAgain, eligible: list[bool], limits: Limits, outcomes: list[object], objective: Objective) -> Played:
    """Let each attempt come out as the next of `outcomes` says: a score, no score, or a failure; the last goes on for ever."""
    episode: Episode[int] = Episode(policy, REQUEST, objective, np.array(eligible), MODELS, limits)
    played = Played(episode)
    while (decision := episode.ask()) is not None:
        number = len(played.asked)
        outcome = outcomes[min(number, len(outcomes) - 1)]
        spend = 1.0 + decision.configuration
        came = (
            Failed(TimeoutError(str(number)), spend)
            if outcome == "fails"
            else Answered(number, None if outcome == "unscored" else float(outcome), spend)  # type: ignore[arg-type]
        )
        played.asked.append(decision)
        played.came.append(came)
        episode.tell(decision, came)
        assert len(played.asked) <= 100
    return played


PLAYED = st.builds(
    play,
    st.integers(0, 2**16).flatmap(lambda seed: st.sampled_from([DecidesAgain(ARMS), Unforeseeable(ARMS, seed)])),
    st.lists(st.booleans(), min_size=6, max_size=6),
    st.builds(Limits, st.integers(1, 4)),
    st.lists(st.one_of(st.floats(0.0, 1.0), st.sampled_from(["fails", "unscored"])), min_size=1, max_size=8),
    OBJECTIVES,
)


@given(PLAYED)
def test_whatever_comes_an_episode_keeps_to_its_rules(played: Played) -> None:
    episode, attempts = played.episode, played.episode.context.attempts
    answers = [each for each in played.came if isinstance(each, Answered)]
    assert [each.came for each in attempts] == played.came
    assert len(answers) <= episode._limits.rounds
    failed: set[int] = set()
    for decision, came in zip(played.asked, played.came, strict=True):
        assert MODELS[decision.configuration] not in failed
        if isinstance(came, Failed):
            failed.add(MODELS[decision.configuration])
    result = episode.result()
    assert result.spend == pytest.approx(sum(each.spend for each in played.came))
    assert result.attempts == attempts
    assert (result.kept is None) == (not answers)
    assert episode.ask() is None


@given(st.lists(st.booleans(), min_size=6, max_size=6), st.integers(0, 100), OBJECTIVES, st.integers(1, 3))
def test_what_is_not_eligible_is_never_asked(eligible: list[bool], seed: int, objective: Objective, rounds: int) -> None:
    for policy in (DecidesAgain(ARMS), Unforeseeable(ARMS, seed)):
        played = play(policy, eligible, Limits(rounds), [0.3, "fails", 0.2], objective)
        assert all(eligible[decision.configuration] for decision in played.asked)
        assert bool(played.asked) == any(eligible)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=4), st.integers(0, 100), OBJECTIVES)
def test_one_round_is_one_decision(scores: list[object], seed: int, objective: Objective) -> None:
    played = play(Unforeseeable(ARMS, seed), [True] * 6, Limits(rounds=1), scores, objective)
    assert len(played.asked) == 1
    assert not played.episode.stopped


@given(st.integers(0, 2), st.integers(0, 100), st.integers(1, 3))
def test_failures_are_no_rounds(failures: int, seed: int, rounds: int) -> None:
    played = play(Unforeseeable(ARMS, seed), [True] * 6, Limits(rounds), ["fails"] * failures + [0.5], weights("balanced"))
    assert len(played.asked) > failures
    assert played.episode.result().kept is not None


def test_where_all_models_fail_the_last_error_is_the_result() -> None:
    played = play(DecidesAgain(ARMS), [True] * 6, Limits(), ["fails"], weights("balanced"))
    assert len(played.asked) == 3
    with pytest.raises(TimeoutError, match="2"):
        _ = played.episode.result().answer


@given(PLAYED)
def test_the_kept_answer_is_worth_the_most(played: Played) -> None:
    kept = played.episode.result().kept
    answers = played.episode.context.answers
    if kept is None:
        return
    objective = played.episode.context.objective
    assert objective is not None
    worth = worths(answers, objective)
    place = next(place for place, each in enumerate(answers) if each is kept)
    assert worth[place] == worth.max()
    assert (worth[:place] < worth.max()).all()


@given(st.floats(1.5, 12.0), st.integers(0, 100))
def test_what_would_go_beyond_the_limit_is_not_begun(limit: float, seed: int) -> None:
    policy = Unforeseeable(ARMS, seed)
    episode: Episode[str] = Episode(policy, REQUEST, weights("balanced"), np.ones(6, bool), MODELS, Limits(4, spend=limit))
    while (decision := episode.ask()) is not None:
        if decision.number:
            assert decision.expected.spend <= limit
        episode.tell(decision, Answered("", 0.1, 1.0))


def test_nothing_is_begun_after_the_deadline_but_a_first_attempt() -> None:
    episode: Episode[str] = Episode(
        Unforeseeable(ARMS, 1), REQUEST, weights("balanced"), np.ones(6, bool), MODELS, Limits(4, seconds=2.0)
    )
    decision = episode.ask(elapsed=3.0)
    assert decision is not None
    episode.tell(decision, Answered("late", 0.0, 1.0))
    assert episode.ask(elapsed=3.0) is None
    assert episode.result().answer == "late"


def test_a_decision_is_told_once_and_asked_for_until_then() -> None:
    episode: Episode[str] = Episode(DecidesAgain(ARMS), REQUEST, weights("balanced"), np.ones(6, bool), MODELS)
    decision = episode.ask()
    assert decision is not None
    assert episode.ask() is decision
    episode.tell(decision, Answered("yes", 0.2, 1.0))
    with pytest.raises(ConfigurationError, match="not open"):
        episode.tell(decision, Answered("no", 0.2, 1.0))
    assert episode.result().spend == 1.0


@given(st.lists(st.sampled_from(["answers", "fails"]), min_size=2, max_size=2), st.booleans())
def test_decisions_beside_each_other_may_be_told_in_any_order(outcomes: list[str], late_first: bool) -> None:
    episode: Episode[str] = Episode(DecidesAgain(ARMS), REQUEST, weights("balanced"), np.ones(6, bool), MODELS, Limits(1))
    first, second = episode.ask(), episode.beside()
    assert first is not None
    assert second is not None
    assert MODELS[first.configuration] != MODELS[second.configuration]
    order = [(first, outcomes[0]), (second, outcomes[1])]
    for decision, outcome in reversed(order) if late_first else order:
        assert episode.ask() in (first, second)
        episode.tell(decision, Answered("yes", 0.5, 1.0) if outcome == "answers" else Failed(TimeoutError("late")))
    assert [each.decision for each in episode.context.attempts] == [first, second]
    following = episode.ask()
    if "answers" in outcomes:
        assert following is None
        assert episode.result().answer == "yes"
    else:
        assert following is not None
        assert MODELS[following.configuration] not in {MODELS[first.configuration], MODELS[second.configuration]}


def test_a_vote_may_say_whose_answer_is_kept() -> None:
    episode: Episode[str] = Episode(Unforeseeable(ARMS, 2), REQUEST, weights("balanced"), np.ones(6, bool), MODELS, Limits(3))
    while (decision := episode.ask()) is not None:
        episode.tell(decision, Answered(str(decision.number), 1.0 - 0.3 * decision.number, 1.0))
    last = episode.context.attempts[-1].decision.number
    episode.keep(last)
    assert episode.result().answer == str(last)
    with pytest.raises(ConfigurationError, match="decision 9"):
        episode.keep(9)


def test_what_may_not_be_asked_now_may_be_asked_later() -> None:
    episode: Episode[str] = Episode(DecidesAgain(ARMS), REQUEST, weights("balanced"), np.ones(6, bool), MODELS)
    large = np.array([model == MODELS[-1] for model in MODELS])
    first = episode.ask(allowed=large)
    assert first is not None
    assert large[first.configuration]
    episode.tell(first, Failed(TimeoutError("late")))
    second = episode.ask(allowed=~large)
    assert second is not None
    assert not large[second.configuration]


def test_what_was_withdrawn_is_not_asked_again() -> None:
    episode: Episode[str] = Episode(Unforeseeable(ARMS, 3), REQUEST, weights("balanced"), np.ones(6, bool), MODELS, Limits(9))
    asked = []
    while (decision := episode.ask()) is not None:
        asked.append(decision.configuration)
        episode.withdraw([decision.configuration])
        episode.tell(decision, Answered("", 0.0, 1.0))
    assert len(asked) == len(set(asked))


def test_limits_that_allow_nothing_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="round"):
        Limits(rounds=0)
    with pytest.raises(ConfigurationError, match="spend"):
        Limits(spend=0.0)
    with pytest.raises(ConfigurationError, match="seconds"):
        Limits(seconds=float("nan"))


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
def test_poisoned_scores_are_refused(score: float) -> None:
    with pytest.raises(ConfigurationError, match="score"):
        Answered("", score, 1.0)


def test_costs_that_are_no_costs_are_refused() -> None:
    for spend in (-1.0, float("inf"), float("nan")):
        with pytest.raises(ConfigurationError, match="cost"):
            Failed(TimeoutError(), spend)
