"""Which configurations run the same search where a model only samples whole answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.duplicate_arms import NO_DUPLICATES, DuplicateArms
from uniscale_integrations.models.chat.client import Completion, CompletionRequest, Continuation
from uniscale_integrations.models.chat.model import ChatStepModel
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.search.ports import Sampling, Verifier
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import arun
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.verifiers import Agreement, CallableVerifier

WHOLE = frozenset(["m"])
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 8), st.integers(1, 8)).filter(lambda shape: shape[2] <= shape[1])


class Whole:
    """Gives one scripted answer after the other, each whole."""

    name, capabilities, stop = "m", frozenset[str](), ()
    continuations: Sequence[Continuation] = ()

    def __init__(self, answers: Sequence[str]) -> None:
        self._answers, self._numbers = answers, count()

    async def complete(self, request: CompletionRequest) -> Completion:
        return Completion(f"Let us see.\nAnswer: {self._answers[next(self._numbers)]}")


def answered(configuration: Configuration, answers: Sequence[str], verifier: Verifier) -> Answer:
    question = Conversation((Turn("user", "How many?"),))
    # A vote of the one shape may stop once it is decided, and the other has no vote.
    sampling = Sampling(votes="full")
    request = Request("How many?", configuration, sampling, conversation=question, early_stopping=verifier.path_local)
    return asyncio.run(arun(request, ChatStepModel(Whole(answers)), verifier))


@given(st.integers(1, 8), st.integers(1, 8), st.lists(st.sampled_from("1234"), min_size=8, max_size=8))
def test_a_beam_of_whole_answers_by_agreement_is_their_vote(cp: int, bs: int, answers: list[str]) -> None:
    beam = Configuration("m", 1, cp, min(bs, cp))
    one = DuplicateArms(WHOLE, compares=True).canonical(beam)
    assert one.shape == (cp, 1, 1)
    mine, theirs = answered(beam, answers, Agreement()), answered(one, answers, Agreement())
    assert (mine.text, mine.score) == (theirs.text, theirs.score)
    # The same tokens, added up in another order.
    assert mine.ledger.tokens == pytest.approx(theirs.ledger.tokens)


@given(SHAPES, st.lists(st.sampled_from("12345"), min_size=24, max_size=24))
def test_of_whole_answers_that_are_scored_alone_what_coincides_gives_the_same_answer(
    shape: tuple[int, int, int], answers: list[str]
) -> None:
    verifier = CallableVerifier(lambda question, before, step: int(step.split()[-1]) / 8 if "Answer" in step else 0.5)
    mine = Configuration("m", *shape)
    one = DuplicateArms(WHOLE, compares=False).canonical(mine)
    first, second = answered(mine, answers, verifier), answered(one, answers, verifier)
    assert (first.text, first.score) == (second.text, second.score)


@given(st.lists(SHAPES, min_size=1, max_size=12), st.booleans())
def test_of_each_lot_one_of_the_space_stands_for_all(shapes: list[tuple[int, int, int]], compares: bool) -> None:
    arms = DuplicateArms(WHOLE, compares)
    space = ConfigurationSpace(Configuration(model, *shape) for model in ("m", "other") for shape in shapes)
    duplicates = arms.duplicates(space)
    assert not any(each.model == "other" for each in duplicates)
    assert not duplicates.keys() & set(duplicates.values())
    left = [each for each in space if each not in duplicates]
    assert len({arms.canonical(each) for each in left}) == len(left)
    for each, one in duplicates.items():
        assert one in left
        assert arms.canonical(one) == arms.canonical(each)
    assert DuplicateArms.of(arms.record()) == arms
    assert arms.canonical(arms.canonical(space[0])) == arms.canonical(space[0])


@pytest.mark.parametrize(
    ("shape", "compared", "alone"),
    [
        ((1, 1, 1), (1, 1, 1), (1, 1, 1)),
        ((4, 1, 1), (4, 1, 1), (4, 1, 1)),
        ((1, 2, 1), (2, 1, 1), (2, 1, 1)),
        ((1, 2, 2), (2, 1, 1), (2, 1, 1)),
        ((1, 4, 2), (4, 1, 1), (1, 4, 1)),
        ((2, 4, 2), (2, 4, 1), (2, 4, 1)),
    ],
)
def test_the_canonical_shapes(shape: tuple[int, int, int], compared: tuple[int, int, int], alone: tuple[int, int, int]) -> None:
    configuration = Configuration("m", *shape)
    assert DuplicateArms(WHOLE, compares=True).canonical(configuration).shape == compared
    assert DuplicateArms(WHOLE, compares=False).canonical(configuration).shape == alone
    assert NO_DUPLICATES.canonical(configuration) == configuration
