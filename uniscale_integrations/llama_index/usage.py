"""Usage of an answer in the words of LlamaIndex and its providers: of the whole search, not of the response that won."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import reduce
from typing import Any

from llama_index.core.base.llms.types import ChatResponse
from pydantic import BaseModel, TypeAdapter, ValidationError

from uniscale_integrations.adapters.counts import is_number, sum_of
from uniscale_integrations.cost.usage import NOTHING, Usage, token_count
from uniscale_integrations.search.answer import Answer

COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
"""What responses say of their tokens, among `additional_kwargs`."""

FIELDS = ("usage", "usage_metadata")
"""Where providers tell what they counted."""

PROMPT_COUNTS = ("prompt_tokens", "input_tokens", "prompt_token_count", "prompt_eval_count")
COMPLETION_COUNTS = ("completion_tokens", "output_tokens", "candidates_token_count", "eval_count")
TOTAL_COUNTS = ("total_tokens", "total_token_count")
"""Providers' names for prompt tokens, completion tokens, and both."""

DETAILS = ("prompt_tokens_details", "input_tokens_details")
CACHED_COUNTS = ("cached_tokens", "cached_content_token_count", "prompt_cache_hit_tokens")
"""Where providers tell how many of the prompt tokens they found in their cache: among details of the usage, or beside the counts."""


def usage_of(response: ChatResponse) -> Usage:
    """Tokens of one response, as LlamaIndex read them, or as they stand in what the provider said."""
    usage, raw = _counts(response.additional_kwargs), _usage_of(response) or fields_of(response.raw)
    if usage == NOTHING:
        usage = _counts(raw)
    return usage if usage == NOTHING else usage._replace(cached_tokens=min(_cached(raw), usage.prompt_tokens))


def token_counts(answer: Answer, replies: list[ChatResponse]) -> dict[str, Any]:
    """Token counts as responses give them, of the whole search, with the providers' other counts.

    Empty where a single reply was all and came without counts, so that token counters use their tokenizer.
    """
    if answer.configuration.plain and len(replies) == 1 and usage_of(replies[0]) == NOTHING:
        return {}
    prompt, completion = map(round, answer.ledger.tokens)
    beside = [{name: value for name, value in each.additional_kwargs.items() if _is_count(name, value)} for each in replies]
    total = reduce(sum_of, beside, dict[str, Any]()) | dict(zip(COUNTS, (prompt, completion, prompt + completion), strict=True))
    whole = next((usage for each in replies if (usage := each.additional_kwargs.get(FIELDS[0])) is not None), None)
    return total if whole is None or len(replies) == 1 else total | {FIELDS[0]: _alike(whole, _total_usage(answer, replies))}


def raw_with_usage(raw: Any, answer: Answer, replies: list[ChatResponse]) -> Any:
    """A provider's raw response, with the tokens of the whole search in its own words; unchanged where a single reply was all.

    Args:
        raw: of the response that won.
        answer: the answer.
        replies: every response that the search got.
    """
    prompt, completion = map(round, answer.ledger.tokens)
    if len(replies) == 1:
        alone = usage_of(replies[0])
        if (alone.prompt_tokens, alone.completion_tokens) in ((prompt, completion), (0, 0)) and answer.configuration.plain:
            return raw
    usage = _total_usage(answer, replies)
    field = next((name for name in FIELDS if _part(raw, name) is not None), FIELDS[0])
    if raw is None:
        return {field: usage, "finish_reason": answer.finish_reason}
    if isinstance(raw, Mapping):
        return {**raw, field: _alike(raw.get(field), usage)}
    if not isinstance(raw, BaseModel):
        return raw
    kind = type(raw).model_fields[field].annotation if field in type(raw).model_fields else None
    return raw.model_copy(update={field: _alike(getattr(raw, field, None), usage, kind)})


def _total_usage(answer: Answer, replies: list[ChatResponse]) -> dict[str, Any]:
    """The tokens of the whole search, in the words of its provider where that counts."""
    prompt, completion = map(round, answer.ledger.tokens)
    usages = [as_mapping(usage) for each in replies if (usage := _usage_of(each)) is not None]
    total = reduce(sum_of, usages, dict[str, Any]())
    by_name = ((PROMPT_COUNTS, prompt), (COMPLETION_COUNTS, completion), (TOTAL_COUNTS, prompt + completion))
    counts = {name: value for names, value in by_name for name in names if name in total}
    return {**total, **(counts or dict(zip(COUNTS, (prompt, completion, prompt + completion), strict=True)))}


def as_mapping(value: object) -> Mapping[str, Any]:
    """A provider's object as mappings and lists."""
    return value.model_dump(warnings=False) if isinstance(value, BaseModel) else fields_of(value)


def fields_of(value: object) -> Mapping[str, Any]:
    """The fields of a provider's object, not converted: every piece of a stream is looked at."""
    if isinstance(value, Mapping):
        return value
    return {**getattr(value, "__dict__", {}), **(getattr(value, "__pydantic_extra__", None) or {})}


def replies_of(responses: Iterator[ChatResponse]) -> list[ChatResponse]:
    """Each response once; requests that were shared gave the same one to several candidates."""
    return list({id(response): response for response in responses}.values())


def _counts(fields: Mapping[str, Any]) -> Usage:
    prompt, completion = (
        next((token_count(fields[name]) for name in names if is_number(fields.get(name))), 0.0)
        for names in (PROMPT_COUNTS, COMPLETION_COUNTS)
    )
    return Usage(prompt_tokens=prompt, completion_tokens=completion) if prompt or completion else NOTHING


def _cached(usage: Mapping[str, Any]) -> float:
    """Of the prompt tokens, those that came from the provider's cache."""
    parts = [usage, *(as_mapping(part) for name in DETAILS if (part := usage.get(name)) is not None)]
    return next((token_count(part[name]) for part in parts for name in CACHED_COUNTS if is_number(part.get(name))), 0.0)


def _usage_of(response: ChatResponse) -> Any:
    """What the provider counted, wherever the client leaves it: in the raw response, in that of an event, or beside the message."""
    places = (response.raw, _part(response.raw, "response"), response.additional_kwargs)
    return next((usage for place in places if (usage := _usage_in(place)) is not None), None)


def _usage_in(raw: object) -> Any:
    usage = next((part for name in FIELDS if (part := _part(raw, name)) is not None), None)
    return None if usage is None else as_mapping(usage)


def _part(parent: object, name: str) -> Any:
    return parent.get(name) if isinstance(parent, Mapping) else getattr(parent, name, None)


def _alike(before: object, usage: dict[str, Any], kind: Any = None) -> Any:
    """Usage in the form that it had, or that its field has."""
    if before is None and kind is not None:
        with suppress(ValidationError):
            return TypeAdapter(kind).validate_python(usage)
    if isinstance(before, BaseModel):
        try:
            return type(before).model_validate(usage)
        except ValidationError:
            # Its server leaves out what the client's newest version expects.
            parts = {name: _alike(getattr(before, name, None), part) for name, part in usage.items() if isinstance(part, dict)}
            return before.model_copy(update=usage | parts)
    return usage


def _is_count(name: str, value: object) -> bool:
    return is_number(value) and ("token" in name or name.endswith("count"))
