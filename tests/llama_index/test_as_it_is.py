"""What an inner LLM does in its own way, and what its owner does to it, is as it would be without us."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import LLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.llms.mock import MockFunctionCallingLLM, MockLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.core.types import PydanticProgramMode
from llama_index.llms.openai_like import OpenAILike
from pydantic import PrivateAttr

from tests.openai_server import Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.llama_index import UniScaleLLM
from uniscale_integrations.llama_index.generator import as_generator
from uniscale_integrations.space import Configuration, ConfigurationSpace

ASKED = [ChatMessage(role="user", content="What is 2 + 2?")]


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


OF_THE_AGENTS = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")

TOOLS: list[Any] = [FunctionTool.from_defaults(add)]


def around(llm: LLM, shape: tuple[int, int, int] = (1, 1, 1)) -> UniScaleLLM:
    generator = as_generator(llm)
    return UniScaleLLM(engine=UniScale([generator], "agreement", ConfigurationSpace([Configuration(generator.name, *shape)])))


def like(server: Server, **settings: Any) -> OpenAILike:
    clients: dict[str, Any] = {"http_client": server.client(), "async_http_client": server.async_client()}
    usual = {"is_chat_model": True, "is_function_calling_model": True, "max_retries": 0}
    return OpenAILike("gpt-test", api_base="http://server/v1", api_key="none", **usual | clients | settings)


class Calling(MockLLM):
    """It calls functions, and is no subclass of `FunctionCallingLLM`."""

    _turns: list[str] = PrivateAttr(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(is_function_calling_model=True, is_chat_model=True)

    async def astream_chat_with_tools(self, tools: Sequence[Any], chat_history: Sequence[ChatMessage] = (), **kwargs: Any) -> Any:
        async def stream() -> Any:
            yield self._next()

        return stream()

    async def achat_with_tools(
        self, tools: Sequence[Any], chat_history: Sequence[ChatMessage] = (), **kwargs: Any
    ) -> ChatResponse:
        return self._next()

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **_: Any
    ) -> list[ToolSelection]:
        if not response.message.additional_kwargs.get("mine"):
            return []
        return [ToolSelection(tool_id="one", tool_name="add", tool_kwargs={"a": 6, "b": 2})]

    def _next(self) -> ChatResponse:
        self._turns.append("turn")
        first = len(self._turns) == 1
        message = ChatMessage(role="assistant", content="" if first else "8 it is", additional_kwargs={"mine": first})
        return ChatResponse(message=message, delta=message.content)


@OF_THE_AGENTS
@pytest.mark.parametrize("streaming", [True, False])
async def test_an_agent_on_an_llm_with_methods_of_its_own_for_tools(streaming: bool) -> None:
    llm = Calling(max_tokens=None)
    result = await FunctionAgent(tools=TOOLS, llm=around(llm), streaming=streaming).run("How much is 6 + 2?")
    assert str(result) == "8 it is"
    assert len(llm._turns) == 2


def test_that_no_tool_is_called_is_an_error_where_it_is_one_without_us() -> None:
    llm = MockFunctionCallingLLM(response_generator=lambda messages, **_: ChatMessage(role="assistant", content="just text"))
    expected = llm.predict_and_call(TOOLS, user_msg="x").response
    assert around(llm).predict_and_call(TOOLS, user_msg="x").response == expected == "just text"


@OF_THE_AGENTS
async def test_an_agent_goes_on_after_arguments_that_nobody_can_read() -> None:
    def arguments(body: Any, number: int) -> Any:
        return {"a": 6, "b": 7}

    server = Server(fills=arguments)
    broken = server.answer

    def answer(request: Any) -> Any:
        response = broken(request)
        return response if len(server.bodies) > 1 else type(response)(200, json=_torn(response.json()))

    server.answer = answer  # type: ignore[method-assign]
    result = await FunctionAgent(tools=TOOLS, llm=around(like(server)), streaming=False).run("6 + 7?")
    assert len(server.bodies) == 2
    assert "Answer: 4" in str(result)


def _torn(told: Any) -> Any:
    told["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"] = '{"a": 6, "b"'
    return told


def test_prompts_and_forms_are_those_of_the_inner_llm() -> None:
    wrapped = PromptTemplate("WRAP {query_str}")
    inner = MockLLM()
    inner.query_wrapper_prompt, inner.pydantic_program_mode = wrapped, PydanticProgramMode.LLM
    llm = around(inner)
    assert (llm.query_wrapper_prompt, llm.pydantic_program_mode) == (wrapped, PydanticProgramMode.LLM)
    assert llm.predict(PromptTemplate("hi {a}"), a=1) == inner.predict(PromptTemplate("hi {a}"), a=1) != "hi 1"


def test_what_its_owner_sets_later_counts_and_what_it_notes_is_there() -> None:
    server = Server()
    inner = like(server)
    llm = around(inner)
    inner.temperature, inner.max_tokens = 0.9, 5
    llm.chat(ASKED)
    assert (server.bodies[-1]["temperature"], server.bodies[-1]["max_tokens"]) == (0.9, 5)
    searching = around(inner, (2, 1, 1))
    searching.chat(ASKED)
    inner.temperature = 0.7
    searching.chat(ASKED)
    assert server.bodies[-1]["temperature"] == 0.7

    class Noting(MockLLM):
        _asked: int = PrivateAttr(default=0)

        def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
            self._asked += 1
            completion: CompletionResponse = super().complete(prompt, formatted, **kwargs)
            return completion

    noting = Noting(max_tokens=None)
    around(noting).complete("x")
    assert noting._asked == 1


@pytest.mark.parametrize("inner", [MockLLM(), MockLLM(max_tokens=3)], ids=["whole", "tokens"])
async def test_a_plain_stream_has_the_pieces_of_the_inner_llm(inner: MockLLM) -> None:
    llm = around(inner)
    for ask in ("stream_chat", "stream_complete"):
        asked: Any = ASKED if ask == "stream_chat" else "What is 2 + 2?"
        alone, ours = list(getattr(inner, ask)(asked)), list(getattr(llm, ask)(asked))
        awaited = [piece async for piece in await getattr(llm, f"a{ask}")(asked)]
        assert [piece.delta for piece in ours] == [piece.delta for piece in awaited] == [piece.delta for piece in alone]
        for last in (ours[-1], awaited[-1]):
            assert last.additional_kwargs["uniscale"]["decision_id"]
            assert llm.engine is not None
            assert llm.engine.feedback(last, 1.0)


def test_who_counts_by_a_tokenizer_counts_what_the_provider_does_not() -> None:
    def counted(llm: LLM) -> tuple[int, int]:
        counter = TokenCountingHandler(tokenizer=lambda text: text.split())
        llm.callback_manager = CallbackManager([counter])
        list(llm.stream_chat(ASKED))
        return counter.prompt_llm_token_count, counter.completion_llm_token_count

    assert counted(around(like(Server()))) == counted(like(Server())) != (0, 0)


def test_the_usage_of_a_search_has_the_form_of_the_provider_s_also_where_a_piece_has_none() -> None:
    last = list(around(like(Server()), (2, 1, 1)).stream_chat(ASKED))[-1]
    assert last.raw.usage.total_tokens > 0


def test_a_local_model_says_why_it_ended_and_takes_an_empty_turn() -> None:
    llm = UniScaleLLM(engine=UniScale(["uniscale-0.3m"], None, ConfigurationSpace([Configuration("uniscale-0.3m")])))
    assert llm.complete("What is 48 + 27 - 19?", max_tokens=4).raw["finish_reason"] == "length"
    for asked in (
        [ChatMessage(role="user", content="")],
        [ChatMessage(role="user", content="Hi"), ChatMessage(role="user", content="")],
    ):
        assert llm.chat(asked).message.role == "assistant"
