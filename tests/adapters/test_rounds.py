"""Requests of several rounds through the frameworks."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from llama_index.core.llms import ChatMessage

from tests.engine.test_rounds import Stubborn, engine
from tests.engine.two_models import Half
from tests.langchain.conftest import openai
from tests.llama_index.conftest import like
from tests.openai_server import Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.langchain import UniScaleChatModel
from uniscale_integrations.llama_index import UniScaleLLM
from uniscale_integrations.space import ConfigurationSpace

QUESTION = "What is 2 + 3?"


def rounds_on(metadata: Any) -> list[tuple[str, bool]]:
    return [(each["configuration"]["model"], each["kept"]) for each in metadata["uniscale"].get("rounds", [])]


@pytest.fixture
def made() -> UniScale:
    return engine()


def test_a_message_of_langchain_tells_of_its_rounds(made: UniScale) -> None:
    model = UniScaleChatModel(engine=made)
    for message in (model.invoke(QUESTION), asyncio.run(model.ainvoke(QUESTION))):
        assert isinstance(message, AIMessage)
        assert message.content == "Answer: 5"
        assert rounds_on(message.response_metadata) == [("small", False), ("large", True)]
        assert made.feedback(message, 1.0)


def test_a_call_of_langchain_says_how_many_rounds_it_has(made: UniScale) -> None:
    model = UniScaleChatModel(engine=made)
    for once in (
        model.bind(rounds=1).invoke(QUESTION),
        model.invoke(QUESTION, {"configurable": {"uniscale_rounds": 1}}),
        model.invoke(QUESTION, rounds=1),
    ):
        assert rounds_on(once.response_metadata) == [("small", True)]


def test_nothing_is_streamed_that_a_later_round_takes_back(made: UniScale) -> None:
    model = UniScaleChatModel(engine=made)
    chunks = list(model.stream(QUESTION))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert isinstance(whole, AIMessageChunk)
    assert whole.content == "Answer: 5"
    assert all("4" not in str(chunk.content) for chunk in chunks)
    assert rounds_on(whole.response_metadata) == [("small", False), ("large", True)]
    once = "".join(str(chunk.content) for chunk in model.stream(QUESTION, rounds=1))
    assert once == "Answer: 4"


def test_an_engine_that_was_not_told_reads_streams_once() -> None:
    made = engine(rounds=None)
    model = UniScaleChatModel(engine=made)
    assert "".join(str(chunk.content) for chunk in model.stream(QUESTION)) == "Answer: 4"
    assert model.invoke(QUESTION).content == "Answer: 5"
    assert "".join(str(chunk.content) for chunk in model.stream(QUESTION, rounds=2)) == "Answer: 5"


def test_a_response_of_llama_index_tells_of_its_rounds(made: UniScale) -> None:
    llm = UniScaleLLM(engine=made)
    messages = [ChatMessage(QUESTION)]
    for response in (llm.chat(messages), asyncio.run(llm.achat(messages))):
        assert response.message.content == "Answer: 5"
        assert rounds_on(response.additional_kwargs) == [("small", False), ("large", True)]
        assert made.feedback(response, 1.0)
    assert llm.chat(messages, rounds=1).message.content == "Answer: 4"
    streamed = list(llm.stream_chat(messages))
    assert streamed[-1].message.content == "Answer: 5"
    assert all("4" not in (each.delta or "") for each in streamed)
    assert str(llm.complete(QUESTION)) == "Answer: 5"


def stubborn(small: Any, large: Any) -> UniScale:
    """An engine that asks the small model for as long as it may."""
    space = ConfigurationSpace.default(["small", "large"], [(1, 1, 1)])
    return UniScale([small, large], Half(), space, policy=Stubborn, rounds=2)


@pytest.mark.parametrize(
    ("settings", "options", "times"),
    [
        ({}, {}, 2),
        ({"temperature": 0.7}, {}, 2),
        ({"temperature": 0.0}, {}, 1),
        ({"temperature": 0.0}, {"temperature": 0.7}, 2),
        ({"seed": 3}, {}, 1),
        ({}, {"seed": 3}, 1),
        ({}, {"temperature": 0.0}, 1),
    ],
)
def test_a_model_that_is_set_up_to_say_the_same_is_asked_once(
    settings: dict[str, Any], options: dict[str, Any], times: int
) -> None:
    server = Server(lambda body, number: "Answer: 4")
    made = stubborn(openai(server, "small", **settings), openai(server, "large", **settings))
    UniScaleChatModel(engine=made).invoke(QUESTION, **options)
    assert [body["model"] for body in server.bodies] == ["small"] * times


@pytest.mark.parametrize(
    ("settings", "options", "times"),
    [
        ({"temperature": 0.7}, {}, 2),
        # What LlamaIndex has models draw at where nobody says anything.
        ({}, {}, 1),
        ({"temperature": 0.7, "additional_kwargs": {"seed": 3}}, {}, 1),
        ({"temperature": 0.7}, {"seed": 3}, 1),
    ],
)
def test_an_llm_that_is_set_up_to_say_the_same_is_asked_once(
    settings: dict[str, Any], options: dict[str, Any], times: int
) -> None:
    server = Server(lambda body, number: "Answer: 4")
    made = stubborn(like(server, "small", **settings), like(server, "large", **settings))
    UniScaleLLM(engine=made).chat([ChatMessage(QUESTION)], **options)
    assert [body["model"] for body in server.bodies] == ["small"] * times
