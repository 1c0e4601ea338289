"""Settings of clients hold for all models of a framework that an engine is given, at its construction and later."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from pydantic import Field, SkipValidation

from uniscale_integrations.engine import Model, UniScale
from uniscale_integrations.errors import ConfigurationError, SearchFailed
from uniscale_integrations.models.chat.model import ChatStepModel

SETTINGS = {"max_concurrency": 1, "timeout": 0.5, "retries": 2}
QUESTION = "Who won the cup in 1998?"


@dataclass
class Calls:
    """How many calls there were, are, and were at once."""

    all: int = 0
    running: int = 0
    most: int = 0


class Counting(FakeListChatModel):
    """Takes a while, and counts its calls."""

    responses: list[str] = Field(default_factory=lambda: ["Answer: 4"])
    seconds: float = 0.02
    counted: SkipValidation[Calls] = Field(default_factory=Calls)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        counted = self.counted
        counted.all, counted.running = counted.all + 1, counted.running + 1
        counted.most = max(counted.most, counted.running)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            counted.running -= 1
        return self._generate(messages, stop)


def engine(**settings: Any) -> UniScale:
    return UniScale([Model(Counting(), name="first")], "agreement", client_settings=settings)


async def at_once(made: UniScale, model: str) -> None:
    await asyncio.gather(*(made.arun(QUESTION, models=[model]) for _ in range(6)))


def test_they_hold_for_models_that_come_later() -> None:
    made, limited, free = engine(**SETTINGS), Counting(), Counting()
    made.update(models=["first", Model(limited, name="limited")])
    asyncio.run(at_once(made, "limited"))
    assert (limited.counted.most, limited.counted.all > 1) == (1, True)
    unlimited = engine()
    unlimited.update(models=["first", Model(free, name="free")])
    asyncio.run(at_once(unlimited, "free"))
    assert free.counted.most > 1
    slow = Counting(seconds=60.0)
    made.update(models=["limited", Model(slow, name="slow", successor_of="first")])
    with pytest.raises(SearchFailed, match="slow"):
        asyncio.run(made.arun(QUESTION, models=["slow"]))
    assert slow.counted.all >= 1
    assert [getattr(each, "retries", None) for each in made.models.values()] == [2, 2]


def test_they_hold_for_models_from_the_beginning_and_stay_with_those_that_stay() -> None:
    made = engine(**SETTINGS)
    first = made.models["first"]
    assert isinstance(first, ChatStepModel)
    assert (first.max_concurrency, first.timeout, first.retries) == (1, 0.5, 2)
    own = ChatStepModel(first.client, name="own", max_concurrency=7)
    made.update(models=["first", own, Model(Counting(), name="priceless")])
    assert made.models["first"] is first
    assert made.models["own"] is own
    assert own.max_concurrency == 7
    with pytest.raises(ConfigurationError, match="cannot be compared"):
        made.update(models=["first", Model(Counting(), name="dear", price=(1.0, 2.0))])


def test_models_of_one_name_are_told_apart_and_prices_reach_them() -> None:
    made = UniScale(
        [Model(Counting(), price=(1.0, 2.0)), Model(Counting(), price=(2.0, 4.0))], "agreement", client_settings=SETTINGS
    )
    assert sorted(made.models) == ["fake-list-chat-model", "fake-list-chat-model#2"]
    estimates = dict(zip((each.model for each in made.space), made.brain.estimates.costs.tolist(), strict=True))
    assert estimates["fake-list-chat-model#2"] == pytest.approx(2 * estimates["fake-list-chat-model"])


def test_settings_that_no_client_has_are_refused_and_secrets_are_not_shown() -> None:
    with pytest.raises(ConfigurationError, match="client_settings are api_key, max_concurrency, timeout, retries; got 'tries'"):
        engine(tries=2)
    made = engine(api_key="secret", **SETTINGS)
    assert "secret" not in repr(made.brain.design)
