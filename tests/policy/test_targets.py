from dataclasses import replace
from threading import Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.objective import Value, Weights
from uniscale_integrations.policy.policy import Assessment
from uniscale_integrations.policy.request_pacing import Pacing
from uniscale_integrations.policy.targets import BOLD, MAX_CARRY, AtLeast, Pacer, Target, Within, sought, target_of_record


def believed(
    correct: list[float], spend: list[float] | None, bonus: float = 0.0, eligible: list[bool] | None = None
) -> Assessment:
    """What a policy expects where a right answer is worth one."""
    right, costs = np.array(correct), np.zeros(len(correct)) if spend is None else np.array(spend)
    mask = np.ones(len(correct), dtype=bool) if eligible is None else np.array(eligible)
    nothing = np.zeros(len(correct))
    return Assessment(
        right, nothing, nothing, right - costs, np.full(len(correct), bonus), mask, None if spend is None else costs
    )


def decide(pacer: Pacer, assessment: Assessment, decision: str) -> int:
    """Choose as a policy does, and tell the pacer."""
    choice = pacer.adjust(assessment).best
    pacer.decided(decision, assessment, choice)
    assert assessment.spend is not None
    pacer.spend(float(assessment.spend[choice]))
    return choice


@given(st.floats(0.001, 0.999), st.floats(1e-9, 1e12))
def test_targets_are_read_back_from_what_stands_in_the_log(accuracy: float, cost: float) -> None:
    for target in (AtLeast(accuracy), Within(cost)):
        assert target_of_record(target.record()) == target == sought(target.record()) == sought(target)
        # A decision's objective in the log says the target, and what it has made of a right answer.
        assert target_of_record(Value(right=0.5).record() | target.record()) == target
    assert sought({"right": 0.5}) == Value(right=0.5)
    assert isinstance(sought("balanced"), Weights)
    assert isinstance(AtLeast(accuracy), Target)
    assert not isinstance(Value(right=1.0), Target)


@pytest.mark.parametrize("accuracy", [0.0, 1.0, 90, -0.5, float("nan"), "0.9"])
def test_shares_that_are_none_are_refused_with_their_value(accuracy: float) -> None:
    with pytest.raises(ConfigurationError, match=r"between 0 and 1, such as 0\.9, got"):
        AtLeast(accuracy)


@pytest.mark.parametrize("cost", [0.0, -1.0, float("inf"), float("nan"), "a cent"])
def test_mean_costs_that_are_none_are_refused_with_their_value(cost: float) -> None:
    with pytest.raises(ConfigurationError, match="above 0"):
        Within(cost)


@pytest.mark.parametrize("target", [AtLeast(0.9), Within(1.0)])
def test_a_policy_that_expects_no_costs_is_refused(target: Target) -> None:
    with pytest.raises(ConfigurationError, match="AtLeast and Within need"):
        target.pacer().adjust(believed([0.5, 0.9], None))


@pytest.mark.parametrize("target", [AtLeast(0.8), AtLeast(0.95), Within(2.0)])
def test_of_answers_that_are_free_the_best_is_taken(target: Target) -> None:
    pacer, assessment = target.pacer(), believed([0.7, 0.9, 0.8], [0.0, 0.0, 0.0])
    assert [decide(pacer, assessment, str(number)) for number in range(5)] == [1] * 5


@pytest.mark.parametrize(("target", "bold"), [(AtLeast(0.8), BOLD), (Within(2.0), 1.0)])
def test_rewards_are_those_of_the_objective_that_is_named(target: Target, bold: float) -> None:
    pacer, assessment = target.pacer(), believed([0.7, 0.9], [1.0, 5.0], bonus=0.1)
    for number in range(20):
        decide(pacer, assessment, str(number))
    adjusted = pacer.adjust(assessment)
    assert isinstance(adjusted.objective, Value)
    assert adjusted.objective.right is not None
    np.testing.assert_allclose(adjusted.reward, adjusted.objective.right * assessment.correct - [1.0, 5.0])
    np.testing.assert_allclose(adjusted.bonus, bold * adjusted.objective.right * 0.1)
    # What a right answer must be worth for the other one is not far, since both are taken by turns.
    flips = adjusted.objective.flips_at(adjusted.of(0), adjusted.of(1))
    assert flips == pytest.approx(20.0)
    assert adjusted.objective.right == pytest.approx(20.0, rel=1e-3)


def test_half_the_answers_are_dear_where_a_share_lies_in_the_middle() -> None:
    pacer, assessment = AtLeast(0.8).pacer(), believed([0.7, 0.9], [1.0, 5.0])
    assert sum(decide(pacer, assessment, str(number)) for number in range(100)) == pytest.approx(50, abs=1)


def test_a_mean_cost_goes_to_the_requests_where_it_brings_most() -> None:
    pacer = Within(2.6).pacer()
    much, little = believed([0.5, 0.9], [1.0, 5.0]), believed([0.8, 0.85], [1.0, 5.0])
    choices = np.array([[decide(pacer, much, f"{n}a"), decide(pacer, little, f"{n}b")] for n in range(100)])
    # 2.6 is what 80 of 100 dear answers to these, and none to the others, come to.
    assert choices[20:, 0].mean() == pytest.approx(0.8, abs=0.05)
    assert choices[20:, 1].mean() < 0.05


@pytest.mark.parametrize("order", ["ml", "lm", "mml", "lml", "llm", "lmmm"])
@pytest.mark.parametrize("target", [AtLeast, Within])
def test_what_is_bought_does_not_depend_on_the_order_in_which_kinds_of_requests_come(
    order: str, target: type[AtLeast] | type[Within]
) -> None:
    kinds = {"m": believed([0.5, 0.9], [1.0, 5.0]), "l": believed([0.8, 0.85], [1.0, 5.0])}
    share = order.count("m") / len(order)
    # Exactly what dear answers to all those that gain much, and none to the others, come to.
    asked = {AtLeast: 0.9 * share + 0.8 * (1.0 - share), Within: 1.0 + 4.0 * share}[target]
    pacer, dear = target(asked).pacer(), {"m": list[int](), "l": list[int]()}
    for number in range(50 * len(order)):
        kind = order[number % len(order)]
        dear[kind].append(decide(pacer, kinds[kind], str(number)))
    assert np.mean(dear["m"]) >= 0.95
    assert np.mean(dear["l"]) <= 0.05


@given(st.floats(1.05, 4.95), st.integers(0, 1000))
def test_a_mean_cost_is_not_exceeded_by_more_than_its_slack(mean_cost: float, seed: int) -> None:
    pacer, rng, spent = Within(mean_cost).pacer(), np.random.default_rng(seed), 0.0
    for number in range(150):
        assessment = believed(np.sort(rng.uniform(0.3, 1.0, 3)).tolist(), [1.0, 2.0, 5.0])
        assert assessment.spend is not None
        spent += float(assessment.spend[decide(pacer, assessment, str(number))])
    # Ten mean costs may be overdrawn, and one more answer.
    assert spent <= mean_cost * 161.0


def test_savings_of_long_ago_are_not_spent() -> None:
    pacer = Within(3.0).pacer()
    for number in range(200):
        decide(pacer, believed([0.7, 0.7], [1.0, 5.0]), f"before {number}")
    after = [decide(pacer, believed([0.7, 0.9], [1.0, 5.0]), str(number)) for number in range(300)]
    assert 1.0 + 4.0 * float(np.mean(after)) <= 3.0 * 1.02


@given(st.integers(0, 1000), st.floats(0.5, 6.0), st.floats(0.0, 0.1))
def test_a_mean_budget_on_right_answers_chooses_as_the_target_does(seed: int, mean_cost: float, bonus: float) -> None:
    rng, target, pacing = np.random.default_rng(seed), Within(mean_cost).pacer(), Pacing(mean_cost, carry=MAX_CARRY)
    for number in range(40):
        assessment = believed(rng.uniform(0.3, 1.0, 3).tolist(), rng.uniform(0.5, 8.0, 3).tolist(), bonus)
        assert assessment.spend is not None
        budgeted = pacing.adjust(replace(assessment, reward=assessment.correct)).best
        assert decide(target, assessment, str(number)) == budgeted
        pacing.spend(float(assessment.spend[budgeted]))


def test_what_is_not_eligible_neither_counts_nor_is_chosen() -> None:
    for target in (AtLeast(0.99), Within(100.0)):
        pacer = target.pacer()
        assert decide(pacer, believed([0.5, 0.6, 0.9], [1.0, 2.0, 3.0], eligible=[True, True, False]), "d") == 1


def test_threads_may_share_what_keeps_to_a_target() -> None:
    pacer, assessment = AtLeast(0.8).pacer(), believed([0.7, 0.9], [1.0, 5.0])
    choices: list[int] = []

    def serve(worker: int) -> None:
        for number in range(50):
            choices.append(decide(pacer, assessment, f"{worker}/{number}"))
            pacer.judged(f"{worker}/{number}", assessment.correct[choices[-1]])

    threads = [Thread(target=serve, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(choices) == 200
    assert sum(choices) == pytest.approx(100, abs=20)
