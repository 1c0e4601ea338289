"""Which decisions were taken within which run, so that feedback on a chain's root run reaches them.

LangChain reports every run and its parent to callback handlers. One handler for the process keeps who is whose parent and, when a
`UniScaleChatModel` ends, notes its decision with every run above it. `install` has LangChain add the handler to every run, `uninstall`
takes that back.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tracers import context
from langchain_core.tracers.context import register_configure_hook

from uniscale_integrations.adapters.lineage import MAX_CALLS, SECONDS, Lineage
from uniscale_integrations.adapters.stamp import decision_of
from uniscale_integrations.concurrency.forks import ForkLock
from uniscale_integrations.deprecation import former_keywords


@former_keywords(most="limit")
class RunLedger(BaseCallbackHandler):
    """Remembers, for every run of this process, the decisions within it.

    Args:
        limit: runs that are remembered at most.
        seconds: for how long.
    """

    run_inline = True

    def __init__(self, limit: int = MAX_CALLS, seconds: float = SECONDS) -> None:
        self._runs = Lineage[UUID](limit, seconds)

    def decisions(self, run_id: UUID) -> tuple[str, ...] | None:
        """The decisions within a run, in order; `None` for one that is not known, or not any more."""
        return self._runs.decisions(run_id)

    def note(self, run_id: UUID, decision_id: str) -> None:
        """Note a decision with a run and all above it, once."""
        self._runs.note(run_id, decision_id)

    def on_chain_start(
        self, serialized: Any, inputs: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        self._runs.start(run_id, parent_run_id)

    def on_tool_start(
        self, serialized: Any, input_str: str, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        self._runs.start(run_id, parent_run_id)

    def on_retriever_start(
        self, serialized: Any, query: str, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        self._runs.start(run_id, parent_run_id)

    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any
    ) -> None:
        self._runs.start(run_id, parent_run_id)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, parent_run_id: UUID | None = None, **kwargs: Any) -> None:
        for generation in (each for some in response.generations for each in some):
            decision = decision_of(generation.message) if isinstance(generation, ChatGeneration) else None
            if decision is not None:
                self.note(run_id, decision)


LEDGER = RunLedger()
"""The run ledger of this process."""

# The default of a context variable is seen in every thread and every context.
_ledger: ContextVar[RunLedger | None] = ContextVar("uniscale_run_ledger", default=LEDGER)
_lock = ForkLock()


def install() -> None:
    """Have LangChain report every run of this process to the run ledger. Idempotent; constructing a `UniScaleChatModel` does it."""
    with _lock:
        if not _is_installed():
            register_configure_hook(_ledger, inheritable=True)


def uninstall() -> None:
    """Take back what `install` has done; feedback on runs that begin afterwards needs a decision id or a message."""
    with _lock:
        context._configure_hooks[:] = [hook for hook in context._configure_hooks if hook[0] is not _ledger]


def _is_installed() -> bool:
    return any(variable is _ledger for variable, *_ in context._configure_hooks)


def decisions_within(target: object) -> Sequence[str] | None:
    """The decisions of a run by its id, as far as this process has seen it."""
    if isinstance(target, UUID):
        return LEDGER.decisions(target) or ()
    # Ids of decisions have no dashes.
    if isinstance(target, str) and "-" in target:
        try:
            return LEDGER.decisions(UUID(target.removeprefix("lc_run--")[:36])) or ()
        except ValueError:
            return None
    return None
