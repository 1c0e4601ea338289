"""Drawing tokens."""

from __future__ import annotations

import math

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from uniscale_integrations.models.local.draw import draw

LAST = math.nextafter(1.0, 0.0)
INFINITY = float("inf")


def drawn(logits: list[float], uniforms: list[float], temperature: float = 1.0, top_p: float = 1.0) -> list[int]:
    """Tokens that many candidates draw from one distribution."""
    ids, _ = draw(
        torch.tensor([logits]),
        torch.zeros(len(uniforms), dtype=torch.int64),
        _all(uniforms, 0),
        _all(temperature, 1),
        _all(top_p, 1),
    )
    return [int(i) for i in ids]


def _all(value: float | list[float], rows: int) -> Tensor:
    return torch.tensor(value if isinstance(value, list) else [value] * rows, dtype=torch.float64)


def test_frequencies_are_those_of_multinomial() -> None:
    torch.manual_seed(0)
    logits, count = torch.randn(20) * 2, 40_000
    ours = torch.bincount(
        torch.tensor(drawn(logits.tolist(), torch.rand(count, dtype=torch.float64).tolist(), 0.7)), minlength=20
    )
    weights = (logits / 0.7).softmax(-1)
    theirs = torch.bincount(torch.multinomial(weights, count, replacement=True), minlength=20)
    spread = (count * weights * (1 - weights)).sqrt()
    assert bool(((ours - count * weights).abs() < 4.5 * spread + 1).all())
    assert bool(((ours - theirs).abs() < 6.5 * spread + 1).all())


@given(st.lists(st.floats(-30, 30), min_size=1, max_size=12), st.floats(0, LAST), st.floats(0.05, 3), st.floats(0, 1))
def test_a_draw_never_leaves_the_nucleus(logits: list[float], uniform: float, temperature: float, top_p: float) -> None:
    [token] = drawn([*logits, -INFINITY, -INFINITY], [uniform], temperature, top_p)
    weights = (torch.tensor(logits, dtype=torch.float32).double() / temperature).softmax(-1)
    assert float(weights[weights > weights[token]].sum()) <= top_p + 1e-9
    assert weights[token] > 0


def test_the_greatest_number_below_one_finds_the_last_token_with_weight() -> None:
    thirds = [math.log(1 / 3)] * 3
    assert drawn([*thirds, -INFINITY, -INFINITY], [0.0, LAST]) == [0, 2]
    tenths = [math.log(1 / 10)] * 10
    assert drawn([-INFINITY, *tenths, -INFINITY], [0.0, LAST]) == [1, 10]


def test_a_single_possible_token_is_drawn_whatever_the_number() -> None:
    assert drawn([-INFINITY, -INFINITY, 3.0, -INFINITY], [0.0, 0.5, LAST]) == [2, 2, 2]


def test_temperature_zero_takes_the_most_likely_also_beside_rows_that_sample() -> None:
    logits = torch.tensor([[0.0, 1.0, 0.9], [0.0, 1.0, 0.9]])
    ids, log_probabilities = draw(logits, torch.arange(2), _all([LAST, LAST], 2), _all([0.0, 1.0], 2), _all(1.0, 2))
    assert ids.tolist() == [1, 2]
    expected = logits.double().log_softmax(-1)
    torch.testing.assert_close(log_probabilities, torch.stack([expected[0, 1], expected[1, 2]]))


def test_log_probabilities_are_the_models_own_whatever_the_temperature_and_nucleus() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0]])
    _, plain = draw(logits, torch.arange(1), _all(0.0, 1), _all(1.0, 1), _all(1.0, 1))
    _, hot = draw(logits, torch.arange(1), _all(0.0, 1), _all(2.0, 1), _all(0.4, 1))
    assert plain.item() == hot.item() == float(logits.double().log_softmax(-1)[0, 0])


def test_the_nucleus_is_the_smallest_set_that_reaches_top_p() -> None:
    logits = [math.log(p) for p in (0.1, 0.5, 0.3, 0.1)]
    numbers = torch.linspace(0, LAST, 101, dtype=torch.float64).tolist()
    assert set(drawn(logits, numbers, top_p=0.45)) == {1}
    assert set(drawn(logits, numbers, top_p=0.75)) == {1, 2}
    assert set(drawn(logits, numbers, top_p=1.0)) == {0, 1, 2, 3}
    assert set(drawn(logits, numbers, top_p=0.0)) == {1}


def test_a_row_draws_the_same_whatever_stands_beside_it() -> None:
    torch.manual_seed(1)
    logits, numbers = torch.randn(8, 30), torch.rand(8, dtype=torch.float64)
    temperatures, top_ps = _all(0.9, 8), _all([1.0, 0.5] * 4, 8)
    together, _ = draw(logits, torch.arange(8), numbers, temperatures, top_ps)
    first = torch.zeros(1, dtype=torch.int64)
    alone = [draw(logits[i : i + 1], first, numbers[i : i + 1], temperatures[:1], top_ps[i : i + 1])[0].item() for i in range(8)]
    assert together.tolist() == alone
    shared, _ = draw(logits[:2], torch.tensor([1, 0, 1]), numbers[:3], temperatures[:2], top_ps[:2])
    repeated, _ = draw(logits[[1, 0, 1]], torch.arange(3), numbers[:3], temperatures[:3], top_ps[[1, 0, 1]])
    assert shared.tolist() == repeated.tolist()


def test_logits_that_are_no_numbers_do_not_break_the_other_rows() -> None:
    logits = torch.tensor([[float("nan")] * 3, [0.0, 9.0, 0.0]])
    ids, log_probabilities = draw(logits, torch.arange(2), _all(0.5, 2), _all(1.0, 2), _all(1.0, 2))
    assert ids[1] == 1
    assert log_probabilities[0].isnan()
