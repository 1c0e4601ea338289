"""Usage of an answer in the words of LangChain and its providers: of the whole search, not of the reply that won."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata, add_usage

from uniscale_integrations.adapters.counts import sum_of
from uniscale_integrations.adapters.stamp import KEY
from uniscale_integrations.search.answer import Answer

COUNT_FIELDS = ("token_usage", "usage")
"""Where providers' clients put their counts, among the metadata of a response."""

CALL_FIELDS = ("id", *COUNT_FIELDS)
"""Metadata that only clients which describe the whole call give."""

GENERATION_FIELDS = ("finish_reason", "logprobs")
"""Metadata of one generation, where the call may have several."""


def usage_of(answer: Answer) -> UsageMetadata:
    """Tokens of the whole search, verifier included, with the providers' details: cached, reasoning and audio tokens."""
    prompt, completion = map(round, answer.ledger.tokens)
    usages = [message.usage_metadata for message in _replies(answer) if message.usage_metadata is not None]
    if not usages:
        return UsageMetadata(input_tokens=prompt, output_tokens=completion, total_tokens=prompt + completion)
    total = usages[0] if len(usages) == 1 else reduce(add_usage, usages)
    if (total["input_tokens"], total["output_tokens"]) == (prompt, completion):
        return total
    return {**total, "input_tokens": prompt, "output_tokens": completion, "total_tokens": prompt + completion}


def provider_counts(answer: Answer) -> dict[str, Any]:
    """The provider's counts in its own words, summed over all replies; empty where it gives none among the metadata."""
    counts: dict[str, Any] = {}
    for message in _replies(answer):
        for name in COUNT_FIELDS:
            if isinstance(count := message.response_metadata.get(name), Mapping):
                counts[name] = count if name not in counts else sum_of(counts[name], count)
    return counts


def beside_message(answer: Answer, metadata: Mapping[str, Any], usage: UsageMetadata) -> tuple[dict[str, Any], dict[str, Any]]:
    """What callbacks are given beside a message: `llm_output` of the call, and `generation_info` of the generation.

    Both stand among the metadata of a message that an inner model gave; LangChain puts them there.
    """
    fields = {name: value for name, value in metadata.items() if name != KEY}
    generation_info = {name: fields[name] for name in GENERATION_FIELDS if name in fields}
    counts = {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "total_tokens": usage["total_tokens"],
    }
    if not isinstance(answer.payload, AIMessage):
        return {"token_usage": counts, "model_name": answer.configuration.model}, generation_info
    if not any(name in fields for name in CALL_FIELDS):
        return {}, fields
    output = {name: value for name, value in fields.items() if name not in GENERATION_FIELDS}
    if not answer.configuration.plain and not any(name in output for name in COUNT_FIELDS):
        # Some clients tell it in the message alone, where it is one reply's.
        output["token_usage"] = counts
    return output, generation_info


def sum_of_outputs(outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
    """The `llm_output` of several answers as one: counts summed, and of everything else the last."""
    total: dict[str, Any] = {"token_usage": {}}
    for output in filter(None, outputs):
        total |= {name: sum_of(total.get(name), value) if name in COUNT_FIELDS else value for name, value in output.items()}
    return total


def _replies(answer: Answer) -> Iterator[AIMessage]:
    """Every reply of a model of LangChain, once; requests that were shared gave the same one to several candidates."""
    ids: set[int] = set()
    for path in answer.paths:
        if isinstance(path.payload, AIMessage) and id(path.payload) not in ids:
            ids.add(id(path.payload))
            yield path.payload
