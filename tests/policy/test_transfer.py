"""What was learned of some configurations, as it is of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniscale_integrations.policy.actions import ActionFeatures
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.default_policy import LinUCBPolicy
from uniscale_integrations.policy.objective import weights
from uniscale_integrations.policy.policy import Context, Observation
from uniscale_integrations.policy.schema import FeatureSchema
from uniscale_integrations.space import Configuration

NAMES = ("bias", "length", "digits", "lines")
MODELS = ("a", "b", "c", "d")
SHAPES = ((1, 1, 1), (4, 1, 1), (1, 4, 2))
BALANCED = weights("balanced")


def arms(configurations: Sequence[Configuration], names: Sequence[str] = NAMES, span: float = 4.0) -> Arms:
    costs = [MODELS.index(each.model) / 4 + each.qp / 40 for each in configurations]
    return Arms.of(configurations, FeatureSchema(tuple(names)), costs, span=span)


def teach(policy: LinUCBPolicy, turns: int, seed: int, among: Sequence[Configuration], names: Sequence[str] = NAMES) -> None:
    """The same questions, answers and judgements, whatever there is to choose from beside."""
    rng, places = np.random.default_rng(seed), {each: arm for arm, each in enumerate(policy.arms.configurations)}
    own = FeatureSchema(tuple(names))
    for turn in range(turns):
        values = dict(zip(NAMES, [1.0, *rng.standard_normal(3)], strict=True))
        configuration = among[int(rng.integers(len(among)))]
        context = Context(policy.arms.schema.read(own, [values[name] for name in names]))
        correct, score, cost = rng.random(3)
        if configuration not in places:
            continue
        arm, name = places[configuration], str(turn)
        policy.decided(name, arm, context)
        policy.outcome(
            name, arm, context, Observation(float(score), float(policy.arms.costs[arm] + (cost - 0.5) / policy.arms.span))
        )
        if turn % 3:
            policy.feedback(name, arm, context, float(correct))


def assert_alike(one: LinUCBPolicy, other: LinUCBPolicy, atol: float = 1e-8) -> None:
    for values in np.random.default_rng(0).standard_normal((4, len(one.arms.schema) - 1)):
        context = Context(np.array([1.0, *values]))
        every = np.ones(len(one.arms), dtype=bool)
        for name in ("correct", "score", "cost", "bonus"):
            found, expected = (getattr(each.assess(context, BALANCED, every), name) for each in (one, other))
            np.testing.assert_allclose(found, expected, atol=atol, err_msg=name)


def priors(policy: LinUCBPolicy) -> dict[str, float]:
    n = len(policy.arms.schema)
    return dict(
        zip(policy.arms.names, policy.components.correctness_head.ridge[: n * len(policy.arms.names) : n].tolist(), strict=True)
    )


CONFIGURATIONS = st.lists(
    st.builds(lambda model, shape: Configuration(model, *shape), st.sampled_from(MODELS), st.sampled_from(SHAPES)),
    min_size=2,
    max_size=8,
    unique=True,
)


@given(CONFIGURATIONS, st.lists(st.sampled_from(NAMES[1:]), unique=True), st.integers(0, 60), st.integers(0, 1 << 32))
@settings(max_examples=60, deadline=None)
def test_with_more_to_choose_from_it_is_as_if_the_same_had_been_learned_there(
    configurations: list[Configuration], lacking: list[str], turns: int, seed: int
) -> None:
    names = [name for name in NAMES if name not in lacking]
    held = configurations[: len(configurations) // 2 + 1]
    old, moved, anew = LinUCBPolicy(arms(held, names)), LinUCBPolicy(arms(configurations)), LinUCBPolicy(arms(configurations))
    teach(old, turns, seed, held, names)
    teach(anew, turns, seed, held, names)
    moved.load(old.state())
    assert_alike(moved, anew)


@given(CONFIGURATIONS, st.integers(0, 60), st.integers(0, 1 << 32))
@settings(max_examples=30, deadline=None)
def test_of_those_that_stay_the_same_is_believed_when_others_go(
    configurations: list[Configuration], turns: int, seed: int
) -> None:
    old, fewer = LinUCBPolicy(arms(configurations)), configurations[: len(configurations) // 2 + 1]
    teach(old, turns, seed, configurations)
    moved = LinUCBPolicy(arms(fewer))
    moved.load(old.state())
    # An amount of search that no longer differs within a model is one of the things that models differ by, which are believed sooner.
    if all(priors(moved)[name] == priors(old)[name] for name in moved.arms.names):
        question = np.array([1.0, 0.3, -0.2, 0.1])
        before, after = (each.components.means(question) for each in (old, moved))
        np.testing.assert_allclose(after, before[:, : len(fewer)], atol=1e-8)
    assert moved.state()["told"].tolist() == old.state()["told"][: len(fewer)].tolist()


@given(CONFIGURATIONS, st.integers(0, 60), st.floats(0.1, 8.0), st.integers(0, 1 << 32))
@settings(max_examples=30, deadline=None)
def test_where_prices_change_it_is_as_if_the_same_had_been_learned_at_the_new_ones(
    configurations: list[Configuration], turns: int, span: float, seed: int
) -> None:
    old, moved, anew = (LinUCBPolicy(arms(configurations, span=each)) for each in (4.0, span, span))
    teach(old, turns, seed, configurations)
    teach(anew, turns, seed, configurations)
    moved.load(old.state())
    assert_alike(moved, anew)


def test_costs_are_known_by_the_factor_to_what_is_expected_when_prices_change() -> None:
    space = [Configuration("a"), Configuration("b"), Configuration("b", 4)]
    old, cheap = LinUCBPolicy(arms(space, span=4.0)), LinUCBPolicy(arms(space, span=8.0))
    teach(old, 80, 0, space)
    cheap.load(old.state())
    context, every = Context(np.array([1.0, 0.3, -0.2, 0.1])), np.ones(3, dtype=bool)
    before, after = (each.assess(context, BALANCED, every).cost - each.arms.costs for each in (old, cheap))
    np.testing.assert_allclose(8.0 * after, 4.0 * before, atol=1e-9)


def test_a_successor_begins_with_what_is_believed_of_its_predecessor_and_less_surely() -> None:
    space = [Configuration("a"), Configuration("b")]
    old = LinUCBPolicy(arms(space))
    context, every = Context(np.array([1.0, 0.0, 0.0, 0.0])), np.ones(4, dtype=bool)
    for turn in range(200):
        for arm, right in enumerate((0.6, 0.3)):
            old.decided(f"{turn} {arm}", arm, context)
            old.outcome(f"{turn} {arm}", arm, context, Observation(0.5, 0.5))
            old.feedback(f"{turn} {arm}", arm, context, float(np.random.default_rng(turn).random() < right))
    new = replace(arms([*space, Configuration("c"), Configuration("d")]), successors=(("c", "a"),))
    moved = LinUCBPolicy(new)
    moved.load(old.state())
    seen = moved.assess(context, BALANCED, every)
    assert seen.correct[2] == pytest.approx(seen.correct[0], abs=0.02)
    assert abs(seen.correct[3] - seen.correct[0]) > 0.05, "the other new one is only hoped for"
    assert seen.bonus[0] < seen.bonus[2] < seen.bonus[3]
    again = LinUCBPolicy(new)
    again.load(moved.state())
    assert_alike(again, moved)


def test_features_of_another_schema_are_read_by_their_names() -> None:
    own, other = FeatureSchema(("bias", "length", "digits")), FeatureSchema(("bias", "digits", "gone"))
    assert own.read(other, (1.0, 0.5, 7.0)).tolist() == [1.0, 0.0, 0.5]


def test_a_successor_inherits_from_a_predecessor_that_goes_at_once_with_what_it_knows_of_each_search() -> None:
    space = [Configuration("a"), Configuration("a", 4), Configuration("b"), Configuration("b", 4)]
    old = LinUCBPolicy(arms(space))
    context = Context(np.array([1.0, 0.0, 0.0, 0.0]))
    for turn in range(300):
        for arm, right in enumerate((0.35, 0.9, 0.6, 0.6)):
            old.decided(f"{turn} {arm}", arm, context)
            old.outcome(f"{turn} {arm}", arm, context, Observation(0.5, 0.5))
            old.feedback(f"{turn} {arm}", arm, context, float((turn * 7 + arm) % 20 < 20 * right))
    before = old.assess(context, BALANCED, np.ones(4, dtype=bool)).correct
    new = replace(arms([Configuration("c"), Configuration("c", 4), *space[2:]]), successors=(("c", "a"),))
    moved = LinUCBPolicy(new)
    moved.load(old.state())
    after = moved.assess(context, BALANCED, np.ones(4, dtype=bool)).correct
    assert after[0] == pytest.approx(before[0], abs=0.1)
    assert after[1] == pytest.approx(before[1], abs=0.1)
    np.testing.assert_allclose(after[2:], before[2:], atol=1e-6)


def test_what_a_search_was_worth_stays_where_no_other_search_is_left() -> None:
    space = [Configuration(model, *shape) for model in "ab" for shape in ((1, 1, 1), (4, 1, 1))]
    old = LinUCBPolicy(arms(space))
    context, every = Context(np.array([1.0, 0.0, 0.0, 0.0])), np.ones(4, dtype=bool)
    for turn in range(300):
        for arm, right in enumerate((0.35, 0.9, 0.6, 0.7)):
            old.feedback(f"{turn} {arm}", arm, context, float((turn * 7 + arm) % 20 < 20 * right))
    before = old.assess(context, BALANCED, every).correct
    for left in ([1, 3], [0, 2], [0, 1], [1, 2], [3]):
        fewer = LinUCBPolicy(arms([space[arm] for arm in left]))
        fewer.load(old.state())
        after = fewer.assess(context, BALANCED, every[: len(left)]).correct
        np.testing.assert_allclose(after, before[left], atol=0.03, err_msg=str(left))


def test_sizes_that_only_some_models_tell_are_no_reason_to_forget() -> None:
    space, schema = [Configuration(model) for model in "abc"], FeatureSchema(NAMES)
    sizes = [ActionFeatures({"a": 1e9, "b": 8e9}), ActionFeatures({"a": 1e9, "b": 8e9, "d": 7e10})]
    old = LinUCBPolicy(Arms.of(space, schema, [0.0, 0.5, 1.0], features=sizes[0]))
    context, every = Context(np.array([1.0, 0.0, 0.0, 0.0])), np.ones(4, dtype=bool)
    for turn in range(300):
        for arm, right in enumerate((0.4, 0.9, 0.5)):
            old.feedback(f"{turn} {arm}", arm, context, float((turn * 7 + arm) % 20 < 20 * right))
    before = old.assess(context, BALANCED, every[:3]).correct
    new = LinUCBPolicy(Arms.of([*space, Configuration("d")], schema, [0.0, 0.5, 0.7, 1.0], features=sizes[1]))
    new.load(old.state())
    np.testing.assert_allclose(new.assess(context, BALANCED, every).correct[:3], before, atol=0.03)
