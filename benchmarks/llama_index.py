"""`python -m benchmarks.llama_index [--json]`: UniScale inside LlamaIndex, against the same models without it.

- Learning, end to end: a query engine on `UniScaleLLM` over the embedded family answers held-out questions; an exact-match evaluator in a
  `FeedbackEvaluator` judges its responses. The share of every model among the first and the last quarter of the questions, and what a
  question earned; over several orders.
- Overhead: what a plain configuration adds to the inner LLM, which answers at once.
- Concurrency: how long 200 calls at once take on a model that takes a second, against the inner LLM alone.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from llama_index.core import Document, PromptTemplate, SummaryIndex
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata
from llama_index.core.base.response.schema import Response
from llama_index.core.llms.llm import LLM
from llama_index.llms.openai_like import OpenAILike
from openai import DefaultAsyncHttpxClient, DefaultHttpxClient

from benchmarks.concurrency import MANY, MODEL, AsyncCall, Call, Shape, concurrency
from benchmarks.frameworks import added, run, timed, timed_async
from uniscale_integrations.demo.application import Right
from uniscale_integrations.engine import UniScale
from uniscale_integrations.llama_index import FeedbackEvaluator, UniScaleLLM
from uniscale_integrations.llama_index.generator import as_generator
from uniscale_integrations.llama_index.instrumentation import IDS
from uniscale_integrations.log.events import DecisionEvent, Outcome
from uniscale_integrations.models.catalog import language_models, load_model
from uniscale_integrations.models.questions import questions
from uniscale_integrations.policy.targets import Mode
from uniscale_integrations.replay.experiment import interval
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.verifiers.load import load_prm

TEMPLATE = PromptTemplate("{query_str}")
"""Small models of sums have no use for documents."""


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
    run(__doc__ or "", 6, 240, learning, {"overhead": overhead, "concurrency": lambda: concurrency(slow_calls)})


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
    evaluator = FeedbackEvaluator(Right(asked), engine)
    earned, models = [], []
    for question in asked:
        response = queries.query(question.text)
        assert isinstance(response, Response)
        assert response.metadata is not None
        score = evaluator.evaluate_response(question.text, response).score
        events = [entry.event for entry in engine.log.of_decisions(response.metadata[IDS])]
        [outcome] = [event for event in events if isinstance(event, Outcome)]
        [decision] = [event for event in events if isinstance(event, DecisionEvent)]
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
    asked = [ChatMessage("What is 2 + 2?")]
    sync = timed(calls, lambda: inner.chat(asked), lambda: outer.chat(asked))
    return added(sync, timed_async(calls, lambda: inner.achat(asked), lambda: outer.achat(asked)))


def slow_calls(address: str, shape: Shape | None) -> tuple[Call, AsyncCall]:
    """A call of the real client, alone or with one configuration around it."""
    clients = {"http_client": DefaultHttpxClient(limits=MANY), "async_http_client": DefaultAsyncHttpxClient(limits=MANY)}
    inner = OpenAILike(MODEL, api_base=address, api_key="none", is_chat_model=True, max_retries=0, **clients)
    asked = [ChatMessage("What is 2 + 2?")]
    llm: LLM = inner
    if shape is not None:
        space = ConfigurationSpace([Configuration(MODEL, *shape)])
        llm = UniScaleLLM(engine=UniScale([as_generator(inner)], "agreement", space))
    return lambda: llm.chat(asked), lambda: llm.achat(asked)


if __name__ == "__main__":
    main()
