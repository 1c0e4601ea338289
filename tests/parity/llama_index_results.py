"""What calls through LlamaIndex give, behind the engine and without it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, TextBlock
from pydantic import BaseModel

from tests.parity.langchain_results import error_differences, short
from tests.parity.observed import Observed

OURS = "uniscale"
"""The key of what was decided, in `additional_kwargs`."""

COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")

Response = ChatResponse | CompletionResponse


def result_differences(bare: Observed, ours: Observed, *, plain: bool) -> list[str]:
    """How what a call gives differs from what the bare LLM gives.

    Args:
        bare: the call of the bare LLM.
        ours: the same call behind the engine.
        plain: whether its configuration is plain, so that counts of tokens are those of one request.
    """
    if bare.error is not None or ours.error is not None:
        return list(error_differences(bare.error, ours.error))
    first, second = (values.values[-1] if values.values else None for values in (bare, ours))
    if bare.streamed and not plain and isinstance(first, Response):
        first = _whole(first, "".join(each.delta or "" for each in bare.values))
    kind = "stream" if bare.streamed else "result"
    found = list(_differences(first, second, plain=plain))
    if bare.streamed and isinstance(first, Response):
        found += _stream_differences(bare.values, ours.values, plain=plain)
    return [f"{kind}: {each}" for each in found]


def usage_differences(bare: Observed, ours: Observed) -> list[str]:
    """Whether counts of tokens are those of all requests of a search, where LlamaIndex looks for them."""
    theirs, own = (values.values[-1] if values.values else None for values in (bare, ours))
    if not isinstance(theirs, Response) or not isinstance(own, Response) or _counts(theirs.raw) is None:
        return []
    found = []
    if (counts := _counts(own.raw)) != ours.counted:
        found.append(f"usage: raw usage {counts} where all requests took {ours.counted}")
    if "usage" in theirs.additional_kwargs and (counts := _counts(own.additional_kwargs)) != ours.counted:
        found.append(f"usage: {counts} beside the message where all requests took {ours.counted}")
    told = own.additional_kwargs.get("prompt_tokens"), own.additional_kwargs.get("completion_tokens")
    if "prompt_tokens" in theirs.additional_kwargs and told != ours.counted:
        found.append(f"usage: {told} where all requests took {ours.counted}")
    return found


def _counts(raw: Any) -> tuple[int, int] | None:
    """Tokens as `TokenCountingHandler` reads them."""
    usage = raw.get("usage") if isinstance(raw, Mapping) else getattr(raw, "usage", None)
    if usage is None:
        return None
    told = usage if isinstance(usage, Mapping) else usage.model_dump()
    read, sampled = ("input_tokens", "output_tokens") if "input_tokens" in told else ("prompt_tokens", "completion_tokens")
    return told[read], told[sampled]


def _differences(theirs: Any, own: Any, *, plain: bool) -> Iterator[str]:
    if type(theirs).__name__ != type(own).__name__:
        yield f"{type(own).__name__} instead of {type(theirs).__name__}"
        return
    if not isinstance(theirs, Response):
        # Classes of parsed objects may be made anew with each call.
        expected, given = (value.model_dump() if isinstance(value, BaseModel) else value for value in (theirs, own))
        if expected != given:
            yield f"{short(given)} instead of {short(expected)}"
        return
    pairs = _fields(theirs), _fields(own)
    for name, expected in pairs[0].items():
        if expected != pairs[1][name]:
            yield f"{name} {short(pairs[1][name])} instead of {short(expected)}"
    if plain:
        yield from _plain_differences(theirs, own)


def _plain_differences(theirs: Response, own: Response) -> Iterator[str]:
    if type(theirs.raw) is not type(own.raw):
        yield f"raw {type(own.raw).__name__} instead of {type(theirs.raw).__name__}"
    elif _counts(theirs.raw) != _counts(own.raw):
        yield f"raw usage {_counts(own.raw)} instead of {_counts(theirs.raw)}"
    if theirs.logprobs != own.logprobs:
        yield f"logprobs {short(own.logprobs)} instead of {short(theirs.logprobs)}"
    for name, expected in theirs.additional_kwargs.items():
        if own.additional_kwargs.get(name) != expected:
            yield f"additional_kwargs[{name!r}] {own.additional_kwargs.get(name)!r} instead of {expected!r}"


def _whole(last: Response, text: str) -> Response:
    """The last response of a stream with all that was said, of which it may hold nothing unless the answer is complete."""
    if isinstance(last, CompletionResponse):
        return last if last.text else last.model_copy(update={"text": text})
    blocks = last.message.blocks or ([TextBlock(text=text)] if text else [])
    return last.model_copy(update={"message": last.message.model_copy(update={"blocks": blocks})})


def _fields(response: Response) -> dict[str, Any]:
    if isinstance(response, CompletionResponse):
        return {"text": response.text}
    return {"role": response.message.role, "blocks": _blocks(response.message), "message": _more(response.message)}


def _blocks(message: ChatMessage) -> list[Any]:
    return [block.model_dump() for block in message.blocks]


def _more(message: ChatMessage) -> dict[str, Any]:
    """What a message holds beside its blocks; LlamaIndex repeats the counts of completions there."""
    return {name: value for name, value in message.additional_kwargs.items() if name not in (OURS, *COUNTS) and value}


def _stream_differences(theirs: tuple[Any, ...], own: tuple[Any, ...], *, plain: bool) -> Iterator[str]:
    first, second = (["".join(each.delta or "" for each in values)] for values in (theirs, own))
    if first != second:
        yield f"deltas {short(second[0])} instead of {short(first[0])}"
    if plain:
        pieces = [sum(bool(each.delta) for each in values) for values in (theirs, own)]
        if pieces[0] != pieces[1]:
            yield f"{pieces[1]} deltas instead of {pieces[0]}"
