"""The requests of a simulation with everything that could become of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.hosted.sampling import RIGHT, Floats, Integers, Samples, majority
from uniscale_integrations.space import Configuration

Flags = NDArray[np.bool_]

THUMBS = ("both", "down", "up")
"""Which judgements a person gives: all, of bad answers only, or of good ones only."""


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """T requests and what each of K configurations would make of them.

    Attributes:
        texts: the questions, T of them.
        topics: names of the topics.
        topic: of each question, its place in `topics`, shape (T,).
        input_tokens: of the whole prompt, shape (T,).
        context_tokens: how many of those stand before the question, in a message of their own, shape (T,).
        configurations: K of them.
        paths: samples that each takes, shape (K,).
        model_of: place of each one's model in the kind's, shape (K,).
        correct: whether the answer is right, 1 or 0; 0 where the model fails, shape (T, K).
        score: share of the samples that the vote's winner has; NaN of plain samples and of failures, shape (T, K).
        output_tokens: per path, mean of the paths, shape (T, K).
        dollars: USD of the answer, 0 where the model fails, shape (T, K).
        expected_dollars: USD expected from true mean output tokens and the prompt's length, shape (T, K).
        failed: whether the model fails, shape (T, K).
        available: whether the model is there yet, shape (T, K).
        told: whether the person who asks judges answers, shape (T,).
        flipped: whether the opposite of what is true would be said, shape (T,).
        told_at: number of the request after which the judgement is there, at least the request's own, shape (T,).
        told_correct: what would be said of each configuration's answer; NaN where nothing is, shape (T, K).
        samples: what they were made from.
    """

    texts: tuple[str, ...]
    topics: tuple[str, ...]
    topic: Integers
    input_tokens: Integers
    context_tokens: Integers
    configurations: tuple[Configuration, ...]
    paths: Integers
    model_of: Integers
    correct: Floats
    score: Floats
    output_tokens: Floats
    dollars: Floats
    expected_dollars: Floats
    failed: Flags
    available: Flags
    told: Flags
    flipped: Flags
    told_at: Integers
    told_correct: Floats
    samples: Samples

    def __len__(self) -> int:
        return len(self.texts)


def answers(samples: Samples, model_of: Integers, paths: Integers) -> tuple[Floats, Floats, Floats]:
    """Correctness, score and mean output tokens of configurations that vote over the first samples of their models, shape (T, K) each."""
    correct, score, tokens = (np.zeros((len(samples.failed), len(paths))) for _ in range(3))
    for arm, (model, count) in enumerate(zip(model_of.tolist(), paths.tolist(), strict=True)):
        value, share = majority(samples.values[:, model, :count])
        correct[:, arm] = value == RIGHT
        score[:, arm] = share if count > 1 else np.nan
        tokens[:, arm] = samples.tokens[:, model, :count].mean(axis=1)
    failed = samples.failed[:, model_of]
    return np.where(failed, 0.0, correct), np.where(failed, np.nan, score), np.where(failed, 0.0, tokens)


@dataclass(frozen=True, slots=True)
class Judging:
    """How the people who ask judge answers.

    Attributes:
        share: of requests that are judged.
        delay: median requests until a judgement is there; each takes from half to one and a half times as long.
        wrong: share of judgements that say the opposite of what is true.
        thumbs: one of `THUMBS`.
    """

    share: float = 1.0
    delay: int = 0
    wrong: float = 0.0
    thumbs: str = "both"

    def __post_init__(self) -> None:
        if self.thumbs not in THUMBS:
            raise ValueError(f"thumbs is one of {', '.join(THUMBS)}, got {self.thumbs!r}")

    def draw(self, rng: np.random.Generator, requests: int) -> tuple[Flags, Flags, Integers]:
        """Who judges, who says the opposite, and after which request it is there, shape (T,) each."""
        told = rng.random(requests) < self.share
        flipped = rng.random(requests) < self.wrong
        told_at = np.arange(requests) + np.rint(self.delay * rng.uniform(0.5, 1.5, requests)).astype(np.int64)
        return told, flipped, told_at

    def said(self, told: Flags, flipped: Flags, correct: Floats, failed: Flags) -> Floats:
        """What is said of answers; NaN where nothing is, as of an answer that never came. All of one shape, or of shapes that broadcast."""
        said = np.where(flipped, 1.0 - correct, correct)
        silent = ~told | failed
        if self.thumbs != "both":
            silent = silent | (said == (1.0 if self.thumbs == "down" else 0.0))
        return np.where(silent, np.nan, said)
