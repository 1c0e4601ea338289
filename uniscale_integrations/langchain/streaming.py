"""An answer as LangChain streams it: pieces while it is made, and a last one that says what it cost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

from langchain_core.messages import AIMessageChunk

from uniscale_integrations.langchain.isolation import isolated
from uniscale_integrations.langchain.messages import chunk_of, message_of, metadata_of, not_text, shortened, usage_of
from uniscale_integrations.langchain.stopping import Until
from uniscale_integrations.search.agreed import Agreed
from uniscale_integrations.search.beam import BeamSearch
from uniscale_integrations.search.conversation import Conversation
from uniscale_integrations.search.run import Answer


async def pieces_of(asked: Conversation, answered: Callable[..., Coroutine[Any, Any, Answer]]) -> AsyncIterator[AIMessageChunk]:
    """The pieces of an answer: those of the inner model where the configuration is plain, otherwise the steps that are agreed on.

    Leaving off early cancels the search.

    Args:
        asked: what is asked.
        answered: makes the answer; takes `observe` and `emit` as `UniScale.arun` does.
    """
    pieces: asyncio.Queue[AIMessageChunk | None] = asyncio.Queue()
    agreed, until, told, native = Agreed(), Until(asked.stop), "", False

    def observe(search: BeamSearch) -> None:
        steps = until("".join(agreed.new(search)))
        if steps and not search.configuration.plain and not asked.whole:
            pieces.put_nowait(AIMessageChunk(content=steps))

    def emit(chunk: AIMessageChunk) -> None:
        nonlocal native
        # What it cost and where it comes from is said once, of the whole.
        plain = chunk.model_copy(update={"id": None, "usage_metadata": None, "response_metadata": {}, "chunk_position": None})
        if plain.content or plain.tool_call_chunks or plain.additional_kwargs:
            native = True
            pieces.put_nowait(plain)

    work = asyncio.create_task(answered(observe=observe, emit=emit), context=isolated())
    work.add_done_callback(lambda _: pieces.put_nowait(None))
    try:
        while (piece := await pieces.get()) is not None:
            told += str(piece.text)
            yield piece
        answer = await work
        for piece in _rest(answer, shortened(answer, asked.stop), told, native):
            yield piece
        yield _closing(answer)
    finally:
        if not work.done():
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


def _rest(answer: Answer, text: str, told: str, native: bool) -> Iterator[AIMessageChunk]:
    """What has not been told of an answer yet; `native` is whether the inner model's own pieces were."""
    message = message_of(answer, text)
    if not told and not native:
        yield chunk_of(message)
        return
    if message.tool_calls:
        return
    said = str(message.text)
    if said.startswith(told):
        if len(said) > len(told):
            yield AIMessageChunk(content=said[len(told) :])
        # Steps are text; what else the inner model's message holds, such as its reasoning, has not been shown either.
        if not native and (more := not_text(message)):
            yield more
    else:
        # A search that a budget ended may fall back on a path that nothing had been shown of.
        yield AIMessageChunk(content=f"\n\n{said}")


def _closing(answer: Answer) -> AIMessageChunk:
    return AIMessageChunk(content="", usage_metadata=usage_of(answer), response_metadata=metadata_of(answer), chunk_position="last")
