"""Configurations `(M, QP, CP, BS)` and the finite space of them that a policy chooses from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from uniscale_integrations.errors import ConfigurationError


@dataclass(frozen=True, slots=True, order=True)
class Configuration:
    """One action: a base model and how much test-time search it gets (UniScale, arXiv 2605.30898, section 3).

    Attributes:
        model: name of the base model, M.
        qp: question parallelism, independent trees on the same question.
        cp: candidate parallelism, next steps sampled for each kept path at each depth.
        bs: beam size, paths kept per tree after each depth.

    Raises:
        ConfigurationError: a number below 1, or a beam larger than the candidates it selects from.

    Example:
        >>> Configuration("small", qp=2, cp=4, bs=2)
        Configuration(model='small', qp=2, cp=4, bs=2)
        >>> Configuration("small").plain
        True
        >>> Configuration("small", cp=2, bs=4)
        Traceback (most recent call last):
        uniscale_integrations.errors.ConfigurationError: BS=4 is larger than the CP=2 candidates it selects from; raise CP or lower BS
    """

    model: str
    qp: int = 1
    cp: int = 1
    bs: int = 1

    def __post_init__(self) -> None:
        if not self.model:
            raise ConfigurationError("a configuration needs a model name, got an empty one")
        for name, value in (("QP", self.qp), ("CP", self.cp), ("BS", self.bs)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigurationError(f"{name} must be a whole number of at least 1, got {value!r}")
        if self.bs > self.cp:
            raise ConfigurationError(
                f"BS={self.bs} is larger than the CP={self.cp} candidates it selects from; raise CP or lower BS"
            )

    @property
    def plain(self) -> bool:
        """Whether this is one plain sample, `(M, 1, 1, 1)`."""
        return self.qp == self.cp == self.bs == 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """`(QP, CP, BS)`, the search without its model."""
        return self.qp, self.cp, self.bs

    @property
    def most_paths(self) -> int:
        """Candidates sampled at one depth when every tree is full: `QP * CP * BS`."""
        return self.qp * self.cp * self.bs

    def __str__(self) -> str:
        return f"({self.model},{self.qp},{self.cp},{self.bs})"


DEFAULT_SHAPES: tuple[tuple[int, int, int], ...] = (
    (1, 1, 1),
    (2, 1, 1),
    (4, 1, 1),
    (8, 1, 1),
    (1, 4, 1),
    (1, 4, 2),
    (2, 4, 2),
    (4, 8, 4),
)
"""The handful of searches per model that a space has by default."""


class ConfigurationSpace(Sequence[Configuration]):
    """The UIS space: an ordered finite set of configurations.

    Example:
        >>> space = ConfigurationSpace.default(["small", "large"])
        >>> len(space), str(space[0]), str(space[-1])
        (16, '(small,1,1,1)', '(large,4,8,4)')
        >>> [str(c) for c in space.routing_only()]
        ['(small,1,1,1)', '(large,1,1,1)']
    """

    def __init__(self, configurations: Iterable[Configuration]) -> None:
        self._configurations = tuple(dict.fromkeys(configurations))
        if not self._configurations:
            raise ConfigurationError("a configuration space needs at least one configuration")

    @classmethod
    def default(cls, models: Iterable[str], shapes: Iterable[tuple[int, int, int]] = DEFAULT_SHAPES) -> ConfigurationSpace:
        """Every model with every shape `(QP, CP, BS)`."""
        shapes = tuple(shapes)
        return cls(Configuration(model, *shape) for model in models for shape in shapes)

    def routing_only(self) -> ConfigurationSpace:
        """The sub-space of plain samples: which model, never how much search."""
        return ConfigurationSpace(c for c in self if c.plain)

    def tts_only(self, model: str) -> ConfigurationSpace:
        """The sub-space of one model: how much search, never which model."""
        return ConfigurationSpace(c for c in self if c.model == model)

    @property
    def models(self) -> tuple[str, ...]:
        """Model names in order of first appearance."""
        return tuple(dict.fromkeys(c.model for c in self))

    def __len__(self) -> int:
        return len(self._configurations)

    def __iter__(self) -> Iterator[Configuration]:
        return iter(self._configurations)

    @overload
    def __getitem__(self, index: int) -> Configuration: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Configuration, ...]: ...

    def __getitem__(self, index: int | slice) -> Configuration | tuple[Configuration, ...]:
        return self._configurations[index]

    def __repr__(self) -> str:
        return f"ConfigurationSpace({', '.join(map(str, self))})"
