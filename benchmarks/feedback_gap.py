"""`python -m benchmarks.feedback_gap [--seconds N] [--answers N] [--json]`: evaluators on an event loop while the log is locked.

Another connection holds the write lock of the SQLite log for some seconds. Meanwhile a chain of LangChain is asked and judged by
`with_feedback(...).ainvoke`, and responses of LlamaIndex are judged by `FeedbackEvaluator(...).aevaluate_response`; each begins before
the one before it has ended. What is reported is the longest time in which the event loop could do nothing else, with the lock and without
it, and how many judgements were in the log afterwards. On a machine that does other things too the run without the lock says what is
theirs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from langchain_core.prompts import ChatPromptTemplate
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.base.response.schema import Response
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.evaluation import BaseEvaluator, EvaluationResult
from llama_index.core.prompts.mixin import PromptDictType
from rich.console import Console

from benchmarks.updates import PRICES, Slow
from uniscale_integrations import UniScale
from uniscale_integrations.langchain import UniScaleChatModel, with_feedback
from uniscale_integrations.llama_index import FeedbackEvaluator, UniScaleLLM

BEAT = 0.002
"""Seconds between two looks at the clock."""

SPACING = 0.05
"""Seconds after which another answer is asked for or judged."""

Work = Callable[[int], Awaitable[object]]
"""Asks for an answer, or has one judged, by its number."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long the log is locked (default: 3)")
    parser.add_argument("--answers", type=int, default=8, help="how many each framework judges meanwhile (default: 8)")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measured(Path(folder), given.seconds, given.answers))
    Console().print(found)
    if given.json:
        print(json.dumps(found))


class Short(BaseEvaluator):
    """Says whether a response is short."""

    async def aevaluate(
        self, query: str | None = None, response: str | None = None, contexts: Sequence[str] | None = None, **kwargs: Any
    ) -> EvaluationResult:
        return EvaluationResult(score=float(len(response or "") < 80))

    def _get_prompts(self) -> PromptDictType:
        return {}

    def _update_prompts(self, prompts: PromptDictType) -> None:
        """It has none."""


async def measured(folder: Path, seconds: float, answers: int) -> dict[str, dict[str, float]]:
    """What the module's docstring says."""
    file = folder / "log.db"
    engine = UniScale(
        [Slow(model_name="mini"), Slow(model_name="large")], "agreement", prices=PRICES, log=f"sqlite:///{file}", mode=[0, 0, 1]
    )
    prompt = ChatPromptTemplate.from_messages([("human", "{question}")])
    chain = with_feedback(prompt | UniScaleChatModel(engine=engine), [lambda outputs: 1.0], engine)
    llm = UniScaleLLM(engine=engine)
    index = VectorStoreIndex.from_documents([Document(text="2 + 2 is 4.")], embed_model=MockEmbedding(embed_dim=4))
    query_engine, evaluator = index.as_query_engine(llm=llm), FeedbackEvaluator(Short(), llm)

    async def respond(number: int) -> Response:
        found = await query_engine.aquery(f"What is 2 + {number}?")
        assert isinstance(found, Response)
        return found

    async def ask(number: int) -> object:
        return await chain.ainvoke({"question": f"What is 2 + {number}?"})

    # What is imported and compiled once is no part of it.
    await ask(0)
    await evaluator.aevaluate_response(response=await respond(0))
    found: dict[str, dict[str, float]] = {}
    for name, locked in (("unlocked", 0.0), ("locked", seconds)):
        responses = [await respond(number) for number in range(answers)]

        async def judge(number: int, responses: Sequence[Response] = responses) -> object:
            return await evaluator.aevaluate_response(response=responses[number])

        works: dict[str, Work] = {"langchain": ask, "llama_index": judge}
        for framework, work in works.items():
            before = engine.log.counts()["feedback"]
            row = await watched(file, locked, work, answers)
            found[f"{framework}, {name}"] = row | {"judged": float(engine.log.counts()["feedback"] - before)}
    engine.close()
    return found


async def watched(file: Path, locked: float, work: Work, count: int) -> dict[str, float]:
    """Some of a work, begun while the log is locked; how long they took, and the gaps of the event loop meanwhile."""
    gaps = list[float]()

    async def later(number: int) -> None:
        await asyncio.sleep(SPACING * number)
        await work(number)

    with lock(file, locked):
        began = time.perf_counter()
        async with beating(gaps):
            await asyncio.gather(*map(later, range(count)))
        took = time.perf_counter() - began
    return {"seconds": round(took, 3), "longest_gap_ms": round(1e3 * max(gaps), 2), "ticks": float(len(gaps))}


@asynccontextmanager
async def beating(gaps: list[float]) -> AsyncIterator[None]:
    """Notes by how much every tick of the event loop is late, in seconds."""

    async def beat() -> None:
        before = time.perf_counter()
        while True:
            await asyncio.sleep(BEAT)
            now = time.perf_counter()
            gaps.append(now - before - BEAT)
            before = now

    task = asyncio.create_task(beat())
    await asyncio.sleep(5 * BEAT)
    try:
        yield
    finally:
        await asyncio.sleep(5 * BEAT)
        task.cancel()


@contextmanager
def lock(file: Path, seconds: float) -> Iterator[None]:
    """The write lock of a database, held by another connection for so long; not at all for 0."""
    if not seconds:
        yield
        return
    taken = Event()

    def hold() -> None:
        connection = sqlite3.connect(file, isolation_level=None, timeout=30.0)
        connection.execute("BEGIN IMMEDIATE")
        taken.set()
        time.sleep(seconds)
        connection.execute("ROLLBACK")
        connection.close()

    thread = Thread(target=hold)
    thread.start()
    taken.wait()
    yield
    thread.join()


if __name__ == "__main__":
    main()
