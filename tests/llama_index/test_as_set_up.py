"""What an inner LLM is set up with, and what it keeps between calls, as for the LLM alone."""

from __future__ import annotations

import asyncio
import logging
from itertools import count
from typing import Any

import httpx
import pytest
from llama_index.core.base.llms.types import ChatMessage, CompletionResponse, CompletionResponseGen, LLMMetadata
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.extractors import KeywordExtractor
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.llms import CustomLLM
from llama_index.core.llms.llm import LLM
from llama_index.core.schema import TextNode
from llama_index.llms.openai import OpenAIResponses

from tests.llama_index.conftest import like, searching
from tests.openai_server import Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.llama_index import UniScaleLLM
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration, ConfigurationSpace

Shape = tuple[int, int, int]

ASKED = [ChatMessage("What is 2 + 2?")]
SHAPES = [(1, 1, 1), (4, 1, 1), (2, 2, 1)]


def over(llm: LLM, shape: Shape = (1, 1, 1)) -> UniScaleLLM:
    name = UniScaleLLM(models=[llm], verifier="agreement").model_name
    space = ConfigurationSpace([Configuration(name, *shape)])
    return UniScaleLLM(engine=UniScale([llm], "agreement", space, sampling=Sampling(votes="full")))


class Responses:
    """A server of OpenAI's Responses API that numbers what it says and does not always say the same."""

    def __init__(self) -> None:
        self.previous: list[str | None] = []
        self._numbers = count(1)

    def answer(self, request: httpx.Request) -> httpx.Response:
        number, body = next(self._numbers), httpx.Response(200, content=request.content).json()
        self.previous.append(body.get("previous_response_id"))
        content = [{"type": "output_text", "text": f"Answer: {4 if number % 4 != 1 else 5}", "annotations": []}]
        said = [{"type": "message", "id": f"m{number}", "role": "assistant", "status": "completed", "content": content}]
        details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5} | details
        told = {"id": f"resp_{number}", "object": "response", "created_at": 1, "model": body["model"], "status": "completed"}
        rest = {"output": said, "usage": usage, "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
        return httpx.Response(200, json=told | rest)

    async def answer_later(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.001)
        return self.answer(request)

    def llm(self, **settings: Any) -> OpenAIResponses:
        transports: dict[str, Any] = {
            "http_client": httpx.Client(transport=httpx.MockTransport(self.answer)),
            "async_http_client": httpx.AsyncClient(transport=httpx.MockTransport(self.answer_later)),
        }
        return OpenAIResponses(model="gpt-4.1-mini", api_key="test", track_previous_responses=True, **transports, **settings)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("awaited", [False, True], ids=["chat", "achat"])
@pytest.mark.parametrize("settings", [{}, {"temperature": 0.9}], ids=["", "warm"])
def test_an_llm_that_keeps_track_goes_on_from_the_response_that_was_given(
    shape: Shape, awaited: bool, settings: dict[str, Any]
) -> None:
    server = Responses()
    llm = over(server.llm(**settings), shape)

    async def talk() -> None:
        given: str | None = None
        for question in ("first", "second", "third"):
            server.previous.clear()
            messages = [ChatMessage(question)]
            response = await llm.achat(messages) if awaited else llm.chat(messages)
            assert set(server.previous) == {given}
            assert response.raw is not None
            given = response.raw.id

    asyncio.run(talk())


class Own(CustomLLM):
    """Passes everything on to a server of its own."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="own")

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text=f"{sorted(kwargs)}")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        raise NotImplementedError


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_llm_of_one_s_own_gets_the_sampling_parameters_of_a_call(shape: Shape) -> None:
    options: dict[str, Any] = {"seed": 3, "top_p": 0.5, "temperature": 0.3}
    assert over(Own(), shape).complete("q", **options).text == Own().complete("q", **options).text
    seeds: list[int] = []

    class Noting(Own):
        def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
            seeds.append(kwargs["seed"])
            return CompletionResponse(text="4")

    over(Noting(), shape).complete("q", seed=3)
    assert len(set(seeds)) == len(seeds)
    assert shape != (1, 1, 1) or seeds == [3]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_form_is_asked_for_of_an_llm_that_nothing_is_known_of(shape: Shape) -> None:
    said = Own().complete("q", response_format={"type": "json_object"}).text
    assert over(Own(), shape).complete("q", response_format={"type": "json_object"}).text == said == "['response_format']"


def test_callbacks_of_the_inner_llms_are_told_of_what_is_asked(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    handler, other = TokenCountingHandler(), TokenCountingHandler()
    llm = UniScaleLLM(models=[like(server, callback_manager=CallbackManager([handler]))], verifier="agreement")
    llm.chat(ASKED)
    assert handler.total_llm_token_count > 0
    with caplog.at_level(logging.WARNING):
        UniScaleLLM(
            models=[
                like(server, name, callback_manager=CallbackManager([each])) for name, each in (("a", handler), ("b", other))
            ],
            verifier="agreement",
        )
    assert "callback managers of their own" in caplog.text


@pytest.mark.parametrize(
    "other",
    [
        {"temperature": 0.9},
        {"max_tokens": 5},
        {"additional_kwargs": {"seed": 3}},
        {"api_base": "http://other/v1"},
        {"logprobs": True},
    ],
)
def test_ingestion_caches_tell_llms_apart_that_are_set_up_otherwise(server: Server, other: dict[str, Any]) -> None:
    nodes = [TextNode(text="a", id_="1")]
    hashes = [get_transformation_hash(nodes, KeywordExtractor(llm=searching(server, **settings))) for settings in ({}, {}, other)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert "own key" not in str(searching(server, api_key="own key").to_dict())


def test_stop_texts_may_be_a_set_where_the_llm_takes_one() -> None:
    assert over(Own()).complete("q", stop={"there"}).text == Own().complete("q", stop={"there"}).text


def test_weights_that_are_none_are_refused_by_name(server: Server) -> None:
    with pytest.raises(ConfigurationError, match="weights are three numbers"):
        searching(server).chat(ASKED, weights=1)
