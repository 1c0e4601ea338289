"""The chat model as an application meets it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import log
from pathlib import Path
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, Runnable
from langchain_core.tools import tool
from langchain_core.tracers.context import collect_runs
from langchain_core.tracers.schemas import Run
from pydantic import BaseModel, ValidationError

from tests.langchain.conftest import openai, searching
from tests.openai_server import Body, Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.langchain import UniScaleChatModel
from uniscale_integrations.langchain.generator import as_generator
from uniscale_integrations.langchain.messages import conversation_of
from uniscale_integrations.models.chat.probe import PREFIX
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import NUMBERS
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration, ConfigurationSpace

PROMPT = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "{question}")])
SHAPES = [(1, 1, 1), (4, 1, 1), (2, 2, 1)]


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str


async def _streamed(chain: Runnable[Any, Any], given: Any, config: Any) -> None:
    async for _ in chain.astream(given, config):
        pass


CALLS: dict[str, Callable[[Runnable[Any, Any], Any, Any], Any]] = {
    "invoke": lambda chain, given, config: chain.invoke(given, config),
    "ainvoke": lambda chain, given, config: asyncio.run(chain.ainvoke(given, config)),
    "stream": lambda chain, given, config: list(chain.stream(given, config)),
    "astream": lambda chain, given, config: asyncio.run(_streamed(chain, given, config)),
    "batch": lambda chain, given, config: chain.batch([given], config),
}


def chat_runs(run: Run) -> list[Run]:
    found = [run] if run.run_type == "llm" else []
    return found + [each for child in run.child_runs for each in chat_runs(child)]


@pytest.mark.parametrize("tools", [False, True], ids=["text", "tools"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("call", CALLS)
def test_one_call_is_one_run_with_the_usage_of_the_whole_search(
    server: Server, shape: tuple[int, int, int], call: str, tools: bool
) -> None:
    # Without it the client asks OpenAI itself alone to count a streamed answer's tokens.
    # What a decided vote gives up is only estimated.
    model = searching(server, shape, stream_usage=True, sampling=Sampling(votes="full"))
    chain = PROMPT | (model.bind_tools([add]) if tools else model) | StrOutputParser()
    counter = UsageMetadataCallbackHandler()
    with collect_runs() as collector:
        CALLS[call](chain, {"question": "What is 2 + 2?"}, {"callbacks": [counter]})
    [root] = collector.traced_runs
    [run] = chat_runs(root)
    assert run.name == "UniScaleChatModel"
    [usage] = counter.usage_metadata.values()
    assert usage["input_tokens"] == 11 * len(server.bodies)
    # Before a search chooses between steps, the model is asked once how it continues an answer, which counts too.
    asked = [body for body in server.bodies if body["messages"][0]["content"] == "Be brief."]
    assert len(server.bodies) - len(asked) == (2 if shape[1] > 1 and not tools else 0)
    assert len(asked) == shape[0] * shape[1]


def test_a_plain_configuration_streams_the_tokens_of_the_inner_model(server: Server) -> None:
    pieces = list(searching(server).stream("What is 2 + 2?"))
    assert [str(piece.text) for piece in pieces if piece.text] == ["Hello ", "there.\nAnswer: ", "4"]
    whole = sum(pieces[1:], pieces[0])
    assert whole.response_metadata["uniscale"]["decision_id"]
    assert whole.usage_metadata is not None
    assert server.bodies[0]["stream"] is True


def test_a_search_streams_what_all_its_paths_agree_on() -> None:
    said = ["First this.\nAnswer: 4", "First this.\nAnswer: 5"]
    server = Server(lambda body, number: said[number % 2])
    pieces = [str(piece.text) for piece in searching(server, (1, 2, 1)).stream("What is 2 + 2?") if piece.text]
    assert pieces[0].startswith("First this.\n")
    assert "".join(pieces) in said


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_the_call_says_reaches_the_wire(server: Server, shape: tuple[int, int, int]) -> None:
    model = searching(server, shape)
    asked = model.bind_tools([add], tool_choice="add", strict=True).bind(temperature=0.25, max_tokens=77)
    asked.invoke([SystemMessage("Be brief."), HumanMessage("What is 2 + 2?")], stop=["END"])
    for body in server.bodies:
        assert body["tools"][0]["function"]["name"] == "add"
        assert body["tools"][0]["function"]["strict"] is True
        assert body["tool_choice"] == {"type": "function", "function": {"name": "add"}}
        assert (body["temperature"], body.get("max_tokens", body.get("max_completion_tokens")), body["stop"]) == (
            0.25,
            77,
            ["END"],
        )
        assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2 + 2?"}]


def test_pictures_reach_the_wire(server: Server) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
    searching(server).invoke([HumanMessage([{"type": "text", "text": "What is it?"}, picture])])
    assert server.bodies[0]["messages"][0]["content"][1]["image_url"]["url"] == "https://example.com/cat.png"


@pytest.mark.parametrize("method", ["function_calling", "json_schema", "json_mode"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_structured_output(server: Server, shape: tuple[int, int, int], method: str) -> None:
    joke = searching(server, shape).with_structured_output(Joke, method=method).invoke("Tell me a joke, as JSON.")
    assert isinstance(joke, Joke)
    kinds = {"json_schema": "json_schema", "json_mode": "json_object"}
    for body in server.bodies:
        assert body.get("response_format", {}).get("type") == kinds.get(method)


def test_candidates_with_the_same_tool_call_are_one_and_those_out_of_form_lose() -> None:
    calls = ['{"a": 1, "b": 2}', '{"b": 2, "a": 1}', '{"a": "one"}', '{"b": 2}']

    def behaves(body: Body, number: int) -> Any:
        import httpx

        function = {"name": "add", "arguments": calls[number % 4]}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": f"c{number}", "type": "function", "function": function}],
        }
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        told = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        return httpx.Response(200, json=told)

    model = searching(Server(behaves=behaves), (4, 1, 1))
    message = model.bind_tools([add]).invoke("Add 1 and 2.")
    [call] = message.tool_calls
    assert call["args"] == {"a": 1, "b": 2}
    assert message.response_metadata["uniscale"]["score"] > 0


def test_a_longer_system_prompt_does_not_change_the_decision() -> None:
    features: list[tuple[float, ...]] = []
    for system in ("Be brief.", "You are a helpful assistant of the Example Company. " * 50):
        server = Server()
        model = searching(server)
        called = AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1, "b": 1}, "id": "1"}])
        tool_dump = [called, ToolMessage(system * 3, tool_call_id="1")]
        model.invoke([SystemMessage(system), HumanMessage("Hello"), *tool_dump, HumanMessage("What is 12 + 30?")])
        assert model.engine is not None
        features += [entry.event.features for entry in model.engine.log.since() if entry.event.kind == "decision"]  # type: ignore[union-attr]
    assert features[0] == features[1]
    model.invoke("What is 12 + 30?")
    assert [e.event for e in model.engine.log.since() if e.event.kind == "decision"][-1].features != features[0]  # type: ignore[union-attr]


def test_mode_weights_and_budget_of_a_call(server: Server) -> None:
    models = [as_generator(openai(server, name)) for name in ("gpt-8b", "gpt-70b")]
    space = ConfigurationSpace.default(["gpt-8b", "gpt-70b"], ((1, 1, 1), (8, 1, 1)))
    engine = UniScale(models, "agreement", space)
    model = UniScaleChatModel(engine=engine)
    calls: list[Callable[[], AIMessage]] = [
        lambda: model.bind(weights=(0, 0, 1)).invoke("Hi?"),
        lambda: model.invoke("Hi?", {"configurable": {"uniscale_weights": (0, 0, 1), "mode": "of the application"}}),
        lambda: model.bind(budget=1e13).invoke("Hi?", weights=(1, 0, 0)),
        lambda: model.bind(budget=Budget(eflops=1e13)).invoke("Hi?"),
    ]
    for call in calls:
        message = call()
        assert message.response_metadata["uniscale"]["configuration"]["model"] == "gpt-8b"
    decisions = [entry.event for entry in engine.log.since() if entry.event.kind == "decision"]
    assert [event.weights for event in decisions[:3]] == [(0, 0, 1), (0, 0, 1), (1, 0, 0)]  # type: ignore[union-attr]
    assert all("weights" not in body and "budget" not in body for body in server.bodies)


def test_sync_calls_work_inside_a_running_loop(server: Server) -> None:
    async def outer() -> tuple[str, str]:
        model = searching(server)
        return str(model.invoke("Hi?").text), "".join(str(piece.text) for piece in model.stream("Hi?"))

    assert asyncio.run(outer()) == ("Hello there.\nAnswer: 4",) * 2


def test_the_embedded_family_answers_chains_and_stops_where_told() -> None:
    engine = UniScale(space=ConfigurationSpace([Configuration("uniscale-3m"), Configuration("uniscale-3m", 1, 4, 2)]))
    model = UniScaleChatModel(engine=engine)
    chain: Runnable[Any, str] = PROMPT | model | StrOutputParser()
    assert chain.invoke({"question": "What is 4 + 4?"}).strip().endswith("Answer: 8")
    assert "Answer" not in model.invoke("What is 4 + 4?", stop=["Answer"]).text
    assert "Answer" not in "".join(str(piece.text) for piece in model.stream("What is 4 + 4?", stop=["Answer"]))
    assert model.invoke("What is 4 + 4?", max_tokens=3).text in "4 + 4 = 8"
    with pytest.raises(ConfigurationError, match=r"uniscale-3m cannot do tools"):
        model.bind_tools([add]).invoke("What is 4 + 4?")


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValidationError, match="tempreature"):
        UniScaleChatModel(models=["uniscale-0.3m"], tempreature=0.5)  # type: ignore[call-arg]
    inner = searching(Server())
    with pytest.raises(ValidationError, match="cannot be one of the models"):
        UniScaleChatModel(models=[inner])
    with pytest.raises(ValueError, match="Received: 'magic'"):
        inner.with_structured_output(Joke, method="magic")


def test_chunks_merge_into_the_message_that_invoke_gives(server: Server) -> None:
    model = searching(server).bind_tools([add])
    first, *others = model.stream("Add 1 and 2.")
    assert isinstance(first, AIMessageChunk)
    whole = add_ai_message_chunks(first, *others)  # type: ignore[arg-type]
    assert [(call["name"], call["args"]) for call in whole.tool_calls] == [("add", {"a": 3, "b": 3})]


def test_without_a_verifier_named_chat_models_are_judged_by_what_their_candidates_agree_on() -> None:
    said = ["Answer: 4", "Answer: 5", "It is 4.\nAnswer: 4", "Answer: 4"]
    server = Server(lambda body, number: said[number % 4])
    engine = UniScale([as_generator(openai(server))], space=ConfigurationSpace([Configuration("gpt-test", 4)]))
    message = UniScaleChatModel(engine=engine).invoke("What is 2 + 2?")
    assert "Answer: 4" in message.text
    assert 0.5 < message.response_metadata["uniscale"]["score"] < 1.0
    plain = UniScaleChatModel(
        engine=UniScale([as_generator(openai(server))], space=ConfigurationSpace([Configuration("gpt-test")]))
    )
    assert plain.invoke("What is 2 + 2?").response_metadata["uniscale"]["score"] is None


def test_one_model_with_several_settings_is_several_models(server: Server) -> None:
    model = UniScaleChatModel(models=[openai(server), openai(server, temperature=0.1), openai(server, "gpt-other")])
    assert model.engine is not None
    assert list(model.engine.models) == ["gpt-test", "gpt-test#2", "gpt-other"]
    assert model.get_num_tokens("12345678") == 3


def test_the_last_answer_s_search_and_score_are_seen_in_the_next_turn(server: Server) -> None:
    model = searching(server, (4, 1, 1))
    first = HumanMessage("What is 2 + 2?")
    answer = model.invoke([first])
    turns = [first, answer, HumanMessage("And 3 + 3?")]
    numbers = dict(zip(NUMBERS, conversation_of(turns, {}).numbers.tolist(), strict=True))
    score = answer.response_metadata["uniscale"]["score"]
    assert score > 0.8, "those that were asked before the vote was decided agree"
    assert (numbers["turns"], numbers["last score"]) == pytest.approx((log(2), score - 0.5))
    assert not conversation_of([first], {}).numbers.any()
    assert model.invoke(turns).text


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_text_that_ends_the_answer_leaves_tool_calls_alone(server: Server, shape: tuple[int, int, int]) -> None:
    model = searching(server, shape).bind_tools([add])
    [call] = model.invoke("Add.", stop=["}", "tool"]).tool_calls
    first, *others = model.stream("Add.", stop=["}", "tool"])
    assert isinstance(first, AIMessageChunk)
    whole = add_ai_message_chunks(first, *others)  # type: ignore[arg-type]
    assert [each["args"] for each in whole.tool_calls] == [call["args"]] == [{"a": 3, "b": 3}]
    assert not whole.text


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_stop_text_gives_the_same_streamed_as_invoked(shape: tuple[int, int, int]) -> None:
    def says(body: Body, number: int) -> str:
        last = body["messages"][-1]
        said = str(last["content"]) if last["role"] == "assistant" else ""
        return " five" if said == PREFIX else "Thought: add.\nAction: calc\nObservation: 4\nAnswer: 4"[len(said) :]

    model = searching(Server(says), shape)
    invoked = model.invoke("Hi?", stop=["\nObservation:"]).text
    assert invoked == "Thought: add.\nAction: calc"
    assert "".join(str(piece.text) for piece in model.stream("Hi?", stop=["\nObservation:"])) == invoked


def test_a_picture_alone_is_a_question(server: Server) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}
    assert searching(server).invoke([HumanMessage([picture])]).text


def test_two_engines_do_not_share_what_a_cache_holds() -> None:
    cache = InMemoryCache()
    for name in ("gpt-a", "gpt-b"):
        server = Server(lambda body, number: f"I am {body['model']}.")
        model = UniScaleChatModel(models=[openai(server, name)], cache=cache)
        assert [model.invoke("Who?").text for _ in range(2)] == [f"I am {name}."] * 2
        assert len(server.bodies) <= 8


def test_an_engine_or_what_it_is_made_of(server: Server, tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'log.db'}"
    model = UniScaleChatModel(models=[openai(server)], log=address, verifier="none")
    assert model.invoke("Hi?").text
    assert (tmp_path / "log.db").exists()
    with pytest.raises(ValidationError, match="give an engine, or what one is made of"):
        UniScaleChatModel(engine=UniScale([openai(server)]), models=[openai(server)])
    for made_of in ({"prices": {"gpt-test": (1.0, 2.0)}}, {"timeout": 5.0}, {"max_retries": 2}):
        with pytest.raises(ValidationError, match="prices, timeout, max_retries"):
            UniScaleChatModel(engine=UniScale([openai(server)]), **made_of)
    priced = UniScale([openai(server)], prices={"gpt-test": (1.0, 2.0)})
    assert priced.in_dollars
    again = model.configurable_fields(temperature=ConfigurableField(id="t")).with_config(configurable={"t": 0.5})
    assert again.invoke("Hi?")
    assert UniScale([openai(server)]).run("Hi?").text
    for wrong in ([openai(server).with_retry()], [5], "uniscale-1m"):
        with pytest.raises(ConfigurationError, match=r"a model must be|at least one model, in a list"):
            UniScale(wrong)


def test_all_inner_models_profiles_together(server: Server) -> None:
    profiles: Any = [
        {"max_input_tokens": 1000, "tool_calling": True, "image_inputs": True},
        {"max_input_tokens": 500, "tool_calling": True},
    ]
    model = UniScaleChatModel(models=[openai(server, name, profile=each) for name, each in zip("ab", profiles, strict=True)])
    assert model.profile == {"max_input_tokens": 500, "tool_calling": True}


def test_a_model_draws_as_it_is_set_up_unless_it_would_draw_the_same_every_time() -> None:
    for given, expected in ((None, None), (0.3, 0.3), (0.0, 0.8)):
        server = Server()
        settings: dict[str, Any] = {} if given is None else {"temperature": given}
        searching(server, (4, 1, 1), **settings).invoke("Hi?")
        assert {body.get("temperature") for body in server.bodies} == {expected}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"deadline": "2s"}, "deadline must be a number of seconds, got '2s'"),
        ({"budget": "5"}, "budget must be a number of eflops, or a Budget, got '5'"),
        ({"mode": "fast"}, "no mode 'fast'"),
    ],
)
def test_what_a_call_says_wrongly_is_told(server: Server, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        searching(server).invoke("Hi?", **options)
