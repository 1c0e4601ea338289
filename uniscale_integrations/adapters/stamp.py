"""What stands on a framework's message about the decision behind it, and how it is read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.search.answer import Answer, Round
from uniscale_integrations.space import Configuration

KEY = "uniscale"
"""Under which it stands."""


def stamp(answer: Answer) -> dict[str, Any]:
    """What is written on the message of an answer; values of JSON only."""
    return {
        "decision_id": answer.decision_id,
        "configuration": configuration_record(answer.configuration),
        "score": answer.score,
        "ledger": answer.ledger.as_dict(),
        "cut": answer.stop_reason,
        "vote": answer.vote,
        "notes": list(answer.warnings),
    } | ({"rounds": list(map(round_record, answer.rounds))} if answer.rounds else {})


def round_record(attempt: Round) -> dict[str, Any]:
    """One of several attempts in values of JSON."""
    return {**asdict(attempt), "configuration": configuration_record(attempt.configuration)}


def configuration_record(configuration: Configuration) -> dict[str, Any]:
    """A configuration in values of JSON."""
    model, (qp, cp, bs) = configuration.model, configuration.shape
    return {"model": model, "qp": qp, "cp": cp, "bs": bs}


def brief(stamp: Mapping[str, Any]) -> dict[str, Any]:
    """What of a stamp goes along with a message from turn to turn, where what a message holds counts as its length."""
    return {name: stamp[name] for name in ("decision_id", "configuration", "score")}


def decision_of(message: object) -> str | None:
    """The decision behind a message of LangChain; `None` for one that no engine made."""
    return decision_on(getattr(message, "response_metadata", None))


def decision_on(metadata: object) -> str | None:
    """The decision that a message's metadata names; `None` where no engine has written there."""
    stamp = metadata.get(KEY) if isinstance(metadata, Mapping) else None
    decision = stamp.get("decision_id") if isinstance(stamp, Mapping) else None
    return decision if isinstance(decision, str) else None


def model_on(metadata: object) -> str:
    """The model that gave a message; empty where no engine has written there."""
    search = search_on(metadata)
    return "" if search is None else search[0].model


def search_on(metadata: object) -> tuple[Configuration, float | None] | None:
    """The configuration that gave a message, and its score if it had one; `None` where no engine has written there."""
    stamp = metadata.get(KEY) if isinstance(metadata, Mapping) else None
    if not isinstance(stamp, Mapping) or not isinstance(stamp.get("configuration"), Mapping):
        return None
    try:
        configuration = Configuration(**stamp["configuration"])
    except (TypeError, ConfigurationError):
        # Somebody else has written something else there.
        return None
    score = stamp.get("score")
    return configuration, float(score) if isinstance(score, (int, float)) and 0.0 <= score <= 1.0 else None
