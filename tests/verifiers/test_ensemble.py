"""Ensembles of verifiers."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.errors import ConfigurationError, VerifierError
from uniscale_integrations.search.paths import Candidate, Path, PathKey
from uniscale_integrations.search.ports import Verifier, VerifierSession
from uniscale_integrations.verifiers import Agreement, CallableVerifier, Ensemble, SelfCertainty, check_scores

ROOT = Path(PathKey(0, ()))
Scores = tuple[float, ...] | None


class Fixed:
    """A verifier that gives every candidate the same scores and remembers what happened to its session."""

    path_local = True

    def __init__(self, scores: Scores, upper: float = 1.0, *, name: str = "fixed", replies: int | None = None) -> None:
        self.name, self.upper, self.scores, self.replies = name, upper, scores, replies
        self.events: list[str] = []

    def open(self, question: str) -> Fixed:
        self.events.append(f"open {question}")
        return self

    async def score(self, items: Sequence[tuple[Path, Candidate]]) -> list[tuple[Scores, Usage]]:
        return [(self.scores, Usage(compute=1.0))] * (len(items) if self.replies is None else self.replies)

    @property
    def shared_usage(self) -> Usage:
        return Usage(prompt_tokens=2)

    def retain(self, paths: Collection[Path]) -> None:
        self.events.append(f"retain {len(paths)}")

    def close(self) -> None:
        self.events.append("close")


def reply(*members: tuple[Verifier, float], steps: tuple[str, ...] = ("a",)) -> tuple[Scores, Usage]:
    return asyncio.run(Ensemble(members).open("question").score([(ROOT, Candidate(steps, False))]))[0]


def test_the_mean_is_weighted_and_usages_are_added() -> None:
    scores, usage = reply((Fixed((0.5, 1.0)), 3), (Fixed((1.0, 0.0)), 1), steps=("a", "b"))
    assert scores == (0.625, 0.75)
    assert usage == Usage(compute=2.0)


def test_members_without_an_opinion_leave_the_weights_to_the_others_and_still_cost() -> None:
    assert reply((Fixed(None), 9), (Fixed((0.25,)), 1)) == ((0.25,), Usage(compute=2.0))
    assert reply((Fixed(None), 1), (Fixed(None), 1)) == (None, Usage(compute=2.0))


OPINIONS = st.tuples(st.floats(0.01, 1), st.floats(1e-3, 1e3), st.floats(0, 1), st.booleans())


@given(st.lists(OPINIONS, min_size=1, max_size=5))
def test_whoever_abstains_no_score_exceeds_the_bound_of_the_ensemble(members: list[tuple[float, float, float, bool]]) -> None:
    made: list[tuple[Verifier, float]] = [
        (Fixed(None if silent else (share * upper,), upper), weight) for upper, weight, share, silent in members
    ]
    scores, _ = reply(*made)
    upper = Ensemble(made).upper
    assert upper == max(verifier.upper for verifier, _ in made)
    if scores is not None:
        check_scores("ensemble", ("a",), scores, upper)


@given(st.floats(0, 1), st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=6))
def test_members_that_agree_are_not_rounded_away_from_their_score(score: float, weights: list[float]) -> None:
    assert reply(*[(Fixed((score,)), weight) for weight in weights])[0] == (score,)


def test_the_weighted_mean_of_the_bounds_would_not_hold() -> None:
    generous, strict = Fixed((1.0,), upper=1.0), Fixed(None, upper=0.2)
    assert reply((generous, 1), (strict, 1))[0] == (1.0,)
    assert Ensemble([(generous, 1), (strict, 1)]).upper == 1.0


def test_sessions_are_opened_retained_and_closed_together() -> None:
    first, second = Fixed((0.5,)), Fixed((0.5,))
    session = Ensemble([(first, 1), (second, 1)]).open("question")
    session.retain([ROOT])
    assert session.shared_usage == Usage(prompt_tokens=4)
    session.close()
    assert first.events == second.events == ["open question", "retain 1", "close"]


def test_a_member_that_cannot_open_closes_those_that_did() -> None:
    class Refusing(Fixed):
        def open(self, question: str) -> Fixed:
            raise ConfigurationError("too long")

    first = Fixed((0.5,))
    with pytest.raises(ConfigurationError, match="too long"):
        Ensemble([(first, 1), (Refusing(None), 1)]).open("question")
    assert first.events == ["open question", "close"]


def test_members_score_at_the_same_time() -> None:
    arrived = 0

    async def meet(question: str, path_text: str, step: str) -> float:
        nonlocal arrived
        arrived += 1
        while arrived < 2:
            await asyncio.sleep(0)
        return 0.5

    assert reply((CallableVerifier(meet), 1), (CallableVerifier(meet), 1))[0] == (0.5,)


def test_a_failing_member_raises_its_own_error_and_cancels_the_others() -> None:
    cancelled = False

    async def forever(question: str, path_text: str, step: str) -> float:
        nonlocal cancelled
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled = True
            raise
        return 1.0

    async def failing(question: str, path_text: str, step: str) -> float:
        await asyncio.sleep(0)
        raise OSError("no connection")

    with pytest.raises(VerifierError, match="no connection"):
        reply((CallableVerifier(forever), 1), (CallableVerifier(failing), 1))
    assert cancelled


@pytest.mark.parametrize(
    ("member", "named"),
    [
        (Fixed((float("nan"),), name="poisoned"), "'poisoned' gave nan"),
        (Fixed((0.9,), upper=0.5, name="boastful"), "'boastful' gave 0.9"),
        (Fixed((0.5, 0.5), name="chatty"), "'chatty' gave 2 scores"),
        (Fixed((0.5,), name="mute", replies=0), "'mute' gave 0 replies"),
    ],
)
def test_a_bad_member_is_named(member: Fixed, named: str) -> None:
    with pytest.raises(VerifierError, match=named):
        reply((Fixed((0.5,)), 1), (member, 1))


def test_it_is_path_local_only_if_all_members_are() -> None:
    assert Ensemble([(SelfCertainty(), 1)]).path_local
    assert not Ensemble([(SelfCertainty(), 1), (Agreement(), 1)]).path_local
    assert Ensemble([(SelfCertainty(), 1), (Agreement(), 1)]).name == "ensemble(self-certainty, agreement)"


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_weights_are_refused(weight: float) -> None:
    with pytest.raises(ConfigurationError, match="weight of 'self-certainty'"):
        Ensemble([(SelfCertainty(), weight)])
    with pytest.raises(ConfigurationError, match="at least one"):
        Ensemble([])


def test_ensembles_nest() -> None:
    inner: Verifier = Ensemble([(Fixed((0.5,)), 1), (Fixed((1.0,)), 1)])
    session: VerifierSession = inner.open("question")
    session.close()
    assert reply((inner, 1), (Fixed((0.25,)), 1))[0] == (0.5,)
