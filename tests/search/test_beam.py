"""The search as a state machine: what it asks for, what it takes, and how it ends."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.trees import ROOT, WORLDS, World, fates, play, search, step
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.search.aggregation import AGGREGATIONS, aggregation
from uniscale_integrations.search.beam import BeamSearch, SearchSettings
from uniscale_integrations.search.paths import Candidate, Expansion, Fate, Path, PathKey, ScoredCandidate
from uniscale_integrations.space import Configuration

SHAPES = [(1, 1, 1), (3, 1, 1), (1, 3, 1), (1, 4, 3), (3, 2, 1), (2, 4, 2)]
SETTINGS = st.builds(
    SearchSettings,
    max_steps=st.integers(1, 6),
    early_stopping=st.booleans(),
    schedule=st.sampled_from(["lockstep", "leader"]),
    aggregation=st.sampled_from(list(AGGREGATIONS.values())),
)


def failure(reason: str) -> ScoredCandidate:
    return ScoredCandidate(Candidate((), False, error=reason), None)


@settings(max_examples=60, deadline=None)
@given(WORLDS, st.sampled_from(SHAPES), SETTINGS, st.integers(0, 1000))
def test_nothing_is_asked_twice_whatever_the_order_of_the_answers(
    world: World, shape: tuple[int, int, int], how: SearchSettings, seed: int
) -> None:
    machine, order = BeamSearch(Configuration("m", *shape), how), Random(seed)
    asked: set[PathKey] = set()
    pending: list[Expansion] = []
    while True:
        expansions = machine.ask()
        assert machine.ask() == []
        assert not asked & {expansion.path.key for expansion in expansions}
        asked |= {expansion.path.key for expansion in expansions}
        pending += expansions
        if not pending:
            break
        expansion = pending.pop(order.randrange(len(pending)))
        assert machine.tell(expansion.path.key, world.expand(expansion))
        assert not machine.tell(expansion.path.key, world.expand(expansion))
    assert machine.over


@settings(max_examples=60, deadline=None)
@given(WORLDS, st.sampled_from(SHAPES), SETTINGS, st.integers(0, 1000))
def test_the_order_of_the_answers_does_not_change_the_best_path(
    world: World, shape: tuple[int, int, int], how: SearchSettings, seed: int
) -> None:
    configuration = Configuration("m", *shape)
    orderly = play(BeamSearch(configuration, how), world).result()
    shuffled = play(BeamSearch(configuration, how), world, Random(seed)).result()
    assert orderly is not None
    assert shuffled is not None
    assert (shuffled.best.key, shuffled.best.text, shuffled.best.value) == (
        orderly.best.key,
        orderly.best.text,
        orderly.best.value,
    )
    if not how.early_stopping:
        assert shuffled.winner.key == orderly.winner.key
        assert {p.key: p.fate for p in shuffled.paths} == {p.key: p.fate for p in orderly.paths}


@given(WORLDS, st.sampled_from(SHAPES), st.integers(1, 6))
def test_every_candidate_becomes_a_path_with_a_fate_and_a_reason_where_it_was_stopped(
    world: World, shape: tuple[int, int, int], max_steps: int
) -> None:
    found = play(BeamSearch(Configuration("m", *shape), SearchSettings(max_steps)), world)
    assert len({path.key for path in found.paths}) == len(found.paths)
    for path in found.paths:
        assert path.fate is not Fate.ALIVE
        assert bool(path.reason) is (path.fate not in (Fate.EXPANDED, Fate.FINISHED))
        assert path.depth <= max_steps


def test_a_beam_keeps_the_best_candidates_of_each_depth() -> None:
    machine = search(cp=3, bs=2)
    machine.ask()
    machine.tell(ROOT, [step("a", 0.2), step("b", 0.9), step("c", 0.5)])
    assert [expansion.path.text for expansion in machine.ask()] == ["b", "c"]
    assert fates(machine) == {"a": Fate.OUTRANKED, "b": Fate.ALIVE, "c": Fate.ALIVE}


def test_equal_candidates_are_ranked_by_their_index() -> None:
    machine = search(cp=3, bs=1)
    machine.ask()
    machine.tell(ROOT, [step("a", 0.5), step("b", 0.5), step("c", 0.5)])
    assert [expansion.path.text for expansion in machine.ask()] == ["a"]


def test_a_finished_candidate_takes_its_place_in_the_beam() -> None:
    machine = search(cp=3, bs=2)
    machine.ask()
    machine.tell(ROOT, [step("a", 0.7), step("b", 0.6), step("done", 0.8, final=True)])
    assert [expansion.path.text for expansion in machine.ask()] == ["a"]
    assert fates(machine)["b"] is Fate.OUTRANKED


def test_a_finished_candidate_counts_though_the_beam_is_full_of_better_ones() -> None:
    machine = search(cp=2, bs=1)
    machine.ask()
    machine.tell(ROOT, [step("a", 0.7), step("done", 0.1, final=True)])
    assert fates(machine) == {"a": Fate.ALIVE, "done": Fate.FINISHED}
    assert machine.best is not None
    assert machine.best.text == "done"


def test_an_unknown_key_is_an_error_that_names_it() -> None:
    machine = search(qp=2)
    for key in (PathKey(0, (3,)), PathKey(2, ()), PathKey(-1, ()), ROOT):
        with pytest.raises(ConfigurationError, match=r"PathKey\(tree="):
            machine.tell(key, [])
        with pytest.raises(ConfigurationError, match=r"PathKey\(tree="):
            machine.decline(key, "no")


def test_fewer_candidates_than_asked_for_are_noted_and_the_search_goes_on() -> None:
    machine = search(cp=4, bs=2)
    machine.ask()
    assert machine.tell(ROOT, [step("a", 0.5)])
    assert machine.notes == ["tree 0: 1 of 4 candidates came back"]
    assert [expansion.path.text for expansion in machine.ask()] == ["a"]


def test_a_tree_without_any_candidates_ends_and_the_others_go_on() -> None:
    machine = search(qp=2, cp=2)
    machine.ask()
    assert machine.tell(ROOT, [])
    assert machine.result() is None
    assert not machine.over
    machine.tell(PathKey(1, ()), [step("a", 0.5, final=True), step("b", 0.4, final=True)])
    assert machine.over
    result = machine.result()
    assert result is not None
    assert result.text == "a"


def test_a_search_without_any_candidates_ends_with_nothing() -> None:
    machine = search(cp=2)
    machine.ask()
    machine.tell(ROOT, [])
    assert machine.ask() == []
    assert machine.over
    assert machine.result() is None


def test_failed_candidates_are_noted_and_the_others_go_on() -> None:
    machine = search(cp=3, bs=3)
    machine.ask()
    machine.tell(ROOT, [failure("timeout"), step("a", 0.5), failure("refused")])
    assert machine.notes == ["tree 0: a candidate failed: timeout", "tree 0: a candidate failed: refused"]
    assert [path.reason for path in machine.paths if path.fate is Fate.FAILED] == ["timeout", "refused"]
    assert [expansion.path.text for expansion in machine.ask()] == ["a"]


def test_repeated_words_are_followed_once_and_counted() -> None:
    machine = search(cp=4, bs=4)
    machine.ask()
    machine.tell(ROOT, [step("a", 0.5), step("b", 0.4), step("a", 0.5), step("a", 0.5, final=True)])
    assert [path.fate for path in machine.paths] == [Fate.ALIVE, Fate.ALIVE, Fate.DUPLICATE, Fate.FINISHED]
    assert [path.count for path in machine.paths] == [2, 1, 1, 1]
    assert [expansion.path.text for expansion in machine.ask()] == ["a", "b"]


def test_a_final_candidate_without_steps_finishes_its_path_as_it_stands() -> None:
    machine = search(cp=2)
    machine.ask()
    machine.tell(ROOT, [step("a", 0.5), step("b", 0.25)])
    [expansion] = machine.ask()
    machine.tell(expansion.path.key, [ScoredCandidate(Candidate((), True), ()), step("c", 0.0)])
    assert machine.best is not None
    assert (machine.best.text, machine.best.value, machine.best.key) == ("a", 0.5, PathKey(0, (0, 0)))


def test_ending_the_text_at_once_is_better_than_nothing_and_loses_to_every_answer() -> None:
    machine = search(qp=2)
    machine.ask()
    machine.tell(ROOT, [ScoredCandidate(Candidate((), True), ())])
    empty = machine.result()
    assert empty is not None
    assert (empty.text, empty.finish_reason) == ("", "stop")
    machine.tell(PathKey(1, ()), [step("7", None, final=True)])
    result = machine.result()
    assert result is not None
    assert result.answer == "7"
    assert machine.paths[0].fate is Fate.TRUNCATED


def test_a_candidate_that_neither_adds_nor_ends_anything_is_not_asked_for_again() -> None:
    machine = search(cp=2)
    machine.ask()
    machine.tell(ROOT, [step("a", 0.5), step("b", 0.1)])
    [expansion] = machine.ask()
    machine.tell(expansion.path.key, [ScoredCandidate(Candidate((), False), ())])
    assert machine.ask() == []
    assert machine.paths[-1].fate is Fate.TRUNCATED


@given(WORLDS, st.sampled_from(SHAPES), st.integers(1, 6))
def test_the_greatest_depth_bounds_the_choosing_and_not_the_answer(
    world: World, shape: tuple[int, int, int], max_steps: int
) -> None:
    found = play(BeamSearch(Configuration("m", *shape), SearchSettings(max_steps)), world)
    assert all(path.fate is not Fate.TRUNCATED for path in found.paths if path.steps and path.depth == max_steps and path.final)
    result = found.result()
    assert result is not None
    assert result.winner.final
    assert result.stop_reason == ""


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 1), (2, 1, 1)])
def test_the_last_step_is_asked_for_as_the_rest_of_the_answer(shape: tuple[int, int, int]) -> None:
    machine, asked = search(*shape, max_steps=3, early_stopping=False), list[tuple[int, int, bool]]()
    while expansions := machine.ask():
        for expansion in expansions:
            asked.append((expansion.path.depth, expansion.steps, expansion.rest))
            machine.tell(expansion.path.key, [step("a", 0.5), step("b", 0.4)][: shape[1]])
    assert {rest for depth, steps, rest in asked if depth + steps == 3} == {True}
    assert not any(rest for depth, steps, rest in asked if depth + steps < 3)


def test_paths_without_an_answer_are_truncated_at_the_greatest_depth() -> None:
    machine = play(search(cp=3, bs=2, max_steps=3), World(1, ending=0))
    assert machine.over
    assert {path.fate for path in machine.paths if path.depth == 3} <= {Fate.TRUNCATED, Fate.DUPLICATE}
    result = machine.result()
    assert result is not None
    assert result.stop_reason == "no path finished"
    assert result.best.depth == 3


def test_an_answer_at_the_greatest_depth_counts() -> None:
    machine = search(max_steps=1, cp=2)
    machine.ask()
    machine.tell(ROOT, [step("a", 0.9), step("done", 0.1, final=True)])
    assert fates(machine) == {"a": Fate.TRUNCATED, "done": Fate.FINISHED}


def test_a_declined_expansion_ends_its_path_and_marks_the_result() -> None:
    machine = search(cp=2, bs=2)
    machine.ask()
    machine.tell(ROOT, [step("a", 0.5), step("b", 0.4)])
    first, second = machine.ask()
    machine.decline(first.path.key, "too dear")
    assert not machine.tell(first.path.key, [step("x", 1.0, final=True)])
    machine.tell(second.path.key, [step("done", 0.4, final=True), step("c", 0.1)])
    result = machine.result()
    assert result is not None
    assert (result.text, result.stop_reason) == ("bdone", "too dear")
    assert fates(machine)["a"] is Fate.CANCELLED


def test_declining_the_last_expansion_of_a_depth_lets_the_depth_go_on() -> None:
    machine = search(cp=2, bs=2)
    machine.ask()
    machine.tell(ROOT, [step("a", 0.5), step("b", 0.4)])
    first, second = machine.ask()
    machine.tell(first.path.key, [step("c", 0.5), step("d", 0.4)])
    machine.decline(second.path.key, "too dear")
    assert [expansion.path.text for expansion in machine.ask()] == ["ac", "ad"]


def in_states() -> list[tuple[str, BeamSearch]]:
    """The same small search before anything, with a call out, between depths, half told, and with something finished."""
    states = {name: search(qp=2, cp=2, bs=2, schedule="lockstep") for name in ("new", "asked", "told", "half", "found")}
    for name, machine in states.items():
        if name == "new":
            continue
        machine.ask()
        if name == "asked":
            continue
        machine.tell(ROOT, [step("a", 0.5), step("b", 0.4)])
        if name == "told":
            continue
        first = machine.ask()[0]
        machine.tell(first.path.key, [step("c", 0.9), step("done", 0.3, final=True)])
        if name == "found":
            machine.tell(PathKey(1, ()), [step("end", 0.6, final=True), step("e", 0.1)])
    return list(states.items())


@pytest.mark.parametrize(("name", "machine"), in_states())
def test_a_cut_ends_the_search_in_any_state_and_keeps_what_has_finished(name: str, machine: BeamSearch) -> None:
    waiting = [path.key for path in machine.live()]
    machine.cut("enough")
    machine.cut("a second reason")
    assert machine.over
    assert machine.ask() == []
    assert machine.live() == []
    assert machine.futile() == []
    assert not any(path.fate is Fate.ALIVE for path in machine.paths)
    assert {path.reason for path in machine.paths if path.fate is Fate.CANCELLED} == {"enough"}
    if name == "asked":
        assert not machine.tell(waiting[0], [step("late", 1.0, final=True)])
    result = machine.result()
    texts = {"new": None, "asked": None, "told": "a", "half": "adone", "found": "end"}
    assert (result.text if result else None) == texts[name]
    assert result is None or result.stop_reason == "enough"


@pytest.mark.parametrize(("name", "machine"), in_states())
def test_there_is_a_result_as_soon_as_there_is_a_step(name: str, machine: BeamSearch) -> None:
    assert (machine.result() is None) is (name in ("new", "asked"))


def test_a_cut_after_the_end_changes_nothing() -> None:
    machine = play(search(cp=2, bs=2), World(2))
    machine.cut("too late")
    result = machine.result()
    assert result is not None
    assert result.stop_reason == ""


def test_only_paths_that_may_go_on_are_live() -> None:
    machine = search(cp=3, bs=2)
    assert [path.key for path in machine.live()] == [ROOT]
    machine.ask()
    machine.tell(ROOT, [step("done", 0.9, final=True), step("a", 0.9), step("b", 0.1)])
    assert [path.text for path in machine.live()] == ["a"]


def test_steps_nobody_scored_leave_the_path_without_a_value() -> None:
    machine = search(cp=2, bs=2)
    machine.ask()
    machine.tell(ROOT, [step("a", None), step("b", 0.5)])
    [second, first] = machine.ask()
    machine.tell(first.path.key, [step("done", 1.0, final=True)])
    machine.tell(second.path.key, [step("done", 0.1, final=True)])
    assert {path.text: path.value for path in machine.paths} == {"a": None, "b": 0.5, "adone": None, "bdone": 0.3}
    assert machine.best is not None
    assert machine.best.text == "bdone"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"max_steps": 0}, "max_steps must be at least 1, got 0"),
        ({"schedule": "random"}, "no schedule 'random'"),
        ({"upper": 0.0}, r"must lie in \(0, 1\], got 0.0"),
        ({"upper": 1.5}, r"must lie in \(0, 1\], got 1.5"),
        ({"upper": float("nan")}, r"must lie in \(0, 1\], got nan"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(setting: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        SearchSettings(**setting)  # type: ignore[arg-type]


def test_a_path_knows_its_value_under_the_aggregation_of_the_search() -> None:
    for name, value in {"mean": 0.5, "min": 0.25, "last": 0.25, "product": 0.1875}.items():
        machine = search(aggregation=aggregation(name))
        machine.ask()
        machine.tell(ROOT, [ScoredCandidate(Candidate(("a", "b"), True), (0.75, 0.25))])
        best = machine.best
        assert isinstance(best, Path)
        assert best.value == value
