"""An engine of two models that answer at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.instant import InstantGenerator, InstantVerifier
from tests.logged import learned
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.engine import UniScale
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.search.paths import Candidate, Expansion, Path
from uniscale_integrations.space import ConfigurationSpace

QUESTIONS = ("Who won the cup in 1998?", "Write a function that sorts a list of strings by their length.")


class Saying(InstantGenerator):
    """A model that says one thing, at a price, and fails where told to."""

    def __init__(self, name: str, compute: float, says: str = "Answer: 4", fails: bool = False) -> None:
        super().__init__(1, name, compute)
        self.compute, self.says, self.fails = compute, says, fails

    async def expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        if self.fails:
            raise RuntimeError("out of order")
        return [[Candidate((self.says,), True, Usage(compute=self.compute))] * expansion.count for expansion in expansions]


class Half(InstantVerifier):
    """A verifier that gives everything a half."""

    name = "half"

    async def score(self, items: Sequence[tuple[Path, Candidate]]) -> list[tuple[tuple[float, ...] | None, Usage]]:
        return [((0.5,), NOTHING) for _ in items]


def engine(
    *, log: str | EventStore = "sqlite://", shapes: Sequence[tuple[int, int, int]] = ((1, 1, 1),), **changes: object
) -> UniScale:
    models = [Saying("small", 1e6, "Answer: 4"), Saying("large", 1e8, "Answer: 5")]
    space = ConfigurationSpace.default(["small", "large"], shapes)
    # What these tests look at is what a policy that decides once has learned.
    return UniScale(models, Half(), space, log=log, **{"rounds": 1} | changes)  # type: ignore[arg-type]


def state(made: UniScale) -> list[np.ndarray]:
    components = learned(made).components
    arrays = [array for ridge in (components.correctness_head, components.score_head) for array in (ridge.matrix, ridge.sums)]
    return [*arrays, learned(made)._average]
