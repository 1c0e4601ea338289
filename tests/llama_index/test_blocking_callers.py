"""Callers who do not await: where their LLM is asked, and what it finds there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from threading import Event, Thread, current_thread
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, CompletionResponse, LLMMetadata
from llama_index.core.llms import CustomLLM

from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import BudgetError
from uniscale_integrations.llama_index import UniScaleLLM
from uniscale_integrations.log.events import Outcome
from uniscale_integrations.space import Configuration, ConfigurationSpace

ASKED = [ChatMessage("Hi?")]


class Doing(CustomLLM):
    """Does something on the thread on which it is asked, and says what that gave."""

    does: Callable[[], object]

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="doing")

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text=f"Answer: {self.does()}")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError


def around(does: Callable[[], object], shape: tuple[int, int, int] = (1, 1, 1)) -> UniScaleLLM:
    space = ConfigurationSpace([Configuration("doing", *shape)])
    return UniScaleLLM(engine=UniScale([Doing(does=does)], "agreement", space))


def test_a_plain_configuration_asks_its_llm_on_the_caller_s_thread() -> None:
    threads: list[Thread] = []
    llm = around(lambda: threads.append(current_thread()))
    llm.chat(ASKED)
    llm.complete("Hi?")
    assert threads == [current_thread()] * 2

    async def cell() -> None:
        llm.chat(ASKED)

    asyncio.run(cell())
    around(lambda: threads.append(current_thread()), (2, 1, 1)).chat(ASKED)
    assert len(threads) == 5
    assert current_thread() not in threads[2:]


def test_an_llm_that_is_asked_synchronously_finds_no_running_loop() -> None:
    async def add() -> int:
        return 2 + 2

    inner = around(lambda: asyncio.run(add()))
    works: Sequence[Callable[[], object]] = (lambda: asyncio.run(add()), lambda: inner.complete("Hi?").text)
    for does in works:
        assert str(around(does).chat(ASKED).message.content).endswith("Answer: 4")


def test_whoever_is_interrupted_closes_the_decision() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    llm = around(interrupted)
    with pytest.raises(KeyboardInterrupt):
        llm.chat(ASKED)
    assert llm.engine is not None
    assert [entry.event.failed for entry in llm.engine.log.since() if isinstance(entry.event, Outcome)] == ["cancelled"]


def test_an_llm_that_hangs_takes_the_time_that_it_is_given() -> None:
    held = Event()
    began = time.monotonic()
    with pytest.raises(BudgetError):
        around(lambda: held.wait(30)).chat(ASKED, deadline=0.2)
    assert time.monotonic() - began < 10
    held.set()
