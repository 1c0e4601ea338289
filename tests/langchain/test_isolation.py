"""Calls of inner models that nobody who watches the outer one may see."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, ClassVar
from unittest.mock import create_autospec

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.globals import set_debug
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers import context as hooks
from langchain_core.tracers.context import register_configure_hook, tracing_v2_enabled
from langsmith import Client

from tests.langchain.conftest import searching
from tests.openai_server import Server
from uniscale_integrations.langchain.isolation import isolated

PROMPT = ChatPromptTemplate.from_messages([("human", "{question}")])
GIVEN = {"question": "What is 2 + 2?"}


class Counting(BaseCallbackHandler):
    """Counts what it is told of."""

    run_inline = True

    def __init__(self) -> None:
        self.started: list[str] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self.started.append(str(serialized.get("name") or serialized["id"][-1]))


@pytest.fixture
def hooked() -> Iterator[Counting]:
    """A handler that installs itself as tracers do, by a context variable whose default every thread sees."""
    handler = Counting()
    before = list(hooks._configure_hooks)
    register_configure_hook(ContextVar("test_hook", default=handler), inheritable=True)
    yield handler
    hooks._configure_hooks[:] = before


@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 1, 1), (2, 2, 1)], ids=str)
def test_a_handler_that_hooks_into_every_run_sees_one(server: Server, hooked: Counting, shape: tuple[int, int, int]) -> None:
    chain = PROMPT | searching(server, shape)
    chain.invoke(GIVEN)
    asyncio.run(chain.ainvoke(GIVEN))
    list(chain.stream(GIVEN))
    chain.batch([GIVEN, GIVEN])
    assert hooked.started == ["UniScaleChatModel"] * 5


@pytest.mark.parametrize("call", ["invoke", "ainvoke", "stream"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 2, 1)], ids=str)
def test_a_langsmith_tracer_sees_one(server: Server, shape: tuple[int, int, int], call: str) -> None:
    client = create_autospec(Client, instance=True)
    chain = PROMPT | searching(server, shape)
    with tracing_v2_enabled(client=client):
        if call == "invoke":
            chain.invoke(GIVEN)
        elif call == "ainvoke":
            asyncio.run(chain.ainvoke(GIVEN))
        else:
            list(chain.stream(GIVEN))
    models = [call.kwargs for call in client.create_run.call_args_list if call.kwargs.get("run_type") == "llm"]
    assert [model["name"] for model in models] == ["UniScaleChatModel"]


def test_a_model_inside_a_function_of_a_chain_is_seen_once(server: Server, hooked: Counting) -> None:
    model = searching(server, (4, 1, 1))
    chain = PROMPT | RunnableLambda(lambda prompt: model.invoke(prompt).text)
    assert chain.invoke(GIVEN)
    assert hooked.started == ["UniScaleChatModel"]


def test_the_caller_s_own_context_stays_as_it_was(hooked: Counting) -> None:
    mine: ContextVar[str] = ContextVar("mine", default="")
    mine.set("kept")
    inside = isolated()
    assert inside[mine] == "kept"
    assert all(inside.get(variable) is None for variable, *_ in hooks._configure_hooks)
    assert [variable.get() for variable, *_ in hooks._configure_hooks if variable.name == "test_hook"] == [hooked]


class Asked(Counting):
    """A kind of handler that an environment variable asks for."""

    seen: ClassVar[list[str]] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self.seen.append(str(serialized.get("name")))


def test_a_handler_that_an_environment_variable_asks_for_sees_one(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_configure_hooks", hooks._configure_hooks.copy())
    monkeypatch.setenv("TEST_ASKS_FOR_IT", "true")
    register_configure_hook(ContextVar("test_asked", default=None), True, Asked, "TEST_ASKS_FOR_IT")
    searching(server, (2, 1, 1)).invoke("Hi?")
    assert Asked.seen == ["UniScaleChatModel"]


def test_debugging_prints_the_outer_call_alone(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    model = searching(server, (2, 1, 1))
    set_debug(True)
    try:
        model.invoke("What is 2 + 2?")
    finally:
        set_debug(False)
    printed = capsys.readouterr().out
    assert "UniScaleChatModel" in printed
    assert "ChatOpenAI" not in printed
