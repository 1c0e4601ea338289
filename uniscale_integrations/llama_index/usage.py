"""What an answer took, as LlamaIndex and its providers tell it: of the whole search, not of the response that won."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import reduce
from typing import Any

from llama_index.core.base.llms.types import ChatResponse
from pydantic import BaseModel, TypeAdapter, ValidationError

from uniscale_integrations.adapters.counts import is_number, sum_of
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.search.run import Answer

COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
"""What responses say of their tokens, among `additional_kwargs`."""

FIELDS = ("usage", "usage_metadata")
"""Where providers tell what they counted."""

READ = ("prompt_tokens", "input_tokens", "prompt_token_count", "prompt_eval_count")
SAMPLED = ("completion_tokens", "output_tokens", "candidates_token_count", "eval_count")
TOTAL = ("total_tokens", "total_token_count")
"""What providers call the tokens that a model read, those that it sampled, and both."""


def usage_of(response: ChatResponse) -> Usage:
    """Tokens of one response, as LlamaIndex read them, or as they stand in what the provider said."""
    counted = _counts(response.additional_kwargs)
    return counted if counted != NOTHING else _counts(_usage_in(response.raw) or fields_of(response.raw))


def counted(answer: Answer, replies: list[ChatResponse]) -> dict[str, Any]:
    """What responses say of their tokens, of the whole search, with what else was counted.

    Nothing where the one reply was all and nobody counted it, so that whoever counts by a tokenizer does.
    """
    if answer.configuration.plain and len(replies) == 1 and usage_of(replies[0]) == NOTHING:
        return {}
    read, sampled = map(round, answer.ledger.tokens)
    beside = [{name: value for name, value in each.additional_kwargs.items() if _is_count(name, value)} for each in replies]
    return reduce(sum_of, beside, dict[str, Any]()) | dict(zip(COUNTS, (read, sampled, read + sampled), strict=True))


def whole(raw: Any, answer: Answer, replies: list[ChatResponse]) -> Any:
    """What the provider said, with the tokens of the whole search in its own words; as it is where the one reply was all.

    Args:
        raw: of the response that won.
        answer: the answer.
        replies: every response that the search got.
    """
    read, sampled = map(round, answer.ledger.tokens)
    if len(replies) == 1:
        alone = usage_of(replies[0])
        if (alone.prompt_tokens, alone.completion_tokens) in ((read, sampled), (0, 0)) and answer.configuration.plain:
            return raw
    told = [plain(found) for each in replies if (found := _usage_in(each.raw)) is not None]
    together = reduce(sum_of, told, dict[str, Any]())
    counts = {name: value for names, value in ((READ, read), (SAMPLED, sampled), (TOTAL, read + sampled)) for name in names}
    known = {name: value for name, value in counts.items() if name in together}
    usage = {**together, **known} if known else {**together, **dict(zip(COUNTS, (read, sampled, read + sampled), strict=True))}
    field = next((name for name in FIELDS if _part(raw, name) is not None), FIELDS[0])
    if raw is None:
        return {field: usage, "finish_reason": answer.finish_reason}
    if isinstance(raw, Mapping):
        return {**raw, field: _alike(raw.get(field), usage)}
    if not isinstance(raw, BaseModel):
        return raw
    kind = type(raw).model_fields[field].annotation if field in type(raw).model_fields else None
    return raw.model_copy(update={field: _alike(getattr(raw, field, None), usage, kind)})


def plain(said: object) -> Mapping[str, Any]:
    """What a provider said, as mappings and lists."""
    return said.model_dump(warnings=False) if isinstance(said, BaseModel) else fields_of(said)


def fields_of(said: object) -> Mapping[str, Any]:
    """The same, of which the parts stay as they are: a stream is looked at piece by piece."""
    if isinstance(said, Mapping):
        return said
    return {**getattr(said, "__dict__", {}), **(getattr(said, "__pydantic_extra__", None) or {})}


def replies_of(responses: Iterator[ChatResponse]) -> list[ChatResponse]:
    """Each response once; requests that were shared gave the same one to several candidates."""
    return list({id(response): response for response in responses}.values())


def _counts(told: Mapping[str, Any]) -> Usage:
    read, sampled = (next((float(told[name]) for name in names if is_number(told.get(name))), 0.0) for names in (READ, SAMPLED))
    return Usage(prompt_tokens=read, completion_tokens=sampled) if read or sampled else NOTHING


def _usage_in(raw: object) -> Any:
    found = next((part for name in FIELDS if (part := _part(raw, name)) is not None), None)
    return None if found is None else plain(found)


def _part(told: object, name: str) -> Any:
    return told.get(name) if isinstance(told, Mapping) else getattr(told, name, None)


def _alike(before: object, usage: dict[str, Any], kind: Any = None) -> Any:
    """Usage in the form that it had, or that its field has."""
    if before is None and kind is not None:
        with suppress(ValidationError):
            return TypeAdapter(kind).validate_python(usage)
    if isinstance(before, BaseModel):
        try:
            return type(before).model_validate(usage)
        except ValidationError:
            return before.model_copy(update=usage)
    return usage


def _is_count(name: str, value: object) -> bool:
    return is_number(value) and ("token" in name or name.endswith("count"))
