"""An application as anybody might have one: a chain of LangChain and a query engine of LlamaIndex, both on one engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from uniscale_integrations.errors import MissingExtraError

try:
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate
    from llama_index.core import Document, PromptTemplate, SummaryIndex
    from llama_index.core.base.response.schema import Response
    from llama_index.core.evaluation import BaseEvaluator, EvaluationResult
except ModuleNotFoundError as error:
    raise MissingExtraError("the demonstration, which shows both frameworks,", "langchain,llama-index,local") from error

from uniscale_integrations.engine import UniScale
from uniscale_integrations.engine.attribution import decisions_of
from uniscale_integrations.langchain import UniScaleChatModel, with_feedback
from uniscale_integrations.llama_index import FeedbackEvaluator, UniScaleLLM
from uniscale_integrations.llama_index.instrumentation import IDS
from uniscale_integrations.models.questions import Question
from uniscale_integrations.search.answers import extract_answer

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable


class Right(BaseEvaluator):
    """Whether a response gives a question's answer."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._questions = {question.text: question for question in questions}

    async def aevaluate(
        self, query: str | None = None, response: str | None = None, contexts: Sequence[str] | None = None, **kwargs: Any
    ) -> EvaluationResult:
        """An exact match of the answer that can be read off the response."""
        right = self._questions[query or ""].correct(extract_answer(response or ""))
        return EvaluationResult(query=query, response=response, passing=right, score=float(right))

    def _get_prompts(self) -> dict[str, Any]:
        return {}

    def _update_prompts(self, prompts: Any) -> None:
        """There are none."""


class Application:
    """Answers questions through both frameworks; what its evaluators say goes back to the engine by itself.

    Args:
        engine: behind both.
        questions: the questions, with their right answers.
    """

    def __init__(self, engine: UniScale, questions: Sequence[Question]) -> None:
        by_text = {question.text: question for question in questions}

        def right(inputs: dict[str, str], outputs: str) -> dict[str, object]:
            return {"key": "exact match", "score": by_text[inputs["question"]].correct(extract_answer(outputs))}

        prompt = ChatPromptTemplate.from_messages([("human", "{question}")])
        chain = prompt | UniScaleChatModel(engine=engine) | StrOutputParser()
        self._chain: Runnable[Any, str] = with_feedback(chain, [right], engine)
        # Models that know nothing but sums have no use for documents.
        index = SummaryIndex.from_documents([Document(text="A note.")])
        template = PromptTemplate("{query_str}")
        self._queries = index.as_query_engine(llm=UniScaleLLM(engine=engine), text_qa_template=template)
        self._evaluator = FeedbackEvaluator(Right(questions), engine, source="exact match")

    async def by_chain(self, question: Question) -> tuple[str, str]:
        """The chain's answer, and the decision behind it."""
        run_id = uuid4()
        text = await self._chain.ainvoke({"question": question.text}, {"run_id": run_id})
        [decision] = decisions_of(run_id)
        return text, decision

    async def by_query_engine(self, question: Question) -> tuple[str, str]:
        """The query engine's answer, and the decision behind it."""
        response = await self._queries.aquery(question.text)
        assert isinstance(response, Response)
        await self._evaluator.aevaluate_response(question.text, response)
        [decision] = (response.metadata or {})[IDS]
        return response.response or "", decision
