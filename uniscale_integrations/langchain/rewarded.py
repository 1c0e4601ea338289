"""Evaluators as a part of a chain: what it answers is judged, and the judgement reaches the decisions behind it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID, uuid4

from langchain_core.runnables import Runnable, RunnableConfig, RunnableGenerator, RunnableLambda

from uniscale_integrations.engine import UniScale
from uniscale_integrations.engine.attribution import Credit
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.langchain.chat_model import UniScaleChatModel
from uniscale_integrations.langchain.pieces import Pieces, together

_log = logging.getLogger(__name__)

Evaluator = Callable[..., Any]
"""Judges an answer: takes some of `inputs`, `outputs` and `reference_outputs`; gives a mapping with `score` (and `key`, `comment`), a list
of those, or a number. `None`, or a score of `None`, is no opinion. May be asynchronous. Those of openevals and agentevals are such."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an evaluator said.

    Attributes:
        score: in [0, 1].
        key: what about.
        comment: free text.
    """

    score: float
    key: str
    comment: str = ""


def rewarded(
    chain: Runnable[Any, Any],
    evaluators: Sequence[Evaluator],
    engine: UniScale | UniScaleChatModel,
    *,
    reference: Callable[[Any], Any] | str | None = None,
    credit: Credit = "all",
) -> Runnable[Any, Any]:
    """A chain whose every answer is judged, and the engine told.

    It is called and streamed as the chain is, with the same further arguments, such as an agent's `stream_mode`; a streamed answer is
    judged when its last piece has been read. An evaluator that fails, or says nothing that can be learned from, costs nobody the answer:
    that is logged as an error.

    Args:
        chain: gives the answer.
        evaluators: see `Evaluator`.
        engine: whose decisions are judged; or a chat model that has it.
        reference: the right answer to an input: a function of it, or the name of its field; none by default.
        credit: who is judged where the chain took several decisions.

    Returns:
        a chain with the same answers.
    """
    if isinstance(engine, UniScaleChatModel):
        engine = cast(UniScale, engine.engine)
    if not isinstance(evaluators, Sequence) or not all(map(callable, evaluators)):
        raise ConfigurationError(f"evaluators must be a list of functions, got {evaluators!r:.80}")

    return _Rewarded(chain, _Jury(evaluators, engine, reference, credit))


@dataclass(frozen=True, slots=True)
class _Jury:
    """Who judges the answers of a chain, and who is told."""

    evaluators: Sequence[Evaluator]
    engine: UniScale
    reference: Callable[[Any], Any] | str | None
    credit: Credit

    def synchronous(self) -> None:
        """Refuse before anything is answered what only those who await can have judged."""
        for evaluator in self.evaluators:
            if _asynchronous(evaluator):
                raise ConfigurationError(f"the evaluator {_name(evaluator)} is asynchronous; use ainvoke or astream")

    def judge(self, run_id: UUID, given: Any, answer: Any) -> None:
        for evaluator in self.evaluators:
            with _answer_first(evaluator):
                said = _called(evaluator, given, answer, _reference(self.reference, given))
                for judged in judgements(evaluator, said):
                    self.engine.feedback(run_id, judged.score, **self._about(judged))

    async def ajudge(self, run_id: UUID, given: Any, answer: Any) -> None:
        for evaluator in self.evaluators:
            with _answer_first(evaluator):
                said = _called(evaluator, given, answer, _reference(self.reference, given))
                for judged in judgements(evaluator, await said if inspect.isawaitable(said) else said):
                    await self.engine.afeedback(run_id, judged.score, **self._about(judged))

    def _about(self, judged: Judgement) -> dict[str, Any]:
        """What else feedback says."""
        return {"source": judged.key, "key": judged.key, "comment": judged.comment, "credit": self.credit}


class _Rewarded(RunnableLambda[Any, Any]):
    """A chain and its jury."""

    def __init__(self, chain: Runnable[Any, Any], jury: _Jury) -> None:
        def invoke(given: Any, config: RunnableConfig, **kwargs: Any) -> Any:
            jury.synchronous()
            run_id = uuid4()
            answer = chain.invoke(given, {**config, "run_id": run_id}, **kwargs)
            jury.judge(run_id, given, answer)
            return answer

        async def ainvoke(given: Any, config: RunnableConfig, **kwargs: Any) -> Any:
            run_id = uuid4()
            answer = await chain.ainvoke(given, {**config, "run_id": run_id}, **kwargs)
            await jury.ajudge(run_id, given, answer)
            return answer

        def stream(inputs: Iterator[Any], config: RunnableConfig, **kwargs: Any) -> Iterator[Any]:
            jury.synchronous()
            run_id, given, pieces = uuid4(), together(inputs), Pieces(chain, kwargs)
            for piece in chain.stream(given, {**config, "run_id": run_id}, **pieces.arguments):
                yield from pieces.shown(piece)
            jury.judge(run_id, given, pieces.whole)

        async def astream(inputs: AsyncIterator[Any], config: RunnableConfig, **kwargs: Any) -> AsyncIterator[Any]:
            run_id, given, pieces = uuid4(), together([each async for each in inputs]), Pieces(chain, kwargs)
            async for piece in chain.astream(given, {**config, "run_id": run_id}, **pieces.arguments):
                for each in pieces.shown(piece):
                    yield each
            await jury.ajudge(run_id, given, pieces.whole)

        super().__init__(invoke, ainvoke, name="rewarded")
        # It hands on its configuration and further arguments, of which its own type says nothing.
        self._streams = RunnableGenerator[Any, Any](cast(Any, stream), cast(Any, astream), name="rewarded")

    def transform(self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Any]:  # noqa: A002
        yield from self._streams.transform(input, config, **kwargs)

    async def atransform(
        self,
        input: AsyncIterator[Any],  # noqa: A002
        config: RunnableConfig | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[Any]:
        async for piece in self._streams.atransform(input, config, **kwargs):
            yield piece


@contextmanager
def _answer_first(evaluator: Evaluator) -> Iterator[None]:
    """Logs what an evaluator failed with, which comes when the answer is already there."""
    try:
        yield
    except Exception:
        _log.exception("the evaluator %s failed; nothing is learned from it", _name(evaluator))


def learn_from(results: Iterable[Mapping[str, Any]], engine: UniScale, *, credit: Credit = "all") -> int:
    """Tell an engine what `langsmith.evaluate` found, also with `upload_results=False`.

    Args:
        results: its rows, each with a `run` and its `evaluation_results`.
        engine: whose decisions were judged.
        credit: as of `rewarded`.

    Returns:
        how many judgements were new.
    """
    new = 0
    for row in results:
        for result in row["evaluation_results"]["results"]:
            if result.score is not None:
                judged = Judgement(_score(result.score), result.key, result.comment or "")
                target = result.target_run_id or row["run"]
                new += engine.feedback(
                    target, judged.score, source=judged.key, key=judged.key, comment=judged.comment, credit=credit
                )
    return new


def judgements(evaluator: Evaluator, said: Any) -> list[Judgement]:
    """What an evaluator said, in one form; nothing where it has no opinion.

    Raises:
        ConfigurationError: something that is no judgement, or a score that is no number in [0, 1].
    """
    if isinstance(said, (list, tuple)):
        return [each for one in said for each in judgements(evaluator, one)]
    name = _name(evaluator)
    if said is None:
        return []
    if isinstance(said, Mapping):
        if "score" not in said:
            raise ConfigurationError(f"the evaluator {name} gave no `score`: {said!r:.80}")
        if said["score"] is None:
            return []
        return [Judgement(_score(said["score"]), str(said.get("key") or name), str(said.get("comment") or ""))]
    return [Judgement(_score(said), name)]


def _called(evaluator: Evaluator, given: Any, answer: Any, reference: Any) -> Any | Awaitable[Any]:
    """The evaluator with those of the three that it takes."""
    everything = {"inputs": given, "outputs": answer, "reference_outputs": reference}
    parameters = inspect.signature(evaluator).parameters
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return evaluator(**everything)
    return evaluator(**{name: value for name, value in everything.items() if name in parameters})


def _asynchronous(evaluator: Evaluator) -> bool:
    return inspect.iscoroutinefunction(evaluator) or inspect.iscoroutinefunction(type(evaluator).__call__)


def _reference(reference: Callable[[Any], Any] | str | None, given: Any) -> Any:
    if callable(reference):
        return reference(given)
    return None if reference is None else given[reference]


def _score(score: object) -> float:
    if not isinstance(score, (bool, int, float)):
        raise ConfigurationError(f"a score must be a number in [0, 1], or true or false, got {score!r}")
    return float(score)


def _name(evaluator: Evaluator) -> str:
    return str(getattr(evaluator, "__name__", type(evaluator).__name__))
