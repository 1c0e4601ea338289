"""A model that was removed and comes back begins with what the log tells of it, as it does for who starts anew."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine.chat_models import assert_same_beliefs, beliefs, judge, models, without_snapshots
from tests.engine.two_models import QUESTIONS
from uniscale_integrations.engine import Model, UniScale
from uniscale_integrations.search.ports import Generator
from uniscale_integrations.space import ConfigurationSpace

SHAPES = [(1, 1, 1), (2, 1, 1)]


def engine(log: str, given: list[Generator], policy: str = "linucb") -> UniScale:
    space = ConfigurationSpace.default([each.name for each in given], SHAPES)
    return UniScale(given, "agreement", space, log=log, policy=policy)


def go_on(live: UniScale, *given: object) -> None:
    names = [each if isinstance(each, str) else (each if isinstance(each, Model) else Model(each)).called for each in given]
    live.update(models=list(given), space=ConfigurationSpace.default(names, SHAPES))


def told(made: UniScale) -> dict[str, float]:
    state = made.state()
    return dict(zip(map(str, state["arms.configurations"]), state["told"].tolist(), strict=True))


@pytest.mark.parametrize("policy", ["linucb", "greedy", "knn"])
def test_it_begins_as_for_who_starts_anew(log: str, policy: str) -> None:
    mini, maxi = models("mini", "maxi")
    live = engine(log, [mini, maxi], policy)
    judge(live, 24)
    before = beliefs(live, QUESTIONS[0])
    go_on(live, "maxi")
    judge(live, 8)
    go_on(live, mini, "maxi")
    anew = engine(log, [mini, maxi], policy)
    assert_same_beliefs(anew, live)
    assert not np.allclose(before.correct[:2], beliefs(engine("sqlite://", [mini, maxi], policy), QUESTIONS[0]).correct[:2])
    if policy == "greedy":
        np.testing.assert_allclose(beliefs(live, QUESTIONS[0]).correct[:2], before.correct[:2])
    without_snapshots(live)
    assert_same_beliefs(engine(log, [mini, maxi], policy), live)


def test_what_comes_for_the_first_time_begins_with_the_prior(log: str) -> None:
    mini, maxi, third = models("mini", "maxi", "third")
    live = engine(log, [mini, maxi])
    judge(live, 12)
    fold, before = live.brain.fold, told(live)
    go_on(live, "mini", "maxi", third)
    assert live.brain.fold.events == fold.events, "the log need not be read again"
    assert {name: told(live)[name] for name in before} == before
    assert sum(told(live).values()) == 12


def test_what_was_handed_on_to_a_successor_stays_when_a_model_comes_back(log: str) -> None:
    mini, maxi, heir = models("mini", "maxi", "heir")
    live = engine(log, [mini, maxi])
    judge(live, 24)
    before, judged = beliefs(live, QUESTIONS[0]), told(live)
    go_on(live, "maxi", Model(heir, successor_of="mini"))
    handed_on = beliefs(live, QUESTIONS[0])
    go_on(live, "maxi", "heir", mini)
    after = beliefs(live, QUESTIONS[0])
    assert told(live) == judged | {name: 0.0 for name in told(live) if name not in judged}
    np.testing.assert_allclose(after.correct[2:4], handed_on.correct[2:4], atol=0.05)
    np.testing.assert_allclose(after.correct[4:], before.correct[:2], atol=0.1)
    assert_same_beliefs(UniScale([maxi, heir, mini], "agreement", live.space, log=log), live)


def test_a_worker_that_starts_in_between_knows_what_has_gone(log: str) -> None:
    mini, maxi = models("mini", "maxi")
    first = engine(log, [mini, maxi])
    judge(first, 24)
    go_on(first, "maxi")
    first.close()
    live = engine(log, [maxi])
    assert live.brain.fold.events == 0, "it begins at the snapshot"
    go_on(live, mini, "maxi")
    assert_same_beliefs(engine(log, [mini, maxi]), live)
    assert sum(told(live).values()) == 24
