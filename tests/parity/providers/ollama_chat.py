"""Ollama's chat API, which ignores what it does not know and continues a last message of the assistant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.parity.providers.model import REASONING, Question, pieces, said
from tests.parity.providers.openai_chat import STATUSES
from tests.parity.providers.wire import Body, RefusedError, Reply, encoded

CAPABLE = ("qwen3",)
"""Models that can think; others are refused when they shall. Source: Gitlawb/openclaude 1371."""


@dataclass(frozen=True)
class Chat:
    """`/api/chat`."""

    def answer(self, path: str, body: Body) -> Reply:
        thinks = bool(body.get("think"))
        if thinks and not body["model"].startswith(CAPABLE):
            raise RefusedError(400, {"error": f'"{body["model"]}" does not support thinking'})
        asked = _question(body)
        for words, (status, _) in STATUSES.items():
            if words in asked.text:
                raise RefusedError(status, {"error": words})
        answer = said(asked)
        calls = [{"function": {"name": call.name, "arguments": dict(call.arguments)}} for call in answer.calls]
        first: Body = {"role": "assistant", "content": ""} | ({"thinking": REASONING} if thinks else {})
        parts = (
            [first | {"tool_calls": calls}]
            if calls
            else [first, *({"role": "assistant", "content": w} for w in pieces(answer.text))]
        )
        read = len(str(body["messages"])) // 4 + 1
        end: Body = {"done": True, "done_reason": "length" if answer.end == "length" else "stop"}
        end |= {"total_duration": 5, "load_duration": 1, "prompt_eval_count": read, "prompt_eval_duration": 1}
        end |= {"eval_count": answer.tokens, "eval_duration": 1}
        envelope = {"model": body["model"], "created_at": "2026-01-01T00:00:00Z"}
        counts: dict[str, Any] = {"input_tokens": read, "output_tokens": answer.tokens}
        if body.get("stream") is False:
            whole = parts[0] | {"content": answer.text}
            return Reply(encoded(envelope | {"message": whole} | end), **counts)
        lines = [envelope | {"message": part, "done": False} for part in parts]
        lines.append(envelope | {"message": {"role": "assistant", "content": ""}} | end)
        return Reply(b"".join(encoded(line) + b"\n" for line in lines), "application/x-ndjson", **counts)


def _question(body: Body) -> Question:
    messages = body["messages"]
    users = [message for message in messages if message["role"] == "user"]
    options = body.get("options") or {}
    form = body.get("format")
    limit = options.get("num_predict")
    return Question(
        users[-1].get("content") or "" if users else "",
        messages[-1].get("content") or "" if messages and messages[-1]["role"] == "assistant" else "",
        {tool["function"]["name"]: tool["function"].get("parameters", {}) for tool in body.get("tools") or []},
        "auto",
        True,
        form if isinstance(form, dict) else None,
        form == "json",
        options.get("stop") or [],
        limit if limit is not None and limit > 0 else None,
        bool(messages) and messages[-1]["role"] == "tool",
    )
