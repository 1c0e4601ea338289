"""Names of the features of a question, so that what was logged with other features can still be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.kernels import Array


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """Names of n features, the first of which is 1 for every question; a feature that another schema lacks is 0 in it.

    A feature whose meaning changes gets another name.

    Attributes:
        names: n of them, all different.
        kinds: those that say what kind of question it is; of the others less is expected.

    Raises:
        ConfigurationError: no name, or one that stands twice.

    Example:
        >>> new, old = FeatureSchema(("bias", "length", "digits")), FeatureSchema(("bias", "digits"))
        >>> new.read(old, (1.0, 0.5)).tolist()
        [1.0, 0.0, 0.5]
    """

    names: tuple[str, ...]
    kinds: frozenset[str] = field(default=frozenset())

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) < len(self.names):
            raise ConfigurationError(f"features need names, each its own, got {self.names!r:.200}")

    def __len__(self) -> int:
        return len(self.names)

    @property
    def is_kind(self) -> tuple[bool, ...]:
        """For each feature after the first whether it is a kind."""
        return tuple(name in self.kinds for name in self.names[1:])

    def read(self, other: FeatureSchema, values: Sequence[float]) -> Array:
        """Features of another schema in this one's order, shape (n,); what the other lacks is 0.

        Raises:
            ConfigurationError: not as many values as the other schema has names.
        """
        if len(values) != len(other.names):
            raise ConfigurationError(f"{len(values)} features do not fit the {len(other.names)} names of their schema")
        value_of = dict(zip(other.names, values, strict=True))
        return np.array([value_of.get(name, 0.0) for name in self.names])
