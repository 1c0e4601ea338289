"""A real OpenAI-compatible server on loopback, with an embedded model behind it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.gguf_file import write
from uniscale_integrations.errors import GenerationError, SearchFailed
from uniscale_integrations.models.catalog import load_model, locate
from uniscale_integrations.models.chat import ChatStepModel, CompletionRequest, Continuation, ServerClient
from uniscale_integrations.models.chat.probe import LINES_PREFIX, NEXT, PREFIX
from uniscale_integrations.models.local.gguf import convert
from uniscale_integrations.models.questions import questions
from uniscale_integrations.models.task import FAMILY_TASK
from uniscale_integrations.search.conversation import Conversation, Turn
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import run
from uniscale_integrations.search.segmenter import Lines, Units
from uniscale_integrations.space import Configuration
from uniscale_integrations.verifiers import CallableVerifier
from uniscale_integrations.verifiers.load import load_prm

MODEL = "uniscale-3m"


@contextmanager
def transformers_server(folder: str) -> Iterator[str]:
    """The address of `transformers serve`, which runs as long as the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = str(Path(sys.executable).with_name("transformers"))
    command = [script, "serve", folder, "--device", "cpu", "--dtype", "float32", "--host", "127.0.0.1", "--port", str(port)]
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


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with transformers_server(locate(MODEL)) as address:
        yield address


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 1), (2, 2, 1)], ids=str)
def test_it_answers_step_by_step_as_the_model_does_in_this_process(url: str, shape: tuple[int, int, int]) -> None:
    # The embedded family's chat template, as text.
    client = ServerClient(url, locate(MODEL), render=lambda turns: f"<s>{turns[-1].text.strip()}\n")
    there = ChatStepModel(client, name=MODEL, continuation=Continuation.RAW, segmenter=Lines(), final_step=FAMILY_TASK.final_step)
    here, verifier = load_model(MODEL), load_prm()
    for question in questions()[::60][:6]:
        request = Request(question.text, Configuration(MODEL, *shape), Sampling(temperature=0.0))
        remote, local = run(request, there, verifier), run(request, here, verifier)
        assert remote.text.strip() == local.text.strip()
        assert remote.ledger.tokens[1] > 0


def test_a_converted_gguf_file_can_be_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNISCALE_HOME", str(tmp_path / "home"))
    model = load_model("uniscale-0.3m")
    folder = str(convert(write(tmp_path / "small.gguf", model.model, model.tokenizer.chat_template, model.tokenizer)))
    with transformers_server(folder) as address:
        there = ChatStepModel(ServerClient(address, folder), name="small")
        request = Request("What is 8 + 9?", Configuration("small"), Sampling(temperature=0.0))
        assert run(request, there).text.strip().splitlines()[-1].startswith("Answer:")


def test_a_model_that_does_not_continue_is_found_out(url: str) -> None:
    model = ChatStepModel(ServerClient(url, locate(MODEL)), name=MODEL)
    answer = run(Request("What is 8 + 9?", Configuration(MODEL, 1, 2, 1), Sampling(temperature=0.0)), model, load_prm())
    assert answer.answer == "17"
    assert [note for note in answer.warnings if "does not continue by flag" in note]
    assert [note for note in answer.warnings if "does not continue by prefill" in note]


def in_memory(*replies: httpx.Response) -> tuple[ServerClient, list[dict[str, Any]]]:
    bodies: list[dict[str, Any]] = []
    remaining = iter(replies)

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append({"path": request.url.path, "key": request.headers.get("authorization"), **json.loads(request.content)})
        return next(remaining)

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return ServerClient(
        "http://server/v1/", "gpt", key="secret", http=http, extra={"top_k": 5}, render=lambda turns: "Q: "
    ), bodies


def chat(text: str, **more: Any) -> httpx.Response:
    return httpx.Response(200, json={"choices": [{"message": {"content": text}, "finish_reason": "stop"} | more], "usage": {}})


ASKED = Conversation((Turn("system", "Be brief."), Turn("user", "2 + 2?")))


def test_how_a_partial_answer_is_sent() -> None:
    client, bodies = in_memory(chat("4"), chat("4"), httpx.Response(200, json={"choices": [{"text": "4"}]}))
    for way in (Continuation.FLAG, Continuation.PREFILL, Continuation.RAW):
        assert asyncio.run(client.complete(CompletionRequest(ASKED, "It is ", way, ("\n",), 9, 0.5, 0.9, 3))).text == "4"
    flag, prefill, raw = bodies
    assert (flag["continue_final_message"], flag["add_generation_prompt"]) == (True, False)
    assert flag["messages"][-1] == prefill["messages"][-1] == {"role": "assistant", "content": "It is "}
    assert "continue_final_message" not in prefill
    assert (raw["path"], raw["prompt"]) == ("/v1/completions", "Q: It is ")
    for body in bodies:
        assert (body["stop"], body["max_tokens"], body["temperature"], body["top_p"], body["seed"]) == (["\n"], 9, 0.5, 0.9, 3)
        assert (body["top_k"], body["model"], body["key"]) == (5, "gpt", "Bearer secret")


def events(*told: object) -> httpx.Response:
    lines = [f"data: {json.dumps(each)}\n\n" for each in told] + [": a comment\n\n", "data: [DONE]\n\n"]
    return httpx.Response(200, content="".join(lines).encode(), headers={"content-type": "text/event-stream"})


def piece(text: str, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}, "finish_reason": finish} | more]}


def test_a_reply_that_is_read_as_it_comes_ends_where_a_step_does() -> None:
    told = [
        piece("So", logprobs={"content": [{"logprob": -1.0}]}),
        piece(" it is"),
        piece(":\n- one"),
        piece("\n\n"),
        piece("Not this"),
    ]
    usage = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 1}}
    client, bodies = in_memory(events(*told), events(piece("4", "stop"), usage))
    first = asyncio.run(client.complete(CompletionRequest(ASKED, segmenter=Units(), log_probabilities=True)))
    assert (first.text, first.cut, first.ended, first.log_probability) == ("So it is:\n- one\n\n", True, True, -1.0)
    assert first.usage.completion_tokens == 4
    second = asyncio.run(client.complete(CompletionRequest(ASKED, "So it is ", Continuation.PREFILL, segmenter=Units())))
    assert (second.text, second.cut, second.ended, second.usage.prompt_tokens) == ("4", False, True, 7.0)
    assert (bodies[0]["stream"], bodies[0]["logprobs"], "logprobs" in bodies[1]) == (True, True, False)


@pytest.mark.parametrize("trims", [False, True])
def test_steps_of_a_server_join_to_what_it_says(trims: bool) -> None:
    said = "Two lines:\n\n- one\n- two\n\nThat is all.\nAnswer: 2"

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        last = body["messages"][-1]
        prefix = last["content"] if last["role"] == "assistant" else ""
        whole = {PREFIX: f"{PREFIX} {NEXT} six", LINES_PREFIX: f"{LINES_PREFIX}{NEXT}\nsix"}.get(prefix, said)
        rest = whole[len(prefix.rstrip() if trims else prefix) :]
        tokens = re.findall(r"\s|\S+", rest)
        return events(*map(piece, tokens), piece("", "stop"))

    client = ServerClient("http://server/v1", MODEL, http=httpx.AsyncClient(transport=httpx.MockTransport(answer)))
    model = ChatStepModel(client)
    verifier = CallableVerifier(lambda question, before, step: 0.5)
    reply = run(Request("Two lines?", Configuration(MODEL, 1, 2, 1)), model, verifier)
    assert (reply.text, reply.warnings, bool(model.trims)) == (said, (), trims)
    assert len(next(path for path in reply.paths if path.final).steps) > 1


def test_a_server_that_does_not_stream_is_cut_all_the_same() -> None:
    client, _ = in_memory(chat("One.\n\nTwo.\nThree."))
    reply = asyncio.run(client.complete(CompletionRequest(ASKED, segmenter=Units())))
    assert (reply.text, reply.cut) == ("One.\n\n", True)


def test_pieces_are_shown_as_they_come() -> None:
    client, _ = in_memory(events(piece("It "), piece("is 4."), piece("", "length")))
    shown: list[object] = []
    reply = asyncio.run(client.complete(CompletionRequest(ASKED, emit=shown.append)))
    assert (shown, reply.text, reply.incomplete) == (["It ", "is 4."], "It is 4.", "length")


def test_an_error_in_the_midst_of_a_stream_is_an_error() -> None:
    client, _ = in_memory(events(piece("It "), {"error": {"code": 500, "message": "out of memory"}}))
    with pytest.raises(GenerationError, match="out of memory"):
        asyncio.run(client.complete(CompletionRequest(ASKED, segmenter=Units())))


def test_a_server_that_refuses_log_probabilities_is_asked_without_from_then_on() -> None:
    client, bodies = in_memory(httpx.Response(400, text="unknown field logprobs"), chat("4"), chat("4"))
    for _ in range(2):
        assert asyncio.run(client.complete(CompletionRequest(ASKED, log_probabilities=True))).text == "4"
    assert ["logprobs" in body for body in bodies] == [True, False, False]


def test_the_chat_template_is_asked_of_the_server() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/props":
            template = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}|"
            return httpx.Response(200, json={"chat_template": template, "bos_token": "<s>"})
        if request.url.path == "/apply-template":
            return httpx.Response(404)
        return httpx.Response(200, json={"choices": [{"text": json.loads(request.content)["prompt"], "finish_reason": "stop"}]})

    def nothing(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404)

    for transport, expected in ((answer, "<s>Be brief.2 + 2?|It"), (nothing, None)):
        client = ServerClient("http://server/v1", "gpt", http=httpx.AsyncClient(transport=httpx.MockTransport(transport)))
        asked = CompletionRequest(ASKED, "It", Continuation.RAW)
        if expected is None:
            with pytest.raises(GenerationError, match="nothing tells the chat template of gpt"):
                asyncio.run(client.complete(asked))
        else:
            assert asyncio.run(client.complete(asked)).text == expected


def test_log_probabilities_are_read() -> None:
    client, _ = in_memory(
        chat("4", logprobs={"content": [{"logprob": -1.0}, {"logprob": -2.0}]}), chat("4", finish_reason="length")
    )
    first, second = (asyncio.run(client.complete(CompletionRequest(ASKED))) for _ in range(2))
    assert (first.log_probability, first.ended) == (-1.5, True)
    assert (second.log_probability, second.ended) == (None, False)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (httpx.Response(200, text="busy"), "gave no JSON: 'busy'"),
        (httpx.Response(200, text="[" * 100_000), r"gave no JSON: '\["),
        (httpx.Response(200, json={"choices": []}), "the server gave no reply"),
        (httpx.Response(200, json=[1]), "the server gave no reply"),
    ],
)
def test_garbage_is_told(reply: httpx.Response, message: str) -> None:
    client, _ = in_memory(reply)
    with pytest.raises(GenerationError, match=message):
        asyncio.run(client.complete(CompletionRequest(ASKED)))


def test_an_error_of_the_server_is_tried_again_and_then_told_with_what_it_said() -> None:
    client, bodies = in_memory(
        httpx.Response(503, text="loading"), chat("Answer: 4"), *[httpx.Response(400, text="no such model")] * 2
    )
    model = ChatStepModel(client, retries=2)
    request = Request("2 + 2?", Configuration("gpt"))
    assert run(request, model).answer == "4"
    with pytest.raises(SearchFailed, match="400: no such model"):
        run(request, model)
    assert len(bodies) == 3
