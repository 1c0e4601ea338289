"""Outcome tables as arrays, ready to replay policies on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.deprecation import former_attribute
from uniscale_integrations.engine.outcomes import OutcomeRow, read_outcomes
from uniscale_integrations.errors import TableError
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.space import Configuration


@dataclass(frozen=True, slots=True)
class OutcomeTable:
    """What came of every configuration on every query: Q queries, K configurations, up to S samples.

    Attributes:
        name: for messages and plots.
        query_ids: stable names, Q of them.
        queries: their texts.
        configurations: K of them, in order of first appearance.
        correct: shape (Q, K, S); places beyond `samples` hold a repetition of those before.
        score: likewise; NaN where nothing scored the answer.
        cost: likewise, eFLOPs or US dollars.
        samples: how many of the S are there, shape (Q, K), int64.
        unit: of the cost, "eflops" or "usd".
        tokens: those that were read and those that were sampled, shape (2, Q, K, S); `None` where a row lacks them.

    Example:
        >>> from uniscale_integrations.space import Configuration
        >>> rows = [
        ...     OutcomeRow("q", "2 + 2?", Configuration(model), correct, eflops=cost)
        ...     for model, correct, cost in (("small", 0.0, 1e9), ("large", 1.0, 4e9))
        ... ]
        >>> table = OutcomeTable.of(rows, "toy")
        >>> table.correct[0, :, 0], table.scored
        (array([0., 1.]), False)
    """

    name: str
    query_ids: tuple[str, ...]
    queries: tuple[str, ...]
    configurations: tuple[Configuration, ...]
    correct: Array
    score: Array
    cost: Array
    samples: NDArray[np.int64]
    unit: str
    tokens: Array | None = None

    @property
    def scored(self) -> bool:
        """Whether any answer has a score."""
        return bool(np.isfinite(self.score).any())

    @classmethod
    def of(cls, outcomes: Iterable[OutcomeRow], name: str) -> OutcomeTable:
        """The table of these rows, in any order.

        Raises:
            TableError: no rows, a configuration that a query lacks, a row that comes twice, or costs that are missing or in two
                units; names the query.
        """
        rows = list(outcomes)
        if not rows:
            raise TableError(f"{name} holds no rows")
        queries = {row.query_id: row.query for row in reversed(rows)}
        ids = tuple(dict.fromkeys(row.query_id for row in rows))
        configurations = tuple(dict.fromkeys(row.configuration for row in rows))
        unit = _unit(rows, name)
        place, arm = {q: i for i, q in enumerate(ids)}, {c: i for i, c in enumerate(configurations)}
        cells: dict[tuple[int, int], dict[int, OutcomeRow]] = {}
        for row in rows:
            cell = cells.setdefault((place[row.query_id], arm[row.configuration]), {})
            if cell.setdefault(row.sample, row) is not row:
                raise TableError(f"{name}: query {row.query_id!r} has {row.configuration} sample {row.sample} twice")
        shape = len(ids), len(configurations)
        if len(cells) < shape[0] * shape[1]:
            query, lacking = next((i, k) for i in range(shape[0]) for k in range(shape[1]) if (i, k) not in cells)
            raise TableError(
                f"{name}: query {ids[query]!r} has no row for {configurations[lacking]}; every query needs every configuration"
            )
        depth = max(map(len, cells.values()))
        values = np.empty((5, *shape, depth))
        samples = np.empty(shape, dtype=np.int64)
        for (i, k), cell in cells.items():
            row_samples = [cell[sample] for sample in sorted(cell)]
            samples[i, k] = len(row_samples)
            for s in range(depth):
                row = row_samples[s % len(row_samples)]
                cost = row.eflops if unit == "eflops" else row.cost_usd
                numbers = row.score, row.prompt_tokens, row.completion_tokens
                score, read, sampled = (np.nan if number is None else number for number in numbers)
                values[:, i, k, s] = row.correct, score, cost, read, sampled
        correct, score, cost = values[:3]
        tokens = None if np.isnan(values[3:]).any() else values[3:]
        return cls(name, ids, tuple(queries[q] for q in ids), configurations, correct, score, cost, samples, unit, tokens)

    @classmethod
    def read(cls, path: str | Path) -> OutcomeTable:
        """The table in a file.

        Raises:
            TableError: as `of` and `read_outcomes`.
        """
        return cls.of(read_outcomes(path), Path(path).name)

    charged = former_attribute("with_costs_of")

    def with_costs_of(self, full: OutcomeTable) -> OutcomeTable:
        """The same outcomes at the costs of another table, made of the same searches without early stopping.

        Plain samples, which nothing can stop, may be missing there.

        Raises:
            TableError: another unit of cost, or a search that is missing; names it.
        """
        if full.unit != self.unit:
            raise TableError(f"{self.name} gives its costs in {self.unit}, {full.name} in {full.unit}; give one unit")
        arms = {configuration: arm for arm, configuration in enumerate(full.configurations)}
        places = {query: place for place, query in enumerate(full.query_ids)}
        cost = self.cost.copy()
        lacking = [query for query in self.query_ids if query not in places]
        missing = [
            configuration for configuration in self.configurations if configuration not in arms and not configuration.plain
        ]
        if lacking or missing:
            what = f"query {lacking[0]!r}" if lacking else str(missing[0])
            raise TableError(f"{full.name} has no {what}, which {self.name} has; make it of the same questions and searches")
        rows = [places[query] for query in self.query_ids]
        for arm, configuration in enumerate(self.configurations):
            if configuration in arms:
                theirs = full.cost[rows, arms[configuration]]
                cost[:, arm] = theirs[:, np.arange(cost.shape[2]) % theirs.shape[1]]
        # Tokens are those of the searches that were stopped early.
        return replace(self, cost=cost, tokens=None)

    def only(self, configurations: Sequence[Configuration]) -> OutcomeTable:
        """The table of some of its configurations, in the order given.

        Raises:
            TableError: a configuration that the table does not have.
        """
        lacking = [configuration for configuration in configurations if configuration not in self.configurations]
        if lacking:
            raise TableError(f"{self.name} has no {lacking[0]}; it has {', '.join(map(str, self.configurations))}")
        arms = [self.configurations.index(configuration) for configuration in configurations]
        return replace(
            self,
            configurations=tuple(configurations),
            correct=self.correct[:, arms],
            score=self.score[:, arms],
            cost=self.cost[:, arms],
            samples=self.samples[:, arms],
            tokens=None if self.tokens is None else self.tokens[:, :, arms],
        )


def _unit(rows: Sequence[OutcomeRow], name: str) -> str:
    """What all rows give their cost in; eFLOPs where they give both."""
    for unit, costs in (("eflops", [row.eflops for row in rows]), ("usd", [row.cost_usd for row in rows])):
        if None not in costs:
            return unit
    first = next(row for row in rows if row.eflops is None or row.cost_usd is None)
    raise TableError(
        f"{name}: query {first.query_id!r} with {first.configuration} lacks a cost that other rows have; "
        "give `eflops` in every row, or `cost_usd` in every row"
    )
