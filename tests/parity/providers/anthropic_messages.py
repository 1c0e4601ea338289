"""Anthropic's Messages API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

from anthropic.types.beta.message_create_params import MessageCreateParamsStreaming as BetaParams
from anthropic.types.message_create_params import MessageCreateParamsStreaming

from tests.parity.providers.model import REASONING, Question, Said, pieces, said
from tests.parity.providers.openai_chat import STATUSES
from tests.parity.providers.schemas import open_object
from tests.parity.providers.wire import Body, RefusedError, Reply, encoded, events

PARAMETERS = frozenset(get_type_hints(MessageCreateParamsStreaming)) | {"temperature", "top_p", "top_k"}
"""The client's types are generated from the API's description; newer ones leave out how to sample, which the API still takes."""
BETA_PARAMETERS = PARAMETERS | frozenset(get_type_hints(BetaParams))

ENDS = {"stop": "end_turn", "tools": "tool_use", "length": "max_tokens", "filter": "refusal"}
CONTINUES = re.compile(r"claude-3|claude-[a-z]+-4-[015]\b")
"""Models that continue a last message of the assistant. Source: lanl/ursa 283 (removed with 4.6), livekit/agents 7217."""


@dataclass(frozen=True)
class Messages:
    """`/v1/messages`."""

    def answer(self, path: str, body: Body) -> Reply:
        check(body, BETA_PARAMETERS if "beta=true" in path else PARAMETERS)
        asked = _question(body)
        for words, (status, _) in STATUSES.items():
            if words in asked.text:
                raise refusal(words, status, "error")
        answer = said(asked)
        usage = {
            "input_tokens": len(str(body["messages"])) // 4 + 1,
            "output_tokens": answer.tokens,
            "cache_read_input_tokens": 5,
            "cache_creation_input_tokens": 0,
        }
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": _content(body, answer),
        }
        message |= {"stop_reason": ENDS[answer.end], "stop_sequence": None, "usage": usage}
        counts: dict[str, Any] = {"input_tokens": usage["input_tokens"] + 5, "output_tokens": usage["output_tokens"]}
        if body.get("stream"):
            return Reply(events(_events(message), named=True), "text/event-stream", **counts)
        return Reply(encoded(message), **counts)


def refusal(message: str, status: int = 400, kind: str = "invalid_request_error") -> RefusedError:
    return RefusedError(status, {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"})


def check(body: Body, parameters: frozenset[str]) -> None:
    """Refuse what the API refuses, as its documentation and the threads named say; whatever is not known to be refused passes."""
    for name in body.keys() - parameters:
        # Source: amrit110/oli 7, Aider-AI/aider 4404.
        raise refusal(f"{name}: Extra inputs are not permitted")
    if any(not end.strip() for end in body.get("stop_sequences") or ()):
        # Source: BerriAI/litellm 3286.
        raise refusal("stop_sequences: each stop sequence must contain non-whitespace")
    _check_messages(body["messages"], body["model"])
    _check_thinking(body)
    if not 0 <= (body.get("temperature") or 0) <= 1:
        # Source: `temperature` in the reference of messages ("Ranges from 0.0 to 1.0").
        raise refusal("temperature: range: 0..1")
    if body["max_tokens"] < 1:
        # Source: `max_tokens` in the reference of messages ("minimum 1").
        raise refusal("max_tokens: must be greater than or equal to 1")
    form = (body.get("output_config") or {}).get("format")
    if form is not None and open_object(form["schema"]):
        # Source: veryfront/veryfront-code 3921; "Structured outputs" in the guide.
        raise refusal("output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false")
    for place, tool in enumerate(body.get("tools") or []):
        if tool.get("strict") and open_object(tool["input_schema"]):
            message = "For 'object' type, 'additionalProperties' must be explicitly set to false"
            raise refusal(f"tools.{place}.custom.input_schema: {message}")


def _check_messages(messages: list[Body], model: str) -> None:
    if not messages:
        # Source: langchain-ai/langchain 31696.
        raise refusal("messages: at least one message is required")
    for place, message in enumerate(messages):
        blocks = _blocks(message)
        last = place == len(messages) - 1 and message["role"] == "assistant"
        if not last and not blocks:
            # Source: anthropics/claude-code 6774.
            raise refusal(
                f"messages.{place}: all messages must have non-empty content except for the optional final assistant message"
            )
        if any(block["type"] == "text" and not block["text"] for block in blocks):
            # Source: anthropics/claude-code 49171.
            raise refusal("messages: text content blocks must be non-empty")
        before = _blocks(messages[place - 1]) if place else []
        calls = {block["id"] for block in before if block["type"] == "tool_use"}
        for number, block in enumerate(blocks):
            if block["type"] == "tool_result" and block["tool_use_id"] not in calls:
                # Source: anthropics/claude-code 18947.
                raise refusal(
                    f"messages.{place}.content.{number}: unexpected `tool_use_id` found in `tool_result` blocks: {block['tool_use_id']}. "
                    "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
                )
    if messages[-1]["role"] != "assistant":
        return
    blocks = _blocks(messages[-1])
    if blocks and blocks[-1]["type"] == "text" and blocks[-1]["text"] != blocks[-1]["text"].rstrip():
        # Source: langchain-ai/langchain 35071.
        raise refusal("messages: final assistant content cannot end with trailing whitespace")
    if not CONTINUES.match(model):
        # Source: agenticloops-ai/agentic-ai-engineering 43.
        raise refusal("This model does not support assistant message prefill. The conversation must end with a user message.")


def _check_thinking(body: Body) -> None:
    thinking = body.get("thinking") or {}
    if thinking.get("type") not in ("enabled", "adaptive"):
        return
    if body.get("temperature") not in (None, 1):
        # Source: MartialBE/one-hub 529, MayDay-wpf/snow-app 42.
        raise refusal("`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.")
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        # Source: mastra-ai/mastra 7507, langchain-ai/langchain 35544.
        raise refusal("Thinking may not be enabled when tool_choice forces tool use.")
    if body["max_tokens"] <= thinking.get("budget_tokens", 0):
        # Source: "Extended thinking" in the guide (`budget_tokens` must be less than `max_tokens`).
        raise refusal("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _blocks(message: Body) -> list[Body]:
    content = message["content"]
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content)


def _question(body: Body) -> Question:
    messages = body["messages"]
    users = [message for message in messages if message["role"] == "user"]
    texts = [block["text"] for message in users for block in _blocks(message) if block["type"] == "text"]
    choice: Mapping[str, Any] = body.get("tool_choice") or {}
    form = (body.get("output_config") or {}).get("format") or {}
    prefix = _blocks(messages[-1]) if messages[-1]["role"] == "assistant" else []
    return Question(
        texts[-1] if texts else "",
        "".join(block.get("text", "") for block in prefix),
        {tool["name"]: tool["input_schema"] for tool in body.get("tools") or [] if "input_schema" in tool},
        {"any": "required"}.get(choice.get("type", "auto"), choice.get("name") or choice.get("type", "auto")),
        not choice.get("disable_parallel_tool_use", False),
        form.get("schema"),
        False,
        body.get("stop_sequences") or [],
        body["max_tokens"],
        any(block["type"] == "tool_result" for block in _blocks(messages[-1])),
    )


def _content(body: Body, answer: Said) -> list[Body]:
    blocks: list[Body] = []
    if (body.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        blocks.append({"type": "thinking", "thinking": REASONING, "signature": "sig"})
    if any(str(tool.get("type", "")).startswith("web_search") for tool in body.get("tools") or []):
        blocks.append({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "2 + 2"}})
        blocks.append({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []})
    blocks += [
        {"type": "tool_use", "id": f"toolu_{call.name}", "name": call.name, "input": dict(call.arguments)}
        for call in answer.calls
    ]
    if answer.text:
        blocks.append({"type": "text", "text": answer.text, "citations": None})
    return blocks


def _events(message: Body) -> list[Body]:
    usage = message["usage"]
    begun = message | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    told: list[Body] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(message["content"]):
        first, deltas = _deltas(block)
        told.append({"type": "content_block_start", "index": index, "content_block": first})
        told += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        told.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    told.append({"type": "message_delta", "delta": end, "usage": usage})
    return [*told, {"type": "message_stop"}]


def _deltas(block: Body) -> tuple[Body, list[Body]]:
    if block["type"] == "text":
        return block | {"text": ""}, [{"type": "text_delta", "text": word} for word in pieces(block["text"])]
    if block["type"] == "thinking":
        thought = [{"type": "thinking_delta", "thinking": word} for word in pieces(block["thinking"])]
        return block | {"thinking": "", "signature": ""}, [*thought, {"type": "signature_delta", "signature": block["signature"]}]
    if block["type"] in ("tool_use", "server_tool_use"):
        written = encoded(block["input"]).decode()
        parts = (written[:3], written[3:])
        return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in parts]
    return block, []
