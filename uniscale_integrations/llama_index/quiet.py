"""Calls that nobody who watches the outer one may see.

A model inside a model would show up as a second call in every tracer, with its tokens counted twice. LlamaIndex tells its handlers of
events and spans through dispatchers and callback managers that know no context; so these are taught to keep quiet in one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from functools import wraps
from typing import Any

from llama_index.core.callbacks import CallbackManager
from llama_index_instrumentation.dispatcher import Dispatcher

TOLD = (
    *((Dispatcher, name) for name in ("event", "span_enter", "span_exit", "span_drop")),
    *((CallbackManager, name) for name in ("on_event_start", "on_event_end", "start_trace", "end_trace")),
)
"""Methods by which handlers are told of something."""

_quiet: ContextVar[bool] = ContextVar("uniscale_quiet", default=False)


def isolated() -> Context:
    """A copy of the caller's context in which nobody is told of anything."""
    context = copy_context()
    context.run(_quiet.set, True)
    return context


def install() -> None:
    """Teach them to keep quiet, once for the process."""
    for kind, name in TOLD:
        told = getattr(kind, name)
        if not hasattr(told, "uniscale"):
            setattr(kind, name, _unless_quiet(told))


def _unless_quiet(told: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(told)
    def heard(self: object, *args: Any, **kwargs: Any) -> Any:
        # Who begins an event is given its id, which ends it.
        return (kwargs.get("event_id") or "") if _quiet.get() else told(self, *args, **kwargs)

    heard.uniscale = True  # type: ignore[attr-defined]
    return heard
