"""What the inner LLMs are sent, and what is made of what they give: as if the application had called them itself."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from threading import current_thread, main_thread
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LLMMetadata,
    MessageRole,
    TextBlock,
    ThinkingBlock,
)
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.extractors import TitleExtractor
from llama_index.core.llms import CustomLLM, MockLLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, Field

from tests.llama_index.conftest import like
from tests.logged import decisions
from tests.openai_server import Body, Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.llama_index import UniScaleLLM
from uniscale_integrations.llama_index.generator import as_generator
from uniscale_integrations.space import Configuration, ConfigurationSpace

ASKED = [ChatMessage("What is 2 + 2?")]


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


def weigh(thing: str) -> str:
    """Weigh."""
    return thing


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str


TOOLS = [FunctionTool.from_defaults(add), FunctionTool.from_defaults(weigh)]
PROMPT = PromptTemplate("Tell a joke about {what}.")


def around(inner: Any, shape: tuple[int, int, int] = (1, 1, 1), **settings: Any) -> UniScaleLLM:
    generator = as_generator(inner, continuation="whole")
    return UniScaleLLM(
        engine=UniScale([generator], "agreement", ConfigurationSpace([Configuration(generator.name, *shape)])), **settings
    )


CALLS: dict[str, Callable[[Any], Any]] = {
    "question": lambda llm: llm.chat(ASKED),
    "stream": lambda llm: list(llm.stream_chat(ASKED)),
    "complete": lambda llm: llm.complete("What is 2 + 2?"),
    "one stop": lambda llm: llm.chat(ASKED, stop="END"),
    "settings": lambda llm: llm.chat(ASKED, stop=["END"], temperature=0.7, max_tokens=50, seed=3, top_p=0.5, user="me"),
    "nothing": lambda llm: llm.chat(ASKED, user=None),
    "tools": lambda llm: llm.chat_with_tools(TOOLS, user_msg="What is 2 + 2?"),
    "a tool that must be called": lambda llm: llm.chat_with_tools(TOOLS, user_msg="What is 2 + 2?", tool_required=True),
    "parallel tools": lambda llm: llm.chat_with_tools(TOOLS, user_msg="What is 2 + 2?", allow_parallel_tool_calls=True),
    "one tool": lambda llm: llm.chat_with_tools(TOOLS, chat_history=list(ASKED), tool_choice="weigh"),
    "no tool": lambda llm: llm.chat_with_tools(TOOLS, user_msg="What is 2 + 2?", tool_choice="none"),
    "strict tools": lambda llm: llm.chat_with_tools(TOOLS, user_msg="What is 2 + 2?", strict=True),
    "described tools": lambda llm: llm.chat(ASKED, tools=[tool.metadata.to_openai_tool() for tool in TOOLS], tool_choice="auto"),
    "form": lambda llm: llm.structured_predict(Joke, PROMPT, what="cats"),
    "streamed form": lambda llm: list(llm.stream_structured_predict(Joke, PROMPT, what="cats")),
    "form by its own LLM": lambda llm: llm.as_structured_llm(Joke).complete("Tell a joke."),
}


@pytest.mark.parametrize("structured", [False, True], ids=["tools", "format"])
@pytest.mark.parametrize("call", CALLS)
def test_a_plain_configuration_sends_what_the_llm_alone_sends(call: str, structured: bool) -> None:
    alone, through = Server(), Server()
    CALLS[call](like(alone, should_use_structured_outputs=structured))
    CALLS[call](around(like(through, should_use_structured_outputs=structured)))
    assert through.bodies == alone.bodies


@pytest.mark.parametrize("call", CALLS)
def test_a_search_differs_in_what_it_must_alone(call: str) -> None:
    alone, through = Server(), Server()
    CALLS[call](like(alone))
    CALLS[call](around(like(through), (3, 1, 1)))
    assert len(through.bodies) == 3
    for body in through.bodies:
        assert {name: body[name] for name in body if name not in ("seed", "temperature")} == {
            name: alone.bodies[0][name] for name in alone.bodies[0] if name not in ("seed", "temperature")
        }
    assert len({body["seed"] for body in through.bodies}) == 3


def completing(body: Body, number: int) -> httpx.Response:
    choice = {"index": 0, "text": "4", "finish_reason": "stop", "logprobs": None}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    told = {"id": "1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    if body.get("stream"):
        return httpx.Response(
            200, content=f"data: {json.dumps(told)}\n\ndata: [DONE]\n\n", headers={"content-type": "text/event-stream"}
        )
    return httpx.Response(200, json=told)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1)], ids=str)
def test_a_model_that_completes_text_is_sent_the_prompt(shape: tuple[int, int, int]) -> None:
    server = Server(behaves=completing)
    kinds: dict[str, Any] = {"is_chat_model": False, "is_function_calling_model": False}
    templates: dict[str, Any] = {
        "completion_to_prompt": lambda text: f"[{text}]",
        "messages_to_prompt": lambda messages: "|".join(message.content for message in messages),
    }
    llm = around(like(server, **kinds, **templates), shape)
    assert not llm.metadata.is_chat_model
    assert llm.complete("2 + 2 =").text == "4"
    assert llm.complete("2 + 2 =", formatted=True).text == "4"
    assert [piece.text for piece in llm.stream_complete("2 + 2 =", formatted=True)][-1] == "4"
    assert llm.predict(PromptTemplate("{sum} ="), sum="2 + 2") == "4"
    assert llm.chat([ChatMessage("a"), ChatMessage("b")]).message.content == "4"
    times = shape[0]
    assert [body["prompt"] for body in server.bodies][::times] == ["[2 + 2 =]", "2 + 2 =", "2 + 2 =", "[2 + 2 =]", "a|b"]


def test_a_caller_who_does_not_await_is_answered_by_the_client_for_that() -> None:
    blocking, awaiting = Server(), Server()
    inner = like(blocking, async_http_client=awaiting.async_client())
    for shape in ((1, 1, 1), (2, 1, 1)):
        llm = around(inner, shape)
        llm.chat(ASKED)
        list(llm.stream_chat(ASKED))
        llm.complete("Hi?")
    assert (len(blocking.bodies), len(awaiting.bodies)) == (9, 0)
    asyncio.run(around(inner).achat(ASKED))
    assert (len(blocking.bodies), len(awaiting.bodies)) == (9, 1)


class Own(CustomLLM):
    """A model of one's own."""

    said: list[str] = Field(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="own")

    def _say(self, how: str) -> CompletionResponse:
        self.said.append(f"{how} {'here' if current_thread() is main_thread() else 'elsewhere'}")
        return CompletionResponse(text="4", delta="4")

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return self._say("complete")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        return iter([self._say("stream_complete")])


class OwnCompleting(Own):
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return self._say(f"acomplete {prompt!r}")


class OwnChatting(Own):
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return ChatResponse(message=ChatMessage(role="assistant", content=self._say("achat").text))

    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        async def stream() -> Any:
            yield ChatResponse(message=ChatMessage(role="assistant", content=self._say("astream_chat").text), delta="4")

        return stream()


def test_asynchronous_methods_of_a_model_of_one_s_own_are_used() -> None:
    async def asked(inner: Own) -> list[str]:
        llm = around(inner)
        await llm.achat(ASKED)
        pieces = [piece.delta async for piece in await llm.astream_chat(ASKED)]
        assert pieces[0] == "4"
        return inner.said

    assert asyncio.run(asked(Own(said=[]))) == ["complete elsewhere", "stream_complete elsewhere"]
    assert asyncio.run(asked(OwnChatting(said=[]))) == ["achat here", "astream_chat here"]
    prompt = "user: What is 2 + 2?\nassistant: "
    assert asyncio.run(asked(OwnCompleting(said=[]))) == [f"acomplete {prompt!r} here", "stream_complete elsewhere"]


class Calling(FunctionCallingLLM):
    """Calls a tool in its provider's words, which only it knows."""

    calls: list[Any]

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="calling", is_chat_model=True, is_function_calling_model=True)

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return ChatResponse(message=ChatMessage(role="assistant", content="", additional_kwargs={"tool_calls": self.calls}))

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return self.chat(messages)

    def _prepare_chat_with_tools(
        self, tools: Any, user_msg: Any = None, chat_history: Any = None, *_: Any, **kwargs: Any
    ) -> dict[str, Any]:
        return {"messages": chat_history or [], "offered": [tool.metadata.name for tool in tools]}

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        calls = response.message.additional_kwargs["tool_calls"]
        return [each if isinstance(each, ToolSelection) else _selected(each) for each in calls]

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        raise NotImplementedError

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        raise NotImplementedError

    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        raise NotImplementedError

    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        raise NotImplementedError


def _selected(told: Any) -> ToolSelection:
    if isinstance(told, dict):
        return ToolSelection(tool_id=told["toolUseId"], tool_name=told["name"], tool_kwargs=told["input"])
    return ToolSelection(tool_id="", tool_name=told.name, tool_kwargs=getattr(told, "parameters", None) or told.args)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 1, 1)], ids=str)
@pytest.mark.parametrize(
    "call",
    [
        {"toolUseId": "c1", "name": "add", "input": {"a": 2, "b": 3}},
        SimpleNamespace(name="add", parameters={"a": 2, "b": 3}),
        SimpleNamespace(name="add", args={"a": 2, "b": 3}),
        ToolSelection(tool_id="c1", tool_name="add", tool_kwargs={"a": 2, "b": 3}),
    ],
    ids=["mapping", "parameters", "args", "selection"],
)
def test_tools_called_in_a_provider_s_own_words(call: Any, shape: tuple[int, int, int]) -> None:
    llm = around(Calling(calls=[call]), shape)
    response = llm.chat_with_tools(TOOLS, user_msg="What is 2 + 3?")
    [selection] = llm.get_tool_calls_from_response(response)
    assert (selection.tool_name, selection.tool_kwargs) == ("add", {"a": 2, "b": 3})
    assert llm.predict_and_call(TOOLS, user_msg="What is 2 + 3?").response == "5"


def test_arguments_that_nobody_can_read_are_read_as_without_us_and_told_of(caplog: pytest.LogCaptureFixture) -> None:
    def nonsense(body: Body, number: int) -> httpx.Response:
        call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": "two and three"}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        told = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
        return httpx.Response(200, json=told | {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})

    for shape in ((1, 1, 1), (2, 1, 1)):
        llm = around(like(Server(behaves=nonsense)), shape)
        response = llm.chat_with_tools(TOOLS, user_msg="What is 2 + 3?")
        alone = like(Server(behaves=nonsense))
        [expected] = alone.get_tool_calls_from_response(alone.chat_with_tools(TOOLS, user_msg="What is 2 + 3?"))
        assert llm.get_tool_calls_from_response(response) == [expected]
        assert "two and three" in caplog.text
        caplog.clear()


def test_what_a_provider_counts_in_detail_is_summed() -> None:
    def detailed(body: Body, number: int) -> httpx.Response:
        usage = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14, "prompt_tokens_details": {"cached_tokens": 6}}
        usage["completion_tokens_details"] = {"reasoning_tokens": 3}
        choice = {"index": 0, "message": {"role": "assistant", "content": "Answer: 4"}, "finish_reason": "stop"}
        told = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        return httpx.Response(200, json=told)

    for shape, times in (((1, 1, 1), 1), ((3, 1, 1), 3)):
        llm, counter = around(like(Server(behaves=detailed)), shape), TokenCountingHandler()
        llm.callback_manager = CallbackManager([counter])
        usage: Any = llm.chat(ASKED).raw.usage
        assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (10 * times, 4 * times, 14 * times)
        assert usage.prompt_tokens_details.cached_tokens == 6 * times
        assert usage.completion_tokens_details.reasoning_tokens == 3 * times
        assert counter.total_llm_token_count == 14 * times


class Thinker(MockLLM):
    """Thinks before it answers."""

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        thought = ThinkingBlock(content="Two and two.")
        begun = ChatMessage(role=MessageRole.ASSISTANT, blocks=[thought])
        yield ChatResponse(message=begun, delta="", additional_kwargs={"thinking_delta": "Two and two."})
        message = ChatMessage(role=MessageRole.ASSISTANT, blocks=[thought, *ChatMessage("Answer: 4").blocks])
        yield ChatResponse(message=message, delta="Answer: 4")


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1)], ids=str)
def test_thinking_is_streamed_once(shape: tuple[int, int, int]) -> None:
    pieces = list(around(Thinker(max_tokens=None), shape).stream_chat(ASKED))
    assert "".join(piece.additional_kwargs.get("thinking_delta") or "" for piece in pieces) == "Two and two."
    assert "".join(piece.delta or "" for piece in pieces) == "Answer: 4"


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1), (1, 2, 1)], ids=str)
async def test_the_last_piece_holds_the_thinking_when_it_comes(shape: tuple[int, int, int]) -> None:
    llm = around(Thinker(max_tokens=None), shape)
    seen = [[type(block) for block in piece.message.blocks] for piece in llm.stream_chat(ASKED)]
    async for piece in await llm.astream_chat(ASKED):
        last = [type(block) for block in piece.message.blocks]
    assert seen[-1] == last == [ThinkingBlock, TextBlock]


class FillsIn(MockLLM):
    """Goes on to write on the call that it has already shown, as clients of OpenAI's streams do."""

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        call: dict[str, Any] = {"id": "1", "type": "function", "function": {"name": "add", "arguments": ""}}
        for piece in ('{"a"', ": 1", "}"):
            call["function"]["arguments"] += piece
            message = ChatMessage(role=MessageRole.ASSISTANT, content="", additional_kwargs={"tool_calls": [call]})
            yield ChatResponse(message=message, delta="")


def test_who_reads_slowly_sees_what_a_piece_said_when_it_came() -> None:
    seen = []
    for piece in around(FillsIn(max_tokens=None), (1, 1, 1)).stream_chat(ASKED):
        time.sleep(0.05)
        seen.append(piece.message.additional_kwargs["tool_calls"][0]["function"]["arguments"])
    assert seen == ['{"a"', '{"a": 1', '{"a": 1}']


def test_a_component_that_holds_it_says_what_it_chooses_from(server: Server) -> None:
    small, large = (UniScaleLLM(models=[like(server, name)]) for name in ("gpt-8b", "gpt-70b"))
    held = [TitleExtractor(llm=llm).to_dict() for llm in (small, large)]
    assert held[0] != held[1]
    assert held[0]["llm"]["engine"]["models"] == ["gpt-8b"]
    assert TitleExtractor(llm=small).to_dict() == held[0]


def test_what_an_engine_takes_may_be_given_as_a_field(server: Server) -> None:
    made: Any = UniScaleLLM
    llm: UniScaleLLM = made(models=[like(server)], max_concurrency=3, log="sqlite://", store_queries=True)
    assert "log='" not in repr(llm)
    assert llm.model_name == "gpt-test"
    llm.chat(ASKED)
    assert llm.engine is not None
    assert [decision.query for decision in decisions(llm.engine)] == ["What is 2 + 2?"]
    with pytest.raises(ValueError, match="tempreature"):
        made(models=[like(server)], tempreature=1.0)
