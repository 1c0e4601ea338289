"""An answer as it is made: the inner model's own pieces where the configuration is plain, otherwise the steps that are agreed on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from uniscale_integrations.adapters.stopping import Until
from uniscale_integrations.search.agreed import CommonPrefix
from uniscale_integrations.search.conversation import Conversation
from uniscale_integrations.search.run import Answer
from uniscale_integrations.telemetry import Decided, Event, Sampled, Scored


@dataclass(frozen=True, slots=True)
class Native:
    """A piece of an answer as the inner model's framework streams it.

    Attributes:
        piece: the framework's own.
    """

    piece: Any


async def pieces_of(
    asked: Conversation,
    answered: Callable[..., Coroutine[Any, Any, Answer]],
    context: Context,
    native: type,
    text_alone: Callable[[object], bool] = lambda payload: True,
) -> AsyncIterator[Native | str | Answer]:
    """What can be shown of an answer while it is made, and the answer last.

    Leaving off early cancels the search.

    Args:
        asked: what is asked.
        answered: makes the answer; takes `observe`, `emit` and `has_output` as `UniScale.arun` does.
        context: where it is made.
        native: the type of the framework's pieces; of those of another framework only the text is shown.
        text_alone: whether a candidate's payload says nothing but the text of its steps. Where one says more, nothing is shown before it is
            known which wins, since what stands between the texts could not be put there later.

    Yields:
        pieces of the inner model, or texts of steps.
    """
    pieces: asyncio.Queue[Native | str | None] = asyncio.Queue()
    agreed, until, until_piece, showing, plain, shown = CommonPrefix(), Until(asked.stop), Until(asked.stop), True, False, False

    def observe(event: Event) -> None:
        nonlocal showing, plain, shown
        if isinstance(event, Decided):
            plain = event.decision.configuration.plain
        elif isinstance(event, Sampled):
            showing = showing and all(text_alone(candidate.payload) for candidate in event.candidates if candidate.error is None)
        elif isinstance(event, Scored):
            steps = until("".join(agreed.new(event.contenders)))
            if steps and showing and not plain and not asked.atomic:
                shown = True
                pieces.put_nowait(steps)

    def emit(piece: Any) -> None:
        if isinstance(piece, native):
            pieces.put_nowait(Native(piece))
        elif not asked.atomic and (text := until_piece(_text_in(piece))):
            pieces.put_nowait(text)

    work = asyncio.create_task(answered(observe=observe, emit=emit, has_output=lambda: shown), context=context)
    work.add_done_callback(lambda _: pieces.put_nowait(None))
    try:
        while (piece := await pieces.get()) is not None:
            yield piece
        yield await work
    finally:
        if not work.done():
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


def _text_in(piece: object) -> str:
    """What is new in a piece: of a model of this process itself, or as LlamaIndex and LangChain call it."""
    if isinstance(piece, str):
        return piece
    found = getattr(piece, "delta", None) or getattr(piece, "text", None)
    return found if isinstance(found, str) else ""
