"""The LLM as an application meets it."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from llama_index.core import PromptTemplate
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    ImageBlock,
    LLMMetadata,
    MessageRole,
    TextBlock,
    ToolCallBlock,
)
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, LlamaDebugHandler, TokenCountingHandler
from llama_index.core.extractors import TitleExtractor
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatStartEvent,
    LLMCompletionEndEvent,
    LLMCompletionStartEvent,
)
from llama_index.core.llms import CustomLLM, MockLLM
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool
from llama_index.core.types import BaseOutputParser
from llama_index_instrumentation import root_dispatcher
from llama_index_instrumentation.span.simple import SimpleSpan
from llama_index_instrumentation.span_handlers import SimpleSpanHandler
from pydantic import Field, ValidationError

from tests.llama_index.conftest import like, searching
from tests.logged import decided, decisions
from tests.openai_server import Body, Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.engine.model_registry import generators
from uniscale_integrations.errors import BudgetError, ConfigurationError
from uniscale_integrations.langchain import UniScaleChatModel
from uniscale_integrations.llama_index import UniScaleDecisionEvent, UniScaleLLM
from uniscale_integrations.llama_index.generator import as_generator
from uniscale_integrations.models.chat.probe import PREFIX as PROBED
from uniscale_integrations.models.chat.probe import QUESTION
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.tokens import token_ids

SAID = "Hello there.\nAnswer: 4"
SHAPES = [(1, 1, 1), (4, 1, 1), (2, 2, 1)]
ASKED = [ChatMessage("What is 2 + 2?")]


def engine_of(llm: UniScaleLLM) -> UniScale:
    assert llm.engine is not None
    return llm.engine


async def _drained(stream: Any) -> list[Any]:
    return [each async for each in await stream]


CALLS: dict[str, Callable[[UniScaleLLM], Any]] = {
    "chat": lambda llm: llm.chat(ASKED),
    "achat": lambda llm: asyncio.run(llm.achat(ASKED)),
    "stream_chat": lambda llm: list(llm.stream_chat(ASKED))[-1],
    "astream_chat": lambda llm: asyncio.run(_drained(llm.astream_chat(ASKED)))[-1],
    "complete": lambda llm: llm.complete("What is 2 + 2?"),
    "acomplete": lambda llm: asyncio.run(llm.acomplete("What is 2 + 2?")),
    "stream_complete": lambda llm: list(llm.stream_complete("What is 2 + 2?"))[-1],
    "astream_complete": lambda llm: asyncio.run(_drained(llm.astream_complete("What is 2 + 2?")))[-1],
}


class Heard(BaseEventHandler):
    """Keeps the names of all events, and the decisions."""

    names: list[str] = Field(default_factory=list)
    decisions: list[UniScaleDecisionEvent] = Field(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "Heard"

    def handle(self, event: Any, **kwargs: Any) -> Any:
        self.names.append(type(event).__name__)
        if isinstance(event, UniScaleDecisionEvent):
            self.decisions.append(event)


@pytest.fixture
def heard() -> Iterator[tuple[Heard, SimpleSpanHandler]]:
    """Handlers of events and spans on the root dispatcher."""
    events, spans = Heard(), SimpleSpanHandler()
    before = list(root_dispatcher.event_handlers), list(root_dispatcher.span_handlers)
    root_dispatcher.add_event_handler(events)
    root_dispatcher.add_span_handler(spans)
    yield events, spans
    root_dispatcher.event_handlers, root_dispatcher.span_handlers = before


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("call", CALLS)
def test_one_call_is_told_of_once_with_the_tokens_of_the_whole_search(
    server: Server, heard: tuple[Heard, SimpleSpanHandler], shape: tuple[int, int, int], call: str
) -> None:
    # What a decided vote gives up is only estimated.
    whole = Sampling(votes="full")
    llm = searching(server, shape, sampling=whole, additional_kwargs={"stream_options": {"include_usage": True}})
    debug, counter = LlamaDebugHandler(print_trace_on_end=False), TokenCountingHandler()
    llm.callback_manager = CallbackManager([debug, counter])
    response = CALLS[call](llm)
    assert (response.message.content if isinstance(response, ChatResponse) else response.text) == SAID
    told = response.additional_kwargs
    assert told["uniscale"]["decision_id"] == decided(engine_of(llm))[0]
    assert told["prompt_tokens"] == 11 * len(server.bodies)
    assert response.raw is not None
    # Callbacks of the old kind, events, spans: one of each.
    [(started, ended)] = debug.get_event_pairs(CBEventType.LLM)
    assert started.event_type is ended.event_type is CBEventType.LLM
    assert [counted.total_token_count for counted in counter.llm_token_counts] == [told["total_tokens"]]
    events, spans = heard
    kinds = (LLMCompletionStartEvent, LLMCompletionEndEvent) if "complete" in call else (LLMChatStartEvent, LLMChatEndEvent)
    for kind in kinds:
        assert events.names.count(kind.__name__) == 1
    assert {name for name in events.names if name.startswith("LLM")} - {kind.__name__ for kind in kinds} <= {
        "LLMChatInProgressEvent",
        "LLMCompletionInProgressEvent",
    }
    ids = [span.id_ for span in spans.completed_spans if isinstance(span, SimpleSpan)]
    assert [name.split("-")[0] for name in ids] == [f"UniScaleLLM.{call}"]
    [event] = events.decisions
    assert event.decision_id == decided(engine_of(llm))[0]
    assert event.span_id == ids[0]
    assert (event.configuration["qp"], event.configuration["cp"], event.configuration["bs"]) == shape
    assert event.cost > 0
    # Before a search chooses between steps, the model is asked once or twice how it continues an answer.
    asked = [body for body in server.bodies if body["messages"][0]["content"] != QUESTION]
    assert len(asked) == shape[0] * shape[1]


def test_streams_are_told_piece_by_piece(server: Server) -> None:
    pieces = list(searching(server).stream_chat(ASKED))
    assert [piece.delta for piece in pieces if piece.delta] == ["Hello ", "there.\nAnswer: ", "4"]
    assert "".join(piece.delta or "" for piece in pieces) == SAID
    told = [piece.message.content for piece in pieces]
    assert all((later or "").startswith(earlier or "") for earlier, later in pairwise(told))
    assert pieces[-1].message.content == SAID
    assert ["uniscale" in piece.additional_kwargs for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert "stream_options" not in server.bodies[0]


def test_a_search_streams_what_all_its_paths_agree_on() -> None:
    said = ["First this.\nAnswer: 4", "First this.\nAnswer: 5"]
    pieces = list(searching(Server(lambda body, number: said[number % 2]), (1, 2, 1)).stream_complete("What is 2 + 2?"))
    assert (pieces[0].delta or "").startswith("First this.\n")
    assert "".join(piece.delta or "" for piece in pieces) == pieces[-1].text
    assert pieces[-1].text in said


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_the_call_says_reaches_the_wire(server: Server, shape: tuple[int, int, int]) -> None:
    llm = searching(server, shape)
    form = {"type": "json_object"}
    history = [ChatMessage(role=MessageRole.SYSTEM, content="Be brief."), *ASKED]
    llm.chat(history, mode="balanced", budget=1e15, temperature=0.3, max_tokens=7, response_format=form, user="me", stop=["END"])
    for body in server.bodies:
        assert (body["temperature"], body["max_tokens"], body["response_format"], body["user"]) == (0.3, 7, form, "me")
        assert body["stop"] == ["END"]
        assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert not any("mode" in body or "budget" in body for body in server.bodies)


def test_settings_of_the_llm_are_those_of_the_inner_models(server: Server) -> None:
    engine = searching(server, (2, 1, 1)).engine
    UniScaleLLM(engine=engine, temperature=0.6, max_tokens=9).chat(ASKED)
    assert [(body["temperature"], body["max_tokens"]) for body in server.bodies] == [(0.6, 9)] * 2


def test_candidates_that_compete_are_drawn_so_that_they_differ(server: Server) -> None:
    searching(server).chat(ASKED)
    searching(server, (2, 1, 1)).chat(ASKED)
    searching(server, (2, 1, 1), temperature=0.4).chat(ASKED)
    assert [body["temperature"] for body in server.bodies] == [0.1, 0.8, 0.8, 0.4, 0.4]
    assert "seed" not in server.bodies[0]
    assert len({body["seed"] for body in server.bodies[1:3]}) == 2


def test_pictures_reach_the_wire(server: Server) -> None:
    picture = ImageBlock(url="https://example.org/cat.png")
    llm = searching(server, (2, 1, 1))
    assert llm.chat([ChatMessage(role=MessageRole.USER, blocks=[TextBlock(text="What is it?"), picture])]).message.content == SAID
    assert all("cat.png" in str(body["messages"]) for body in server.bodies)
    [decision] = decisions(engine_of(llm))
    assert decision.features


class Shouting(BaseOutputParser):
    """Says it louder."""

    def parse(self, output: str) -> Any:
        return output.upper()

    def format(self, query: str) -> str:
        return f"{query} (shout)"


def test_predict_with_an_output_parser(server: Server) -> None:
    llm = searching(server, (2, 1, 1))
    llm.output_parser = Shouting()
    assert llm.predict(PromptTemplate("What is {sum}?"), sum="2 + 2") == SAID.upper()
    assert asyncio.run(llm.apredict(PromptTemplate("What is {sum}?"), sum="2 + 2")) == SAID.upper()
    assert server.bodies[0]["messages"][0]["content"] == "What is 2 + 2? (shout)"


def test_system_prompt_and_completion_to_prompt_are_those_of_every_llm(server: Server) -> None:
    llm = UniScaleLLM(engine=searching(server).engine, system_prompt="Be kind.", completion_to_prompt=lambda text: f"<<{text}>>")
    llm.complete("Hi?")
    llm.predict(PromptTemplate("Ho?"))
    assert server.bodies[0]["messages"] == [{"role": "user", "content": "<<Hi?>>"}]
    assert server.bodies[1]["messages"][0] == {"role": "system", "content": "Be kind."}


def test_metadata_is_what_all_models_have_in_common(server: Server) -> None:
    models = [like(server, "small", context_window=4000, max_tokens=300), like(server, "large", context_window=9000)]
    found = UniScaleLLM(models=models).metadata
    assert (found.context_window, found.num_output, found.is_chat_model, found.is_function_calling_model) == (
        4000,
        300,
        True,
        True,
    )
    assert found.model_name == "small+large"
    assert not UniScaleLLM(
        models=[*models, like(server, "old", is_function_calling_model=False)]
    ).metadata.is_function_calling_model
    assert UniScaleLLM(models=[models[1]], max_tokens=50).metadata.num_output == 50


def test_one_model_with_several_settings_is_several_models(server: Server) -> None:
    assert list(engine_of(UniScaleLLM(models=[like(server), like(server, temperature=1.0)])).models) == ["gpt-test", "gpt-test#2"]
    assert [getattr(each, "name", each) for each in generators([like(server), "uniscale-3m"])] == ["gpt-test", "uniscale-3m"]


def test_what_cannot_be_is_refused(server: Server) -> None:
    llm = searching(server)
    with pytest.raises(ValidationError, match="cannot be one of the models"):
        UniScaleLLM(models=[llm])
    made_of: list[dict[str, Any]] = [{"models": ["uniscale-3m"]}, {"timeout": 1.0}, {"prices": {}}]
    for others in made_of:
        with pytest.raises(ValidationError, match="not both"):
            UniScaleLLM(engine=llm.engine, **others)
    impossible: list[dict[str, Any]] = [{"mode": "qualty"}, {"temperature": -1}, {"max_tokens": 0}, {"deadline": 0}]
    for wrong in impossible:
        with pytest.raises(ValidationError):
            UniScaleLLM(engine=llm.engine, **wrong)
    with pytest.raises(ConfigurationError, match="temperature must be a number, got 'hot'"):
        llm.chat(ASKED, temperature="hot")
    with pytest.raises(ConfigurationError, match="stop must be a text"):
        llm.chat(ASKED, stop=3)
    with pytest.raises(ValidationError, match="tempreature"):
        UniScaleLLM(engine=llm.engine, tempreature=0.3)  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match="deadline must be a number of seconds, got 'soon'"):
        llm.chat(ASKED, deadline="soon")


def test_mode_weights_and_budget_of_a_call(server: Server) -> None:
    space = ConfigurationSpace.default(["gpt-test"], ((1, 1, 1), (4, 1, 1)))
    llm = UniScaleLLM(engine=UniScale([as_generator(like(server))], "agreement", space))
    llm.chat(ASKED, mode="quality-first")
    llm.chat(ASKED, weights=(0, 0, 1))
    with pytest.raises(BudgetError, match="budget of 1 tokens"):
        llm.chat(ASKED, budget=Budget(tokens=1.0))
    assert [tuple(decision.weights) for decision in decisions(engine_of(llm))[:2]] == [(0.5, 0.4, 0.1), (0.0, 0.0, 1.0)]


def test_without_a_mode_of_its_own_it_has_the_engine_s(server: Server) -> None:
    space = ConfigurationSpace([Configuration("gpt-test")])
    engine = UniScale([as_generator(like(server))], None, space, mode="quality-first")
    UniScaleLLM(engine=engine).chat(ASKED)
    UniScaleLLM(engine=engine, mode="cost-sensitive").chat(ASKED)
    UniScaleChatModel(engine=engine).invoke("Hi?")
    assert [tuple(decision.weights) for decision in decisions(engine)] == [(0.5, 0.4, 0.1), (0.2, 0.2, 0.6), (0.5, 0.4, 0.1)]


def test_what_is_misspelt_is_told(server: Server) -> None:
    llm = searching(server)
    for wrong, right in (("mod", "mode"), ("dealine", "deadline"), ("weight", "weights"), ("buget", "budget")):
        with pytest.raises(ConfigurationError, match=f"a call has no '{wrong}'; did you mean '{right}'?"):
            llm.complete("Hi?", **{wrong: 1})
        with pytest.raises(ConfigurationError, match=f"did you mean '{right}'?"):
            UniScaleChatModel(engine=llm.engine).bind(**{wrong: 1}).invoke("Hi?")


def test_prices_and_what_is_not_known_of_them(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    models = [like(server, "mini"), like(server, "maxi")]
    priced = UniScaleLLM(models=models, prices={"mini": (0.25, 2.0), "maxi": (1.25, 10.0)})
    assert engine_of(priced).in_dollars
    assert not caplog.records
    ledger = priced.complete("Hi?").additional_kwargs["uniscale"]["ledger"]
    assert ledger["usd"] > 0
    space = engine_of(priced).space
    cheap, dear = (engine_of(priced).brain.estimates.costs[space.index(Configuration(name))] for name in space.models)
    assert dear == pytest.approx(5 * cheap)
    UniScaleLLM(models=models)
    [record] = caplog.records
    assert "neither price nor size of mini, maxi is known" in record.message
    told = "a price of 'midi', but the models are mini, maxi"
    for wrong, message in (({"midi": (1, 1)}, told), ({"mini": (-1, 1)}, "at least 0, got -1")):
        with pytest.raises(ValidationError, match=message):
            UniScaleLLM(models=models, prices=wrong)
    UniScaleLLM(models=[models[0], like(server, "local-8b")])
    assert "neither price nor size of mini is known" in caplog.records[-1].message
    free = UniScaleLLM(models=models, prices={"mini": (0.25, 2.0), "maxi": (0.0, 0.0)})
    assert engine_of(free).in_dollars, "a model may cost nothing"
    with pytest.raises(ValidationError, match="mini cost dollars and maxi eFLOPs, which cannot be compared"):
        UniScaleLLM(models=models, prices={"mini": (0.25, 2.0)})


def test_it_is_not_pickled_and_shares_its_engine_with_its_copies(server: Server) -> None:
    llm = searching(server)
    extractor = TitleExtractor(llm=llm)
    for whole in (llm, extractor):
        copied = pickle.loads(pickle.dumps(whole))
        # Who reads it may be a worker of a pool, which is not to break before it can say why.
        with pytest.raises(TypeError, match="make one in each, on the same log"):
            (copied.llm if isinstance(copied, TitleExtractor) else copied).complete("What is 2 + 2?")
    assert extractor.llm is llm
    assert llm.chat(ASKED).message.content == SAID
    copied = copy.deepcopy(llm)
    assert copied.engine is llm.engine
    with pytest.raises(ConfigurationError, match="give the engine as well"):
        UniScaleLLM.from_dict(llm.to_dict())
    assert UniScaleLLM.from_dict(llm.to_dict(), engine=llm.engine).engine is llm.engine


def test_it_is_told_from_one_of_other_models(server: Server) -> None:
    names = [UniScaleLLM(models=[like(server, name)]).to_dict() for name in ("small", "large")]
    assert names[0] != names[1]


def test_the_inner_llms_system_prompt_is_used(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    UniScaleLLM(models=[like(server, system_prompt="Be kind.")]).predict(PromptTemplate("Hi?"))
    assert server.bodies[0]["messages"][0] == {"role": "system", "content": "Be kind."}
    assert not caplog.records
    UniScaleLLM(models=[like(server, "8b", system_prompt="Be kind."), like(server, "70b", system_prompt="Be brief.")])
    assert "have system prompts of their own" in caplog.text


def test_further_arguments_of_an_inner_llm_do_not_stand_in_the_way(server: Server) -> None:
    further = {"stop": ["END"], "seed": 7, "extra_body": {"top_k": 5}}
    searching(server, (1, 2, 1), additional_kwargs=further).chat(ASKED)
    for body in server.bodies:
        assert body["top_k"] == 5
        assert "END" in body.get("stop", []) or body["messages"][0]["content"] == QUESTION
    asked = [body for body in server.bodies if body["messages"] == [{"role": "user", "content": "What is 2 + 2?"}]]
    assert len({body["seed"] for body in asked}) == 2
    continued = [body for body in server.bodies if body["messages"][-1]["role"] == "assistant"]
    assert continued[0]["continue_final_message"] is True
    searching(server, additional_kwargs=further).chat(ASKED)
    assert (server.bodies[-1]["seed"], server.bodies[-1]["stop"]) == (7, ["END"])


def test_an_owner_s_limit_of_tokens_is_never_raised(server: Server) -> None:
    searching(server, (1, 2, 1), max_tokens=5).chat(ASKED)
    assert {body["max_tokens"] for body in server.bodies} == {5}


def test_little_goes_along_with_a_message_from_turn_to_turn(server: Server) -> None:
    response = searching(server, (2, 1, 1)).chat(ASKED)
    assert sorted(response.message.additional_kwargs["uniscale"]) == ["configuration", "decision_id", "score"]
    assert "ledger" in response.additional_kwargs["uniscale"]


def test_a_seed_tells_draws_of_the_same_question_apart() -> None:
    llm = UniScaleLLM(models=["uniscale-0.3m"], space=ConfigurationSpace([Configuration("uniscale-0.3m")]))
    said = [llm.complete("What is 48 * 27 - 19 * 3?", seed=seed, temperature=1.0).text for seed in (1, 2, 3, 1)]
    assert len(set(said[:3])) > 1
    assert said[3] == said[0]
    short = llm.complete("What is 48 * 27 - 19 * 3?", seed=1, temperature=1.0, max_tokens=4).text
    assert said[0].startswith(short)
    assert len(short) < 12


def test_models_of_its_own_process_load_without_a_bar(capfd: pytest.CaptureFixture[str]) -> None:
    UniScaleLLM(models=["uniscale-0.3m"])
    assert capfd.readouterr() == ("", "")


def test_sync_calls_work_inside_a_running_loop(server: Server) -> None:
    async def inside() -> list[str | None]:
        llm = searching(server, (2, 1, 1))
        return [llm.chat(ASKED).message.content, list(llm.stream_complete("Hi?"))[-1].text]

    assert asyncio.run(inside()) == [SAID, SAID]


def test_the_last_answer_s_search_and_score_are_seen_in_the_next_turn_and_not_sent(server: Server) -> None:
    llm = searching(server, (2, 1, 1))
    answer = llm.chat(ASKED).message
    llm.chat([*ASKED, answer, ChatMessage("And 3 + 3?")])
    first, second = decisions(engine_of(llm))
    assert first.features != second.features
    assert "uniscale" not in str(server.bodies)


def test_the_embedded_family_by_default() -> None:
    llm = UniScaleLLM(models=["uniscale-3m"])
    assert llm.metadata == LLMMetadata(
        context_window=1024, num_output=-1, is_chat_model=True, is_function_calling_model=False, model_name="uniscale-3m"
    )
    text = llm.complete("What is 12 + 30 - 7?").text
    assert "Answer:" in text
    assert "".join(piece.delta or "" for piece in llm.stream_chat([ChatMessage("What is 2 + 3?")])).endswith("Answer: 5\n")


def test_a_model_that_is_no_chat_model_continues_raw_text() -> None:
    def completes(body: Body, number: int) -> Any:
        if "prompt" not in body:
            return None
        text = (
            " five six" if PROBED in body["prompt"] else "A step.\nAnswer: 4"[len(body["prompt"].partition("assistant: ")[2]) :]
        )
        for end in body.get("stop") or []:
            text = text.split(end, maxsplit=1)[0]
        choice = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        told = {"id": "1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        return httpx.Response(200, json=told)

    server = Server(behaves=completes)
    llm = searching(server, (1, 2, 1), is_chat_model=False, is_function_calling_model=False)
    response = llm.chat(ASKED)
    assert response.message.content == "A step.\nAnswer: 4"
    prompts = [body["prompt"] for body in server.bodies]
    assert prompts[-1] == "user: What is 2 + 2?\nassistant: A step.\nAnswer: 4\n"


class Thinking(CustomLLM):
    """A model of one's own, which LlamaIndex calls as if it were asynchronous."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="mine")

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text="I think.\nAnswer: 4")

    @llm_completion_callback()
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        def stream() -> Iterator[CompletionResponse]:
            for text in ("I think.\n", "I think.\nAnswer: 4"):
                yield CompletionResponse(text=text, delta=text.removeprefix("I think.\n") or text)

        return stream()


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1)], ids=str)
@pytest.mark.parametrize(
    "said", ['{"tool_calls": null}', '{"content": "", "tool_calls": ["add"]}', '{"tool_calls": [{"name": "add"}]}']
)
def test_text_that_looks_like_a_tool_call_stays_text(said: str, shape: tuple[int, int, int]) -> None:
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    def answers(body: Body, number: int) -> httpx.Response:
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        told = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        return httpx.Response(200, json=told)

    server = Server(behaves=answers)
    tools = [FunctionTool.from_defaults(add)]
    assert searching(server, shape).chat_with_tools(tools, user_msg="Hi?").message.content == said
    assert UniScaleChatModel(engine=searching(server, shape).engine).bind_tools([add]).invoke("Hi?").text == said


def test_two_calls_that_are_alike_become_one_and_not_none() -> None:
    call = ToolCallBlock(tool_name="add", tool_kwargs={"a": 1})
    message = ChatMessage(role="assistant", blocks=[TextBlock(text="Well."), call, call.model_copy()])
    llm = UniScaleLLM(models=["uniscale-0.3m"])
    found = llm._validate_chat_with_tools_response(ChatResponse(message=message), [])
    assert found.message.blocks == [TextBlock(text="Well."), call]


@pytest.mark.parametrize("usage", [SimpleNamespace(input_tokens=12, output_tokens=3), {"input_tokens": 12, "output_tokens": 3}])
def test_tokens_are_read_of_whatever_a_client_gives(usage: object) -> None:
    class Telling(Thinking):
        @llm_chat_callback()
        def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
            return ChatResponse(message=ChatMessage(role="assistant", content="Answer: 4"), raw={"usage": usage})

    llm = UniScaleLLM(engine=UniScale([as_generator(Telling())], None, ConfigurationSpace([Configuration("mine")])))
    told = llm.chat(ASKED).additional_kwargs
    assert (told["prompt_tokens"], told["completion_tokens"]) == (12, 3)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1)], ids=str)
def test_a_stop_that_the_inner_model_does_not_know_is_no_more_than_it_is_to_that_model(shape: tuple[int, int, int]) -> None:
    engine = UniScale([as_generator(Thinking())], "agreement", ConfigurationSpace([Configuration("mine", *shape)]))
    llm, expected = UniScaleLLM(engine=engine), Thinking().chat(ASKED, stop=["Ans"]).message.content
    pieces = list(llm.stream_chat(ASKED, stop=["Ans"]))
    assert "".join(piece.delta or "" for piece in pieces) == pieces[-1].message.content == expected
    assert llm.chat(ASKED, stop=["Ans"]).message.content == expected


def test_what_is_streamed_is_not_said_again() -> None:
    for inner in (MockLLM(), MockLLM(max_tokens=3)):
        llm = UniScaleLLM(engine=UniScale([as_generator(inner)], None, ConfigurationSpace([Configuration("MockLLM")])))
        alone = "".join(piece.delta or "" for piece in inner.stream_chat(ASKED))
        assert "".join(piece.delta or "" for piece in llm.stream_chat(ASKED)) == alone


@pytest.mark.parametrize("shape", [(1, 1, 1), (8, 1, 1), (1, 4, 2)], ids=str)
def test_a_model_of_one_s_own(shape: tuple[int, int, int], heard: tuple[Heard, SimpleSpanHandler]) -> None:
    engine = UniScale(
        [as_generator(Thinking(), max_concurrency=2)], "agreement", ConfigurationSpace([Configuration("mine", *shape)])
    )
    llm = UniScaleLLM(engine=engine)
    response = llm.chat(ASKED)
    assert response.message.content == "I think.\nAnswer: 4"
    # It counts no tokens; nothing comes for free all the same. Of one reply, whoever counts by a tokenizer is not kept from it.
    took = response.additional_kwargs["uniscale"]["ledger"]
    assert took["completion_tokens"] >= 5 * min(2, shape[0]) * shape[1]
    assert ("completion_tokens" in response.additional_kwargs) is (shape != (1, 1, 1))
    assert "".join(piece.delta or "" for piece in llm.stream_chat(ASKED)) == "I think.\nAnswer: 4"
    assert heard[0].names.count("LLMChatStartEvent") == 2


def test_a_handler_for_the_whole_process_hears_of_the_outer_call_alone(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    import llama_index.core

    debug = LlamaDebugHandler(print_trace_on_end=False)
    monkeypatch.setattr(llama_index.core, "global_handler", debug)
    searching(server, (2, 1, 1)).chat(ASKED)
    assert len(debug.get_event_pairs(CBEventType.LLM)) == 1
    [(_, ended)] = debug.get_event_pairs(CBEventType.LLM)
    assert ended.payload is not None
    assert ended.payload[EventPayload.RESPONSE].message.content == SAID
    assert not logging.getLogger("llama_index").handlers


def test_its_tokenizer_counts_as_the_inner_llms_do_and_its_window_is_the_smallest(server: Server) -> None:
    llm = UniScaleLLM(models=[like(server, "gpt-4o"), like(server, "gpt-4", context_window=4_000)])
    text = "顾客写信说包裹晚到了两天。"
    assert len(llm.tokenizer(text)) == max(len(token_ids(text, "gpt-4o")), len(token_ids(text, "gpt-4"))) > len(text) / 2
    assert llm.metadata.context_window == 4_000
    memory = ChatMemoryBuffer.from_defaults(token_limit=40, tokenizer_fn=llm.tokenizer)
    for _ in range(5):
        memory.put(ChatMessage(role="user", content=text))
    assert 1 <= len(memory.get()) <= 3
