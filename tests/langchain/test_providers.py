"""Clients of other providers, which take settings and stop texts in their own ways, over what their servers would say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessageChunk
from langchain_core.tools import tool
from langchain_ollama import ChatOllama
from pydantic import BaseModel, SecretStr

from uniscale_integrations.engine import UniScale
from uniscale_integrations.langchain import UniScaleChatModel
from uniscale_integrations.search.ports import Sampling
from uniscale_integrations.space import Configuration, ConfigurationSpace

Body = dict[str, Any]
SHAPES = [(1, 1, 1), (2, 1, 1), (1, 2, 1)]
SAID = "First this.\nAnswer: 4"


class Joke(BaseModel):
    """A joke."""

    setup: str
    punchline: str


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def searching(model: Any, shape: tuple[int, int, int], **settings: Any) -> UniScaleChatModel:
    # What a decided vote gives up is only estimated, and usage is compared.
    space, sampling = ConfigurationSpace([Configuration(model.model, *shape)]), Sampling(votes="full")
    return UniScaleChatModel(engine=UniScale([model], "agreement", space, sampling=sampling), **settings)


def ollama(bodies: list[Body], **settings: Any) -> ChatOllama:
    """The real client over a transport in memory, behind which somebody speaks Ollama's language."""

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        bodies.append(body)
        message: Body = {"role": "assistant", "content": _cut(SAID, body["options"].get("stop"))}
        if body.get("tools"):
            message = {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"function": {"name": "add", "arguments": {"a": 1, "b": 2}}}],
            }
        elif body.get("format"):
            message["content"] = json.dumps({"setup": "Why?", "punchline": "Because."})
        closing = {"done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 6}
        told = {"model": body["model"], "created_at": "2026-01-01T00:00:00Z", "message": message} | closing
        return httpx.Response(200, content=json.dumps(told).encode() + b"\n", headers={"content-type": "application/x-ndjson"})

    return ChatOllama(model="llama-test", client_kwargs={"transport": httpx.MockTransport(answer)}, **settings)


def _cut(text: str, stop: list[str] | None) -> str:
    for end in stop or []:
        text = text.split(end, maxsplit=1)[0]
    return text


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_ollama(shape: tuple[int, int, int]) -> None:
    bodies: list[Body] = []
    model = searching(ollama(bodies, temperature=0.0, stop=["<end>"]), shape, max_tokens=50)
    message = model.invoke("What is 2 + 2?")
    assert message.text.startswith("First this.")
    assert message.usage_metadata is not None
    assert message.usage_metadata["input_tokens"] == 9 * len(bodies)
    asked = [body["options"] for body in bodies if body["messages"][0]["content"] == "What is 2 + 2?"]
    assert len(asked) >= shape[0] * shape[1]
    assert all("<end>" in options["stop"] for options in asked)
    assert all(options["num_predict"] <= 50 for options in asked)
    # Candidates that compete must differ; a plain sample is drawn as the model is set up to.
    assert all((options["temperature"] == 0.0) == (shape == (1, 1, 1)) for options in asked)
    assert len({options.get("seed") for options in asked}) == shape[0] * shape[1]


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1)], ids=str)
def test_ollama_with_tools_and_forms(shape: tuple[int, int, int]) -> None:
    bodies: list[Body] = []
    model = searching(ollama(bodies), shape)
    [call] = model.bind_tools([add], temperature=0.3).invoke("What is 1 + 2?").tool_calls
    assert (call["name"], call["args"]) == ("add", {"a": 1, "b": 2})
    assert all(body["options"]["temperature"] == 0.3 for body in bodies)
    joke = model.with_structured_output(Joke, method="json_schema").invoke("Tell one.")
    assert isinstance(joke, Joke)
    assert bodies[-1]["format"]["properties"].keys() == {"setup", "punchline"}


class _Anthropic(ThreadingHTTPServer):
    """Speaks Anthropic's language on the loopback, thinks before it answers, and refuses to go on with an answer."""

    def __init__(self) -> None:
        self.asked: list[Body] = []
        super().__init__(("127.0.0.1", 0), _Messages)


class _Messages(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server = self.server
        assert isinstance(server, _Anthropic)
        server.asked.append(body)
        if body["messages"][-1]["role"] == "assistant":
            self._send(400, {"type": "error", "error": {"type": "invalid_request_error", "message": "no prefill"}})
            return
        content: list[Body] = [{"type": "thinking", "thinking": "Two and two.", "signature": "s"}, {"type": "text", "text": SAID}]
        if body.get("tools"):
            content = [{"type": "tool_use", "id": "toolu_1", "name": "add", "input": {"a": 1, "b": 2}}]
        told = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "content": content}
        usage = {"input_tokens": 9, "output_tokens": 6}
        if body.get("stream"):
            self._stream(told, usage)
        else:
            self._send(200, told | {"stop_reason": "end_turn", "stop_sequence": None, "usage": usage})

    def _stream(self, told: Body, usage: Body) -> None:
        begun = told | {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage | {"output_tokens": 0}}
        events: list[Body] = [{"type": "message_start", "message": begun}]
        for index, block in enumerate(told["content"]):
            field = block["type"] if block["type"] != "tool_use" else "input"
            delta = {"type": f"{field}_delta", field: block[field]}
            events.append({"type": "content_block_start", "index": index, "content_block": {"type": block["type"], field: ""}})
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
            events.append({"type": "content_block_stop", "index": index})
        events.append({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage})
        events.append({"type": "message_stop"})
        content = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
        self._write(200, content.encode(), "text/event-stream")

    def _send(self, status: int, content: Body) -> None:
        self._write(status, json.dumps(content).encode(), "application/json")

    def _write(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def anthropic() -> Iterator[_Anthropic]:
    with _Anthropic() as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def claude(server: _Anthropic, **settings: Any) -> ChatAnthropic:
    url = f"http://127.0.0.1:{server.server_port}"
    return ChatAnthropic(model="claude-test", api_key=SecretStr("test"), base_url=url, max_retries=0, **settings)  # type: ignore[call-arg]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_anthropic(anthropic: _Anthropic, shape: tuple[int, int, int]) -> None:
    model = searching(claude(anthropic, stop=["<end>"]), shape)
    message = model.invoke("What is 2 + 2?")
    assert message.text == SAID
    assert message.additional_kwargs == {}
    kinds = [block["type"] for block in message.content if isinstance(block, dict)]
    assert kinds == ["thinking", "text"]
    asked = [body for body in anthropic.asked if body["messages"] == [{"role": "user", "content": "What is 2 + 2?"}]]
    assert len(asked) == shape[0] * shape[1]
    assert all("<end>" in body["stop_sequences"] for body in asked)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_a_message_holds_beside_its_text_is_streamed_too(anthropic: _Anthropic, shape: tuple[int, int, int]) -> None:
    whole: AIMessageChunk | None = None
    for piece in searching(claude(anthropic), shape).stream("What is 2 + 2?"):
        whole = piece if whole is None else whole + piece
    assert whole is not None
    assert whole.text == SAID
    assert "thinking" in [block["type"] for block in whole.content if isinstance(block, dict)]


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1)], ids=str)
def test_anthropic_with_tools(anthropic: _Anthropic, shape: tuple[int, int, int]) -> None:
    message = searching(claude(anthropic), shape).bind_tools([add], tool_choice="add").invoke("What is 1 + 2?")
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [("add", {"a": 1, "b": 2})]
    assert anthropic.asked[0]["tool_choice"]["name"] == "add"
