"""Early stopping never changes the answer with the best value."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.trees import EIGHTHS, OFTEN_FLAWLESS, World, play
from uniscale_integrations.search.aggregation import AGGREGATIONS, aggregation
from uniscale_integrations.search.beam import BeamSearch, Schedule, SearchSettings
from uniscale_integrations.search.early_stopping import patience, prune_reason
from uniscale_integrations.search.paths import Fate, Path, PathKey
from uniscale_integrations.space import Configuration

SCHEDULES: tuple[Schedule, ...] = ("lockstep", "leader")
SHAPES = [(qp, cp, bs) for qp in range(1, 5) for cp in range(1, 5) for bs in range(1, cp + 1)]
COMBINATIONS = len(SHAPES) * len(AGGREGATIONS) * len(SCHEDULES)


def searched(world: World, shape: tuple[int, int, int], settings: SearchSettings, order: Random | None = None) -> BeamSearch:
    return play(BeamSearch(Configuration("m", *shape), settings), world, order)


def finished(search: BeamSearch) -> dict[tuple[int, str], float | None]:
    return {(path.key.tree, path.text): path.value for path in search.paths if path.fate is Fate.FINISHED}


def best(search: BeamSearch) -> tuple[int, str, float | None] | None:
    return None if search.best is None else (search.best.key.tree, search.best.text, search.best.value)


def assert_lossless(
    world: World, shape: tuple[int, int, int], aggregate: str, max_steps: int, schedule: Schedule, order: Random | None = None
) -> int:
    """Compare the search with early stopping to the one without; returns how many paths were stopped."""
    common = {"max_steps": max_steps, "aggregation": aggregation(aggregate), "upper": world.upper}
    full = searched(world, shape, SearchSettings(early_stopping=False, **common))  # type: ignore[arg-type]
    stopped = searched(world, shape, SearchSettings(schedule=schedule, **common), order)  # type: ignore[arg-type]
    assert best(stopped) == best(full)
    assert finished(stopped).items() <= finished(full).items()
    if shape[1] > 1:
        assert {path.key for path in stopped.paths if path.steps} <= {path.key for path in full.paths}
    assert all(path.fate is not Fate.ALIVE for path in stopped.paths)
    return sum(path.fate is Fate.PRUNED for path in stopped.paths)


def test_ten_thousand_random_trees_keep_their_best_path() -> None:
    random = Random(0)
    palettes = [EIGHTHS, OFTEN_FLAWLESS, (), (0.0, 1.0), (0.25, 0.5)]
    stopped, trees = 0, 0
    for number in range(18 * COMBINATIONS):
        shape = SHAPES[number % len(SHAPES)]
        aggregate = list(AGGREGATIONS)[number // len(SHAPES) % len(AGGREGATIONS)]
        schedule = SCHEDULES[number // len(SHAPES) // len(AGGREGATIONS) % 2]
        upper = random.choice([1.0, 1.0, 0.5, 0.7, 0.1, 1.0 - random.random()])
        world = World(number, random.choice(palettes), upper, random.choice([2, 6, 40]), random.choice([30, 64, 128]))
        stopped += assert_lossless(world, shape, aggregate, random.randint(1, 8), schedule)
        trees += shape[0]
    assert trees >= 10_000
    assert stopped > trees / 2


SCORES = st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1, width=16) | st.just(1 - 2**-53)


@settings(max_examples=150, deadline=None)
@given(
    world=st.builds(
        World,
        st.integers(0, 1000),
        st.lists(SCORES, min_size=1, max_size=4).map(tuple),
        st.sampled_from([1.0, 0.5, 0.1]) | st.floats(0.01, 1),
        st.integers(1, 8),
        st.integers(16, 160),
    ),
    shape=st.sampled_from(SHAPES),
    aggregate=st.sampled_from(list(AGGREGATIONS)),
    max_steps=st.integers(1, 8),
    schedule=st.sampled_from(SCHEDULES),
    order=st.none() | st.integers(0, 100).map(Random),
)
def test_any_tree_keeps_its_best_path(
    world: World, shape: tuple[int, int, int], aggregate: str, max_steps: int, schedule: Schedule, order: Random | None
) -> None:
    assert_lossless(world, shape, aggregate, max_steps, schedule, order)


def path(tree: int, *scores: float, aggregate: str = "mean") -> Path:
    value = aggregation(aggregate).value(scores) if scores else None
    return Path(PathKey(tree, (0,) * len(scores)), ("step\n",) * len(scores), scores, value)


def test_a_path_is_stopped_as_soon_as_its_bound_falls_below_the_best() -> None:
    mean, leader = aggregation("mean"), path(0, 0.75, 0.75)
    assert prune_reason(path(1, 0.0), leader, mean, horizon=4, upper=1.0) == ""
    assert "can reach 0.500 at most" in prune_reason(path(1, 0.0, 0.0), leader, mean, horizon=4, upper=1.0)
    assert "can reach 0.667 at most" in prune_reason(path(1, 0.0), leader, mean, horizon=3, upper=1.0)


def test_the_less_a_verifier_can_give_the_earlier_a_path_is_stopped() -> None:
    mean, leader = aggregation("mean"), path(0, 0.75)
    assert not prune_reason(path(1, 0.25), leader, mean, horizon=4, upper=1.0)
    assert prune_reason(path(1, 0.25), leader, mean, horizon=4, upper=0.75)


def test_nothing_is_stopped_before_something_has_finished_with_a_value() -> None:
    mean = aggregation("mean")
    assert not prune_reason(path(1, 0.0), None, mean, 4, 1.0)
    assert not prune_reason(path(1, 0.0), path(0), mean, 4, 1.0)


def test_a_path_without_a_value_is_left_alone() -> None:
    unscored = Path(PathKey(1, (0,)), ("step\n",), None)
    assert not prune_reason(unscored, path(0, 0.9), aggregation("mean"), 4, 1.0)


def test_a_flawless_leader_stops_every_later_tree_before_its_first_step() -> None:
    for name in AGGREGATIONS:
        leader = path(1, 1.0, aggregate=name)
        assert prune_reason(path(2), leader, aggregation(name), 4, 1.0)
        assert not prune_reason(path(0), leader, aggregation(name), 4, 1.0)


@pytest.mark.parametrize(("aggregate", "stopped"), [("mean", True), ("min", True), ("product", True), ("last", False)])
def test_a_flawless_path_stops_later_siblings_unless_a_low_score_can_be_made_up_for(aggregate: str, stopped: bool) -> None:
    leader = Path(PathKey(0, (0, 0)), ("a", "b"), (1.0, 1.0), 1.0)
    sibling = Path(PathKey(0, (1,)), ("c",), (1.0,), 1.0)
    assert bool(prune_reason(sibling, leader, aggregation(aggregate), 4, 1.0)) is stopped


def test_the_smallest_flaw_cannot_tie_with_a_flawless_path() -> None:
    almost = 1.0 - 2**-53
    assert prune_reason(path(0, almost), path(1, 1.0), aggregation("mean"), 4, 1.0)
    assert not prune_reason(path(0, 1.0), path(1, 1.0), aggregation("mean"), 4, 1.0)
    assert not prune_reason(path(0, almost, aggregate="last"), path(1, 1.0), aggregation("last"), 4, 1.0)


def test_the_first_tree_of_the_leader_schedule_spares_the_others() -> None:
    flawless = World(3, palette=(1.0,), ending=100)
    lockstep = searched(flawless, (4, 2, 1), SearchSettings(schedule="lockstep"))
    leader = searched(flawless, (4, 2, 1), SearchSettings(schedule="leader"))
    assert {p.key.tree for p in leader.paths if p.steps} == {0}
    assert len(leader.paths) < len(lockstep.paths)


@given(
    st.lists(st.floats(0, 1), max_size=6),
    st.floats(0.01, 1),
    st.integers(7, 12),
    st.sampled_from(list(AGGREGATIONS)),
    st.floats(0.05, 1),
    st.lists(st.floats(0, 1), min_size=12, max_size=12),
)
def test_no_path_is_hopeless_before_patience_is_over(
    scores: list[float], value: float, horizon: int, aggregate: str, upper: float, later: list[float]
) -> None:
    scores, later, leader = [s * upper for s in scores], [s * upper for s in later], path(0, min(value, upper))
    rule, begun = aggregation(aggregate), path(1, *scores, aggregate=aggregate)
    if prune_reason(begun, leader, rule, horizon, upper):
        return
    steps = patience(begun, leader, rule, horizon, upper)
    assert 1 <= steps <= horizon - len(scores)
    for more in range(1, steps):
        assert not prune_reason(path(1, *scores, *later[:more], aggregate=aggregate), leader, rule, horizon, upper)
    if steps < horizon - len(scores) and value < upper:
        assert prune_reason(path(1, *scores, *[0.0] * steps, aggregate=aggregate), leader, rule, horizon, upper)


def test_best_of_n_with_a_weak_leader_samples_several_steps_at_once_and_with_a_strong_one_a_single_one() -> None:
    weak, strong = path(0, 0.5, 0.4), path(0, 1.0, 0.9)
    assert patience(path(1), weak, aggregation("mean"), horizon=10, upper=1.0) == 6
    assert patience(path(1), strong, aggregation("mean"), horizon=10, upper=1.0) == 1
