"""LinUCB and its product form, against the plain formula and each other."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniscale_integrations.errors import ConfigurationError, StateError
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.linucb import LinUCB
from uniscale_integrations.policy.product import ProductLinUCB

seeds = st.integers(0, 2**32)


def reference(rows: Array, rewards: Array, ridge: float, prior: Array) -> Any:
    """`theta` and `A^-1` as the textbook has them."""
    a = ridge * np.eye(rows.shape[1]) + rows.T @ rows
    return np.linalg.solve(a, ridge * prior + rows.T @ rewards), np.linalg.inv(a)


@given(st.integers(1, 10), st.integers(0, 60), st.sampled_from([0.1, 1.0, 5.0]), st.booleans(), seeds)
@settings(max_examples=60)
def test_scores_are_those_of_the_formula(dim: int, count: int, ridge: float, with_prior: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    prior = rng.standard_normal(dim) if with_prior else np.zeros(dim)
    bandit = LinUCB(dim, alpha=0.7, ridge=ridge, prior_mean=prior if with_prior else 0.0)
    rows, rewards, actions = rng.standard_normal((count, dim)), rng.random(count), rng.standard_normal((7, dim))
    for x, reward in zip(rows, rewards, strict=True):
        bandit.update(x, float(reward))
    theta, inverse = reference(rows, rewards, ridge, prior)
    means, widths = bandit.scores(actions)
    expected = np.sqrt(np.einsum("kd,de,ke->k", actions, inverse, actions))
    np.testing.assert_allclose(bandit.theta, theta, atol=1e-9)
    np.testing.assert_allclose(means, actions @ theta, atol=1e-9)
    np.testing.assert_allclose(widths, expected, atol=1e-9)
    assert bandit.select(actions) == int((actions @ theta + 0.7 * expected).argmax())
    burst = LinUCB(dim, ridge=ridge, prior_mean=prior)
    burst.update_many(rows, rewards)
    np.testing.assert_allclose(burst.theta, theta, atol=1e-9)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 9), st.integers(0, 70), st.sampled_from([1.0, 0.95]), seeds)
@settings(max_examples=60)
def test_the_product_form_is_the_same_bandit(m: int, n: int, arms: int, count: int, discount: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    actions, prior = rng.standard_normal((arms, m)), rng.standard_normal(m * n)
    product = ProductLinUCB(actions, n, 0.5, 2.0, discount, prior)
    dense = LinUCB(m * n, 0.5, 2.0, discount, prior)
    for _ in range(count):
        query, action, reward = rng.standard_normal(n), int(rng.integers(arms)), float(rng.random())
        product.update(action, query, reward)
        dense.update(np.kron(actions[action], query), reward)
    query = rng.standard_normal(n)
    rows = np.array([np.kron(action, query) for action in actions])
    for found, expected in zip(product.scores(query), dense.scores(rows), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-9)
    assert product.select(query) == dense.select(rows)


def test_an_optimistic_prior_tries_every_arm_where_a_flat_one_sticks_to_its_first() -> None:
    rewards, arms = [0.80, 0.97, 0.60], np.eye(3)

    def taken(prior_mean: float) -> list[int]:
        bandit = LinUCB(3, alpha=0.1, prior_mean=prior_mean)
        chosen = []
        for _ in range(200):
            chosen.append(bandit.select(arms))
            bandit.update(arms[chosen[-1]], rewards[chosen[-1]])
        return chosen

    assert set(taken(0.0)) == {0}
    assert taken(1.0)[-50:] == [1] * 50


def test_with_forgetting_it_follows_a_reward_that_changes() -> None:
    arms = np.eye(2)
    bandit = LinUCB(2, alpha=0.3, discount=0.98, prior_mean=1.0)
    chosen = []
    for turn in range(1_000):
        arm = bandit.select(arms)
        chosen.append(arm)
        bandit.update(arms[arm], [0.9, 0.5][arm] if turn < 500 else [0.3, 0.5][arm])
    assert np.mean(chosen[400:500]) < 0.2
    assert np.mean(chosen[900:]) > 0.8


@pytest.mark.parametrize("kind", ["dense", "product"])
def test_a_state_survives_a_file_without_pickle(kind: str) -> None:
    rng = np.random.default_rng(3)
    bandit: Any = (
        LinUCB(6, 0.4, 2.0, 0.99, 0.9) if kind == "dense" else ProductLinUCB(rng.random((4, 3)), 2, 0.4, 2.0, 0.99, rng.random(6))
    )
    for _ in range(100):
        if kind == "dense":
            bandit.update(rng.random(6), rng.random())
        else:
            bandit.update(int(rng.integers(4)), rng.random(2), rng.random())
    file = io.BytesIO()
    np.savez(file, **bandit.state())
    file.seek(0)
    stored = type(bandit).from_state(dict(np.load(file, allow_pickle=False)))
    question = rng.random((4, 6)) if kind == "dense" else rng.random(2)
    for found, expected in zip(stored.scores(question), bandit.scores(question), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)
    assert stored.select(question) == bandit.select(question)


def test_what_is_poisoned_is_refused_at_the_door() -> None:
    bandit = LinUCB(2)
    for reward in (float("nan"), float("inf")):
        with pytest.raises(ConfigurationError, match="a reward must be a finite number"):
            bandit.update(np.ones(2), reward)
    with pytest.raises(ConfigurationError, match="x holds a value that is not finite"):
        bandit.update(np.array([1.0, np.nan]), 1.0)
    with pytest.raises(ConfigurationError, match=r"x must have the shape \(2,\)"):
        bandit.update(np.ones(3), 1.0)
    with pytest.raises(ConfigurationError, match=r"actions must have the shape \(K, 2\) with K at least 1, got \(0, 2\)"):
        bandit.select(np.empty((0, 2)))
    with pytest.raises(ConfigurationError, match="alpha must be"):
        LinUCB(2, alpha=-1.0)
    with pytest.raises(ConfigurationError, match="prior_mean must be"):
        LinUCB(2, prior_mean=[1.0, 2.0, 3.0])
    assert bandit.theta.tolist() == [0.0, 0.0]
    with pytest.raises(ConfigurationError, match="a query must be 1 finite numbers"):
        ProductLinUCB([[1.0]], 1).select([float("nan")])
    state = bandit.state()
    state["b"][1] = np.nan
    with pytest.raises(StateError, match="b holds a value that is not finite in row 0"):
        LinUCB.from_state(state)
    del state["b"]
    with pytest.raises(StateError, match="the state lacks b"):
        LinUCB.from_state(state)


def test_a_revision_moves_only_b() -> None:
    bandit, right = LinUCB(2, prior_mean=0.5), LinUCB(2, prior_mean=0.5)
    for x, reward in (([1.0, 0.0], 0.2), ([0.5, 0.5], 0.9)):
        bandit.update(x, reward)
    for x, reward in (([1.0, 0.0], 1.0), ([0.5, 0.5], 0.9)):
        right.update(x, reward)
    matrix = bandit.state()["A"]
    bandit.revise([1.0, 0.0], 0.8)
    np.testing.assert_allclose(bandit.theta, right.theta)
    np.testing.assert_array_equal(bandit.state()["A"], matrix)
