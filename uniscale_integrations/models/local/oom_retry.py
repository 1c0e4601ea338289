"""Work in batches as large as memory allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

Item = TypeVar("Item")

MESSAGES = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on any device.

    >>> out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory")), out_of_memory(RuntimeError("bad shape"))
    (True, False)
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error).lower() for message in MESSAGES)


def in_parts(
    items: Sequence[Item],
    limit: int,
    work: Callable[[list[Item]], None],
    *,
    retry: Callable[[list[Item]], list[Item]],
    fail: Callable[[Item, str], None],
    note: Callable[[int, int], None],
) -> int:
    """Work on parts of at most `limit` items; one that does not fit into memory is halved, a single item that does not fit fails.

    Args:
        items: what to do.
        limit: the largest part to try.
        work: does a part, all of it in one batch.
        retry: told a part that did not fit; returns those of it that are still to be done.
        fail: told the item that does not even fit alone, and why.
        note: told the size of a part that did not fit, and of the next.

    Returns:
        the largest part to try from now on.
    """
    waiting = list(items)
    while waiting:
        part, waiting = waiting[:limit], waiting[limit:]
        try:
            work(part)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            if len(part) == 1:
                fail(part[0], f"out of memory with a single row: {error}")
                continue
            limit = len(part) // 2
            note(len(part), limit)
            waiting = [*retry(part), *waiting]
    return limit
