"""Tool loops of agents over the real client: who began goes on."""

from __future__ import annotations

import asyncio

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.tools import FunctionTool

from tests.llama_index.conftest import like
from tests.logged import decisions
from tests.openai_server import Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.llama_index import UniScaleLLM
from uniscale_integrations.space import ConfigurationSpace

# LlamaIndex reads what pydantic has renamed.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")

NAMES = ("gpt-8b", "gpt-70b")


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


ADD = FunctionTool.from_defaults(add)


def two(policy: str = "random") -> UniScaleLLM:
    """An LLM over two LLMs, each with a server of its own."""
    space = ConfigurationSpace.default(NAMES, ((1, 1, 1),))
    engine = UniScale([like(Server(), name) for name in NAMES], None, space, (0.0, 0.0, 1.0), policy=policy)
    return UniScaleLLM(engine=engine)


@pytest.mark.parametrize("streaming", [True, False], ids=["streaming", "whole"])
def test_each_run_of_an_agent_stays_with_the_model_that_began_it(streaming: bool) -> None:
    llm = two()
    assert llm.engine is not None
    agent = FunctionAgent(tools=[ADD], llm=llm, streaming=streaming)

    async def ran(asked: str) -> None:
        await agent.run(asked, max_iterations=5)

    for number in range(8):
        asyncio.run(ran(f"What is {number} + 3?"))
    chosen = [decision.configuration.model for decision in decisions(llm.engine)]
    assert len(chosen) == 16
    assert chosen[::2] == chosen[1::2]
    assert set(chosen) == set(NAMES)


def test_messages_without_what_was_written_on_them_are_known_again() -> None:
    llm = two("linucb")
    question = ChatMessage(role=MessageRole.USER, content="What is 1 + 2?")
    response = llm.chat_with_tools([ADD], chat_history=[question], model=NAMES[1])
    message = response.message.model_copy(update={"additional_kwargs": {}})
    [call] = llm.get_tool_calls_from_response(response)
    result = ChatMessage(role=MessageRole.TOOL, content="3", additional_kwargs={"tool_call_id": call.tool_id})
    llm.chat_with_tools([ADD], chat_history=[question, message, result])
    assert llm.engine is not None
    assert [decision.configuration.model for decision in decisions(llm.engine)] == [NAMES[1]] * 2
