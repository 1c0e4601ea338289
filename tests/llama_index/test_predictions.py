"""What LLMs of one's own do by themselves: predict objects, read calls, stream only what is new."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata
from llama_index.core.llms import CustomLLM, MockLLM
from llama_index.core.llms.llm import LLM
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.llms.openai import OpenAIResponses
from pydantic import BaseModel, Field

from uniscale_integrations.engine import UniScale
from uniscale_integrations.llama_index import UniScaleLLM
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.telemetry import Ended, Event

Shape = tuple[int, int, int]

SHAPES = [(1, 1, 1), (4, 1, 1), (2, 2, 1)]
ASKED = [ChatMessage("What is 2 + 2?")]
PROMPT = PromptTemplate("Make one of {what}.")


def over(*llms: LLM, shape: Shape = (1, 1, 1), **settings: Any) -> UniScaleLLM:
    names = list(UniScale(list(llms), "agreement", prices=None).models)
    space = ConfigurationSpace([Configuration(name, *shape) for name in names])
    return UniScaleLLM(engine=UniScale(list(llms), "agreement", space, sampling=Sampling(votes="full"), prices=None, **settings))


class Made(BaseModel):
    what: str = Field(alias="What")
    hidden: int = Field(default=0, exclude=True)


class Predicting(MockLLM):
    """Has its own way to objects."""

    max_tokens: int | None = None

    asked: list[Any] = Field(default_factory=list)
    own_name: str = "predicting"

    def __init__(self, own_name: str = "predicting") -> None:
        super().__init__()
        self.own_name = own_name

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name=self.own_name)

    def _made(self, how: str, llm_kwargs: Any, arguments: Any, hidden: int = 7) -> Made:
        self.asked.append((how, llm_kwargs, arguments))
        return Made(What=arguments.get("what", ""), hidden=hidden)

    def structured_predict(self, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **prompt_args: Any) -> Any:
        return self._made("structured_predict", llm_kwargs, prompt_args)

    async def astructured_predict(self, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **prompt_args: Any) -> Any:
        return self._made("astructured_predict", llm_kwargs, prompt_args)

    def stream_structured_predict(self, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **prompt_args: Any) -> Any:
        yield self._made("stream_structured_predict", llm_kwargs, {"what": ""})
        yield self._made("stream_structured_predict", llm_kwargs, prompt_args)

    async def astream_structured_predict(self, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **prompt_args: Any) -> Any:
        async def objects() -> AsyncIterator[Made]:
            yield self._made("astream_structured_predict", llm_kwargs, prompt_args)

        return objects()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_llms_predict_objects_by_their_own_methods(shape: Shape) -> None:
    inner = Predicting()
    llm = over(inner, shape=shape)

    async def awaited() -> list[Any]:
        pieces = await llm.astream_structured_predict(Made, PROMPT, {"x": 1}, what="c")
        return [await llm.astructured_predict(Made, PROMPT, {"x": 1}, what="b"), [piece async for piece in pieces][-1]]

    one = llm.structured_predict(Made, PROMPT, {"x": 1}, what="a")
    # The object itself, with what its text does not say.
    assert (one.what, one.hidden) == ("a", 7)
    assert [(made.what, made.hidden) for made in asyncio.run(awaited())] == [("b", 7), ("c", 7)]
    *_, last = llm.stream_structured_predict(Made, PROMPT, {"x": 1}, what="d")
    assert (last.what, last.hidden) == ("d", 7)
    assert llm.engine is not None
    assert llm.engine.feedback(last, 1.0)
    assert {how for how, *_ in inner.asked} == {
        "structured_predict",
        "astructured_predict",
        "astream_structured_predict",
        "stream_structured_predict",
    }
    assert all(llm_kwargs == {"x": 1} for _, llm_kwargs, _ in inner.asked)
    assert llm.as_structured_llm(Made).chat(ASKED).raw is not None


def test_the_llm_that_is_chosen_predicts() -> None:
    first, second = Predicting("first"), Predicting("second")
    llm = over(first, second)
    for _ in range(4):
        assert llm.structured_predict(Made, PROMPT, what="a").what == "a"
    assert len(first.asked) + len(second.asked) == 4
    assert llm.engine is not None
    assert sum(llm.engine.log.counts().values()) == 8


def test_an_error_of_its_own_method_is_the_caller_s() -> None:
    class Failing(Predicting):
        def structured_predict(self, output_cls: Any, prompt: Any, llm_kwargs: Any = None, **prompt_args: Any) -> Any:
            raise LookupError("no such object")

    with pytest.raises(LookupError, match="no such object"):
        over(Failing()).structured_predict(Made, PROMPT, what="a")


def test_whether_no_calls_are_an_error_the_llm_says_unless_it_is_told() -> None:
    llm = over(MockFunctionCallingLLM())
    for response in (ChatResponse(message=ChatMessage(role="assistant", content="4")), llm.chat(ASKED)):
        assert llm.get_tool_calls_from_response(response) == []
        assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
    with pytest.raises(ValueError, match="at least one tool call"):
        over(MockLLM()).get_tool_calls_from_response(ChatResponse(message=ChatMessage(role="assistant", content="4")))


STREAMS: dict[str, list[tuple[str, str | None]]] = {
    "pieces": [("one ", "one "), ("two ", "two "), ("three", "three")],
    "all but the piece": [("", "one "), ("one ", "two "), ("one two ", "three")],
    "all so far": [("one ", "one "), ("one two ", "two "), ("one two three", "three")],
    "all so far, end": [("one ", "one "), ("one two ", "two "), ("one two three", "three"), ("", None)],
    "all so far, unsaid": [("one ", None), ("one two ", None), ("one two three", None)],
    "all so far, unsaid, end": [("one ", None), ("one two ", None), ("one two three", None), ("", "")],
}
"""Text and delta of each piece."""


class Piecewise(CustomLLM):
    """Streams pieces as one of these does."""

    kind: str

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="piecewise")

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text="one two three")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Iterator[CompletionResponse]:  # type: ignore[override]
        for text, delta in STREAMS[self.kind]:
            yield CompletionResponse(text=text, delta=delta)


@pytest.mark.parametrize("shape", [*SHAPES, (1, 4, 2)], ids=str)
@pytest.mark.parametrize("kind", STREAMS)
def test_all_that_was_streamed_is_the_answer(shape: Shape, kind: str) -> None:
    inner, told = Piecewise(kind=kind), list[Event]()
    llm = over(inner, shape=shape, observers=[told.append])
    pieces = [list(model.stream_chat(ASKED)) for model in (llm, inner)]
    if shape == (1, 1, 1):
        # Each reader goes on reading them as those of the model.
        assert [(piece.message.content, piece.delta) for piece in pieces[0]] == [
            (piece.message.content, piece.delta) for piece in pieces[1]
        ]
    else:
        assert "".join(piece.delta or "" for piece in pieces[0]) == "one two three"
    assert [event.answer.text for event in told if isinstance(event, Ended) and event.answer] == ["one two three"]


def test_a_search_that_has_shown_everything_ends_with_what_it_showed_last() -> None:
    pieces = list(over(MockLLM(max_tokens=3), shape=(2, 1, 1)).stream_chat([ChatMessage("a b c d")]))
    assert all(piece.delta for piece in pieces)
    assert pieces[-1].additional_kwargs["uniscale"]["decision_id"]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_counts_keep_their_form_where_a_server_leaves_out_what_a_client_expects(shape: Shape) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        said = [
            {
                "type": "message",
                "id": "m",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "4", "annotations": []}],
            }
        ]
        details = {"input_tokens_details": {"cached_tokens": 1}, "output_tokens_details": {}}
        usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5} | details
        told = {"id": "r", "object": "response", "created_at": 1, "model": "gpt-4.1", "status": "completed", "output": said}
        return httpx.Response(200, json=told | {"usage": usage, "parallel_tool_calls": True, "tool_choice": "auto", "tools": []})

    llm = over(
        OpenAIResponses(model="gpt-4.1", api_key="x", http_client=httpx.Client(transport=httpx.MockTransport(answer))),
        shape=shape,
    )
    raw = llm.chat(ASKED).raw
    assert raw is not None
    assert raw.usage.input_tokens_details.cached_tokens == shape[0] * shape[1]
