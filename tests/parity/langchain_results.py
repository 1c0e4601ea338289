"""What calls through LangChain give, behind the engine and without it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import reduce
from operator import add
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk

from tests.parity.observed import Observed

RESULT_EXCEPTIONS: Mapping[str, str] = {
    "response_metadata": "has the key `uniscale` and may have `model_name`, which say what was decided",
    "AIMessageChunk": "a stream gives chunks where a model that does not stream gives its whole message",
    "content": "an answer that was put together from steps has text only, no `logprobs`, and `additional_kwargs` without what is empty; it "
    "may lack a line break at its end, and meets its token limit within a few tokens where parts of replies were drawn again",
    "usage_metadata": "an estimate stands for tokens that the provider did not count, as many servers do not for streams",
    "additional_kwargs": "of an answer of LlamaIndex's `OpenAIResponses` holds the counts of tokens (`prompt_tokens`, ...), as those of "
    "its other LLMs do",
}
"""What may differ in a result, with the reasons."""

IDS = ("call_", "toolu_")
"""What ids of tool calls begin with where the provider gives them; others the client makes up, other ones each time."""


def result_differences(bare: Observed, ours: Observed, *, plain: bool) -> list[str]:
    """How what a call gives differs from what the bare model gives.

    Args:
        bare: the call of the bare model.
        ours: the same call behind the engine.
        plain: whether its configuration is plain, so that usage and metadata are those of one request.
    """
    if bare.error is not None or ours.error is not None:
        return list(error_differences(bare.error, ours.error))
    if not bare.streamed:
        return [f"result: {each}" for each in _value_differences(bare.values[0], ours.values[0], plain=plain)]
    return [f"stream: {each}" for each in _stream_differences(bare.values, ours.values, plain=plain)]


def usage_differences(bare: Observed, ours: Observed) -> list[str]:
    """Whether the usage of a search is that of all its requests, with the details that the bare model gives."""
    theirs, own = _usage(bare), _usage(ours)
    if theirs is None:
        return []
    if own is None:
        return ["usage: none"]
    if (own["input_tokens"], own["output_tokens"]) != ours.counted:
        return [f"usage: {own['input_tokens']} and {own['output_tokens']} tokens where all requests took {ours.counted}"]
    found = []
    for name in ("input_token_details", "output_token_details"):
        missing = {key for key, value in theirs.get(name, {}).items() if value} - own.get(name, {}).keys()
        found += [f"usage: {name} without {', '.join(sorted(missing))}"] if missing else []
    return found


def _usage(observed: Observed) -> Any:
    messages = [value for value in observed.values if isinstance(value, AIMessage)]
    return _merged(messages).usage_metadata if messages else None


def error_differences(theirs: Exception | None, own: Exception | None) -> Iterator[str]:
    if type(theirs) is not type(own):
        yield f"error: {_named(own)} instead of {_named(theirs)}"
    elif _line(theirs) != _line(own):
        yield f"error: says {_line(own)!r} instead of {_line(theirs)!r}"


def _named(error: Exception | None) -> str:
    return "none" if error is None else f"{type(error).__name__} ({_line(error)[:160]})"


def _line(error: Exception | None) -> str:
    """The first line of what an error says, without what is another's in every run."""
    return re.sub(r"run-[-0-9a-f]+", "run", str(error).split("\n")[0])


def _value_differences(theirs: Any, own: Any, *, plain: bool) -> Iterator[str]:
    if type(theirs) is not type(own):
        yield f"{type(own).__name__} instead of {type(theirs).__name__}"
    elif isinstance(theirs, AIMessage):
        yield from _message_differences(theirs, own, plain=plain)
    elif isinstance(theirs, Mapping) and "raw" in theirs:
        yield from (f"raw: {each}" for each in _value_differences(theirs["raw"], own.get("raw"), plain=plain))
        if theirs.get("parsed") != own.get("parsed"):
            yield f"parsed {own.get('parsed')!r} instead of {theirs.get('parsed')!r}"
        yield from error_differences(theirs.get("parsing_error"), own.get("parsing_error"))
    elif theirs != own:
        yield f"{own!r} instead of {theirs!r}"


def _message_differences(theirs: AIMessage, own: AIMessage, *, plain: bool) -> Iterator[str]:
    if theirs.id and not theirs.id.startswith(("run-", "lc_")) and own.id != theirs.id:
        yield f"id {own.id!r} instead of {theirs.id!r}"
    for name in ("content", "tool_calls", "invalid_tool_calls", "additional_kwargs", *(("usage_metadata",) if plain else ())):
        expected, given = _comparable(theirs, name), _comparable(own, name)
        if name == "usage_metadata" and expected is None:
            continue
        if not plain and name == "additional_kwargs":
            expected, given = ({key: value for key, value in each.items() if value} for each in (expected, given))
        if expected != given:
            yield f"{name} {short(given)} instead of {short(expected)}"
    for name, expected in theirs.response_metadata.items():
        if name not in own.response_metadata and (plain or name != "logprobs"):
            yield f"no response_metadata[{name!r}]"
        elif plain and own.response_metadata.get(name) != expected:
            yield f"response_metadata[{name!r}] {short(own.response_metadata[name])} instead of {short(expected)}"


def _stream_differences(theirs: tuple[Any, ...], own: tuple[Any, ...], *, plain: bool) -> Iterator[str]:
    if not theirs or not all(isinstance(value, AIMessage) for value in theirs):
        # What parsers give, of which the last one is whole.
        yield from _value_differences(_last(theirs), _last(own), plain=plain)
        return
    if not own or not all(isinstance(value, AIMessageChunk) for value in own):
        yield f"{[type(value).__name__ for value in own][:3]} instead of chunks"
        return
    expected, given = _merged(theirs), _merged(own)
    if str(expected.text) != str(given.text):
        yield f"text {short(str(given.text))} instead of {short(str(expected.text))}"
    if _calls(expected) != _calls(given):
        yield f"tool_calls {_calls(given)} instead of {_calls(expected)}"
    if plain:
        blocks = [[_blocks(chunk) for chunk in chunks if chunk.content] for chunks in (theirs, own)]
        if blocks[0] != blocks[1]:
            yield f"blocks {short(blocks[1])} instead of {short(blocks[0])}"
        # A chunk that says how the answer came about has to follow where the last one says something, and not that it is the last one.
        says = bool(theirs[-1].content or theirs[-1].tool_call_chunks or theirs[-1].additional_kwargs)
        more = int(says and getattr(theirs[-1], "chunk_position", None) != "last")
        if len(own) != len(theirs) + more and len(theirs) > 1:
            yield f"{len(own)} chunks instead of {len(theirs)}"
        yield from _message_differences(expected, given, plain=True)
        return
    if _kinds(expected) != _kinds(given):
        yield f"content of {_kinds(given)} instead of {_kinds(expected)}"
    missing = [name for name in expected.response_metadata if name not in given.response_metadata and name != "logprobs"]
    if missing:
        yield f"no response_metadata {missing}"


def _last(values: tuple[Any, ...]) -> Any:
    """The last of what a parser gave; of its parts, which come one by one, each."""
    if not values or not all(
        isinstance(value, Mapping) and value.keys() <= {"raw", "parsed", "parsing_error"} for value in values
    ):
        return values[-1] if values else None
    parts: dict[str, Any] = {}
    for name, part in (item for value in values for item in value.items()):
        parts[name] = parts[name] + part if name == "raw" and name in parts else part
    return parts


def _comparable(message: AIMessage, name: str) -> Any:
    value = getattr(message, name)
    if name != "tool_calls":
        return value
    return [call | {"id": call["id"] if str(call["id"]).startswith(IDS) else None} for call in value]


def _merged(chunks: Any) -> AIMessage:
    merged: AIMessage = reduce(add, chunks) if isinstance(chunks[0], AIMessageChunk) else chunks[0]
    return merged


def _blocks(message: AIMessage) -> list[Any]:
    """The content of a message in LangChain's own form, without ids that clients make up."""
    return [{name: value for name, value in block.items() if name != "id"} for block in message.content_blocks]


def _calls(message: AIMessage) -> list[tuple[str, Mapping[str, Any]]]:
    return [(call["name"], call["args"]) for call in message.tool_calls]


def _kinds(message: AIMessage) -> list[str]:
    blocks = message.content if isinstance(message.content, list) else []
    return [str(block["type"]) if isinstance(block, Mapping) else "text" for block in blocks]


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}..."
