"""Callers who do not await: where their model is asked, and what it finds there."""

from __future__ import annotations

import asyncio
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from threading import Barrier, Event, Thread, current_thread
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda
from langchain_core.runnables.config import var_child_runnable_config

from tests.langchain.conftest import openai, searching
from tests.openai_server import Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import BudgetError
from uniscale_integrations.langchain import UniScaleChatModel
from uniscale_integrations.langchain.client import LangChainClient
from uniscale_integrations.langchain.generator import as_generator
from uniscale_integrations.log.events import Outcome
from uniscale_integrations.models.chat import ChatStepModel
from uniscale_integrations.models.chat.server import ServerClient
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.verifiers import Agreement, CallableVerifier, Ensemble, SelfCertainty

_mark: ContextVar[str] = ContextVar("mark", default="nothing")


class Doing(BaseChatModel):
    """Does something on the thread on which it is asked, and says what that gave."""

    does: Callable[[], object]

    @property
    def _llm_type(self) -> str:
        return "doing"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(f"Answer: {self.does()}"))])


def around(does: Callable[[], object], shape: tuple[int, int, int] = (1, 1, 1), **settings: Any) -> UniScaleChatModel:
    generator = as_generator(Doing(does=does), **settings)
    return UniScaleChatModel(
        engine=UniScale([generator], "agreement", ConfigurationSpace([Configuration(generator.name, *shape)]))
    )


def failures(model: UniScaleChatModel) -> list[str]:
    assert model.engine is not None
    return [entry.event.failed for entry in model.engine.log.since() if isinstance(entry.event, Outcome)]


@pytest.fixture
def threads() -> list[Thread]:
    """Those on which a model was asked."""
    return []


@pytest.fixture
def held() -> Iterator[Event]:
    """What a model waits for that hangs."""
    event = Event()
    yield event
    event.set()


def test_a_plain_configuration_asks_its_model_on_the_caller_s_thread(threads: list[Thread]) -> None:
    model = around(lambda: threads.append(current_thread()))
    model.invoke("Hi?")
    assert model.engine is not None
    model.engine.run("Hi?")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(model.invoke, "Hi?").result()
        [other] = pool.map(lambda _: current_thread(), [0])
    assert threads == [current_thread(), current_thread(), other]
    asyncio.run(model.ainvoke("Hi?"))
    assert threads[3] is not current_thread()


def test_candidates_are_sampled_side_by_side(threads: list[Thread]) -> None:
    both = Barrier(2)

    def meets() -> None:
        threads.append(current_thread())
        both.wait(10)

    message = around(meets, (2, 1, 1)).invoke("Hi?")
    assert message.response_metadata["uniscale"]["configuration"]["qp"] == 2
    assert len({*threads, current_thread()}) == 3


def test_a_model_that_is_asked_synchronously_finds_no_running_loop() -> None:
    async def add() -> int:
        return 2 + 2

    inner = around(lambda: asyncio.run(add()))
    for does in (lambda: asyncio.run(add()), lambda: inner.invoke("Hi?").text, lambda: asyncio.run(inner.ainvoke("Hi?")).text):
        for shape in ((1, 1, 1), (2, 1, 1)):
            assert around(does, shape).invoke("Hi?").text.endswith("Answer: 4")


def test_a_caller_within_a_running_loop_is_served_by_another_thread(threads: list[Thread]) -> None:
    model = around(lambda: threads.append(current_thread()))

    async def cell() -> str:
        assert model.engine is not None
        return model.invoke("Hi?").text + model.engine.run("Hi?").text

    assert asyncio.run(cell()) == "Answer: None" * 2
    assert len(threads) == 2
    assert current_thread() not in threads


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1)], ids=str)
@pytest.mark.parametrize("settings", [{"deadline": 0.2}, {"timeout": 0.2}], ids=str)
def test_a_model_that_hangs_takes_the_time_that_it_is_given(
    held: Event, threads: list[Thread], shape: tuple[int, int, int], settings: dict[str, float]
) -> None:
    def hangs() -> None:
        threads.append(current_thread())
        held.wait(30)

    model = around(hangs, shape, timeout=settings.get("timeout"))
    began = time.monotonic()
    with pytest.raises((BudgetError, TimeoutError)):
        model.invoke("Hi?", deadline=settings.get("deadline"))
    assert time.monotonic() - began < 10
    assert current_thread() not in threads


@pytest.mark.parametrize("ask", ["invoke", "run"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_whoever_is_interrupted_closes_the_decision(ask: str, error: type[BaseException]) -> None:
    said: list[BaseException] = [error()]

    def interrupted() -> int:
        while said:
            raise said.pop()
        return 4

    model = around(interrupted)
    assert model.engine is not None
    call: Callable[[str], Any] = model.invoke if ask == "invoke" else model.engine.run
    with pytest.raises(error):
        call("Hi?")
    assert failures(model) == ["cancelled"]
    assert call("Hi?").text == "Answer: 4"


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no alarms here")
def test_an_alarm_ends_the_request_and_is_no_failure_of_the_model(held: Event) -> None:
    class Late(Exception):
        """The caller's time is up."""

    def ring(number: int, frame: object) -> None:
        raise Late

    model = around(lambda: held.wait(30))
    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(Late):
            model.invoke("Hi?")
    finally:
        signal.signal(signal.SIGALRM, before)
    until = time.monotonic() + 10
    while not failures(model) and time.monotonic() < until:
        time.sleep(0.01)
    assert failures(model) == ["cancelled"]


def test_what_a_model_raises_reaches_the_caller_with_its_traceback() -> None:
    def fails() -> None:
        raise LookupError("not there")

    with pytest.raises(LookupError, match="not there") as caught:
        around(fails).invoke("Hi?")
    assert "fails" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


def test_a_model_sees_the_caller_s_context_without_its_callbacks() -> None:
    class Starting(BaseCallbackHandler):
        run_inline = True

        def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
            started.append(str(kwargs.get("parent_run_id")))

    def looks() -> str:
        seen.append((_mark.get(), var_child_runnable_config.get()))
        _mark.set("the model's")
        return _mark.get()

    started: list[str] = []
    seen: list[Any] = []
    model = around(looks)

    def step(asked: str) -> str:
        _mark.set("the step's")
        return f"{model.invoke(asked).text} {_mark.get()}"

    text = RunnableLambda(step).invoke("Hi?", {"callbacks": [Starting()]})
    assert text == "Answer: the model's the step's"
    assert seen == [("the step's", None)]
    # One run, below the step's.
    assert len(started) == 1
    assert started != ["None"]
    assert _mark.get() == "nothing"


def test_many_callers_at_once_are_all_answered(server: Server) -> None:
    model = searching(server)
    with ThreadPoolExecutor(200) as pool:
        texts = list(pool.map(lambda number: model.invoke(f"{number} + 2?").text, range(400)))
    assert texts == ["Hello there.\nAnswer: 4"] * 400


def test_only_what_belongs_to_no_event_loop_is_served_on_the_caller_s_thread(server: Server) -> None:
    own, hosted = ChatStepModel(ServerClient("http://server/v1", "own")), as_generator(openai(server))
    assert isinstance(hosted.client, LangChainClient)

    def loop_free(models: list[Any], verifier: Any) -> bool:
        return UniScale(models, verifier).brain.loop_free

    assert loop_free([hosted], None)
    assert loop_free([hosted], Agreement())
    assert loop_free([hosted], Ensemble([(Agreement(), 1.0), (SelfCertainty(), 1.0)]))
    assert not loop_free([hosted, own], None)
    assert not loop_free(["uniscale-0.3m"], None)
    asks = CallableVerifier(lambda question, before, step: 0.5)
    assert not loop_free([hosted], asks)
    assert not loop_free([hosted], Ensemble([(Agreement(), 1.0), (asks, 1.0)]))
