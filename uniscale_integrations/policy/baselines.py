"""What the policy is compared with: chance, the best mean so far, and the nearest questions so far."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from uniscale_integrations.errors import ConfigurationError, StateError
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Forecast, Objective
from uniscale_integrations.policy.policy import Assessment, Choice, Context, Mask, Observation, State
from uniscale_integrations.policy.transfer import key

BONUS_OF_NEW = 3.0
"""The bonus of a configuration that was never chosen, more than any difference of rewards."""

REWARD_OF_NEW = -1.0
"""The reward of one that was chosen and of which nothing has been told yet, less than any."""

NO_VALUE = float("nan")

MAX_PENDING_DECISIONS = 1000
"""Decisions for which the feedback of another one is waited for."""

MAX_OBSERVATIONS = 5_000
"""Observations of each configuration in which neighbours are looked for: a few megabytes and milliseconds."""


class Baseline:
    """Tries every configuration once and then expects of each the mean of what it has seen of it; chooses the best.

    It learns whole observations, of correctness, score and `C~` together, when feedback comes; a revision comes too late.

    Args:
        arms: what there is to choose from.
    """

    def __init__(self, arms: Arms) -> None:
        self.arms = arms
        self._choice_counts = np.zeros(len(arms))
        # Sums of correctness, score and log of cost over what was expected, and how often each was observed.
        self._sums, self._counts = np.zeros((len(arms), 3)), np.zeros((len(arms), 3))
        self._open: OrderedDict[str, tuple[int, float, float]] = OrderedDict()

    @property
    def name(self) -> str:
        return f"{type(self).__name__.lower()} means"

    def assess(self, context: Context, objective: Objective, eligible: Mask) -> Assessment:
        """The mean of what was seen, for this question."""
        parts = np.stack([self._mean(arm, context) for arm in range(len(self.arms))], axis=1)
        has_data = ~np.isnan(parts[0])
        correct, score, over = np.nan_to_num(parts)
        # What it cost is known by the factor to what is expected, so that it outlasts a change of prices.
        cost = self.arms.costs + over / self.arms.span
        rates = self.arms.rates
        spend = rates.spend(rates.usual, np.full(len(correct), context.input_tokens)) * np.exp(over)
        forecast = Forecast(correct, score, cost, spend, spend / rates.paths, np.full(len(correct), self.arms.scored))
        objective = objective.resolve(forecast)
        reward = objective.observable(scored=self.arms.scored, judged=True).rewards(forecast)
        # Less than any reward, and more than any difference of them.
        largest = float(np.abs(reward).max()) + 1.0
        reward = np.where(has_data, reward, REWARD_OF_NEW * largest)
        bonus = np.where(self._choice_counts > 0, 0.0, BONUS_OF_NEW * largest)
        return Assessment(correct, score, cost, reward, bonus, eligible, spend, objective)

    def choose(self, assessment: Assessment, rng: np.random.Generator) -> Choice:
        return Choice(assessment.best)

    def decided(self, decision: str, action: int, context: Context) -> None:
        """Count it, and wait for its feedback over the next `MAX_PENDING_DECISIONS` decisions; after that it counts as not tried."""
        self._choice_counts[action] += 1
        self._open[decision] = action, NO_VALUE, NO_VALUE
        if len(self._open) > MAX_PENDING_DECISIONS:
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
            self._observe(action, context.query, np.array([correct, score, 0.0 if np.isnan(over) else over]))

    def state(self) -> State:
        """Everything that was seen, with the names of what it is of."""
        return {
            "arms": np.array([key(each) for each in self.arms.configurations], dtype=np.str_),
            "names": np.array(self.arms.schema.names, dtype=np.str_),
            "chosen": self._choice_counts.copy(),
            "sums": self._sums.copy(),
            "counts": self._counts.copy(),
            "open": np.array(list(self._open), dtype=np.str_),
            "seen": np.array(list(self._open.values()), dtype=np.float64).reshape(-1, 3),
        }

    def load(self, state: State) -> None:
        """Take over what `state` gave; what was seen of configurations that are not there is left out."""
        _require(state, "arms", "names", "chosen", "sums", "counts", "open", "seen")
        arms, waiting = len(state["arms"]), len(state["open"])
        _fit(state, chosen=(arms,), sums=(arms, 3), counts=(arms, 3), seen=(waiting, 3))
        here, count = self._places(state), len(self.arms)
        self._choice_counts, self._sums, self._counts = np.zeros(count), np.zeros((count, 3)), np.zeros((count, 3))
        for old, arm in enumerate(here):
            if arm is not None:
                self._choice_counts[arm] = state["chosen"][old]
                self._sums[arm], self._counts[arm] = state["sums"][old], state["counts"][old]
        self._open = OrderedDict()
        for decision, (number, score, over) in zip(map(str, state["open"]), state["seen"].tolist(), strict=True):
            arm = here[int(number)]
            if arm is not None:
                self._open[decision] = arm, score, over

    def _places(self, state: State) -> list[int | None]:
        """For each configuration of a state its number here; `None` where it is not there."""
        places = {key(each): arm for arm, each in enumerate(self.arms.configurations)}
        return [places.get(str(name)) for name in state["arms"]]

    def _observe(self, action: int, query: Array, parts: Array) -> None:
        """Learn correctness, score (NaN where none) and log of cost over what was expected, shape (3,)."""
        self._sums[action] += np.nan_to_num(parts)
        self._counts[action] += ~np.isnan(parts)

    def _mean(self, action: int, context: Context) -> Array:
        """Of what was observed of each part, shape (3,); NaN where nothing was."""
        return _means(self._sums[action], self._counts[action])


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
        max_observations: of each configuration, the most recent of which are kept.

    Raises:
        ConfigurationError: no more observations than neighbours.
    """

    def __init__(
        self, arms: Arms, neighbours: int = 20, exploration: float = 0.05, max_observations: int = MAX_OBSERVATIONS
    ) -> None:
        if max_observations <= neighbours:
            raise ConfigurationError(f"max_observations must be more than the {neighbours} neighbours, got {max_observations}")
        super().__init__(arms)
        self._neighbours, self._exploration, self._limit = neighbours, exploration, max_observations
        self._recent = self._none()

    @property
    def name(self) -> str:
        return f"knn {self._neighbours} {self._exploration:g} {self._limit}"

    def state(self) -> State:
        """Beside the means the observations, those of each configuration from the oldest to the newest."""
        return {
            **super().state(),
            "number": np.repeat(np.arange(len(self.arms)), [len(recent.parts) for recent in self._recent]),
            "queries": np.concatenate([recent.queries for recent in self._recent]),
            "parts": np.concatenate([recent.parts for recent in self._recent]),
        }

    def load(self, state: State) -> None:
        _require(state, "arms", "names", "number", "queries", "parts")
        observed = len(state["number"])
        _fit(state, number=(observed,), queries=(observed, len(state["names"])), parts=(observed, 3))
        if observed and not 0 <= state["number"].min() <= state["number"].max() < len(state["arms"]):
            raise StateError("the state has observations of configurations that it does not name")
        super().load(state)
        here, column = self._places(state), {str(name): place for place, name in enumerate(state["names"])}
        # A feature that was not known is 0.
        queries = np.concatenate([state["queries"], np.zeros((len(state["queries"]), 1))], axis=1)
        queries = queries[:, [column.get(name, -1) for name in self.arms.schema.names]]
        self._recent = self._none()
        for number, query, parts in zip(state["number"].tolist(), queries, state["parts"], strict=True):
            arm = here[number]
            if arm is not None:
                self._recent[arm].add(query, parts)

    def choose(self, assessment: Assessment, rng: np.random.Generator) -> Choice:
        if (assessment.bonus[assessment.eligible] > 0).any():
            return Choice(assessment.best)
        arms, best = np.flatnonzero(assessment.eligible), assessment.best
        action = int(arms[rng.integers(len(arms))]) if rng.random() < self._exploration else best
        return Choice(action, self._exploration / len(arms) + (1.0 - self._exploration) * (action == best))

    def _observe(self, action: int, query: Array, parts: Array) -> None:
        super()._observe(action, query, parts)
        self._recent[action].add(query, parts)

    def _mean(self, action: int, context: Context) -> Array:
        recent = self._recent[action]
        if len(recent.parts) <= self._neighbours:
            return super()._mean(action, context)
        distances = np.square(recent.queries - context.query).sum(axis=1)
        parts = recent.parts[np.argpartition(distances, self._neighbours)[: self._neighbours]]
        return _means(np.nansum(parts, axis=0), self._neighbours - np.isnan(parts).sum(axis=0))

    def _none(self) -> list[_Recent]:
        return [_Recent(len(self.arms.schema), self._limit) for _ in range(len(self.arms))]


class _Recent:
    """The most recent questions with what came of a configuration on them, in their order, in arrays that grow up to twice a limit.

    Args:
        query_dim: n.
        limit: how many are kept.
    """

    def __init__(self, query_dim: int, limit: int) -> None:
        self._limit, self._start, self._end = limit, 0, 0
        self._queries, self._parts = np.empty((min(64, 2 * limit), query_dim)), np.empty((min(64, 2 * limit), 3))

    @property
    def queries(self) -> Array:
        """Shape (count, n)."""
        return self._queries[self._start : self._end]

    @property
    def parts(self) -> Array:
        """Shape (count, 3)."""
        return self._parts[self._start : self._end]

    def add(self, query: Array, parts: Array) -> None:
        if self._end == len(self._parts):
            self._make_room()
        self._queries[self._end], self._parts[self._end] = query, parts
        self._end += 1
        self._start = max(self._start, self._end - self._limit)

    def _make_room(self) -> None:
        """Move what is kept to the front of arrays that have room for as many again, within the limit."""
        count = self._end - self._start
        size = min(2 * count, 2 * self._limit)
        queries, parts = np.empty((size, self._queries.shape[1])), np.empty((size, 3))
        queries[:count], parts[:count] = self.queries, self.parts
        self._queries, self._parts, self._start, self._end = queries, parts, 0, count


def _require(state: State, *names: str) -> None:
    """That a state has all of these arrays.

    Raises:
        StateError: it has not.
    """
    if missing := [name for name in names if name not in state]:
        raise StateError(f"the state lacks {', '.join(missing)}; it must be what `state` gave")


def _fit(state: State, **shapes: tuple[int, ...]) -> None:
    """That arrays of a state have these shapes and hold numbers; what was not observed is NaN in some.

    Raises:
        StateError: they have not.
    """
    for name, shape in shapes.items():
        array = state[name]
        if array.shape != shape or array.dtype.kind not in "if" or np.isinf(array).any():
            raise StateError(
                f"{name} of the state has the shape {array.shape} and the type {array.dtype}, or is not finite; {shape} is due"
            )


def _means(sums: Array, counts: Array) -> Array:
    means: Array = np.divide(sums, counts, out=np.full(3, NO_VALUE), where=counts > 0)
    return means
