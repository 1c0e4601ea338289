"""A log that is folded from its beginning gives what the live engine has learned, whatever prices and models it had on the way."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine.chat_models import assert_same_beliefs, beliefs, judge, models, without_snapshots
from tests.engine.two_models import QUESTIONS
from tests.logged import store
from uniscale_integrations.engine import UniScale
from uniscale_integrations.policy.encoders import JointContext
from uniscale_integrations.policy.rates import USUAL_INPUT
from uniscale_integrations.space import ConfigurationSpace

PRICES = {"mini": (0.25, 2.0), "maxi": (2.5, 20.0)}
DEARER = {"mini": (1.0, 8.0), "maxi": (1.5, 12.0)}


def priced(log: str, prices: dict[str, tuple[float, float]], policy: str = "linucb") -> UniScale:
    space = ConfigurationSpace.default(["mini", "maxi"], [(1, 1, 1), (2, 1, 1)])
    features = JointContext(letters, "letters") if policy == "joint" else None
    return UniScale(models("mini", "maxi"), "agreement", space, log=log, prices=prices, policy=policy, features=features)


def letters(text: str) -> list[float]:
    """An embedding: how often each letter occurs."""
    return [1.0, *(float(text.count(letter)) for letter in "aeimnt")]


@pytest.mark.parametrize("policy", ["linucb", "joint", "greedy", "knn"])
def test_old_costs_count_at_the_prices_of_their_time(log: str, policy: str) -> None:
    live = priced(log, PRICES, policy)
    judge(live, 24)
    live.update(prices=DEARER)
    judge(live, 4)
    without_snapshots(live)
    assert_same_beliefs(priced(log, DEARER, policy), live)


def test_what_other_prices_have_taught_is_the_factor_to_what_was_expected(log: str) -> None:
    before = priced(log, PRICES)
    judge(before, 24)
    factors = []
    for engine in (before, priced(log, DEARER)):
        usual = engine.brain.estimates.rates
        spend = beliefs(engine, QUESTIONS[0]).spend
        assert spend is not None
        factors.append(spend / usual.spend(usual.usual, np.full(len(spend), USUAL_INPUT)))
    # Prices of input and output that do not change alike move the cost of an answer that is shorter than usual by other factors.
    np.testing.assert_allclose(factors[0], factors[1], rtol=0.05)


def test_outcomes_of_a_brain_that_the_log_does_not_describe_count_at_the_prices_of_today(log: str) -> None:
    before = priced(log, PRICES)
    judge(before, 24)
    with store(before)._engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM uniscale_descriptions WHERE key LIKE 'brain:%'")
    with priced(log, DEARER) as anew:
        assert anew.state()["told"].sum() == 24
