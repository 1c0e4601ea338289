"""What orchestration costs per model call, with a generator and a verifier that answer at once.

Three ways of doing the same work in one run: this package, a bare asyncio loop, and its-hub where it is installed. Every candidate is one
generator call and one verifier call, each a coroutine of its own. They take turns in blocks of several runs, as a process that serves
requests would run one of them.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.instant import InstantGenerator, InstantVerifier, generate, verify
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import arun
from uniscale_integrations.space import Configuration

KEPT, EACH, LEVELS, BEST_OF = 2, 4, 10, 8
ROUNDS, BLOCK = 40, 10


async def bare_beam() -> int:
    """The loop that a person would write for beam search; returns its model calls."""
    beam: list[list[str]] = [[]]
    calls = 0
    for depth in range(LEVELS):
        texts = await asyncio.gather(*(generate(depth, index) for _ in beam for index in range(EACH)))
        paths = [[*path, texts[i * EACH + j]] for i, path in enumerate(beam) for j in range(EACH)]
        scores = await asyncio.gather(*(verify(path[-1]) for path in paths))
        order = sorted(range(len(paths)), key=lambda i: -scores[i])
        beam = [paths[i] for i in order[:KEPT]]
        calls += 2 * len(paths)
    return calls


async def bare_best_of() -> int:
    """The loop that a person would write for best-of-N; returns its model calls."""
    texts = await asyncio.gather(*(generate(0, index) for index in range(BEST_OF)))
    scores = await asyncio.gather(*(verify(text) for text in texts))
    max(range(BEST_OF), key=lambda i: scores[i])
    return 2 * BEST_OF


async def our_beam() -> int:
    """The same beam search through this package."""
    request = Request("q", Configuration("instant", 1, EACH, KEPT), Sampling(max_steps=LEVELS), early_stopping=False)
    answer = await arun(request, InstantGenerator(LEVELS), InstantVerifier())
    return 2 * len(answer.paths)


async def our_best_of() -> int:
    """The same best-of-N through this package."""
    request = Request("q", Configuration("instant", BEST_OF), schedule="lockstep")
    answer = await arun(request, InstantGenerator(1), InstantVerifier())
    return 2 * len(answer.paths)


def _its_hub() -> dict[str, Callable[[], Awaitable[int]]]:
    """Beam search and best-of-N by its-hub over the same two coroutines; empty where it is not installed."""
    try:
        from its_hub.api import AbstractLanguageModel, AbstractOutcomeRewardModel, AbstractProcessRewardModel
        from its_hub.core.algorithms.beam_search import BeamSearch
        from its_hub.core.algorithms.bon import BestOfN
        from its_hub.core.lms.step_generation import StepGeneration
    except ImportError:
        return {}
    counted = {"calls": 0}

    class LanguageModel(AbstractLanguageModel):  # type: ignore[misc]
        async def agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            many = isinstance(messages, list) and bool(messages) and isinstance(messages[0], list)
            rows = messages if many else [messages]
            counted["calls"] += len(rows)
            texts = await asyncio.gather(*(generate(0, index) for index in range(len(rows))))
            answers = [{"role": "assistant", "content": text} for text in texts]
            return answers if many else answers[0]

        async def agenerate_single(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            counted["calls"] += 1
            return {"role": "assistant", "content": await generate(0, counted["calls"])}

    class StepReward(AbstractProcessRewardModel):  # type: ignore[misc]
        async def ascore(self, prompt: Any, texts: Any) -> Any:
            rows = texts if isinstance(texts, list) else [texts]
            counted["calls"] += len(rows)
            scores = await asyncio.gather(*(verify(row) for row in rows))
            return scores if isinstance(texts, list) else scores[0]

        def score(self, prompt: Any, texts: Any) -> Any:
            return asyncio.run(self.ascore(prompt, texts))

    class OutcomeReward(AbstractOutcomeRewardModel):  # type: ignore[misc]
        async def ascore(self, conversations: Any, orchestrator: Any = None) -> Any:
            counted["calls"] += len(conversations)
            return await asyncio.gather(*(verify(row[-1].content) for row in conversations))

        def score(self, conversations: Any, orchestrator: Any = None) -> Any:
            return asyncio.run(self.ascore(conversations, orchestrator))

    # A path of theirs stops once it holds max_steps steps before the new one.
    beam = BeamSearch(StepGeneration(max_steps=LEVELS - 1, step_token="\n"), StepReward(), beam_width=KEPT)
    best = BestOfN(OutcomeReward())

    async def their_beam() -> int:
        counted["calls"] = 0
        await beam.ainfer(LanguageModel(), "q", budget=KEPT * EACH)
        return counted["calls"]

    async def their_best_of() -> int:
        counted["calls"] = 0
        await best.ainfer(LanguageModel(), "q", budget=BEST_OF)
        return counted["calls"]

    return {"beam": their_beam, "best_of": their_best_of}


async def _block(work: Callable[[], Awaitable[int]]) -> tuple[list[float], int]:
    """Seconds of several runs in a row; the first, which finds the processor's caches as another contender left them, is left out."""
    seconds: list[float] = []
    calls = 0
    for _ in range(BLOCK + 1):
        started = time.perf_counter()
        calls = await work()
        seconds.append(time.perf_counter() - started)
    return seconds[1:], calls


async def _measure() -> dict[str, Any]:
    contenders: dict[str, dict[str, Callable[[], Awaitable[int]]]] = {
        "uniscale": {"beam": our_beam, "best_of": our_best_of},
        "bare asyncio": {"beam": bare_beam, "best_of": bare_best_of},
    }
    theirs = _its_hub()
    if theirs:
        contenders["its-hub"] = theirs
    seconds: dict[tuple[str, str], list[float]] = {}
    per_call: dict[tuple[str, str], list[float]] = {}
    for round_number in range(ROUNDS + 2):
        for name, works in contenders.items():
            for kind, work in works.items():
                took, calls = await _block(work)
                if round_number >= 2:
                    seconds.setdefault((name, kind), []).extend(took)
                    per_call.setdefault((name, kind), []).extend(each / calls for each in took)
    return {
        "overhead_us_per_call": {
            kind: {name: 1e6 * statistics.median(per_call[name, kind]) for name in contenders} for kind in ("beam", "best_of")
        },
        "best_of_8_ms": {name: 1e3 * statistics.median(seconds[name, "best_of"]) for name in contenders},
    }


def measure() -> dict[str, Any]:
    """Microseconds per model call of all contenders, interleaved in one run; medians."""
    result = asyncio.run(_measure())
    for kind, figures in result["overhead_us_per_call"].items():
        result[f"overhead_ratio_{kind}"] = figures["uniscale"] / figures["bare asyncio"]
    return result
