"""Calls that nobody who watches the outer one may see.

A model inside a model would show up as a second call in every tracer, with its tokens counted twice. LlamaIndex tells its handlers of
events and spans through dispatchers that know no context; so these are taught to keep quiet in one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Context, ContextVar, copy_context
from functools import wraps
from typing import Any

from llama_index.core.base.llms.base import BaseLLM
from llama_index.core.callbacks import CallbackManager
from llama_index_instrumentation.dispatcher import Dispatcher

TOLD = ("event", "span_enter", "span_exit", "span_drop")
"""Methods by which a dispatcher tells its handlers of something."""

_quiet: ContextVar[bool] = ContextVar("uniscale_quiet", default=False)


def isolated() -> Context:
    """A copy of the caller's context in which no dispatcher tells anybody of anything."""
    context = copy_context()
    context.run(_quiet.set, True)
    return context


def unheard(llm: BaseLLM, more: Mapping[str, Any] | None = None) -> BaseLLM:
    """A copy of a model that tells no callbacks, with the same client and the same limits.

    Args:
        llm: the model; one inside it, as structured ones have, is copied too.
        more: fields that are to be otherwise.
    """
    nobody = CallbackManager([])
    # A new manager comes with the handler that was set for the whole process.
    nobody.handlers.clear()
    inside = {name: unheard(value) for name in type(llm).model_fields if isinstance(value := getattr(llm, name, None), BaseLLM)}
    return llm.model_copy(update={"callback_manager": nobody, **inside, **(more or {})})


def install() -> None:
    """Teach dispatchers to keep quiet, once for the process."""
    for name in TOLD:
        told = getattr(Dispatcher, name)
        if not hasattr(told, "uniscale"):
            setattr(Dispatcher, name, _unless_quiet(told))


def _unless_quiet(told: Callable[..., None]) -> Callable[..., None]:
    @wraps(told)
    def heard(self: Dispatcher, *args: Any, **kwargs: Any) -> None:
        if not _quiet.get():
            told(self, *args, **kwargs)

    heard.uniscale = True  # type: ignore[attr-defined]
    return heard
