"""What the policy is compared with: chance, the best mean so far, and the nearest questions so far."""

from __future__ import annotations

import numpy as np

from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Weights
from uniscale_integrations.policy.policy import Result, reward


class Fixed:
    """Always the same."""

    def __init__(self, action: int) -> None:
        self.action = action

    def choose(self, query: Array) -> int:
        return self.action

    def came(self, action: int, query: Array, result: Result) -> None:
        """Nothing to learn."""

    def judged(self, action: int, query: Array, result: Result) -> None:
        """Nothing to learn."""


class Random:
    """Each configuration equally often."""

    def __init__(self, actions: int, seed: int) -> None:
        self._actions, self._rng = actions, np.random.default_rng(seed)

    def choose(self, query: Array) -> int:
        return int(self._rng.integers(self._actions))

    def came(self, action: int, query: Array, result: Result) -> None:
        """Nothing to learn."""

    def judged(self, action: int, query: Array, result: Result) -> None:
        """Nothing to learn."""


class Greedy:
    """Every configuration once, then the one with the best mean reward so far, whatever the question."""

    def __init__(self, actions: int, weights: Weights) -> None:
        self._weights = weights
        self._sums, self._counts = np.zeros(actions), np.zeros(actions)
        self._next = 0

    def choose(self, query: Array) -> int:
        if self._next < len(self._counts):
            self._next += 1
            return self._next - 1
        known = self._counts > 0
        means = np.divide(self._sums, self._counts, out=np.full(len(known), -np.inf), where=known)
        return int(means.argmax())

    def came(self, action: int, query: Array, result: Result) -> None:
        """A mean is of whole rewards, which need correctness."""

    def judged(self, action: int, query: Array, result: Result) -> None:
        self._sums[action] += reward(result, self._weights)
        self._counts[action] += 1


class NearestNeighbours:
    """For each configuration the mean reward on the k nearest questions it was tried on; now and then one by chance.

    Args:
        actions: K.
        query_dim: n.
        weights: what counts.
        neighbours: k.
        exploration: how often a configuration is chosen by chance.
        seed: of that.
    """

    def __init__(
        self, actions: int, query_dim: int, weights: Weights, seed: int, neighbours: int = 20, exploration: float = 0.05
    ) -> None:
        self._weights, self._neighbours, self._exploration = weights, neighbours, exploration
        self._rng = np.random.default_rng(seed)
        self._queries = [np.empty((0, query_dim))] * actions
        self._rewards = [np.empty(0)] * actions
        self._counts = np.zeros(actions, dtype=np.int64)
        self._next = 0

    def choose(self, query: Array) -> int:
        actions = len(self._counts)
        if self._next < actions:
            self._next += 1
            return self._next - 1
        if self._rng.random() < self._exploration:
            return int(self._rng.integers(actions))
        return int(np.argmax([self._expected(action, query) for action in range(actions)]))

    def came(self, action: int, query: Array, result: Result) -> None:
        """A neighbour is of a whole reward, which needs correctness."""

    def judged(self, action: int, query: Array, result: Result) -> None:
        count = self._counts[action]
        if count == len(self._rewards[action]):
            more = max(64, count)
            self._queries[action] = np.concatenate([self._queries[action], np.empty((more, len(query)))])
            self._rewards[action] = np.concatenate([self._rewards[action], np.empty(more)])
        self._queries[action][count], self._rewards[action][count] = query, reward(result, self._weights)
        self._counts[action] += 1

    def _expected(self, action: int, query: Array) -> float:
        count = self._counts[action]
        if not count:
            return -np.inf
        rewards = self._rewards[action][:count]
        if count <= self._neighbours:
            return float(rewards.mean())
        distances = np.square(self._queries[action][:count] - query).sum(axis=1)
        nearest = np.argpartition(distances, self._neighbours)[: self._neighbours]
        return float(rewards[nearest].mean())
