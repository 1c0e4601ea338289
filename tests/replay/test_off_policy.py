"""What is estimated from a log, which has one answer to each question."""

from __future__ import annotations

import numpy as np
import pytest

from uniscale_integrations.errors import TableError
from uniscale_integrations.log.events import DecisionEvent, Feedback, Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.sql import SQLStore
from uniscale_integrations.policy.objective import Value, weights
from uniscale_integrations.replay.experiment import Setup, experiment
from uniscale_integrations.replay.logged import LoggedDecisions
from uniscale_integrations.replay.off_policy import logged_world
from uniscale_integrations.space import Configuration

ARMS = (Configuration("a"), Configuration("b"))
WEIGHTS = (0.4, 0.3, 0.3)


def filled(count: int, *, told: bool = True, judged: float = 1.0, seed: int = 0) -> SQLStore:
    """A log of two kinds of questions that no feature tells apart: "a" is right on 90 % of one and 30 % of the other, "b" on half.

    Args:
        count: decisions.
        told: whether the log says how likely each choice was; "a" is chosen for 80 % of the questions that it is good at, 20 % of others.
        judged: share of judged answers.
        seed: of everything.
    """
    rng, log = np.random.default_rng(seed), open_log("sqlite://")
    for number in range(count):
        kind = int(rng.random() < 0.5)
        first = bool(rng.random() < (0.8, 0.2)[kind])
        propensity = (0.8, 0.2)[kind] if first else (0.2, 0.8)[kind]
        right = float(rng.random() < ((0.9, 0.3)[kind] if first else 0.5))
        name, one = f"d{number}", ARMS[0 if first else 1]
        decision = DecisionEvent(name, one, (1.0, float(rng.normal())), "own", WEIGHTS, propensity if told else 1.0)
        feedback = [Feedback(name, right)] if rng.random() < judged else []
        log.append(decision, Outcome(name, None, usd=0.001 if first else 0.003), *feedback)
    return log


def test_estimates_are_right_where_choices_were_drawn_although_the_model_is_wrong() -> None:
    world = logged_world(LoggedDecisions.read(filled(1500)))
    [drawn] = experiment(world, Setup(Value(right=1.0), ("random",), seeds=1))
    np.testing.assert_allclose(drawn.fixed_rewards[0], [0.6 - 0.001, 0.5 - 0.003], atol=0.06)
    certain = logged_world(LoggedDecisions.read(filled(1500, told=False)))
    [alone] = experiment(certain, Setup(Value(right=1.0), ("random",), seeds=1))
    # What the engine chose well is all that the model has seen of it.
    assert alone.fixed_rewards[0, 0] > 0.7


def test_a_policy_that_chooses_as_the_log_does_is_credited_with_what_came_of_it() -> None:
    log = LoggedDecisions.read(filled(300, told=False))
    world = logged_world(log)
    rows = np.arange(300)
    np.testing.assert_array_equal(world.parts[0, rows, log.actions, 0], log.correct)
    np.testing.assert_allclose(world.raw_costs[rows, :, 0], [[0.001, 0.003]] * 300, rtol=1e-6)
    [episode] = experiment(world, Setup(weights("balanced"), ("uis", "random"), seeds=1))
    assert episode.runs["random"].seen_share == pytest.approx(0.5, abs=0.15)


def test_answers_that_nobody_judged_are_filled_by_the_model_and_not_weighed() -> None:
    log = LoggedDecisions.read(filled(400, judged=0.5))
    world = logged_world(log)
    assert world.off_policy is not None
    assert 120 < log.judged.sum() < 280
    assert (world.off_policy.weights[~log.judged] == 0).all()
    assert (world.off_policy.weights[log.judged] > 0).all()
    assert np.isfinite(world.parts[0]).all()
    assert set(np.unique(world.off_policy.learned)) <= {0.0, 1.0}
    assert not world.scored


def test_what_failed_or_was_never_judged_is_passed_over() -> None:
    log = filled(60)
    log.append(DecisionEvent("failed", ARMS[0], (1.0, 0.0), "own", WEIGHTS), Outcome("failed", None, failed="timeout"))
    log.append(DecisionEvent("other", Configuration("c"), (1.0, 0.0), "own", WEIGHTS), Outcome("other", None, usd=0.1))
    found = LoggedDecisions.read(log)
    assert (len(found.actions), found.passed_over, found.unit) == (60, 2, "usd")
    assert set(found.configurations) == set(ARMS)


def test_a_log_without_judgements_cannot_be_replayed() -> None:
    with pytest.raises(TableError, match="judged answers of 0 configurations in 20 decisions"):
        LoggedDecisions.read(filled(20, judged=0.0))
    with pytest.raises(TableError, match="in 0 decisions"):
        LoggedDecisions.read(open_log("sqlite://"))
