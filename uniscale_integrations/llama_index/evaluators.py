"""Evaluators of LlamaIndex whose verdicts reach the decisions behind what they judge."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from typing import Any

from llama_index.core.base.response.schema import Response
from llama_index.core.evaluation import BaseEvaluator, CorrectnessEvaluator, EvaluationResult, SemanticSimilarityEvaluator
from llama_index.core.prompts.mixin import PromptDictType, PromptMixinType

from uniscale_integrations.engine import UniScale
from uniscale_integrations.engine.attribution import CREDITS, Credit
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.llama_index.instrumentation import decisions_behind
from uniscale_integrations.llama_index.judging import decision_record
from uniscale_integrations.llama_index.llm import UniScaleLLM
from uniscale_integrations.redaction import shown

_log = logging.getLogger(__name__)

Scale = tuple[float, float] | Callable[[EvaluationResult], float | None]
"""What an evaluator's worst and best score are; or what makes a number in [0, 1] of its result, and `None` of one to learn nothing from."""

SCALES: dict[type[BaseEvaluator], tuple[float, float]] = {
    CorrectnessEvaluator: (1.0, 5.0),
    SemanticSimilarityEvaluator: (0.0, 1.0),
}
"""Of evaluators whose scores are not in [0, 1]."""


def _is_scale(scale: object) -> bool:
    if not isinstance(scale, (tuple, list)) or len(scale) != 2:
        return False
    return all(isinstance(end, (int, float)) and isfinite(end) for end in scale) and scale[0] != scale[1]


class FeedbackEvaluator(BaseEvaluator):
    """Judges as another evaluator does, and tells the engine.

    It learns where it is given a response (`evaluate_response`, `aevaluate_response`, as `BatchEvalRunner.aevaluate_queries` calls them),
    since texts alone do not tell which decisions they come from. An evaluator whose own model decides through the same engine is told of
    in the log and not learned from: it would judge itself, and its own calls would be judged along with the answers. Whatever goes wrong
    with the feedback costs nobody the verdict.

    Args:
        evaluator: judges.
        engine: whose decisions are judged; or an LLM that has it.
        scale: see `Scale`; by default that of the evaluators of LlamaIndex, and [0, 1] of others. Scores beyond a scale that is given count
            as its ends.
        source: the evaluator's name in the log; its class's by default. Two of one class need a source, or a key, each.
        key: what about, where one source judges several things.
        credit: who is judged where the response took several decisions.

    Example:
        >>> class Short(BaseEvaluator):
        ...     async def aevaluate(self, query=None, response=None, contexts=None, **kwargs):
        ...         return EvaluationResult(score=float(len(response) < 80))
        ...     def _get_prompts(self):
        ...         return {}
        ...     def _update_prompts(self, prompts):
        ...         pass
        >>> llm = UniScaleLLM(models=["uniscale-0.3m"])
        >>> FeedbackEvaluator(Short(), llm).evaluate(response="35").score
        1.0
    """

    def __init__(
        self,
        evaluator: BaseEvaluator,
        engine: UniScale | UniScaleLLM,
        *,
        scale: Scale | None = None,
        source: str | None = None,
        key: str = "correct",
        credit: Credit = "all",
    ) -> None:
        decider = engine.engine if isinstance(engine, UniScaleLLM) else engine
        if not isinstance(evaluator, BaseEvaluator) or not isinstance(decider, UniScale):
            raise ConfigurationError(
                f"give a BaseEvaluator and an engine or a UniScaleLLM, got {shown(evaluator):.60} and {shown(engine):.60}"
            )
        if credit not in CREDITS:
            raise ConfigurationError(f"credit must be {', '.join(map(repr, CREDITS))}, got {credit!r}")
        if scale is not None and not callable(scale) and not _is_scale(scale):
            raise ConfigurationError(
                f"scale must be the worst and the best score, two different numbers, or a function, got {scale!r}"
            )
        default = next((SCALES[kind] for kind in type(evaluator).__mro__ if kind in SCALES), None)
        self._evaluator, self._engine, self._scale = evaluator, decider, scale or default
        self._source, self._key, self._credit = source or type(evaluator).__name__, key, credit
        self._warnings: set[str] = set()

    async def aevaluate(
        self, query: str | None = None, response: str | None = None, contexts: Sequence[str] | None = None, **kwargs: Any
    ) -> EvaluationResult:
        """As the evaluator does; nothing is learned, since texts do not tell which decisions they come from."""
        return await self._evaluator.aevaluate(query=query, response=response, contexts=contexts, **kwargs)

    def evaluate_response(self, query: str | None = None, response: Response | None = None, **kwargs: Any) -> EvaluationResult:
        """As the evaluator does, and the engine is told."""
        with decision_record() as decisions:
            result = self._evaluator.evaluate_response(query=query, response=response, **kwargs)
        with self._error_log():
            correct = self._correctness(response, result, by_itself=id(self._engine) in decisions)
            if correct is not None:
                self._engine.feedback(response, correct, **self._details(result))
        return result

    async def aevaluate_response(
        self, query: str | None = None, response: Response | None = None, **kwargs: Any
    ) -> EvaluationResult:
        """As the evaluator does, and the engine is told."""
        with decision_record() as decisions:
            result = await self._evaluator.aevaluate_response(query=query, response=response, **kwargs)
        with self._error_log():
            correct = self._correctness(response, result, by_itself=id(self._engine) in decisions)
            if correct is not None:
                await self._engine.afeedback(response, correct, **self._details(result))
        return result

    @contextmanager
    def _error_log(self) -> Iterator[None]:
        """Logs what went wrong with feedback: a scale of the application's may raise anything; the verdict is there all the same."""
        try:
            yield
        except Exception:
            _log.exception("what %s said cannot be learned from", self._source)

    def _details(self, result: EvaluationResult) -> dict[str, Any]:
        """Source, key, comment and credit of the feedback."""
        return {"source": self._source, "key": self._key, "comment": result.feedback or "", "credit": self._credit}

    def _correctness(self, response: object, result: EvaluationResult, *, by_itself: bool) -> float | None:
        """The correctness that a verdict states, in [0, 1]; `None` for nothing to learn."""
        if by_itself:
            self._warn(
                "decides through the engine that it judges, as a judge that is left to Settings.llm may; give it an LLM of its own"
            )
            return None
        if not decisions_behind(response):
            return None
        correct = self._share(result)
        if correct is None and not callable(self._scale):
            self._warn("said nothing that could be learned from: no score, or an invalid one")
        return correct

    def _warn(self, what: str) -> None:
        """Say once why nothing is learned."""
        if what not in self._warnings:
            self._warnings.add(what)
            _log.warning("%s %s; nothing is learned from it", self._source, what)

    def _share(self, result: EvaluationResult) -> float | None:
        """What a verdict is worth, in [0, 1]; `None` for none."""
        if result.invalid_result:
            return None
        if callable(self._scale):
            return self._scale(result)
        if result.score is None:
            return None if result.passing is None else float(result.passing)
        if not isfinite(result.score):
            raise ConfigurationError(f"{self._source} gave a score of {result.score}")
        if self._scale is not None:
            worst, best = self._scale
            return min(1.0, max(0.0, (result.score - worst) / (best - worst)))
        if not 0.0 <= result.score <= 1.0:
            raise ConfigurationError(
                f"{self._source} gave a score of {result.score}, which is not in [0, 1]; say in `scale` what it means"
            )
        return float(result.score)

    def _get_prompts(self) -> PromptDictType:
        return self._evaluator._get_prompts()

    def _get_prompt_modules(self) -> PromptMixinType:
        return self._evaluator._get_prompt_modules()

    def _update_prompts(self, prompts: PromptDictType) -> None:
        self._evaluator._update_prompts(prompts)
