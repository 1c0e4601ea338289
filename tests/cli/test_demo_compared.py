"""What `python -m benchmarks.demo` makes of the demo's figures."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from benchmarks.demo import compared

Got = Mapping[str, float]
SMALL, LARGE = "small alone", "large alone"


def got(right: float, cost: float) -> Got:
    return {"right": right, "cost": cost, "reward": right}


def runs(*ours: Got, small: Got = got(0.4, 1.0), large: Got = got(0.8, 5.0)) -> list[dict[str, Got]]:  # noqa: B008
    return [{"UniScale": each, SMALL: small, LARGE: large} for each in ours]


def test_a_mode_is_held_against_the_line_between_the_models() -> None:
    found = compared({"balanced": runs(got(0.7, 3.0), got(0.8, 3.0))})
    assert found["best"] == LARGE
    mode = found["modes"]["balanced"]
    assert mode["above_line"][0] == pytest.approx(0.75 - 0.6)
    assert mode["share"] == pytest.approx((0.6, 0.0))
    assert mode["more_than_best"][0] == pytest.approx(-0.05)
    # One point is no line.
    assert (found["share_at_its_accuracy"], found["more_at_its_cost"]) == (None, None)
    assert (found["cheaper"], found["better"]) == (False, False)


@pytest.mark.parametrize(
    ("ours", "cheaper", "better"),
    [
        (got(0.8, 2.0), True, False),
        (got(0.79, 2.0), False, False),
        (got(0.8, 2.1), False, False),
        (got(0.87, 5.0), False, True),
        (got(0.87, 5.1), False, False),
        (got(0.85, 5.0), False, False),
        (got(0.9, 1.5), True, True),
    ],
)
def test_the_goals_are_the_same_for_less_and_more_for_the_same(ours: Got, cheaper: bool, better: bool) -> None:
    found = compared({"balanced": runs(ours)})
    assert (found["cheaper"], found["better"]) == (cheaper, better)


def test_the_modes_together_may_meet_both_goals() -> None:
    found = compared({"balanced": runs(got(0.9, 4.0)), "cost-sensitive": runs(got(0.8, 2.0))})
    assert (found["cheaper"], found["better"]) == (True, True)


def test_between_two_modes_runs_the_policy_s_own_line() -> None:
    cheap, dear = [{"UniScale": got(0.7, 2.0)}], runs(got(0.9, 6.0))
    found = compared({"balanced": dear, "cost-sensitive": cheap})
    assert found["share_at_its_accuracy"] == pytest.approx(4.0 / 5.0)
    assert found["more_at_its_cost"] == pytest.approx(0.85 - 0.8)
    assert (found["cheaper"], found["better"]) == (False, False)
