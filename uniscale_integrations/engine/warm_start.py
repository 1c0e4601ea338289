"""What is known before the first request: an outcome table, or an older log, as events of this log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np

from uniscale_integrations.engine.brain import Brain
from uniscale_integrations.engine.estimates import SupportsCostEstimate
from uniscale_integrations.engine.knowledge import Knowledge
from uniscale_integrations.engine.outcomes import OutcomeRow as Row
from uniscale_integrations.engine.outcomes import read_outcomes
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.log.events import DecisionEvent, Event, Feedback, Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.policy.encoders import RequestEncoder
from uniscale_integrations.search.conversation import NUMBERS
from uniscale_integrations.space import ConfigurationSpace

SOURCE = "warm start"
"""Who says how right a table's answer was."""

EQUAL_WEIGHTS = (1 / 3, 1 / 3, 1 / 3)
"""The weights of decisions that nobody took."""

History = tuple[Event, ...]
"""A decision and everything that is known of it, the decision first."""

Item = TypeVar("Item")


BATCH = 500
"""Decisions that a warm start writes in one transaction."""


def take_over(source: str | Path | EventStore, knowledge: Knowledge, brain: Brain, limit: int | None) -> int:
    """Write what is known to the log, as decisions with their outcomes and feedback; returns how many decisions were new.

    Raises:
        TableError: no sound table.
        LogError: a log that cannot be read, or the engine's own cannot be written.
        ConfigurationError: costs in another unit than the engine's.
    """
    histories = islice(known_decisions(source, brain.space, brain.design.encode), limit)
    return sum(_take_over(part, knowledge, brain) for part in in_batches(histories, BATCH))


def _take_over(part: Sequence[History], knowledge: Knowledge, brain: Brain) -> int:
    outcomes = [event for each in part for event in each if isinstance(event, Outcome)]
    costs_are_known = all(isinstance(model, SupportsCostEstimate) for model in brain.design.models.values())
    if costs_are_known and any(_in_another_unit(outcome, brain) for outcome in outcomes):
        dollars = brain.estimates.in_dollars
        unit, other = ("dollars", "eFLOPs") if dollars else ("eFLOPs", "dollars")
        remedy = "make it anew with these prices" if dollars else "give the models prices"
        raise ConfigurationError(f"what is known beforehand has its costs in {other}, and this engine counts {unit}; {remedy}")
    existing = {entry.event.decision_id for entry in knowledge.log.of_decisions(each[0].decision_id for each in part)}
    new = [each for each in part if each[0].decision_id not in existing]
    if new:
        knowledge.append(*(event for each in new for event in each))
    return len(new)


def _in_another_unit(outcome: Outcome, brain: Brain) -> bool:
    # A model may be free, and a table may give both.
    dollars = brain.estimates.in_dollars
    return outcome.in_dollars != dollars and not (dollars and (outcome.usd or not outcome.eflops))


def known_decisions(source: str | Path | EventStore, space: ConfigurationSpace, encode: RequestEncoder) -> Iterator[History]:
    """Decisions of the configurations of a space, with ids that are the same whenever they are read again: a log's are its own.

    Args:
        source: path of a table, address of a log (with `://`), or an open log.
        space: what is of interest.
        encode: makes the features of a table's questions; a log's must come from it.
    """
    if not isinstance(source, (str, Path)):
        return _of_log(source, space, encode)
    if "://" in str(source):
        return _of_address(str(source), space, encode)
    return _of_table(source, space, encode)


def in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of so many items, the last one of what is left."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _of_table(path: str | Path, space: ConfigurationSpace, encode: RequestEncoder) -> Iterator[History]:
    none, configurations = np.zeros(len(NUMBERS)), list(space)
    context_of = lru_cache(maxsize=None)(lambda text: encode.context(text, none, configurations))
    for row in read_outcomes(path):
        if row.configuration in space:
            key = f"{row.query_id}|{row.query}|{row.configuration}|{row.sample}|{row.correct}|{encode.name}"
            yield _of_row(
                row,
                _id(key),
                tuple(context_of(row.query).of(configurations.index(row.configuration)).query.tolist()),
                encode.name,
            )


def _of_row(row: Row, decision_id: str, features: tuple[float, ...], encoder: str) -> History:
    decision = DecisionEvent(decision_id, row.configuration, features, encoder, EQUAL_WEIGHTS, request_id=decision_id)
    outcome = Outcome(decision_id, row.score, row.eflops or 0.0, row.cost_usd or 0.0)
    return decision, outcome, Feedback(decision_id, row.correct, SOURCE)


def _of_address(address: str, space: ConfigurationSpace, encode: RequestEncoder) -> Iterator[History]:
    with closing(open_log(address, read_only=True)) as log:
        yield from _of_log(log, space, encode)


def _of_log(log: EventStore, space: ConfigurationSpace, encode: RequestEncoder) -> Iterator[History]:
    decisions = (entry.event for entry in log.everything() if isinstance(entry.event, DecisionEvent))
    matches = (each for each in decisions if each.configuration in space and each.encoder == encode.name)
    for part in in_batches(matches, 500):
        histories: Mapping[str, list[Event]] = {decision.decision_id: [] for decision in part}
        for entry in log.of_decisions(histories):
            histories[entry.event.decision_id].append(entry.event)
        # With the ids that they have: what this log has already, its own decisions too, is not taken over again.
        yield from map(tuple, histories.values())


def _id(key: str) -> str:
    return f"warm-{blake2b(key.encode(), digest_size=16).hexdigest()}"
