"""UniScale in agents: as their model, as a middleware, and as what LangChain's router asks."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelChoice, ModelRouterMiddleware
from langchain.agents.structured_output import ProviderStrategy
from langchain_core.decisions import Choice, Score
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from pydantic import BaseModel

from tests.langchain.conftest import openai, searching
from tests.openai_server import Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.langchain import UniScaleDecisionModel, UniScaleMiddleware
from uniscale_integrations.langchain.generator import as_generator
from uniscale_integrations.log.events import DecisionEvent, Feedback
from uniscale_integrations.space import ConfigurationSpace

LIMIT: Any = {"recursion_limit": 10}
ASKED: Any = {"messages": [HumanMessage("Add 1 and 2.")]}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Sum(BaseModel):
    """A sum."""

    total: int


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 2, 1)], ids=str)
def test_it_is_the_model_of_an_agent(server: Server, shape: tuple[int, int, int]) -> None:
    agent = create_agent(searching(server, shape), [add])
    messages = agent.invoke(ASKED, LIMIT)["messages"]
    assert [message.type for message in messages] == ["human", "ai", "tool", "ai"]
    assert messages[2].content == "6"
    assert {body["tools"][0]["function"]["name"] for body in server.bodies} == {"add"}
    streamed = asyncio.run(_streamed(agent))
    assert any(chunk.tool_call_chunks for chunk in streamed)


async def _streamed(agent: Any) -> list[Any]:
    return [chunk async for chunk, _ in agent.astream(ASKED, LIMIT, stream_mode="messages") if chunk.type == "AIMessageChunk"]


def test_an_agent_s_answer_in_a_form_that_the_provider_enforces(server: Server) -> None:
    agent: Any = create_agent(searching(server, (2, 1, 1)), response_format=ProviderStrategy(Sum))
    assert agent.invoke(ASKED, LIMIT)["structured_response"] == Sum(total=3)
    assert all(body["response_format"]["type"] == "json_schema" for body in server.bodies)


def test_a_middleware_answers_for_the_agent_s_own_model(server: Server) -> None:
    own = Server()
    middleware = UniScaleMiddleware(searching(server))
    agent = create_agent(openai(own, "gpt-own"), [add], middleware=[middleware])
    run_id = uuid4()
    for state in (agent.invoke(ASKED, LIMIT | {"run_id": run_id}), asyncio.run(agent.ainvoke(ASKED, LIMIT))):
        assert "uniscale" in state["messages"][-1].response_metadata
    assert len(server.bodies) == 4
    assert own.bodies == []
    engine = middleware.model.engine
    assert engine is not None
    assert engine.feedback(run_id, 1.0, source="test")
    assert sum(isinstance(entry.event, Feedback) for entry in engine.log.since()) == 2


@pytest.mark.filterwarnings("ignore:.*ModelRouterMiddleware.*beta")
def test_langchain_s_router_asks_the_engine_and_feedback_on_the_run_teaches_it() -> None:
    servers = {name: Server() for name in ("gpt-8b", "gpt-70b")}
    engine = UniScale(
        [as_generator(openai(server, name)) for name, server in servers.items()],
        "agreement",
        ConfigurationSpace.default(servers, ((1, 1, 1),)),
        mode=(0.0, 0.0, 1.0),
    )
    classifier = UniScaleDecisionModel(engine=engine, routes={"fast": "gpt-8b", "powerful": "gpt-70b"})
    choices = {
        label: ModelChoice(model=openai(servers[name], name), criteria=label)
        for label, name in (("fast", "gpt-8b"), ("powerful", "gpt-70b"))
    }
    router: Any = ModelRouterMiddleware(choices=choices, instructions="Choose.", classifier=classifier)
    agent = create_agent(openai(Server(), "gpt-own"), middleware=[router])
    run_id = uuid4()
    state: Any = agent.invoke(ASKED, LIMIT | {"run_id": run_id})
    assert state["model_route"].choice == "fast"
    assert (len(servers["gpt-8b"].bodies), len(servers["gpt-70b"].bodies)) == (1, 0)
    assert engine.feedback(run_id, 1.0, source="test")
    decisions = [entry.event.decision_id for entry in engine.log.since() if isinstance(entry.event, DecisionEvent)]
    assert [entry.event.decision_id for entry in engine.log.since() if isinstance(entry.event, Feedback)] == decisions


def test_what_the_engine_cannot_choose_is_told(server: Server) -> None:
    engine = searching(server).engine
    assert engine is not None
    classifier = UniScaleDecisionModel(engine=engine)
    with pytest.raises(ConfigurationError, match="the engine chooses models only; 'how' is a score"):
        classifier.invoke({"state": "Hi?", "questions": {"how": Score(criteria=["a", "b"], instructions="?")}})
    with pytest.raises(ConfigurationError, match="'fast' is no model of the engine, which has gpt-test"):
        classifier.invoke({"state": "Hi?", "questions": {"which": Choice(criteria={"fast": None}, instructions="?")}})
    which = Choice(criteria={"gpt-test": None}, instructions="?")
    response = classifier.invoke({"state": [HumanMessage("Hi?")], "questions": {"which": which}})
    assert response.choices["which"].choice == "gpt-test"
    assert response.request_id
