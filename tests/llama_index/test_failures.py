"""What goes wrong with providers, and what an application of LlamaIndex sees of it."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Sequence
from typing import Any

import httpx
import openai as sdk
import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.base.response.schema import AsyncStreamingResponse, StreamingResponse
from llama_index.core.llms import MockLLM
from llama_index.llms.openai_like import OpenAILike

from tests.llama_index.conftest import like, searching
from tests.logged import outcomes
from tests.openai_server import Body, Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import BudgetError
from uniscale_integrations.llama_index import UniScaleLLM
from uniscale_integrations.llama_index.generator import as_generator
from uniscale_integrations.models.chat.probe import PREFIX as PROBED
from uniscale_integrations.space import Configuration, ConfigurationSpace

SAID = "Hello there.\nAnswer: 4"
ASKED = [ChatMessage("What is 2 + 2?")]


def error(status: int, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": f"state {status}", "type": "test"}}, headers=headers)


def engine_of(llm: UniScaleLLM) -> UniScale:
    assert llm.engine is not None
    return llm.engine


def notes(response: ChatResponse) -> list[str]:
    found: list[str] = response.additional_kwargs["uniscale"]["notes"]
    return found


@pytest.mark.parametrize(
    "what", [error(500), httpx.Response(200, text="no JSON at all"), httpx.Response(200, json={"choices": None})]
)
def test_one_of_eight_candidates_fails_and_the_others_answer(what: httpx.Response) -> None:
    def behaves(body: Body, number: int) -> httpx.Response | None:
        return httpx.Response(what.status_code, content=what.content, headers=what.headers) if number == 1 else None

    response = searching(Server(behaves=behaves), (8, 1, 1)).chat(ASKED)
    assert response.message.content == SAID
    [note] = notes(response)
    assert "a candidate failed" in note


def test_one_of_eight_candidates_hangs_and_the_others_answer() -> None:
    server = Server(takes=lambda body, number: 30.0 if number == 1 else 0.0)
    model = as_generator(like(server), timeout=0.5)
    llm = UniScaleLLM(engine=UniScale([model], "agreement", ConfigurationSpace([Configuration("gpt-test", 8, 1, 1)])))
    response = asyncio.run(llm.achat(ASKED))
    assert response.message.content == SAID
    assert "no answer within 0.5 s" in notes(response)[0]
    assert server.cancelled == 1
    # What blocks cannot be cancelled; nobody waits for it all the same.
    assert "no answer within 0.5 s" in notes(_with_a_hanging_one().chat(ASKED))[0]


def _with_a_hanging_one() -> UniScaleLLM:
    model = as_generator(like(Server(takes=lambda body, number: 30.0 if number == 1 else 0.0)), timeout=0.5)
    return UniScaleLLM(engine=UniScale([model], "agreement", ConfigurationSpace([Configuration("gpt-test", 8, 1, 1)])))


def test_where_all_fail_the_next_model_answers_and_then_the_provider_s_error_comes() -> None:
    broken, sound = Server(behaves=lambda body, number: error(500)), Server()
    space = ConfigurationSpace.default(["gpt-8b", "gpt-70b"], ((2, 1, 1),))
    for second, expected in ((sound, None), (broken, sdk.InternalServerError)):
        models = [as_generator(like(broken, "gpt-8b")), as_generator(like(second, "gpt-70b"))]
        llm = UniScaleLLM(engine=UniScale(models, "agreement", space, mode="cost-sensitive"))
        if expected is None:
            for _ in range(4):
                assert llm.chat(ASKED).additional_kwargs["uniscale"]["configuration"]["model"] == "gpt-70b"
            assert any(outcome.failed for outcome in outcomes(engine_of(llm)))
        else:
            with pytest.raises(expected, match="state 500"):
                llm.chat(ASKED)
            with pytest.raises(expected, match="state 500"):
                list(llm.stream_chat(ASKED))


def test_a_rate_limit_is_waited_for() -> None:
    server = Server(behaves=lambda body, number: error(429, {"retry-after": "0.05"}) if number == 0 else None)
    llm = UniScaleLLM(models=[like(server)], max_retries=2)
    assert llm.chat(ASKED).message.content == SAID
    assert len(server.bodies) >= 2


def test_cancelling_cancels_the_inner_calls_and_closes_the_decision() -> None:
    server = Server(takes=lambda body, number: 30.0)
    llm = searching(server, (4, 1, 1))

    async def cancelled() -> None:
        task = asyncio.create_task(llm.achat(ASKED))
        while server.arrived < 3:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    # The first wave of the vote.
    assert server.cancelled == server.arrived == 3
    deadline = time.monotonic() + 10
    while not outcomes(engine_of(llm)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [outcome.failed for outcome in outcomes(engine_of(llm))] == ["cancelled"]


def test_leaving_a_streaming_response_early_cancels_it(index: VectorStoreIndex) -> None:
    # The first step is there; the next one would take half a minute.
    server = Server(_continues, takes=lambda body, number: 30.0 if number > 2 else 0.0)
    llm = searching(server, (1, 2, 1))

    async def left() -> None:
        response = await index.as_query_engine(llm=llm, streaming=True).aquery("How many rooms?")
        assert isinstance(response, AsyncStreamingResponse)
        pieces: Any = response.response_gen
        assert await anext(pieces) == "One step."
        while server.arrived < 5:
            await asyncio.sleep(0.01)
        await pieces.aclose()
        deadline = time.monotonic() + 10
        while server.cancelled < 2 and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    asyncio.run(left())
    assert server.cancelled == 2


def test_leaving_a_blocking_stream_early_ends_the_search(index: VectorStoreIndex) -> None:
    server = Server(_continues, takes=lambda body, number: 2.0 if number > 2 else 0.0)
    llm = searching(server, (1, 2, 1))
    response = index.as_query_engine(llm=llm, streaming=True).query("How many rooms?")
    assert isinstance(response, StreamingResponse)
    assert next(response.response_gen) == "One step."
    response.response_gen.close()
    deadline = time.monotonic() + 10
    while not outcomes(engine_of(llm)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [outcome.failed for outcome in outcomes(engine_of(llm))] == ["cancelled"]


def test_a_deadline_is_kept() -> None:
    llm = searching(Server(takes=lambda body, number: 30.0))
    with pytest.raises(BudgetError, match="deadline"):
        llm.chat(ASKED, deadline=0.1)
    [outcome] = outcomes(engine_of(llm))
    assert outcome.failed


@pytest.mark.parametrize("shape", [(4, 1, 1), (1, 4, 1), (1, 4, 2)], ids=str)
def test_a_deadline_costs_nobody_the_answers_that_are_there(shape: tuple[int, int, int]) -> None:
    server = Server(takes=lambda body, number: 30.0 if number % 2 else 0.0)
    model = as_generator(like(server), continuation="whole")
    llm = UniScaleLLM(engine=UniScale([model], "agreement", ConfigurationSpace([Configuration("gpt-test", *shape)])))
    response = asyncio.run(llm.achat(ASKED, deadline=3.0))
    assert response.message.content == SAID
    # A vote waits for nobody who cannot change it, and asks nobody further.
    voted = shape == (4, 1, 1)
    assert sum("no answer when the time was up" in note for note in notes(response)) == (0 if voted else 2)
    assert server.cancelled == (1 if voted else 2)


def test_requests_that_a_deadline_cancels_leave_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    llm = searching(Server(takes=lambda body, number: 30.0), (4, 1, 1))
    with pytest.raises(BudgetError):
        llm.chat(ASKED, deadline=0.1)
    gc.collect()
    assert not caplog.records


def _continues(body: Body, number: int) -> str:
    last = body["messages"][-1]
    if last["role"] == "assistant":
        return " five" if last["content"] == PROBED else "One step.\nAnswer: 4"[len(last["content"]) :]
    return "One step.\nAnswer: 4"


def test_steps_are_sampled_where_the_provider_continues() -> None:
    server = Server(_continues)
    assert searching(server, (1, 2, 1)).chat(ASKED).message.content == "One step.\nAnswer: 4"
    prefixed = [body["messages"][-1]["content"] for body in server.bodies if body["messages"][-1]["role"] == "assistant"]
    assert prefixed == [PROBED, *["One step.\n"] * 2, *["One step.\nAnswer: 4\n"] * 4]
    assert all(body["continue_final_message"] for body in server.bodies if body["messages"][-1]["role"] == "assistant")
    assert ["\n" in body.get("stop", ()) for body in server.bodies[1:]].count(False) == 2


def test_a_provider_that_rejects_a_partial_answer_is_asked_for_whole_ones() -> None:
    def rejects(body: Body, number: int) -> httpx.Response | None:
        return error(400) if body["messages"][-1]["role"] == "assistant" else None

    server = Server(behaves=rejects)
    response = searching(server, (1, 2, 1)).chat(ASKED)
    assert response.message.content == SAID
    assert any("does not continue by prefill" in note for note in notes(response))


def test_a_provider_that_begins_anew_is_asked_for_whole_answers() -> None:
    def begins_anew(body: Body, number: int) -> str:
        return " five" if body["messages"][-1]["content"] == PROBED else "One step.\nAnswer: 4"

    response = searching(Server(begins_anew), (1, 2, 1)).chat(ASKED)
    assert response.message.content == "One step.\nAnswer: 4"


def test_what_is_no_response_is_said() -> None:
    class Broken(OpenAILike):  # type: ignore[misc]  # its package has no types
        def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
            return "no response at all"

    model = as_generator(Broken(model="gpt-test"))
    llm = UniScaleLLM(engine=UniScale([model], "agreement", ConfigurationSpace([Configuration("gpt-test")])))
    with pytest.raises(Exception, match="which is no response"):
        llm.chat(ASKED)


def test_a_stream_without_a_piece_is_an_empty_answer() -> None:
    class Silent(MockLLM):
        def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
            return iter(())

    llm = UniScaleLLM(
        engine=UniScale([as_generator(Silent(max_tokens=None))], "agreement", ConfigurationSpace([Configuration("MockLLM")]))
    )
    assert [piece.message.content for piece in llm.stream_chat(ASKED)] == [""]


def test_a_user_may_say_nothing(server: Server) -> None:
    for shape in ((1, 1, 1), (2, 1, 1)):
        assert searching(server, shape).chat([ChatMessage("")]).message.content == SAID
    assert {body["messages"][-1]["content"] for body in server.bodies} == {""}


def test_a_stream_that_breaks_off_costs_what_had_come() -> None:
    def breaks_off(body: Body, number: int) -> httpx.Response:
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        piece = chunk | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hello "}, "finish_reason": None}]}
        return httpx.Response(
            200, content=f"data: {json.dumps(piece)}\n\ndata: no JSON\n\n", headers={"content-type": "text/event-stream"}
        )

    llm = searching(Server(behaves=breaks_off))
    pieces = llm.stream_chat(ASKED)
    assert next(pieces).delta == "Hello "
    with pytest.raises(json.JSONDecodeError):
        next(pieces)
    [outcome] = outcomes(engine_of(llm))
    assert outcome.failed
    assert outcome.eflops > 0
