"""Tool loops and sessions of agents over the real clients: who began goes on."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    ToolMessage,
    convert_to_messages,
    convert_to_openai_messages,
)
from langchain_core.tools import tool

from tests.langchain.conftest import openai
from tests.logged import decisions
from tests.openai_server import Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.langchain import UniScaleChatModel
from uniscale_integrations.langchain.generator import as_generator
from uniscale_integrations.space import ConfigurationSpace

NAMES = ("gpt-8b", "gpt-70b")
LIMIT: Any = {"recursion_limit": 10}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def two(policy: str = "random", log: str = "sqlite://") -> UniScaleChatModel:
    """A chat model over two models, each with a server of its own."""
    models = [as_generator(openai(Server(), name)) for name in NAMES]
    space = ConfigurationSpace.default(NAMES, ((1, 1, 1),))
    return UniScaleChatModel(engine=UniScale(models, None, space, (0.0, 0.0, 1.0), log, policy=policy, sync_interval=0.0))


def test_each_run_of_an_agent_stays_with_the_model_that_began_it() -> None:
    model = two()
    agent = create_agent(model, [add])
    for number in range(12):
        messages = agent.invoke({"messages": [HumanMessage(f"Add {number} and 2.")]}, LIMIT)["messages"]
        assert [message.type for message in messages] == ["human", "ai", "tool", "ai"]
    assert model.engine is not None
    chosen = [decision.configuration.model for decision in decisions(model.engine)]
    assert chosen[::2] == chosen[1::2]
    assert set(chosen) == set(NAMES)


def rebuilt(messages: list[BaseMessage]) -> list[BaseMessage]:
    """The messages as an application keeps them that stores roles, texts and tool calls alone."""
    again = convert_to_messages(convert_to_openai_messages(messages))
    assert not any(message.response_metadata for message in again if isinstance(message, AIMessage))
    return again


def test_messages_that_an_application_has_rebuilt_are_known_again_also_by_another_worker(tmp_path: Any) -> None:
    log = f"sqlite:///{tmp_path / 'log.db'}"
    first, second = two("linucb", log), two("linucb", log)
    question = HumanMessage("Add 1 and 2.")
    assert first.bind_tools([add]).invoke([question]).response_metadata["model_name"] == NAMES[0], "the cheaper one"
    call = first.bind_tools([add]).invoke([question], model=NAMES[1])
    assert isinstance(call, AIMessage)
    result = ToolMessage("3", tool_call_id=call.tool_calls[0]["id"])
    for model in (first, second):
        for messages in ([question, call, result], rebuilt([question, call, result])):
            reply = model.bind_tools([add]).invoke(messages)
            assert reply.response_metadata["uniscale"]["configuration"]["model"] == NAMES[1]
