"""Answers in a form: whether the inner LLMs ask for it by a `response_format`, as OpenAI's does, or by a tool that has to be called."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection, Generator, Iterator, Mapping
from typing import Any

from llama_index.core.base.llms.types import ChatResponse
from llama_index.core.llms.llm import LLM
from llama_index.core.program.streaming_utils import process_streaming_content_incremental
from pydantic import BaseModel


def formatted(llms: Collection[LLM], llm_kwargs: Mapping[str, Any] | None, output_cls: type[BaseModel]) -> dict[str, Any] | None:
    """What a call says beside its messages for an answer in a form.

    Args:
        llms: that may answer; all of them, or there is nothing that all understand.
        llm_kwargs: what the caller says.
        output_cls: the form.

    Returns:
        `None` where it takes a tool.
    """
    for llm in llms:
        decides, prepares = getattr(llm, "_should_use_structure_outputs", None), getattr(llm, "_prepare_schema", None)
        if not callable(decides) or not callable(prepares) or not decides():
            return None
    return dict(next(iter(llms))._prepare_schema(dict(llm_kwargs or {}), output_cls)) if llms else None  # type: ignore[attr-defined]


def objects(responses: Iterator[ChatResponse], output_cls: type[BaseModel]) -> Generator[Any]:
    """What can be read off an answer while it is streamed."""
    current: Any = None
    for response in responses:
        current = process_streaming_content_incremental(response, output_cls, current)
        yield current


async def aobjects(responses: AsyncIterator[ChatResponse], output_cls: type[BaseModel]) -> AsyncGenerator[Any]:
    """As `objects`."""
    current: Any = None
    async for response in responses:
        current = process_streaming_content_incremental(response, output_cls, current)
        yield current
