"""Feedback on whatever an application holds reaches the decisions behind it, once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec
from uuid import UUID, uuid4

import httpx
import pytest
import requests
from langchain.agents import create_agent
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda, RunnableParallel
from langchain_core.tools import tool
from langchain_core.tracers.evaluation import EvaluatorCallbackHandler
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from langsmith import Client, evaluate
from langsmith.evaluation import EvaluationResult, RunEvaluator
from langsmith.schemas import Example
from openevals.exact import exact_match
from openevals.llm import create_llm_as_judge

from tests.langchain.conftest import openai, searching
from tests.logged import decided, judged
from tests.openai_server import Body, Server
from uniscale_integrations.adapters.stamp import decision_of
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import ConfigurationError, UnknownDecisionError
from uniscale_integrations.langchain import FeedbackClient, RunLedger, UniScaleChatModel, ingest_langsmith_results, with_feedback

PROMPT = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "{question}")])
GIVEN = {"question": "What is 2 + 2?"}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@pytest.fixture
def model(server: Server) -> UniScaleChatModel:
    return searching(server)


@pytest.fixture
def engine(model: UniScaleChatModel) -> UniScale:
    assert model.engine is not None
    return model.engine


@pytest.fixture
def chain(model: UniScaleChatModel) -> Runnable[Any, str]:
    return PROMPT | model | StrOutputParser()


@pytest.mark.parametrize("form", [UUID, str], ids=["id", "text"])
def test_the_root_run_of_a_chain(engine: UniScale, chain: Runnable[Any, str], form: type) -> None:
    run_id = uuid4()
    chain.invoke(GIVEN, {"run_id": run_id})
    assert engine.feedback(form(str(run_id)), 1.0, source="test")
    assert not engine.feedback(form(str(run_id)), 1.0, source="test")
    assert [(each.decision_id, each.correct) for each in judged(engine)] == [(decided(engine)[0], 1.0)]


def test_every_run_above_the_model_s_and_its_own(engine: UniScale, chain: Runnable[Any, str]) -> None:
    collector = RunCollectorCallbackHandler()
    chain.invoke(GIVEN, {"callbacks": [collector]})
    [root] = collector.traced_runs
    [inner] = [run for run in root.child_runs if run.run_type == "llm"]
    for place, target in enumerate((root, root.id, inner, inner.id)):
        assert engine.feedback(target, 0.5, source=f"test {place}")
    assert {each.decision_id for each in judged(engine)} == set(decided(engine))
    [prompt] = [run for run in root.child_runs if run.run_type == "prompt"]
    with pytest.raises(UnknownDecisionError, match="no decision of an engine is behind"):
        engine.feedback(prompt, 0.5)


def test_a_message_and_its_id(engine: UniScale, model: UniScaleChatModel) -> None:
    message = model.invoke("What is 2 + 2?")
    assert engine.feedback(message, 1.0, source="message")
    assert engine.feedback(message.id, 1.0, source="id")
    assert engine.feedback(decision_of(message), 1.0, source="decision")
    assert len(judged(engine)) == 3
    with pytest.raises(UnknownDecisionError, match="no decision"):
        engine.feedback(AIMessage("from elsewhere"), 1.0)
    with pytest.raises(ConfigurationError, match="must be about a decision"):
        engine.feedback(3.5, 1.0)


@pytest.mark.parametrize("credit", ["all", "last", "split"])
def test_the_run_and_the_state_of_an_agent(engine: UniScale, model: UniScaleChatModel, credit: Any) -> None:
    run_id = uuid4()
    agent = create_agent(model, [add])
    state = agent.invoke({"messages": [HumanMessage("Add 1 and 2.")]}, {"run_id": run_id, "recursion_limit": 10})
    decisions = decided(engine)
    assert len(decisions) == 2
    assert engine.feedback(run_id, 1.0, source="run", credit=credit)
    expected = {
        "all": [(each, 1.0) for each in decisions],
        "last": [(decisions[1], 1.0)],
        "split": [(each, 0.5) for each in decisions],
    }
    assert [(each.decision_id, each.weight) for each in judged(engine)] == expected[credit]
    assert engine.feedback(state, 1.0, source="state", credit=credit)
    assert engine.feedback(state["messages"], 1.0, source="messages", credit=credit)
    assert len(judged(engine)) == 3 * len(expected[credit])


def test_parallel_branches_and_batches(engine: UniScale, chain: Runnable[Any, str]) -> None:
    run_ids = [uuid4() for _ in range(3)]
    both = RunnableParallel(one=chain, other=chain)
    both.batch([GIVEN] * 3, [{"run_id": run_id} for run_id in run_ids])
    for place, run_id in enumerate(run_ids):
        assert engine.feedback(run_id, place / 2, source="test")
    found = judged(engine)
    assert sorted(each.decision_id for each in found) == sorted(decided(engine))
    assert sorted(each.correct for each in found) == [0.0, 0.0, 0.5, 0.5, 1.0, 1.0]


@pytest.mark.filterwarnings("ignore:.*astream_events")
def test_a_run_that_streams_its_events(engine: UniScale, chain: Runnable[Any, str]) -> None:
    run_id = uuid4()

    async def streamed() -> list[str]:
        return [event["event"] async for event in chain.astream_events(GIVEN, {"run_id": run_id}, version="v2")]

    events = asyncio.run(streamed())
    assert events.count("on_chat_model_start") == 1
    assert engine.feedback(run_id, 1.0, source="test")
    assert [each.decision_id for each in judged(engine)] == decided(engine)


def test_by_the_decision_s_id_from_another_process(server: Server, tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'log.db'}"
    model = searching(server, log=address)
    decision = decision_of(model.invoke("What is 2 + 2?"))
    assert decision is not None
    code = (
        "import sys; from uniscale_integrations.log.log import open_log; from uniscale_integrations.log.events import Feedback; "
        "print(open_log(sys.argv[1]).give_feedback(Feedback(sys.argv[2], 1.0, 'other')))"
    )
    done = subprocess.run([sys.executable, "-c", code, address, decision], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
    assert model.engine is not None
    model.engine.sync()
    assert model.engine.state()["told"].sum() == 1


def test_a_chain_with_its_evaluators(engine: UniScale, chain: Runnable[Any, str]) -> None:
    async def length(outputs: str) -> float:
        return 0.25

    judging = with_feedback(chain, [exact_match], engine, reference="answer")
    assert judging.invoke(GIVEN | {"answer": "Hello there.\nAnswer: 4"}) == "Hello there.\nAnswer: 4"
    assert judging.invoke(GIVEN | {"answer": "5"}) == "Hello there.\nAnswer: 4"
    asyncio.run(with_feedback(chain, [exact_match, length], engine, reference=lambda given: "5").ainvoke(GIVEN))
    assert [(each.source, each.correct) for each in judged(engine)] == [
        ("exact_match", 1.0), ("exact_match", 0.0), ("exact_match", 0.0), ("length", 0.25),
    ]  # fmt: skip
    with pytest.raises(ConfigurationError, match="length is asynchronous"):
        with_feedback(chain, [length], engine).invoke(GIVEN)
    with pytest.raises(ConfigurationError, match="evaluators must be a list of functions"):
        with_feedback(chain, exact_match, engine)  # type: ignore[arg-type]


def test_a_judge_of_openevals_is_an_evaluator(engine: UniScale, chain: Runnable[Any, str]) -> None:
    def verdict(body: Body, number: int) -> httpx.Response:
        function = {"name": "score", "arguments": json.dumps({"reasoning": "It says four.", "score": 0.75})}
        call = {"id": "call_1", "type": "function", "function": function}
        message = {"role": "assistant", "content": function["arguments"], "tool_calls": [call] if body.get("tools") else None}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        told = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        return httpx.Response(200, json=told)

    judging = Server(behaves=verdict)
    judge = create_llm_as_judge(
        prompt="Is {outputs} right for {inputs}?", judge=openai(judging, "gpt-judge"), feedback_key="rightness", continuous=True
    )
    assert with_feedback(chain, [judge], engine).invoke(GIVEN) == "Hello there.\nAnswer: 4"
    assert "Answer: 4" in str(judging.bodies[0]["messages"])
    assert [(each.source, each.correct, each.comment) for each in judged(engine)] == [("rightness", 0.75, "It says four.")]


def test_an_evaluator_that_fails_costs_nobody_the_answer(
    model: UniScaleChatModel, engine: UniScale, chain: Runnable[Any, str], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(outputs: str) -> float:
        raise ZeroDivisionError("nothing to divide by")

    def nonsense(outputs: str) -> str:
        return "good"

    assert with_feedback(chain, [broken, nonsense, lambda outputs: 0.5], model).invoke(GIVEN) == "Hello there.\nAnswer: 4"
    assert [record.message.split(";")[0] for record in caplog.records] == [
        "the evaluator broken failed",
        "the evaluator nonsense failed",
    ]
    assert [each.correct for each in judged(engine)] == [0.5]
    assert asyncio.run(with_feedback(chain, [broken], engine).ainvoke(GIVEN)) == "Hello there.\nAnswer: 4"


def test_an_evaluator_without_an_opinion_is_no_failure(
    engine: UniScale, chain: Runnable[Any, str], caplog: pytest.LogCaptureFixture
) -> None:
    evaluators = [lambda outputs: None, lambda outputs: [{"key": "tone", "score": None}, {"key": "length", "score": 0.5}]]
    assert with_feedback(chain, evaluators, engine).invoke(GIVEN) == "Hello there.\nAnswer: 4"
    assert not caplog.records
    assert [(each.source, each.correct) for each in judged(engine)] == [("length", 0.5)]


def test_feedback_on_a_state_is_about_its_last_turn(engine: UniScale, model: UniScaleChatModel) -> None:
    first = model.invoke("What is 2 + 2?")
    assert engine.feedback(first, 1.0, source="test")
    second = model.invoke([HumanMessage("What is 2 + 2?"), first, HumanMessage("And 3 + 3?")])
    state = {"messages": [HumanMessage("What is 2 + 2?"), first, HumanMessage("And 3 + 3?"), second]}
    assert engine.feedback(state, 0.0, source="test")
    assert [(each.decision_id, each.correct) for each in judged(engine)] == [
        (decision_of(first), 1.0),
        (decision_of(second), 0.0),
    ]


def test_feedback_through_a_langsmith_client(engine: UniScale, chain: Runnable[Any, str]) -> None:
    client = create_autospec(Client, instance=True)
    heard = FeedbackClient(client, engine)
    run_id = uuid4()
    chain.invoke(GIVEN, {"run_id": run_id})
    heard.create_feedback(run_id, "helpful", score=True, comment="yes")
    heard.create_feedback(run_id, "words", value="no score")
    heard.create_feedback(uuid4(), "helpful", score=0.5)
    assert client.create_feedback.call_count == 3
    assert [(each.source, each.correct, each.comment) for each in judged(engine)] == [("langsmith:helpful", 1.0, "yes")]
    assert len(heard.unheard) == 1


def test_evaluators_that_langchain_runs_by_callback(engine: UniScale, chain: Runnable[Any, str]) -> None:
    class Judge(RunEvaluator):
        def evaluate_run(self, run: Any, example: Any = None, evaluator_run_id: Any = None) -> EvaluationResult:
            return EvaluationResult(key="judge", score=0.75)

    client = create_autospec(Client, instance=True)
    client.evaluate_run.side_effect = None
    handler = EvaluatorCallbackHandler([Judge()], client=FeedbackClient(client, engine), max_concurrency=0)  # type: ignore[arg-type]
    chain.invoke(GIVEN, {"callbacks": [handler]})
    assert [(each.source, each.correct) for each in judged(engine)] == [("langsmith:judge", 0.75)]


class Accepting(requests.Session):
    """A LangSmith server that takes everything."""

    def request(self, *arguments: Any, **settings: Any) -> requests.Response:
        response = requests.Response()
        response.status_code, response._content = 202, b"{}"
        return response


@pytest.mark.filterwarnings("ignore:'upload_runs' parameter is in beta")
@pytest.mark.parametrize("wrapped", [False, True], ids=["chain", "function"])
def test_what_langsmith_evaluate_found(engine: UniScale, chain: Runnable[Any, str], wrapped: bool) -> None:
    def target(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"said": chain.invoke(inputs)}

    def exact(outputs: dict[str, Any], reference_outputs: dict[str, Any]) -> dict[str, Any]:
        return {"key": "exact", "score": reference_outputs["answer"] in str(outputs)}

    dataset, now = uuid4(), datetime.now(UTC)
    examples = [
        Example(id=uuid4(), inputs={"question": "2 + 2?"}, outputs={"answer": answer}, dataset_id=dataset, created_at=now)
        for answer in ("4", "5")
    ]
    client = Client(api_key="test", api_url="http://127.0.0.1:9", session=Accepting(), auto_batch_tracing=False, info={})
    asked: Any = target if wrapped else chain.invoke
    rows: Any = evaluate(asked, data=examples, evaluators=[exact], upload_results=False, client=client)
    assert ingest_langsmith_results(list(rows), engine) == 2
    assert sorted(each.decision_id for each in judged(engine)) == sorted(decided(engine))
    assert sorted(each.correct for each in judged(engine)) == [0.0, 1.0]


def test_a_model_asked_by_a_retriever(engine: UniScale, model: UniScaleChatModel) -> None:
    class Rephrasing(BaseRetriever):
        """Asks the model before it looks anything up."""

        def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
            return [Document(str(model.invoke(query, {"callbacks": run_manager.get_child()}).text))]

    run_id = uuid4()
    (RunnableLambda(lambda given: given["question"]) | Rephrasing()).invoke(GIVEN, {"run_id": run_id})
    assert engine.feedback(run_id, 1.0, source="test")


def test_the_ledger_forgets_the_oldest_runs() -> None:
    ledger = RunLedger(limit=2, seconds=1e9)
    first, second, third = uuid4(), uuid4(), uuid4()
    ledger.on_chain_start({}, {}, run_id=first)
    ledger.on_chain_start({}, {}, run_id=second, parent_run_id=first)
    ledger.note(second, "d1")
    assert (ledger.decisions(first), ledger.decisions(second)) == (("d1",), ("d1",))
    ledger.on_chain_start({}, {}, run_id=third, parent_run_id=second)
    ledger.on_chain_start({}, {}, run_id=uuid4())
    ledger.note(third, "d2")
    assert ledger.decisions(first) is None
    assert RunLedger(seconds=-1.0).decisions(first) is None
