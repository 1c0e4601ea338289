"""The default policy with what it learns of models kept apart, against the same with all of it in one matrix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product as pairs
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from uniscale_integrations.policy import product
from uniscale_integrations.policy.actions import ActionFeatures
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.arrowhead import ArrowheadRegression
from uniscale_integrations.policy.default_policy import LearnerSettings, LinUCBPolicy
from uniscale_integrations.policy.heads import in_parts, whole_heads
from uniscale_integrations.policy.objective import weights
from uniscale_integrations.policy.policy import Context, Observation
from uniscale_integrations.policy.rates import Rates
from uniscale_integrations.policy.schema import FeatureSchema
from uniscale_integrations.space import Configuration

NAMES = ("bias", "length", "digits")
MODELS = tuple("abcdefg")
SPACE = [Configuration(model, *shape) for model, shape in pairs(MODELS, ((1, 1, 1), (4, 1, 1), (1, 4, 2)))]
SIZES = {model: 2.0**place for place, model in enumerate(MODELS)}


@contextmanager
def kept(apart: bool) -> Iterator[None]:
    """Policies made meanwhile keep models apart, however few, or never."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(product, "MIN_GROUPS", 2 if apart else 1 << 30)
        patch.setattr(product, "MAX_SHARE", np.inf)
        yield


def policy(
    space: list[Configuration],
    apart: bool,
    names: tuple[str, ...] = NAMES,
    successors: tuple[tuple[str, str], ...] = (),
    hosted: bool = True,
) -> LinUCBPolicy:
    rates = Rates.of_tokens([each.most_paths for each in space], [(SIZES[each.model], 4 * SIZES[each.model]) for each in space])
    costs = np.linspace(0.0, 1.0, len(space))
    sizes = ActionFeatures(SIZES)
    arms = Arms.of(
        space, FeatureSchema(names), costs, features=sizes, rates=rates if hosted else None, span=4.0, successors=successors
    )
    with kept(apart):
        return LinUCBPolicy(arms, LearnerSettings(discount=0.999))


def load(one: LinUCBPolicy, state: dict[str, NDArray[Any]], apart: bool) -> None:
    with kept(apart):
        one.load(state)


def teach(policies: tuple[LinUCBPolicy, LinUCBPolicy], turns: int, seed: int) -> None:
    """The same decisions, answers, judgements, weights and revisions for both."""
    rng = np.random.default_rng(seed)
    arms = policies[0].arms
    for turn in range(turns):
        context = Context(np.array([1.0, *rng.standard_normal(len(arms.schema) - 1)]), input_tokens=200.0)
        arm, name = int(rng.integers(len(arms))), f"{seed} {turn}"
        observation = Observation(float(rng.random()) if turn % 4 else None, 0.5, float(rng.integers(1, 900)), 210.0)
        correct, weight, revised = float(rng.random() < 0.8), float(rng.choice([1.0, 0.4])), float(rng.random())
        for each in policies:
            each.decided(name, arm, context)
            each.outcome(name, arm, context, observation)
            if turn % 3:
                each.feedback(name, arm, context, correct, weight)
            if turn % 7 == 1:
                each.feedback(name, arm, context, revised, weight, correct)
        if turn % 10 == 0:
            assert_alike(*policies)


def assert_alike(one: LinUCBPolicy, other: LinUCBPolicy) -> None:
    every = np.ones(len(one.arms), dtype=bool)
    for values in np.random.default_rng(0).standard_normal((2, len(one.arms.schema) - 1)):
        context = Context(np.array([1.0, *values]), input_tokens=300.0)
        found, expected = (each.assess(context, weights("balanced"), every) for each in (one, other))
        for name in ("correct", "score", "cost", "reward", "bonus", "spend"):
            np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-9, err_msg=name)
    left, right = (whole_heads(each.state()) for each in (one, other))
    assert left.keys() == right.keys()
    for name, array in left.items():
        if array.dtype.kind == "U":
            assert array.tolist() == right[name].tolist()
        else:
            np.testing.assert_allclose(array, right[name], rtol=1e-9, atol=1e-9, err_msg=name)


SPACES = st.lists(st.sampled_from(SPACE), min_size=4, max_size=14, unique=True).filter(
    lambda space: len({each.model for each in space}) > 1
)


@given(SPACES, st.integers(0, 80), st.booleans(), st.integers(0, 1 << 32))
@settings(max_examples=40, deadline=None)
def test_models_kept_apart_are_believed_what_they_would_be_together(
    space: list[Configuration], turns: int, hosted: bool, seed: int
) -> None:
    both = policy(space, True, hosted=hosted), policy(space, False, hosted=hosted)
    assert isinstance(both[0].components.score_head, ArrowheadRegression)
    teach(both, turns, seed)
    for each in both:
        each.components.forget(0.1)
        each.amounts.forget(0.5)
    teach(both, turns // 2, seed + 1)
    assert_alike(*both)


@given(
    SPACES,
    SPACES,
    st.integers(0, 60),
    st.booleans(),
    st.sampled_from([NAMES, NAMES[:2], (*NAMES, "lines")]),
    st.integers(0, 1 << 32),
)
@settings(max_examples=40, deadline=None)
def test_models_that_come_and_go_and_succeed_each_other_do_so_as_they_would_together(
    before: list[Configuration], after: list[Configuration], turns: int, succeed: bool, names: tuple[str, ...], seed: int
) -> None:
    old = policy(before, True), policy(before, False)
    teach(old, turns, seed)
    here, there = ({each.model for each in space} for space in (before, after))
    successors = tuple(zip(sorted(there - here), sorted(here), strict=False)) if succeed else ()
    new = policy(after, True, names, successors), policy(after, False, names, successors)
    load(new[0], dict(old[0].state()), True)
    load(new[1], dict(old[1].state()), False)
    teach(new, turns // 2, seed + 1)
    assert_alike(*new)


@given(SPACES, st.integers(0, 60), st.integers(0, 1 << 32))
@settings(max_examples=40, deadline=None)
def test_either_form_reads_the_others_state(space: list[Configuration], turns: int, seed: int) -> None:
    both = policy(space, True), policy(space, False)
    teach(both, turns, seed)
    swapped = policy(space, True), policy(space, False)
    load(swapped[0], dict(both[1].state()), True)
    load(swapped[1], dict(both[0].state()), False)
    assert isinstance(swapped[0].components.correctness_head, ArrowheadRegression)
    assert not isinstance(swapped[1].components.correctness_head, ArrowheadRegression)
    teach(swapped, 20, seed + 1)


def test_where_what_is_gone_leaves_models_coupled_they_are_kept_together() -> None:
    space = SPACE[::3]
    old, new = policy(space, True), policy(space, True, NAMES[:2])
    teach((old, policy(space, False)), 40, 0)
    load(new, dict(old.state()), True)
    assert new.components.correctness_head.dim == new.components.products.dim
    assert not isinstance(new.components.correctness_head, ArrowheadRegression)


def test_what_is_kept_grows_no_faster_than_the_models() -> None:
    def bytes_of(count: int) -> int:
        space = [Configuration(f"model {number}", *shape) for number in range(count) for shape in ((1, 1, 1), (4, 1, 1))]
        arms = Arms.of(space, FeatureSchema(tuple(f"feature {number}" for number in range(10))), np.linspace(0, 1, len(space)))
        one = LinUCBPolicy(arms)
        assert sorted(in_parts(one.state())) == ["amounts", "judged", "observed"]
        heads = {name: array for name, array in one.state().items() if name.startswith(("amounts.", "judged.", "observed."))}
        return sum(array.nbytes for array in heads.values())

    few, many = bytes_of(30), bytes_of(120)
    assert many < 4.2 * few
