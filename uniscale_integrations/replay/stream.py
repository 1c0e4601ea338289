"""Outcome tables as a stream of decisions: one table after the other, each question once for every sample, in the order of a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.deprecation import former_attribute
from uniscale_integrations.engine.estimates import answers_sampled
from uniscale_integrations.errors import ConfigurationError, TableError
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.encoders import QueryEncoder
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.kinds import TextFeatures
from uniscale_integrations.policy.objective import Forecast, Objective, Value, Weights
from uniscale_integrations.policy.rates import USUAL_INPUT, Rates
from uniscale_integrations.policy.schema import FeatureSchema
from uniscale_integrations.policy.targets import Target
from uniscale_integrations.replay.correction import OffPolicy
from uniscale_integrations.replay.prices import check_costs, first_day_rates, plain_costs
from uniscale_integrations.replay.table import OutcomeTable
from uniscale_integrations.space import Configuration

DRIFTS = ("none", "permute")


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What came of every configuration on every question.

    Attributes:
        configurations: K of them.
        schema: of the features of questions.
        queries: features, shape (Q, n).
        values: correctness, score (NaN where none) and cost, shape (3, Q, K, S).
        unit: of the cost, "eflops" or "usd".
        tokens: read and sampled, shape (2, Q, K, S), where they are known.
    """

    configurations: tuple[Configuration, ...]
    schema: FeatureSchema
    queries: Array
    values: Array
    unit: str
    tokens: Array | None = None


@dataclass(frozen=True, slots=True)
class World:
    """Tables made ready to be replayed: everything of them that does not depend on the order.

    Attributes:
        arms: the K configurations, with what a policy knows beforehand of what each costs; see `COSTS`.
        queries: features of all questions of all tables, shape (Q, n).
        parts: correctness, score (NaN where none) and `C~`, shape (3, Q, K, S).
        samples: how many of the S there are, shape (Q, K).
        tables: how many questions each table has.
        raw_costs: costs in the tables' unit, shape (Q, K, S).
        scale: from those to `C~`.
        unit: "eflops" or "usd".
        tokens: read and sampled, shape (2, Q, K, S), where costs are paid for by the token; otherwise `None`.
        off_policy: of a log, what stands in for answers that nobody saw; `None` of tables, which have all of them.
    """

    arms: Arms
    queries: Array
    parts: Array
    samples: NDArray[np.int64]
    tables: tuple[int, ...]
    raw_costs: Array
    scale: CostScale
    unit: str
    tokens: Array | None = None
    off_policy: OffPolicy | None = None

    spent = former_attribute("raw_costs")

    @classmethod
    def of(
        cls,
        tables: Sequence[OutcomeTable],
        encode: QueryEncoder | None = None,
        scale: CostScale | None = None,
        costs: str = "known",
    ) -> World:
        """The world of some tables, arms matched by configuration.

        Args:
            tables: in the order of the stream.
            encode: makes the features of the questions; of their text alone by default.
            scale: from costs to `C~`; that of the tables by default.
            costs: "known": a policy knows the mean cost of every configuration beforehand; "cold": what an engine knows on its first
                day, a price for each model.

        Raises:
            ConfigurationError: no such costs.
            TableError: tables of different configurations, of different units of cost, or with fewer than two configurations.
        """
        check_costs(costs)
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
        encode = encode or TextFeatures()
        outcomes = Outcomes(
            first.configurations,
            encode.schema,
            np.stack([encode(query) for table in same for query in table.queries]),
            np.stack([correct, score, cost]),
            first.unit,
            _tokens(same, width),
        )
        samples = np.concatenate([table.samples for table in same])
        return cls.of_outcomes(outcomes, samples, tuple(len(table.queries) for table in same), scale, costs)

    @classmethod
    def of_outcomes(
        cls, outcomes: Outcomes, samples: NDArray[np.int64], tables: tuple[int, ...], scale: CostScale | None, costs: str
    ) -> World:
        """The world of what came of every configuration; parameters as of `World` and `of`."""
        correct, score, cost = outcomes.values
        mean = cost.mean(axis=(0, 2))
        scale = scale or (CostScale.spanning(mean[mean > 0]) if (mean > 0).any() else CostScale(1.0, 1.0))
        place = np.vectorize(scale.position, otypes=[np.float64])
        expected, rates, tokens = place(mean), None, None
        if costs == "cold":
            rates = first_day_rates(outcomes.configurations, cost, outcomes.tokens, scale)
            tokens = outcomes.tokens if rates.in_tokens.all() else None
            read = USUAL_INPUT if tokens is None else float(tokens[0, :, 0].mean())
            expected = rates.positions(rates.spend(rates.usual, np.full(len(mean), read)), np.ones(len(mean), dtype=np.bool_))
        scored = bool(np.isfinite(score).any())
        return cls(
            Arms.of(outcomes.configurations, outcomes.schema, expected, scored=scored, span=scale.span, rates=rates),
            outcomes.queries,
            np.stack([correct, score, place(cost)]),
            samples,
            tables,
            cost,
            scale,
            outcomes.unit,
            tokens,
        )

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """The K configurations."""
        return self.arms.configurations

    @property
    def scored(self) -> bool:
        """Whether there are scores."""
        return self.arms.scored

    @property
    def mean_costs(self) -> Array:
        """Of every configuration, in the tables' unit, shape (K,)."""
        means: Array = self.raw_costs.mean(axis=(0, 2))
        return means

    @property
    def input_tokens(self) -> Array:
        """Of each question, as they are counted before a call, shape (Q,): what the first configuration's model has read of it."""
        if self.tokens is None:
            return np.full(len(self.queries), USUAL_INPUT)
        paths = answers_sampled(self.configurations[0])
        counted: Array = np.maximum(self.tokens[0, :, 0, 0] / paths, 1.0)
        return counted

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
            tokens=None if self.tokens is None else self.tokens[:, :, indices],
        )

    def in_money(self) -> World:
        """The same where a policy that knows mean costs beforehand knows them in the tables' unit, and not only as `C~`."""
        if self.arms.rates.scale == self.scale:
            return self
        rates = Rates.of_estimates(self.mean_costs, np.ones(len(self.configurations)), self.scale)
        return replace(self, arms=replace(self.arms, rates=rates))

    def weights(self, weights: Weights) -> Weights:
        """The weights, without that of a component that can never be observed."""
        return weights if self.scored else weights.without(score=True)

    def rewards(self, weights: Weights, parts: Array) -> Array:
        """`r` of correctness, score and `C~`, shape (3, ...); an answer without a score counts by the others."""
        correct, score, cost = np.nan_to_num(parts)
        rewards: Array = weights.reward(correct, score, cost)
        missing = np.isnan(parts[1])
        return np.where(missing, weights.without(score=True).reward(correct, score, cost), rewards) if missing.any() else rewards

    def resolve(self, objective: Objective) -> Objective:
        """The objective that rewards are counted by: `points` make a right answer worth what mean costs of plain calls tell."""
        plain = plain_costs(self.configurations, self.mean_costs)
        nothing = np.zeros(len(plain))
        return objective.resolve(Forecast(nothing, nothing, nothing, self.mean_costs, plain, nothing > 0))

    def earned(self, objective: Objective | Target, parts: Array, costs: Array) -> Array:
        """The rewards of answers, shape (...): `r` of weights, `V correct - cost` of a value; of a target how right they are.

        Args:
            objective: what is sought.
            parts: correctness, score and `C~`, shape (3, ...).
            costs: in the tables' unit, shape (...).

        Raises:
            ConfigurationError: an objective of another kind.
        """
        if isinstance(objective, Target):
            correct: Array = parts[0]
            return correct
        if isinstance(objective, Weights):
            return self.rewards(objective, parts)
        resolved = self.resolve(objective)
        if not isinstance(resolved, Value) or resolved.right is None:
            raise ConfigurationError(f"a replay counts rewards by Weights or a Value, got {objective!r}")
        earned: Array = resolved.right * parts[0] - costs
        return earned


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

    def tokens(self, world: World) -> Array | None:
        """Tokens that every configuration reads and samples at every decision, shape (2, T, K), where they are paid for."""
        if world.tokens is None:
            return None
        return world.tokens[:, self.queries[:, None], np.arange(len(world.configurations)), self.samples]

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


def _tokens(tables: Sequence[OutcomeTable], width: int) -> Array | None:
    """Of all tables, shape (2, Q, K, S), where all have them."""
    tokens = [table.tokens for table in tables if table.tokens is not None]
    return np.concatenate([_pad(each, width) for each in tokens], axis=1) if len(tokens) == len(tables) else None


def _pad(part: Array, width: int) -> Array:
    """With as many samples as `width`, by repetition."""
    return part[..., np.arange(width) % part.shape[-1]]
