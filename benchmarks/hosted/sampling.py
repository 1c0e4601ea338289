"""What models say to questions: samples that are right or wrong in several ways, and what a majority of them says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtr

from benchmarks.hosted.models import Model

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

RIGHT = 0
"""The value of a right answer; wrong ones have 1, 2, ..."""

WRONG_SHARES = (0.5, 0.25, 0.15, 0.1)
"""How wrong answers to one question spread over its wrong values: some mistakes are made more often than others."""

COMMON_DIFFICULTY = 0.5
"""Correlation of models' (normal scores of) success on one question: what is hard for one model is often hard for the next."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """What M models say to T questions, S times each.

    Attributes:
        values: `RIGHT` or the number of a wrong value, shape (T, M, S).
        tokens: output tokens, shape (T, M, S).
        failed: whether a model fails on a question, shape (T, M).
    """

    values: Integers
    tokens: Integers
    failed: NDArray[np.bool_]


def draw_samples(rng: Generator, models: Sequence[Model], topics: Sequence[str], topic: Integers, count: int) -> Samples:
    """Samples of every model on every question.

    Each question has, for each model, a probability of its own of being answered right, from a Beta distribution around the model's
    skill on its topic; so samples of one question agree more than samples of many.

    Args:
        rng: draws them.
        models: M of them.
        topics: names of topics.
        topic: of each question its place in `topics`, shape (T,).
        count: samples of each, S.
    """
    requests = len(topic)
    skill, tokens = (
        np.array([[of(model, name) for model in models] for name in topics])[topic]
        for of in (Model.right_on, Model.median_tokens)
    )
    shared, own = rng.standard_normal((requests, 1)), rng.standard_normal((requests, len(models)))
    ease = np.sqrt(COMMON_DIFFICULTY) * shared + np.sqrt(1.0 - COMMON_DIFFICULTY) * own
    consistency = np.array([model.consistency for model in models])
    probability = betaincinv(skill * consistency, (1.0 - skill) * consistency, ndtr(ease))
    shape = (requests, len(models), count)
    wrong = 1 + np.searchsorted(np.cumsum(WRONG_SHARES)[:-1], rng.random(shape))
    values = np.where(rng.random(shape) < probability[:, :, None], RIGHT, wrong)
    spread = np.array([model.spread for model in models])[:, None]
    lengths = np.maximum(1, np.rint(tokens[:, :, None] * np.exp(spread * rng.standard_normal(shape)))).astype(np.int64)
    failed = rng.random(shape[:2]) < np.array([model.failure_rate for model in models])
    return Samples(values.astype(np.int64), lengths, failed)


def majority(values: Integers) -> tuple[Integers, Floats]:
    """What most samples say, of equals what was said first, and the share of them that do.

    Args:
        values: shape (..., N).

    Returns:
        the value, shape (...), and the share of the N samples that have it, shape (...).

    Example:
        >>> value, share = majority(np.array([[1, 0, 0, 2], [3, 0, 0, 3]]))
        >>> value.tolist(), share.tolist()
        ([0, 3], [0.5, 0.5])
    """
    backing = (values[..., :, None] == values[..., None, :]).sum(axis=-1)
    winner = backing.argmax(axis=-1)[..., None]
    value: Integers = np.take_along_axis(values, winner, axis=-1)[..., 0]
    share: Floats = np.take_along_axis(backing, winner, axis=-1)[..., 0] / values.shape[-1]
    return value, share


class VoteExpectation(NamedTuple):
    """How often a majority is right, and which share of the samples it has on average."""

    accuracy: float
    score: float


@lru_cache(maxsize=4096)
def vote_expectation(skill: float, consistency: float, samples: int, draws: int = 40_000) -> VoteExpectation:
    """What is expected of a majority of so many samples, by simulation.

    Example:
        >>> round(vote_expectation(0.7, 2.0, 1).accuracy, 2)
        0.7
        >>> vote_expectation(0.7, 2.0, 8).accuracy > 0.72
        True
    """
    model = Model("any", 0.0, 0.0, otherwise=skill, consistency=consistency)
    drawn = draw_samples(np.random.default_rng(0), [model], ["trivia"], np.zeros(draws, dtype=np.int64), samples)
    value, share = majority(drawn.values[:, 0])
    return VoteExpectation(float((value == RIGHT).mean()), float(share.mean()))
