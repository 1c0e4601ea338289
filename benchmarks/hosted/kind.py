"""A kind of hosted traffic: which models there are, what they are asked, and how their answers are judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from zlib import crc32

import numpy as np

from benchmarks.hosted.models import Model
from benchmarks.hosted.sampling import Integers, draw_samples
from benchmarks.hosted.texts import TOPICS, passage, question, tokens_in
from benchmarks.hosted.traffic import Judging, Traffic, answers
from uniscale_integrations.space import Configuration

MESSAGE_TOKENS = 8
"""What the form of a conversation adds to its texts."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """How long prompts are, and where what makes them long stands.

    Attributes:
        tokens: median input tokens; a question that is longer by itself stays as it is.
        spread: standard deviation of the logarithm of input tokens.
        document: "system" puts a document before the question in a message of its own, "question" into the question's.
    """

    tokens: int = 50
    spread: float = 0.3
    document: str = "system"

    def __post_init__(self) -> None:
        if self.document not in ("system", "question"):
            raise ValueError(f'document is "system" or "question", got {self.document!r}')


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of hosted traffic, from which streams of requests are drawn.

    Attributes:
        name: of the kind.
        note: what it is about.
        models: two to eight.
        differs: whether the best model differs by topic, with a right answer worth so much that always asking the dearest model pays
            where it is right on 5 more of 100.
        shares: how often each topic comes; all the same by default.
        prompts: how long they are.
        judging: of the answers.

    Example:
        >>> kind = Kind("two", "two models", (Model("mini", 0.25, 2.0), Model("large", 1.25, 10.0, otherwise=0.9)), differs=False)
        >>> traffic = kind.draw(seed=0, requests=100)
        >>> traffic.correct.shape, str(traffic.configurations[1])
        ((100, 8), '(mini,2,1,1)')
    """

    name: str
    note: str
    models: tuple[Model, ...]
    differs: bool
    shares: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(TOPICS, 1.0))
    prompts: Prompts = field(default_factory=Prompts)
    judging: Judging = field(default_factory=Judging)

    def __post_init__(self) -> None:
        if not 2 <= len(self.models) <= 8 or len({model.name for model in self.models}) < len(self.models):
            raise ValueError(
                f"{self.name} needs two to eight models of different names, got {[each.name for each in self.models]}"
            )
        if unknown := sorted(set(self.shares).difference(TOPICS)):
            raise ValueError(f"{self.name} has the topic {unknown[0]!r}; topics are {', '.join(TOPICS)}")

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """All models' configurations, K of them."""
        return tuple(Configuration(model.name, *search) for model in self.models for search in model.searches)

    @property
    def model_of(self) -> Integers:
        """For each configuration the place of its model, shape (K,)."""
        return np.array([place for place, model in enumerate(self.models) for _ in model.searches])

    def draw(self, seed: int, requests: int = 600) -> Traffic:
        """A stream of requests, the same for the same kind and seed.

        Args:
            seed: of everything that is drawn.
            requests: how many, T.
        """
        topics = tuple(self.shares)
        shares = np.array([self.shares[name] for name in topics])
        topic = self._rng(seed, "topics").choice(len(topics), size=requests, p=shares / shares.sum())
        texts, inputs, contexts = self._prompts(seed, [topics[place] for place in topic])
        configurations, model_of = self.configurations, self.model_of
        paths = np.array([each.most_paths for each in configurations])
        samples = draw_samples(self._rng(seed, "samples"), self.models, topics, topic, int(paths.max()))
        correct, score, tokens = answers(samples, model_of, paths)
        failed = samples.failed[:, model_of]
        price_in, price_out = (
            np.array([getattr(model, name) for model in self.models])[model_of] / 1e6 for name in ("input_price", "output_price")
        )
        mean_tokens = np.array([[model.mean_tokens(name) for model in self.models] for name in topics])[topic][:, model_of]
        dollars = paths * (inputs[:, None] * price_in + tokens * price_out)
        expected = paths * (inputs[:, None] * price_in + mean_tokens * price_out)
        arrives = np.array([model.arrives for model in self.models])[model_of]
        told, flipped, told_at = self.judging.draw(self._rng(seed, "judging"), requests)
        return Traffic(
            texts=texts,
            topics=topics,
            topic=topic,
            input_tokens=inputs,
            context_tokens=contexts,
            configurations=configurations,
            paths=paths,
            model_of=model_of,
            correct=correct,
            score=score,
            output_tokens=tokens,
            dollars=np.where(failed, 0.0, dollars),
            expected_dollars=expected,
            failed=failed,
            available=np.arange(requests)[:, None] >= arrives,
            told=told,
            flipped=flipped,
            told_at=told_at,
            told_correct=self.judging.said(told[:, None], flipped[:, None], correct, failed),
            samples=samples,
        )

    def _rng(self, seed: int, part: str) -> np.random.Generator:
        """Each part draws from a stream of its own, so that a change of one leaves the others as they were."""
        return np.random.default_rng([seed, crc32(f"{self.name}/{part}".encode())])

    def _prompts(self, seed: int, topics: list[str]) -> tuple[tuple[str, ...], Integers, Integers]:
        """The questions, all different, their input tokens and how many of those are a document before the question."""
        random = Random(f"{self.name}/{seed}")
        spread = self._rng(seed, "prompts").standard_normal(len(topics))
        wanted = np.rint(self.prompts.tokens * np.exp(self.prompts.spread * spread)).astype(np.int64)
        texts = dict[str, None]()
        inputs, contexts = np.empty(len(topics), dtype=np.int64), np.zeros(len(topics), dtype=np.int64)
        for place, (topic, tokens) in enumerate(zip(topics, wanted.tolist(), strict=True)):
            text = question(topic, random, min(max(100, tokens * 4 // 5), 800))
            missing = tokens - tokens_in(text) - MESSAGE_TOKENS
            if missing > 0 and self.prompts.document == "question":
                text = f"{passage(random, missing)}\n\n{text}"
            while text in texts:
                text = question(topic, random)
            texts[text] = None
            inputs[place] = MESSAGE_TOKENS + tokens_in(text)
            if missing > 0 and self.prompts.document == "system":
                contexts[place] = missing
                inputs[place] += missing
        return tuple(texts), inputs, contexts
