"""Evaluators in a chain: the scores of its answers reach the decisions behind them as feedback."""

from __future__ import annotations

import inspect
import logging
import warnings
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
from uniscale_integrations.langchain.pieces import Pieces, sum_of_pieces
from uniscale_integrations.langchain.run_ledger import install
from uniscale_integrations.log.events import plain

_log = logging.getLogger(__name__)

Evaluator = Callable[..., Any]
"""Judges an answer: takes some of `inputs`, `outputs` and `reference_outputs`; gives a mapping with `score` (and `key`, `comment`), a list
of those, or a number. `None`, or a score of `None`, is no opinion. May be asynchronous. Those of openevals and agentevals are such."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The output of an evaluator.

    Attributes:
        score: in [0, 1].
        key: what about.
        comment: free text.
    """

    score: float
    key: str
    comment: str = ""


def with_feedback(
    chain: Runnable[Any, Any],
    evaluators: Sequence[Evaluator],
    engine: UniScale | UniScaleChatModel,
    *,
    reference: Callable[[Any], Any] | str | None = None,
    credit: Credit = "all",
) -> Runnable[Any, Any]:
    """A chain whose every answer is evaluated, with the scores as feedback to the engine.

    It is called and streamed as the chain is, with the same further arguments, such as an agent's `stream_mode`; a streamed answer is
    evaluated when its last piece has been read. The answer is returned even if an evaluator fails or gives no usable score; that is logged
    as an error.

    Args:
        chain: gives the answer.
        evaluators: see `Evaluator`.
        engine: whose decisions the scores are about; or a chat model that has it.
        reference: the right answer to an input: a function of it, or the name of its field; none by default.
        credit: which decisions are credited where the chain took several.

    Returns:
        a chain with the same answers.
    """
    if isinstance(engine, UniScaleChatModel):
        engine = cast(UniScale, engine.engine)
    if not isinstance(evaluators, Sequence) or not all(map(callable, evaluators)):
        raise ConfigurationError(f"evaluators must be a list of functions, got {evaluators!r:.80}")
    # Feedback is given on the run of the chain.
    install()
    return _ChainWithFeedback(chain, _Jury(evaluators, engine, reference, credit))


@dataclass(frozen=True, slots=True)
class _Jury:
    """The evaluators of a chain, and the engine that is given their scores."""

    evaluators: Sequence[Evaluator]
    engine: UniScale
    reference: Callable[[Any], Any] | str | None
    credit: Credit

    def check_synchronous(self) -> None:
        """Refuse asynchronous evaluators before anything is answered."""
        for evaluator in self.evaluators:
            if _asynchronous(evaluator):
                raise ConfigurationError(f"the evaluator {_name(evaluator)} is asynchronous; use ainvoke or astream")

    def judge(self, run_id: UUID, inputs: Any, answer: Any) -> None:
        for evaluator in self.evaluators:
            with _error_log(evaluator):
                output = _call(evaluator, inputs, answer, _reference(self.reference, inputs))
                for judgement in judgements(evaluator, output):
                    self.engine.feedback(run_id, judgement.score, **self._details(judgement))

    async def ajudge(self, run_id: UUID, inputs: Any, answer: Any) -> None:
        for evaluator in self.evaluators:
            with _error_log(evaluator):
                output = _call(evaluator, inputs, answer, _reference(self.reference, inputs))
                for judgement in judgements(evaluator, await output if inspect.isawaitable(output) else output):
                    await self.engine.afeedback(run_id, judgement.score, **self._details(judgement))

    def _details(self, judgement: Judgement) -> dict[str, Any]:
        """Source, key, comment and credit of the feedback."""
        return {"source": judgement.key, "key": judgement.key, "comment": judgement.comment, "credit": self.credit}


class _ChainWithFeedback(RunnableLambda[Any, Any]):
    """A chain and its jury."""

    def __init__(self, chain: Runnable[Any, Any], jury: _Jury) -> None:
        def invoke(inputs: Any, config: RunnableConfig, **kwargs: Any) -> Any:
            jury.check_synchronous()
            run_id = uuid4()
            answer = chain.invoke(inputs, {**config, "run_id": run_id}, **kwargs)
            jury.judge(run_id, inputs, answer)
            return answer

        async def ainvoke(inputs: Any, config: RunnableConfig, **kwargs: Any) -> Any:
            run_id = uuid4()
            answer = await chain.ainvoke(inputs, {**config, "run_id": run_id}, **kwargs)
            await jury.ajudge(run_id, inputs, answer)
            return answer

        def stream(input_pieces: Iterator[Any], config: RunnableConfig, **kwargs: Any) -> Iterator[Any]:
            jury.check_synchronous()
            run_id, inputs, pieces = uuid4(), sum_of_pieces(input_pieces), Pieces(chain, kwargs)
            for piece in chain.stream(inputs, {**config, "run_id": run_id}, **pieces.arguments):
                yield from pieces.visible(piece)
            jury.judge(run_id, inputs, pieces.whole)

        async def astream(input_pieces: AsyncIterator[Any], config: RunnableConfig, **kwargs: Any) -> AsyncIterator[Any]:
            run_id, pieces = uuid4(), Pieces(chain, kwargs)
            inputs = sum_of_pieces([each async for each in input_pieces])
            async for piece in chain.astream(inputs, {**config, "run_id": run_id}, **pieces.arguments):
                for each in pieces.visible(piece):
                    yield each
            await jury.ajudge(run_id, inputs, pieces.whole)

        super().__init__(invoke, ainvoke, name="with_feedback")
        # It hands on its configuration and further arguments, of which its own type says nothing.
        self._streams = RunnableGenerator[Any, Any](cast(Any, stream), cast(Any, astream), name="with_feedback")

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
def _error_log(evaluator: Evaluator) -> Iterator[None]:
    """Logs the failure of an evaluator: the answer is already there."""
    try:
        yield
    except Exception:
        _log.exception("the evaluator %s failed; nothing is learned from it", _name(evaluator))


def ingest_langsmith_results(results: Iterable[Mapping[str, Any]], engine: UniScale, *, credit: Credit = "all") -> int:
    """Give the scores of `langsmith.evaluate` to an engine as feedback, also with `upload_results=False`.

    Args:
        results: its rows, each with a `run` and its `evaluation_results`.
        engine: whose decisions the scores are about.
        credit: as of `with_feedback`.

    Returns:
        how many scores were new.
    """
    new = 0
    for row in results:
        for result in row["evaluation_results"]["results"]:
            if result.score is not None:
                target, comment = result.target_run_id or row["run"], result.comment or ""
                new += engine.feedback(
                    target, _score(result.score), source=result.key, key=result.key, comment=comment, credit=credit
                )
    return new


def rewarded(*args: Any, **kwargs: Any) -> Runnable[Any, Any]:
    """Deprecated alias of `with_feedback`."""
    warnings.warn("rewarded is now with_feedback", DeprecationWarning, stacklevel=2)
    return with_feedback(*args, **kwargs)


def learn_from(*args: Any, **kwargs: Any) -> int:
    """Deprecated alias of `ingest_langsmith_results`."""
    warnings.warn("learn_from is now ingest_langsmith_results", DeprecationWarning, stacklevel=2)
    return ingest_langsmith_results(*args, **kwargs)


def judgements(evaluator: Evaluator, output: Any) -> list[Judgement]:
    """The output of an evaluator in one form; empty where it has no opinion.

    Raises:
        ConfigurationError: something that is no judgement, or a score that is no number in [0, 1].
    """
    if isinstance(output, (list, tuple)):
        return [each for one in output for each in judgements(evaluator, one)]
    name = _name(evaluator)
    if output is None:
        return []
    if isinstance(output, Mapping):
        if "score" not in output:
            raise ConfigurationError(f"the evaluator {name} gave no `score`: {output!r:.80}")
        if output["score"] is None:
            return []
        return [Judgement(_score(output["score"]), str(output.get("key") or name), str(output.get("comment") or ""))]
    return [Judgement(_score(output), name)]


def _call(evaluator: Evaluator, inputs: Any, answer: Any, reference: Any) -> Any | Awaitable[Any]:
    """The evaluator with those of the three arguments that it takes."""
    arguments = {"inputs": inputs, "outputs": answer, "reference_outputs": reference}
    parameters = inspect.signature(evaluator).parameters
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
        return evaluator(**arguments)
    return evaluator(**{name: value for name, value in arguments.items() if name in parameters})


def _asynchronous(evaluator: Evaluator) -> bool:
    return inspect.iscoroutinefunction(evaluator) or inspect.iscoroutinefunction(type(evaluator).__call__)


def _reference(reference: Callable[[Any], Any] | str | None, inputs: Any) -> Any:
    if callable(reference):
        return reference(inputs)
    return None if reference is None else inputs[reference]


def _score(score: object) -> float:
    score = plain(score)
    if not isinstance(score, (bool, int, float)):
        raise ConfigurationError(f"a score must be a number in [0, 1], or true or false, got {score!r}")
    return float(score)


def _name(evaluator: Evaluator) -> str:
    return str(getattr(evaluator, "__name__", type(evaluator).__name__))
