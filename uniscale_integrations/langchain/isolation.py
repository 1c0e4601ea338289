"""Calls that nobody who watches the outer one may see.

A model inside a model would show up as a second run in every tracer, count its tokens twice and stream to the wrong listener. Handing it no
callbacks is not enough: it also finds them in context variables. So it runs in a copy of the context in which those are empty.
"""

from __future__ import annotations

from contextvars import Context, copy_context

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.globals import get_debug
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.tracers import ConsoleCallbackHandler
from langchain_core.tracers import context as hooks
from langchain_core.utils.env import env_var_is_set
from langsmith import run_helpers


def isolated() -> Context:
    """A copy of the caller's context without callbacks, collectors or tracing."""
    context = copy_context()
    context.run(_clear)
    return context


def _deaf(kind: type[BaseCallbackHandler]) -> BaseCallbackHandler:
    """A handler of a kind that ignores everything."""
    ignoring = {name: True for name in dir(BaseCallbackHandler) if name.startswith("ignore_")}
    deaf: type[BaseCallbackHandler] = type(f"Deaf{kind.__name__}", (kind,), ignoring | {"__init__": object.__init__})
    return deaf()


def _clear() -> None:
    for variable, _, kind, name in hooks._configure_hooks:
        # Without a handler one that an environment variable asks for would be made; one that ignores everything stands in.
        variable.set(_deaf(kind) if kind is not None and name is not None and env_var_is_set(name) else None)
    hooks.tracing_v2_callback_var.set(None)
    # Debugging prints every call whose handlers have no printer among them; one that says nothing stands in here too.
    var_child_runnable_config.set({"callbacks": [_deaf(ConsoleCallbackHandler)]} if get_debug() else None)
    # `tracing_context` would take all this back as soon as nobody holds it any more.
    run_helpers._set_tracing_context(dict.fromkeys(run_helpers.get_tracing_context()) | {"enabled": False})
