"""Workers that are killed, and workers side by side, on both databases; `python -m benchmarks.durability` does more of it."""

from __future__ import annotations

from benchmarks.durability import difference, killed, opened, together, uninterrupted


def test_killed_workers_lose_nothing_that_was_acknowledged(address: str) -> None:
    found = killed(address, kills=4)
    assert found.acknowledged > 20, "otherwise nothing was tried"
    assert found.lost == 0
    assert found.off < 1e-9


def test_workers_side_by_side_learn_the_same(address: str) -> None:
    found = together(address, processes=3, decisions=40)
    assert found.events > 3 * 40 * 2
    assert found.off < 1e-8


def test_a_difference_between_states_is_seen(address: str) -> None:
    before = uninterrupted(address)
    together(address, processes=1, decisions=5)
    assert difference(before, opened(address)) > 0.1
