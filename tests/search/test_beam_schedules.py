"""What the state machine asks for under both schedules, and what it drops."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.trees import ROOT, WORLDS, World, fates, play, search, step
from uniscale_integrations.search.beam import BeamSearch, SearchSettings
from uniscale_integrations.search.paths import Expansion, Fate, PathKey
from uniscale_integrations.space import Configuration


def test_an_expansion_becomes_futile_when_something_better_finishes_and_dropping_it_leaves_no_mark() -> None:
    machine = search(qp=2, schedule="lockstep", max_steps=2)
    machine.ask()
    machine.tell(PathKey(1, ()), [step("low", 0.1)])
    assert machine.futile() == []
    [expansion] = machine.ask()
    machine.tell(ROOT, [step("done", 0.9, final=True)])
    assert machine.futile() == [expansion.path.key]
    machine.drop(expansion.path.key)
    assert machine.over
    result = machine.result()
    assert result is not None
    assert result.stop_reason == ""
    assert fates(machine) == {"low": Fate.PRUNED, "done": Fate.FINISHED}


def test_under_the_leader_schedule_trees_run_in_waves_of_one_one_two_and_four() -> None:
    world, machine = World(5, ending=40), search(qp=7, cp=2, bs=2, schedule="leader", max_steps=5)
    seen: list[set[int]] = []
    while expansions := machine.ask():
        trees = {expansion.path.key.tree for expansion in expansions}
        if not seen or not trees <= seen[-1]:
            seen.append(trees)
            assert all(path.fate is not Fate.ALIVE for path in machine.paths)
        for expansion in expansions:
            machine.tell(expansion.path.key, world.expand(expansion))
    assert seen == [{0}, {1}, {2, 3}, {4, 5, 6}]


def test_the_other_trees_start_when_the_rest_of_the_first_one_is_stopped_early() -> None:
    machine = search(qp=2, cp=2, bs=2, schedule="leader", max_steps=2)
    machine.ask()
    machine.tell(ROOT, [step("done", 0.8, final=True), step("a", 0.1)])
    assert [expansion.path.key for expansion in machine.ask()] == [PathKey(1, ())]
    assert fates(machine)["a"] is Fate.PRUNED


@pytest.mark.parametrize(
    ("shape", "early", "schedule", "whole"),
    [
        ((1, 1, 1), True, "leader", [True]),
        ((1, 1, 1), True, "lockstep", [True]),
        ((3, 1, 1), False, "lockstep", [True, True, True]),
        ((3, 1, 1), True, "lockstep", [True, True, True]),
        ((3, 1, 1), True, "leader", [True]),
        ((1, 2, 1), False, "lockstep", [False]),
        ((2, 2, 1), True, "leader", [False]),
    ],
)
def test_whole_answers_are_sampled_only_where_nothing_could_be_decided_in_between(
    shape: tuple[int, int, int], early: bool, schedule: str, whole: list[bool]
) -> None:
    machine = BeamSearch(Configuration("m", *shape), SearchSettings(early_stopping=early, schedule=schedule))  # type: ignore[arg-type]
    assert [expansion.steps == 48 for expansion in machine.ask()] == whole


@settings(max_examples=60)
@given(WORLDS, st.integers(1, 4), st.integers(1, 8))
def test_whole_answers_and_single_steps_find_the_same(world: World, qp: int, max_steps: int) -> None:
    configuration = Configuration("m", qp)
    whole = play(BeamSearch(configuration, SearchSettings(max_steps, early_stopping=False)), world)
    stepwise = BeamSearch(configuration, SearchSettings(max_steps, early_stopping=False))
    while expansions := stepwise.ask():
        for expansion in expansions:
            rest = expansion.path.depth + 1 == max_steps
            stepwise.tell(expansion.path.key, world.expand(Expansion(expansion.path, expansion.count, rest=rest)))
    ends = [
        {(p.key.tree, p.text, p.value, p.fate) for p in found.paths if p.fate is not Fate.EXPANDED} for found in (whole, stepwise)
    ]
    assert ends[0] == ends[1]
