"""Outcome tables as a stream of decisions: one table after the other, each question once for every sample, in the order of a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.deprecation import former_attribute
from uniscale_integrations.errors import ConfigurationError, TableError
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.encoders import QueryEncoder
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.kinds import TextFeatures
from uniscale_integrations.policy.objective import Weights
from uniscale_integrations.replay.table import OutcomeTable
from uniscale_integrations.space import Configuration

DRIFTS = ("none", "permute")


@dataclass(frozen=True, slots=True)
class World:
    """Tables made ready to be replayed: everything of them that does not depend on the order.

    Attributes:
        arms: the K configurations; the `C~` that is expected of each is that of its mean cost, which a policy knows beforehand, as
            one knows a price list.
        queries: features of all questions of all tables, shape (Q, n).
        parts: correctness, score (NaN where none) and `C~`, shape (3, Q, K, S).
        samples: how many of the S there are, shape (Q, K).
        tables: how many questions each table has.
        raw_costs: costs in the tables' unit, shape (Q, K, S).
        scale: from those to `C~`.
        unit: "eflops" or "usd".
    """

    arms: Arms
    queries: Array
    parts: Array
    samples: NDArray[np.int64]
    tables: tuple[int, ...]
    raw_costs: Array
    scale: CostScale
    unit: str

    spent = former_attribute("raw_costs")

    @classmethod
    def of(cls, tables: Sequence[OutcomeTable], encode: QueryEncoder | None = None, scale: CostScale | None = None) -> World:
        """The world of some tables, arms matched by configuration.

        Args:
            tables: in the order of the stream.
            encode: makes the features of the questions; of their text alone by default.
            scale: from costs to `C~`; that of the tables by default.

        Raises:
            TableError: tables of different configurations, of different units of cost, or with fewer than two configurations.
        """
        first = tables[0]
        if len(first.configurations) < 2:
            raise TableError(f"{first.name} has one configuration only; there is nothing to choose")
        same = [first]
        for table in tables[1:]:
            if set(table.configurations) != set(first.configurations):
                odd = sorted(set(table.configurations) ^ set(first.configurations))[0]
                raise TableError(f"{table.name} and {first.name} do not have the same configurations: only one has {odd}")
            if table.unit != first.unit:
                raise TableError(f"{first.name} gives its costs in {first.unit}, {table.name} in {table.unit}; give one unit")
            same.append(table.only(first.configurations))
        width = max(table.correct.shape[2] for table in same)
        correct, score, cost = (np.concatenate([_pad(part, width) for part in parts]) for parts in _parts(same))
        mean = cost.mean(axis=(0, 2))
        scale = scale or (CostScale.spanning(mean[mean > 0]) if (mean > 0).any() else CostScale(1.0, 1.0))
        place = np.vectorize(scale.position, otypes=[np.float64])
        positions = place(cost)
        encode = encode or TextFeatures()
        scored = any(table.scored for table in same)
        return cls(
            Arms.of(first.configurations, encode.schema, place(mean), scored=scored, span=scale.span),
            np.stack([encode(query) for table in same for query in table.queries]),
            np.stack([correct, score, positions]),
            np.concatenate([table.samples for table in same]),
            tuple(len(table.queries) for table in same),
            cost,
            scale,
            first.unit,
        )

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """The K configurations."""
        return self.arms.configurations

    @property
    def scored(self) -> bool:
        """Whether there are scores."""
        return self.arms.scored

    def only(self, arms: Sequence[int]) -> World:
        """The same with some of its configurations."""
        if list(arms) == list(range(len(self.configurations))):
            return self
        indices = list(arms)
        return replace(
            self,
            arms=self.arms.only(indices),
            parts=self.parts[:, :, indices],
            samples=self.samples[:, indices],
            raw_costs=self.raw_costs[:, indices],
        )

    def weights(self, weights: Weights) -> Weights:
        """The weights, without that of a component that can never be observed."""
        return weights if self.scored else weights.without(score=True)

    def rewards(self, weights: Weights, parts: Array) -> Array:
        """`r` of correctness, score and `C~`, shape (3, ...); an answer without a score counts by the others."""
        correct, score, cost = np.nan_to_num(parts)
        rewards: Array = weights.reward(correct, score, cost)
        missing = np.isnan(parts[1])
        return np.where(missing, weights.without(score=True).reward(correct, score, cost), rewards) if missing.any() else rewards


@dataclass(frozen=True, slots=True)
class Stream:
    """One order of decisions.

    Attributes:
        queries: the question of each decision, shape (T,).
        samples: the sample of each configuration at each decision, shape (T, K).
        quality_of: whose correctness and score each configuration has at each decision, shape (T, K); itself where nothing drifts.
    """

    queries: NDArray[np.int64]
    samples: NDArray[np.int64]
    quality_of: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.queries)

    @classmethod
    def of(cls, world: World, seed: int, drift: str = "none", passes: int = 1) -> Stream:
        """The stream of a seed: table after table, in each every question once for each of its samples, shuffled.

        Args:
            world: the tables.
            seed: of the order.
            drift: "permute" gives, from the middle on, every model the quality of the next one, and of the first to the last; what
                they cost stays.
            passes: how often each table is gone through before the next one, each time in another order.

        Raises:
            ConfigurationError: no such drift.
        """
        if drift not in DRIFTS:
            raise ConfigurationError(f"no drift {drift!r}; there are {', '.join(DRIFTS)}")
        rng = np.random.default_rng(seed)
        order, rounds, start = [], [], 0
        for count in world.tables:
            width = int(world.samples[start : start + count].max())
            pairs = np.array([(query, sample) for sample in range(width) for query in range(start, start + count)])
            pairs = np.concatenate([pairs[rng.permutation(len(pairs))] for _ in range(passes)])
            order.append(pairs[:, 0])
            rounds.append(pairs[:, 1])
            start += count
        queries = np.concatenate(order)
        samples = np.concatenate(rounds)[:, None] % world.samples[queries]
        quality = np.tile(np.arange(len(world.configurations)), (len(queries), 1))
        if drift == "permute":
            quality[len(queries) // 2 :] = _permutation(world)
        return cls(queries, samples, quality)

    def costs(self, world: World) -> Array:
        """What every configuration costs at every decision, in the tables' unit, shape (T, K)."""
        return world.raw_costs[self.queries[:, None], np.arange(len(world.configurations)), self.samples]

    def parts(self, world: World) -> Array:
        """Correctness, score and `C~` of every configuration at every decision, shape (3, T, K)."""
        rows = self.queries[:, None]
        arms = np.arange(len(world.configurations))
        quality = world.parts[:2, rows, self.quality_of, self.samples]
        return np.concatenate([quality, world.parts[2:, rows, arms, self.samples]])


def _permutation(world: World) -> list[int]:
    """For each configuration the one with its search on the next model, where there is one."""
    names = tuple(dict.fromkeys(configuration.model for configuration in world.configurations))
    following = dict(zip(names, (*names[1:], names[0]), strict=True))
    place = {configuration: arm for arm, configuration in enumerate(world.configurations)}
    return [
        place.get(Configuration(following[configuration.model], *configuration.shape), arm)
        for arm, configuration in enumerate(world.configurations)
    ]


def _parts(tables: Sequence[OutcomeTable]) -> tuple[list[Array], list[Array], list[Array]]:
    return [t.correct for t in tables], [t.score for t in tables], [t.cost for t in tables]


def _pad(part: Array, width: int) -> Array:
    """With as many samples as `width`, by repetition."""
    return part[:, :, np.arange(width) % part.shape[2]]
