"""Models of one's own and incomplete descriptions of models: they behave as they do alone."""

from __future__ import annotations

import asyncio
import copy
import pickle
from operator import itemgetter
from typing import Any

import httpx
import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ChatMessage, HumanMessage
from langchain_core.output_parsers import PydanticOutputParser
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnableParallel, RunnablePassthrough
from langchain_openai import ChatOpenAI
from openai import BadRequestError
from pydantic import BaseModel, Field, PrivateAttr, SecretStr, model_validator

from tests.langchain.conftest import openai
from tests.openai_server import Body, Server
from tests.parity.langchain_clients import CLIENTS
from tests.parity.providers.wire import Wire
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.langchain import UniScaleChatModel
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration, ConfigurationSpace

Shape = tuple[int, int, int]

PLAIN, SHAPES = (1, 1, 1), [(1, 1, 1), (4, 1, 1), (1, 4, 2)]
QUESTION = "How many are two and two?"
PICTURE = HumanMessage(
    [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]
)


def over(*models: Any, shape: Shape = PLAIN, **settings: Any) -> UniScaleChatModel:
    """Models behind an engine that always searches so."""
    names = list(UniScale(list(models), "agreement", prices=None).models)
    space, sampling = ConfigurationSpace([Configuration(name, *shape) for name in names]), Sampling(votes="full")
    return UniScaleChatModel(engine=UniScale(list(models), "agreement", space, sampling=sampling, prices=None), **settings)


class Joke(BaseModel):
    """A joke."""

    setup: str


@pytest.mark.parametrize(
    "profile", [{"max_input_tokens": 100_000}, {"pdf_inputs": True}, {"tool_calling": False, "image_inputs": False}]
)
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1)], ids=str)
def test_what_a_profile_does_not_claim_the_model_says_itself(server: Server, profile: dict[str, Any], shape: Shape) -> None:
    inner = openai(server, profile=profile)
    calls: list[Any] = [
        lambda model: model.bind_tools([Joke]).invoke(QUESTION),
        lambda model: model.bind(response_format={"type": "json_object"}).invoke(f"{QUESTION} Say it in JSON."),
        lambda model: model.bind(response_format={"type": "text"}).invoke(QUESTION),
        lambda model: model.invoke([PICTURE]),
    ]
    for call in calls:
        alone = call(inner)
        ours = call(over(inner, shape=shape))
        assert ours.content == alone.content
        assert [(made["name"], made["args"]) for made in ours.tool_calls] == [
            (made["name"], made["args"]) for made in alone.tool_calls
        ]


def test_who_is_known_to_be_able_goes_first() -> None:
    able, unable = Server(), Server()
    model = over(openai(unable, "gpt-a", profile={"tool_calling": False}), openai(able, "gpt-b", profile={"tool_calling": True}))
    for _ in range(5):
        model.bind_tools([Joke]).invoke(QUESTION)
    assert (len(unable.bodies), len(able.bodies)) == (0, 5)
    # Nobody can have tools who has no method for them.
    with pytest.raises(ConfigurationError, match="cannot do tools"):
        over(FakeListChatModel(responses=["a"])).invoke(QUESTION, tools=[{"type": "function", "function": {"name": "f"}}])


@pytest.mark.parametrize("names", [("gpt-4", "gpt-4o-mini"), ("gpt-4o-mini", "gpt-4"), ("gpt-5", "gpt-3.5-turbo")])
@pytest.mark.parametrize("include_raw", [False, True])
@pytest.mark.filterwarnings("ignore:Cannot use method")
def test_an_answer_in_a_form_is_read_as_it_was_asked_for(names: tuple[str, str], include_raw: bool) -> None:
    for asked in names:
        model = over(*(openai(Server(), name) for name in names))
        read = model.with_structured_output(Joke, include_raw=include_raw).invoke(QUESTION, model=asked)
        assert isinstance(read["parsed"] if include_raw else read, Joke)


def _prompted(llm: Any) -> Any:
    return ChatPromptTemplate.from_messages([("system", "Answer in JSON."), ("placeholder", "{messages}")]) | llm


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1)], ids=str)
@pytest.mark.parametrize("include_raw", [False, True])
@pytest.mark.parametrize("retried", [False, True])
@pytest.mark.parametrize("streaming", [False, True])
def test_a_model_may_put_a_prompt_of_its_own_before_its_requests_for_a_form(
    server: Server, shape: Shape, include_raw: bool, retried: bool, streaming: bool
) -> None:
    class Own(ChatOpenAI):
        def with_structured_output(self, schema: Any = None, *, include_raw: bool = False, **kwargs: Any) -> Any:
            bound = self.bind(response_format={"type": "json_object"})
            asks = RunnableLambda(lambda given: {"messages": self._convert_input(given).to_messages()}) | _prompted(
                bound.with_retry() if retried else bound
            )
            reads = PydanticOutputParser(pydantic_object=schema)
            return (
                RunnableParallel(raw=asks) | RunnablePassthrough.assign(parsed=itemgetter("raw") | reads)
                if include_raw
                else asks | reads
            )

    clients: dict[str, Any] = {"http_client": server.client(), "http_async_client": server.async_client()}
    inner = Own(model="gpt-4.1-mini", api_key=SecretStr("k"), temperature=0.3, **clients)
    asked = [HumanMessage(QUESTION)]

    def read(model: Any) -> Any:
        chain = model.with_structured_output(Joke, include_raw=include_raw)
        given = list(chain.stream(asked))[-1] if streaming else chain.invoke(asked)
        return given if not include_raw else given["parsed"]

    alone = read(inner)
    [body] = server.bodies
    assert read(over(inner, shape=shape)) == alone == Joke(setup="Why?")
    for sent in server.bodies[1:]:
        assert (
            sent["messages"]
            == body["messages"]
            == [{"role": "system", "content": "Answer in JSON."}, {"role": "user", "content": QUESTION}]
        )
        assert sent["response_format"] == body["response_format"]


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1)], ids=str)
@pytest.mark.parametrize("own", ["invoke", "ainvoke", "stream", "astream"])
def test_a_model_s_own_way_for_who_awaits_is_taken_and_no_other(shape: Shape, own: str) -> None:
    class Own(FakeListChatModel):
        pass

    def invoke(model: Any, given: Any, config: Any = None, **kwargs: Any) -> Any:
        return AIMessage("guarded")

    async def ainvoke(model: Any, given: Any, config: Any = None, **kwargs: Any) -> Any:
        return AIMessage("guarded")

    def stream(model: Any, given: Any, config: Any = None, **kwargs: Any) -> Any:
        yield AIMessageChunk(content="guarded")

    async def astream(model: Any, given: Any, config: Any = None, **kwargs: Any) -> Any:
        yield AIMessageChunk(content="guarded")

    setattr(Own, own, {"invoke": invoke, "ainvoke": ainvoke, "stream": stream, "astream": astream}[own])

    async def streamed(model: Any) -> str:
        return "".join([str(chunk.content) async for chunk in model.astream(QUESTION)])

    inner, model = Own(responses=["plain"]), over(Own(responses=["plain"]), shape=shape)
    assert asyncio.run(model.ainvoke(QUESTION)).content == asyncio.run(inner.ainvoke(QUESTION)).content
    assert model.invoke(QUESTION).content == inner.invoke(QUESTION).content
    if shape == PLAIN:
        assert asyncio.run(streamed(model)) == asyncio.run(streamed(inner))


def test_generate_says_where_callers_look_what_was_counted() -> None:
    client = CLIENTS["responses"]
    inner = client.over(Wire(client.provider), None)
    for shape in (PLAIN, (2, 1, 1)):
        model = over(inner, shape=shape)
        told = model.generate([[HumanMessage(QUESTION)]]).llm_output
        assert told is not None
        if shape == PLAIN:
            assert told["token_usage"] == {}, "as the model alone"
        else:
            usage = model.invoke(QUESTION).usage_metadata
            assert usage is not None
            assert told["token_usage"]["total_tokens"] == usage["total_tokens"] > 0


@pytest.mark.parametrize("role", ["assistant", "model", "ai", "user", ""])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1)], ids=str)
@pytest.mark.parametrize("streaming", [False, True])
def test_what_a_model_says_is_its_answer_whatever_role_its_server_gives_it(role: str, shape: Shape, streaming: bool) -> None:
    def behaves(body: Body, number: int) -> httpx.Response | None:
        if body.get("stream"):
            return None
        choice = {"index": 0, "message": {"role": role, "content": "It is 4."}, "finish_reason": "stop"}
        return httpx.Response(200, json={"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]})

    inner = openai(Server(lambda body, number: "It is 4.", behaves))
    model = over(inner, shape=shape)
    said = "".join(str(chunk.content) for chunk in model.stream(QUESTION)) if streaming else model.invoke(QUESTION).content
    assert said == inner.invoke(QUESTION).content == "It is 4."


@pytest.mark.parametrize(
    "message", [ChatMessage(content="It is 4.", role="bot"), HumanMessage("It is 4.")], ids=["chat", "human"]
)
def test_so_is_what_a_model_of_one_s_own_says(message: BaseMessage) -> None:
    class Own(FakeListChatModel):
        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
            return ChatResult(generations=[ChatGeneration(message=message)])

    for shape in (PLAIN, (2, 1, 1)):
        assert over(Own(responses=[]), shape=shape).invoke(QUESTION).content == "It is 4."


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("streaming", [False, True])
def test_whoever_follows_the_causes_of_an_error_comes_to_an_end(shape: Shape, streaming: bool) -> None:
    class RefusedError(Exception):
        status_code = 400

    error = RefusedError("no such thing")

    class Own(FakeListChatModel):
        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
            raise error

        def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            raise error
            yield

    model = over(Own(responses=[]), shape=shape)
    # The same exception again, as circuit breakers raise it.
    for _ in range(3):
        with pytest.raises(RefusedError) as raised:
            list(model.stream(QUESTION)) if streaming else model.invoke(QUESTION)
        assert raised.value is error
        assert error.__cause__ is None
        behind: BaseException | None = error
        steps = 0
        while behind is not None:
            behind, steps = behind.__cause__ or behind.__context__, steps + 1
            assert steps < 20


@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 1, 1)], ids=str)
@pytest.mark.parametrize("name", ["temperature", "max_tokens", "top_p", "seed"])
def test_a_call_may_say_that_there_is_no_setting(name: str, shape: Shape) -> None:
    alone, ours = Server(), Server()
    settings: dict[str, Any] = {"temperature": 0.5, "max_tokens": 20, "top_p": 0.9, "seed": 3}
    openai(alone, **settings).invoke(QUESTION, **{name: None})
    over(openai(ours, **settings), shape=shape).invoke(QUESTION, **{name: None})
    for body in ours.bodies:
        differ = {key for key in body | alone.bodies[0] if body.get(key, "-") != alone.bodies[0].get(key, "-")}
        assert differ <= (set() if shape == PLAIN else {"seed"})


class Prepared(FakeListChatModel):
    """Reads what it is called with, and what it is set up with only once."""

    responses: list[str] = Field(default_factory=list)
    temperature: float = 0.7
    max_tokens: int = 100
    calls: int = 0
    _parameters: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _prepare(self) -> Any:
        self._parameters = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        return self

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        self.calls += 1
        told = {name: value for name, value in kwargs.items() if name in self._parameters}
        message = AIMessage(str(sorted((self._parameters | told).items())), response_metadata={"call": self.calls})
        return ChatResult(generations=[ChatGeneration(message=message)])


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1)], ids=str)
def test_a_model_of_one_s_own_gets_what_it_is_called_with(shape: Shape) -> None:
    options: dict[str, Any] = {"temperature": 0.1, "max_tokens": 7}
    alone = Prepared().invoke(QUESTION, **options)
    assert over(Prepared(), shape=shape).invoke(QUESTION, **options).content == alone.content


def test_a_model_of_one_s_own_keeps_what_it_remembers() -> None:
    inner = Prepared()
    model = over(inner)
    assert [model.invoke(QUESTION, temperature=0.1).response_metadata["call"] for _ in range(3)] == [1, 2, 3]
    assert inner.calls == 3
    server = Server()
    chat = openai(server)
    model = over(chat)
    chat.temperature = 0.9
    model.invoke(QUESTION)
    assert server.bodies[-1]["temperature"] == 0.9


def test_what_the_outer_model_is_given_holds(server: Server) -> None:
    profile: Any = {"max_input_tokens": 100}
    for inner in (openai(server), openai(server, "gpt-4o-mini")):
        model = UniScaleChatModel(
            models=[inner], verifier="agreement", profile=profile, custom_get_token_ids=lambda text: [1, 2, 3]
        )
        assert model.profile == profile
        assert (model.get_token_ids("Hello there."), model.get_num_tokens("Hello there.")) == ([1, 2, 3], 3)
        assert model.get_num_tokens_from_messages([HumanMessage("Hello")]) == 3
    assert UniScaleChatModel(models=[openai(server, "gpt-4o-mini")], verifier="agreement").profile


def test_a_copy_shares_the_engine_and_one_of_another_process_says_that_it_has_none(server: Server) -> None:
    model = over(openai(server))
    assert copy.deepcopy({"model": model})["model"].engine is model.engine
    assert copy.deepcopy(model).invoke(QUESTION).content == "Hello there.\nAnswer: 4"
    there = pickle.loads(pickle.dumps(model))
    with pytest.raises(TypeError, match="make one in each"):
        there.invoke(QUESTION)


def test_how_a_stream_of_the_responses_api_is_sent_may_be_said() -> None:
    bodies: list[Body] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(httpx.Response(200, content=request.content).json())
        return httpx.Response(400, json={"error": {"message": "enough"}})

    inner = ChatOpenAI(
        model="gpt-5-mini",
        api_key=SecretStr("test"),
        use_responses_api=True,
        max_retries=0,
        http_client=httpx.Client(transport=httpx.MockTransport(answer)),
    )
    for model in (inner, over(inner)):
        with pytest.raises(BadRequestError):
            list(model.stream(QUESTION, stream_options={"include_obfuscation": False}))
    assert bodies[0] == bodies[1]
    assert bodies[0]["stream_options"] == {"include_obfuscation": False}
    with pytest.raises(BadRequestError):
        over(inner, shape=(2, 1, 1)).invoke(QUESTION, stream_options={"include_obfuscation": False})
    assert all("stream_options" not in body for body in bodies[2:])
