"""What a chat model gives beside its text, and does by itself, is as it would be without us."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import LLMResult

from tests.langchain.conftest import openai
from tests.openai_server import Server
from tests.parity.langchain_clients import CLIENTS
from tests.parity.providers.wire import Wire
from uniscale_integrations.engine import UniScale
from uniscale_integrations.langchain import UniScaleChatModel
from uniscale_integrations.langchain.generator import as_generator
from uniscale_integrations.space import Configuration, ConfigurationSpace

SHAPES = [(1, 1, 1), (4, 1, 1), (1, 4, 2)]


def around(model: BaseChatModel, shape: tuple[int, int, int] = (1, 1, 1)) -> UniScaleChatModel:
    generator = as_generator(model)
    assert not isinstance(generator, str)
    return UniScaleChatModel(
        engine=UniScale([generator], "agreement", ConfigurationSpace([Configuration(generator.name, *shape)]))
    )


class Heard(BaseCallbackHandler):
    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.results: list[LLMResult] = []

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        self.tokens.append(str(token))

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        self.results.append(response)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("settings", [{}, {"output_version": "v1"}], ids=["own", "v1"])
def test_what_was_streamed_can_be_sent_on_with_all_its_blocks(shape: tuple[int, int, int], settings: dict[str, Any]) -> None:
    def next_turn(wrapped: bool) -> Any:
        wire = Wire(CLIENTS["responses"].provider)
        bare = CLIENTS["responses"].over(wire, None, **settings)
        model = around(bare, shape) if wrapped else bare
        question = HumanMessage("What is 2 + 2?")
        answer: Any = reduce(add, model.stream([question]))
        model.invoke([question, answer, HumanMessage("And then?")])
        return wire.requests[-1].body["input"]

    assert next_turn(wrapped=True) == next_turn(wrapped=False)


def test_an_id_of_the_provider_s_stays() -> None:
    model = around(CLIENTS["responses"].over(Wire(CLIENTS["responses"].provider), None))
    assert model.invoke("What is 2 + 2?").id == "resp_1"
    whole: Any = reduce(add, model.stream("What is 2 + 2?"))
    assert whole.id == "resp_1"


@pytest.mark.parametrize("text", ["   ", "\n"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_blanks_are_an_answer_like_any_other(shape: tuple[int, int, int], text: str) -> None:
    server = Server(says=lambda body, number: text)
    assert around(openai(server), shape).invoke("Hi").content == openai(server).invoke("Hi").content == text


def test_a_plain_stream_has_the_chunks_of_the_inner_model_and_tells_the_same_of_them() -> None:
    server = Server()
    bare = openai(server, stream_usage=True)
    alone, ours = Heard(), Heard()
    first, second = list(bare.stream("Hi", {"callbacks": [alone]})), list(around(bare).stream("Hi", {"callbacks": [ours]}))
    said, expected = ([(chunk.content, bool(chunk.usage_metadata)) for chunk in chunks] for chunks in (second, first))
    assert said == expected
    assert ours.tokens == alone.tokens
    [[theirs]], [[own]] = alone.results[0].generations, ours.results[0].generations
    assert own.generation_info is not None
    assert theirs.generation_info is not None
    assert theirs.generation_info.items() <= own.generation_info.items()


def test_who_streams_when_invoked_does_so_behind_the_engine() -> None:
    server = Server()
    bare = openai(server, streaming=True)
    alone, ours = Heard(), Heard()
    bare.invoke("Hi", {"callbacks": [alone]})
    around(bare).invoke("Hi", {"callbacks": [ours]})
    assert ours.tokens == alone.tokens != []
    assert [body["stream"] for body in server.bodies] == [True, True]


def test_the_cache_of_an_inner_model_is_kept() -> None:
    server = Server()
    model = around(openai(server, cache=InMemoryCache()))
    first, second = model.invoke("Hi"), model.invoke("Hi")
    assert len(server.bodies) == 1
    assert first.response_metadata["uniscale"]["decision_id"] == second.response_metadata["uniscale"]["decision_id"]


@pytest.mark.parametrize("client", ["chat", "responses", "ollama"])
def test_callbacks_are_told_what_the_inner_model_tells(client: str) -> None:
    def told(wrapped: bool) -> tuple[Any, Any, AIMessage]:
        bare = CLIENTS[client].over(Wire(CLIENTS[client].provider), None)
        heard = Heard()
        message = (around(bare) if wrapped else bare).invoke("What is 2 + 2?", {"callbacks": [heard]})
        return heard.results[0].llm_output or {}, heard.results[0].generations[0][0].generation_info or {}, message

    (theirs, their_info, expected), (ours, our_info, message) = told(wrapped=False), told(wrapped=True)
    assert set(theirs) - {"model"} <= set(ours)
    assert set(their_info) <= set(our_info)
    times = {name for name in expected.response_metadata if name.endswith(("_at", "_duration"))}
    added = set(message.response_metadata) - set(expected.response_metadata) - times
    assert added <= {"uniscale", "model_name"}
