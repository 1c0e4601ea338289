"""A chat model that judges answers."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from uniscale_integrations.answers.extract import without_drafts
from uniscale_integrations.cost.price import Price
from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.deprecation import former_keywords
from uniscale_integrations.engine.model_registry import generators
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.models.chat.client import CompletionRequest
from uniscale_integrations.models.chat.model import ChatStepModel
from uniscale_integrations.redaction import shown
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.search.ports import Verdict
from uniscale_integrations.verifiers.session import Item, StatelessSession

RUBRIC = (
    "Is every statement of the answer right, does it follow from the question and from what was said before, "
    "and does it lead to what is asked?"
)

INSTRUCTION = (
    "You judge answers. You are given a question and an answer, which may not be finished yet. {rubric}\n"
    'Reply with one JSON object and nothing else: {{"reason": "<one sentence>", "score": <a whole number from 0 to {top}>}}, '
    "where 0 is certainly wrong and {top} certainly right."
)

MAX_REPLY_LENGTH = 2_000
"""Characters of a judge's reply that are read."""

_decoder = json.JSONDecoder()
_log = logging.getLogger(__name__)


class LLMJudge:
    """Scores what a candidate says by asking a chat model; what that takes is on the ledger.

    A verdict that cannot be had or read is no opinion.

    Args:
        model: who judges, a chat model of LangChain or LlamaIndex, or a `ChatStepModel`; give it one that is not among those it judges.
        rubric: what a good answer is.
        top: the best of the scale that the judge is told, which begins with 0.
        price: of the judge, in dollars per million tokens read and sampled. Beside models with prices one without counts for nothing.
        calibration: from the share of the scale to a score, both in [0, 1], for a judge that is known to be too kind or too strict.

    Raises:
        ConfigurationError: a scale of nothing, or what is no chat model.
    """

    upper = 1.0
    path_local = True

    @former_keywords(calibrated="calibration")
    def __init__(
        self,
        model: object,
        rubric: str = RUBRIC,
        *,
        top: int = 10,
        price: tuple[float, float] | None = None,
        calibration: Callable[[float], float] | None = None,
    ) -> None:
        if top < 1:
            raise ConfigurationError(f"the scale of a judge must end at 1 or more, got {top}")
        judge = judging(model, price)
        self.name = f"judge {judge.name}"
        self._model, self._top, self._calibration = judge, top, calibration
        self._instruction = Turn("system", INSTRUCTION.format(rubric=rubric.strip(), top=top))

    def open(self, question: str) -> StatelessSession:
        """Begin a question."""

        async def score(items: Sequence[Item]) -> Sequence[Verdict]:
            return await asyncio.gather(*(self._judge(question, item) for item in items))

        return StatelessSession(score)

    async def _judge(self, question: str, item: Item) -> Verdict:
        path, candidate = item
        if not candidate.steps:
            return (), Usage()
        answer = path.text + "".join(candidate.steps)
        prompt = Turn("user", f"Question:\n{question.strip()}\n\nAnswer:\n{answer.strip()}")
        try:
            reply = await self._model.ask(
                CompletionRequest(Conversation((self._instruction, prompt)), max_tokens=200, temperature=0.0)
            )
        except Exception:
            # A judge that cannot be reached has no opinion; the answers are there all the same.
            _log.warning("the %s failed", self.name, exc_info=True)
            return None, Usage()
        share = verdict(without_drafts(reply.text), self._top)
        if share is None:
            return None, reply.usage
        score = share if self._calibration is None else self._calibration(share)
        return (score,) * len(candidate.steps), reply.usage


def judging(model: object, price: tuple[float, float] | None) -> ChatStepModel:
    """A chat model that judges, with its price.

    Raises:
        ConfigurationError: it is no chat model.
    """
    [judge] = generators([model])
    if not isinstance(judge, ChatStepModel):
        raise ConfigurationError(f"a judge must be a chat model, got {shown(model):.60}")
    if price is not None:
        judge.set_price(Price.of(price))
    return judge


def verdict(text: str, top: int) -> float | None:
    """The share of the scale that a judge's reply gives, in [0, 1]; `None` where it gives none.

    Example:
        >>> verdict('Well. {"reason": "it adds up", "score": 8}', 10), verdict("good", 10), verdict('{"score": 99}', 10)
        (0.8, None, None)
    """
    for item in objects_in(text):
        try:
            score = float(item["score"])
        except (ValueError, KeyError, TypeError, OverflowError):
            continue
        if isfinite(score) and 0.0 <= score <= top:
            return score / top
    return None


def objects_in(text: str) -> Iterator[Mapping[str, Any]]:
    """The JSON objects that a judge's reply holds, the last one first; of a long reply the end is read.

    Example:
        >>> list(objects_in('{"a": 1}, no: {"a": 2}'))
        [{'a': 2}, {'a': 1}]
    """
    text = text[-MAX_REPLY_LENGTH:]
    for place in reversed([place for place, sign in enumerate(text) if sign == "{"]):
        try:
            value = _decoder.raw_decode(text, place)[0]
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value
