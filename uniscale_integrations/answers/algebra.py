"""Which expressions are equal, told by a process that is killed when it computes for too long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from uniscale_integrations.answers import mathematics
from uniscale_integrations.answers.sameness import Equal, group_values
from uniscale_integrations.answers.value import Value
from uniscale_integrations.answers.values import read_values
from uniscale_integrations.concurrency.processes import WORKERS
from uniscale_integrations.concurrency.threads import in_thread
from uniscale_integrations.errors import NotInTime, WorkersBusy

ONE = 1.0
"""Seconds in which two expressions are compared; those that take longer cannot be told to be equal."""

ALL = 3.0
"""Seconds in which all expressions of one question are."""


def equal_expressions(left: str, right: str) -> bool | None:
    """Whether two expressions are equal; blocks for `ONE` at most, once the process has started.

    Returns:
        `None` where that cannot be told, as in `equal_mathematics`, or not in time.

    Example:
        >>> equal_expressions("2x + 2", "2(x + 1)"), equal_expressions("x", "y"), equal_expressions("Paris", "Paris, France")
        (True, False, None)
    """
    # What is remembered is short, since what is tame is.
    if not (mathematics.tame(left) and mathematics.tame(right)):
        return None
    try:
        return _compared(left, right)
    except WorkersBusy:
        # Not remembered: that says nothing of the expressions.
        return None


@lru_cache(maxsize=4096)
def _compared(left: str, right: str) -> bool | None:
    try:
        equal: bool | None = WORKERS.call(mathematics.__name__, mathematics.equal_mathematics.__name__, left, right, seconds=ONE)
    except WorkersBusy:
        raise
    except NotInTime:
        return None
    return equal


LATE = "expressions that were not compared in time count as different"
"""The note that says so."""


async def groups_by_algebra(answers: Sequence[str], question: str = "", notes: list[str] | None = None) -> list[int]:
    """`groups` with equal expressions in one, without holding up the event loop.

    Args:
        answers: as of `groups`.
        question: likewise.
        notes: is told what could not be compared in time.

    Example:
        >>> import asyncio
        >>> asyncio.run(groups_by_algebra(["2x + 2", "2(x + 1)", "x + 2"]))
        [0, 0, 1]
    """
    values = read_values(answers, question)
    return group_values(values, await equalities(values, notes))


async def equalities(values: Sequence[Value], notes: list[str] | None = None) -> Equal | None:
    """What `group_values` will ask about the expressions among these answers, found out without holding up the event loop.

    Returns:
        An `Equal` that answers at once; `None` where no expressions are to be compared.
    """
    if not any(value.expression for value in values):
        return None
    candidates: dict[tuple[str, str], None] = {}

    def ask(left: str, right: str) -> bool:
        # Where no two are equal all are asked about that may be, so that nothing is left to be asked afterwards.
        candidates[left, right] = None
        return False

    group_values(values, ask)
    verdicts, late = await in_thread(lambda: _compare_all(candidates)) if candidates else ({}, False)
    if late and notes is not None:
        notes.append(LATE)
    return lambda left, right: verdicts.get((left, right))


def _compare_all(
    pairs: Iterable[tuple[str, str]], clock: Callable[[], float] = time.monotonic
) -> tuple[dict[tuple[str, str], bool | None], bool]:
    """Of the pairs those for which there is time, and whether others were left."""
    verdicts: dict[tuple[str, str], bool | None] = {}
    slow: set[str] = set()
    end = clock() + ALL
    for left, right in pairs:
        if clock() > end:
            return verdicts, True
        if any(side in slow for side in (left, right)):
            continue
        start = clock()
        verdicts[left, right] = equal_expressions(left, right)
        if verdicts[left, right] is None and clock() - start > ONE:
            slow |= {left, right}
    return verdicts, bool(slow)
