"""Agents, tools and answers in a form on `UniScaleLLM`, over the real client, plain and with a search."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_index.core import PromptTemplate
from llama_index.core.agent.workflow import AgentOutput, AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from tests.llama_index.conftest import searching
from tests.logged import decided, judged
from tests.openai_server import Body, Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.llama_index import UniScaleLLM
from uniscale_integrations.llama_index.instrumentation import decisions_behind

# LlamaIndex reads what pydantic has renamed.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")

SHAPES = [(1, 1, 1), (2, 2, 1)]


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


ADD = FunctionTool.from_defaults(add)


class House(BaseModel):
    """A house."""

    colour: str
    rooms: int


HOUSE = House(colour="some colour", rooms=3)


def engine_of(llm: UniScaleLLM) -> UniScale:
    assert llm.engine is not None
    return llm.engine


def all_reached(llm: UniScaleLLM, target: object, count: int) -> None:
    """Feedback on a target reaches all decisions there are, as many as expected."""
    engine = engine_of(llm)
    assert len(decided(engine)) == count
    assert engine.feedback(target, 1.0)
    assert sorted(each.decision_id for each in judged(engine)) == sorted(decided(engine))


async def _ran(agent: Any, asked: str) -> AgentOutput:
    output = await agent.run(asked, max_iterations=5)
    assert isinstance(output, AgentOutput)
    return output


@pytest.mark.parametrize("streaming", [True, False], ids=["streaming", "whole"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_function_agent(server: Server, shape: tuple[int, int, int], streaming: bool) -> None:
    llm = searching(server, shape)
    agent = FunctionAgent(tools=[ADD], llm=llm, system_prompt="You add.", streaming=streaming)
    output = asyncio.run(_ran(agent, "What is 3 + 3?"))
    assert str(output) == "Hello there.\nAnswer: 4"
    [call] = output.tool_calls
    assert (call.tool_name, call.tool_kwargs) == ("add", {"a": 3, "b": 3})
    results = [message for message in server.bodies[-1]["messages"] if message["role"] == "tool"]
    assert [result["content"] for result in results] == ["6"]
    assert results[0]["tool_call_id"] in str(server.bodies[-1]["messages"][-2]["tool_calls"])
    assert "uniscale" not in str(server.bodies)
    all_reached(llm, output, 2)


@pytest.mark.filterwarnings("ignore:is_running called from within a step:DeprecationWarning")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_react_agent(shape: tuple[int, int, int]) -> None:
    def says(body: Body, number: int) -> str:
        if "Observation: 3" in str(body["messages"]):
            return "Thought: I know.\nAnswer: 3"
        return 'Thought: I need a tool.\nAction: add\nAction Input: {"a": 1, "b": 2}'

    llm = searching(Server(says), shape)
    output = asyncio.run(_ran(ReActAgent(tools=[ADD], llm=llm), "What is 1 + 2?"))
    assert str(output) == "3"
    all_reached(llm, output, 2)


def test_agents_that_hand_over(server: Server) -> None:
    llm = searching(server, (2, 1, 1))
    agent = AgentWorkflow(agents=[FunctionAgent(name="adds", description="adds", tools=[ADD], llm=llm)], root_agent="adds")
    output = asyncio.run(_ran(agent, "What is 3 + 3?"))
    all_reached(llm, output, 2)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("how", ["sync", "async"])
def test_predict_and_call(server: Server, shape: tuple[int, int, int], how: str) -> None:
    llm = searching(server, shape)
    if how == "sync":
        response = llm.predict_and_call([ADD], user_msg="What is 3 + 3?")
    else:
        response = asyncio.run(llm.apredict_and_call([ADD], user_msg="What is 3 + 3?"))
    assert str(response) == "6"
    all_reached(llm, response, 1)
    [body, *_] = server.bodies
    assert body["tools"][0]["function"]["name"] == "add"
    assert body["tool_choice"] == "auto"
    assert body["parallel_tool_calls"] is False


async def _last(stream: Any) -> Any:
    return [each async for each in await stream][-1]


FORMS: dict[str, Callable[[UniScaleLLM], Any]] = {
    "structured_predict": lambda llm: llm.structured_predict(House, PromptTemplate("The {colour} house"), colour="red"),
    "astructured_predict": lambda llm: asyncio.run(
        llm.astructured_predict(House, PromptTemplate("The {colour} house"), colour="red")
    ),
    "stream_structured_predict": lambda llm: list(
        llm.stream_structured_predict(House, PromptTemplate("The {colour} house"), colour="red")
    )[-1],
    "astream_structured_predict": lambda llm: asyncio.run(
        _last(llm.astream_structured_predict(House, PromptTemplate("The {colour} house"), colour="red"))
    ),
    "as_structured_llm": lambda llm: llm.as_structured_llm(House).chat([ChatMessage("The red house")]).raw,
}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("call", FORMS)
def test_answers_in_a_form(server: Server, shape: tuple[int, int, int], call: str) -> None:
    llm = searching(server, shape)
    found = FORMS[call](llm)
    assert found.model_dump() == HOUSE.model_dump()
    assert "The red house" in str(server.bodies[0]["messages"])
    # Streaming, LlamaIndex itself leaves it to the model whether to answer in the form.
    assert server.bodies[0]["tool_choice"] == ("auto" if "stream" in call else "required")
    assert len(decided(engine_of(llm))) == 1


def test_what_a_structured_llm_gives_knows_its_decision(server: Server) -> None:
    llm = searching(server)
    all_reached(llm, llm.as_structured_llm(House).complete("The red house"), 1)
    found = llm.structured_predict(House, PromptTemplate("The house"))
    assert list(decisions_behind(found) or ()) == decided(engine_of(llm))[1:]


def test_a_call_that_breaks_its_schema_loses() -> None:
    said: Iterator[Body] = iter([{"a": "three", "b": 3}, {"a": 3, "b": 3}, {"b": 3}, {"a": 3, "b": 3}])
    server = Server(fills=lambda body, number: next(said))
    llm = searching(server, (4, 1, 1))
    response = llm.chat_with_tools([ADD], user_msg="What is 3 + 3?")
    [call] = llm.get_tool_calls_from_response(response)
    assert call.tool_kwargs == {"a": 3, "b": 3}


def test_a_round_trip_of_tools(server: Server) -> None:
    llm = searching(server, (2, 1, 1))
    history = [ChatMessage("What is 3 + 3?")]
    response = llm.chat_with_tools([ADD], chat_history=history, tool_required=True)
    assert history == [ChatMessage("What is 3 + 3?")]
    assert {body["tool_choice"] for body in server.bodies} == {"required"}
    [call] = llm.get_tool_calls_from_response(response)
    result = ChatMessage(role=MessageRole.TOOL, content="6", additional_kwargs={"tool_call_id": call.tool_id})
    answer = llm.chat_with_tools([ADD], chat_history=[*history, response.message, result])
    assert answer.message.content == "Hello there.\nAnswer: 4"
    assert llm.get_tool_calls_from_response(answer, error_on_no_tool_call=False) == []
    with pytest.raises(ValueError, match="at least one tool call"):
        llm.get_tool_calls_from_response(answer)
    assert isinstance(answer, ChatResponse)
