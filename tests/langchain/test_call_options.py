"""What a call says beside its messages, and what its model is set up with: they hold as they do for the model alone."""

from __future__ import annotations

import re
from functools import reduce
from operator import add
from typing import Any

import httpx
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatResult
from openai import RateLimitError
from pydantic import Field

from tests.langchain.conftest import openai
from tests.openai_server import Body, Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.langchain import UniScaleChatModel
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration, ConfigurationSpace

Shape = tuple[int, int, int]

PLAIN, SHAPES = (1, 1, 1), [(1, 1, 1), (4, 1, 1), (1, 4, 2)]
QUESTION = "How many are two and two?"


def over(model: BaseChatModel, shape: Shape = PLAIN, name: str = "gpt-test", **settings: Any) -> UniScaleChatModel:
    """A model behind an engine that always searches so."""
    space, sampling = ConfigurationSpace([Configuration(name, *shape)]), Sampling(votes="full")
    return UniScaleChatModel(engine=UniScale([model], "agreement", space, sampling=sampling), **settings)


def continuing(text: str) -> Server:
    """A server that goes on with partial answers where it is told to, and holds replies to their limit."""

    def behaves(body: Body, number: int) -> httpx.Response:
        last = body["messages"][-1]
        begun = last["content"] if last["role"] == "assistant" else ""
        whole = "Here they come: one two three four five six" if "eight" in str(body["messages"]) else text
        rest = whole.removeprefix(begun) if body.get("continue_final_message") else whole
        for end in body.get("stop") or []:
            rest = rest.split(end)[0]
        words, most = re.findall(r"\s*\S+|\s+$", rest), body.get("max_completion_tokens") or body.get("max_tokens")
        cut = most is not None and len(words) > most
        message = {"role": "assistant", "content": "".join(words[:most]) if cut else rest}
        choice = {"index": 0, "message": message, "finish_reason": "length" if cut else "stop", "logprobs": None}
        usage = {"prompt_tokens": 9, "completion_tokens": len(words), "total_tokens": 9 + len(words)}
        told = {"id": "1", "object": "chat.completion", "created": 1, "model": "gpt-test", "choices": [choice], "usage": usage}
        return httpx.Response(200, json=told)

    return Server(behaves=behaves)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("bound", [False, True])
def test_a_text_that_ends_an_answer_may_be_given_alone(server: Server, shape: Shape, bound: bool) -> None:
    model = over(openai(server), shape)
    message = model.bind(stop="there").invoke(QUESTION) if bound else model.invoke(QUESTION, stop="there")  # type: ignore[arg-type]
    assert message.content == "Hello "
    own = [body["stop"] for body in server.bodies if body["messages"][0]["content"] == QUESTION]
    assert all("there" in stop for stop in own) if shape[1] > 1 else set(own) == {"there"}
    assert over(openai(server), shape, stop="there").invoke(QUESTION).content == "Hello "
    assert server.bodies[-1]["stop"] in (["there"], ["\n", "there"])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_no_stop_texts_at_all_are_fewer_than_those_of_the_model(server: Server, shape: Shape) -> None:
    inner = openai(server, stop=["there"])
    assert (
        inner.invoke(QUESTION, stop=[]).content
        == over(inner, shape).invoke(QUESTION, stop=[]).content
        == "Hello there.\nAnswer: 4"
    )
    assert over(inner, shape).invoke(QUESTION, stop=()).content == "Hello there.\nAnswer: 4"  # type: ignore[arg-type]
    assert over(inner, shape).invoke(QUESTION).content == "Hello "


class Own(FakeListChatModel):
    """Reads what it is called with, as one that passes it on to a server of its own does."""

    responses: list[str] = Field(default_factory=list)
    options: list[dict[str, Any]] = Field(default_factory=list)

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        self.options.append(kwargs)
        return ChatResult(generations=[ChatGeneration(message=AIMessage("4"))])


@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 1, 1)], ids=str)
@pytest.mark.parametrize("bound", [False, True])
def test_a_model_of_one_s_own_gets_the_sampling_parameters_of_a_call(shape: Shape, bound: bool) -> None:
    inner = Own()
    options: dict[str, Any] = {"seed": 3, "top_p": 0.5, "temperature": 0.3, "max_tokens": 9, "top_k": 4}
    model = over(inner, shape, name=inner._llm_type)
    assert (model.bind(**options).invoke(QUESTION) if bound else model.invoke(QUESTION, **options)).content == "4"
    assert len(inner.options) == shape[0]
    assert all({**told, "seed": 3} == options for told in inner.options)
    assert len({told["seed"] for told in inner.options}) == shape[0]
    assert shape != PLAIN or inner.options == [options]


@pytest.mark.parametrize(
    "other", [{"temperature": 0.3}, {"max_tokens": 7}, {"base_url": "http://other/v1"}, {"extra_body": {"a": 1}}]
)
def test_a_cache_keeps_answers_of_different_models_apart(server: Server, other: dict[str, Any]) -> None:
    cache, elsewhere = InMemoryCache(), Server(lambda body, number: "Elsewhere.")
    one, two = over(openai(server), cache=cache), over(openai(elsewhere, **other), cache=cache)
    assert [model.invoke(QUESTION).content for model in (one, two, one)] == [
        "Hello there.\nAnswer: 4",
        "Elsewhere.",
        "Hello there.\nAnswer: 4",
    ]
    assert len(server.bodies) == len(elsewhere.bodies) == 1


@pytest.mark.parametrize("shape", [(1, 4, 2), (2, 2, 1)], ids=str)
def test_the_most_tokens_that_a_model_is_set_up_with_hold_for_all_steps_together(shape: Shape) -> None:
    server = continuing("\n".join(f"line number {number}" for number in range(40)))
    inner = openai(server, max_tokens=20, base_url="http://server/v1")
    alone, ours = inner.invoke(QUESTION), over(inner, shape).invoke(QUESTION)
    assert alone.response_metadata["finish_reason"] == ours.response_metadata["finish_reason"] == "length"
    # Its steps are counted in tokens by an estimate.
    assert len(str(ours.content).split()) <= 1.5 * len(str(alone.content).split())
    more = over(inner, shape).invoke(QUESTION, max_tokens=1000)
    assert more.content == "\n".join(f"line number {number}" for number in range(40))


@pytest.mark.parametrize(
    "options", [{"reasoning": {"effort": "low"}}, {"text": {"verbosity": "low"}}, {"previous_response_id": "r"}]
)
def test_calls_that_go_to_the_responses_api_are_not_continued(options: dict[str, Any]) -> None:
    chat, inputs = continuing("Two and two\nmake four."), list[Body]()

    def behaves(body: Body, number: int) -> httpx.Response:
        if "input" not in body:
            return chat.answer(httpx.Request("POST", "http://server", json=body))
        inputs.append(body)
        content = [{"type": "output_text", "text": "Two and two\nmake four.", "annotations": []}]
        said = [{"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": content}]
        counts = {"input_tokens": 3, "output_tokens": 3, "total_tokens": 6}
        details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        told = {"id": "r1", "object": "response", "created_at": 1, "model": "gpt-test", "status": "completed", "output": said}
        rest = {"usage": counts | details, "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
        return httpx.Response(200, json=told | rest)

    model = over(openai(Server(behaves=behaves), base_url="http://server/v1"), (1, 4, 2))
    assert model.invoke(QUESTION, **options).text == "Two and two\nmake four."
    assert len(inputs) == 4
    assert all(len(body["input"]) == 1 and "continue_final_message" not in body for body in inputs)
    assert model.invoke(QUESTION).content == "Two and two\nmake four."
    assert any("continue_final_message" in body for body in chat.bodies)


TOOLS = [
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}}
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_calls_of_tools_that_the_model_brings_are_streamed_as_calls(server: Server, shape: Shape) -> None:
    model = over(openai(server, model_kwargs={"tools": TOOLS}), shape)
    whole = reduce(add, model.stream(QUESTION))
    assert isinstance(whole, AIMessageChunk)
    assert not whole.content
    assert [(call["name"], call["args"]) for call in whole.tool_calls] == [("f", {"a": 3})]


NAMELESS = {"type": "object", "properties": {"setup": {"type": "string"}}, "required": ["setup"]}
REFERRING = {"$defs": {"P": NAMELESS}, "$ref": "#/$defs/P"}


@pytest.mark.parametrize(
    "schema", [NAMELESS, REFERRING, {"type": "json_schema", "json_schema": {"name": "P", "schema": NAMELESS}}]
)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_schemas_that_the_model_takes_are_taken(server: Server, shape: Shape, schema: dict[str, Any]) -> None:
    inner = openai(server)
    alone = inner.with_structured_output(schema, method="json_mode").invoke(QUESTION + " Say it in JSON.")
    assert over(inner, shape).with_structured_output(schema, method="json_mode").invoke(QUESTION + " Say it in JSON.") == alone
    for model in (inner, over(inner, shape)):
        with pytest.raises(ValueError, match="Unsupported function"):
            model.with_structured_output(schema, method="function_calling")


def test_the_cause_of_an_error_is_the_providers_own() -> None:
    refuses = Server(behaves=lambda body, number: httpx.Response(429, json={"error": {"message": "slow down"}}))
    inner = openai(refuses)
    causes = []
    for model in (inner, over(inner), over(inner, (4, 1, 1))):
        with pytest.raises(RateLimitError) as raised:
            model.invoke(QUESTION)
        causes.append(type(raised.value.__cause__))
    assert len(set(causes)) == 1


def test_models_without_tools_say_so_when_tools_are_bound() -> None:
    inner = FakeListChatModel(responses=["a"])
    for model in (inner, UniScaleChatModel(models=[inner], verifier="agreement")):
        with pytest.raises(NotImplementedError):
            model.bind_tools([add])


def test_a_message_of_a_model_that_does_not_stream_keeps_its_name_in_a_stream() -> None:
    inner = FakeMessagesListChatModel(responses=[AIMessage("hello", name="bot")])
    name = UniScaleChatModel(models=[inner], verifier="agreement").model_name
    for model in (inner, over(inner, name=name)):
        assert [(chunk.content, chunk.name) for chunk in model.stream(QUESTION) if chunk.content] == [("hello", "bot")]


def test_the_probe_goes_with_the_headers_of_the_call() -> None:
    answers = continuing("Two and two\nmake four.")

    def guarded(body: Body, number: int) -> httpx.Response:
        if "x-key" not in server.headers[-1]:
            return httpx.Response(401, json={"error": {"message": "who are you?"}})
        return answers.answer(httpx.Request("POST", "http://server", json=body))

    server = Server(behaves=guarded)
    model = over(openai(server, base_url="http://server/v1"), (1, 4, 2))
    with pytest.raises(Exception, match="who are you"):
        model.invoke(QUESTION)
    assert model.invoke(QUESTION, extra_headers={"x-key": "k"}).content == "Two and two\nmake four."
    assert any("continue_final_message" in body for body in answers.bodies)
