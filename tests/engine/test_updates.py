"""Models that come, go and change while requests go on."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from langchain_core.language_models import FakeListChatModel

from tests.engine.two_models import QUESTIONS, Saying, engine
from uniscale_integrations.engine import Model, UniScale
from uniscale_integrations.errors import (
    ConfigurationError,
)
from uniscale_integrations.langchain.generator import as_generator
from uniscale_integrations.search.answer import Answer


def test_models_come_and_go_and_prices_change_while_requests_go_on(log: str) -> None:
    made = engine(log=log)
    for turn in range(12):
        made.feedback(made.run(QUESTIONS[turn % 2]), float(turn % 3 > 0))
    before, fold = made.state(), made._knowledge.replica.fold
    told = dict(zip(map(str, before["arms.configurations"]), before["told"].tolist(), strict=True))
    made.update(models=["small", "large", Model(Saying("third", 4e6, "Answer: 4"), successor_of="small")])
    assert list(made.models) == ["small", "large", "third"]
    assert {each.model for each in made.space} == {"small", "large", "third"}
    after = made.state()
    now = dict(zip(map(str, after["arms.configurations"]), after["told"].tolist(), strict=True))
    assert {name: now[name] for name in told} == told
    assert after["seen"] == before["seen"]
    made.feedback(made.run(QUESTIONS[0], models=["third"]), 1.0)
    assert made.state()["told"].sum() == sum(told.values()) + 1
    made.update(models=["large", "third"])
    assert {each.model for each in made.space} == {"large", "third"}
    assert made.run(QUESTIONS[0]).configuration.model in ("large", "third")
    assert made._knowledge.replica.fold is not fold
    with pytest.raises(ConfigurationError, match="the models are large, third"):
        made.update(prices={"small": (1.0, 2.0)})
    with pytest.raises(ConfigurationError, match="which counts its own cost in eFLOPs"):
        made.update(prices={"large": (1.0, 2.0)})
    with pytest.raises(ConfigurationError, match="an engine needs at least one model"):
        made.update(models=[])
    assert list(made.models) == ["large", "third"]


def test_a_request_under_way_ends_as_it_began(log: str) -> None:
    made = engine(log=log)

    async def answered() -> Answer:
        running = asyncio.create_task(made.arun(QUESTIONS[0], models=["small"]))
        await asyncio.sleep(0)
        await asyncio.to_thread(made.update, models=["large"])
        return await running

    answer = asyncio.run(answered())
    assert answer.configuration.model == "small"
    assert made.feedback(answer, 1.0), "and may be judged, though nothing is learned of it any more"
    assert made.state()["told"].sum() == 0


def test_updates_at_once_come_one_after_the_other(log: str) -> None:
    made = engine(log=log)

    def add(number: int) -> None:
        while True:
            present = list(made.models)
            made.update(models=[*present, Saying(f"new {number}", 4e6, "Answer: 4")])
            if f"new {number}" in made.models:
                return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))
    before = made.state()["seen"]
    made.feedback(made.run(QUESTIONS[0]), 1.0)
    assert made.state()["seen"] == before + 1
    assert made.brain.fold is made._knowledge.replica.fold, "what decides is what learns"


def test_an_update_that_is_refused_changes_nothing() -> None:
    given = as_generator(FakeListChatModel(responses=["4"]), name="priced")
    made = UniScale([given, as_generator(FakeListChatModel(responses=["5"]), name="other")], None)
    with pytest.raises(ConfigurationError, match="cannot be compared"):
        made.update(models=[Model(given, price=(1.0, 2.0)), "other"])
    assert getattr(given, "price", None) is None
    with pytest.raises(ConfigurationError, match="new is to succeed 'old', but the models are"):
        made.update(models=["priced", Model(as_generator(FakeListChatModel(responses=["5"]), name="new"), successor_of="old")])
    limited = UniScale([given], None, max_cost=1e30)
    with pytest.raises(ConfigurationError, match="costs would be counted in dollars, but max_cost or mean_budget is in eFLOPs"):
        limited.update(prices={"priced": (1.0, 2.0)})
    assert not limited.in_dollars
