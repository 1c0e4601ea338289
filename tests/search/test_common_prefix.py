"""What is shown of a search before it has ended."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.trees import WORLDS, World
from uniscale_integrations.search.beam import BeamSearch, SearchSettings
from uniscale_integrations.search.common_prefix import CommonPrefix, contenders
from uniscale_integrations.search.paths import Candidate, Expansion, ScoredCandidate
from uniscale_integrations.space import Configuration

SHAPES = [(1, 1, 1), (3, 1, 1), (1, 3, 1), (1, 4, 3), (3, 2, 1), (2, 4, 2)]


@settings(max_examples=150, deadline=None)
@given(WORLDS, st.sampled_from(SHAPES), st.booleans(), st.sampled_from(["lockstep", "leader"]), st.integers(0, 1000))
def test_what_was_shown_is_how_the_answer_begins(
    world: World, shape: tuple[int, int, int], early: bool, schedule: str, seed: int
) -> None:
    how = SearchSettings(max_steps=5, early_stopping=early, schedule=schedule)  # type: ignore[arg-type]
    search, agreed, order = BeamSearch(Configuration("m", *shape), how), CommonPrefix(), Random(seed)
    shown: list[str] = []
    pending: list[Expansion] = []
    while True:
        pending += search.ask()
        if not pending:
            break
        expansion = pending.pop(order.randrange(len(pending)))
        search.tell(expansion.path.key, world.expand(expansion))
        shown += agreed.new(contenders(search))
    result = search.result()
    if result is not None and not result.stop_reason:
        assert list(result.winner.steps[: len(shown)]) == shown


def test_a_step_is_shown_when_the_last_path_without_it_is_gone() -> None:
    search, agreed = BeamSearch(Configuration("m", cp=2, bs=1), SearchSettings(early_stopping=False)), CommonPrefix()
    [expansion] = search.ask()
    assert agreed.new(contenders(search)) == ()
    search.tell(
        expansion.path.key,
        [ScoredCandidate(Candidate(("one ",), False), (0.9,)), ScoredCandidate(Candidate(("two ",), False), (0.5,))],
    )
    assert agreed.new(contenders(search)) == ("one ",)
    assert agreed.new(contenders(search)) == ()
    [expansion] = search.ask()
    search.tell(expansion.path.key, [ScoredCandidate(Candidate(("and a half",), True), (0.9,))] * 2)
    assert agreed.new(contenders(search)) == ("and a half",)
    assert agreed.count == 2
