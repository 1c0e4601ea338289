"""A log that is folded from its beginning gives what the live engine has learned, whatever prices and models it had on the way."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
from langchain_core.language_models import FakeListChatModel

from tests.logged import store
from uniscale_integrations.engine import UniScale
from uniscale_integrations.langchain.chat_model import as_generator
from uniscale_integrations.policy.encoders import JointContext
from uniscale_integrations.policy.policy import Assessment
from uniscale_integrations.search.conversation import NUMBERS
from uniscale_integrations.search.ports import Generator
from uniscale_integrations.space import ConfigurationSpace

QUESTIONS = ("Who won the cup in 1998?", "Write a function that sorts a list of strings by their length.")
PRICES = {"mini": (0.25, 2.0), "maxi": (2.5, 20.0)}
DEARER = {"mini": (1.0, 8.0), "maxi": (1.5, 12.0)}


def models(*names: str) -> list[Generator]:
    chats = {name: FakeListChatModel(responses=[f"By {name}.\nAnswer: {len(name)}"]) for name in names}
    return [cast(Generator, as_generator(chat, name=name)) for name, chat in chats.items()]


def priced(log: str, prices: dict[str, tuple[float, float]], policy: str = "linucb") -> UniScale:
    space = ConfigurationSpace.default(["mini", "maxi"], [(1, 1, 1), (2, 1, 1)])
    features = JointContext(letters, "letters") if policy == "joint" else None
    return UniScale(models("mini", "maxi"), "agreement", space, log=log, prices=prices, policy=policy, features=features)


def letters(text: str) -> list[float]:
    """An embedding: how often each letter occurs."""
    return [1.0, *(float(text.count(letter)) for letter in "aeimnt")]


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
    return brain.policy.assess(context, engine.weights, np.ones(len(brain.space), dtype=bool))


def assert_same_beliefs(engine: UniScale, other: UniScale) -> None:
    for question in QUESTIONS:
        mine, theirs = beliefs(engine, question), beliefs(other, question)
        for name in ("correct", "score", "cost", "bonus"):
            np.testing.assert_allclose(getattr(mine, name), getattr(theirs, name), atol=1e-7, err_msg=name)


@pytest.mark.parametrize("policy", ["linucb", "joint", "greedy", "knn"])
def test_old_costs_count_at_the_prices_of_their_time(tmp_path: Path, policy: str) -> None:
    log = f"sqlite:///{tmp_path / 'log.db'}"
    live = priced(log, PRICES, policy)
    judge(live, 24)
    live.update(prices=DEARER)
    judge(live, 4)
    without_snapshots(live)
    assert_same_beliefs(priced(log, DEARER, policy), live)


def test_what_other_prices_have_taught_is_the_factor_to_what_was_expected(tmp_path: Path) -> None:
    log = f"sqlite:///{tmp_path / 'log.db'}"
    before = priced(log, PRICES)
    judge(before, 24)
    factors = []
    for engine in (before, priced(log, DEARER)):
        estimates = engine.brain.estimates
        factors.append((beliefs(engine, QUESTIONS[0]).cost - estimates.positions) * estimates.scale.span)
    np.testing.assert_allclose(factors[0], factors[1], atol=1e-9)


def test_outcomes_of_a_brain_that_the_log_does_not_describe_count_at_the_prices_of_today(tmp_path: Path) -> None:
    log = f"sqlite:///{tmp_path / 'log.db'}"
    before = priced(log, PRICES)
    judge(before, 24)
    with store(before)._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM uniscale_descriptions WHERE key LIKE 'brain:%'")
    with priced(log, DEARER) as anew:
        assert anew.state()["told"].sum() == 24
