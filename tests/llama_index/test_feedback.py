"""Feedback on whatever an application of LlamaIndex holds reaches the decisions behind it, once."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from llama_index.core import PromptTemplate, Settings, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, CompletionResponse
from llama_index.core.base.response.schema import Response, StreamingResponse
from llama_index.core.chat_engine.types import ChatMode
from llama_index.core.evaluation import (
    BaseEvaluator,
    BatchEvalRunner,
    CorrectnessEvaluator,
    EvaluationResult,
    FaithfulnessEvaluator,
)
from llama_index.core.llms import MockLLM
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.query_engine import SubQuestionQueryEngine
from llama_index.core.question_gen import LLMQuestionGenerator
from llama_index.core.response_synthesizers import get_response_synthesizer
from llama_index.core.tools import FunctionTool, QueryEngineTool, ToolMetadata
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import instrument_tags
from llama_index_instrumentation.span import active_span_id
from pydantic import BaseModel

from tests.langchain.conftest import openai
from tests.llama_index.conftest import like, searching, sub_questions
from tests.logged import decided, decisions, judged
from tests.openai_server import Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import ConfigurationError, UnknownDecisionError
from uniscale_integrations.langchain import UniScaleChatModel
from uniscale_integrations.llama_index import FeedbackEvaluator, UniScaleLLM
from uniscale_integrations.llama_index.instrumentation import IDS, SPANS
from uniscale_integrations.space import Configuration, ConfigurationSpace

QUESTION = "How many rooms has the red house?"
ASKED = [ChatMessage(QUESTION)]
dispatcher = get_dispatcher(__name__)


@pytest.fixture
def llm(server: Server) -> UniScaleLLM:
    return searching(server)


@pytest.fixture
def engine(llm: UniScaleLLM) -> UniScale:
    assert llm.engine is not None
    return llm.engine


def test_a_response_a_message_and_the_decision_s_id(llm: UniScaleLLM, engine: UniScale) -> None:
    response = llm.chat(ASKED)
    for place, target in enumerate((response, response.message, response.additional_kwargs["uniscale"]["decision_id"])):
        assert engine.feedback(target, 1.0, source=f"test {place}")
        assert not engine.feedback(target, 1.0, source=f"test {place}")
    assert engine.feedback(llm.complete("Hi?"), 0.5)
    assert [each.decision_id for each in judged(engine)] == [decided(engine)[0]] * 3 + [decided(engine)[1]]
    for other in (CompletionResponse(text="from elsewhere"), ChatMessage("from elsewhere"), Response("from elsewhere")):
        with pytest.raises(UnknownDecisionError, match="no decision of an engine is behind"):
            engine.feedback(other, 1.0)
    with pytest.raises(ConfigurationError, match="must be about a decision"):
        engine.feedback(3.5, 1.0)


def test_a_response_that_was_stored(llm: UniScaleLLM, engine: UniScale) -> None:
    message = ChatMessage.model_validate_json(llm.chat(ASKED).message.model_dump_json())
    assert engine.feedback(message, 1.0)


@dispatcher.span
def answered(llm: UniScaleLLM, span: list[str]) -> str:
    """An application's own function that asks twice."""
    span.append(active_span_id.get() or "")
    return f"{llm.complete('One?').text}{llm.complete('Two?').text}"


def test_the_id_of_a_span(llm: UniScaleLLM, engine: UniScale) -> None:
    span: list[str] = []
    answered(llm, span)
    assert engine.feedback(span[0], 1.0, credit="last")
    assert [each.decision_id for each in judged(engine)] == decided(engine)[1:]
    assert engine.feedback(span[0], 1.0, source="other", credit="split")
    assert [each.weight for each in judged(engine)] == [1.0, 0.5, 0.5]


def test_tags(llm: UniScaleLLM, engine: UniScale) -> None:
    with instrument_tags({"request": "r-17", "user": 4}):
        llm.chat(ASKED)
        streamed = llm.stream_chat(ASKED)
    list(streamed)
    with instrument_tags({"request": "r-18", "user": 4}):
        llm.chat(ASKED)
    first, second, third = decided(engine)
    for target, expected in (
        ("r-17", [first, second]),
        ({"request": "r-18"}, [third]),
        ({"user": 4, "request": "r-17"}, [first, second]),
    ):
        engine.feedback(target, 1.0, source=str(target))
        assert [each.decision_id for each in judged(engine) if each.source == str(target)] == expected


class Rooms(BaseModel):
    """Of a house."""

    rooms: int


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")  # of LlamaIndex itself
@pytest.mark.parametrize("structured", [False, True], ids=["tools", "format"])
def test_the_last_object_of_a_structured_stream(server: Server, structured: bool) -> None:
    llm = searching(server, should_use_structured_outputs=structured)
    assert llm.engine is not None
    prompt = PromptTemplate("How many rooms has the {colour} house?")

    async def streamed() -> Any:
        return [each async for each in await llm.astream_structured_predict(Rooms, prompt, colour="red")][-1]

    last = list(llm.stream_structured_predict(Rooms, prompt, colour="red"))[-1]
    structured_llm = llm.as_structured_llm(Rooms)
    for place, target in enumerate((last, asyncio.run(streamed()), list(structured_llm.stream_chat(ASKED))[-1])):
        assert llm.engine.feedback(target, 1.0)
        assert judged(llm.engine)[place].decision_id == decided(llm.engine)[place]
    assert llm.engine.feedback(llm.structured_predict(Rooms, prompt, colour="red"), 1.0)


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")  # of LlamaIndex itself
def test_what_a_workflow_ends_with(llm: UniScaleLLM, engine: UniScale) -> None:
    def rooms(colour: str) -> int:
        """Of a house."""
        return 3

    async def ran() -> tuple[Any, Any, Any]:
        agent: Any = FunctionAgent(llm=llm, tools=[FunctionTool.from_defaults(rooms)])
        handler = agent.run("How many rooms has the red house?")
        events = [event async for event in handler.stream_events()]
        return await handler, events[-1], handler

    for place, target in enumerate(asyncio.run(ran())):
        assert engine.feedback(target, 1.0, source=f"test {place}")
    assert {each.decision_id for each in judged(engine)} == set(decided(engine))


def test_a_text_alone_tells_no_decision_and_tags_are_the_way(llm: UniScaleLLM, engine: UniScale) -> None:
    with instrument_tags({"request": "17"}):
        text = llm.predict(PromptTemplate("How many rooms has the red house?"))
    with pytest.raises(UnknownDecisionError, match="ask under tags"):
        engine.feedback(text, 1.0)
    assert engine.feedback({"request": "17"}, 1.0)


def test_calls_that_no_engine_had_a_part_in_are_not_remembered(
    index: VectorStoreIndex, llm: UniScaleLLM, engine: UniScale
) -> None:
    before = len(SPANS)
    for streaming in (False, True):
        elsewhere = index.as_query_engine(llm=MockLLM(max_tokens=3), streaming=streaming)
        for _ in range(3):
            assert str(elsewhere.query(QUESTION))
    gc.collect()
    assert len(SPANS) == before
    response = index.as_query_engine(llm=llm).query(QUESTION)
    assert len(SPANS) > before
    assert engine.feedback(response, 1.0)


def test_streaming_responses_know_their_decisions_when_they_are_drained(
    llm: UniScaleLLM, engine: UniScale, index: VectorStoreIndex
) -> None:
    response = index.as_query_engine(llm=llm, streaming=True).query(QUESTION)
    assert isinstance(response, StreamingResponse)
    assert response.metadata is not None
    assert not list(response.metadata[IDS])
    with pytest.raises(UnknownDecisionError, match="no decision"):
        engine.feedback(response, 1.0)
    assert "Answer: 4" in "".join(response.response_gen)
    assert list(response.metadata[IDS]) == decided(engine)
    assert engine.feedback(response, 1.0)
    assert engine.feedback(response.get_response(), 1.0, source="as a whole")


def test_a_stream_that_was_read_to_the_end_of_its_text_only(llm: UniScaleLLM, engine: UniScale, index: VectorStoreIndex) -> None:
    response = index.as_query_engine(llm=llm, streaming=True).query(QUESTION)
    assert isinstance(response, StreamingResponse)
    text = ""
    for token in response.response_gen:
        text += token
        if text.endswith("Answer: 4"):
            break
    deadline = time.monotonic() + 5
    while not judged(engine) and time.monotonic() < deadline:
        try:
            engine.feedback(response, 1.0)
        except UnknownDecisionError:
            time.sleep(0.01)
    assert [each.decision_id for each in judged(engine)] == decided(engine)


def test_a_streaming_chat_response_which_has_no_metadata(llm: UniScaleLLM, engine: UniScale, index: VectorStoreIndex) -> None:
    chat = index.as_chat_engine(chat_mode=ChatMode.CONTEXT, llm=llm, memory=ChatMemoryBuffer.from_defaults(llm=llm))
    response = chat.stream_chat(QUESTION)
    "".join(response.response_gen)
    assert not hasattr(response, "metadata")
    assert engine.feedback(response, 1.0)
    assert [each.decision_id for each in judged(engine)] == decided(engine)


class Right(BaseEvaluator):
    """Whether the answer says what it should, by a list of scores."""

    def __init__(self, scores: Sequence[Any]) -> None:
        self.scores = iter(scores)

    async def aevaluate(self, query: Any = None, response: Any = None, contexts: Any = None, **kwargs: Any) -> EvaluationResult:
        score = next(self.scores)
        if isinstance(score, EvaluationResult):
            return score
        return EvaluationResult(query=query, response=response, score=score, feedback="so it is")

    def _get_prompts(self) -> Any:
        return {}

    def _update_prompts(self, prompts: Any) -> None:
        pass


def _queried(llm: UniScaleLLM, index: VectorStoreIndex) -> Response:
    response = index.as_query_engine(llm=llm).query(QUESTION)
    assert isinstance(response, Response)
    return response


@pytest.mark.filterwarnings("ignore:asyncio_module:DeprecationWarning")
def test_a_batch_of_evaluations(llm: UniScaleLLM, engine: UniScale, index: VectorStoreIndex) -> None:
    runner = BatchEvalRunner(
        {"right": FeedbackEvaluator(Right([0.25, 0.75]), llm), "fair": FeedbackEvaluator(Right([1, 1]), llm)}
    )
    queries = [QUESTION, "How many rooms has the blue house?"]
    results = asyncio.run(runner.aevaluate_queries(index.as_query_engine(llm=llm), queries=queries))
    assert [result.score for result in results["right"]] == [0.25, 0.75]
    assert len(decided(engine)) == 2
    assert {each.decision_id for each in judged(engine)} == set(decided(engine))
    assert {(each.source, each.comment) for each in judged(engine)} == {("Right", "so it is")}


def _judging(score: str) -> Server:
    return Server(lambda body, number: score)


def test_evaluators_of_llama_index(
    llm: UniScaleLLM, engine: UniScale, index: VectorStoreIndex, caplog: pytest.LogCaptureFixture
) -> None:
    response = _queried(llm, index)
    correctness = FeedbackEvaluator(CorrectnessEvaluator(llm=like(_judging("4.0\nNearly."))), engine)
    assert correctness.evaluate_response(query=QUESTION, response=response, reference="3").score == 4.0
    faithful = FeedbackEvaluator(FaithfulnessEvaluator(llm=like(_judging("YES"))), engine, source="faith", key="faithful")
    assert asyncio.run(faithful.aevaluate_response(query=QUESTION, response=response)).passing
    assert [(each.source, each.key, each.correct) for each in judged(engine)] == [
        ("CorrectnessEvaluator", "correct", 0.75),
        ("faith", "faithful", 1.0),
    ]
    assert faithful.get_prompts().keys() == FaithfulnessEvaluator(llm=like(_judging("YES"))).get_prompts().keys()
    assert not caplog.records


def test_what_a_verdict_is_worth(
    llm: UniScaleLLM, engine: UniScale, index: VectorStoreIndex, caplog: pytest.LogCaptureFixture
) -> None:
    response = _queried(llm, index)
    invalid, passing = EvaluationResult(score=1.0, invalid_result=True), EvaluationResult(passing=True)

    def judge(score: Any, **settings: Any) -> list[float]:
        before = len(judged(engine))
        evaluator = FeedbackEvaluator(Right([score]), engine, source=f"test {before} {score} {settings}", **settings)
        evaluator.evaluate_response(QUESTION, response)
        return [each.correct for each in judged(engine)[before:]]

    assert judge(3, scale=(1, 5)) == [0.5]
    assert judge(9, scale=(1, 5)) == [1.0]
    assert judge(0.5, scale=lambda result: 1.0 - result.score) == [0.5]
    assert judge(0.5, scale=lambda result: None) == []
    assert judge(invalid) == judge(EvaluationResult()) == []
    assert judge(passing) == [1.0]
    assert [record.message.partition(" said ")[2] for record in caplog.records] == [
        "nothing that could be learned from: no score, or an invalid one; nothing is learned from it"
    ] * 2
    caplog.clear()
    assert judge(3) == []
    [record] = caplog.records
    assert "cannot be learned from" in record.message
    assert "a score of 3.0, which is not in [0, 1]; say in `scale` what it means" in str(record.exc_info)
    # Texts alone do not tell where they come from, and answers of others are none of ours.
    FeedbackEvaluator(Right([1.0]), engine).evaluate(response="three")
    FeedbackEvaluator(Right([1.0]), engine).evaluate_response(QUESTION, Response("from elsewhere"))
    assert len(judged(engine)) == 4
    impossible: list[dict[str, Any]] = [{"scale": (1, 1)}, {"scale": 5}, {"credit": "some"}]
    for wrong in impossible:
        with pytest.raises(ConfigurationError):
            FeedbackEvaluator(Right([]), engine, **wrong)
    before = len(judged(engine))
    odd: list[tuple[float, Any]] = [(float("nan"), (1, 5)), (0.5, lambda result: result.nothing)]
    for score, scale in odd:
        FeedbackEvaluator(Right([score]), engine, source="odd", scale=scale).evaluate_response(QUESTION, response)
    assert len(judged(engine)) == before
    with pytest.raises(ConfigurationError, match="give a BaseEvaluator"):
        FeedbackEvaluator(print, engine)  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_judge_that_decides_through_the_engine_that_it_judges_is_not_learned_from(
    index: VectorStoreIndex, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    llm = searching(Server(lambda body, number: "YES"))
    monkeypatch.setattr(Settings, "_llm", llm)
    assert llm.engine is not None
    response = _queried(llm, index)
    judge = FeedbackEvaluator(FaithfulnessEvaluator(), llm.engine)
    for _ in range(2):
        if how == "sync":
            assert judge.evaluate_response(QUESTION, response).passing
        else:
            assert asyncio.run(judge.aevaluate_response(QUESTION, response)).passing
    assert judged(llm.engine) == []
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "give it an LLM of its own" in record.message


def test_a_result_that_several_engines_had_a_part_in(index: VectorStoreIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "_llm", searching(Server()))
    asking, summing = searching(Server()), searching(Server())
    tool = QueryEngineTool(index.as_query_engine(llm=asking), ToolMetadata("about houses", "houses"))
    questions = LLMQuestionGenerator.from_defaults(llm=searching(Server(sub_questions)))
    engine = SubQuestionQueryEngine.from_defaults(
        [tool], question_gen=questions, response_synthesizer=get_response_synthesizer(llm=summing), use_async=False, verbose=False
    )
    response = engine.query("Which house has more rooms?")
    for llm, count in ((asking, 2), (summing, 1)):
        assert llm.engine is not None
        assert llm.engine.feedback(response, 1.0, credit="split")
        assert [each.decision_id for each in judged(llm.engine)] == decided(llm.engine)
        assert [each.weight for each in judged(llm.engine)] == [1.0 / count] * count
    with pytest.raises(UnknownDecisionError, match="the log has no decision"):
        UniScaleLLM(models=[like(Server())]).engine.feedback(response, 1.0)  # type: ignore[union-attr]


def _both(log: str, server: Server) -> tuple[UniScale, UniScaleChatModel, UniScaleLLM]:
    space = ConfigurationSpace([Configuration(name) for name in ("gpt-lc", "gpt-li")])
    engine = UniScale([openai(server, "gpt-lc"), like(server, "gpt-li")], "agreement", space, log=log)
    return engine, UniScaleChatModel(engine=engine), UniScaleLLM(engine=engine)


def test_one_engine_under_both_frameworks_learns_from_either(server: Server) -> None:
    engine, chat_model, llm = _both("sqlite://", server)
    for place in range(40):
        target = chat_model.invoke(QUESTION) if place % 2 else llm.complete(QUESTION)
        told = target.response_metadata if isinstance(target, AIMessage) else target.additional_kwargs
        # One of the two models is always right, whichever framework asks: the one that is not tried first.
        engine.feedback(target, float(told["uniscale"]["configuration"]["model"] == "gpt-li"))
    assert len(judged(engine)) == len(decided(engine)) == 40
    chosen = [decision.configuration.model for decision in decisions(engine)]
    assert chosen[-10:] == ["gpt-li"] * 10
    assert {body["model"] for body in server.bodies} == {"gpt-lc", "gpt-li"}


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 2, 1)], ids=str)
def test_a_model_of_one_framework_serves_the_other(shape: tuple[int, int, int]) -> None:
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    space = ConfigurationSpace([Configuration("gpt-test", *shape)])
    theirs, ours = Server(), Server()
    chat_model = UniScaleChatModel(engine=UniScale([like(theirs)], "agreement", space))
    llm = UniScaleLLM(engine=UniScale([openai(ours)], "agreement", space))
    bound = chat_model.bind_tools([add], tool_choice="any", temperature=0.25)
    message = bound.invoke(QUESTION)
    [call] = message.tool_calls
    assert (call["name"], call["args"]) == ("add", {"a": 3, "b": 3})
    answer = bound.bind(tool_choice="auto").invoke([("human", QUESTION), message, ToolMessage("6", tool_call_id=call["id"])])
    assert answer.text == "Hello there.\nAnswer: 4"
    tools = [FunctionTool.from_defaults(add)]
    response = llm.chat_with_tools(tools, user_msg=QUESTION, tool_required=True, temperature=0.25)
    [selection] = llm.get_tool_calls_from_response(response)
    assert (selection.tool_name, selection.tool_kwargs) == ("add", {"a": 3, "b": 3})
    result = ChatMessage(role="tool", content="6", additional_kwargs={"tool_call_id": selection.tool_id})
    again = llm.chat_with_tools(tools, chat_history=[*ASKED, response.message, result], temperature=0.25)
    assert again.message.content == "Hello there.\nAnswer: 4"
    for server in (theirs, ours):
        assert {body["temperature"] for body in server.bodies} == {0.25}
        assert server.bodies[0]["tool_choice"] == "required"
        assert server.bodies[-1].get("tool_choice", "auto") == "auto"
        [asked, calling, told] = server.bodies[-1]["messages"]
        assert (asked["content"], told["content"]) == (QUESTION, "6")
        assert calling["tool_calls"][0]["id"] == told["tool_call_id"]
    pieces = list(llm.stream_chat_with_tools(tools, user_msg=QUESTION, tool_required=True))
    assert [each.tool_name for each in llm.get_tool_calls_from_response(pieces[-1])] == ["add"]
    whole = list(bound.stream(QUESTION))
    assert [call["name"] for call in sum(whole[1:], whole[0]).tool_calls] == ["add"]
    said = [piece.delta or "" for piece in llm.stream_chat(ASKED)]
    assert "".join(said) == "Hello there.\nAnswer: 4"
    assert (said[:3] == ["Hello ", "there.\nAnswer: ", "4"]) == (shape == (1, 1, 1))
    assert "".join(str(chunk.text) for chunk in chat_model.stream(QUESTION)) == "Hello there.\nAnswer: 4"


WORKER = """
import json, sys
from tests.langchain.conftest import openai
from tests.llama_index.test_feedback import _both
from tests.openai_server import Server
from uniscale_integrations.adapters.stamp import decision_of

engine, chat_model, llm = _both(sys.argv[1], Server())
engine.sync()
before = engine.decide("How many rooms has the red house?").configuration.model
answered = chat_model.invoke("How many rooms has the red house?")
for line in sys.stdin:
    decision, correct = json.loads(line)
    engine.feedback(decision, correct, source="the other process")
print(json.dumps([before, decision_of(answered), int(engine.state()["told"].sum())]))
"""


def test_one_log_under_two_processes_of_two_frameworks(tmp_path: Path, server: Server) -> None:
    address = f"sqlite:///{tmp_path / 'log.db'}"
    engine, _, llm = _both(address, server)
    for _ in range(30):
        response = llm.complete(QUESTION)
        told = response.additional_kwargs["uniscale"]
        engine.feedback(response, float(told["configuration"]["model"] == "gpt-li"))
    last = llm.complete(QUESTION).additional_kwargs["uniscale"]["decision_id"]
    done = subprocess.run(
        [sys.executable, "-c", WORKER, address],
        input=json.dumps([last, 1.0]),
        capture_output=True,
        text=True,
        check=True,
        cwd=Path.cwd(),
    )
    before, theirs, told = json.loads(done.stdout.splitlines()[-1])
    # It decides as one that has learned here, ...
    assert before == "gpt-li"
    assert told == 31
    # ... what it says of a decision made here is learned here, and the other way round.
    assert engine.feedback(theirs, 0.0, source="this process")
    engine.sync()
    assert engine.state()["told"].sum() == 32
    assert [each.source for each in judged(engine)][-2:] == ["the other process", "this process"]
