"""What an answer took, as LangChain and its providers tell it: of the whole search, not of the reply that won."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata, add_usage

from uniscale_integrations.adapters.counts import sum_of
from uniscale_integrations.adapters.stamp import KEY
from uniscale_integrations.search.run import Answer

COUNTED = ("token_usage", "usage")
"""Where providers' clients put what they counted, among the metadata of a response."""

OF_CALLS = ("id", *COUNTED)
"""By which the metadata is known to hold what a client told of the whole call."""

OF_ONE = ("finish_reason", "logprobs")
"""What is told of one generation where the call may have several."""


def usage_of(answer: Answer) -> UsageMetadata:
    """Tokens of the whole search, verifier included, with what providers say in detail: cached, reasoning and audio tokens."""
    read, sampled = map(round, answer.ledger.tokens)
    told = [message.usage_metadata for message in _replies(answer) if message.usage_metadata is not None]
    if not told:
        return UsageMetadata(input_tokens=read, output_tokens=sampled, total_tokens=read + sampled)
    together = told[0] if len(told) == 1 else reduce(add_usage, told)
    if (together["input_tokens"], together["output_tokens"]) == (read, sampled):
        return together
    return {**together, "input_tokens": read, "output_tokens": sampled, "total_tokens": read + sampled}


def counted(answer: Answer) -> dict[str, Any]:
    """What the provider counted, in its own words, summed over all replies; empty where it tells nothing among the metadata."""
    told: dict[str, Any] = {}
    for message in _replies(answer):
        for name in COUNTED:
            if isinstance(found := message.response_metadata.get(name), Mapping):
                told[name] = found if name not in told else sum_of(told[name], found)
    return told


def beside_message(answer: Answer, metadata: Mapping[str, Any], usage: UsageMetadata) -> tuple[dict[str, Any], dict[str, Any]]:
    """What chat models tell callbacks beside a message: of the call (`llm_output`), and of the generation (`generation_info`).

    Both have come to stand on the message that an inner model gave; LangChain puts them there.
    """
    told = {name: value for name, value in metadata.items() if name != KEY}
    if not isinstance(answer.payload, AIMessage):
        counts = {
            "prompt_tokens": usage["input_tokens"],
            "completion_tokens": usage["output_tokens"],
            "total_tokens": usage["total_tokens"],
        }
        return {"token_usage": counts, "model_name": answer.configuration.model}, {
            name: told[name] for name in OF_ONE if name in told
        }
    if not any(name in told for name in OF_CALLS):
        return {}, told
    return {name: value for name, value in told.items() if name not in OF_ONE}, {
        name: told[name] for name in OF_ONE if name in told
    }


def combined(outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
    """The `llm_output` of several answers as one: what was counted, summed, and of everything else the last."""
    told = [output for output in outputs if output]
    whole: dict[str, Any] = {}
    for output in told:
        whole |= {name: sum_of(whole.get(name), value) if name in COUNTED else value for name, value in output.items()}
    return whole


def _replies(answer: Answer) -> Iterator[AIMessage]:
    """Every reply of a model of LangChain, once; requests that were shared gave the same one to several candidates."""
    seen: set[int] = set()
    for path in answer.paths:
        if isinstance(path.payload, AIMessage) and id(path.payload) not in seen:
            seen.add(id(path.payload))
            yield path.payload
