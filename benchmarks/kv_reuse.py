"""Generated tokens per second with kept caches, against `generate` on the full prefix at each step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.full_prefix import FullPrefixGenerator
from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.models.catalog import language_models, load_model
from uniscale_integrations.models.questions import questions
from uniscale_integrations.search.paths import Candidate, Expansion
from uniscale_integrations.search.ports import Generator, GeneratorSession, Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import run
from uniscale_integrations.space import Configuration
from uniscale_integrations.verifiers.load import load_prm
from uniscale_integrations.verifiers.prm import PRMVerifier


@dataclass
class Stopwatch:
    """Time and tokens of a generator's expansions, nothing else."""

    seconds: float = 0.0
    tokens: float = 0.0

    @property
    def rate(self) -> float:
        """Tokens per second."""
        return self.tokens / self.seconds


class Timed:
    """A generator whose sessions have a stopwatch around `expand`."""

    def __init__(self, generator: Generator, watch: Stopwatch) -> None:
        self.name = generator.name
        self._generator, self._watch = generator, watch

    def open(self, question: str, sampling: Sampling) -> GeneratorSession:
        return TimedSession(self._generator.open(question, sampling), self._watch)


class TimedSession:
    """A session with a stopwatch around `expand`."""

    def __init__(self, session: GeneratorSession, watch: Stopwatch) -> None:
        self._session, self._watch = session, watch
        self.together = session.together
        self.estimate, self.retain, self.close = session.estimate, session.retain, session.close

    @property
    def shared_usage(self) -> Usage:
        return self._session.shared_usage

    @property
    def notes(self) -> Sequence[str]:
        return self._session.notes

    async def expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        started = time.perf_counter()
        candidates = await self._session.expand(expansions)
        self._watch.seconds += time.perf_counter() - started
        self._watch.tokens += sum(c.usage.completion_tokens for group in candidates for c in group)
        return candidates


def measure(count: int = 12) -> dict[str, float]:
    """Search (1, 8, 4) with the largest embedded model both ways, question by question in turn."""
    model = load_model(language_models()[-1])
    verifier = load_prm()
    configuration = Configuration(model.name, 1, 8, 4)
    kept, full = Stopwatch(), Stopwatch()
    ways = ((Timed(model, kept), kept), (Timed(FullPrefixGenerator(model), full), full))
    # Level 4 questions have the longest solutions, where a prefix is worth keeping.
    chosen = [question for question in questions() if question.level >= 3][:count]
    for generator, watch in ways:
        _search(generator, verifier, chosen[0].text, configuration)
        watch.seconds = watch.tokens = 0.0
    for question in chosen:
        for generator, _ in ways:
            _search(generator, verifier, question.text, configuration)
    return {
        "kv_reuse_speedup": kept.rate / full.rate,
        "tokens_per_second": kept.rate,
        "tokens_per_second_full_prefix": full.rate,
    }


def _search(generator: Generator, verifier: PRMVerifier, question: str, configuration: Configuration) -> None:
    run(Request(question, configuration, early_stopping=False), generator, verifier)
