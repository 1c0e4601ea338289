"""Hosted models as a simulation needs them: what they charge, how often they are right, and how long their answers are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp

from benchmarks.hosted.texts import TOPICS

SEARCHES = ((1, 1, 1), (2, 1, 1), (4, 1, 1), (8, 1, 1))
"""`(QP, CP, BS)` of a hosted model, which cannot continue a partial answer: one sample, or a vote."""

ANSWER_TOKENS: Mapping[str, float] = {
    "arithmetic": 160.0,
    "trivia": 40.0,
    "code": 350.0,
    "summary": 150.0,
    "translation": 60.0,
    "puzzle": 400.0,
    "extraction": 80.0,
    "common sense": 60.0,
}
"""Median output tokens of an answer, by topic, of a model of verbosity 1 that does not think first."""


@dataclass(frozen=True, slots=True)
class Model:
    """A hosted model.

    Attributes:
        name: of the model.
        input_price: USD per 1M input tokens.
        output_price: USD per 1M output tokens.
        skill: probability that a plain sample is right, by topic; of other topics `otherwise`.
        otherwise: of the topics that `skill` does not name.
        verbosity: factor on `ANSWER_TOKENS`.
        thinking: median output tokens before the answer begins.
        spread: standard deviation of the logarithm of output tokens.
        consistency: sum of the two parameters of the Beta distribution that a question's own probability of being answered right is drawn
            from; the smaller, the more do samples of one question agree.
        failure_rate: share of requests that fail, however often they are tried again.
        latency: seconds that an answer takes.
        searches: `(QP, CP, BS)` of its configurations.
        arrives: number of the request from which on the model is there.

    Example:
        >>> model = Model("mini", 0.25, 2.0, {"code": 0.4}, otherwise=0.7)
        >>> model.right_on("code"), model.right_on("trivia"), model.median_tokens("trivia")
        (0.4, 0.7, 40.0)
    """

    name: str
    input_price: float
    output_price: float
    skill: Mapping[str, float] = field(default_factory=dict)
    otherwise: float = 0.8
    verbosity: float = 1.0
    thinking: float = 0.0
    spread: float = 0.35
    consistency: float = 2.0
    failure_rate: float = 0.0
    latency: float = 1.0
    searches: tuple[tuple[int, int, int], ...] = SEARCHES
    arrives: int = 0

    def __post_init__(self) -> None:
        unknown = sorted(set(self.skill).difference(TOPICS))
        if unknown:
            raise ValueError(f"{self.name} has a skill on {unknown[0]!r}; topics are {', '.join(TOPICS)}")
        for topic, probability in {**self.skill, "otherwise": self.otherwise}.items():
            if not 0.0 < probability < 1.0:
                raise ValueError(
                    f"the skill of {self.name} on {topic} must be a probability between 0 and 1, got {probability!r}"
                )

    def right_on(self, topic: str) -> float:
        """Probability that a plain sample on a topic is right."""
        return self.skill.get(topic, self.otherwise)

    def median_tokens(self, topic: str) -> float:
        """Median output tokens of a sample on a topic."""
        return self.thinking + self.verbosity * ANSWER_TOKENS[topic]

    def mean_tokens(self, topic: str) -> float:
        """Mean output tokens of a sample on a topic, of the log-normal distribution that they are drawn from."""
        return self.median_tokens(topic) * exp(self.spread**2 / 2.0)

    def dollars(self, input_tokens: float, output_tokens: float) -> float:
        """USD of one call."""
        return (input_tokens * self.input_price + output_tokens * self.output_price) / 1e6
