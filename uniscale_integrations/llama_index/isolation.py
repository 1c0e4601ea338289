"""Calls that no observer of the outer one may see.

A model inside a model would show up as a second call in every tracer, with its tokens counted twice. LlamaIndex reports to its event and
span handlers through dispatchers and callback managers that are the same in every context. `install` wraps their methods so that they
report nothing in a context of `isolated`, `uninstall` puts the original methods back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from functools import wraps
from typing import Any

from llama_index.core.callbacks import CallbackManager
from llama_index_instrumentation.dispatcher import Dispatcher

from uniscale_integrations.concurrency.forks import ForkLock

REPORTING_METHODS: tuple[tuple[type, str], ...] = (
    *((Dispatcher, name) for name in ("event", "span_enter", "span_exit", "span_drop")),
    *((CallbackManager, name) for name in ("on_event_start", "on_event_end", "start_trace", "end_trace")),
)
"""Methods through which LlamaIndex reports to handlers."""

_log = logging.getLogger(__name__)

_silent: ContextVar[bool] = ContextVar("uniscale_silent", default=False)

_lock = ForkLock()

_patches: dict[tuple[type, str], tuple[Callable[..., Any], Callable[..., Any]]] = {}
"""The original of each wrapped method, and its wrapper."""


def isolated() -> Context:
    """A copy of the caller's context in which nothing is reported."""
    context = copy_context()
    context.run(_silent.set, True)
    return context


def install() -> None:
    """Wrap the `REPORTING_METHODS` of this process; idempotent."""
    with _lock:
        for kind, name in REPORTING_METHODS:
            if (kind, name) not in _patches:
                original = getattr(kind, name)
                _patches[kind, name] = original, _unless_silent(original)
                setattr(kind, name, _patches[kind, name][1])


def uninstall() -> None:
    """Put the original methods back; one that others have wrapped in the meantime stays as it is, and a warning names it."""
    with _lock:
        for (kind, name), (original, wrapper) in list(_patches.items()):
            if getattr(kind, name) is not wrapper:
                _log.warning("%s.%s was patched by others after install(), so it cannot be restored", kind.__name__, name)
                continue
            setattr(kind, name, original)
            del _patches[kind, name]


def _unless_silent(report: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(report)
    def wrapper(self: object, *args: Any, **kwargs: Any) -> Any:
        # Who begins an event is given its id, which ends it.
        return (kwargs.get("event_id") or "") if _silent.get() else report(self, *args, **kwargs)

    return wrapper
