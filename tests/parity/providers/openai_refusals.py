"""What OpenAI's two chat APIs refuse, as its documentation and the threads named below say; whatever is not known to be refused passes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_type_hints

from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming

from tests.parity.providers.schemas import strict_problem
from tests.parity.providers.wire import Body, RefusedError

# The client's types are generated from the API's description.
CHAT_PARAMETERS = frozenset(get_type_hints(CompletionCreateParamsStreaming))
RESPONSES_PARAMETERS = frozenset(get_type_hints(ResponseCreateParamsStreaming))

MAX_STOPS = 4
"""Source: `stop` in the reference of chat completions; langchain-ai/langchain 20234, continuedev/continue 2461."""

LENGTHS = ("max_tokens", "max_completion_tokens", "max_output_tokens")

NOT_FOR_REASONING = ("top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs", "logit_bias")
"""Source: "Not supported" in Microsoft's page on OpenAI's reasoning models; chatboxai/chatbox 2627, inspect_ai 2739."""


def refusal(message: str, param: str | None = None, code: str | None = None, status: int = 400) -> RefusedError:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return RefusedError(status, {"error": error})


def reasons(model: str) -> bool:
    """Whether a model of that name is a reasoning model."""
    return re.match(r"o\d|gpt-5(?!.*chat)", model) is not None


def check_chat(body: Body) -> None:
    """Refuse what chat completions refuse."""
    for name in body.keys() - CHAT_PARAMETERS:
        # Source: CherryHQ/cherry-studio 6155, open-webui 14520.
        raise refusal(f"Unrecognized request argument supplied: {name}")
    if not body["messages"]:
        # Source: CopilotKit 529.
        message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead."
        raise refusal(message, "messages", "empty_array")
    _check_stop(body.get("stop"))
    _check_length(body, 1)
    _check_tools(body, lambda tool: tool.get("function", {}))
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        _check_form(form["json_schema"], "response_format")
    if form.get("type") == "json_object" and "json" not in str(body["messages"]).lower():
        # Source: mem0ai/mem0 3008; "JSON mode" in the guide to structured outputs.
        message = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        raise refusal(message, "messages")
    if "stream_options" in body and not body.get("stream"):
        # Source: BerriAI/litellm 5803.
        raise refusal("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    _check_order(body["messages"])
    if reasons(body["model"]):
        _check_reasoning(body)
    elif body.get("reasoning_effort") is not None:
        # Source: yaroslavyaroslav/OpenAI-sublime-text 146.
        raise refusal("Unrecognized request argument supplied: reasoning_effort")


def check_responses(body: Body) -> None:
    """Refuse what the Responses API refuses."""
    for name in body.keys() - RESPONSES_PARAMETERS:
        # Source: openJiuwen-ai/agent-core 768 (`stop`), openai/openai-node 1613 (`seed`).
        raise refusal(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    _check_length(body, 16)
    # LlamaIndex says "none" there with every form that it asks for.
    _check_tools(body, lambda tool: tool if tool.get("type") == "function" else {}, ("none",))
    form = (body.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        # Source: bingoYB/ham_home 16.
        _check_form(form, "text.format.schema", "invalid_json_schema")
    if form.get("type") == "json_object" and "json" not in str(body["input"]).lower():
        message = "Response input messages must contain the word 'json' in some form to use 'text.format' of type 'json_object'."
        raise refusal(message, "input")
    items = input_items(body)
    known = {item.get("call_id") for item in items if item.get("type") == "function_call"}
    for item in items:
        if item.get("type") == "function_call_output" and item["call_id"] not in known and "previous_response_id" not in body:
            # Source: continuedev/continue 10092.
            raise refusal(f"No tool call found for function call output with call_id {item['call_id']}.", "input")
    if reasons(body["model"]) and body.get("temperature") not in (None, 1):
        # Source: OpenHands/software-agent-sdk 1837.
        raise refusal("Unsupported parameter: 'temperature' is not supported with this model.", "temperature")


def input_items(body: Body) -> list[Mapping[str, Any]]:
    """The items of a request's input, which may be a text alone."""
    given = body["input"]
    return [{"role": "user", "content": given}] if isinstance(given, str) else given


def _check_stop(stop: Any) -> None:
    if isinstance(stop, list) and len(stop) > MAX_STOPS:
        got = f"Expected an array with maximum length 4, but got an array with length {len(stop)} instead."
        raise refusal(f"Invalid 'stop': array too long. {got}", "stop", "array_above_max_length")


def _check_length(body: Body, least: int) -> None:
    for name in LENGTHS:
        if (length := body.get(name)) is not None and length < least:
            # Source: YSocialTwin/YClient 6; of the Responses API earendil-works/pi 6265, vectorize-io/hindsight 58.
            got = f"integer below minimum value. Expected a value >= {least}, but got {length} instead."
            raise refusal(f"Invalid '{name}': {got}", name, "integer_below_min_value")


def _check_tools(body: Body, function_of: Any, but: Sequence[str] = ()) -> None:
    tools = body.get("tools") or []
    for name in ("tool_choice", "parallel_tool_calls"):
        if body.get(name) not in (None, *but) and not tools:
            # Source: dapr/dapr-agents 248, Upsonic 323.
            raise refusal(f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.", name)
    for place, tool in enumerate(tools):
        function: Mapping[str, Any] = function_of(tool)
        problem = strict_problem(function.get("parameters", {})) if function.get("strict") else None
        if problem is not None:
            message = f"Invalid schema for function '{function['name']}': {problem}"
            raise refusal(message, f"tools[{place}].parameters", "invalid_function_parameters")


def _check_form(form: Mapping[str, Any], param: str, code: str | None = None) -> None:
    problem = strict_problem(form.get("schema", {})) if form.get("strict") else None
    if problem is not None:
        raise refusal(f"Invalid schema for response_format '{form['name']}': {problem}", param, code)


def _check_order(messages: Iterable[Mapping[str, Any]]) -> None:
    """Results of tools follow the calls, one for each. Source: FoundationAgents/OpenManus 744, microsoft/promptflow 3130."""
    waiting: set[str] = set()
    for place, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                raise refusal(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.",
                    f"messages.[{place}].role",
                )
            waiting.discard(message["tool_call_id"])
        elif waiting:
            break
        else:
            waiting = {call["id"] for call in message.get("tool_calls") or ()}
    if waiting:
        raise refusal(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
            f"The following tool_call_ids did not have response messages: {', '.join(sorted(waiting))}",
            "messages",
        )


def _check_reasoning(body: Body) -> None:
    if body.get("temperature") not in (None, 1):
        # Source: QwenLM/qwen-code 921, glebm/i18n-tasks 672.
        value = body["temperature"]
        message = (
            f"Unsupported value: 'temperature' does not support {value} with this model. Only the default (1) value is supported."
        )
        raise refusal(message, "temperature", "unsupported_value")
    if body.get("max_tokens") is not None:
        # Source: memochou1993/gpt-ai-assistant 361.
        message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        raise refusal(message, "max_tokens", "unsupported_parameter")
    for name in ("stop", *NOT_FOR_REASONING):
        # Source of `stop`: crewAIInc/crewAI 2738, FlowiseAI/Flowise 5046.
        if body.get(name) not in (None, False):
            raise refusal(f"Unsupported parameter: '{name}' is not supported with this model.", name, "unsupported_parameter")
