"""What goes wrong with providers, and what an application sees of it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import openai as sdk
import pytest
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from tests.langchain.conftest import openai, searching
from tests.openai_server import Body, Server
from uniscale_integrations.engine import UniScale
from uniscale_integrations.errors import BudgetError, SearchFailed
from uniscale_integrations.langchain import UniScaleChatModel
from uniscale_integrations.langchain.client import LangChainClient
from uniscale_integrations.langchain.generator import as_generator
from uniscale_integrations.log.events import Outcome
from uniscale_integrations.models.chat import ChatStepModel, Continuation
from uniscale_integrations.models.chat.probe import PREFIX
from uniscale_integrations.models.chat.retry import retry_after, retrying
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.verifiers import CallableVerifier


def error(status: int, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": f"state {status}", "type": "test"}}, headers=headers)


def outcomes(model: UniScaleChatModel) -> list[Outcome]:
    assert model.engine is not None
    return [entry.event for entry in model.engine.log.since() if isinstance(entry.event, Outcome)]


@pytest.mark.parametrize(
    "what", [error(500), httpx.Response(200, text="no JSON at all"), httpx.Response(200, json={"choices": None})]
)
def test_one_of_eight_candidates_fails_and_the_others_answer(what: httpx.Response) -> None:
    def behaves(body: Body, number: int) -> httpx.Response | None:
        return httpx.Response(what.status_code, content=what.content, headers=what.headers) if number == 1 else None

    message = searching(Server(behaves=behaves), (8, 1, 1)).invoke("What is 2 + 2?")
    assert message.text == "Hello there.\nAnswer: 4"
    [note] = message.response_metadata["uniscale"]["notes"]
    assert "a candidate failed" in note


def test_one_of_eight_candidates_hangs_and_the_others_answer() -> None:
    server = Server(takes=lambda body, number: 30.0 if number == 1 else 0.0)
    engine = UniScale(
        [as_generator(openai(server), timeout=0.2)], "agreement", ConfigurationSpace([Configuration("gpt-test", 8, 1, 1)])
    )
    message = asyncio.run(UniScaleChatModel(engine=engine).ainvoke("What is 2 + 2?"))
    assert message.text == "Hello there.\nAnswer: 4"
    assert "no answer within 0.2 s" in message.response_metadata["uniscale"]["notes"][0]
    assert server.cancelled == 1


def test_where_all_fail_the_next_model_answers_and_then_the_provider_s_error_comes() -> None:
    broken, sound = Server(behaves=lambda body, number: error(500)), Server()
    space = ConfigurationSpace.default(["gpt-8b", "gpt-70b"], ((2, 1, 1),))
    for second, expected in ((sound, None), (broken, sdk.InternalServerError)):
        models = [as_generator(openai(broken, "gpt-8b")), as_generator(openai(second, "gpt-70b"))]
        model = UniScaleChatModel(engine=UniScale(models, "agreement", space, mode="cost-sensitive"))
        if expected is None:
            for _ in range(4):
                message = model.invoke("What is 2 + 2?")
                assert message.response_metadata["uniscale"]["configuration"]["model"] == "gpt-70b"
            assert any(outcome.failed for outcome in outcomes(model))
        else:
            with pytest.raises(expected, match="state 500"):
                model.invoke("What is 2 + 2?")


def test_a_stream_that_has_begun_is_not_begun_again_by_another_model() -> None:
    def breaks(body: Body, number: int) -> httpx.Response:
        begun = (
            b'data: {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": '
        )
        return httpx.Response(200, content=begun + b'{"content": "Well"}}]}\n\ndata: {"error": {"message": "broken"}}\n\n')

    models = [as_generator(openai(Server(behaves=breaks), name)) for name in ("gpt-8b", "gpt-70b")]
    space = ConfigurationSpace.default(["gpt-8b", "gpt-70b"], ((1, 1, 1),))
    model = UniScaleChatModel(engine=UniScale(models, "agreement", space))
    stream = model.stream("Hi?")
    assert next(stream).text == "Well"
    with pytest.raises(sdk.APIError, match="broken"):
        next(stream)
    assert len(outcomes(model)) == 1


def test_a_rate_limit_is_waited_for() -> None:
    server = Server(behaves=lambda body, number: error(429, {"retry-after": "0.05"}) if number == 0 else None)
    model = UniScaleChatModel(models=[openai(server)], max_retries=2)
    assert model.invoke("Hi?").text
    assert len(server.bodies) >= 2
    response: Any = httpx.Response(429, headers={"retry-after": "7"}, request=httpx.Request("POST", "http://x"))
    limit = sdk.RateLimitError("slow", response=response, body=None)
    assert retry_after(limit) == 7.0


def test_what_will_not_pass_is_not_tried_again() -> None:
    tries: list[int] = []

    async def call() -> None:
        tries.append(1)
        raise ValueError("never")

    with pytest.raises(ValueError, match="never"):
        asyncio.run(retrying(call, 5))
    assert tries == [1]


def test_cancelling_cancels_the_inner_calls_and_closes_the_decision() -> None:
    server = Server(takes=lambda body, number: 30.0)
    model = searching(server, (4, 1, 1))

    async def cancelled() -> None:
        task = asyncio.create_task(model.ainvoke("Hi?"))
        while server.arrived < 3:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    # The first wave of the vote.
    assert server.cancelled == server.arrived == 3
    deadline = time.monotonic() + 10
    while not outcomes(model) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [outcome.failed for outcome in outcomes(model)] == ["cancelled"]


async def _first(model: UniScaleChatModel) -> str:
    async for piece in model.astream("Hi?"):
        return str(piece.text)
    return ""


def test_leaving_a_stream_early_cancels_it() -> None:
    server = Server(takes=lambda body, number: 30.0 if number else 0.0)
    model = searching(server, (1, 2, 1))

    async def left() -> None:
        task = asyncio.create_task(_first(model))
        while server.arrived < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(left())
    assert server.cancelled >= 1


def test_no_provider_is_asked_for_several_answers_in_one_request(server: Server) -> None:
    searching(server, (8, 1, 1)).invoke("Hi?")
    assert len(server.bodies) == 3
    searching(server, (8, 1, 1), sampling=Sampling(votes="full")).invoke("Hi?")
    assert len(server.bodies) == 3 + 8
    assert all("n" not in body for body in server.bodies)


def continuing(body: Body) -> str | None:
    """The partial answer that a request ends with."""
    last = body["messages"][-1]
    return str(last["content"]) if last["role"] == "assistant" else None


LINES = ["First, 2 and 2 are added.\n", "That makes 4.\n", "Answer: 4"]


def solve(body: Body, number: int) -> str:
    """Goes on where it is told to."""
    said = continuing(body)
    if said == PREFIX:
        return " five six seven eight"
    return "".join(LINES)[len(said or "") :]


def test_steps_are_sampled_where_the_provider_continues() -> None:
    server = Server(solve)
    message = searching(server, (1, 2, 1)).invoke("What is 2 + 2?")
    assert message.text == "".join(LINES)
    steps = server.bodies[1:]
    assert all(body["continue_final_message"] is True for body in steps if continuing(body))
    assert [continuing(body) for body in steps] == [
        *[None] * 2, *[LINES[0]] * 2, *[LINES[0] + LINES[1]] * 2, *["".join(LINES) + "\n"] * 4
    ]  # fmt: skip


def test_a_provider_that_rejects_a_partial_answer_is_asked_for_whole_ones() -> None:
    server = Server(solve, behaves=lambda body, number: error(400) if continuing(body) else None)
    model = searching(server, (1, 2, 1))
    message = model.invoke("What is 2 + 2?")
    assert message.text == "".join(LINES)
    assert len(server.bodies) == 2 + 2
    assert len(message.response_metadata["uniscale"]["notes"]) == 2
    model.invoke("What is 3 + 3?")
    assert len(server.bodies) == 2 + 2 + 2


def test_a_provider_that_begins_anew_is_asked_for_whole_answers() -> None:
    def says(body: Body, number: int) -> str:
        return " five" if continuing(body) == PREFIX else "".join(LINES)

    server = Server(says)
    model = searching(server, (2, 2, 1))
    message = model.invoke("What is 2 + 2?")
    assert message.text.startswith(LINES[0])
    assert model.invoke("What is 3 + 3?").text == "".join(LINES)


@pytest.mark.parametrize("shape", [(8, 1, 1), (4, 4, 1)])
def test_a_client_of_threads_with_more_candidates_than_slots_does_not_hang(shape: tuple[int, int, int]) -> None:
    class Threads(BaseChatModel):
        """Has no asynchronous methods of its own, so that LangChain runs it on threads."""

        @property
        def _llm_type(self) -> str:
            return "threads"

        def _generate(
            self,
            messages: list[BaseMessage],
            stop: list[str] | None = None,
            run_manager: CallbackManagerForLLMRun | None = None,
            **kwargs: Any,
        ) -> ChatResult:
            time.sleep(0.01)
            return ChatResult(generations=[ChatGeneration(message=AIMessage("Answer: 4"))])

    generator = ChatStepModel(LangChainClient(Threads()), max_concurrency=2, continuation=Continuation.WHOLE)
    engine = UniScale([generator], "agreement", ConfigurationSpace([Configuration("threads", *shape)]))
    model = UniScaleChatModel(engine=engine)
    assert [message.text for message in model.batch(["Hi?"] * 20)] == ["Answer: 4"] * 20


def test_a_stream_that_was_shown_is_not_retried() -> None:
    begun = b'data: {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": '
    cut_off = begun + b'{"content": "Well"}}]}\n\n'

    class Broken(httpx.AsyncByteStream):
        async def __aiter__(self) -> Any:
            yield cut_off
            raise httpx.ReadError("connection lost")

    server = Server(behaves=lambda body, number: httpx.Response(200, stream=Broken()))
    engine = UniScale([as_generator(openai(server), retries=3)], "agreement", ConfigurationSpace([Configuration("gpt-test")]))
    pieces: list[str] = []

    async def shown() -> None:
        async for piece in UniScaleChatModel(engine=engine).astream("Hi?"):
            pieces.append(str(piece.text))  # noqa: PERF401

    with pytest.raises((sdk.APIError, httpx.ReadError)):
        asyncio.run(shown())
    assert pieces == ["Well"]
    assert len(server.bodies) == 1


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1)], ids=str)
def test_a_model_that_does_not_stream_is_streamed_as_one_piece(server: Server, shape: tuple[int, int, int]) -> None:
    pieces = [str(piece.text) for piece in searching(server, shape, disable_streaming=True).stream("Hi?") if piece.text]
    assert "".join(pieces) == "Hello there.\nAnswer: 4"


def test_a_model_asked_from_within_a_search_does_not_wait_for_itself(server: Server) -> None:
    inner = searching(Server())

    def asks(question: str, before: str, step: str) -> float:
        return float(bool(inner.invoke("Is that right?").text))

    engine = UniScale([as_generator(openai(server))], CallableVerifier(asks), ConfigurationSpace([Configuration("gpt-test", 2)]))
    assert UniScaleChatModel(engine=engine).invoke("Hi?").text


def test_every_failure_closes_its_decision() -> None:
    server = Server(takes=lambda body, number: 30.0)
    model = searching(server)

    async def late() -> None:
        with pytest.raises(BudgetError, match="deadline"):
            await model.ainvoke("Hi?", deadline=0.1)

    asyncio.run(late())
    assert ["deadline" in outcome.failed for outcome in outcomes(model)] == [True]


def test_who_is_too_slow_for_a_deadline_is_not_asked_again_under_it() -> None:
    servers = {"gpt-8b": Server(takes=lambda body, number: 30.0), "gpt-70b": Server()}
    models = [as_generator(openai(server, name)) for name, server in servers.items()]
    engine = UniScale(models, "agreement", ConfigurationSpace.default(servers, ((1, 1, 1),)), mode=(0, 0, 1))
    model = UniScaleChatModel(engine=engine)

    async def asked() -> None:
        for turn in range(4):
            message = await model.ainvoke("Hi?", deadline=2.0)
            told = message.response_metadata["uniscale"]
            assert told["configuration"]["model"] == "gpt-70b"
            assert any("was asked beside it" in note for note in told.get("notes", ())) == (turn == 0)

    asyncio.run(asked())
    assert servers["gpt-8b"].arrived == 1
    masked = {
        each.configuration.model: each.ineligibility
        for each in engine.decide("Hi?", budget=Budget(seconds=2.0)).explain().candidates
    }
    assert "it takes about 2" in masked["gpt-8b"]


def test_a_model_that_is_down_rests_and_is_not_tried_first_every_time() -> None:
    servers = {"gpt-8b": Server(behaves=lambda body, number: error(500)), "gpt-70b": Server()}
    models = [as_generator(openai(server, name)) for name, server in servers.items()]
    space = ConfigurationSpace.default(servers, ((1, 1, 1),))
    model = UniScaleChatModel(engine=UniScale(models, "agreement", space, mode="cost-sensitive"))
    for _ in range(20):
        assert model.invoke("Hi?").response_metadata["uniscale"]["configuration"]["model"] == "gpt-70b"
    assert len(servers["gpt-8b"].bodies) < 5
    assert model.engine is not None
    masked = {each.configuration.model: each.ineligibility for each in model.engine.decide("Hi?").explain().candidates}
    assert "in a row and rests" in str(masked["gpt-8b"])


def test_one_client_serves_sync_calls_and_several_loops(server: Server) -> None:
    model = searching(server, (2, 1, 1))
    said = [str(model.invoke("Hi?").text), *[str(asyncio.run(model.ainvoke("Hi?")).text) for _ in range(2)]]
    assert model.engine is not None
    said += [model.engine.run("Hi?").text for _ in range(2)]
    assert set(said) == {"Hello there.\nAnswer: 4"}


def test_a_schema_that_cannot_be_checked_costs_no_answer(server: Server) -> None:
    schema = {
        "title": "Named",
        "type": "object",
        "properties": {"name": {"type": "string", "pattern": "\\p{L}+"}},
        "required": ["name"],
    }
    assert searching(server, (2, 1, 1)).with_structured_output(schema, method="json_schema").invoke("Who?") == {
        "name": "some name"
    }


def test_what_failed_is_paid_for_all_the_same() -> None:
    def fails(question: str, before: str, step: str) -> float:
        raise ValueError("never")

    engine = UniScale(
        [as_generator(openai(Server()))], CallableVerifier(fails), ConfigurationSpace([Configuration("gpt-test", 2)])
    )
    model = UniScaleChatModel(engine=engine)
    with pytest.raises(SearchFailed):
        model.invoke("Hi?")
    [outcome] = outcomes(model)
    assert outcome.failed
    assert outcome.eflops > 0


def test_a_forked_process_answers_and_logs(tmp_path: Path) -> None:
    code = f"""
import os, sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.langchain.conftest import searching
from tests.openai_server import Server
model = searching(Server(), (2, 1, 1))
assert model.invoke("Hi?").text
child = os.fork()
if child == 0:
    os._exit(0 if model.invoke("Hi?").response_metadata["uniscale"]["notes"] == [] else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=120, check=False).returncode == 0
