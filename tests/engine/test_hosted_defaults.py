"""With nothing but prices, the better of two hosted models is found, and asked where it earns its price."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

import pytest

from uniscale_integrations import Value
from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.engine import UniScale
from uniscale_integrations.models.chat.client import Completion, CompletionRequest, Continuation
from uniscale_integrations.models.chat.model import ChatStepModel
from uniscale_integrations.policy.objective import Objective
from uniscale_integrations.tokens import count_conversation

QUESTION = "Tom has {n} apples and buys {m} more in shop {s}. How many apples does Tom have now?"


class Hosted:
    """A model that is right on a share of the questions, always the same ones, at some length."""

    capabilities: frozenset[str] = frozenset()
    stop: Sequence[str] = ()
    continuations: Sequence[Continuation] = ()

    def __init__(self, name: str, skill: float, tokens: float) -> None:
        self.name, self._skill, self._tokens = name, skill, tokens

    async def complete(self, request: CompletionRequest) -> Completion:
        question = request.conversation.question
        digest = blake2b(f"{self.name}|{question}".encode(), digest_size=4).digest()
        right = int.from_bytes(digest, "big") / 2**32 < self._skill
        usage = Usage(count_conversation(request.conversation, self.name), self._tokens)
        return Completion(f"Answer: {1 if right else 0}", usage=usage)


def engine(mode: Objective | None = None) -> UniScale:
    models = [
        ChatStepModel(Hosted("mini", 0.63, 150.0), price=(0.25, 2.0)),
        ChatStepModel(Hosted("maxi", 0.9, 150.0), price=(1.25, 10.0)),
    ]
    return UniScale(models, mode=mode)


def play(made: UniScale, count: int) -> list[str]:
    asked = []
    for number in range(count):
        answer = made.run(QUESTION.format(n=number % 17 + 2, m=number % 5 + 3, s=number))
        made.feedback(answer, correct=float(answer.answer == "1"))
        asked.append(answer.configuration.model)
    return asked


def test_by_default_the_better_model_is_found_and_asked() -> None:
    with engine() as made:
        asked = Counter(play(made, 160)[-60:])
        assert asked["maxi"] > 45
        assert made.objective == Value(points=5.0)
        decision = made.decide(QUESTION.format(n=1, m=2, s=3))
        objective = decision.objective
        assert isinstance(objective, Value)
        # Five points are worth what the one costs more than the other on this question.
        gap = (1.25 - 0.25) * (decision.input_tokens or 0.0) + (10.0 - 2.0) * 150.0
        assert objective.right == pytest.approx(gap / 1e6 / 0.05, rel=0.5)


def test_where_a_right_answer_is_worth_little_the_cheap_one_is_asked() -> None:
    with engine(Value(right=0.0005)) as made:
        asked = Counter(play(made, 120)[-60:])
        assert asked["mini"] > 50
        answer = made.run(QUESTION.format(n=1, m=2, s=3))
        assert made.reward(answer, 1.0) == pytest.approx(0.0005 - answer.ledger.usd)
        assert made.reward(answer, 1.0, Value(right=1.0)) == pytest.approx(1.0 - answer.ledger.usd)


def test_what_an_answer_earned_by_points_is_what_it_was_worth_when_it_was_decided() -> None:
    with engine() as made:
        answer = made.run(QUESTION.format(n=1, m=2, s=3))
        [worth] = {
            entry.event.objective.record()["right"]
            for entry in made.log.of_decisions([answer.decision_id or ""])
            if hasattr(entry.event, "objective")
        }
        assert made.reward(answer, 1.0) == pytest.approx(worth - answer.ledger.usd)
