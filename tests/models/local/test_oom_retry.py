"""Batches as large as memory allows."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.models.local.oom_retry import in_parts, out_of_memory


@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 40))
def test_everything_is_done_once_in_order_or_fails_alone(count: int, most: int, room: int) -> None:
    done: list[int] = []
    failed: list[int] = []
    notes: list[tuple[int, int]] = []

    def work(part: list[int]) -> None:
        if len(part) > room:
            raise torch.OutOfMemoryError("full")
        done.extend(part)

    fits = in_parts(
        range(count), most, work, retry=list, fail=lambda i, why: failed.append(i), note=lambda *sizes: notes.append(sizes)
    )
    assert (done, failed) == ((list(range(count)), []) if room else ([], list(range(count))))
    assert fits <= most
    assert fits <= max(room, 1) or count <= room
    assert all(after == tried // 2 for tried, after in notes)


def test_what_was_done_before_memory_ran_out_is_not_done_again() -> None:
    done: list[int] = []

    def work(part: list[int]) -> None:
        done.append(part[0])
        if len(part) > 2:
            raise MemoryError
        done.extend(part[1:])

    in_parts(range(4), 4, work, retry=lambda part: part[1:], fail=lambda i, why: None, note=lambda tried, after: None)
    assert done == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate"), True),
        (MemoryError(), True),
        (RuntimeError("MPS backend out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_a_lack_of_memory_is_told_from_other_errors(error: Exception, expected: bool) -> None:
    assert out_of_memory(error) is expected


def test_the_error_of_a_real_allocation_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(10**15)
    assert out_of_memory(caught.value)
