"""`python -m benchmarks.llama_index [--json]`: UniScale inside LlamaIndex, against the same models without it.

- Learning, end to end: a query engine on `UniScaleLLM` over the embedded family answers held-out questions; an exact-match evaluator in a
  `FeedbackEvaluator` judges its responses. The share of every model among the first and the last quarter of the questions, and what a
  question earned; over several orders.
- Overhead: what a plain configuration adds to the inner LLM, which answers at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import numpy as np
from llama_index.core import Document, PromptTemplate, SummaryIndex
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata
from llama_index.core.base.response.schema import Response
from llama_index.core.evaluation import BaseEvaluator, EvaluationResult
from llama_index.core.llms.llm import LLM

from uniscale_integrations.engine import UniScale
from uniscale_integrations.llama_index import FeedbackEvaluator, UniScaleLLM
from uniscale_integrations.llama_index.instrumentation import IDS
from uniscale_integrations.llama_index.llm import as_generator
from uniscale_integrations.log.events import Decision, Outcome
from uniscale_integrations.models.catalog import language_models, load_model
from uniscale_integrations.models.questions import Question, questions
from uniscale_integrations.policy.objective import Mode
from uniscale_integrations.replay.experiment import interval
from uniscale_integrations.search.answers import extract_answer
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.verifiers.load import load_prm

TEMPLATE = PromptTemplate("{query_str}")
"""Small models of sums have no use for documents."""


class ExactMatch(BaseEvaluator):
    """Whether a response gives a question's answer."""

    def __init__(self, asked: Sequence[Question]) -> None:
        self._asked = {question.text: question for question in asked}

    async def aevaluate(
        self, query: str | None = None, response: str | None = None, contexts: Sequence[str] | None = None, **kwargs: Any
    ) -> EvaluationResult:
        right = self._asked[query or ""].correct(extract_answer(response or ""))
        return EvaluationResult(query=query, response=response, passing=right, score=float(right))

    def _get_prompts(self) -> dict[str, Any]:
        return {}

    def _update_prompts(self, prompts: Any) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Learned:
    """What one order of questions earned, a question, and whom it asked.

    Attributes:
        first: in its first quarter.
        last: in its last.
        shares: of each model among the first quarter's configurations, and the last's.
    """

    first: float
    last: float
    shares: Mapping[str, tuple[float, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=6)
    parser.add_argument("--questions", type=int, default=240)
    parser.add_argument("--mode", default="balanced", help="a mode's name, or three weights")
    parser.add_argument("--first", type=int, default=0, help="the first order, for runs in parts")
    parser.add_argument("--parts", nargs="+", default=["learning", "overhead"])
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    found: dict[str, Any] = {}
    if "learning" in arguments.parts:
        found["learning"] = learning(range(arguments.first, arguments.first + arguments.orders), arguments.questions, _mode(arguments.mode))
    if "overhead" in arguments.parts:
        found["overhead"] = overhead()
    for part, figures in found.items():
        sys.stdout.write(f"{part}: {json.dumps(figures)}\n")
    if arguments.json:
        sys.stdout.write(json.dumps(found) + "\n")


def _mode(said: str) -> Mode:
    """A mode, or the weights of correctness, score and cheapness."""
    if "," not in said:
        return said
    return tuple(map(float, said.split(",")))


def learning(orders: Sequence[int], count: int, mode: Mode) -> dict[str, Any]:
    """How much more is earned at the end than at the beginning, and how the shares of the models move; means and 95 % intervals."""
    runs = []
    for seed in orders:
        runs.append(learned(seed, count, mode))
        sys.stderr.write(f"order {seed}: {runs[-1]}\n")
    gained = np.array([run.last - run.first for run in runs])
    moved = {name: np.array([run.shares[name][1] - run.shares[name][0] for run in runs]) for name in runs[0].shares}
    return {
        "mode": mode,
        "orders": len(orders),
        "questions": count,
        "first": fmean(run.first for run in runs),
        "last": fmean(run.last for run in runs),
        "gained": float(gained.mean()),
        "gained_ci95": interval(gained),
        "share_first": {name: fmean(run.shares[name][0] for run in runs) for name in moved},
        "share_last": {name: fmean(run.shares[name][1] for run in runs) for name in moved},
        "share_moved_ci95": {name: interval(by) for name, by in moved.items()},
    }


def learned(seed: int, count: int, mode: Mode) -> Learned:
    """One order, by a fresh engine."""
    asked = random.Random(seed).sample(list(questions()), count)
    engine = UniScale([load_model(name) for name in language_models()], load_prm(), mode=mode, sampling=Sampling(seed=seed))
    index = SummaryIndex.from_documents([Document(text="Nothing of use.")])
    queries = index.as_query_engine(llm=UniScaleLLM(engine=engine), text_qa_template=TEMPLATE)
    evaluator = FeedbackEvaluator(ExactMatch(asked), engine)
    earned, models = [], []
    for question in asked:
        response = queries.query(question.text)
        assert isinstance(response, Response)
        assert response.metadata is not None
        score = evaluator.evaluate_response(question.text, response).score
        events = [entry.event for entry in engine.log.of_decisions(response.metadata[IDS])]
        [outcome] = [event for event in events if isinstance(event, Outcome)]
        [decision] = [event for event in events if isinstance(event, Decision)]
        earned.append(engine.reward(outcome, score or 0.0))
        models.append(decision.configuration.model)
    quarter = count // 4
    first, last = Counter(models[:quarter]), Counter(models[-quarter:])
    shares = {name: (first[name] / quarter, last[name] / quarter) for name in engine.models}
    return Learned(fmean(earned[:quarter]), fmean(earned[-quarter:]), shares)


class Instant(LLM):
    """Answers at once."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="instant", is_chat_model=True)

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return ChatResponse(message=ChatMessage(role="assistant", content="Answer: 4"))

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return self.chat(messages)

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text="Answer: 4")

    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return self.complete(prompt)

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        raise NotImplementedError

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        raise NotImplementedError

    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError


def overhead(calls: int = 300) -> dict[str, float]:
    """Milliseconds of a call, alternating: of the inner LLM alone, and through a plain configuration; medians."""
    inner = Instant()
    outer = UniScaleLLM(engine=UniScale([as_generator(inner)], None, ConfigurationSpace([Configuration("instant")])))
    figures: dict[str, float] = {}
    for name, timed in (("sync", _timed), ("async", _timed_async)):
        alone, through = timed(inner, outer, calls)
        figures |= {f"{name}_inner_ms": alone, f"{name}_ms": through, f"{name}_added_ms": through - alone}
    return figures


ASKED = [ChatMessage("What is 2 + 2?")]


def _timed(inner: LLM, outer: LLM, calls: int) -> tuple[float, float]:
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(calls):
        for llm, taken in zip((inner, outer), times, strict=True):
            began = time.perf_counter()
            llm.chat(ASKED)
            taken.append(time.perf_counter() - began)
    return 1e3 * median(times[0]), 1e3 * median(times[1])


def _timed_async(inner: LLM, outer: LLM, calls: int) -> tuple[float, float]:
    async def work() -> tuple[float, float]:
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(calls):
            for llm, taken in zip((inner, outer), times, strict=True):
                began = time.perf_counter()
                await llm.achat(ASKED)
                taken.append(time.perf_counter() - began)
        return 1e3 * median(times[0]), 1e3 * median(times[1])

    return asyncio.run(work())


if __name__ == "__main__":
    main()
