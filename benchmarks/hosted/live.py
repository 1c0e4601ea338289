"""Kinds behind real servers and real clients: the same requests as without them, through both frameworks, with default settings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from benchmarks.hosted.applications import APPLICATIONS, Application, prices
from benchmarks.hosted.fast import Task, run
from benchmarks.hosted.kind import Kind
from benchmarks.hosted.kinds import KINDS
from benchmarks.hosted.measures import Order, measure, summary
from benchmarks.hosted.objectives import Objective
from benchmarks.hosted.replies import is_right
from benchmarks.hosted.sampling import Floats, Integers
from benchmarks.hosted.servers import Provider, serving
from benchmarks.hosted.texts import passage
from benchmarks.hosted.traffic import Traffic
from uniscale_integrations.errors import SearchFailed
from uniscale_integrations.log.events import DecisionEvent, Outcome

LIVE_KINDS = ("pair", "specialists-late-wrong", "arrival")
"""Those that are played live by default."""


@dataclass(frozen=True, slots=True)
class Served:
    """What became of T requests; each array of shape (T,).

    Attributes:
        correct: whether the answer was right; 0 where none came.
        score: of the answer, as the log has it; NaN where there is none.
        dollars: what the server charged for it.
        answered: whether an answer came.
        models: places of the models that answered.
    """

    correct: Floats
    score: Floats
    dollars: Floats
    answered: Floats
    models: Integers


def live(kinds: Sequence[str], objectives: Sequence[str], *, orders: int, requests: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every kind through both frameworks, and without servers on the same orders: by objective, by way, what `summary` says."""
    for name in kinds:
        found: dict[str, Any] = {}
        for objective in objectives:
            ways = {
                framework: [live_order(KINDS[name], framework, objective, seed, requests) for seed in range(orders)]
                for framework in APPLICATIONS
            }
            fast = [run(Task(name, seed, requests, (objective,)))[objective] for seed in range(orders)]
            # Targets are not played behind servers.
            ways["fast"] = [order for order in fast if isinstance(order, Order)]
            found[objective] = {way: summary(results) for way, results in ways.items()}
        yield name, found


def live_order(kind: Kind, framework: str, objective_name: str, seed: int, requests: int) -> Order:
    """What one order came to behind a server."""
    objective, traffic = Objective.of(objective_name), kind.draw(seed, requests)
    provider = Provider(kind, traffic)
    with serving(provider) as address:
        there = [model for model in kind.models if model.arrives == 0]
        application = APPLICATIONS[framework](address, there, objective)
        try:
            served = serve(kind, traffic, application, provider)
        finally:
            application.engine.close()
    rewards = objective.of_answers(traffic, *(part[:, None] for part in (served.correct, served.score, served.dollars)))[:, 0]
    played = np.stack([np.where(served.answered > 0, rewards, 0.0), served.correct, served.dollars], axis=1)
    # Whatever search was chosen, the model's first configuration stands for it: the engine may have searches that the kind has not.
    first = np.array([int((traffic.model_of == model).argmax()) for model in served.models])
    return measure(kind, traffic, objective, played, first)


def serve(kind: Kind, traffic: Traffic, application: Application, provider: Provider) -> Served:
    """Ask every question, and judge the answers when their judgements are due."""
    due: defaultdict[int, list[tuple[str, float]]] = defaultdict(list)
    names = [model.name for model in kind.models]
    rows = []
    for time, question in enumerate(traffic.texts):
        _arrive(kind, application, time)
        document = passage(Random(time), int(traffic.context_tokens[time])) if traffic.context_tokens[time] else ""
        try:
            text, decision = application.ask(document, question)
        except SearchFailed:
            rows.append((0.0, np.nan, provider.dollars[question], 0.0, 0))
            continue
        correct = float(is_right(question, text))
        model, score = _logged(application, decision)
        rows.append((correct, score, provider.dollars[question], 1.0, names.index(model)))
        said = float(
            kind.judging.said(traffic.told[time], traffic.flipped[time], np.array(correct), np.array(False)),
        )
        if not np.isnan(said):
            due[int(traffic.told_at[time])].append((decision, said))
        for judged, value in due.pop(time, ()):
            application.engine.feedback(judged, value, source="user")
    correct_, score_, dollars, answered, models = np.array(rows, dtype=np.float64).T
    return Served(correct_, score_, dollars, answered, models.astype(np.int64))


def _arrive(kind: Kind, application: Application, time: int) -> None:
    """Give the engine the models that arrive at a request."""
    new = [model for model in kind.models if model.arrives == time and time > 0]
    if new:
        present = list(application.engine.models)
        application.engine.update(models=[*present, *(application.model(model) for model in new)], prices=prices(new))


def _logged(application: Application, decision: str) -> tuple[str, float]:
    """The model that answered, and its score, as the log has them."""
    events = [entry.event for entry in application.engine.log.of_decisions([decision])]
    [decided] = [event for event in events if isinstance(event, DecisionEvent)]
    [outcome] = [event for event in events if isinstance(event, Outcome)]
    return decided.configuration.model, np.nan if outcome.score is None else float(outcome.score)
