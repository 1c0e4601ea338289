"""A provider under a real client: every request is recorded, answered in memory, or refused with the provider's own error."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Protocol

import httpx

Body = dict[str, Any]


class RefusedError(Exception):
    """What the provider refuses, with the status and the body of its answer."""

    def __init__(self, status: int, body: Body) -> None:
        super().__init__(body)
        self.status, self.body = status, body


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived.

    Attributes:
        path: below the API's address.
        side: "sync" or "async", whichever of the client's sides sent it.
        body: of the request.
    """

    path: str
    side: str
    body: Body


@dataclass(frozen=True, slots=True)
class Reply:
    """A well-formed answer.

    Attributes:
        content: of the response.
        kind: its content type.
        input_tokens: counted by the provider.
        output_tokens: likewise.
    """

    content: bytes
    kind: str = "application/json"
    input_tokens: int = 0
    output_tokens: int = 0


class Provider(Protocol):
    """Answers the requests of one API."""

    def answer(self, path: str, body: Body) -> Reply:
        """Answer a request, or raise `RefusedError`."""
        ...


@dataclass
class Wire:
    """The connection of one model to a provider.

    Attributes:
        provider: answers.
        requests: all that came, in order.
        replies: all that were answered.
    """

    provider: Provider
    requests: list[Request] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    _lock: Any = field(default_factory=Lock)

    def client(self) -> httpx.Client:
        return httpx.Client(transport=self.transport())

    def async_client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self.async_transport())

    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(lambda request: self.answer(request, "sync"))

    def async_transport(self) -> httpx.MockTransport:
        async def answer(request: httpx.Request) -> httpx.Response:
            return self.answer(request, "async")

        return httpx.MockTransport(answer)

    def answer(self, request: httpx.Request, side: str) -> httpx.Response:
        body = json.loads(request.content)
        with self._lock:
            self.requests.append(Request(request.url.path, side, body))
        try:
            reply = self.provider.answer(request.url.path, body)
        except RefusedError as refused:
            return httpx.Response(refused.status, json=refused.body)
        with self._lock:
            self.replies.append(reply)
        return httpx.Response(200, content=reply.content, headers={"content-type": reply.kind})

    def clear(self) -> None:
        with self._lock:
            self.requests.clear()
            self.replies.clear()


class Loopback(ThreadingHTTPServer):
    """Wires on a port of this machine, told apart by a header, for clients that take no transport."""

    HEADER = "x-wire"

    def __init__(self) -> None:
        self.wires: dict[str, Wire] = {}
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def headers_for(self, wire: Wire) -> dict[str, str]:
        self.wires[str(id(wire))] = wire
        return {self.HEADER: str(id(wire))}


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Loopback)
        content = self.rfile.read(int(self.headers["content-length"]))
        # The clients that are generated from an API's description say which of their sides sends.
        side = "sync" if self.headers["x-stainless-async"] == "false" else "async"
        request = httpx.Request("POST", f"{self.server.url}{self.path}", content=content)
        response = self.server.wires[self.headers[Loopback.HEADER]].answer(request, side)
        self.send_response(response.status_code)
        self.send_header("content-type", response.headers["content-type"])
        self.send_header("content-length", str(len(response.content)))
        self.end_headers()
        self.wfile.write(response.content)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        pass


@contextmanager
def loopback() -> Iterator[Loopback]:
    """A server on the loopback, as long as the block runs."""
    with Loopback() as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def encoded(content: Body) -> bytes:
    return json.dumps(content).encode()


def events(contents: list[Body], *, named: bool = False, done: bool = False) -> bytes:
    """Server-sent events.

    Args:
        contents: the data of each.
        named: whether each names its type, too.
        done: whether "[DONE]" ends them.
    """
    lines = [(f"event: {content['type']}\n" if named else "") + f"data: {json.dumps(content)}\n\n" for content in contents]
    return "".join([*lines, *(["data: [DONE]\n\n"] if done else [])]).encode()
