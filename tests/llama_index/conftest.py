"""LLMs over a server in memory, and an index of a few documents."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.llms.openai_like import OpenAILike

from tests.openai_server import Body, Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.llama_index import UniScaleLLM
from uniscale_integrations.space import Configuration, ConfigurationSpace


def like(server: Server, model: str = "gpt-test", **settings: Any) -> OpenAILike:
    """The real client over a server in memory."""
    clients: dict[str, Any] = {"http_client": server.client(), "async_http_client": server.async_client()}
    kinds: dict[str, Any] = {"is_chat_model": True, "is_function_calling_model": True, "context_window": 8000, "max_retries": 0}
    where = {"api_base": "http://server/v1", "api_key": "test"}
    return OpenAILike(model=model, **(where | kinds | clients | settings))


def searching(
    server: Server,
    shape: tuple[int, int, int] = (1, 1, 1),
    log: str = "sqlite://",
    verifier: Any = "agreement",
    sampling: Any = None,
    **settings: Any,
) -> UniScaleLLM:
    """An LLM with one configuration of one inner LLM."""
    space = ConfigurationSpace([Configuration("gpt-test", *shape)])
    engine = UniScale([like(server, **settings)], verifier, space, log=log, sampling=sampling)
    return UniScaleLLM(engine=engine)


def sub_questions(body: Body, number: int) -> str:
    """Asks two questions where questions are wanted, and answers others."""
    if "sub" in str(body["messages"]).lower() and "json" in str(body["messages"]).lower():
        asked = [
            f'{{"sub_question": "How many rooms has the {colour} house?", "tool_name": "houses"}}' for colour in ("red", "blue")
        ]
        return f'```json\n{{"items": [{", ".join(asked)}]}}\n```'
    return "Hello there.\nAnswer: 4"


@pytest.fixture(autouse=True)
def _loop() -> Iterator[None]:
    """LlamaIndex takes the thread's loop, or makes one that it never closes."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture(scope="session")
def index() -> VectorStoreIndex:
    documents = [
        Document(text=f"The {colour} house has {count} rooms.") for count, colour in enumerate(("red", "blue", "green"), 3)
    ]
    return VectorStoreIndex.from_documents(documents, embed_model=MockEmbedding(embed_dim=4))
