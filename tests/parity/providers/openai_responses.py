"""OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.parity.providers.model import REASONING, Question, Said, pieces, said
from tests.parity.providers.openai_chat import chosen, fail, text_in
from tests.parity.providers.openai_refusals import check_responses, input_items, reasons, refusal
from tests.parity.providers.wire import Body, Reply, encoded, events


@dataclass(frozen=True)
class Responses:
    """`/responses`, with reasoning items, function calls, web searches and refusals."""

    def answer(self, path: str, body: Body) -> Reply:
        if not path.endswith("/responses"):
            raise refusal(f"Invalid URL (POST {path})", status=404)
        check_responses(body)
        asked = _question(body)
        fail(asked.text)
        answer = said(asked)
        usage = _usage(body, answer)
        response = _response(body, answer) | {"output": _output(body, answer), "usage": usage}
        counts: dict[str, Any] = {"input_tokens": usage["input_tokens"], "output_tokens": usage["output_tokens"]}
        if body.get("stream"):
            return Reply(events(_events(response), named=True), "text/event-stream", **counts)
        return Reply(encoded(response), **counts)


def _question(body: Body) -> Question:
    items = input_items(body)
    users = [item for item in items if item.get("role") == "user"]
    form = (body.get("text") or {}).get("format") or {}
    tools = {tool["name"]: tool.get("parameters", {}) for tool in body.get("tools") or [] if tool["type"] == "function"}
    choice = body.get("tool_choice")
    return Question(
        text_in(users[-1]["content"]) if users else "",
        "",
        tools,
        "auto" if isinstance(choice, Mapping) and choice.get("type") != "function" else chosen(choice),
        body.get("parallel_tool_calls") is not False,
        form.get("schema"),
        form.get("type") == "json_object",
        (),
        body.get("max_output_tokens"),
        bool(items) and items[-1].get("type") == "function_call_output",
    )


def _output(body: Body, answer: Said) -> list[Body]:
    items: list[Body] = []
    if reasons(body["model"]):
        summary = [{"type": "summary_text", "text": REASONING}] if (body.get("reasoning") or {}).get("summary") else []
        items.append({"type": "reasoning", "id": "rs_1", "summary": summary})
    if any(tool["type"].startswith("web_search") for tool in body.get("tools") or []):
        action = {"type": "search", "query": "2 + 2"}
        items.append({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": action})
    for call in answer.calls:
        function = {"name": call.name, "arguments": call.written}
        items.append({"type": "function_call", "id": f"fc_{call.name}", "call_id": call.id, "status": "completed"} | function)
    if not answer.calls:
        part = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
        if answer.refused:
            part = {"type": "refusal", "refusal": answer.text}
        items.append({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]})
    return items


def _usage(body: Body, answer: Said) -> Body:
    read = len(str(body["input"])) // 4 + 1
    thought = 8 if reasons(body["model"]) else 0
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": read // 2},
        "output_tokens": answer.tokens + thought,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": read + answer.tokens + thought,
    }


def _response(body: Body, answer: Said) -> Body:
    cut = {"length": "max_output_tokens", "filter": "content_filter"}.get(answer.end)
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": cut} if cut else None,
        "instructions": None,
        "metadata": body.get("metadata") or {},
        "model": body["model"],
        "output": [],
        "parallel_tool_calls": True,
        "service_tier": "default",
        "temperature": 1.0,
        "text": {"format": {"type": "text"}} | (body.get("text") or {}),
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_p": 1.0,
        "usage": None,
    }


def _events(response: Body) -> list[Body]:
    begun = response | {"status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    told: list[Body] = [{"type": "response.created", "response": begun}, {"type": "response.in_progress", "response": begun}]
    for place, item in enumerate(response["output"]):
        told += _item_events(place, item)
    told.append({"type": f"response.{response['status']}", "response": response})
    return [event | {"sequence_number": number} for number, event in enumerate(told)]


def _item_events(place: int, item: Body) -> list[Body]:
    at = {"output_index": place, "item_id": item["id"]}
    first: Body = item | {"status": "in_progress"}
    between: list[Body] = []
    if item["type"] == "reasoning":
        first = item | {"summary": []}
        for number, part in enumerate(item["summary"]):
            where = at | {"summary_index": number}
            between.append({"type": "response.reasoning_summary_part.added", "part": part | {"text": ""}} | where)
            between += [{"type": "response.reasoning_summary_text.delta", "delta": word} | where for word in pieces(part["text"])]
            between.append({"type": "response.reasoning_summary_text.done", "text": part["text"]} | where)
            between.append({"type": "response.reasoning_summary_part.done", "part": part} | where)
    elif item["type"] == "function_call":
        first = first | {"arguments": ""}
        written = item["arguments"]
        between = [{"type": "response.function_call_arguments.delta", "delta": part} | at for part in (written[:3], written[3:])]
        between.append({"type": "response.function_call_arguments.done", "arguments": written, "name": item["name"]} | at)
    elif item["type"] == "message":
        first = first | {"content": []}
        for number, part in enumerate(item["content"]):
            between += _part_events(at | {"content_index": number}, part)
    added, done = {"type": "response.output_item.added", "item": first}, {"type": "response.output_item.done", "item": item}
    return [added | {"output_index": place}, *between, done | {"output_index": place}]


def _part_events(where: Body, part: Body) -> list[Body]:
    field = "refusal" if part["type"] == "refusal" else "text"
    name = f"response.{part['type']}"
    more: Body = {"logprobs": []} if field == "text" else {}
    return [
        {"type": "response.content_part.added", "part": part | {field: ""}} | where,
        *({"type": f"{name}.delta", "delta": word} | more | where for word in pieces(part[field])),
        {"type": f"{name}.done", field: part[field]} | more | where,
        {"type": "response.content_part.done", "part": part} | where,
    ]
