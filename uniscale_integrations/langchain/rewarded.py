"""Evaluators as a part of a chain: what it answers is judged, and the judgement reaches the decisions behind it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID, uuid4

from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda

from uniscale_integrations.attribution import Credit
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.langchain.chat_model import UniScaleChatModel

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

    An evaluator that fails, or says nothing that can be learned from, costs nobody the answer: that is logged as an error.

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

    def judge(given: Any, config: RunnableConfig) -> Any:
        for evaluator in evaluators:
            if _asynchronous(evaluator):
                raise ConfigurationError(f"the evaluator {_name(evaluator)} is asynchronous; use ainvoke")
        run_id = uuid4()
        answer = chain.invoke(given, {**config, "run_id": run_id})
        for evaluator in evaluators:
            with _answer_first(evaluator):
                _tell(engine, run_id, evaluator, _called(evaluator, given, answer, _reference(reference, given)), credit)
        return answer

    async def ajudge(given: Any, config: RunnableConfig) -> Any:
        run_id = uuid4()
        answer = await chain.ainvoke(given, {**config, "run_id": run_id})
        for evaluator in evaluators:
            with _answer_first(evaluator):
                said = _called(evaluator, given, answer, _reference(reference, given))
                _tell(engine, run_id, evaluator, await said if inspect.isawaitable(said) else said, credit)
        return answer

    return RunnableLambda(judge, ajudge, name="rewarded")


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
                new += engine.feedback(target, judged.score, source=judged.key, key=judged.key, comment=judged.comment, credit=credit)
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


def _tell(engine: UniScale, run_id: UUID, evaluator: Evaluator, said: Any, credit: Credit) -> None:
    for judged in judgements(evaluator, said):
        engine.feedback(run_id, judged.score, source=judged.key, key=judged.key, comment=judged.comment, credit=credit)


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
