"""A real server on loopback that speaks OpenAI's protocol and answers as the models of a kind would."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any
from zlib import crc32

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from benchmarks.hosted.kind import MESSAGE_TOKENS, Kind
from benchmarks.hosted.models import Model
from benchmarks.hosted.refusals import Refusal, check
from benchmarks.hosted.replies import reply_text
from benchmarks.hosted.texts import tokens_in
from benchmarks.hosted.traffic import Traffic

SPEED = 1000.0
"""How many times faster than the models' latencies the server is."""

CHUNK = 40
"""Characters of a streamed piece."""


@dataclass(slots=True)
class Provider:
    """The models of a kind, which say to a traffic's questions what its samples say; a further sample of a question is the next one.

    To other questions they say something of no use.

    Attributes:
        kind: names the models.
        traffic: the questions and samples.
        dollars: what was charged for each question, by its text.
        requests: how many were answered, failures and refusals included.
    """

    kind: Kind
    traffic: Traffic
    dollars: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    requests: int = 0
    _place: dict[str, int] = field(init=False)
    _models: dict[str, int] = field(init=False)
    _given: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._place = {text: place for place, text in enumerate(self.traffic.texts)}
        self._models = {model.name: place for place, model in enumerate(self.kind.models)}

    def app(self) -> Starlette:
        """For a server that speaks ASGI."""
        return Starlette(routes=[Route("/v1/chat/completions", self._chat, methods=["POST"])])

    async def _chat(self, request: Request) -> Response:
        self.requests += 1
        try:
            try:
                body = check(json.loads(await request.body()), self._models)
            except ValueError as error:
                raise Refusal("We could not parse the JSON body of your request.") from error
            model = self.kind.models[self._models[body["model"]]]
            await asyncio.sleep(model.latency / SPEED)
            reply = self._reply(body, model)
        except Refusal as refusal:
            # Clients wait before they try again, if they are not told for how long.
            return JSONResponse(refusal.body, refusal.status, headers={"retry-after-ms": "1"})
        if body.get("stream"):
            return StreamingResponse(_events(reply, body), media_type="text/event-stream")
        return JSONResponse(reply)

    def _reply(self, body: Mapping[str, Any], model: Model) -> dict[str, Any]:
        """The whole reply; what it costs is charged.

        Raises:
            Refusal: the model fails on this question.
        """
        question = _last_question(body["messages"])
        place = self._place.get(question)
        if place is not None and self.traffic.failed[place, self._arm(model)]:
            status, message = (429, "Rate limit reached.") if place % 2 else (500, "The server had an error.")
            raise Refusal(message, status=status)
        samples = [self._sample(question, model) for _ in range(body.get("n") or 1)]
        prompt = self._prompt_tokens(body, place)
        completion = sum(tokens for _, tokens in samples)
        self.dollars[question] += model.dollars(prompt, completion)
        return {
            "id": f"chatcmpl-{self.requests}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": model.name,
            "choices": [_choice(index, text) for index, (text, _) in enumerate(samples)],
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion},
        }

    def _arm(self, model: Model) -> int:
        return int((self.traffic.model_of == self._models[model.name]).argmax())

    def _sample(self, question: str, model: Model) -> tuple[str, int]:
        """The next sample of a question: its text and its tokens."""
        key = question, model.name
        number = self._given[key]
        self._given[key] += 1
        place, column = self._place.get(question), self._models[model.name]
        if place is None:
            return "I do not know what you mean.", 8
        samples = self.traffic.samples
        number %= samples.values.shape[2]
        value, tokens = (int(array[place, column, number]) for array in (samples.values, samples.tokens))
        return reply_text(question, value, tokens, crc32(f"{place}/{column}/{number}".encode())), tokens

    def _prompt_tokens(self, body: Mapping[str, Any], place: int | None) -> int:
        """As drawn where the prompt is as drawn; more where other messages came along."""
        if place is not None and len(body["messages"]) <= 1 + bool(self.traffic.context_tokens[place]):
            return int(self.traffic.input_tokens[place])
        return MESSAGE_TOKENS + sum(tokens_in(_text(message)) for message in body["messages"])


@contextmanager
def serving(provider: Provider) -> Iterator[str]:
    """The address of a server, as long as the block runs."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        config = uvicorn.Config(provider.app(), log_level="warning", ws="none", lifespan="off", timeout_keep_alive=3600)
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        finally:
            # It would wait for its clients to let go.
            server.should_exit = server.force_exit = True
            thread.join()


def _choice(index: int, text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": None}
    return {"index": index, "message": message, "finish_reason": "stop", "logprobs": None}


async def _events(reply: Mapping[str, Any], body: Mapping[str, Any]) -> AsyncIterator[bytes]:
    """A reply as server-sent events, usage in the last one where it is asked for."""
    envelope = {key: reply[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    usage = bool((body.get("stream_options") or {}).get("include_usage"))
    extra: dict[str, Any] = {"usage": None} if usage else {}

    def event(choices: list[dict[str, Any]], **further: Any) -> bytes:
        return b"data: " + json.dumps(envelope | {"choices": choices} | extra | further).encode() + b"\n\n"

    for choice in reply["choices"]:
        index, text = choice["index"], choice["message"]["content"]
        yield event([{"index": index, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
        for start in range(0, len(text), CHUNK):
            yield event([{"index": index, "delta": {"content": text[start : start + CHUNK]}, "finish_reason": None}])
        yield event([{"index": index, "delta": {}, "finish_reason": "stop"}])
    if usage:
        yield event([], usage=reply["usage"])
    yield b"data: [DONE]\n\n"


def _last_question(messages: list[Mapping[str, Any]]) -> str:
    """The text of the last message of a user."""
    return next((_text(message) for message in reversed(messages) if message["role"] == "user"), "")


def _text(message: Mapping[str, Any]) -> str:
    """The text of a message, whole or in parts."""
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
