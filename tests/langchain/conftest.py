"""A server in memory and chat models over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from tests.openai_server import Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.langchain import UniScaleChatModel
from uniscale_integrations.langchain.generator import as_generator
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration, ConfigurationSpace

Make = Callable[..., UniScaleChatModel]


def openai(server: Server, model: str = "gpt-test", **settings: Any) -> ChatOpenAI:
    """The real client over a server in memory."""
    clients: dict[str, Any] = {"http_client": server.client(), "http_async_client": server.async_client()}
    return ChatOpenAI(model=model, api_key=SecretStr("test"), **{"max_retries": 0} | clients | settings)


def searching(
    server: Server,
    shape: tuple[int, int, int] = (1, 1, 1),
    log: str = "sqlite://",
    verifier: str = "agreement",
    sampling: Sampling | None = None,
    **settings: Any,
) -> UniScaleChatModel:
    """A chat model with one configuration of one inner model."""
    space = ConfigurationSpace([Configuration("gpt-test", *shape)])
    engine = UniScale([as_generator(openai(server, **settings))], verifier, space, log=log, sampling=sampling)
    return UniScaleChatModel(engine=engine)


@pytest.fixture
def server() -> Server:
    return Server()
