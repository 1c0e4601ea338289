"""What the log holds: a decision, what came of it at once, and what was said of it later."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any
from uuid import uuid4

from uniscale_integrations.deprecation import former_names
from uniscale_integrations.errors import ConfigurationError, LogError
from uniscale_integrations.policy.objective import Objective, objective_of_record
from uniscale_integrations.space import Configuration
from uniscale_integrations.texts import utf8_safe

MAX_FEATURE = 1e6
"""A feature of a stored decision beyond that is no feature: its square would outweigh all that was learned."""

MAX_TOKENS = 1e9
"""Tokens of one request."""

MAX_TIME = 1e11
"""Unix time of an event, some three thousand years from now."""

MAX_ID = 64
"""Characters of the id of a decision that is judged."""

MAX_NAME = 200
"""Characters of who judges, and of what about."""

MAX_COMMENT = 10_000
"""Characters of a comment; of a longer one the beginning is kept, and a note of how long it was."""


def new_id() -> str:
    """An id that no other worker makes."""
    return uuid4().hex


def _event_id() -> Any:
    """Each event has its own, also one that is made from another by `dataclasses.replace`."""
    return field(default_factory=new_id, init=False, repr=False, compare=False)


def plain(value: object) -> object:
    """A number of NumPy or of another library of arrays as Python's own; everything else as it is.

    Example:
        >>> import numpy as np
        >>> plain(np.float32(0.5)), plain(np.bool_(True)), plain("0.5")
        (0.5, True, '0.5')
    """
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value


def jsonable(value: object) -> object:
    """For a JSON encoder: a number of another library, as may stand in what an event has extra.

    Raises:
        TypeError: something else.
    """
    if (number := plain(value)) is value:
        raise TypeError(f"{value!r:.60} cannot be written to the log: it is of the type {type(value).__name__}")
    return number


def _number(name: str, value: object, limit: float = float("inf")) -> float:
    value = plain(value)
    if isinstance(value, bool | int | float) and 0 <= value <= limit and isfinite(value):
        return float(value)
    requirement = f"a number in [0, {limit:g}]" if limit < float("inf") else "a finite number of at least 0"
    raise ConfigurationError(f"{name} must be {requirement}, got {value!r}")


@dataclass(frozen=True, slots=True)
class DecisionEvent:
    """One choice of a configuration.

    Attributes:
        decision_id: what feedback refers to.
        configuration: what was chosen.
        features: of the query, as the policy saw them.
        encoder: what made the features; those of different ones cannot be learned from together.
        weights: of correctness, score and cost; those of an objective that has none say what it is after, with the rest in `extra`.
        propensity: the probability with which the policy chose this configuration.
        request_id: the request; decisions of several rounds share it.
        round: counts decisions of one request, from 0.
        query_hash: of the query's text, to find repetitions.
        query: its text, where storing it was asked for.
        extra: what else is to be known later, such as the session.
        at: Unix time.
        event_id: by which a log knows what it has already; empty where a log has none.
    """

    decision_id: str
    configuration: Configuration
    features: tuple[float, ...]
    encoder: str
    weights: tuple[float, float, float]
    propensity: float = 1.0
    request_id: str = ""
    round: int = 0
    query_hash: str = ""
    query: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    at: float = field(default_factory=time.time)
    event_id: str = _event_id()

    kind = "decision"

    @property
    def objective(self) -> Objective:
        """What the decision was taken for."""
        return objective_of_record(self.extra.get("objective") or {"weights": self.weights})

    def body(self) -> dict[str, Any]:
        """All but id and time, as JSON-ready values; `of` reads them back."""
        configuration = self.configuration
        return {
            "configuration": [configuration.model, *configuration.shape],
            "features": list(self.features),
            "encoder": self.encoder,
            "weights": list(self.weights),
            "propensity": self.propensity,
            "request_id": self.request_id,
            "round": self.round,
            "query_hash": self.query_hash,
            "query": self.query,
            "extra": dict(self.extra),
        }

    @classmethod
    def of(cls, decision_id: str, body: Mapping[str, Any], at: float) -> DecisionEvent:
        """The event of what `body` gives."""
        model, qp, cp, bs = body["configuration"]
        names = ("encoder", "propensity", "request_id", "round", "query_hash", "query", "extra")
        if later := body.keys() - {*names, "configuration", "features", "weights"}:
            raise ValueError(f"a later version has written {min(later)!r}")
        features = tuple(_magnitude("a feature", each, MAX_FEATURE) for each in body["features"])
        correct, score, cost = (_magnitude("a weight", each) for each in body["weights"])
        rest = {name: body[name] for name in names} | {"propensity": _number("propensity", body["propensity"], 1.0)}
        event = cls(decision_id, Configuration(model, qp, cp, bs), features, weights=(correct, score, cost), at=at, **rest)
        _check_texts(event, "encoder", "request_id", "query_hash")
        if not isinstance(model, str):
            raise ValueError(f"a model is named {model!r:.60}")
        hash(event.configuration)
        _check_extra(event.extra)
        _ = event.objective
        return event


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of a decision at once.

    Attributes:
        decision_id: the decision.
        score: the verifier's value of the answer in [0, 1]; `None` where nothing scored it.
        eflops: equivalent FLOPs, generator and verifier together.
        usd: US dollars; 0 where no price is known.
        seconds: wall time.
        failed: why there is no answer, empty where there is one.
        extra: what else is to be known later, such as tokens.
        at: Unix time.
        event_id: as of `DecisionEvent`.

    Raises:
        ConfigurationError: a number out of its range.
    """

    decision_id: str
    score: float | None
    eflops: float = 0.0
    usd: float = 0.0
    seconds: float = 0.0
    failed: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    at: float = field(default_factory=time.time)
    event_id: str = _event_id()

    kind = "outcome"

    @property
    def in_dollars(self) -> bool:
        """Whether costs count in dollars, as the engine has it ("dollars" in `extra`), or because there are only those."""
        return bool(self.extra.get("dollars", self.usd > 0 and not self.eflops))

    @property
    def cost(self) -> float:
        """What it took, in that unit: a verifier in this process takes eFLOPs beside a model's dollars."""
        return self.usd if self.in_dollars else self.eflops

    def __post_init__(self) -> None:
        if self.score is not None:
            object.__setattr__(self, "score", _number("score", self.score, 1.0))
        for name in ("eflops", "usd", "seconds"):
            object.__setattr__(self, name, _number(name, getattr(self, name)))

    def body(self) -> dict[str, Any]:
        """All but id and time, as JSON-ready values; `of` reads them back."""
        names = ("score", "eflops", "usd", "seconds", "failed")
        return {name: getattr(self, name) for name in names} | {"extra": dict(self.extra)}

    @classmethod
    def of(cls, decision_id: str, body: Mapping[str, Any], at: float) -> Outcome:
        """The event of what `body` gives."""
        event = cls(decision_id, at=at, **body)
        _check_texts(event, "failed")
        _check_extra(event.extra)
        return event


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody said of a decision, later.

    Attributes:
        decision_id: the decision; at most `MAX_ID` characters.
        correct: how right the answer was, in [0, 1]; a number of NumPy does, too.
        source: who says so; each source counts once, with the last thing it said. At most `MAX_NAME` characters.
        key: what about, where one source judges several things; as long.
        comment: free text; what is beyond `MAX_COMMENT` characters is cut off, with a note of it.
        weight: what it counts, in (0, 1]; below 1 where one judgement is shared by several decisions.
        at: Unix time.
        event_id: as of `DecisionEvent`.

    Raises:
        ConfigurationError: `correct` out of [0, 1], a weight that counts nothing or more than 1, no source, or a name that is too long.
    """

    decision_id: str
    correct: float
    source: str = "feedback"
    key: str = "correct"
    comment: str = ""
    weight: float = 1.0
    at: float = field(default_factory=time.time)
    event_id: str = _event_id()

    kind = "feedback"

    def __post_init__(self) -> None:
        object.__setattr__(self, "correct", _number("correct", self.correct, 1.0))
        object.__setattr__(self, "weight", _number("weight", self.weight, 1.0))
        if not self.weight > 0.0:
            raise ConfigurationError("feedback must have a weight above 0, got 0")
        if self.comment is None:
            object.__setattr__(self, "comment", "")
        for name in ("decision_id", "source", "key", "comment"):
            if not isinstance(text := getattr(self, name), str):
                raise ConfigurationError(f"the {name} of feedback must be a text, got {text!r:.60}")
            if name != "decision_id":
                # As the log will keep it, by which it is known again.
                object.__setattr__(self, name, utf8_safe(text))
        if not self.source:
            raise ConfigurationError("feedback needs a source, got an empty one; name who judged, for example 'exact-match'")
        for name, limit in _LIMITS.items():
            if len(text := getattr(self, name)) > limit:
                raise ConfigurationError(
                    f"the {name} of feedback has at most {limit} characters, got {len(text)}: {text!r:.60}; what is longer is a comment"
                )
        if len(self.comment) > MAX_COMMENT:
            note = f" [cut off, of {len(self.comment)} characters]"
            object.__setattr__(self, "comment", self.comment[: MAX_COMMENT - len(note)] + note)

    def body(self) -> dict[str, Any]:
        """All but id and time, as JSON-ready values; `of` reads them back."""
        fields = {name: getattr(self, name) for name in ("correct", "source", "key", "comment")}
        return fields if self.weight == 1.0 else fields | {"weight": self.weight}

    @classmethod
    def of(cls, decision_id: str, body: Mapping[str, Any], at: float) -> Feedback:
        """The event of what `body` gives."""
        # What is there may be longer: earlier versions took everything.
        texts = {"decision_id": decision_id, **{name: body[name] for name in ("source", "key", "comment") if name in body}}
        long = {name: text for name, text in texts.items() if isinstance(text, str) and len(text) > MAX_ID}
        short = {**body, **dict.fromkeys(long.keys() - {"decision_id"}, "long")}
        event = cls(decision_id[:MAX_ID], at=at, **short)
        for name, text in long.items():
            object.__setattr__(event, name, text)
        _check_texts(event, "source", "key", "comment")
        return event


_LIMITS = {"decision_id": MAX_ID, "source": MAX_NAME, "key": MAX_NAME}

Event = DecisionEvent | Outcome | Feedback
KINDS: Mapping[str, type[DecisionEvent] | type[Outcome] | type[Feedback]] = {
    kind.kind: kind for kind in (DecisionEvent, Outcome, Feedback)
}


def event_of(kind: str, decision_id: str, body: str, at: float, event_id: str | None = None) -> Event:
    """The event of a stored row, whose body is JSON; a row of an earlier version has no id of its own.

    Raises:
        LogError: a row that this version cannot read.
    """
    try:
        event = KINDS[kind].of(decision_id, json.loads(body), _magnitude("the time", at, MAX_TIME))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise LogError(f"the log's {kind!r} of decision {decision_id!r} cannot be read: {error!r:.200}") from error
    object.__setattr__(event, "event_id", event_id or "")
    return event


def _magnitude(name: str, value: object, limit: float = float("inf")) -> float:
    """A number of a stored row, which may be anything.

    Raises:
        ValueError: it is none, or too great to be one.
    """
    if isinstance(value, int | float) and isfinite(value) and abs(value) <= limit:
        return float(value)
    raise ValueError(f"{name} is {value!r:.60}")


def position_in(extra: Mapping[str, Any]) -> float | None:
    """`C~` that an outcome was logged with; `None` where there is none, or something else.

    Example:
        >>> position_in({"cost": 0.5}), position_in({"cost": "dear"}), position_in({})
        (0.5, None, None)
    """
    try:
        return _magnitude("cost", extra.get("cost"), MAX_FEATURE)
    except (ValueError, OverflowError):
        return None


def _check_texts(event: Event, *names: str) -> None:
    for name in names:
        if not isinstance(getattr(event, name), str):
            raise ValueError(f"{name} is no text, but {getattr(event, name)!r:.60}")


def _check_extra(extra: object) -> None:
    """What is learned from of an event's extra."""
    if not isinstance(extra, Mapping):
        raise ValueError(f"extra is no object, but {extra!r:.60}")
    if (tokens := extra.get("input_tokens")) is not None:
        _number("input_tokens", tokens, MAX_TOKENS)


__getattr__ = former_names(__name__, {"Decision": "DecisionEvent"})
