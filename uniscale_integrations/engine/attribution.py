"""Which decisions a judgement is about: from whatever a user holds to the ids of decisions.

A framework's adapter says how its own objects are read (`register`); the engine asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

from uniscale_integrations.errors import ConfigurationError, UnknownDecisionError

Credit = Literal["all", "last", "split"]
"""Who is judged where one result took several decisions: all of them alike, only the last, or all, each with its share of the weight."""

CREDITS: tuple[Credit, ...] = get_args(Credit)

Resolver = Callable[[object], Sequence[str] | None]
"""The decisions behind an object, in the order in which they were taken; `None` where it does not know such objects."""

_resolvers: list[Resolver] = []


def register(resolver: Resolver) -> None:
    """Have a resolver asked, after those that came before."""
    if resolver not in _resolvers:
        _resolvers.append(resolver)


def decisions_of(target: object) -> tuple[str, ...]:
    """The ids of the decisions behind an object, each once, in order.

    Args:
        target: a decision's id, a `Decision`, an `Answer`, or what an adapter knows: a run's id, a run, a message, an agent's state.

    Raises:
        ConfigurationError: an object that nothing knows.
        UnknownDecisionError: one that no decision is behind.
    """
    for resolve in _resolvers:
        ids = resolve(target)
        if ids:
            return tuple(dict.fromkeys(ids))
        if ids is not None:
            raise UnknownDecisionError(
                f"no decision of an engine is behind {target!r:.80}, as far as this process knows. What streams has its decisions when it "
                "is drained; runs, spans and tags are known to the process that made them only: elsewhere give the decision's id, which "
                "stands on the message, or the message itself"
            )
    if isinstance(target, str):
        if len(target.split()) > 1:
            raise UnknownDecisionError(
                f"a text does not tell which decisions are behind it: {target!r:.80}. Give the response, the message or the run that it "
                "was taken from; or ask under tags, as `instrument_tags` of LlamaIndex sets them, and give those, such as {'request': '17'}"
            )
        return (target,)
    for name in ("decision_id", "id"):
        decision_id = getattr(target, name, None)
        if isinstance(decision_id, str):
            return (decision_id,)
    if hasattr(target, "decision_id"):
        raise ConfigurationError("this answer belongs to no decision; give feedback on one that an engine's `run` gave")
    raise ConfigurationError(
        "feedback must be about a decision, an answer, a response, a run, a message, the id of one of these, or tags that this process has "
        f"seen, got {target!r:.80}"
    )


def credit_shares(decisions: Sequence[str], credit: Credit) -> list[tuple[str, float]]:
    """The decisions that are judged, with the weight of each.

    Raises:
        ConfigurationError: no such credit.

    Example:
        >>> credit_shares(["a", "b"], "split"), credit_shares(["a", "b"], "last")
        ([('a', 0.5), ('b', 0.5)], [('b', 1.0)])
    """
    if credit == "all":
        return [(decision, 1.0) for decision in decisions]
    if credit == "last":
        return [(decisions[-1], 1.0)]
    if credit == "split":
        return [(decision, 1.0 / len(decisions)) for decision in decisions]
    raise ConfigurationError(f"credit must be 'all', 'last' or 'split', got {credit!r}")
