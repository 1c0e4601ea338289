from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.accuracy_pacer import CLOSE, PRIOR_JUDGEMENTS, AccuracyPacer

REQUESTS = 400


class Stream:
    """Requests of a few kinds, on each of which every action is right so often, and costs so much."""

    def __init__(self, seed: int, actions: int = 3, kinds: int = 4) -> None:
        rng = np.random.default_rng(seed)
        self.right = np.sort(rng.uniform(0.2, 0.98, (kinds, actions)), axis=1)
        self.costs = np.sort(rng.uniform(0.1, 10.0, (kinds, actions)), axis=1)
        self.kind = rng.integers(kinds, size=REQUESTS)
        self.luck = rng.random(REQUESTS)
        self.told = rng.random(REQUESTS)

    def between(self, share: float) -> float:
        """A share of right answers between that of the cheapest actions and that of the best."""
        least, most = self.right[self.kind, 0].mean(), self.right[self.kind, -1].mean()
        return float(least + share * (most - least))

    def cheapest(self, accuracy: float) -> float:
        """Mean cost of the cheapest mix that is right so often, by trying all values of a right answer."""
        mixes = [self._mix(value) for value in np.geomspace(1e-3, 1e4, 1000)]
        right, costs = (np.array(column) for column in zip(*mixes, strict=True))
        above = int((right >= accuracy).argmax())
        if above == 0:
            return float(costs[0])
        share = (accuracy - right[above - 1]) / (right[above] - right[above - 1])
        return float((1.0 - share) * costs[above - 1] + share * costs[above])

    def _mix(self, value: float) -> tuple[float, float]:
        choices = (value * self.right - self.costs).argmax(axis=1)[self.kind]
        return float(self.right[self.kind, choices].mean()), float(self.costs[self.kind, choices].mean())


def kept(
    stream: Stream, pacer: AccuracyPacer, *, judged: float = 1.0, bias: float = 0.0, late: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How often the choices are right by their true shares, what they cost, and which they were."""
    every = np.ones(stream.right.shape[1], dtype=bool)
    right, costs, choices, due = [], [], [], []
    for time, kind in enumerate(stream.kind.tolist()):
        believed = np.clip(stream.right[kind] + bias, 0.0, 1.0)
        value = pacer.value(believed, stream.costs[kind], every)
        # An infinite value is one that outweighs every cost.
        choice = int((min(value, 1e9) * believed - stream.costs[kind]).argmax())
        pacer.decided(str(time), float(believed[choice]))
        if stream.told[time] < judged:
            due.append((time + late, str(time), float(stream.luck[time] < stream.right[kind, choice])))
        while due and due[0][0] <= time:
            _, decision, correct = due.pop(0)
            pacer.judged(decision, correct)
        right.append(stream.right[kind, choice])
        costs.append(stream.costs[kind, choice])
        choices.append(choice)
    return np.array(right), np.array(costs), np.array(choices)


SEEDS, SHARES = st.integers(0, 10_000), st.floats(0.1, 0.9)


@settings(max_examples=5)
@given(SEEDS, SHARES)
def test_what_is_expected_truly_is_kept_to_at_the_cost_of_the_cheapest_mix(seed: int, share: float) -> None:
    stream = Stream(seed)
    accuracy = stream.between(share)
    right, costs, _ = kept(stream, AccuracyPacer(accuracy), judged=0.0)
    half = REQUESTS // 2
    assert right[half:].mean() == pytest.approx(accuracy, abs=0.02)
    assert costs.mean() <= 1.1 * stream.cheapest(float(right.mean())) + 0.05


STREAMS = 12


def off(accuracy_of: float, *, bias: float = 0.0, judged: float = 1.0, late: int = 0) -> np.ndarray:
    """How far off the second half of each of some streams is, by the true shares of what was chosen."""
    result = []
    for seed in range(STREAMS):
        stream = Stream(seed)
        accuracy = stream.between(accuracy_of)
        right, _, _ = kept(stream, AccuracyPacer(accuracy), bias=bias, judged=judged, late=late)
        result.append(right[REQUESTS // 2 :].mean() - accuracy)
    return np.array(result)


@pytest.mark.parametrize(("judged", "late"), [(1.0, 0), (1.0, 50), (0.3, 0)])
def test_judgements_do_not_lead_away_from_what_is_expected_truly(judged: float, late: int) -> None:
    found = off(0.5, judged=judged, late=late)
    # Luck has a standard deviation of at most .5 an answer. As a correction that of n answers counts n of n + PRIOR_JUDGEMENTS, so that it
    # moves the share by no more than this, on average over streams by less.
    by_luck = 0.25 / np.sqrt(PRIOR_JUDGEMENTS)
    assert np.sqrt((found**2).mean()) <= by_luck + 0.01
    assert abs(found.mean()) <= 3.0 * by_luck / np.sqrt(STREAMS)


@pytest.mark.parametrize("bias", [-0.15, 0.15])
def test_too_high_or_too_low_expectations_are_corrected(bias: float) -> None:
    corrected, uncorrected = off(0.5, bias=bias).mean(), off(0.5, bias=bias, judged=0.0).mean()
    assert np.sign(uncorrected) == -np.sign(bias)
    # Of the last half of 200 to 400 judgements, 100 to 200 to PRIOR_JUDGEMENTS: half to two thirds is corrected.
    assert abs(corrected) <= 0.5 * abs(uncorrected)


def test_what_luck_brings_is_not_made_good() -> None:
    lucky, unlucky, costs, every = AccuracyPacer(0.8), AccuracyPacer(0.8), np.array([1.0, 5.0]), np.array([True, True])
    for number in range(100):
        for pacer, correct in ((lucky, 1.0), (unlucky, float(number % 2))):
            pacer.value(np.array([0.7, 0.9]), costs, every)
            pacer.decided(str(number), 0.8)
            pacer.judged(str(number), correct)
    # 30 right answers apart; expectations are corrected by what 100 judgements tell, in the last half of which luck was no other.
    assert lucky.correction == pytest.approx(50 * 0.2 / (50 + PRIOR_JUDGEMENTS))
    assert unlucky.correction == pytest.approx(-50 * 0.3 / (50 + PRIOR_JUDGEMENTS))
    assert lucky.surplus - unlucky.surplus <= 100 * (lucky.correction - unlucky.correction)


@pytest.mark.parametrize("requests_until_known", [5.0, 20.0, 60.0, 200.0])
def test_a_share_is_kept_while_what_is_expected_changes(requests_until_known: float) -> None:
    pacer, costs, every, right = AccuracyPacer(0.75), np.array([1.0, 5.0]), np.array([True, True]), []
    for number in range(REQUESTS):
        # Of each request the dear action is expected to bring more than of all before it.
        unknown = np.exp(-number / requests_until_known)
        correct = np.array([0.5 + 0.3 * unknown, 0.99 - 0.15 * unknown])
        choice = int((min(pacer.value(correct, costs, every), 1e9) * correct - costs).argmax())
        pacer.decided(str(number), float(correct[choice]))
        right.append(float(correct[choice]))
    # What is expected too much in the first half is made good in the second, up to the slack.
    assert np.mean(right[REQUESTS // 2 :]) == pytest.approx(0.75, abs=pacer.slack / (REQUESTS // 2))
    assert np.mean(right) == pytest.approx(0.75, abs=pacer.slack / REQUESTS)


@settings(max_examples=5)
@given(SEEDS)
def test_what_is_out_of_reach_is_come_close_to(seed: int) -> None:
    stream = Stream(seed)
    right, _, _ = kept(stream, AccuracyPacer(0.99))
    # Believed out of reach from the first request on, which no luck changes for long.
    assert right.mean() == pytest.approx(stream.right.max(axis=1).mean(), abs=2.0 * CLOSE)


def test_the_last_of_what_is_in_reach_is_not_bought_at_any_price() -> None:
    pacer = AccuracyPacer(0.99)
    correct, costs, every = np.array([0.5, 0.9, 0.9 + 0.8 * CLOSE]), np.array([1.0, 2.0, 1000.0]), np.ones(3, dtype=bool)
    for _ in range(50):
        value = pacer.value(correct, costs, every)
        assert int((value * correct - costs).argmax()) == 1


@settings(max_examples=5)
@given(SEEDS)
def test_what_the_cheapest_give_costs_no_more(seed: int) -> None:
    stream = Stream(seed)
    least = float(stream.right[:, 0].min())
    _, _, choices = kept(stream, AccuracyPacer(least / 2.0), judged=0.0)
    assert (choices == 0).all()


@settings(max_examples=5)
@given(SEEDS, SHARES)
def test_windows_of_a_hundred_requests_do_not_swing_between_the_cheapest_and_the_best(seed: int, share: float) -> None:
    stream = Stream(seed)
    accuracy = stream.between(share)
    right, _, _ = kept(stream, AccuracyPacer(accuracy), judged=0.0)
    spread = stream.right[:, -1].mean() - stream.right[:, 0].mean()
    windows = right[100:].reshape(-1, 100).mean(axis=1)
    # Kinds come as they come: what differs between windows by that alone is allowed for.
    by_chance = 3.0 * stream.right.std() / 10.0
    assert np.ptp(windows) <= by_chance + 0.25 * spread + 0.05


def test_a_hope_counts_for_choices_but_not_for_answers() -> None:
    pacer = AccuracyPacer(0.75)
    correct, costs, every = np.array([0.7, 0.8]), np.array([1.0, 2.0]), np.array([True, True])
    hopeful = pacer.value(correct, costs, every, np.array([0.0, 0.1]))
    without = AccuracyPacer(0.75).value(correct, costs, every)
    assert hopeful == pytest.approx(5.0, rel=1e-3)
    assert without == pytest.approx(10.0, rel=1e-3)


def test_surplus_and_correction_are_bounded_both_ways() -> None:
    pacer = AccuracyPacer(0.5)
    for number in range(100):
        pacer.decided(str(number), 1.0)
    assert pacer.surplus == pacer.slack
    for number in range(100):
        pacer.decided(f"none {number}", 0.0)
    assert pacer.surplus == -pacer.slack
    for number in range(1000):
        pacer.decided(f"wrong {number}", 1.0)
        pacer.judged(f"wrong {number}", 0.0)
    assert pacer.correction == -0.3


@pytest.mark.parametrize("tell", [lambda pacer: pacer.judged("of another", 0.0), lambda pacer: None], ids=["other", "nothing"])
def test_judgements_of_other_decisions_are_passed_over(tell: Callable[[AccuracyPacer], None]) -> None:
    pacer = AccuracyPacer(0.8)
    pacer.decided("mine", 0.9)
    tell(pacer)
    assert pacer.correction == 0.0
    assert pacer.surplus == pytest.approx(0.1)
    pacer.judged("mine", 0.0)
    pacer.judged("mine", 0.0)
    assert pacer.correction == pytest.approx(-0.9 / (1.0 + PRIOR_JUDGEMENTS))
    assert pacer.surplus == pytest.approx(0.1)


@pytest.mark.parametrize("accuracy", [0.0, 1.0, -0.1, float("nan")])
def test_shares_that_are_none_are_refused(accuracy: float) -> None:
    with pytest.raises(ConfigurationError, match="between 0 and 1"):
        AccuracyPacer(accuracy)
