"""A real OpenAI-compatible server on loopback, with an embedded model behind it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from uniscale_integrations.errors import GenerationError, SearchFailed
from uniscale_integrations.models.catalog import load_model, locate
from uniscale_integrations.models.chat import Asked, ChatStepModel, Continuation, ServerClient
from uniscale_integrations.models.questions import questions
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.run import Request, run
from uniscale_integrations.space import Configuration
from uniscale_integrations.verifiers.load import load_prm

MODEL = "uniscale-3m"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of `transformers serve`, which runs as long as the tests of this file."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = str(Path(sys.executable).with_name("transformers"))
    command = [script, "serve", locate(MODEL), "--device", "cpu", "--dtype", "float32", "--host", "127.0.0.1", "--port", str(port)]
    quiet = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | quiet)
    try:
        address, deadline = f"http://127.0.0.1:{port}", time.monotonic() + 120
        while True:
            assert server.poll() is None, "the server ended early"
            assert time.monotonic() < deadline, "the server did not come up"
            try:
                if httpx.get(f"{address}/health").is_success:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        yield f"{address}/v1"
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 1), (2, 2, 1)], ids=str)
def test_it_answers_step_by_step_as_the_model_does_in_this_process(url: str, shape: tuple[int, int, int]) -> None:
    # The embedded family's chat template, as text.
    client = ServerClient(url, locate(MODEL), render=lambda turns: f"<s>{turns[-1].text.strip()}\n")
    there, here, verifier = ChatStepModel(client, name=MODEL, continuation=Continuation.RAW), load_model(MODEL), load_prm()
    for question in questions()[::60][:6]:
        request = Request(question.text, Configuration(MODEL, *shape), Sampling(temperature=0.0))
        remote, local = run(request, there, verifier), run(request, here, verifier)
        assert remote.text.strip() == local.text.strip()
        assert remote.ledger.tokens[1] > 0


def test_a_model_that_does_not_continue_is_found_out(url: str) -> None:
    model = ChatStepModel(ServerClient(url, locate(MODEL)), name=MODEL)
    answer = run(Request("What is 8 + 9?", Configuration(MODEL, 1, 2, 1), Sampling(temperature=0.0)), model, load_prm())
    assert answer.answer == "17"
    assert [note for note in answer.notes if "does not continue by flag" in note]
    assert [note for note in answer.notes if "does not continue by prefill" in note]


def in_memory(*replies: httpx.Response) -> tuple[ServerClient, list[dict[str, Any]]]:
    bodies: list[dict[str, Any]] = []
    remaining = iter(replies)

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append({"path": request.url.path, "key": request.headers.get("authorization"), **json.loads(request.content)})
        return next(remaining)

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return ServerClient("http://server/v1/", "gpt", key="secret", http=http, extra={"top_k": 5}, render=lambda turns: "Q: "), bodies


def chat(text: str, **more: Any) -> httpx.Response:
    return httpx.Response(200, json={"choices": [{"message": {"content": text}, "finish_reason": "stop"} | more], "usage": {}})


ASKED = Conversation((Turn("system", "Be brief."), Turn("user", "2 + 2?")))


def test_how_a_partial_answer_is_sent() -> None:
    client, bodies = in_memory(chat("4"), chat("4"), httpx.Response(200, json={"choices": [{"text": "4"}]}))
    for way in (Continuation.FLAG, Continuation.PREFILL, Continuation.RAW):
        assert asyncio.run(client.complete(Asked(ASKED, "It is ", way, ("\n",), 9, 0.5, 0.9, 3))).text == "4"
    flag, prefill, raw = bodies
    assert (flag["continue_final_message"], flag["add_generation_prompt"]) == (True, False)
    assert flag["messages"][-1] == prefill["messages"][-1] == {"role": "assistant", "content": "It is "}
    assert "continue_final_message" not in prefill
    assert (raw["path"], raw["prompt"]) == ("/v1/completions", "Q: It is ")
    for body in bodies:
        assert (body["stop"], body["max_tokens"], body["temperature"], body["top_p"], body["seed"]) == (["\n"], 9, 0.5, 0.9, 3)
        assert (body["top_k"], body["model"], body["key"]) == (5, "gpt", "Bearer secret")


def test_log_probabilities_are_read() -> None:
    client, _ = in_memory(chat("4", logprobs={"content": [{"logprob": -1.0}, {"logprob": -2.0}]}), chat("4", finish_reason="length"))
    first, second = (asyncio.run(client.complete(Asked(ASKED))) for _ in range(2))
    assert (first.log_probability, first.ended) == (-1.5, True)
    assert (second.log_probability, second.ended) == (None, False)


@pytest.mark.parametrize(("reply", "message"), [
    (httpx.Response(200, text="busy"), "gave no JSON: 'busy'"),
    (httpx.Response(200, json={"choices": []}), "the server gave no reply"),
    (httpx.Response(200, json=[1]), "the server gave no reply"),
])
def test_garbage_is_told(reply: httpx.Response, message: str) -> None:
    client, _ = in_memory(reply)
    with pytest.raises(GenerationError, match=message):
        asyncio.run(client.complete(Asked(ASKED)))


def test_an_error_of_the_server_is_tried_again_and_then_told_with_what_it_said() -> None:
    client, bodies = in_memory(httpx.Response(503, text="loading"), chat("Answer: 4"), *[httpx.Response(400, text="no such model")] * 2)
    model = ChatStepModel(client, retries=2)
    request = Request("2 + 2?", Configuration("gpt"))
    assert run(request, model).answer == "4"
    with pytest.raises(SearchFailed, match="400: no such model"):
        run(request, model)
    assert len(bodies) == 3
