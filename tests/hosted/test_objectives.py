import numpy as np
import pytest

from benchmarks.hosted.kinds import KINDS
from benchmarks.hosted.objectives import OBJECTIVES, Objective, positions
from benchmarks.hosted.yardsticks import alone, fixed, rule, to_be_found


@pytest.mark.parametrize("name", OBJECTIVES)
def test_expected_rewards_are_the_mean_of_rewards(name: str) -> None:
    kind, objective = KINDS["specialists"], Objective.of(name)
    traffic = kind.draw(0, 6000)
    rewards, expected = objective.rewards(traffic), objective.expected(kind, traffic)
    error = rewards.std(axis=0) / np.sqrt(len(traffic))
    # The logarithm of a cost that varies lies below that of its mean; by less than a hundredth of the scale here.
    slack = 0.01 if objective.weights is not None else 0.0
    assert (np.abs(rewards.mean(axis=0) - expected.mean(axis=0)) < 4 * error + slack).all()


def test_a_value_by_points_makes_the_dearest_as_good_as_the_cheapest_where_it_is_right_on_so_many_more() -> None:
    kind = KINDS["pair"]
    traffic = kind.draw(0, 200)
    value = Objective.of("points=5").values(traffic)
    plain = traffic.expected_dollars[:, [0, 4]]
    np.testing.assert_allclose(value * 0.05, plain[:, 1] - plain[:, 0])


def test_the_scale_of_costs_is_open_and_at_least_a_factor_of_a_hundred_wide() -> None:
    traffic = KINDS["tenth-apart-equal"].draw(0, 50)
    cheapest = traffic.expected_dollars.min(axis=1, keepdims=True)
    scaled = positions(traffic, cheapest * np.array([[1.0, 1.1, 10.0, 100.0, 1000.0, 0.5]]))
    np.testing.assert_allclose(
        scaled, np.tile([0.0, np.log(1.1) / np.log(100), 0.5, 1.0, 1.5, np.log(0.5) / np.log(100)], (50, 1))
    )


def test_fixed_configurations_change_once_where_a_model_arrives_and_never_use_what_is_not_there() -> None:
    traffic = KINDS["arrival"].draw(0)
    names, choices = fixed(traffic)
    assert len(names) == 8 + 8 * 4
    assert traffic.available[np.arange(600)[None], choices].all()
    assert any(name.startswith("(large,1,1,1), then (new") for name in names)


def test_where_a_model_fails_the_cheapest_other_one_answers() -> None:
    traffic = KINDS["pair-failures"].draw(0)
    names, choices = fixed(traffic)
    large = choices[names.index("(large,1,1,1)")]
    fails = traffic.failed[:, 4]
    assert fails.any()
    other = fails & ~traffic.failed[:, 0]
    assert (large[other] == 0).all()
    assert (large[~fails] == 4).all()
    models, rows = alone(traffic)
    assert (rows[models.index("large")] == 4).all()


def test_the_rule_sends_every_topic_to_the_model_that_is_best_at_it() -> None:
    kind = KINDS["specialists"]
    traffic = kind.draw(0)
    choices = rule(kind, traffic, Objective.of("points=5"))
    by_topic = {
        topic: {traffic.configurations[arm].model for arm in choices[traffic.topic == place].tolist()}
        for place, topic in enumerate(traffic.topics)
    }
    assert by_topic["code"] == {"coder"}
    assert by_topic["trivia"] == {"scholar"}
    assert by_topic["arithmetic"] == {"solver"}
    assert to_be_found(kind, traffic, Objective.of("points=5")) == {0, 1, 2}


def test_where_the_best_model_differs_the_rule_is_ahead_of_every_fixed_configuration() -> None:
    kind, objective = KINDS["specialists"], Objective.of("value=0.01")
    traffic = kind.draw(0)
    rewards, times = objective.rewards(traffic), np.arange(600)
    _, choices = fixed(traffic)
    assert rewards[times, rule(kind, traffic, objective)].mean() > 1.1 * rewards[times, choices].mean(axis=1).max()


def test_an_objective_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="'cheap'"):
        Objective.of("cheap")
