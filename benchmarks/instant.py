"""A model and a verifier that answer at once, for measuring what happens around them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from itertools import islice

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.search.paths import Candidate, Expansion, Path
from uniscale_integrations.search.ports import Sampling


async def generate(depth: int, index: int) -> str:
    """A model that answers at once, differently for every candidate."""
    return f"step {depth}.{index}\n"


async def verify(text: str) -> float:
    """A verifier that answers at once."""
    return (hash(text) % 1000) / 1000


class InstantGenerator:
    """`generate` behind the package's protocol; a path ends after `levels` steps.

    Args:
        levels: of a path.
        name: of the model.
        compute: FLOPs of a step.
        seconds: until a step is there.
    """

    together = False
    shared_usage = NOTHING
    notes: Sequence[str] = ()

    def __init__(self, levels: int = 1, name: str = "instant", compute: float = 0.0, seconds: float = 0.0) -> None:
        self.name = name
        self._levels, self._seconds = levels, seconds
        self._usage = Usage(compute=compute) if compute else NOTHING

    def plain_usage(self, prompt_tokens: int, answer_tokens: int) -> Usage:
        return self._usage

    def open(self, question: str, sampling: Sampling) -> InstantGenerator:
        return self

    def estimate(self, expansion: Expansion) -> Usage:
        return NOTHING

    def retain(self, paths: Collection[Path]) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is open."""

    async def expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        if self._seconds:
            await asyncio.sleep(self._seconds)
        calls = [generate(expansion.path.depth, index) for expansion in expansions for index in range(expansion.count)]
        texts = iter(await asyncio.gather(*calls) if len(calls) > 1 else [await calls[0]])
        return [self._candidates(expansion.path, islice(texts, expansion.count)) for expansion in expansions]

    def _candidates(self, path: Path, texts: Iterable[str]) -> list[Candidate]:
        final = path.depth + 1 >= self._levels
        return [Candidate((text,), final, self._usage) for text in texts]


class InstantVerifier:
    """`verify` behind the package's protocol."""

    name = "instant"
    upper = 1.0
    path_local = True
    shared_usage = NOTHING

    def open(self, question: str) -> InstantVerifier:
        return self

    def retain(self, paths: Collection[Path]) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is open."""

    async def score(self, items: Sequence[tuple[Path, Candidate]]) -> list[tuple[tuple[float, ...] | None, Usage]]:
        calls = [verify(candidate.steps[0]) for _, candidate in items]
        scores = await asyncio.gather(*calls) if len(calls) > 1 else [await calls[0]]
        return [((score,), NOTHING) for score in scores]
