"""Tags reach the log from wherever a decision is taken."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.instant import InstantGenerator
from tests.logged import decisions
from uniscale_integrations import UniScale, UniScaleChatModel, UniScaleLLM
from uniscale_integrations.engine.tags import tagged
from uniscale_integrations.errors import ConfigurationError


@pytest.fixture
def engine() -> UniScale:
    return UniScale([InstantGenerator(name="small"), InstantGenerator(name="large")], None)


def tags(engine: UniScale) -> list[object]:
    return [each.extra.get("tags") for each in decisions(engine)]


def test_blocks_within_blocks_and_none_outside(engine: UniScale) -> None:
    engine.run("What is 1 + 1?")
    with tagged("user-17", "beta"):
        engine.run("What is 1 + 2?")
        with tagged("session-3", "beta"):
            engine.decide("What is 1 + 3?")
        engine.run("What is 1 + 4?")
    engine.run("What is 1 + 5?")
    assert tags(engine) == [None, ["user-17", "beta"], ["user-17", "beta", "session-3"], ["user-17", "beta"], None]


def test_tasks_and_threads_have_their_own(engine: UniScale) -> None:
    async def ask(who: str) -> None:
        with tagged(who):
            await asyncio.sleep(0.0)
            await engine.arun("What is 1 + 1?")

    async def several() -> None:
        await asyncio.gather(*(ask(f"user-{number}") for number in range(5)))

    asyncio.run(several())
    assert sorted(map(str, tags(engine))) == [f"['user-{number}']" for number in range(5)]
    with tagged("here"), ThreadPoolExecutor(1) as pool:
        pool.submit(engine.run, "What is 1 + 2?").result()
    assert tags(engine)[-1] is None, "a thread of one's own is told by contextvars.copy_context, as ever"


def test_calls_of_the_frameworks_have_them(engine: UniScale) -> None:
    chat_model, llm = UniScaleChatModel(engine=engine), UniScaleLLM(engine=engine)
    with tagged("user-17"):
        chat_model.invoke("What is 1 + 1?")
        chat_model.batch(["What is 1 + 2?", "What is 1 + 3?"])
        list(chat_model.stream("What is 1 + 4?"))
        llm.complete("What is 1 + 5?")
        list(llm.stream_complete("What is 1 + 6?"))
        asyncio.run(both(chat_model, llm))
    assert tags(engine) == [["user-17"]] * 8


async def both(chat_model: UniScaleChatModel, llm: UniScaleLLM) -> None:
    await chat_model.ainvoke("What is 1 + 7?")
    await llm.acomplete("What is 1 + 8?")


def test_tags_that_are_none_are_refused() -> None:
    for tag in ("", "x" * 201, 7):
        with pytest.raises(ConfigurationError, match="a tag is a text"), tagged(tag):  # type: ignore[arg-type]
            pass
    with pytest.raises(ConfigurationError, match="at most 20 tags"), tagged(*map(str, range(21))):
        pass
