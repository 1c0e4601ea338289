"""LlamaIndex's LLM on OpenAI's Responses API, whose streams, counts and forms are not those of chat completions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms.llm import LLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, ValidationError

from tests.parity.forms import Solution
from tests.parity.langchain_cases import CUT, FILTERED, NONSENSE, QUESTION, REFUSED
from tests.parity.llama_index_cases import TOOLS
from tests.parity.llama_index_clients import CLIENTS, RESPONSES
from tests.parity.providers.wire import Body, Provider, Reply, Wire
from uniscale_integrations.engine import UniScale
from uniscale_integrations.llama_index import UniScaleLLM
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration, ConfigurationSpace

SHAPES = [(1, 1, 1), (4, 1, 1), (1, 4, 2), (2, 2, 1)]
PROMPT = PromptTemplate("Please be brief. {question}")
ASKED = [ChatMessage(QUESTION)]


@dataclass
class Mixed:
    """A provider that breaks off its first answer."""

    provider: Provider
    answered: int = field(default=0)

    def answer(self, path: str, body: Body) -> Reply:
        self.answered += 1
        if self.answered == 1:
            body = json.loads(json.dumps(body).replace(QUESTION, CUT))
        return self.provider.answer(path, body)


def bare(client: str, wire: Wire, **settings: Any) -> LLM:
    return CLIENTS[client].over(wire, **settings)


def around(client: str, wire: Wire, shape: tuple[int, int, int], **settings: Any) -> UniScaleLLM:
    space = ConfigurationSpace([Configuration(CLIENTS[client].settings["model"], *shape)])
    # What a decided vote gives up is only estimated, and usage is compared.
    return UniScaleLLM(engine=UniScale([bare(client, wire, **settings)], "agreement", space, sampling=Sampling(votes="full")))


def both(client: str, shape: tuple[int, int, int], **settings: Any) -> tuple[tuple[Wire, LLM], tuple[Wire, LLM]]:
    wires = [Wire(CLIENTS[client].provider) for _ in range(2)]
    return (wires[0], bare(client, wires[0], **settings)), (wires[1], around(client, wires[1], shape, **settings))


def predicted(llm: LLM, question: str, *, asynchronous: bool = False) -> Any:
    if asynchronous:
        return asyncio.run(llm.astructured_predict(Solution, PROMPT, question=question))
    return llm.structured_predict(Solution, PROMPT, question=question)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["blocking", "awaited"])
@pytest.mark.parametrize("client", RESPONSES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_object_is_asked_for_by_the_format_by_which_the_llm_alone_asks(
    client: str, shape: tuple[int, int, int], asynchronous: bool
) -> None:
    (theirs, llm), (wire, ours) = both(client, shape)
    expected = predicted(llm, QUESTION, asynchronous=asynchronous)
    assert predicted(ours, QUESTION, asynchronous=asynchronous) == expected
    alike = ("model", "input", "text", "tool_choice", "store")
    for request in wire.requests:
        assert [request.body[name] for name in alike] == [theirs.requests[0].body[name] for name in alike]


@pytest.mark.parametrize(
    "settings", [{"pydantic_program_mode": mode} for mode in PydanticProgramMode] + [{"system_prompt": "Be brief."}]
)
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1)], ids=str)
def test_so_it_is_whatever_else_the_llm_is_set_up_with(shape: tuple[int, int, int], settings: dict[str, Any]) -> None:
    (theirs, llm), (wire, ours) = both("responses", shape, **settings)
    assert predicted(ours, QUESTION) == predicted(llm, QUESTION)
    for request in wire.requests:
        for name in ("input", "text", "tool_choice"):
            assert request.body[name] == theirs.requests[0].body[name]


@pytest.mark.parametrize(
    ("question", "error"),
    [
        (REFUSED, ValueError),
        (CUT, ValidationError),
        (NONSENSE, ValidationError),
        (FILTERED, ValidationError),
        ("Say nothing.", ValidationError),
    ],
)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_is_no_object_is_the_error_that_it_is_of_the_llm_alone(
    shape: tuple[int, int, int], question: str, error: type[Exception]
) -> None:
    (_, llm), (_, ours) = both("responses", shape)
    messages = []
    for each in (llm, ours):
        with pytest.raises(error) as raised:
            predicted(each, question)
        messages.append(str(raised.value).split("\n")[0])
    assert messages[0] == messages[1]


@pytest.mark.parametrize("client", RESPONSES)
def test_a_stream_of_objects_takes_a_tool_as_it_does_without_us(client: str) -> None:
    (theirs, llm), (wire, ours) = both(client, (1, 1, 1))
    last: list[BaseModel] = [
        list(each.stream_structured_predict(Solution, PROMPT, question=QUESTION))[-1] for each in (llm, ours)
    ]
    assert last[0].model_dump() == last[1].model_dump()
    assert [request.body["tools"] for request in wire.requests] == [request.body["tools"] for request in theirs.requests]


def whole(llm: LLM) -> ChatResponse:
    return llm.chat(ASKED)


def last_of_stream(llm: LLM) -> ChatResponse:
    return list(llm.stream_chat(ASKED))[-1]


@pytest.mark.parametrize("ask", [whole, last_of_stream])
@pytest.mark.parametrize("client", RESPONSES)
def test_a_reply_that_was_cut_off_loses_and_is_named(client: str, ask: Callable[[LLM], ChatResponse]) -> None:
    response = ask(around(client, Wire(Mixed(CLIENTS[client].provider)), (2, 1, 1)))
    assert response.message.content == "Two and two make four.\nAnswer: 4"
    assert any("cut off at the token limit" in note for note in response.additional_kwargs["uniscale"]["notes"])


@pytest.mark.parametrize("client", RESPONSES)
@pytest.mark.parametrize("shape", SHAPES[1:], ids=str)
def test_a_stream_that_is_cut_off_keeps_what_was_said(client: str, shape: tuple[int, int, int]) -> None:
    responses = list(around(client, Wire(CLIENTS[client].provider), shape).stream_chat([ChatMessage(CUT)]))
    assert responses[-1].message.content == "".join(each.delta or "" for each in responses) == "Two and tw"
    assert responses[-1].additional_kwargs["uniscale"]["cut"] == "cut off at the token limit"


@pytest.mark.parametrize("ask", [whole, last_of_stream])
@pytest.mark.parametrize("client", RESPONSES)
@pytest.mark.parametrize("shape", SHAPES[1:], ids=str)
def test_usage_is_that_of_all_requests_wherever_it_is_told(
    client: str, shape: tuple[int, int, int], ask: Callable[[LLM], ChatResponse]
) -> None:
    wire = Wire(CLIENTS[client].provider)
    llm, counter = around(client, wire, shape), TokenCountingHandler()
    llm.callback_manager = CallbackManager([counter])
    response = ask(llm)
    taken = sum(reply.input_tokens for reply in wire.replies), sum(reply.output_tokens for reply in wire.replies)
    usage = response.additional_kwargs["usage"]
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (*taken, sum(taken))
    assert response.additional_kwargs["uniscale"]["ledger"]["completion_tokens"] == taken[1]
    if ask is whole:
        assert counter.total_llm_token_count == sum(taken)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_the_api_lacks_is_left_out_whatever_was_decided(shape: tuple[int, int, int]) -> None:
    wire = Wire(CLIENTS["responses"].provider)
    around("responses", wire, shape).chat(ASKED, seed=7, max_tokens=1500)
    assert all("seed" not in request.body and request.body["max_output_tokens"] == 1500 for request in wire.requests)


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")  # of LlamaIndex itself
@pytest.mark.parametrize("client", RESPONSES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 2, 1)], ids=str)
@pytest.mark.parametrize("streaming", [True, False])
def test_an_agent_calls_its_tools(client: str, shape: tuple[int, int, int], streaming: bool) -> None:
    async def run(llm: LLM) -> list[Any]:
        output: Any = await FunctionAgent(tools=list(TOOLS), llm=llm, streaming=streaming).run(QUESTION)
        return [output.response.content, [(call.tool_name, call.tool_kwargs) for call in output.tool_calls]]

    (_, llm), (_, ours) = both(client, shape)
    assert asyncio.run(run(ours)) == asyncio.run(run(llm))
