"""The contract between adapters and the engine, by a dialect that is of neither framework."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from tests.adapters.openai_dialect import OpenAIDialect
from uniscale_integrations.adapters.options import call_from, conversation_from
from uniscale_integrations.adapters.service import Call, Dialect, answer, stream
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.search.conversation import Turn
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.telemetry import Decided, Ended, Event

MODEL = "uniscale-0.3m"
QUESTION = [{"role": "user", "content": "What is 12 + 30 - 7?"}]
SHAPES = [(1, 1, 1), (1, 4, 1), (2, 2, 1)]


def engine(shape: tuple[int, int, int] = (1, 1, 1)) -> UniScale:
    return UniScale([MODEL], space=ConfigurationSpace([Configuration(MODEL, *shape)]))


def typed() -> Dialect[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The type checker's own word that the dialect is one."""
    return OpenAIDialect()


async def streamed(model: UniScale, options: dict[str, Any], events: list[Event]) -> list[dict[str, Any]]:
    dialect = typed()
    call = dialect.call(model, QUESTION, options, streaming=True)
    return [chunk async for chunk in stream(model, call, dialect, observe=events.append)]


def content(chunks: list[dict[str, Any]]) -> str:
    return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
async def test_a_reply_has_text_usage_and_a_decision_that_learns(shape: tuple[int, int, int]) -> None:
    model, dialect = engine(shape), typed()
    call = dialect.call(model, QUESTION, {"temperature": 0.7, "seed": 3})
    reply = dialect.reply(await answer(model, call), call)
    [choice] = reply["choices"]
    assert choice["message"]["content"]
    assert choice["finish_reason"] in ("stop", "length")
    assert reply["usage"]["completion_tokens"] > 0
    assert model.feedback(reply["uniscale"]["decision_id"], 1.0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
async def test_a_stream_says_what_its_answer_says(shape: tuple[int, int, int]) -> None:
    events: list[Event] = []
    chunks = await streamed(engine(shape), {"seed": 3}, events)
    ended = [event for event in events if isinstance(event, Ended)]
    assert isinstance(events[0], Decided)
    assert ended[0].answer is not None
    assert content(chunks) == ended[0].answer.text
    # Two trees need not agree on anything before the end.
    assert len(chunks) > 2 or shape[0] > 1
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1]["usage"]["total_tokens"] > 0
    assert chunks[-1]["uniscale"]["decision_id"] == ended[0].decision_id


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 4, 1)], ids=str)
async def test_leaving_a_stream_early_cancels_the_search(shape: tuple[int, int, int]) -> None:
    model, dialect, events = engine(shape), typed(), list[Event]()
    call = dialect.call(model, QUESTION, {}, streaming=True)
    async with aclosing(stream(model, call, dialect, observe=events.append)) as chunks:
        async for chunk in chunks:
            assert chunk["choices"][0]["delta"]["content"]
            break
    [end] = [event for event in events if isinstance(event, Ended)]
    assert isinstance(end.error, asyncio.CancelledError)
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 4, 1)], ids=str)
async def test_stop_texts_end_a_stream(shape: tuple[int, int, int]) -> None:
    model = engine(shape)
    whole = content(await streamed(model, {"seed": 3}, []))
    stop = whole[len(whole) // 2 :][:3]
    assert content(await streamed(model, {"seed": 3, "stop": stop}, [])) == whole.partition(stop)[0]


async def test_a_form_that_no_model_can_give_is_refused() -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "any", "schema": {"type": "object"}}}
    with pytest.raises(ConfigurationError, match="structure"):
        await streamed(engine(), {"response_format": schema}, [])


def test_options_become_a_call() -> None:
    model = engine()
    conversation = conversation_from([Turn("user", "Hi?")], None, {"temperature": 0.1, "max_tokens": 5, "model": MODEL}, ())
    call = call_from(model, conversation, {"mode": "quality-first", "weights": [1, 2, 3], "budget": 5.0, "deadline": 2})
    assert call.mode == (1, 2, 3)
    assert (call.budget.eflops, call.budget.seconds) == (5.0, 2.0)
    assert call.sampling is not None
    assert (call.sampling.temperature, call.sampling.max_tokens) == (0.1, 5)
    assert call.models == [MODEL]


def test_a_call_says_nothing_of_its_own() -> None:
    conversation = conversation_from([Turn("user", "Hi?")], None, {}, ())
    assert call_from(engine(), conversation, {}) == Call(conversation)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budgets": 3}, "did you mean 'budget'"),
        ({"temperature": "hot"}, "temperature must be a number"),
        ({"model": "gpt-0"}, "asks for the model 'gpt-0'"),
        ({"deadline": True}, "deadline must be a number of seconds"),
    ],
    ids=str,
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        typed().call(engine(), QUESTION, options)
