"""`prices="auto"`: models whose prices are known cost dollars, one's own prices count more, and units are never mixed."""

from __future__ import annotations

import json
import logging
from typing import Any

import httpx
import pytest
from langchain_core.messages import BaseMessage, HumanMessage, trim_messages
from langchain_openai import ChatOpenAI
from llama_index.llms.openai_like import OpenAILike
from pydantic import SecretStr

from tests.openai_server import Server
from uniscale_integrations import Configuration, ConfigurationSpace, Model, UniScale, UniScaleChatModel, UniScaleLLM
from uniscale_integrations.cost import Price
from uniscale_integrations.cost.price_list import tell
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.langchain.client import LangChainClient


def chat(model: str, **settings: Any) -> ChatOpenAI:
    server = Server()
    clients: dict[str, Any] = {"http_client": server.client(), "http_async_client": server.async_client()}
    return ChatOpenAI(model=model, api_key=SecretStr("test"), **clients | settings)


def prices(engine: UniScale | None) -> dict[str, Price | None]:
    assert engine is not None
    return {name: getattr(model, "price", None) for name, model in engine.models.items()}


MINI, LARGE = Price(0.15, 0.6, 0.075), Price(2.5, 10.0, 1.25)


def test_prices_that_are_known_are_taken_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    tell.cache_clear()
    with caplog.at_level(logging.INFO, "uniscale_integrations.cost.price_list"):
        engine = UniScale(models=[chat("gpt-4o-mini"), chat("gpt-4o")])
        UniScale(models=[chat("gpt-4o-mini"), chat("gpt-4o")])
    assert prices(engine) == {"gpt-4o-mini": MINI, "gpt-4o": LARGE}
    assert engine.brain.in_dollars
    told = [record.message for record in caplog.records if " costs $" in record.message]
    assert len(told) == 2
    assert "gpt-4o-mini costs $0.15 input, 0.075 cached and $0.6 output per million tokens (genai-prices" in told[0]


def test_one_s_own_prices_count_more_and_the_rest_is_looked_up() -> None:
    models = [chat("gpt-4o-mini"), chat("gpt-4o")]
    assert prices(UniScale(models=models, prices={"gpt-4o": (1.0, 2.0)})) == {"gpt-4o-mini": MINI, "gpt-4o": Price(1.0, 2.0)}
    own = UniScale(models=[models[0], Model(models[1], price=(1.0, 2.0, 0.1))])
    assert prices(own) == {"gpt-4o-mini": MINI, "gpt-4o": Price(1.0, 2.0, 0.1)}
    assert set(prices(UniScale(models=models, prices=None)).values()) == {None}
    assert set(prices(UniScale(models=models, prices={})).values()) == {None}
    with pytest.raises(ConfigurationError, match="\"auto\" for those that are known, or None, got 'automatic'"):
        UniScale(models=models, prices="automatic")  # type: ignore[arg-type]


@pytest.mark.parametrize("other", ["uniscale-0.3m", "a-model-of-one-s-own", "gpt-4o@local"])
def test_beside_a_model_without_a_price_none_is_taken_and_that_is_told(other: str, caplog: pytest.LogCaptureFixture) -> None:
    name, _, place = other.partition("@")
    model: Any = other if other == "uniscale-0.3m" else chat(name, **({"base_url": "http://localhost:8000/v1"} if place else {}))
    engine = UniScale(models=[chat("gpt-4o-mini"), model])
    assert set(prices(engine).values()) == {None}
    assert not engine.brain.in_dollars
    assert f"what gpt-4o-mini cost is known, but of {name} neither" in caplog.text
    assert f"prices={{'{name}': (0.25, 2.0)}}" in caplog.text


def test_a_price_that_was_given_still_cannot_stand_beside_eflops() -> None:
    with pytest.raises(ConfigurationError, match="cannot be compared"):
        UniScale(models=[chat("gpt-4o-mini"), "uniscale-0.3m"], prices={"gpt-4o-mini": (0.25, 2.0)})


def test_updates_look_prices_up_of_models_that_come_and_take_them_back_where_they_must() -> None:
    engine = UniScale(models=[chat("gpt-4o-mini")])
    engine.update(models=["gpt-4o-mini", chat("gpt-4o")])
    assert prices(engine) == {"gpt-4o-mini": MINI, "gpt-4o": LARGE}
    engine.update(prices={"gpt-4o": (1.0, 2.0)})
    assert prices(engine) == {"gpt-4o-mini": MINI, "gpt-4o": Price(1.0, 2.0)}
    alone = UniScale(models=[chat("gpt-4o-mini")])
    alone.update(models=["gpt-4o-mini", "uniscale-0.3m"])
    assert not alone.brain.in_dollars
    never = UniScale(models=[chat("gpt-4o-mini")], prices=None)
    never.update(models=["gpt-4o-mini", chat("gpt-4o")])
    assert set(prices(never).values()) == {None}


def test_both_adapters_take_them() -> None:
    assert prices(UniScaleChatModel(models=[chat("gpt-4o-mini")]).engine) == {"gpt-4o-mini": MINI}
    assert prices(UniScaleChatModel(models=[chat("gpt-4o-mini")], prices=None).engine) == {"gpt-4o-mini": None}
    server = Server()
    clients: dict[str, Any] = {"http_client": server.client(), "async_http_client": server.async_client()}
    hosted = OpenAILike(model="gpt-4o-mini", api_base="https://api.openai.com/v1", api_key="test", **clients)
    assert prices(UniScaleLLM(models=[hosted]).engine) == {"gpt-4o-mini": MINI}
    engine = UniScale(models=[hosted])
    assert UniScaleLLM(engine=engine, prices=None).engine is engine


CACHED = {
    "prompt_tokens": 1_000,
    "completion_tokens": 100,
    "total_tokens": 1_100,
    "prompt_tokens_details": {"cached_tokens": 800},
}


def answers_with_cache(request: httpx.Request) -> httpx.Response:
    assert not json.loads(request.content).get("stream")
    choice = {"index": 0, "message": {"role": "assistant", "content": "Answer: 4"}, "finish_reason": "stop"}
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "gpt-4o-mini", "choices": [choice], "usage": CACHED}
    return httpx.Response(200, json=body)


@pytest.mark.parametrize("framework", ["langchain", "llama_index"])
def test_cached_input_tokens_are_charged_at_their_own_price(framework: str) -> None:
    transport = httpx.MockTransport(answers_with_cache)
    http, ahttp = httpx.Client(transport=transport), httpx.AsyncClient(transport=transport)
    space = ConfigurationSpace([Configuration("gpt-4o-mini")])
    model: Any = (
        ChatOpenAI(model="gpt-4o-mini", api_key=SecretStr("test"), http_client=http, http_async_client=ahttp)
        if framework == "langchain"
        else OpenAILike(
            model="gpt-4o-mini", api_base="https://api.openai.com/v1", api_key="test", http_client=http, async_http_client=ahttp,
            is_chat_model=True,
        )
    )  # fmt: skip
    answer = UniScale(models=[model], space=space).run("What is 2 + 2?")
    assert answer.ledger.usage.cached_tokens == 800
    assert answer.ledger.usd == pytest.approx((200 * 0.15 + 800 * 0.075 + 100 * 0.6) / 1e6)


def test_messages_are_trimmed_by_the_tokens_of_the_model_without_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("something was to be fetched")

    model = UniScaleChatModel(models=[chat("gpt-4o-mini"), chat("gpt-4o")])
    monkeypatch.setattr("socket.socket.connect", refuse)
    messages: list[BaseMessage] = [
        HumanMessage("顾客写信说包裹晚到了两天,而且其中一个杯子碎了。" * number) for number in (40, 30, 20, 10)
    ]
    each = [model.get_num_tokens_from_messages([message]) for message in messages]
    assert each[0] > 600, "four characters a token would be 250"
    kept = trim_messages(messages, max_tokens=each[2] + each[3], token_counter=model, strategy="last")
    assert kept == messages[2:]
    assert model.get_num_tokens_from_messages([]) == 0

    def add(a: int, b: int) -> int:
        """Add them."""
        return a + b

    assert model.get_num_tokens_from_messages(messages[:1], tools=[add]) > each[0] + 10


def test_a_conversation_that_a_model_cannot_read_goes_to_one_that_can() -> None:
    small, large = chat("gpt-4o-mini", profile={"max_input_tokens": 500}), chat("gpt-4o", profile={"max_input_tokens": 100_000})
    engine = UniScale(models=[small, large], space=ConfigurationSpace.default(["gpt-4o-mini", "gpt-4o"], [(1, 1, 1)]))
    long = "数一数这些字。" * 200
    decision = engine.decide(long)
    assert decision.configuration.model == "gpt-4o"
    reasons = {each.model: why for each, why in decision.reasons.items()}
    assert "gpt-4o-mini reads 500" in reasons["gpt-4o-mini"]
    assert not engine.decide("数一数这些字。").reasons
    alone = UniScale(models=[small], space=ConfigurationSpace([Configuration("gpt-4o-mini")]))
    assert alone.decide(long).configuration.model == "gpt-4o-mini", "the provider says what is too long"


def test_an_alias_of_a_model_is_counted_and_priced_by_its_own_name() -> None:
    client = LangChainClient(chat("gpt-4", name="mine"))
    assert client.name == "mine"
    assert client.endpoint.model == "gpt-4" if client.endpoint else False
