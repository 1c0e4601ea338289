"""What the policy is compared with: chance, the best mean so far, and the nearest questions so far."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from uniscale_integrations.errors import StateError
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Weights
from uniscale_integrations.policy.policy import Assessment, Choice, Context, Mask, Observation, State
from uniscale_integrations.policy.transfer import key

BONUS_OF_NEW = 3.0
"""The bonus of a configuration that was never chosen, more than any difference of rewards."""

REWARD_OF_NEW = -1.0
"""The reward of one that was chosen and of which nothing has been told yet, less than any."""

NO_VALUE = float("nan")

PATIENCE = 1000
"""Decisions for which the feedback of another one is waited for."""


class Baseline:
    """Tries every configuration once and then expects of each the mean of what it has seen of it; chooses the best.

    It learns whole observations, of correctness, score and `C~` together, when feedback comes; a revision comes too late.

    Args:
        arms: what there is to choose from.
    """

    def __init__(self, arms: Arms) -> None:
        self.arms = arms
        self._choice_counts = np.zeros(len(arms))
        self._observations = [_Observations(len(arms.schema)) for _ in range(len(arms))]
        self._open: OrderedDict[str, tuple[int, float, float]] = OrderedDict()

    @property
    def name(self) -> str:
        return type(self).__name__.lower()

    def assess(self, context: Context, objective: Weights, eligible: Mask) -> Assessment:
        """The mean of what was seen, for this question."""
        parts = np.stack([self._mean(observations, context) for observations in self._observations], axis=1)
        has_data = ~np.isnan(parts[0])
        objective = objective if self.arms.scored else objective.without(score=True)
        correct, score, cost = np.nan_to_num(parts)
        # What it cost is known by the factor to what is expected, so that it outlasts a change of prices.
        cost = self.arms.costs + cost / self.arms.span
        reward = np.where(has_data, objective.rewards(np.stack([correct, score, cost])), REWARD_OF_NEW)
        bonus = np.where(self._choice_counts > 0, 0.0, BONUS_OF_NEW)
        return Assessment(correct, score, cost, reward, bonus, eligible)

    def choose(self, assessment: Assessment, rng: np.random.Generator) -> Choice:
        return Choice(assessment.best)

    def decided(self, decision: str, action: int, context: Context) -> None:
        """Count it, and wait for its feedback over the next `PATIENCE` decisions; after that it counts as not tried."""
        self._choice_counts[action] += 1
        self._open[decision] = action, NO_VALUE, NO_VALUE
        if len(self._open) > PATIENCE:
            _, (given_up, _, _) = self._open.popitem(last=False)
            self._choice_counts[given_up] -= 1

    def outcome(self, decision: str, action: int, context: Context, observation: Observation) -> None:
        """Keep score and cost until feedback comes."""
        if decision in self._open:
            over = (observation.cost - float(self.arms.costs[action])) * self.arms.span
            self._open[decision] = action, NO_VALUE if observation.score is None else observation.score, over

    def feedback(
        self, decision: str, action: int, context: Context, correct: float, weight: float = 1.0, previous: float | None = None
    ) -> None:
        """Learn all of it."""
        entry = self._open.pop(decision, None)
        if entry is not None:
            _, score, over = entry
            self._observations[action].add(context.query, (correct, score, 0.0 if np.isnan(over) else over))

    def state(self) -> State:
        """Everything that was seen, with the names of what it is of."""
        number = np.repeat(np.arange(len(self.arms)), [observations.count for observations in self._observations])
        return {
            "arms": np.array([key(each) for each in self.arms.configurations], dtype=np.str_),
            "names": np.array(self.arms.schema.names, dtype=np.str_),
            "chosen": self._choice_counts.copy(),
            "number": number,
            "queries": np.concatenate([observations.queries for observations in self._observations]),
            "parts": np.concatenate([observations.parts for observations in self._observations]),
            "open": np.array(list(self._open), dtype=np.str_),
            "seen": np.array(list(self._open.values()), dtype=np.float64).reshape(-1, 3),
        }

    def load(self, state: State) -> None:
        """Take over what `state` gave; what was seen of configurations that are not there is left out."""
        missing = [
            name for name in ("arms", "names", "chosen", "number", "queries", "parts", "open", "seen") if name not in state
        ]
        if missing:
            raise StateError(f"the state lacks {', '.join(missing)}; it must be what `state` gave")
        places = {key(each): arm for arm, each in enumerate(self.arms.configurations)}
        here = [places.get(str(name)) for name in state["arms"]]
        column = {str(name): place for place, name in enumerate(state["names"])}
        queries = np.concatenate([state["queries"], np.zeros((len(state["queries"]), 1))], axis=1)
        queries = queries[:, [column.get(name, -1) for name in self.arms.schema.names]]
        self._choice_counts = np.zeros(len(self.arms))
        self._observations = [_Observations(len(self.arms.schema)) for _ in range(len(self.arms))]
        for old, arm in enumerate(here):
            if arm is not None:
                self._choice_counts[arm] = state["chosen"][old]
        for number, query, parts in zip(state["number"].tolist(), queries, state["parts"].tolist(), strict=True):
            arm = here[number]
            if arm is not None:
                self._observations[arm].add(query, tuple(parts))
        self._open = OrderedDict()
        for decision, (number, score, over) in zip(map(str, state["open"]), state["seen"].tolist(), strict=True):
            arm = here[int(number)]
            if arm is not None:
                self._open[decision] = arm, score, over

    def _mean(self, observations: _Observations, context: Context) -> Array:
        """Mean correctness, score and log of cost over what was expected, shape (3,); NaN where nothing was seen."""
        return observations.mean


class Greedy(Baseline):
    """Every configuration once, then the one with the best mean reward so far, whatever the question."""


class Random(Baseline):
    """Each eligible configuration equally often."""

    def choose(self, assessment: Assessment, rng: np.random.Generator) -> Choice:
        arms = np.flatnonzero(assessment.eligible)
        return Choice(int(arms[rng.integers(len(arms))]), 1.0 / len(arms))


class NearestNeighbours(Baseline):
    """For each configuration the mean reward on the k nearest questions it was tried on; now and then one by chance.

    Args:
        arms: what there is to choose from.
        neighbours: k.
        exploration: how often a configuration is chosen by chance.
    """

    def __init__(self, arms: Arms, neighbours: int = 20, exploration: float = 0.05) -> None:
        super().__init__(arms)
        self._neighbours, self._exploration = neighbours, exploration

    @property
    def name(self) -> str:
        return f"knn {self._neighbours} {self._exploration:g}"

    def choose(self, assessment: Assessment, rng: np.random.Generator) -> Choice:
        if (assessment.bonus[assessment.eligible] > 0).any():
            return Choice(assessment.best)
        arms, best = np.flatnonzero(assessment.eligible), assessment.best
        action = int(arms[rng.integers(len(arms))]) if rng.random() < self._exploration else best
        return Choice(action, self._exploration / len(arms) + (1.0 - self._exploration) * (action == best))

    def _mean(self, observations: _Observations, context: Context) -> Array:
        if observations.count <= self._neighbours:
            return super()._mean(observations, context)
        distances = np.square(observations.queries - context.query).sum(axis=1)
        parts = observations.parts[np.argpartition(distances, self._neighbours)[: self._neighbours]]
        return _means(np.nansum(parts, axis=0), self._neighbours - np.isnan(parts).sum(axis=0))


class _Observations:
    """Questions with what came of a configuration on them, in arrays that grow.

    Args:
        query_dim: n.
    """

    def __init__(self, query_dim: int) -> None:
        self.count = 0
        self._sums, self._counts = np.zeros(3), np.zeros(3)
        self._queries, self._parts = np.empty((64, query_dim)), np.empty((64, 3))

    @property
    def queries(self) -> Array:
        """Shape (count, n)."""
        return self._queries[: self.count]

    @property
    def parts(self) -> Array:
        """Correctness, score (NaN where none) and log of cost over what was expected, shape (count, 3)."""
        return self._parts[: self.count]

    @property
    def mean(self) -> Array:
        """Of what was seen of each part, shape (3,); NaN where nothing was."""
        return _means(self._sums, self._counts)

    def add(self, query: Array, parts: tuple[float, ...]) -> None:
        if self.count == len(self._parts):
            self._queries = np.concatenate([self._queries, np.empty_like(self._queries)])
            self._parts = np.concatenate([self._parts, np.empty_like(self._parts)])
        self._queries[self.count], self._parts[self.count] = query, parts
        self._sums += np.nan_to_num(parts)
        self._counts += ~np.isnan(parts)
        self.count += 1


def _means(sums: Array, counts: Array) -> Array:
    means: Array = np.divide(sums, counts, out=np.full(3, NO_VALUE), where=counts > 0)
    return means
