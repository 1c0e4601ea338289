"""What goes over the wire, and what comes of a call, where a `UniScaleChatModel` stands for a model: limits, refusals, caches, settings."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import openai as sdk
import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelFallbackMiddleware
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.globals import set_llm_cache
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult, LLMResult
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr, ValidationError

from benchmarks.concurrency import TEXT, slow_server
from tests.langchain.conftest import openai, searching
from tests.openai_server import Body, Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import ConfigurationError, CrowdedError, MissingExtraError
from uniscale_integrations.langchain import UniScaleChatModel, UniScaleMiddleware, with_feedback
from uniscale_integrations.langchain.generator import as_generator
from uniscale_integrations.langchain.inner import inner_models
from uniscale_integrations.log.events import Feedback, Outcome
from uniscale_integrations.models.chat.probe import NEXT, PREFIX
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration, ConfigurationSpace

SHAPES = [(1, 1, 1), (4, 1, 1), (1, 4, 2)]
QUESTION = "What is 2 + 2?"


def error(status: int, message: str = "no", code: str | None = None) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": message, "type": "error", "code": code}})


def choosing(*models: Any, shapes: tuple[tuple[int, int, int], ...] = ((1, 1, 1),), **settings: Any) -> UniScaleChatModel:
    generators: list[Any] = [as_generator(model) for model in models]
    space = ConfigurationSpace.default([each.name for each in generators], shapes)
    return UniScaleChatModel(engine=UniScale(generators, "agreement", space, mode="cost-sensitive"), **settings)


def outcomes(model: UniScaleChatModel) -> list[Outcome]:
    assert model.engine is not None
    return [entry.event for entry in model.engine.log.since() if isinstance(entry.event, Outcome)]


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str


def test_a_synchronous_call_goes_over_the_synchronous_client_and_an_asynchronous_one_over_the_other() -> None:
    seen: list[str] = []
    server = Server()

    def sync(request: httpx.Request) -> httpx.Response:
        seen.append("sync")
        return server.answer(request)

    async def awaited(request: httpx.Request) -> httpx.Response:
        seen.append("async")
        return server.answer(request)

    clients: dict[str, Any] = {
        "http_client": httpx.Client(transport=httpx.MockTransport(sync)),
        "http_async_client": httpx.AsyncClient(transport=httpx.MockTransport(awaited)),
    }
    for shape in SHAPES:
        model = searching(server, shape, **clients)
        model.invoke(QUESTION)
        list(model.stream(QUESTION))
        assert set(seen) == {"sync"}
        seen.clear()
        asyncio.run(model.ainvoke(QUESTION))
        assert set(seen) == {"async"}
        seen.clear()


AGAIN = """
import asyncio, sys
from langchain_openai import ChatOpenAI
from uniscale_integrations.langchain import UniScaleChatModel

inner = ChatOpenAI(model="slow", base_url=sys.argv[1], api_key="none", max_retries=0)
model = UniScaleChatModel(models=[inner], verifier="agreement")

async def several():
    return [message.text for message in await asyncio.gather(*(model.ainvoke(f"{n}?") for n in range(5)))]

assert [set(asyncio.run(several())) for _ in range(3)] == [{sys.argv[2]}] * 3
"""


def test_asyncio_run_may_be_called_again_and_again_on_clients_that_keep_connections() -> None:
    # In a process of its own: what the client leaves open belongs to loops that are closed, and is complained of when it is collected.
    with slow_server(0.0) as address:
        done = subprocess.run([sys.executable, "-c", AGAIN, address, TEXT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Blocking(BaseChatModel):
    """A model without asynchronous methods of its own."""

    seconds: float = 0.0
    name: str | None = "blocking"

    @property
    def _llm_type(self) -> str:
        return "blocking"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        time.sleep(self.seconds)
        return ChatResult(generations=[ChatGeneration(message=AIMessage("Answer: 4"))])


class Together(Blocking):
    """A model that answers only when so many ask it at the same time."""

    barrier: Any = None

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        self.barrier.wait(60)
        return super()._generate(messages, stop, run_manager, **kwargs)


def test_a_model_that_blocks_is_asked_as_often_at_once_as_one_likes() -> None:
    model = choosing(Together(barrier=Barrier(60)))

    async def many() -> list[AIMessage]:
        return await asyncio.gather(*(model.ainvoke(f"{number} + 2?") for number in range(60)))

    assert {str(message.text) for message in asyncio.run(many())} == {"Answer: 4"}


def test_forty_hung_calls_do_not_stop_a_healthy_engine() -> None:
    hung, healthy = choosing(Blocking(seconds=30.0)), choosing(Blocking())

    async def both() -> str:
        waiting = [asyncio.ensure_future(hung.ainvoke(f"{number}?")) for number in range(40)]
        await asyncio.sleep(0.2)
        message = await asyncio.wait_for(healthy.ainvoke(QUESTION), 5)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        return str(message.text)

    assert asyncio.run(both()) == "Answer: 4"


def test_requests_at_once_are_as_many_as_max_concurrency_allows_and_otherwise_all() -> None:
    most = now = 0

    def takes(body: Body, number: int) -> float:
        return 0.05

    # The first wave of a vote is of three.
    for limit, expected in ((2, 2), (None, 3)):
        server = Server(takes=takes)
        inner = server.async_client()
        send = inner._transport.handle_async_request

        async def counted(request: httpx.Request, send: Any = send) -> httpx.Response:
            nonlocal most, now
            now += 1
            most = max(most, now)
            try:
                return await send(request)  # type: ignore[no-any-return]
            finally:
                now -= 1

        most = 0
        space = ConfigurationSpace([Configuration("gpt-test", 8, 1, 1)])
        client = httpx.AsyncClient(transport=httpx.MockTransport(counted))
        model = UniScaleChatModel(
            models=[openai(server, http_async_client=client)], space=space, verifier="agreement", max_concurrency=limit
        )
        asyncio.run(model.ainvoke(QUESTION))
        assert most == expected


def test_waiting_for_a_slot_is_neither_slowness_of_the_model_nor_a_budget_that_is_too_small() -> None:
    server = Server(takes=lambda body, number: 2.0)
    generator = as_generator(openai(server), max_concurrency=1)
    engine = UniScale([generator], "agreement", ConfigurationSpace([Configuration("gpt-test")]))
    model = UniScaleChatModel(engine=engine)

    async def burst() -> list[Any]:
        return await asyncio.gather(*(model.ainvoke(f"{n}?", deadline=3.0) for n in range(5)), return_exceptions=True)

    results = asyncio.run(burst())
    failed = [each for each in results if isinstance(each, Exception)]
    assert failed
    assert all(isinstance(each, CrowdedError) and "max_concurrency=1" in str(each) for each in failed)
    assert not engine.brain.eligibility._too_slow(Budget(seconds=3.0))


@pytest.mark.parametrize("shape", [(1, 1, 1), (8, 1, 1), (1, 4, 2)], ids=str)
@pytest.mark.parametrize("status", [400, 422])
def test_a_refused_request_reaches_its_caller_at_once_and_costs_its_model_nothing(
    status: int, shape: tuple[int, int, int]
) -> None:
    server, dear = Server(behaves=lambda body, n: error(status, "the prompt was filtered", "content_filter")), Server()
    model = choosing(openai(server, "gpt-8b"), openai(dear, "gpt-70b"), shapes=(shape,))
    with pytest.raises(sdk.APIStatusError, match="filtered"):
        asyncio.run(model.ainvoke(QUESTION))
    asked = [body for body in server.bodies if body["messages"][0]["content"] == QUESTION]
    assert len(asked) <= max(1, shape[0] * shape[1])
    assert not dear.bodies
    assert model.engine is not None
    assert model.engine.brain.eligibility.breaker.models() == {}


def test_a_filtered_question_does_not_end_step_search_for_others() -> None:
    said = "3 + 4 = 7\nSo it is.\nAnswer: 7"

    def behaves(body: Body, number: int) -> httpx.Response | None:
        return error(400, "filtered", "content_filter") if "bad" in str(body["messages"]) else None

    def says(body: Body, number: int) -> str:
        last = body["messages"][-1]
        if last["role"] != "assistant":
            return said
        return f" {NEXT} six" if last["content"] == PREFIX else said[len(last["content"]) :]

    server = Server(says, behaves)
    model = searching(server, (1, 4, 2))
    assert model.invoke(QUESTION).text == said
    server.bodies.clear()
    with pytest.raises(sdk.BadRequestError, match="filtered"):
        asyncio.run(model.ainvoke("A bad question?"))
    assert len(server.bodies) <= 5
    server.bodies.clear()
    assert model.invoke(QUESTION).text == said
    assert any(body["messages"][-1]["role"] == "assistant" for body in server.bodies)


def test_candidates_that_were_not_answered_when_the_first_was_refused_are_cancelled() -> None:
    server = Server(
        behaves=lambda body, number: error(400, "no such thing") if number == 0 else None,
        takes=lambda body, number: 0.0 if number == 0 else 20.0,
    )
    with pytest.raises(sdk.BadRequestError, match="no such thing"):
        asyncio.run(searching(server, (8, 1, 1)).ainvoke(QUESTION))
    # Those that had not been sent by then never are.
    assert server.cancelled == server.arrived - 1


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 503])
def test_what_is_a_model_s_fault_rests_it_and_another_answers(status: int) -> None:
    server, other = Server(behaves=lambda body, n: error(status)), Server()
    model = choosing(openai(server, "gpt-8b"), openai(other, "gpt-70b"))
    assert model.invoke(QUESTION).response_metadata["uniscale"]["configuration"]["model"] == "gpt-70b"
    assert model.engine is not None
    # It rests for a second, which may be over on a busy machine.
    assert list(model.engine.brain.eligibility.breaker._until) == ["gpt-8b"]


def test_a_question_too_long_for_one_model_goes_to_the_next_which_does_not_rest_it() -> None:
    too_long = error(400, "This model's maximum context length is 8 tokens.", "context_length_exceeded")
    model = choosing(openai(Server(behaves=lambda body, n: too_long), "gpt-8b"), openai(Server(), "gpt-70b"))
    assert model.invoke(QUESTION).response_metadata["uniscale"]["configuration"]["model"] == "gpt-70b"
    assert model.engine is not None
    assert model.engine.brain.eligibility.breaker.models() == {}


def _with_reason(text: str, reason: str) -> httpx.Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
    usage = {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}
    told = {"id": "1", "object": "chat.completion", "created": 1, "model": "gpt-test", "choices": [choice], "usage": usage}
    return httpx.Response(200, json=told)


@pytest.mark.parametrize(
    ("text", "reason"), [("", "stop"), ("It is 5. And so", "length"), ("It", "content_filter"), ("", "length")]
)
def test_an_incomplete_candidate_loses_to_any_complete_one_and_is_named(text: str, reason: str) -> None:
    server = Server(behaves=lambda body, number: _with_reason(text, reason) if number != 2 else None)
    message = searching(server, (4, 1, 1)).invoke(QUESTION)
    assert message.text == "Hello there.\nAnswer: 4"
    assert any("incomplete" in note for note in message.response_metadata["uniscale"]["notes"])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("text", "reason"), [("", "stop"), ("It is 5. And so", "length"), ("It", "content_filter")])
def test_where_all_are_incomplete_the_caller_gets_what_the_model_gave(
    text: str, reason: str, shape: tuple[int, int, int]
) -> None:
    server = Server(behaves=lambda body, number: _with_reason(text, reason))
    message = searching(server, shape).invoke(QUESTION)
    assert message.text == text
    assert message.response_metadata["finish_reason"] == reason
    assert message.response_metadata["uniscale"]["cut"]


def _breaking_off(pieces: list[dict[str, Any]]) -> httpx.Response:
    def events() -> Any:
        for piece in pieces:
            choice = {"index": 0, "delta": piece, "finish_reason": None}
            chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
            yield f"data: {__import__('json').dumps(chunk)}\n\n".encode()
        raise httpx.ReadError("the connection was reset")

    return httpx.Response(200, content=events(), headers={"content-type": "text/event-stream"})


def test_a_stream_that_breaks_off_costs_what_had_come() -> None:
    pieces = [{"role": "assistant", "content": ""}, {"content": "So far, " * 50}]
    model = searching(Server(behaves=lambda body, n: _breaking_off(pieces)))
    with pytest.raises(Exception, match="reset"):
        list(model.stream(QUESTION))
    [outcome] = outcomes(model)
    assert outcome.failed
    assert outcome.eflops > 0


def test_a_stream_that_breaks_off_after_its_role_falls_back() -> None:
    broken = Server(behaves=lambda body, n: _breaking_off([{"role": "assistant", "content": ""}]))
    model = choosing(openai(broken, "gpt-8b"), openai(Server(), "gpt-70b"))
    assert "".join(str(piece.text) for piece in model.stream(QUESTION)) == "Hello there.\nAnswer: 4"


def test_a_stream_that_its_reader_leaves_costs_something() -> None:
    model = searching(Server())
    stream = model.stream(QUESTION)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 10
    while not outcomes(model) and time.monotonic() < deadline:
        time.sleep(0.01)
    [outcome] = outcomes(model)
    assert outcome.eflops > 0


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_max_tokens_of_a_call_may_exceed_the_model_s_own(shape: tuple[int, int, int]) -> None:
    server = Server()
    searching(server, shape, max_tokens=5).bind_tools([Joke]).invoke(QUESTION, max_tokens=900)
    assert {body["max_completion_tokens"] for body in server.bodies} == {900}


@pytest.mark.parametrize("shape", [(8, 1, 1), (1, 4, 2)], ids=str)
def test_temperature_zero_pays_for_no_copies(shape: tuple[int, int, int]) -> None:
    server = Server()
    forced = searching(server, shape)
    forced.invoke(QUESTION, temperature=0)
    assert len([body for body in server.bodies if body["messages"] == [{"content": QUESTION, "role": "user"}]]) == 1
    free = choosing(openai(Server()), shapes=((1, 1, 1), shape), temperature=0.0)
    assert free.invoke(QUESTION).response_metadata["uniscale"]["configuration"] == {
        "model": "gpt-test",
        "qp": 1,
        "cp": 1,
        "bs": 1,
    }


def test_a_seed_of_a_call_begins_seeds_that_differ() -> None:
    server = Server()
    model = searching(server, (4, 1, 1), sampling=Sampling(votes="full"))
    model.invoke(QUESTION, seed=7)
    first = {body["seed"] for body in server.bodies}
    assert len(first) == 4
    server.bodies.clear()
    model.invoke(QUESTION, seed=7)
    assert {body["seed"] for body in server.bodies} == first


def test_a_call_that_names_a_model_is_answered_by_it_or_refused() -> None:
    small, big = Server(), Server()
    model = choosing(openai(small, "gpt-8b"), openai(big, "gpt-70b"))
    message = model.invoke(QUESTION, model="gpt-70b")
    assert message.response_metadata["uniscale"]["configuration"]["model"] == "gpt-70b"
    assert (len(small.bodies), [body["model"] for body in big.bodies]) == (0, ["gpt-70b"])
    with pytest.raises(ConfigurationError, match=r"'gpt-5', but the models are gpt-8b, gpt-70b"):
        model.invoke(QUESTION, model="gpt-5")


def test_names_under_configurable_are_the_application_s_but_for_those_with_our_prefix() -> None:
    model = searching(Server())
    config: Any = {
        "configurable": {"mode": 3, "deadline": "noon", "budget": object(), "weights": "a", "uniscale_mode": "quality-first"}
    }
    model.invoke(QUESTION, config)
    assert model.engine is not None
    [decision] = [entry.event for entry in model.engine.log.since() if entry.event.kind == "decision"]
    assert decision.weights == (0.5, 0.4, 0.1)  # type: ignore[union-attr]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    "content",
    [
        "",
        [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}],
        [{"type": "tool_result", "tool_use_id": "1", "content": "7"}],
    ],
)
def test_a_message_without_text_is_sent(content: Any, shape: tuple[int, int, int]) -> None:
    server = Server()
    assert searching(server, shape).invoke([HumanMessage(content)]).text == "Hello there.\nAnswer: 4"


def test_streamed_calls_say_what_they_said_to_the_model_alone(server: Server) -> None:
    bare = openai(server)
    calls: list[Callable[[Any], Any]] = [
        lambda each: list(each.stream(QUESTION, stream_usage=True)),
        lambda each: list(each.bind(metadata={"a": "b"}).stream(QUESTION)),
    ]
    for shape in SHAPES:
        model = searching(server, shape)
        for call in calls:
            server.bodies.clear()
            call(bare)
            [expected] = server.bodies
            server.bodies.clear()
            call(model)
            bodies = [body for body in server.bodies if body["messages"] == expected["messages"]]
            extra = [{name for name in body.keys() | expected if body.get(name) != expected.get(name)} for body in bodies]
            assert all(names <= ({"seed"} if shape[1] == 1 else {"seed", "stop", "max_completion_tokens"}) for names in extra)
            assert bodies


class Ends(BaseCallbackHandler):
    def __init__(self) -> None:
        self.outputs: list[Any] = []

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        self.outputs.append(response.llm_output)


def _detailed(body: Body, number: int) -> httpx.Response:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Answer: 4"}, "finish_reason": "stop"}
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 6,
        "total_tokens": 16,
        "prompt_tokens_details": {"cached_tokens": 8},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    told = {"id": "1", "object": "chat.completion", "created": 1, "model": "gpt-test", "choices": [choice], "usage": usage}
    return httpx.Response(200, json=told)


def test_usage_holds_the_whole_search_in_every_place_where_it_is_told() -> None:
    ends = Ends()
    whole = searching(Server(behaves=_detailed), (4, 1, 1), sampling=Sampling(votes="full"))
    message = whole.invoke(QUESTION, {"callbacks": [ends]})
    usage: Any = message.usage_metadata
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (40, 24, 64)
    assert usage["input_token_details"]["cache_read"] == 32
    assert usage["output_token_details"]["reasoning"] == 12
    told = message.response_metadata["token_usage"]
    assert (told["prompt_tokens"], told["prompt_tokens_details"]["cached_tokens"]) == (40, 32)
    [output] = ends.outputs
    assert (output["token_usage"]["total_tokens"], output["model_name"]) == (64, "gpt-test")


def test_generate_tells_of_several_messages_together() -> None:
    result = searching(Server(behaves=_detailed), (2, 1, 1)).generate([[HumanMessage("1?")], [HumanMessage("2?")]])
    assert result.llm_output is not None
    assert result.llm_output["token_usage"]["total_tokens"] == 64


@pytest.fixture
def global_cache() -> Any:
    set_llm_cache(InMemoryCache())
    yield
    set_llm_cache(None)


@pytest.mark.usefixtures("global_cache")
def test_the_global_cache_is_followed_and_a_hit_is_judged_once(server: Server) -> None:
    model = searching(server)
    first, second = model.invoke(QUESTION), model.invoke(QUESTION)
    assert len(server.bodies) == 1
    decisions = [each.response_metadata["uniscale"]["decision_id"] for each in (first, second)]
    assert decisions[0] == decisions[1]
    assert model.engine is not None
    assert [model.engine.feedback(each, correct=1.0, source="judge") for each in (first, second)] == [True, False]
    assert len([e for e in model.engine.log.since() if isinstance(e.event, Feedback)]) == 1
    UniScaleChatModel(engine=model.engine, cache=False).invoke(QUESTION)
    assert len(server.bodies) == 2


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    "settings", [{}, {"strict": False}, {"method": "function_calling"}, {"method": "function_calling", "strict": True}]
)
def test_a_form_is_asked_for_as_the_model_itself_asks_for_it(server: Server, shape: tuple[int, int, int], settings: Any) -> None:
    assert isinstance(openai(server).with_structured_output(Joke, **settings).invoke(QUESTION), Joke)
    [expected] = server.bodies
    server.bodies.clear()
    assert isinstance(searching(server, shape).with_structured_output(Joke, **settings).invoke(QUESTION), Joke)
    # Three of a vote of four that agree decide it, and two if they come before the third is sent.
    assert min(2, shape[0]) * shape[1] <= len(server.bodies) <= min(3, shape[0]) * shape[1]
    assert all({name: body[name] for name in expected} == expected for body in server.bodies)


def test_tools_with_a_pydantic_form_are_bound() -> None:
    server = Server()
    searching(server).bind_tools([Joke], response_format=Joke).invoke(QUESTION)
    openai(server).bind_tools([Joke], response_format=Joke).invoke(QUESTION)
    assert server.bodies[0] == server.bodies[1]


def test_models_are_made_by_the_names_of_their_providers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    model = UniScaleChatModel(
        models=["openai:gpt-5-mini", "openai:gpt-5"],
        api_key=SecretStr("secret"),
        prices={"openai:gpt-5-mini": (0.25, 2), "openai:gpt-5": (1.25, 10)},
    )
    assert model.engine is not None
    assert list(model.engine.models) == ["openai:gpt-5-mini", "openai:gpt-5"]
    inner = inner_models(model.engine)["openai:gpt-5-mini"]
    assert isinstance(inner, ChatOpenAI)
    assert inner.model_name == "gpt-5-mini"
    assert "secret" not in repr(model)
    with pytest.raises(MissingExtraError, match="langchain-groq"):
        UniScale(["groq:llama-3.3-70b"])
    with pytest.raises(ConfigurationError, match="nobody:model"):
        UniScale(["nobody:model"])


def test_settings_of_the_engine_are_taken_and_unknown_ones_refused(server: Server) -> None:
    settings: dict[str, Any] = {"store_queries": True, "mean_budget": 1e15}
    model = UniScaleChatModel(models=[openai(server)], verifier="agreement", **settings)
    model.invoke(QUESTION)
    assert model.engine is not None
    [decision] = [entry.event for entry in model.engine.log.since() if entry.event.kind == "decision"]
    assert decision.query == QUESTION  # type: ignore[union-attr]
    with pytest.raises(ValidationError, match="give an engine, or what one is made of"):
        UniScaleChatModel(engine=UniScale([as_generator(openai(server))], "agreement"), **settings)
    with pytest.raises(ValidationError, match="tempreature"):
        UniScaleChatModel(models=[openai(server)], tempreature=0.5)  # type: ignore[call-arg]


def test_its_repr_tells_no_secret(tmp_path: Any, server: Server) -> None:
    model = UniScaleChatModel(models=[openai(server)], log=f"sqlite:///{tmp_path}/log.db", api_key=SecretStr("sk-hidden"))
    assert "log='" not in repr(model)
    assert "sk-hidden" not in repr(model)
    assert model.model_name == "gpt-test"


def test_counting_tokens_fetches_nothing(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("something was to be fetched")

    monkeypatch.setattr("socket.socket.connect", refuse)
    model = searching(server)
    assert len(model.get_token_ids("How many tokens are this?")) == model.get_num_tokens("How many tokens are this?") == 6


def test_a_fallback_outside_the_middleware_is_heeded(server: Server) -> None:
    down = Server(behaves=lambda body, n: error(500))
    fallback = ModelFallbackMiddleware(openai(server, "gpt-fallback"))
    agent: Any = create_agent(openai(server, "gpt-agent"), middleware=[fallback, UniScaleMiddleware(searching(down))])
    calls: list[Callable[[], Any]] = [
        lambda: agent.invoke({"messages": [("human", QUESTION)]}, {"recursion_limit": 5}),
        lambda: asyncio.run(agent.ainvoke({"messages": [("human", QUESTION)]}, {"recursion_limit": 5})),
    ]
    for call in calls:
        assert call()["messages"][-1].text == "Hello there.\nAnswer: 4"
        assert server.bodies[-1]["model"] == "gpt-fallback"
    assert len(down.bodies) == len(calls)


@pytest.mark.parametrize("mode", [None, "values", "updates", "messages", ["updates", "messages"]], ids=str)
def test_a_judged_agent_streams_as_it_does_unjudged(server: Server, mode: Any) -> None:
    model = searching(server)
    agent: Any = create_agent(model)
    judged: list[str] = []

    def evaluator(outputs: Any) -> float:
        judged.append(outputs["messages"][-1].text)
        return 1.0

    chain: Any = with_feedback(agent, [evaluator], model)
    given, how = {"messages": [("human", QUESTION)]}, {} if mode is None else {"stream_mode": mode}

    async def collected(each: Any) -> list[Any]:
        return [piece async for piece in each.astream(given, {"recursion_limit": 5}, **how)]

    for pieces, expected in (
        (list(chain.stream(given, {"recursion_limit": 5}, **how)), list(agent.stream(given, {"recursion_limit": 5}, **how))),
        (asyncio.run(collected(chain)), asyncio.run(collected(agent))),
    ):
        assert [type(piece) for piece in pieces] == [type(piece) for piece in expected]
        assert judged.pop() == "Hello there.\nAnswer: 4"
    assert model.engine is not None
    assert [e.event.correct for e in model.engine.log.since() if isinstance(e.event, Feedback)] == [1.0, 1.0]


def test_a_judged_chain_streams_piece_by_piece(server: Server) -> None:
    model = searching(server)
    judged: list[str] = []
    chain = with_feedback(model, [lambda outputs: judged.append(outputs.text)], model)
    alone = [str(piece.text) for piece in openai(server).stream(QUESTION)]
    assert [str(piece.text) for piece in chain.stream(QUESTION)] == alone
    assert judged == ["Hello there.\nAnswer: 4"]


def test_threads_share_one_model(server: Server) -> None:
    model = searching(server, (2, 1, 1))
    with ThreadPoolExecutor(20) as pool:
        texts = list(pool.map(lambda number: model.invoke(f"{number} + 2?").text, range(40)))
    assert texts == ["Hello there.\nAnswer: 4"] * 40
