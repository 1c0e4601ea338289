from dataclasses import replace

import numpy as np
import pytest

from benchmarks.hosted.fast import Task, overall, run, run_all
from benchmarks.hosted.kind import Kind
from benchmarks.hosted.kinds import KINDS
from benchmarks.hosted.measures import columns, measure, summary
from benchmarks.hosted.objectives import Objective
from benchmarks.hosted.player import ENCODE, Play, Silence, play
from benchmarks.hosted.traffic import Traffic


def played(kind: Kind, requests: int, objective: str = "balanced", silence: Silence | None = None) -> tuple[Traffic, Play]:
    traffic = kind.draw(0, requests)
    features = np.stack([ENCODE(text) for text in traffic.texts])
    return traffic, play(kind, traffic, features, Objective.of(objective), silence=silence)


def test_a_model_is_chosen_only_from_its_arrival_on() -> None:
    traffic, done = played(KINDS["arrival"], 400, "quality-first")
    models = traffic.model_of[done.choices]
    assert (models[:300] != 2).all()
    assert (models[300:] == 2).any()


def test_what_fails_is_answered_by_another_model() -> None:
    kind = KINDS["pair"]
    failing = replace(kind, models=tuple(replace(model, failure_rate=0.3) for model in kind.models))
    traffic, done = played(failing, 200)
    times = np.arange(200)
    assert traffic.failed[times, done.first].any()
    # Where an answer is missing, no model had one.
    assert traffic.failed[traffic.failed[times, done.choices]].all()


def test_silence_counts_only_where_it_has_a_meaning() -> None:
    down = KINDS["specialists-thumbs-down"]
    assert Silence.of(KINDS["pair"].judging) is None
    meaning = Silence.of(down.judging)
    assert meaning is not None
    assert meaning.means == 1.0
    _, without = played(down, 300)
    _, with_meaning = played(down, 300, silence=Silence(1.0, 0))
    assert (without.choices != with_meaning.choices).any()


def test_judgements_that_are_late_change_nothing_before_they_are_there() -> None:
    kind = KINDS["pair"]
    late = replace(kind, judging=replace(kind.judging, delay=100))
    never = replace(kind, judging=replace(kind.judging, share=0.0))
    [(_, one), (_, other)] = [played(each, 120) for each in (late, never)]
    np.testing.assert_array_equal(one.choices[:50], other.choices[:50])


def test_shares_are_those_of_the_best_fixed_configuration() -> None:
    kind, objective = KINDS["pair"], Objective.of("value=0.03")
    orders = []
    for seed in range(3):
        traffic = kind.draw(seed, 300)
        always = np.full(300, 4)
        orders.append(measure(kind, traffic, objective, columns(traffic, objective.rewards(traffic), always), always))
    found = summary(orders)
    assert found["best_fixed"] == "(large,1,1,1)"
    assert found["share"] == pytest.approx({"whole": 1.0, "first 200": 1.0, "last half": 1.0})
    assert found["alone"]["large"]["accuracy"] == found["accuracy"]
    assert found["alone"]["mini"]["share"]["whole"] < 0.9
    assert found["lost"] == pytest.approx({"whole": 0.0, "first 200": 0.0, "last half": 0.0})
    assert found["found_after_median"] == 10


def test_losses_are_losses_where_every_configuration_costs_more_than_it_is_worth() -> None:
    kind, objective = KINDS["input-dominates"], Objective.of("value=0.0001")
    traffic = kind.draw(0, 100)
    rewards, dear = objective.rewards(traffic), np.full(100, 7)
    found = summary([measure(kind, traffic, objective, columns(traffic, rewards, dear), dear)])
    assert found["best_fixed_reward"] < 0.0
    assert found["share"]["whole"] < 0.0
    assert found["lost"]["whole"] == pytest.approx((found["best_fixed_reward"] - found["reward"]) / 0.0001)


def test_orders_side_by_side_come_to_the_same_as_one_after_the_other() -> None:
    kinds, objectives = ["pair", "tenth-apart"], ["balanced"]
    one, two = (dict(run_all(kinds, objectives, orders=2, requests=60, processes=number)) for number in (1, 2))
    assert one == two
    assert list(one) == kinds
    total = overall(one, "balanced")
    shares = [row["balanced"]["share"]["whole"] for row in one.values()]
    assert total["mean_share"]["whole"] == pytest.approx(np.mean(shares))
    assert total["worst_share"]["whole"]["share"] == min(shares)


def test_one_order_is_played_for_every_objective() -> None:
    results = run(Task("twins", 0, 80, ("balanced", "points=5")))
    assert set(results) == {"balanced", "points=5"}
    assert results["balanced"].policy.shape == (3, 3)
