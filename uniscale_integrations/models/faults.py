"""Whose fault it is that a request failed: the model's, which is then spared for a while, or the request's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

MODEL_STATES = (401, 402, 403, 404, 405, 407, 408, 410, 429)
"""HTTP states by which a server says that the key, the account, the address or the load is at fault, whatever is asked; so are all from 500
on."""

PASSING_STATES = (409, 423, 425)
"""Those by which it says that another try may fare better."""

CONTEXT_CODES = ("context_length_exceeded", "string_above_max_length")
FILTER_CODES = ("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation")
MODEL_CODES = ("model_not_found", "invalid_api_key", "DeploymentNotFound", "insufficient_quota", "model_decommissioned")
"""Codes of providers that say more than the state beside which they stand."""

TOO_LONG = (
    "maximum context length",
    "context length",
    "context window",
    "prompt is too long",
    "exceeds the available context size",
)
BAD_KEY = ("api key", "api_key", "x-api-key")
"""What messages of providers that give no code contain, in small letters."""

UNREACHABLE = ("TransportError", "APIConnectionError", "TimeoutError", "ConnectionError", "ClientConnectionError", "Timeout")
"""Names of classes of errors by which clients say that they did not reach a server, or not in time."""

OURS = (TypeError, ValueError, LookupError, AttributeError, NotImplementedError)
"""Raised by clients that cannot send or read something; nobody knows whether another request would fare better."""


class Fault(StrEnum):
    """Whose fault a failure is."""

    MODEL = "model"
    """Another request would fail as well: the model rests, and another one answers."""
    REQUEST = "request"
    """The request is refused, whoever sends it: its caller is told at once, and nothing else is tried."""
    CONTEXT = "context"
    """The request is too long for this model; another one may take it."""
    UNCLEAR = "unclear"
    """Another model is asked, and this one is not spared."""


def fault_of(error: BaseException) -> Fault:
    """Whose fault an error of a client is, by its HTTP state, the provider's code, or its kind.

    Example:
        >>> fault_of(TimeoutError("no answer within 3 s")), fault_of(ValueError("no such role"))
        (<Fault.MODEL: 'model'>, <Fault.UNCLEAR: 'unclear'>)
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    codes, text = set(_codes(error)), str(error).lower()
    if "ContextOverflowError" in names or not codes.isdisjoint(CONTEXT_CODES):
        return Fault.CONTEXT
    if not codes.isdisjoint(FILTER_CODES):
        return Fault.REQUEST
    if not codes.isdisjoint(MODEL_CODES):
        return Fault.MODEL
    status = status_of(error)
    if status in PASSING_STATES:
        return Fault.UNCLEAR
    if status is not None and status < 500 and status not in MODEL_STATES:
        if any(words in text for words in TOO_LONG):
            return Fault.CONTEXT
        return Fault.MODEL if any(words in text for words in BAD_KEY) else Fault.REQUEST
    if status is not None:
        return Fault.MODEL
    if not names.isdisjoint(UNREACHABLE):
        return Fault.MODEL
    return Fault.UNCLEAR if isinstance(error, OURS) else Fault.MODEL


def status_of(error: BaseException) -> int | None:
    """The HTTP state that an error of a client tells of; `None` for none.

    Clients say it as `status_code`, as `code`, on their `response`, or, as boto3 does, within it.
    """
    response = getattr(error, "response", None)
    states = [getattr(error, "status_code", None), getattr(response, "status_code", None), getattr(error, "code", None)]
    if isinstance(response, Mapping):
        about = response.get("ResponseMetadata")
        states.append(about.get("HTTPStatusCode") if isinstance(about, Mapping) else None)
    return next((state for state in states if isinstance(state, int) and 400 <= state < 600), None)


def _codes(error: BaseException) -> Iterator[str]:
    """What the provider calls it, on the error or in the body that it sent."""
    body = getattr(error, "body", None)
    inner = body.get("error") if isinstance(body, Mapping) else None
    for place in (body, inner):
        if isinstance(place, Mapping):
            yield from (str(place[name]) for name in ("code", "type") if place.get(name))
    if isinstance(code := getattr(error, "code", None), str):
        yield code
