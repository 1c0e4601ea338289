"""What policies are measured against: fixed configurations, each model alone, and a rule of someone who knows the kinds."""

from __future__ import annotations

import numpy as np

from benchmarks.hosted.kind import Kind
from benchmarks.hosted.objectives import Objective
from benchmarks.hosted.sampling import Floats, Integers
from benchmarks.hosted.traffic import Traffic

GAIN = 0.05
"""Reward, in right answers, that a model must gain on a topic to be one that has to be found."""


def fixed(traffic: Traffic) -> tuple[tuple[str, ...], Integers]:
    """Every way to stay with one configuration, and, where a model arrives, to change once to one of its own.

    Where its model fails, the next one in the order of prices answers, as policies have it too.

    Returns:
        names, C of them, and choices, shape (C, T).
    """
    always = np.flatnonzero(traffic.available.all(axis=0)).tolist()
    later = np.flatnonzero(~traffic.available.all(axis=0)).tolist()
    names = [str(traffic.configurations[arm]) for arm in always]
    rows = [np.full(len(traffic), arm) for arm in always]
    for arm in always:
        for heir in later:
            names.append(f"{traffic.configurations[arm]}, then {traffic.configurations[heir]}")
            rows.append(np.where(traffic.available[:, heir], heir, arm))
    return tuple(names), np.stack([_with_fallbacks(traffic, row) for row in rows])


def alone(traffic: Traffic) -> tuple[tuple[str, ...], Integers]:
    """One plain sample of each model that is there from the beginning: names, and choices of shape (models, T)."""
    arms = [arm for arm in np.flatnonzero(traffic.available.all(axis=0)).tolist() if traffic.configurations[arm].plain]
    return tuple(traffic.configurations[arm].model for arm in arms), np.stack([np.full(len(traffic), arm) for arm in arms])


def rule(kind: Kind, traffic: Traffic, objective: Objective) -> Integers:
    """The configuration that is best on each request's topic by true skills and costs, of those that are there, shape (T,)."""
    choices = np.empty(len(traffic), dtype=np.int64)
    for here, means in _by_topic(traffic, objective.expected(kind, traffic)):
        choices[here] = int(means.argmax())
    return _with_fallbacks(traffic, choices)


def to_be_found(kind: Kind, traffic: Traffic, objective: Objective) -> set[int]:
    """The models that are best on some topic and gain at least `GAIN` right answers a question on it over every other one."""
    relative = objective.expected(kind, traffic) / objective.values(traffic)[:, None]
    found = set()
    for _, means in _by_topic(traffic, relative):
        best = int(traffic.model_of[means.argmax()])
        if means.max() - means[traffic.model_of != best].max() >= GAIN:
            found.add(best)
    return found


def _with_fallbacks(traffic: Traffic, choices: Integers) -> Integers:
    """The choices, where their model fails with a plain sample of the cheapest model that is there and does not."""
    choices = choices.copy()
    for time in np.flatnonzero(traffic.failed[np.arange(len(traffic)), choices]):
        left = traffic.available[time] & ~traffic.failed[time]
        if left.any():
            choices[time] = int(np.where(left, traffic.expected_dollars[time], np.inf).argmin())
    return choices


def _by_topic(traffic: Traffic, expected: Floats) -> list[tuple[Integers, Floats]]:
    """Requests of one topic and with the same configurations there, and the mean of each configuration on them; -inf of others."""
    sets, number = np.unique(traffic.available, axis=0, return_inverse=True)
    groups = []
    for place, there in enumerate(sets):
        for topic in range(len(traffic.topics)):
            here = np.flatnonzero((number.ravel() == place) & (traffic.topic == topic))
            if len(here):
                groups.append((here, np.where(there, expected[here].mean(axis=0), -np.inf)))
    return groups
