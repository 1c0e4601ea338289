"""A chat model that judges, over a client that answers from memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from langchain_core.language_models import GenericFakeChatModel

from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.models.chat import ChatStepModel, Completion, CompletionRequest, Continuation
from uniscale_integrations.search.paths import Candidate, Path, PathKey
from uniscale_integrations.verifiers import LLMJudge

ROOT = Path(PathKey(0, ()))


class Saying:
    """A client that says what a function makes of the request."""

    name = "gpt-judge"
    stop: Sequence[str] = ()
    capabilities: frozenset[str] = frozenset()
    continuations: Sequence[Continuation] = ()

    def __init__(self, says: Callable[[str], str]) -> None:
        self.says = says
        self.asked: list[CompletionRequest] = []

    async def complete(self, asked: CompletionRequest) -> Completion:
        self.asked.append(asked)
        return Completion(self.says(asked.conversation.turns[-1].text), usage=Usage(prompt_tokens=100.0, completion_tokens=10.0))


def judge(says: Callable[[str], str], calibrated: Callable[[float], float] | None = None) -> tuple[LLMJudge, Saying]:
    client = Saying(says)
    return LLMJudge(ChatStepModel(client), "Is it polite?", price=(1.0, 10.0), calibration=calibrated), client


def test_it_reads_question_and_answer_and_its_tokens_are_charged() -> None:
    verifier, client = judge(lambda text: '{"reason": "adds up", "score": ' + ("9}" if "Answer: 4" in text else "1}"))
    session = verifier.open("What is 2 + 2?")
    items = [(Path(PathKey(0, (0,)), ("Two and two.\n",)), Candidate((f"Answer: {n}",), True)) for n in (4, 5)]
    (good, used), (bad, _) = asyncio.run(session.score(items))
    assert (good, bad) == ((0.9,), (0.1,))
    assert used.usd == pytest.approx(100e-6 + 100e-6)
    system, shown = client.asked[0].conversation.turns
    assert "Is it polite?" in system.text
    assert "What is 2 + 2?" in shown.text
    assert "Two and two.\nAnswer: 4" in shown.text
    assert client.asked[0].temperature == 0.0


def test_what_cannot_be_read_is_no_opinion_but_costs() -> None:
    verifier, _ = judge(lambda text: "I like it.")
    [(scores, used)] = asyncio.run(verifier.open("Hi?").score([(ROOT, Candidate(("Hello",), True))]))
    assert scores is None
    assert used.usd > 0
    assert asyncio.run(verifier.open("Hi?").score([(ROOT, Candidate((), True))]))[0][0] == ()


def test_a_judge_that_is_too_kind_is_calibrated() -> None:
    verifier, _ = judge(lambda text: '{"score": 10}', calibrated=lambda share: share / 2)
    assert asyncio.run(verifier.open("Hi?").score([(ROOT, Candidate(("a\n", "b"), True))]))[0][0] == (0.5, 0.5)


def test_a_scale_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="scale of a judge"):
        LLMJudge(ChatStepModel(Saying(str)), top=0)


def test_a_judge_that_cannot_be_reached_has_no_opinion_and_costs_no_answer() -> None:
    def says(text: str) -> str:
        if "Answer: 5" in text:
            raise ConnectionError("down")
        return '{"reason": "the set {1, 2} fits", "score": 8}'

    verifier, _ = judge(says)
    items = [(ROOT, Candidate((f"Answer: {n}",), True)) for n in (4, 5)]
    assert [scores for scores, _ in asyncio.run(verifier.open("Hi?").score(items))] == [(0.8,), None]


def test_a_judge_is_any_chat_model_and_nothing_else() -> None:
    assert LLMJudge(GenericFakeChatModel(messages=iter([]))).name.startswith("judge ")
    with pytest.raises(ConfigurationError, match="a judge must be a chat model"):
        LLMJudge("uniscale-3m")
    with pytest.raises(ConfigurationError, match="a model must be"):
        LLMJudge(3)
