"""Query engines and chat engines of LlamaIndex over the real client, plain and with a search."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import pytest
from llama_index.core import PromptTemplate, Settings, VectorStoreIndex
from llama_index.core.base.response.schema import AsyncStreamingResponse, PydanticResponse, StreamingResponse
from llama_index.core.chat_engine.types import ChatMode
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.query_engine import SubQuestionQueryEngine
from llama_index.core.question_gen import LLMQuestionGenerator
from llama_index.core.response_synthesizers import ResponseMode, get_response_synthesizer
from llama_index.core.tools import QueryEngineTool, ToolMetadata
from pydantic import BaseModel

from tests.llama_index.conftest import searching, sub_questions
from tests.logged import decided, decisions, judged
from tests.openai_server import Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.llama_index import UniScaleLLM
from uniscale_integrations.llama_index.instrumentation import IDS, decisions_behind
from uniscale_integrations.models.catalog import load_model
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.verifiers.load import load_prm

QUESTION = "How many rooms has the red house?"
SAID = "Hello there.\nAnswer: 4"
SHAPES = [(1, 1, 1), (2, 2, 1)]
MODES = {
    ResponseMode.REFINE: 3,
    ResponseMode.COMPACT: 1,
    ResponseMode.SIMPLE_SUMMARIZE: 1,
    ResponseMode.TREE_SUMMARIZE: 1,
    ResponseMode.GENERATION: 1,
    ResponseMode.ACCUMULATE: 3,
    ResponseMode.COMPACT_ACCUMULATE: 1,
    ResponseMode.NO_TEXT: 0,
    ResponseMode.CONTEXT_ONLY: 0,
}
"""How many times each asks its LLM about three documents."""

WHOLE = (ResponseMode.ACCUMULATE, ResponseMode.COMPACT_ACCUMULATE)
"""Modes that do not stream."""


class House(BaseModel):
    """A house."""

    colour: str
    rooms: int


def engine_of(llm: UniScaleLLM) -> Any:
    assert llm.engine is not None
    return llm.engine


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    # Synthesizers that ask nothing take one from the settings all the same.
    monkeypatch.setattr(Settings, "_llm", searching(Server()))


def test_every_response_mode_is_tried() -> None:
    assert set(MODES) == set(ResponseMode)


@pytest.mark.parametrize("how", ["query", "aquery", "stream", "astream"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
def test_response_modes(
    server: Server, index: VectorStoreIndex, mode: ResponseMode, shape: tuple[int, int, int], how: str
) -> None:
    llm = searching(server, shape)
    streaming = how.endswith("stream")
    engine = index.as_query_engine(llm=llm, response_mode=mode, streaming=streaming, similarity_top_k=3)

    async def queried() -> tuple[Any, str]:
        response = await engine.aquery(QUESTION)
        # What streams belongs to the loop that it was begun in.
        return response, await response._async_str() if isinstance(response, AsyncStreamingResponse) else str(response)

    def query() -> tuple[Any, str]:
        if how in ("query", "stream"):
            response = engine.query(QUESTION)
            return response, str(response)
        return asyncio.run(queried())

    if streaming and mode in WHOLE:
        with pytest.raises(ValueError, match="Unable to stream"):
            query()
        return
    response, text = query()
    if not MODES[mode]:
        assert not server.bodies
        return
    if streaming:
        assert isinstance(response, StreamingResponse if how == "stream" else AsyncStreamingResponse)
    assert SAID in text
    # Whatever the prompt wraps it in, the policy sees the question.
    hashed = blake2b(QUESTION.encode(), digest_size=16).hexdigest()
    assert [decision.query_hash for decision in decisions(engine_of(llm))] == [hashed] * MODES[mode]
    assert list(response.metadata[IDS]) == decided(engine_of(llm))
    assert llm.engine is not None
    assert llm.engine.feedback(response, 1.0)
    assert [each.decision_id for each in judged(llm.engine)] == decided(llm.engine)
    asked = [body for body in server.bodies if QUESTION in str(body["messages"])]
    assert MODES[mode] * min(2, shape[0]) * shape[1] <= len(asked) <= MODES[mode] * min(3, shape[0]) * shape[1]
    # Every candidate is asked for as the model alone would be.
    assert all(bool(body.get("stream")) == streaming for body in asked[-1:])
    assert ("The red house has 3 rooms." in str(asked)) == (mode is not ResponseMode.GENERATION)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_answers_in_a_form(server: Server, index: VectorStoreIndex, shape: tuple[int, int, int]) -> None:
    llm = searching(server, shape)
    engine = index.as_query_engine(llm=llm, output_cls=House)
    for response in (engine.query(QUESTION), asyncio.run(engine.aquery(QUESTION))):
        assert isinstance(response, PydanticResponse)
        assert response.response == House(colour="some colour", rooms=3)
        assert llm.engine is not None
        assert llm.engine.feedback(response, 1.0)
    assert [each.decision_id for each in judged(engine_of(llm))] == decided(engine_of(llm))
    assert all(body["tools"][0]["function"]["name"] == "House" for body in server.bodies)
    assert all(body["tool_choice"] == "required" for body in server.bodies)


@pytest.mark.parametrize("use_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_feedback_on_a_sub_question_engine_reaches_all_that_was_decided_within(
    index: VectorStoreIndex, shape: tuple[int, int, int], use_async: bool
) -> None:
    llm = searching(Server(sub_questions), shape)
    tool = QueryEngineTool(index.as_query_engine(llm=llm), ToolMetadata("about houses", "houses"))
    engine = SubQuestionQueryEngine.from_defaults(
        [tool],
        question_gen=LLMQuestionGenerator.from_defaults(llm=llm),
        response_synthesizer=get_response_synthesizer(llm=llm, use_async=use_async),
        use_async=use_async,
        verbose=False,
    )
    response = engine.query("Which house has more rooms?")
    # The questions, their two answers, and what they come to.
    assert len(decided(engine_of(llm))) == 4
    assert sorted(decisions_behind(response) or ()) == sorted(decided(engine_of(llm)))
    assert llm.engine is not None
    llm.engine.feedback(response, 0.5, credit="split")
    assert {each.decision_id for each in judged(llm.engine)} == set(decided(llm.engine))
    assert {each.weight for each in judged(llm.engine)} == {0.25}
    hashes = {decision.query_hash for decision in decisions(llm.engine)}
    assert blake2b(b"How many rooms has the blue house?", digest_size=16).hexdigest() in hashes


async def _streamed(engine: Any) -> tuple[Any, str]:
    response = await engine.astream_chat(QUESTION)
    return response, "".join([token async for token in response.async_response_gen()])


async def _chatted(engine: Any) -> tuple[Any, str]:
    response = await engine.achat(QUESTION)
    return response, str(response)


def _chatted_sync(engine: Any) -> tuple[Any, str]:
    response = engine.chat(QUESTION)
    return response, str(response)


def _streamed_sync(engine: Any) -> tuple[Any, str]:
    response = engine.stream_chat(QUESTION)
    return response, "".join(response.response_gen)


CALLS: dict[str, Callable[[Any], tuple[Any, str]]] = {
    "chat": _chatted_sync,
    "achat": lambda engine: asyncio.run(_chatted(engine)),
    "stream_chat": _streamed_sync,
    "astream_chat": lambda engine: asyncio.run(_streamed(engine)),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("mode", [ChatMode.SIMPLE, ChatMode.CONTEXT, ChatMode.CONDENSE_QUESTION, ChatMode.CONDENSE_PLUS_CONTEXT])
def test_chat_engines(server: Server, index: VectorStoreIndex, mode: ChatMode, shape: tuple[int, int, int], call: str) -> None:
    llm = searching(server, shape)
    engine = index.as_chat_engine(chat_mode=mode, llm=llm, memory=ChatMemoryBuffer.from_defaults(llm=llm))
    response, text = CALLS[call](engine)
    assert text == SAID
    assert llm.engine is not None
    assert llm.engine.feedback(response, 1.0)
    assert [each.decision_id for each in judged(llm.engine)] == decided(llm.engine)
    before = len(server.bodies)
    _, again = CALLS[call](engine)
    assert again == SAID
    assert "Hello there." in str(server.bodies[before]["messages"])
    assert "uniscale" not in str(server.bodies)


@pytest.fixture(scope="module")
def small() -> Any:
    return load_model("uniscale-0.3m"), load_prm()


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 2, 1)], ids=str)
@pytest.mark.parametrize(
    "mode", [ResponseMode.COMPACT, ResponseMode.SIMPLE_SUMMARIZE, ResponseMode.REFINE, ResponseMode.GENERATION]
)
def test_the_embedded_family_answers_queries_and_chats(
    small: Any, index: VectorStoreIndex, mode: ResponseMode, shape: tuple[int, int, int]
) -> None:
    model, verifier = small
    llm = UniScaleLLM(engine=UniScale([model], verifier, ConfigurationSpace([Configuration(model.name, *shape)])))
    # It knows sums, and has no use for documents.
    how: dict[str, Any] = {"text_qa_template": PromptTemplate("{query_str}"), "simple_template": PromptTemplate("{query_str}")}
    if mode is ResponseMode.GENERATION:
        how.pop("text_qa_template")
    else:
        how.pop("simple_template")
    engine = index.as_query_engine(llm=llm, response_mode=mode, similarity_top_k=1, **how)
    response = engine.query("What is 3 + 4?")
    assert str(response) == "3 + 4 = 7\nAnswer: 7\n"
    streaming = index.as_query_engine(llm=llm, response_mode=mode, similarity_top_k=1, streaming=True, **how)
    streamed = streaming.query("What is 3 + 4?")
    assert str(streamed) == str(response)
    assert str(asyncio.run(engine.aquery("What is 3 + 4?"))) == str(response)
    chat = index.as_chat_engine(chat_mode=ChatMode.SIMPLE, llm=llm, memory=ChatMemoryBuffer.from_defaults(llm=llm))
    assert str(chat.chat("What is 3 + 4?")) == str(response)
    engine_of(llm).feedback(streamed, 1.0)
    assert judged(engine_of(llm))[0].decision_id == decided(engine_of(llm))[1]
