"""The part of OpenAI's chat completions that the tests need, in memory, under the real clients; it keeps every request body."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from threading import Lock
from typing import Any

import httpx

Body = dict[str, Any]
Behaviour = Callable[[Body, int], httpx.Response | None]
"""What to answer to a request and its number instead of the usual; `None` for the usual."""


class Server:
    """Answers as a model would that always calls the tool it is offered, and fills in what a schema asks for.

    Args:
        says: the text of an answer to a request and its number.
        behaves: where it does something else.
        takes: seconds until a request and its number are answered.
        fills: the arguments of a tool's call, instead of what fits its schema.

    Attributes:
        bodies: of all requests.
        arrived: how many requests have come, answered or not.
        cancelled: how many of them were given up by the client.
    """

    def __init__(
        self,
        says: Callable[[Body, int], str] | None = None,
        behaves: Behaviour | None = None,
        takes: Callable[[Body, int], float] | None = None,
        fills: Callable[[Body, int], Body] | None = None,
    ) -> None:
        self.arrived = self.cancelled = 0
        self._takes, self._fills = takes, fills
        self.bodies: list[Body] = []
        self.headers: list[Mapping[str, str]] = []
        self._says = says or (lambda body, number: "Hello there.\nAnswer: 4")
        self._behaves, self._numbers, self._lock = behaves, count(), Lock()

    def client(self) -> httpx.Client:
        def answer(request: httpx.Request) -> httpx.Response:
            with self._lock:
                number, self.arrived = self.arrived, self.arrived + 1
            if self._takes is not None:
                time.sleep(self._takes(json.loads(request.content), number))
            return self.answer(request)

        return httpx.Client(transport=httpx.MockTransport(answer))

    def async_client(self) -> httpx.AsyncClient:
        async def answer(request: httpx.Request) -> httpx.Response:
            number, self.arrived = self.arrived, self.arrived + 1
            if self._takes is not None:
                try:
                    await asyncio.sleep(self._takes(json.loads(request.content), number))
                except asyncio.CancelledError:
                    self.cancelled += 1
                    raise
            return self.answer(request)

        return httpx.AsyncClient(transport=httpx.MockTransport(answer))

    def answer(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        with self._lock:
            self.bodies.append(body)
            self.headers.append(dict(request.headers))
            number = next(self._numbers)
        other = self._behaves(body, number) if self._behaves else None
        if other is not None:
            return other
        message, reason = self._message(body, number)
        if body.get("stream"):
            return httpx.Response(
                200, content=b"".join(_events(body, message, reason)), headers={"content-type": "text/event-stream"}
            )
        choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
        return httpx.Response(200, json=_envelope(body, "chat.completion") | {"choices": [choice], "usage": _usage(message)})

    def _message(self, body: Body, number: int) -> tuple[Body, str]:
        name, parameters = _tool(body)
        if name is not None:
            arguments = _filled(parameters, "input") if self._fills is None else self._fills(body, number)
            asked = str(body["messages"][-1].get("content"))
            for key, value in arguments.items() if "'" in asked else ():
                # A name in quotation marks is what the tool is called with.
                arguments[key] = asked.split("'")[1] if isinstance(value, str) else value
            function = {"name": name, "arguments": json.dumps(arguments)}
            call = {"id": f"call_{number}", "type": "function", "function": function}
            return {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
        form = body.get("response_format", {})
        if form.get("type") == "json_schema":
            text = json.dumps(_filled(form["json_schema"]["schema"], ""))
        elif form.get("type") == "json_object":
            text = json.dumps({"setup": "Why?", "punchline": "Because."})
        else:
            text = self._says(body, number)
        stop = body.get("stop") or []
        for end in [stop] if isinstance(stop, str) else stop:
            text = text.split(end)[0]
        return {"role": "assistant", "content": text}, "stop"


def _tool(body: Body) -> tuple[str | None, Body]:
    """The tool that is called: the one demanded, otherwise the first as long as no result of one came last."""
    tools = {tool["function"]["name"]: tool["function"].get("parameters", {}) for tool in body.get("tools") or []}
    choice = body.get("tool_choice", "auto")
    if not tools or choice == "none" or (choice == "auto" and body["messages"][-1]["role"] == "tool"):
        return None, {}
    name = choice["function"]["name"] if isinstance(choice, dict) else next(iter(tools))
    return name, tools[name]


def _filled(schema: Body, name: str) -> Any:
    """A value that fits a schema."""
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _filled(schema["anyOf"][0], name)
    kind = schema.get("type", "object")
    if kind == "object":
        return {key: _filled(part, key) for key, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [_filled(schema.get("items", {"type": "string"}), name)]
    return {"integer": 3, "number": 3.0, "boolean": True, "null": None}.get(kind, f"some {name}")


def _envelope(body: Body, kind: str) -> Body:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": body["model"]}


def _usage(message: Body) -> Body:
    sampled = len(json.dumps(message)) // 4
    return {"prompt_tokens": 11, "completion_tokens": sampled, "total_tokens": 11 + sampled}


def _events(body: Body, message: Body, reason: str) -> Iterator[bytes]:
    envelope = _envelope(body, "chat.completion.chunk")
    deltas: list[Body] = [{"role": "assistant", "content": ""}]
    if message.get("tool_calls"):
        [call] = message["tool_calls"]
        arguments = call["function"]["arguments"]
        begun = {
            "index": 0,
            "id": call["id"],
            "type": "function",
            "function": {"name": call["function"]["name"], "arguments": ""},
        }
        deltas.append({"tool_calls": [begun]})
        deltas += [
            {"tool_calls": [{"index": 0, "function": {"arguments": part}}]} for part in (arguments[:3], arguments[3:]) if part
        ]
    else:
        deltas += [{"content": part} for part in _parts(message["content"])]
    for delta in deltas:
        yield _event(envelope | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    yield _event(envelope | {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    if (body.get("stream_options") or {}).get("include_usage"):
        yield _event(envelope | {"choices": [], "usage": _usage(message)})
    yield b"data: [DONE]\n\n"


def _parts(text: str) -> list[str]:
    words = text.split(" ")
    return [word + " " for word in words[:-1]] + words[-1:]


def _event(content: Body) -> bytes:
    return f"data: {json.dumps(content)}\n\n".encode()
