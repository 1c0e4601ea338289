"""Whether an evaluator's own model decides through the engine that it evaluates: the decisions that engines take meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from uniscale_integrations.engine import UniScale

_decisions: ContextVar[dict[int, list[str]] | None] = ContextVar("uniscale_judging", default=None)


@contextmanager
def decision_record() -> Iterator[dict[int, list[str]]]:
    """The decisions taken in the meantime, by the identity of the engine that took them."""
    decisions: dict[int, list[str]] = {}
    token = _decisions.set(decisions)
    try:
        yield decisions
    finally:
        _decisions.reset(token)


def record_decision(engine: UniScale, decision_id: str) -> None:
    """Note a decision, where they are recorded."""
    decisions = _decisions.get()
    if decisions is not None:
        decisions.setdefault(id(engine), []).append(decision_id)
