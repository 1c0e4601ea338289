"""What a report shows, out of a log: every decision with what came of it, and the paths of those that were kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import fmean
from typing import Any

import numpy as np

from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.engine.brain_record import rules_of
from uniscale_integrations.log.events import DecisionEvent, Feedback, Outcome, position_in
from uniscale_integrations.log.judgements import keep_newest
from uniscale_integrations.log.lessons import GivenAnswers, first_id
from uniscale_integrations.log.one_sided import FeedbackBalance
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.policy.objective import Weights
from uniscale_integrations.report.beliefs import beliefs_of
from uniscale_integrations.report.rounds import Request, requests_of
from uniscale_integrations.space import Configuration

NO_PATHS = "The log has not kept the paths of this search; an engine with store_paths=True keeps them."
LEFT_OUT = (
    "The paths of this search are in the log and were left out of this page, which has those of the last {most} that were kept."
)

Alone = Mapping[str, tuple[float, float]]
"""Models alone by name, each with one plain sample: the share of right answers, and what one cost in the log's unit."""


@dataclass(slots=True)
class Story:
    """One decision with what came of it."""

    decision: DecisionEvent
    outcome: Outcome | None = None
    verdicts: dict[tuple[str, str], Feedback] = field(default_factory=dict)

    @property
    def correct(self) -> float | None:
        """The mean of what the sources said last, each counted alike; `None` where none has."""
        return fmean(each.correct for each in self.verdicts.values()) if self.verdicts else None

    @property
    def cost(self) -> float:
        """eFLOPs, or dollars for a model with a price."""
        return self.outcome.cost if self.outcome else 0.0

    @property
    def in_dollars(self) -> bool:
        """Whether these are dollars."""
        return self.outcome is not None and self.outcome.in_dollars


def page_data(
    log: EventStore, most_trees: int = 500, alone: Alone | None = None, policies: Collection[str] = ()
) -> dict[str, Any]:
    """What the page shows, JSON-ready.

    Args:
        log: read from its beginning to its end.
        most_trees: searches that are shown with their paths, the last ones that were kept.
        alone: the models without the engine, where that was measured.
        policies: that may be imported, as of `write_report`.

    Raises:
        LogError: the log cannot be read.
    """
    stories, trees, balance = _read(log, most_trees)
    histories = list(stories.values())
    configurations = sorted(
        {story.decision.configuration for story in histories}, key=lambda each: (each.model, each.most_paths, each.shape)
    )
    number = {configuration: place for place, configuration in enumerate(configurations)}
    sought = [str(story.decision.objective) for story in histories]
    objectives = list(dict.fromkeys(sought))
    # An axis has one unit: that of the decisions of late, if prices were told or taken away in between.
    in_dollars = next((story.in_dollars for story in reversed(histories) if story.cost), False)
    alike = [story.in_dollars == in_dollars or not story.cost for story in histories]
    scale = _scale([story for story, same in zip(histories, alike, strict=True) if same])
    positions = [_position(story, scale) for story in histories]
    requests = requests_of([story.decision for story in histories], [story.outcome for story in histories])
    numbers = [story.decision.round for story in histories]
    place_of = {decision_id: place for place, decision_id in enumerate(stories)}
    beliefs, changes = _beliefs(log, histories, configurations, _means(histories, positions, number), scale, policies)
    return {
        "log": log.name,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "unit": "$" if in_dollars else "eFLOPs",
        "other_unit": alike.count(False),
        "alone": [{"model": name, "correct": right, "cost": cost} for name, (right, cost) in (alone or {}).items()],
        "configurations": [_describe(configuration) for configuration in configurations],
        "objectives": objectives,
        "decisions": {
            "id": list(stories),
            "configuration": [number[story.decision.configuration] for story in histories],
            "objective": [objectives.index(each) for each in sought],
            "round": numbers,
            "unknown": [place for place, story in enumerate(histories) if story.outcome is None],
            "cost": [
                float(f"{story.cost:.5g}") if same and story.outcome else None
                for story, same in zip(histories, alike, strict=True)
            ],
            "reward": [
                _short(_reward(story, position, requests.get(place)))
                for place, (story, position) in enumerate(zip(histories, positions, strict=True))
            ],
            **_columns(histories),
        },
        "rounds": {place: request.as_dict(numbers) for place, request in requests.items()},
        "feedback": _feedback(histories),
        "judged": balance.summary | {"warning": _warning(log, histories, balance)},
        "trees": {place_of[decision_id]: tree for decision_id, tree in trees.items()},
        "trees_why": LEFT_OUT.format(most=most_trees) if len(trees) == most_trees else NO_PATHS,
        "beliefs": beliefs,
        "changes": [place_of[decision_id] for decision_id in changes if decision_id in place_of],
    }


def _columns(histories: Sequence[Story]) -> dict[str, list[Any]]:
    """What was asked and what came of it, as it stands in the log; one entry per decision."""
    outcomes = [story.outcome for story in histories]
    return {
        "at": [round(story.decision.at, 3) for story in histories],
        "query": [story.decision.query for story in histories],
        "score": [_short(outcome.score if outcome else None) for outcome in outcomes],
        "seconds": [_short(outcome.seconds if outcome else None) for outcome in outcomes],
        "failed": [outcome.failed if outcome else "" for outcome in outcomes],
        "correct": [_short(story.correct) for story in histories],
    }


def _feedback(histories: Sequence[Story]) -> dict[int, list[list[Any]]]:
    """What was said of each judged decision, by its place."""
    return {
        place: [[each.source, each.key, each.correct, each.comment, each.at] for each in story.verdicts.values()]
        for place, story in enumerate(histories)
        if story.verdicts
    }


def _warning(log: EventStore, histories: Sequence[Story], balance: FeedbackBalance) -> str:
    """That feedback is one-sided, where the engine that decided last learns nothing from silence; empty where all is well."""
    if not balance.one_sided or not histories:
        return ""
    record = log.load_description(str(histories[-1].decision.extra.get("brain", "")))
    return "" if rules_of(record or {}).silence else balance.warning


def _beliefs(
    log: EventStore,
    histories: Sequence[Story],
    configurations: Sequence[Configuration],
    costs: np.ndarray[Any, Any],
    scale: CostScale,
    policies: Collection[str],
) -> tuple[dict[str, Any], list[str]]:
    if not histories:
        return {"why": "The log holds no decision yet."}, []
    scored = any(story.outcome is not None and story.outcome.score is not None for story in histories)
    return beliefs_of(log, configurations, costs, scale, histories[-1].decision, scored=scored, policies=policies)


def _read(log: EventStore, most_trees: int) -> tuple[dict[str, Story], Mapping[str, dict[str, Any]], FeedbackBalance]:
    stories: dict[str, Story] = {}
    balance, given = FeedbackBalance(), GivenAnswers()
    trees: OrderedDict[str, dict[str, Any]] = OrderedDict()
    for entry in log.everything():
        event = entry.event
        if isinstance(event, DecisionEvent):
            stories[event.decision_id] = Story(event)
            continue
        story = stories.get(event.decision_id)
        if story is None:
            continue
        if isinstance(event, Feedback):
            balance.judge(event.correct, event.source, {source for source, _ in story.verdicts})
            keep_newest(story.verdicts, event)
            continue
        story.outcome = event
        given.note(event)
        if "record" in event.extra and most_trees:
            trees[event.decision_id] = {name: event.extra.get(name) for name in ("record", "ledger", "notes")}
            while len(trees) > most_trees:
                trees.popitem(last=False)
    for decision_id, story in stories.items():
        own = stories.get(given.of(decision_id))
        if own is not None and own is not story:
            for said in story.verdicts.values():
                keep_newest(own.verdicts, said)
            story.verdicts = {}
    answered = (each for each, story in stories.items() if story.outcome is not None and not story.outcome.failed)
    balance.answers = len(set(map(first_id, answered)))
    return stories, trees, balance


def _describe(configuration: Configuration) -> dict[str, Any]:
    qp, cp, bs = configuration.shape
    return {"name": str(configuration), "model": configuration.model, "qp": qp, "cp": cp, "bs": bs}


def _scale(histories: Sequence[Story]) -> CostScale:
    """A scale between the cheapest and the dearest configuration on average, for logs that don't say where a cost lies on the engine's."""
    costs: dict[Configuration, list[float]] = {}
    for story in histories:
        if story.cost > 0:
            costs.setdefault(story.decision.configuration, []).append(story.cost)
    means = np.array([fmean(each) for each in costs.values()])
    return CostScale.spanning(means) if len(means) else CostScale(1.0, 1.0)


def _position(story: Story, scale: CostScale) -> float:
    """`C~` of what a decision took."""
    if story.outcome is None or not story.cost:
        return 0.0
    position = position_in(story.outcome.extra)
    return scale.position(story.cost) if position is None else position


def _means(histories: Sequence[Story], positions: Sequence[float], number: Mapping[Configuration, int]) -> np.ndarray[Any, Any]:
    """The mean `C~` of every configuration, 0.5 for one that has never answered."""
    positions_of: list[list[float]] = [[] for _ in number]
    for story, position in zip(histories, positions, strict=True):
        if story.outcome is not None and not story.outcome.failed:
            positions_of[number[story.decision.configuration]].append(position)
    return np.array([fmean(each) if each else 0.5 for each in positions_of])


def _reward(story: Story, position: float, request: Request | None) -> float | None:
    """What a judged answer earned by what was sought; `None` also where only a score counts and there is none.

    An answer that was given after several attempts has cost what all of them did, and the others have earned nothing.
    """
    correct, outcome, cost = story.correct, story.outcome, story.cost
    if correct is None or outcome is None or outcome.failed:
        return None
    if request is not None and (end := request.end) is not None:
        if end.kept != story.decision.round:
            return None
        position, cost = position if end.cost is None else end.cost, cost if end.spend is None else end.spend
    objective = story.decision.objective
    if outcome.score is None and isinstance(objective, Weights) and objective.score == 1.0:
        return None
    return objective.earned(correct, outcome.score, position, cost)


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
