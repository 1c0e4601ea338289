"""Wire parity: the request that a model sends behind the engine is held beside the one that it sends by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.parity.observed import Observed
from tests.parity.providers.wire import Body, Request

PLAIN_EXCEPTIONS: Mapping[str, str] = {}
"""Fields of a body that may differ for a plain configuration, with the reasons."""

SEARCH_EXCEPTIONS: Mapping[str, str] = {
    "seed": "candidates that compete must differ; each draws with its own seed where the API takes one",
    "temperature": "candidates that compete must differ; a model that is set up to draw the same every time draws otherwise",
    "stream": "candidates are compared when they are complete",
    "stream_options": "goes with `stream`",
}
"""Fields of a candidate's body that may differ in a search, with the reasons."""

STEP_EXCEPTIONS: Mapping[str, str] = {
    "stop": "a step ends where the next one begins; of the caller's own, as many go along as APIs take",
    "max_tokens": "a step is short",
    "messages": "the answer so far is the last message of the assistant, or the end of the prompt",
    "continue_final_message": "servers that continue an answer are told to",
    "add_generation_prompt": "goes with `continue_final_message`",
}
"""Further fields that may differ where a search chooses between steps."""

NAMES: Mapping[str, str] = {
    "options.seed": "seed",
    "options.temperature": "temperature",
    "options.stop": "stop",
    "options.num_predict": "max_tokens",
    "stop_sequences": "stop",
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "input": "messages",
    "prompt": "messages",
}
"""What APIs call the fields of those names."""

GREEDY = 0.1
"""A temperature at or below which a model says the same nearly every time; LlamaIndex sets it where its owner says nothing."""

MAX_STOPS = 4
"""As many texts as end a reply most APIs take."""

Shape = tuple[int, int, int]


def plain_differences(bare: Observed, ours: Observed) -> list[str]:
    """How what was sent for a plain configuration differs from what the bare model sends."""
    if len(bare.requests) != len(ours.requests):
        return [f"wire: {len(ours.requests)} requests instead of {len(bare.requests)}"]
    return [
        difference
        for theirs, own in zip(bare.requests, ours.requests, strict=True)
        for difference in _request_differences(theirs, own)
        if difference.split(" ")[1] not in PLAIN_EXCEPTIONS
    ]


def search_differences(yardsticks: Sequence[Request], ours: Observed, shape: Shape, *, question: str, failed: bool) -> list[str]:
    """How what was sent in a search differs from what the bare model sends.

    Args:
        yardsticks: what the bare model sends for the call, or for the same call without streaming.
        ours: the search.
        shape: `(QP, CP, BS)`.
        question: the user's, by which requests of a search are told from those that find out what a server can do.
        failed: whether the bare call failed.
    """
    asked = [request for request in ours.requests if _is_of(request, question, yardsticks)]
    others = len(ours.requests) - len(asked)
    found = [f"wire: {others} requests about something else"] if others and shape[1] == 1 else []
    limit = shape[0] * shape[1]
    if not yardsticks and asked:
        return [*found, f"wire: {len(asked)} requests where the bare model sends none"]
    if yardsticks and not asked:
        return [*found, "wire: no request of the user's messages"]
    if (failed or shape[1] == 1) and len(asked) > limit:
        found.append(f"wire: {len(asked)} requests instead of at most {limit}")
    for request in asked:
        ways = [list(_candidate_differences(theirs, request, steps=shape[1] > 1)) for theirs in yardsticks]
        ways.sort(key=len)
        found += ways[0] if ways else []
    return list(dict.fromkeys(found))


def _is_of(request: Request, question: str, yardsticks: Sequence[Request]) -> bool:
    if question:
        return json.dumps(question)[1:-1] in json.dumps(request.body)
    asked, given = (
        [value for name, value in body.items() if NAMES.get(name, name) == "messages"] for body in _first(yardsticks, request)
    )
    return bool(asked) and given[0][: len(asked[0])] == asked[0]


def _first(yardsticks: Sequence[Request], request: Request) -> tuple[Body, Body]:
    return (yardsticks[0].body if yardsticks else {}), request.body


def _request_differences(theirs: Request, own: Request) -> Iterator[str]:
    if theirs.path != own.path:
        yield f"wire: path {own.path} instead of {theirs.path}"
        return
    if theirs.side != own.side:
        yield f"wire: the {own.side} client instead of the {theirs.side} one"
    yield from _body_differences(theirs.body, own.body)


def _body_differences(theirs: Body, own: Body) -> Iterator[str]:
    for name, (expected, given) in _differing(theirs, own).items():
        yield f"wire: {name} {_short(given)} instead of {_short(expected)}"


def _candidate_differences(theirs: Request, own: Request, *, steps: bool) -> Iterator[str]:
    if theirs.path != own.path:
        yield f"wire: path {own.path} instead of {theirs.path}"
        return
    if theirs.side != own.side:
        yield f"wire: the {own.side} client instead of the {theirs.side} one"
    for name, (expected, given) in _differing(theirs.body, own.body).items():
        kind = NAMES.get(name, name)
        if (kind in SEARCH_EXCEPTIONS or (steps and kind in STEP_EXCEPTIONS)) and _as_excepted(kind, expected, given):
            continue
        yield f"wire: {name} {_short(given)} instead of {_short(expected)}"


def _as_excepted(kind: str, expected: Any, given: Any) -> bool:
    """Whether a field that may differ does so in the way that it may."""
    if kind == "temperature":
        return bool(expected is not None and expected <= GREEDY and given is not None)
    if kind in ("stream", "stream_options"):
        return not given
    if kind == "stop":
        before = [expected] if isinstance(expected, str) else list(expected or ())
        return all(end in (given or ()) for end in before[: MAX_STOPS - 1])
    if kind == "max_tokens":
        return bool(given is not None and (expected is None or expected < 0 or given <= expected))
    if kind == "messages":
        if isinstance(given, str):
            return given.startswith(expected)
        return bool(given[:-1] == expected and given[-1].get("role") == "assistant")
    return True


def _differing(theirs: Body, own: Body) -> dict[str, tuple[Any, Any]]:
    first, second = _flat(theirs), _flat(own)
    names = [*first, *(name for name in second if name not in first)]
    return {name: (first.get(name), second.get(name)) for name in names if first.get(name) != second.get(name)}


def _flat(body: Body) -> Body:
    """A body with Ollama's options beside the rest."""
    options = body.get("options")
    nested = {f"options.{name}": value for name, value in options.items()} if isinstance(options, Mapping) else {}
    return {name: value for name, value in body.items() if name != "options"} | nested


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 300 else f"{text[:300]}..."
