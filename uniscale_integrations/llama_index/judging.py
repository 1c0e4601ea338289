"""Noticing that a judge is judged by itself: which engines decide anything while an evaluator runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from uniscale_integrations.engine import UniScale

_watched: ContextVar[dict[int, list[str]] | None] = ContextVar("uniscale_judging", default=None)


@contextmanager
def watching() -> Iterator[dict[int, list[str]]]:
    """The decisions taken in the meantime, by the identity of the engine that took them."""
    seen: dict[int, list[str]] = {}
    token = _watched.set(seen)
    try:
        yield seen
    finally:
        _watched.reset(token)


def judged_by(engine: UniScale, decision_id: str) -> None:
    """Note a decision, where anybody is watching."""
    seen = _watched.get()
    if seen is not None:
        seen.setdefault(id(engine), []).append(decision_id)
