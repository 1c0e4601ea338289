"""Agreement between candidates."""

from __future__ import annotations

import asyncio
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.search.paths import Candidate, Path, PathKey
from uniscale_integrations.verifiers import Agreement, check_scores

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
        (0.25, 0.5),
        (0.25,),
        (0.25,),
    ]


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


STEPS = st.lists(st.sampled_from(["a", "A.", "b", "Answer: 1", "1.0"]), max_size=3)
CANDIDATES = st.tuples(STEPS, st.booleans()).map(lambda made: Candidate(tuple(made[0]), made[1]))


@given(st.lists(CANDIDATES, min_size=2, max_size=6), st.integers())
def test_scores_are_valid_and_do_not_depend_on_the_order(candidates: list[Candidate], seed: int) -> None:
    found = scores(*[(ROOT, candidate) for candidate in candidates])
    for candidate, each in zip(candidates, found, strict=True):
        assert each is not None
        check_scores("agreement", candidate.steps, each, 1.0)
    order = list(range(len(candidates)))
    Random(seed).shuffle(order)
    assert scores(*[(ROOT, candidates[place]) for place in order]) == [found[place] for place in order]
