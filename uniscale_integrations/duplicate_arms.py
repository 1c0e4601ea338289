"""Configurations that run the same search, because a model only samples whole answers; of each lot one stands for all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from uniscale_integrations.space import Configuration


@dataclass(frozen=True, slots=True)
class DuplicateArms:
    """Tells which configurations coincide, where models cannot continue a partial answer.

    A step of such a model is its whole answer, so that a tree is one round of CP answers of which the best is kept, whatever the beam:

    - `(M,QP,CP,BS)` is `(M,QP,CP,1)`;
    - `(M,1,2,1)` gives the answer of `(M,2,1,1)`: of two answers the vote goes to the better one;
    - `(M,1,CP,1)` is `(M,CP,1,1)` where the verifier's scores are the share of candidates that agree, for then the best answer is the one
      that most of the votes are for. Where each answer is scored by itself, the best of N and the vote among N are not the same.

    Attributes:
        models: names of those that cannot continue a partial answer.
        compares: whether the verifier scores a candidate by comparing it with the others.

    Example:
        >>> arms = DuplicateArms(frozenset(["hosted"]), compares=True)
        >>> str(arms.canonical(Configuration("hosted", 1, 4, 2))), str(arms.canonical(Configuration("local", 1, 4, 2)))
        ('(hosted,4,1,1)', '(local,1,4,2)')
    """

    models: frozenset[str] = frozenset()
    compares: bool = False

    def canonical(self, configuration: Configuration) -> Configuration:
        """The plainest configuration that runs the same search."""
        if configuration.model not in self.models or configuration.cp == 1:
            return configuration
        qp, cp, _ = configuration.shape
        if qp == 1 and (self.compares or cp == 2):
            return replace(configuration, qp=cp, cp=1, bs=1)
        return replace(configuration, bs=1)

    def duplicates(self, space: Iterable[Configuration]) -> dict[Configuration, Configuration]:
        """Configurations of a space that another one stands for, with that: the canonical one, or the first of them where it is not there.

        Example:
            >>> space = [Configuration("hosted", *shape) for shape in ((1, 1, 1), (1, 4, 2), (4, 1, 1))]
            >>> {str(each): str(one) for each, one in DuplicateArms(frozenset(["hosted"]), compares=True).duplicates(space).items()}
            {'(hosted,1,4,2)': '(hosted,4,1,1)'}
        """
        if not self.models:
            return {}
        space = tuple(space)
        standing = self.standing(space)
        return {each: one for each in space if (one := standing[self.canonical(each)]) != each}

    def standing(self, space: Collection[Configuration]) -> Mapping[Configuration, Configuration]:
        """For each canonical configuration that a space has in one form or another, the one of the space that stands for all of them."""
        standing = {each: each for each in space if self.canonical(each) == each}
        for each in space:
            standing.setdefault(self.canonical(each), each)
        return standing

    def record(self) -> dict[str, object]:
        """As the log keeps it; empty where nothing coincides."""
        return {"whole answers": sorted(self.models), "compares": self.compares} if self.models else {}

    @classmethod
    def of(cls, record: Mapping[str, object]) -> DuplicateArms:
        """What `record` gave, among other things or not."""
        models = record.get("whole answers")
        return cls(
            frozenset(map(str, models)) if isinstance(models, (list, tuple)) else frozenset(), bool(record.get("compares"))
        )


NO_DUPLICATES = DuplicateArms()
"""Where every configuration runs a search of its own."""
