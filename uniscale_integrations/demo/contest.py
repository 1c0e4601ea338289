"""The contestants: the engine behind an application, each model alone, and engines that may only route or only search."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from uniscale_integrations.demo.application import Application
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import SearchFailed
from uniscale_integrations.log.events import DecisionEvent, Outcome
from uniscale_integrations.models.questions import Question
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.answers import extract_answer
from uniscale_integrations.search.ports import Generator, Sampling, Verifier
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import arun
from uniscale_integrations.space import Configuration, ConfigurationSpace

QUERY_ENGINE_SHARE = 4
"""Every so many questions one goes through the query engine, the others through the chain."""

AT_ONCE = 8
"""Questions that are under way at the same time, as an application's would be; models of this process serve them in shared batches."""

MAX_CONCURRENCY = 24
"""Likewise of those from which nothing is learned on the way."""

ALONE = " alone"


@dataclass(frozen=True, slots=True)
class Result:
    """One answered question.

    Attributes:
        configuration: what answered.
        right: whether the answer is right.
        reward: what it earned.
        cost: what it took, in eFLOPs or dollars.
        framework: through which it was asked, if through one.
        failed: why there is no answer, where there is none.
        cut_off: whether a limit ended the answer, not its model.
    """

    configuration: Configuration
    right: bool
    reward: float
    cost: float
    framework: str = ""
    failed: str = ""
    cut_off: bool = False


@dataclass(slots=True)
class Tally:
    """What a contestant has done so far.

    Attributes:
        name: of the contestant.
        results: in the order of the questions.
    """

    name: str
    results: list[Result] = field(default_factory=list)

    @property
    def model(self) -> str | None:
        """The model that was asked alone; `None` of other contestants."""
        return self.name.removesuffix(ALONE) if self.name.endswith(ALONE) else None

    def mean(self, of: str, last: int | None = None) -> float:
        """The mean of `right`, `reward` or `cost`, of the last so many or of all."""
        part = self.results[-last:] if last else self.results
        return sum(float(getattr(result, of)) for result in part) / len(part) if part else 0.0


class Contestant(Protocol):
    """Answers questions."""

    @property
    def name(self) -> str:
        """As it is called in tables."""
        ...

    async def answer(self, questions: Sequence[Question], first: int) -> list[Result]:
        """Answer some questions, of which the first is so many-th of all."""
        ...


class Behind:
    """The engine behind an application.

    Args:
        engine: decides and learns.
        questions: all questions.
    """

    name = "UniScale"

    def __init__(self, engine: UniScale, questions: Sequence[Question]) -> None:
        self._engine, self._application = engine, Application(engine, questions)

    async def answer(self, questions: Sequence[Question], first: int) -> list[Result]:
        places = {question.id: first + place for place, question in enumerate(questions)}

        async def one(question: Question) -> Result:
            queried = places[question.id] % QUERY_ENGINE_SHARE == QUERY_ENGINE_SHARE - 1
            ask = self._application.by_query_engine if queried else self._application.by_chain
            try:
                text, decision = await ask(question)
            except Exception as error:
                # Frameworks are given the provider's own error, which was raised for the search's.
                about = (error, error.__cause__, error.__context__)
                failed = next((each for each in about if isinstance(each, SearchFailed)), None)
                if failed is None:
                    raise
                return _nothing(self._engine, self._engine.space[0], failed)
            return self._result(question, text, decision, "LlamaIndex" if queried else "LangChain")

        return await _together(one, questions, AT_ONCE)

    def _result(self, question: Question, text: str, decision: str, framework: str) -> Result:
        right = question.correct(extract_answer(text))
        events = [entry.event for entry in self._engine.log.of_decisions([decision])]
        [decision_event] = [event for event in events if isinstance(event, DecisionEvent)]
        [outcome] = [event for event in events if isinstance(event, Outcome)]
        reward = self._engine.reward(outcome, float(right))
        return Result(decision_event.configuration, right, reward, self._engine.cost(outcome), framework)


class Alone:
    """One model, asked once.

    Args:
        engine: whose scale the rewards are on.
        model: the model.
        verifier: scores its answers.
        sampling: how to draw.
    """

    def __init__(self, engine: UniScale, model: Generator, verifier: Verifier | None, sampling: Sampling) -> None:
        self.name = f"{model.name}{ALONE}"
        self._engine, self._model, self._verifier, self._sampling = engine, model, verifier, sampling

    async def answer(self, questions: Sequence[Question], first: int) -> list[Result]:
        configuration = Configuration(self._model.name)

        async def one(question: Question) -> Result:
            request = Request(question.text, configuration, self._sampling)
            try:
                answer = await arun(request, self._model, self._verifier)
            except SearchFailed as error:
                return _nothing(self._engine, configuration, error)
            return _result(self._engine, question, answer)

        return await _together(one, questions, MAX_CONCURRENCY)


class RestrictedEngine:
    """An engine that learns as the other does, and may choose less.

    Args:
        name: as it is called.
        engine: the other, whose scale the rewards are on.
        space: what it may choose.
        models: of the space.
        verifier: scores the answers.
        sampling: how to draw.
    """

    def __init__(
        self,
        name: str,
        engine: UniScale,
        space: ConfigurationSpace,
        models: Sequence[Generator],
        verifier: Verifier | None,
        sampling: Sampling,
    ) -> None:
        self.name = name
        self._engine = engine
        self._own = UniScale(models, verifier, space, engine.objective, sampling=sampling)

    async def answer(self, questions: Sequence[Question], first: int) -> list[Result]:
        async def one(question: Question) -> Result:
            try:
                answer = await self._own.arun(question.text)
            except SearchFailed as error:
                return _nothing(self._engine, self._own.space[0], error)
            result = _result(self._engine, question, answer)
            assert answer.decision_id is not None
            self._own.feedback(answer.decision_id, float(result.right), source="exact match")
            return result

        return await _together(one, questions, AT_ONCE)


async def _together(
    one: Callable[[Question], Coroutine[Any, Any, Result]], questions: Sequence[Question], at_once: int
) -> list[Result]:
    """The results of questions, so many at the same time."""
    gate = asyncio.Semaphore(at_once)

    async def with_limit(question: Question) -> Result:
        async with gate:
            return await one(question)

    return await asyncio.gather(*map(with_limit, questions))


def _result(engine: UniScale, question: Question, answer: Answer) -> Result:
    right = question.correct(answer.answer)
    reward, cost = engine.reward(answer, float(right)), engine.cost(answer)
    return Result(answer.configuration, right, reward, cost, cut_off=answer.finish_reason == "length")


def _nothing(engine: UniScale, configuration: Configuration, error: SearchFailed) -> Result:
    """What a question is worth to which nothing was said."""
    outcome = Outcome("", 0.0, *error.usage)
    return Result(configuration, False, engine.reward(outcome, 0.0), engine.cost(outcome), failed=str(error))


def others(engine: UniScale, verifier: Verifier | None, sampling: Sampling) -> Iterator[Contestant]:
    """What else could be done with an engine's models: each alone, only routing between them, only searching with the last one."""
    brain = engine.brain
    models = list(brain.models.values())
    for model in models:
        yield Alone(engine, model, verifier, sampling)
    if len(models) > 1:
        plain = brain.space.routing_only()
        yield RestrictedEngine("only routing", engine, plain, models, verifier, sampling)
    searches = ConfigurationSpace(each for each in brain.space if each.model == models[-1].name)
    yield RestrictedEngine(f"only searching, {models[-1].name}", engine, searches, models[-1:], verifier, sampling)
