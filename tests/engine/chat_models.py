"""Chat models as an engine takes them, and what an engine believes, without asking it to decide."""

from __future__ import annotations

from typing import cast

import numpy as np
from langchain_core.language_models import FakeListChatModel

from tests.engine.two_models import QUESTIONS
from uniscale_integrations.engine import UniScale
from uniscale_integrations.langchain.generator import as_generator
from uniscale_integrations.policy.objective import Objective
from uniscale_integrations.policy.policy import Assessment, Policy
from uniscale_integrations.search.conversation import NUMBERS
from uniscale_integrations.search.ports import Generator


def models(*names: str) -> list[Generator]:
    chats = {name: FakeListChatModel(responses=[f"By {name}.\nAnswer: {len(name)}"]) for name in names}
    return [cast(Generator, as_generator(chat, name=name)) for name, chat in chats.items()]


def judge(engine: UniScale, count: int) -> None:
    for turn in range(count):
        names = list(engine.models)
        answer = engine.run(QUESTIONS[turn % 2], models=[names[turn // 2 % len(names)]])
        engine.feedback(answer, float(turn % 3 > 0))


def without_snapshots(engine: UniScale) -> None:
    engine.sync()
    engine.log.forget_snapshots()
    assert not engine.log.snapshots_of("")


def beliefs(engine: UniScale, question: str) -> Assessment:
    """What an engine thinks of a question, without deciding it."""
    brain = engine.brain
    context = brain.design.encode.context(question, np.zeros(len(NUMBERS)), brain.space)
    assert isinstance(engine.objective, Objective)
    return cast(Policy, brain.policy).assess(context, engine.objective, np.ones(len(brain.space), dtype=bool))


def assert_same_beliefs(engine: UniScale, other: UniScale) -> None:
    for question in QUESTIONS:
        mine, theirs = beliefs(engine, question), beliefs(other, question)
        for name in ("correct", "score", "cost", "bonus"):
            np.testing.assert_allclose(getattr(mine, name), getattr(theirs, name), atol=1e-7, err_msg=name)
