"""What an action looks like: a configuration's model and search, as the features `a` of the product `a (x) q`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2

import numpy as np

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.space import Configuration


def doublings(configurations: Sequence[Configuration]) -> Array:
    """log2 of the paths that each configuration samples at a depth, shape (K,).

    Example:
        >>> doublings([Configuration("small"), Configuration("small", 2, 4, 2)]).tolist()
        [0.0, 4.0]
    """
    return np.log2([configuration.most_paths for configuration in configurations])


@dataclass(frozen=True, slots=True)
class ActionFeatures:
    """Features of configurations.

    `[1, size, log QP, log CP, log BS, one code per model]`, where size is the logarithm of a model's parameters or price, centred and
    scaled over the models; the rest in powers of two, halved. What all actions have in common is learned from all of them, what is
    a model's own from that model. Amounts that are the same for all configurations tell nothing and are left out.

    Attributes:
        sizes: parameters or price of each model by name, above 0; models that are not named are taken to be of middling size.

    Example:
        >>> features = ActionFeatures({"small": 1e6, "large": 4e6})
        >>> features([Configuration("small"), Configuration("large", 4, 2, 1)]).tolist()
        [[1.0, -1.0, 0.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.5, 0.0, 1.0]]
    """

    sizes: Mapping[str, float]

    def __call__(self, configurations: Sequence[Configuration]) -> Array:
        """Features of each configuration, shape (K, m)."""
        return self.with_names(configurations)[0]

    def with_names(self, configurations: Sequence[Configuration]) -> tuple[Array, tuple[str, ...]]:
        """Features of each configuration, shape (K, m), and the names of the m."""
        models = tuple(dict.fromkeys(configuration.model for configuration in configurations))
        size = dict(zip(models, self._sizes(models), strict=True))
        rows = np.zeros((len(configurations), 5 + len(models)))
        for row, configuration in zip(rows, configurations, strict=True):
            row[:2] = 1.0, size[configuration.model]
            row[2:5] = [log2(number) / 2 for number in configuration.shape]
            row[5 + models.index(configuration.model)] = 1.0
        told = np.ptp(rows, axis=0) > 0
        told[0] = told[5:] = True
        names = ("bias", "size", "log QP", "log CP", "log BS", *(f"model: {model}" for model in models))
        return rows[:, told], tuple(name for name, tells in zip(names, told, strict=True) if tells)

    def _sizes(self, models: Sequence[str]) -> Array:
        sizes = {model: self.sizes[model] for model in models if model in self.sizes}
        for model, size in sizes.items():
            if not 0.0 < size < float("inf"):
                raise ConfigurationError(f"the size of model {model!r} must be a finite number above 0, got {size!r}")
        logs = np.log([sizes[model] for model in sizes] or [1.0])
        middle, spread = float(logs.mean()), float(logs.std()) or 1.0
        return np.array([(np.log(sizes[model]) - middle) / spread if model in sizes else 0.0 for model in models])
