"""Agreement between candidates."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Collection, Sequence
from operator import mul
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.embeddings import Embeddings
from llama_index.core.base.embeddings.base import BaseEmbedding

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.search.answers import extract_answer
from uniscale_integrations.search.paths import Candidate, Expansion, Path, PathKey
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import arun
from uniscale_integrations.space import Configuration
from uniscale_integrations.verifiers import Agreement, check_scores


class Script:
    """A generator that gives each tree its text, whole."""

    name, together, shared_usage, notes = "m", True, NOTHING, ()

    def __init__(self, texts: list[str]) -> None:
        self._texts = texts

    def open(self, question: str, sampling: Sampling) -> Script:
        return self

    def estimate(self, expansion: Expansion) -> Usage:
        return NOTHING

    async def expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        return [[Candidate(tuple(self._texts[each.path.key.tree].splitlines(keepends=True)), True)] for each in expansions]

    def retain(self, paths: Collection[Path]) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is open."""


ROOT = Path(PathKey(0, ()))
Item = tuple[Path, Candidate]


def scores(*items: Item) -> list[tuple[float, ...] | None]:
    return [reply for reply, _ in asyncio.run(Agreement().open("question").score(items))]


def test_steps_agree_up_to_case_spacing_and_closing_punctuation() -> None:
    steps = ("First, add.\n", "first,  ADD", "multiply", "first add")
    assert scores(*[(ROOT, Candidate((step,), False)) for step in steps]) == [(0.5,), (0.5,), (0.25,), (0.25,)]


def test_final_steps_agree_when_their_answers_do_however_they_were_reached() -> None:
    short, long = Candidate(("Answer: 12",), True), Candidate(("6 + 6\n", "so it is 12.0"), True)
    assert scores((ROOT, short), (ROOT, long), (ROOT, Candidate(("Answer: 13",), True)), (ROOT, Candidate(("12",), False))) == [
        (0.5,),
        (0.5, 0.5),
        (0.25,),
        (0.25,),
    ]


BOILERPLATE = ("Let us think step by step.\n", "We add the numbers.\n", "So we find:\n")


@pytest.mark.parametrize(
    ("answers", "share"), [("1122", 0.5), ("1112", 0.75), ("1111", 1.0), ("1234", 0.25), ("12", 0.5), ("1???", 0.25)]
)
def test_the_value_of_a_whole_answer_is_the_share_that_agrees_whatever_else_the_texts_have_in_common(
    answers: str, share: float
) -> None:
    items = [
        (Path(PathKey(tree, ())), Candidate((CONTRADICTORY[1],) if answer == "?" else (*BOILERPLATE, f"Answer: {answer}"), True))
        for tree, answer in enumerate(answers)
    ]
    found = scores(*items)
    assert found[0] == (share,) * 4
    assert [each is None for each in found] == [answer == "?" for answer in answers]


def test_what_ends_an_answer_that_was_searched_step_by_step_keeps_the_scores_of_its_steps() -> None:
    deep = Path(PathKey(0, (0,)), ("Let us see.\n",), (1.0,))
    items = [(deep, Candidate(("First, add.\n", f"Answer: {answer}"), True)) for answer in (1, 1, 2)]
    assert scores(*items) == [(1.0, 2 / 3), (1.0, 2 / 3), (1.0, 1 / 3)]


@given(st.lists(st.sampled_from("123"), min_size=2, max_size=8), st.integers(0, 3))
def test_the_score_of_a_vote_is_the_share_of_candidates_that_give_its_answer(answers: list[str], shared: int) -> None:
    texts = ["".join((*BOILERPLATE[:shared], f"Answer: {answer}")) for answer in answers]
    found = asyncio.run(arun(Request("How many?", Configuration("m", len(answers))), Script(texts), Agreement()))
    share = max(Counter(answers).values()) / len(answers)
    assert found.score == pytest.approx(share)
    assert answers.count(str(found.answer)) == max(Counter(answers).values())


def test_a_candidate_that_only_ends_the_text_supports_its_answer() -> None:
    done = Path(PathKey(0, (0,)), ("Answer: 12",))
    other = Path(PathKey(1, (0,)), ("hm\n",))
    assert scores((done, Candidate((), True)), (other, Candidate(("Answer: 12",), True))) == [(), (1.0,)]


def test_depths_are_counted_apart() -> None:
    deep = Path(PathKey(0, (0,)), ("x\n",), (0.5,))
    same, other = Candidate(("a",), False), Candidate(("b",), False)
    assert scores((ROOT, same), (ROOT, other), (deep, same), (deep, same)) == [(0.5,), (0.5,), (1.0,), (1.0,)]


def test_a_candidate_that_is_alone_leaves_its_paths_value_where_it_was() -> None:
    path = Path(PathKey(0, (0, 0)), ("x\n", "y\n"), (0.25, 0.75))
    assert scores((path, Candidate(("a", "b"), True))) == [(0.5, 0.5)]
    assert scores((ROOT, Candidate(("a",), True))) == [None]


def test_failed_candidates_count_for_nothing() -> None:
    failed = Candidate(("a",), False, error="timed out")
    assert scores((ROOT, failed), (ROOT, Candidate(("a",), False)), (ROOT, Candidate(("b",), False))) == [None, (0.5,), (0.5,)]


def test_expressions_that_are_equal_agree() -> None:
    steps = ("Answer: $2x + 2$", "Answer: $2(x + 1)$", "Answer: $x + 2$", "Answer: $2x+2$")
    assert scores(*[(ROOT, Candidate((step,), True)) for step in steps]) == [(0.75,), (0.75,), (0.25,), (0.75,)]


CONTRADICTORY = (
    "The treaty was signed after long negotiations between both parties, and it ended the war for good, as most historians agree [1]",
    "No treaty was ever signed: the war went on for decades, and the documents that are shown today are later forgeries, see [1]",
    "What ended the war was the death of the king, whose heirs had neither the money nor the will to go on with it any longer [1]",
    "Whether there was a treaty is disputed, since the only witness wrote about it thirty years later and far from the court [1]",
)


def test_prose_agrees_on_nothing() -> None:
    assert scores(*[(ROOT, Candidate((text,), True)) for text in CONTRADICTORY]) == [None] * 4
    assert scores(*[(ROOT, Candidate((CONTRADICTORY[0],), True))] * 4) == [None] * 4


def test_beside_answers_prose_has_no_score() -> None:
    items = [(ROOT, Candidate((text,), True)) for text in ("Answer: 12", "Answer: 12", CONTRADICTORY[0])]
    assert scores(*items) == [(2 / 3,), (2 / 3,), None]


TOPICS = ("treaty", "king", "witness", "war")


def _vector(text: str) -> list[float]:
    counted = Counter(word.strip(",.").casefold() for word in text.split())
    return [float(counted[topic]) for topic in TOPICS]


class LangChainEmbeddings(Embeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [_vector(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return _vector(text)


class LlamaIndexEmbedding(BaseEmbedding):
    def _get_text_embedding(self, text: str) -> list[float]:
        return _vector(text)

    def _get_query_embedding(self, query: str) -> list[float]:
        return _vector(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return _vector(query)


class BrokenEmbeddings(LangChainEmbeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        raise ConnectionError("no route")


class ShortEmbeddings(LangChainEmbeddings):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return super().embed_documents(texts)[1:]


@pytest.mark.parametrize("model", [LangChainEmbeddings(), LlamaIndexEmbedding()])
def test_prose_is_counted_by_how_close_it_comes(model: Any) -> None:
    items = [(ROOT, Candidate((text,), True)) for text in CONTRADICTORY]
    session = Agreement(similarity=model).open("How did the war end?")
    found = [given[0] for given, _ in asyncio.run(session.score(items)) if given is not None]
    vectors = [_vector(text) for text in CONTRADICTORY]
    expected = [sum(sum(map(mul, a, b)) / math.hypot(*a) / math.hypot(*b) for b in vectors) / 4 for a in vectors]
    assert found == pytest.approx(expected)
    assert not session.notes


@pytest.mark.parametrize(("model", "why"), [(BrokenEmbeddings(), "no route"), (ShortEmbeddings(), "must give 4")])
def test_an_embedding_model_that_fails_gives_no_score_and_a_note(model: Any, why: str) -> None:
    session = Agreement(similarity=model).open("How did the war end?")
    assert [given for given, _ in asyncio.run(session.score([(ROOT, Candidate((text,), True)) for text in CONTRADICTORY]))] == [
        None
    ] * 4
    assert len(session.notes) == 1
    assert why in session.notes[0]


def test_what_embeds_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="must be an embedding model"):
        Agreement(similarity="text-embedding-3-small")


STEPS = st.lists(st.sampled_from(["a", "A.", "b", "Answer: 1", "1.0"]), max_size=3)
CANDIDATES = st.tuples(STEPS, st.booleans()).map(lambda made: Candidate(tuple(made[0]), made[1]))


@given(st.lists(CANDIDATES, min_size=2, max_size=6), st.integers())
def test_scores_are_valid_and_do_not_depend_on_the_order(candidates: list[Candidate], seed: int) -> None:
    found = scores(*[(ROOT, candidate) for candidate in candidates])
    for candidate, each in zip(candidates, found, strict=True):
        if each is not None:
            check_scores("agreement", candidate.steps, each, 1.0)
        # The words among these steps are answers too; only what says nothing has none.
        assert (each is None) is (bool(candidate.steps) and candidate.final and extract_answer("".join(candidate.steps)) is None)
    order = list(range(len(candidates)))
    Random(seed).shuffle(order)
    assert scores(*[(ROOT, candidates[place]) for place in order]) == [found[place] for place in order]
