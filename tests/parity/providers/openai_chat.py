"""Chat completions and completions: OpenAI's own, and those of a server for open models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.parity.providers.model import COUNTED, Question, Said, begun, pieces, said
from tests.parity.providers.openai_refusals import check_chat, reasons, refusal
from tests.parity.providers.wire import Body, RefusedError, Reply, encoded, events

ENDS = {"stop": "stop", "tools": "tool_calls", "length": "length", "filter": "content_filter"}
STATUSES = {
    "be unauthorised": (401, "invalid_api_key"),
    "wait": (429, "rate_limit_exceeded"),
    "fall over": (500, None),
}
"""Words in a question that make a server fail, with the status and the code of its answer."""


@dataclass(frozen=True)
class ChatCompletions:
    """`/chat/completions` and `/completions`.

    Attributes:
        official: whether it is OpenAI's own. A server for open models ignores what it does not know (vLLM's and llama.cpp's do) and
            continues the last message of the assistant when told to by `continue_final_message`.
    """

    official: bool = True

    def answer(self, path: str, body: Body) -> Reply:
        if path.endswith("/chat/completions"):
            return self._chat(body)
        if path.endswith("/completions"):
            return _completed(body)
        raise refusal(f"Invalid URL (POST {path})", status=404)

    def _chat(self, body: Body) -> Reply:
        if self.official:
            check_chat(body)
        asked = _question(body, not self.official and bool(body.get("continue_final_message")))
        fail(asked.text)
        answer = said(asked)
        usage = _usage(body, answer, self.official and reasons(body["model"]))
        counts: dict[str, Any] = {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]}
        if body.get("stream"):
            return Reply(_streamed(body, answer, usage), "text/event-stream", **counts)
        choice = {
            "index": 0,
            "message": _message(answer),
            "finish_reason": ENDS[answer.end],
            "logprobs": _logprobs(body, answer.text),
        }
        whole = _envelope(body, "chat.completion") | {"choices": [choice], "usage": usage, "system_fingerprint": "fp_1"}
        return Reply(encoded(whole), **counts)


def fail(text: str) -> None:
    """What happens to a question that asks for it."""
    for words, (status, code) in STATUSES.items():
        if words in text:
            raise RefusedError(status, {"error": {"message": words, "type": "error", "param": None, "code": code}})


def text_in(content: Any) -> str:
    """The text of a message, whatever it consists of."""
    if isinstance(content, str):
        return content
    return "".join(str(block.get("text", "")) for block in content or () if isinstance(block, Mapping))


def chosen(choice: Any) -> str:
    """A tool choice, by name where it is one tool's."""
    if isinstance(choice, Mapping):
        return str((choice.get("function") or choice)["name"])
    return str(choice or "auto")


def _limit(body: Body) -> int | None:
    """Most tokens of an answer; to llama.cpp's server those below 0 are no limit."""
    limit = body.get("max_completion_tokens", body.get("max_tokens"))
    return limit if limit is not None and limit >= 0 else None


def _question(body: Body, continues: bool) -> Question:
    messages: Sequence[Mapping[str, Any]] = body["messages"]
    users = [message for message in messages if message["role"] == "user"]
    form = body.get("response_format") or {}
    stop = body.get("stop") or []
    return Question(
        text_in(users[-1]["content"]) if users else "",
        text_in(messages[-1]["content"]) if continues else "",
        {
            tool["function"]["name"]: tool["function"].get("parameters", {})
            for tool in body.get("tools") or []
            if "function" in tool
        },
        chosen(body.get("tool_choice")),
        body.get("parallel_tool_calls") is not False,
        form.get("json_schema", {}).get("schema"),
        form.get("type") == "json_object",
        [stop] if isinstance(stop, str) else stop,
        _limit(body),
        bool(messages) and messages[-1]["role"] == "tool",
    )


def _message(answer: Said) -> Body:
    message: Body = {"role": "assistant", "content": answer.text, "refusal": None, "annotations": []}
    if answer.refused:
        return message | {"content": None, "refusal": answer.text}
    if answer.calls:
        calls = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.written}}
            for call in answer.calls
        ]
        return message | {"content": None, "tool_calls": calls}
    return message


def _usage(body: Body, answer: Said, thinks: bool) -> Body:
    read = len(str(body["messages"])) // 4 + 1
    thought = 8 if thinks else 0
    sampled = answer.tokens + thought
    return {
        "prompt_tokens": read,
        "completion_tokens": sampled,
        "total_tokens": read + sampled,
        "prompt_tokens_details": {"cached_tokens": read // 2, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": thought, "audio_tokens": 0},
    }


def _logprobs(body: Body, text: str) -> Body | None:
    if not body.get("logprobs"):
        return None
    told = [{"token": word, "logprob": -0.1, "bytes": list(word.encode()), "top_logprobs": []} for word in pieces(text)]
    return {"content": told, "refusal": None}


def _envelope(body: Body, kind: str) -> Body:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": body["model"], "service_tier": "default"}


def _streamed(body: Body, answer: Said, usage: Body) -> bytes:
    told = (body.get("stream_options") or {}).get("include_usage")
    envelope = _envelope(body, "chat.completion.chunk") | {"system_fingerprint": "fp_1"} | ({"usage": None} if told else {})

    def chunk(delta: Body, reason: str | None = None, logprobs: Body | None = None) -> Body:
        return envelope | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason, "logprobs": logprobs}]}

    chunks = [chunk({"role": "assistant", "content": "" if not answer.calls else None, "refusal": None})]
    for place, call in enumerate(answer.calls):
        begun = {"index": place, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        chunks.append(chunk({"tool_calls": [begun]}))
        parts = [{"index": place, "function": {"arguments": part}} for part in (call.written[:3], call.written[3:])]
        chunks += [chunk({"tool_calls": [part]}) for part in parts]
    field = "refusal" if answer.refused else "content"
    chunks += [chunk({field: word}, None, _logprobs(body, word)) for word in pieces(answer.text)]
    chunks.append(chunk({}, ENDS[answer.end]))
    if told:
        chunks.append(envelope | {"choices": [], "usage": usage})
    return events(chunks, done=True)


def _completed(body: Body) -> Reply:
    """A text completion; where a prompt ends with the beginning of an answer, that is continued."""
    prompt = str(body["prompt"])
    fail(prompt)
    stop = body.get("stop") or []
    stops = [stop] if isinstance(stop, str) else stop
    prefix = prompt if begun(prompt, (said(Question(prompt)).text, COUNTED)) is not None else ""
    answer = said(Question(prompt, prefix, stop=stops, max_tokens=_limit(body)))
    read = len(prompt) // 4 + 1
    usage = {"prompt_tokens": read, "completion_tokens": answer.tokens, "total_tokens": read + answer.tokens}
    envelope = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": body["model"]}

    def choice(text: str, reason: str | None) -> Body:
        words = pieces(text)
        told = {"tokens": words, "token_logprobs": [-0.1] * len(words), "top_logprobs": [{word: -0.1} for word in words]}
        return {"index": 0, "text": text, "finish_reason": reason, "logprobs": told if body.get("logprobs") else None}

    counts: dict[str, Any] = {"input_tokens": read, "output_tokens": answer.tokens}
    if not body.get("stream"):
        return Reply(encoded(envelope | {"choices": [choice(answer.text, ENDS[answer.end])], "usage": usage}), **counts)
    chunks = [envelope | {"choices": [choice(word, None)]} for word in pieces(answer.text)]
    chunks.append(envelope | {"choices": [choice("", ENDS[answer.end])]})
    if (body.get("stream_options") or {}).get("include_usage"):
        chunks.append(envelope | {"choices": [], "usage": usage})
    return Reply(events(chunks, done=True), "text/event-stream", **counts)
