"""What was learned of some configurations, as it is of others: models that come, go, succeed one another or change their price.

A ridge head that has learned from observations `x` holds `A = R + D`, with the prior `R` and the data `D = sum x x^T`, and `b = sum r x`. A
coefficient that the new configurations do not have is taken out as a marginal of the posterior (Schur complement), so that what was learned
of the others together with it stays; the features that they have are linear in the old ones, `x' = T x`, so that `D' = T D T^T` and
`b' = T b`; and a coefficient that the old ones did not have begins at its prior. The result is what learning the same observations anew
would have given, but for the observations of what is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.lapack import dpotrf
from scipy.sparse import csr_array

from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.space import Configuration

WIDENING = 0.25
"""What is known of a model counts for its successor only by this share, so that it is tried."""


@dataclass(frozen=True, slots=True, eq=False)
class ArmsDescription:
    """What the coefficients of a learned state are of.

    Attributes:
        configurations: K of them, as text.
        models: of each.
        features: shape (K, m).
        names: of the m features.
        query: names of the n features of a question.
        span: as of `Arms`.
        own: whether each configuration has an indicator of its own.
    """

    configurations: tuple[str, ...]
    models: tuple[str, ...]
    features: Array
    names: tuple[str, ...]
    query: tuple[str, ...]
    span: float
    own: bool

    @classmethod
    def of(cls, arms: Arms, *, own: bool) -> ArmsDescription:
        """Of arms."""
        models = tuple(each.model for each in arms.configurations)
        names = tuple(map(key, arms.configurations))
        return cls(names, models, arms.features, arms.names, arms.schema.names, arms.span, own)

    @classmethod
    def read(cls, state: Mapping[str, NDArray[Any]]) -> ArmsDescription | None:
        """Out of a state; `None` of one that does not say."""
        if "arms.configurations" not in state:
            return None
        texts = [tuple(map(str, state[f"arms.{name}"])) for name in ("configurations", "models", "names", "query")]
        configurations, models, names, query = texts
        features = np.asarray(state["arms.features"], dtype=np.float64)
        return cls(configurations, models, features, names, query, float(state["arms.span"]), bool(state["arms.own"]))

    def state(self) -> dict[str, NDArray[Any]]:
        """As arrays."""
        texts = {"configurations": self.configurations, "models": self.models, "names": self.names, "query": self.query}
        arrays: dict[str, NDArray[Any]] = {f"arms.{name}": np.array(value, dtype=np.str_) for name, value in texts.items()}
        return arrays | {"arms.features": self.features.copy(), "arms.span": np.array(self.span), "arms.own": np.array(self.own)}

    def same(self, other: ArmsDescription) -> bool:
        """Whether coefficients of one are those of the other."""
        mine, theirs = ((each.configurations, each.names, each.query, each.own) for each in (self, other))
        return mine == theirs and np.array_equal(self.features, other.features)

    @property
    def dim(self) -> int:
        """How many coefficients there are."""
        return len(self.names) * len(self.query) + (len(self.configurations) if self.own else 0)


def key(configuration: Configuration) -> str:
    """A configuration as text, in which no two are alike."""
    return "|".join(map(str, (*configuration.shape, configuration.model)))


def configuration_of(name: str) -> Configuration:
    """The configuration that a `key` is of."""
    qp, cp, bs, model = name.split("|", 3)
    return Configuration(model, int(qp), int(cp), int(bs))


@dataclass(frozen=True, slots=True, eq=False)
class Transfer:
    """From the coefficients of some configurations to those of others.

    Args:
        old: what was learned.
        new: what is to be.
    """

    old: ArmsDescription
    new: ArmsDescription

    def head(self, matrix: Array, sums: Array, ridge: Array, weight: float, precision: Array) -> tuple[Array, Array]:
        """`A` and `b` of a head over the new coefficients.

        Args:
            matrix: the old `A`, shape (d, d).
            sums: the old `b`, shape (targets, d).
            ridge: the old prior precisions, shape (d,).
            weight: of the prior in the old `A`.
            precision: the new prior precisions, shape (d',).
        """
        # Where x = P x', A is P A' P^T, and the inverse of P is 2 I - P.
        back = csr_array(2.0 * np.eye(self.old.dim) - self._rewriting())
        matrix, sums = _turned(back, matrix), (back @ sums.T).T
        stays = self._common_places()
        rest = np.setdiff1d(np.arange(self.old.dim), stays)
        data, moments = matrix[np.ix_(stays, stays)].copy(), sums[:, stays].copy()
        if len(rest):
            across = matrix[np.ix_(stays, rest)]
            solution = np.linalg.solve(matrix[np.ix_(rest, rest)], np.concatenate([across.T, sums[:, rest].T], axis=1))
            data -= across @ solution[:, : len(stays)]
            moments -= (across @ solution[:, len(stays) :]).T
        data[np.diag_indices(len(stays))] -= weight * ridge[stays]
        rotation = csr_array(self._turn()[:, stays])
        precision_matrix = _turned(rotation, data) + np.diag(precision)
        if not _at_least(precision_matrix, 0.1 * float(precision.min())):
            # What was rewritten is less sure than the prior, and stands in several new coefficients: as much is known of it as nothing.
            values, directions = np.linalg.eigh(data)
            data = (directions * np.maximum(values, 0.0)) @ directions.T
            precision_matrix = _turned(rotation, data) + np.diag(precision)
        return (precision_matrix + precision_matrix.T) / 2.0, (rotation @ moments.T).T

    def per_arm(self, values: NDArray[Any]) -> NDArray[Any]:
        """Numbers of each old configuration, shape (K,), as of each new one; 0 for one that was not there."""
        places = {name: place for place, name in enumerate(self.old.configurations)}
        return np.array([values[places[name]] if name in places else 0 for name in self.new.configurations], dtype=values.dtype)

    def per_model(self, values: Array) -> Array:
        """Numbers of each old model, shape (models, ...), likewise."""
        places = {name: place for place, name in enumerate(dict.fromkeys(self.old.models))}
        none = np.zeros(values.shape[1:])
        return np.array([values[places[name]] if name in places else none for name in dict.fromkeys(self.new.models)])

    def arm(self, old: int) -> int | None:
        """The new number of an old configuration; `None` where it is gone."""
        name = self.old.configurations[old]
        return self.new.configurations.index(name) if name in self.new.configurations else None

    def _common_places(self) -> NDArray[np.int64]:
        """The old coefficients that the new configurations have too, or that theirs are made of."""
        grid = _product(self._stays, [name in self.new.query for name in self.old.query])
        own = [name in self.new.configurations and self.new.own for name in self.old.configurations] if self.old.own else []
        places: NDArray[np.int64] = np.flatnonzero([*grid, *own])
        return places

    @property
    def _stays(self) -> list[bool]:
        """For each old feature whether the new configurations have it."""
        return [name in self.new.names and (name != SIZE or self._affine_in(SIZE) is not None) for name in self.old.names]

    def _rewriting(self) -> Array:
        """`P` of `x = P x'`, shape (d, d): what goes, though it is not 0 for those that stay, is said by what stays.

        So where only searches of four paths are left, what their number was worth belongs to all; and where each model has one
        configuration left, what that had of its own belongs to the model. What they are believed to be worth stays the same.
        """
        _, before = self._common_arms
        matrix, n = np.eye(self.old.dim), len(self.old.query)
        stays = np.flatnonzero(self._stays)
        if not len(before) or not len(stays):
            return matrix
        rows = self.old.features[before]
        for place in np.flatnonzero(~np.array(self._stays)):
            if (coefficients := _combination(rows[:, stays], rows[:, place])) is not None:
                for query in range(n):
                    matrix[place * n + query, stays * n + query] = coefficients
        if self.old.own and not self.new.own:
            for at, arm in enumerate(before):
                if (coefficients := _combination(rows[:, stays], np.eye(len(before))[at])) is not None:
                    matrix[len(self.old.names) * n + arm, stays * n] = coefficients
        return matrix

    @property
    def _common_arms(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Configurations that are in both, by their new and by their old numbers."""
        places = {name: place for place, name in enumerate(self.old.configurations)}
        pairs_in_both = [(place, places[name]) for place, name in enumerate(self.new.configurations) if name in places]
        pairs = np.array(pairs_in_both, dtype=np.int64).reshape(-1, 2)
        return pairs[:, 0], pairs[:, 1]

    def _turn(self) -> Array:
        """`T`, shape (d', d)."""
        features, query = self._features(), _selection(self.new.query, self.old.query)
        rows, columns = self.new.dim, self.old.dim
        turn = np.zeros((rows, columns))
        product = np.kron(features, query)
        turn[: product.shape[0], : product.shape[1]] = product
        if self.new.own and self.old.own:
            turn[product.shape[0] :, product.shape[1] :] = _selection(self.new.configurations, self.old.configurations)
        elif self.new.own:
            # Where every configuration had a model of its own, the model's code was its indicator.
            for place, name in enumerate(self.old.configurations):
                code = f"model: {self.old.models[place]}"
                if name in self.new.configurations and code in self.old.names:
                    turn[
                        product.shape[0] + self.new.configurations.index(name), self.old.names.index(code) * len(self.old.query)
                    ] = 1.0
        return turn

    def _features(self) -> Array:
        """How the new features of configurations that were there already depend on their old ones, shape (m', m)."""
        matrix = _selection(self.new.names, self.old.names)
        now, _ = self._common_arms
        for place, name in enumerate(self.new.names):
            if name in self.old.names:
                row = self._affine_in(name)
                matrix[place] = 0.0 if row is None else row
            elif len(now) and np.ptp(column := self.new.features[now, place]) == 0:
                # It told nothing of them, and was left out.
                matrix[place, 0] = column[0]
        return matrix

    def _affine_in(self, name: str) -> Array | None:
        """The row of a feature whose scale may depend on what else there is, such as a model's size; `None` where it is another one."""
        now, before = self._common_arms
        place = self.old.names.index(name)
        row = np.zeros(len(self.old.names))
        row[place] = 1.0
        if name not in self.new.names or not len(now):
            return row
        new, old = self.new.features[now, self.new.names.index(name)], self.old.features[before, place]
        if np.ptp(old) > 0:
            row[place] = (new[old.argmax()] - new[old.argmin()]) / np.ptp(old)
        row[0] += float(new[0] - row[place] * old[0])
        return row if np.allclose(row[place] * old + row[0], new) or place == 0 else None


SIZE = "size"
"""The feature of models whose scale depends on the others."""


def with_successors(
    matrix: Array, sums: Array, precision: Array, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]
) -> tuple[Array, Array]:
    """`A` and `b` with some coefficients beginning where others are, less sure of it.

    Args:
        matrix: `A`, shape (d, d).
        sums: `b`, shape (targets, d).
        precision: prior precisions, shape (d,).
        pairs: places of the coefficients of the successor and, one for one, of its predecessor.
    """
    before, identity = cho_factor(matrix), np.eye(len(matrix))
    solved = [cho_solve(before, identity[:, ancestors]) for _, ancestors in pairs]
    theta = [sums @ columns for columns in solved]
    matrix, sums = matrix.copy(), sums.copy()
    for (heirs, ancestors), columns, own in zip(pairs, solved, theta, strict=True):
        heir, ancestor = np.array(heirs), np.array(ancestors)
        covariance = np.linalg.inv(columns[ancestor])
        # Beside what the prior says anyway.
        beyond = WIDENING * (covariance - np.diag(precision[ancestor]))
        block = np.diag(precision[heir]) + (beyond + beyond.T) / 2.0
        matrix[np.ix_(heir, heir)] = block
        sums[:, heir] = own @ block
    return matrix, sums


def _turned(turn: csr_array[np.float64], matrix: Array) -> Array:
    """`T M T^T` of a symmetric matrix, shape (d', d'); of many coefficients each is made of few, so that T is nearly all 0."""
    result: Array = turn @ (turn @ matrix).T
    return result


def _at_least(matrix: Array, value: float) -> bool:
    """Whether all eigenvalues of a symmetric matrix are above a value: Cholesky tells in a fraction of the time that they take."""
    _, failed = dpotrf(matrix - value * np.eye(len(matrix)), lower=1)
    return bool(failed == 0)


def _combination(rows: Array, values: Array) -> Array | None:
    """Coefficients by which rows, shape (k, m), make these values, shape (k,); `None` where they are 0 anyway, or where none do."""
    if not values.any():
        return None
    coefficients = np.asarray(np.linalg.lstsq(rows, values, rcond=None)[0], dtype=np.float64)
    return coefficients if np.allclose(rows @ coefficients, values) else None


def _product(left: Sequence[bool], right: Sequence[bool]) -> list[bool]:
    return [one and other for one in left for other in right]


def _selection(new: Sequence[str], old: Sequence[str]) -> Array:
    """A row for each new name with a 1 at the old one that it is, shape (new, old)."""
    places = {name: place for place, name in enumerate(old)}
    matrix = np.zeros((len(new), len(old)))
    for row, name in enumerate(new):
        if name in places:
            matrix[row, places[name]] = 1.0
    return matrix
