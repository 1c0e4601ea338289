"""`python -m benchmarks.langchain [--json]`: UniScale inside LangChain, against the same models without it.

- Learning, end to end: a chain `prompt | UniScaleChatModel | parser` over the embedded family answers held-out questions; an exact-match
  evaluator sends its feedback by the run's id. What the last quarter of the questions earns, against the first, and against each model
  alone with plain samples on the same questions; over several orders.
- Streaming: the time until a search shows its first step, against the time until it has ended.
- Overhead: what a plain configuration adds to the inner model, which answers at once.
- Concurrency: many calls at once on a model that takes a second, against the inner model alone.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from statistics import fmean, median
from typing import Any
from uuid import uuid4

import numpy as np
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from openai import DefaultAsyncHttpxClient, DefaultHttpxClient
from pydantic import SecretStr

from benchmarks.concurrency import MANY, MODEL, AsyncCall, Call, Shape, concurrency
from benchmarks.frameworks import added, timed, timed_async
from benchmarks.frameworks import run as run_parts
from uniscale_integrations.engine import UniScale
from uniscale_integrations.engine.attribution import decisions_of
from uniscale_integrations.langchain import UniScaleChatModel
from uniscale_integrations.langchain.generator import as_generator
from uniscale_integrations.log.events import Outcome
from uniscale_integrations.models.catalog import language_models, load_model
from uniscale_integrations.models.questions import Question, questions
from uniscale_integrations.policy.targets import Mode
from uniscale_integrations.replay.experiment import interval
from uniscale_integrations.search.answers import extract_answer
from uniscale_integrations.search.ports import Generator, Sampling, Verifier
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import run
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.verifiers.load import load_prm

PROMPT = ChatPromptTemplate.from_messages([("system", "You solve small problems."), ("human", "{question}")])


@dataclass(frozen=True, slots=True)
class Learned:
    """What one order of questions earned, a question.

    Attributes:
        first: in its first quarter.
        last: in its last.
        alone: each model alone with plain samples, on the questions of the last quarter.
    """

    first: float
    last: float
    alone: Mapping[str, float]


def main() -> None:
    others = {"streaming": streaming, "overhead": overhead, "concurrency": lambda: concurrency(slow_calls)}
    run_parts(__doc__ or "", 8, 400, learning, others)


def learning(orders: Sequence[int], count: int, mode: Mode) -> dict[str, Any]:
    """How much more is earned at the end than at the beginning, and than by the best model alone; means and 95 % intervals."""
    runs = []
    for seed in orders:
        runs.append(learned(seed, count, mode))
        sys.stderr.write(f"order {seed}: {runs[-1]}\n")
    gained = np.array([run.last - run.first for run in runs])
    means = {name: fmean(run.alone[name] for run in runs) for name in runs[0].alone}
    best = max(means, key=lambda name: means[name])
    ahead = np.array([run.last - run.alone[best] for run in runs])
    return {
        "mode": mode,
        "orders": len(orders),
        "questions": count,
        "first": fmean(run.first for run in runs),
        "last": fmean(run.last for run in runs),
        "gained": float(gained.mean()),
        "gained_ci95": interval(gained),
        "alone": means,
        "best_alone": best,
        "ahead": float(ahead.mean()),
        "ahead_ci95": interval(ahead),
    }


def learned(seed: int, count: int, mode: Mode) -> Learned:
    """One order, by a fresh engine."""
    asked = random.Random(seed).sample(list(questions()), count)
    models, verifier = [load_model(name) for name in language_models()], load_prm()
    engine = UniScale(models, verifier, mode=mode, sampling=Sampling(seed=seed))
    chain: Runnable[Any, str] = PROMPT | UniScaleChatModel(engine=engine) | StrOutputParser()
    earned = [_earned(engine, chain, question) for question in asked]
    quarter = count // 4
    alone = {model.name: _alone(engine, model, verifier, asked[-quarter:], seed) for model in models}
    return Learned(fmean(earned[:quarter]), fmean(earned[-quarter:]), alone)


def _earned(engine: UniScale, chain: Runnable[Any, str], question: Question) -> float:
    """What the chain's answer to a question earned; its feedback goes by the id of the chain's run."""
    run_id = uuid4()
    right = _right(chain.invoke({"question": question.text}, {"run_id": run_id}), question)
    engine.feedback(run_id, right, source="exact match")
    entries = engine.log.of_decisions(decisions_of(run_id))
    [outcome] = [entry.event for entry in entries if isinstance(entry.event, Outcome)]
    return engine.reward(outcome, right)


def _alone(engine: UniScale, model: Generator, verifier: Verifier, asked: Sequence[Question], seed: int) -> float:
    """What plain samples of one model earn, a question."""
    earned = []
    for question in asked:
        answer = run(Request(question.text, Configuration(model.name), Sampling(seed=seed)), model, verifier)
        earned.append(engine.reward(answer, _right(answer.text, question)))
    return fmean(earned)


def _right(text: str, question: Question) -> float:
    return float(question.correct(extract_answer(text)))


def streaming(count: int = 20) -> dict[str, float]:
    """Seconds until the first step of a search is shown, and until it has ended; medians over questions."""
    engine = UniScale(space=ConfigurationSpace([Configuration("uniscale-3m", 1, 4, 2)]))
    model = UniScaleChatModel(engine=engine)
    first, whole = [], []
    for question in questions()[:: len(questions()) // count][:count]:
        began, shown = time.perf_counter(), 0.0
        for piece in model.stream(question.text):
            if piece.text and not shown:
                shown = time.perf_counter() - began
        first.append(shown)
        whole.append(time.perf_counter() - began)
    return {
        "first_step_s": median(first),
        "whole_s": median(whole),
        "share": median(a / b for a, b in zip(first, whole, strict=True)),
    }


def overhead(calls: int = 300) -> dict[str, float]:
    """Milliseconds of a call, alternating: of the inner model alone, and through a plain configuration; medians."""
    inner = GenericFakeChatModel(messages=repeat(AIMessage("Answer: 4")))
    engine = UniScale([as_generator(inner)], None, ConfigurationSpace([Configuration(inner._llm_type)]))
    outer = UniScaleChatModel(engine=engine)
    asked = "What is 2 + 2?"
    sync = timed(calls, lambda: inner.invoke(asked), lambda: outer.invoke(asked))
    return added(sync, timed_async(calls, lambda: inner.ainvoke(asked), lambda: outer.ainvoke(asked)))


def slow_calls(address: str, shape: Shape | None) -> tuple[Call, AsyncCall]:
    """The real client of a slow server, with connections of its own, alone or behind a `UniScaleChatModel` with one configuration."""
    inner = ChatOpenAI(
        model=MODEL,
        base_url=address,
        api_key=SecretStr("none"),
        max_retries=0,
        http_client=DefaultHttpxClient(limits=MANY),
        http_async_client=DefaultAsyncHttpxClient(limits=MANY),
    )
    model: Runnable[Any, Any] = inner
    if shape is not None:
        space = ConfigurationSpace([Configuration(MODEL, *shape)])
        model = UniScaleChatModel(engine=UniScale([inner], "agreement", space))
    return lambda: model.invoke("What is 2 + 2?"), lambda: model.ainvoke("What is 2 + 2?")


if __name__ == "__main__":
    main()
