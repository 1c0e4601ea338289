"""What a policy chooses from, described by features that have names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.actions import ActionFeatures, doublings
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.rates import Rates
from uniscale_integrations.policy.schema import FeatureSchema
from uniscale_integrations.space import Configuration


@dataclass(frozen=True, slots=True, eq=False)
class Arms:
    """K configurations as a policy knows them before the first request.

    Attributes:
        configurations: K of them.
        features: of each, shape (K, m), float64; the first is 1 for all.
        names: of the m features.
        schema: of the features of questions.
        costs: `C~` that is expected of each, shape (K,).
        scored: whether scores can be observed at all.
        span: the natural logarithm of the costs' range, which `C~` 0 to 1 stands for; what was learned at other prices is converted by it.
        successors: names of models that begin with what is believed of another one, and that one's name.
        sizes: what made the features.
        rates: prices of each; by default those that `costs` tell.

    Raises:
        ConfigurationError: parts that do not fit together.

    Example:
        >>> arms = Arms.of([Configuration("small"), Configuration("large")], FeatureSchema(("bias", "characters")), [0.0, 1.0])
        >>> arms.names, len(arms)
        (('bias', 'model: small', 'model: large'), 2)
    """

    configurations: tuple[Configuration, ...]
    features: Array
    names: tuple[str, ...]
    schema: FeatureSchema
    costs: Array
    scored: bool = True
    span: float = 1.0
    successors: tuple[tuple[str, str], ...] = ()
    sizes: ActionFeatures | None = None
    rates: Rates = field(default=None)  # type: ignore[assignment]  # made of the costs

    def __post_init__(self) -> None:
        count = len(self.configurations)
        if not count or self.features.shape != (count, len(self.names)) or self.costs.shape != (count,):
            shapes = f"features {self.features.shape} with {len(self.names)} names, costs {self.costs.shape}"
            raise ConfigurationError(f"{count} configurations do not fit {shapes}")
        if self.rates is None:
            object.__setattr__(self, "rates", Rates.of_positions(self.costs, self.span))
        elif len(self.rates.paths) != count:
            raise ConfigurationError(f"{count} configurations do not fit rates of {len(self.rates.paths)}")

    @classmethod
    def of(
        cls,
        configurations: Sequence[Configuration],
        schema: FeatureSchema,
        costs: Sequence[float] | Array,
        *,
        features: ActionFeatures | None = None,
        scored: bool = True,
        span: float = 1.0,
        successors: Sequence[tuple[str, str]] = (),
        rates: Rates | None = None,
    ) -> Arms:
        """The arms of some configurations, with `ActionFeatures` of each."""
        rows, names = (features or ActionFeatures({})).with_names(configurations)
        return cls(
            tuple(configurations),
            rows,
            names,
            schema,
            np.asarray(costs, dtype=np.float64),
            scored,
            span,
            tuple(successors),
            features,
            rates,  # type: ignore[arg-type]  # made of the costs
        )

    def only(self, arms: Sequence[int]) -> Arms:
        """Some of them, by their numbers."""
        indices = list(arms)
        return self._with([self.configurations[arm] for arm in arms], self.costs[indices], self.rates.only(indices))

    def beside(self, others: Sequence[Configuration]) -> Arms:
        """These and some others, of which no cost in particular is expected."""
        costs = np.concatenate([self.costs, np.full(len(others), self.costs.mean())])
        return self._with([*self.configurations, *others], costs, self.rates.beside(len(others)))

    def _with(self, configurations: Sequence[Configuration], costs: Array, rates: Rates) -> Arms:
        settings = {
            "features": self.sizes,
            "scored": self.scored,
            "span": self.span,
            "successors": self.successors,
            "rates": rates,
        }
        return Arms.of(configurations, self.schema, costs, **settings)  # type: ignore[arg-type]  # of several types

    def __len__(self) -> int:
        return len(self.configurations)

    @property
    def models(self) -> tuple[str, ...]:
        """The models' names, each once, in the order of the configurations."""
        return tuple(dict.fromkeys(each.model for each in self.configurations))

    @property
    def model_of(self) -> tuple[int, ...]:
        """For each configuration the number of its model, K of them."""
        numbers = {name: number for number, name in enumerate(self.models)}
        return tuple(numbers[each.model] for each in self.configurations)

    @property
    def plain(self) -> NDArray[np.bool_]:
        """Whether each is one plain sample, shape (K,)."""
        return np.array([each.plain for each in self.configurations])

    @property
    def doublings(self) -> Array:
        """log2 of the paths that each samples, shape (K,)."""
        return doublings(self.configurations)
