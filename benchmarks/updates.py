"""`python -m benchmarks.updates [--seconds N] [--rate N] [--json]`: models that come, go and change their price under load.

An engine over chat models of LangChain, which take a fiftieth of a second each, serves requests at a rate and is judged. A third model
comes, a price changes, and one goes, each by `engine.update` while requests go on. How many requests failed, the longest time in which the
event loop could do nothing else, and by how much the number of judgements of a model that stays has changed at an update.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from rich.console import Console

from uniscale_integrations import Model, UniScale

BEAT = 0.005
"""Seconds between two looks at the clock."""

PRICES = {"mini": (0.25, 2.0), "large": (1.25, 10.0)}


class Slow(BaseChatModel):
    """Answers after a fiftieth of a second."""

    model_name: str

    @property
    def _llm_type(self) -> str:
        return "slow"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        time.sleep(0.02)
        return _result()

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        await asyncio.sleep(0.02)
        return _result()


def _result() -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=AIMessage("2 + 2 = 4.\nAnswer: 4"))])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=12.0, help="how long requests come (default: 12)")
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second (default: 50)")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measured(Path(folder), given.seconds, given.rate))
    Console().print(found)
    if given.json:
        print(json.dumps(found))


async def measured(folder: Path, seconds: float, rate: float) -> Mapping[str, float]:
    """What the module's docstring says."""
    models = [Slow(model_name="mini"), Slow(model_name="large")]
    engine = UniScale(models, "agreement", prices=PRICES, log=f"sqlite:///{folder / 'log.db'}")
    gaps, failed, moved = list[float](), list[BaseException](), 0.0
    updates: list[dict[str, Any]] = [
        {"models": ["mini", "large", Model(Slow(model_name="third"), price=(0.5, 4.0), successor_of="mini")]},
        {"prices": {"large": (2.5, 20.0)}},
        {"models": ["large", "third"]},
    ]

    async def beat() -> None:
        before = time.perf_counter()
        while True:
            await asyncio.sleep(BEAT)
            gaps.append(time.perf_counter() - before - BEAT)
            before = time.perf_counter()

    async def ask(number: int) -> None:
        try:
            answer = await engine.arun(f"What is 2 + {number}?")
            await engine.afeedback(answer, float(number % 3 > 0))
        except Exception as error:
            failed.append(error)

    # What the first request imports late, some hundred milliseconds, is imported now.
    await engine.arun("What is 2 + 2?")
    beating = asyncio.create_task(beat())
    asked, number, began = set[asyncio.Task[None]](), 0, time.perf_counter()
    times = [seconds * share for share in (0.25, 0.5, 0.75)]
    while (now := time.perf_counter() - began) < seconds:
        if times and now >= times[0]:
            times.pop(0)
            before = judged(engine)
            await asyncio.to_thread(engine.update, **updates.pop(0))
            after = judged(engine)
            # Judgements go on while it is updated: none may be lost.
            moved = max(moved, *(before[name] - after[name] for name in after if name in before))
        task = asyncio.create_task(ask(number))
        asked.add(task)
        task.add_done_callback(asked.discard)
        number += 1
        await asyncio.sleep(max(0.0, number / rate - (time.perf_counter() - began)))
    await asyncio.gather(*asked)
    beating.cancel()
    engine.close()
    quiet = sorted(gaps)
    return {
        "requests": number,
        "failed": len(failed),
        "longest_gap_ms": 1e3 * quiet[-1],
        "gap_99_ms": 1e3 * float(np.quantile(quiet, 0.99)),
        "judgements_lost": moved,
    }


def judged(engine: UniScale) -> dict[str, float]:
    """How many answers of each configuration have been judged."""
    state = engine.state()
    return dict(zip(map(str, state["arms.configurations"]), state["told"].tolist(), strict=True))


if __name__ == "__main__":
    main()
