"""What an OpenAI-compatible provider refuses, and how it says so."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

_PARAMETERS = """
    audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens max_tokens messages metadata modalities
    model n parallel_tool_calls prediction presence_penalty prompt_cache_key reasoning_effort response_format safety_identifier seed
    service_tier stop store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity web_search_options
"""

PARAMETERS = frozenset(_PARAMETERS.split())
"""Of OpenAI's chat completions."""

MOST_CHOICES = 128
MOST_STOPS = 4


class Refusal(Exception):
    """A request that is refused.

    Args:
        message: why.
        param: the parameter that is at fault.
        status: of HTTP.
        code: a short name of the fault.
    """

    def __init__(self, message: str, param: str | None = None, status: int = 400, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        kind = {429: "rate_limit_error", 500: "server_error"}.get(status, "invalid_request_error")
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}


def check(body: object, models: Collection[str]) -> Mapping[str, Any]:
    """The body of a request, if it is one.

    Raises:
        Refusal: unknown parameters, values out of their range, no messages, or a model that is not there.
    """
    if not isinstance(body, dict):
        raise Refusal("We could not parse the JSON body of your request.")
    if unknown := sorted(set(body).difference(PARAMETERS)):
        raise Refusal(f"Unrecognized request argument supplied: {', '.join(unknown)}", unknown[0], code="unknown_parameter")
    messages = body.get("messages")
    if "messages" not in body:
        raise Refusal("Missing required parameter: 'messages'.", "messages", code="missing_required_parameter")
    if not isinstance(messages, list) or not messages:
        raise Refusal("Invalid 'messages': expected an array with minimum length 1.", "messages", code="empty_array")
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ("system", "developer", "user", "assistant", "tool"):
            raise Refusal(f"Invalid value: 'messages[{place}].role'.", f"messages[{place}].role", code="invalid_value")
    if body.get("model") not in models:
        raise Refusal(f"The model `{body.get('model')}` does not exist.", None, 404, "model_not_found")
    _in_range(body, "n", 1, MOST_CHOICES)
    _in_range(body, "temperature", 0, 2)
    _in_range(body, "top_p", 0, 1)
    stops = body.get("stop")
    if isinstance(stops, list) and len(stops) > MOST_STOPS:
        raise Refusal(f"Invalid 'stop': array too long, at most {MOST_STOPS}.", "stop", code="array_above_max_length")
    if body.get("stream_options") is not None and not body.get("stream"):
        raise Refusal("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options")
    return body


def _in_range(body: Mapping[str, Any], name: str, least: float, most: float) -> None:
    value = body.get(name)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise Refusal(f"Invalid '{name}': expected a number from {least} to {most}, got {value!r}.", name, code="invalid_value")
