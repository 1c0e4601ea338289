"""Many writes as few transactions."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from uniscale_integrations.errors import LogError, UnknownDecisionError
from uniscale_integrations.log.events import Event, Outcome
from uniscale_integrations.log.group import GroupCommit


def test_what_comes_while_one_is_written_goes_with_the_next() -> None:
    written, go, begun = list[list[str]](), threading.Event(), threading.Event()

    def write(events: Sequence[Event]) -> list[bool]:
        begun.set()
        go.wait()
        written.append([event.decision_id for event in events])
        return [True] * len(events)

    group = GroupCommit(write)
    first = group.submit(Outcome("a", 0.5))
    begun.wait()
    others = [group.submit(Outcome(f"b{number}", 0.5), Outcome(f"c{number}", 0.5)) for number in range(5)]
    assert not first.done()
    go.set()
    wait([first, *others])
    group.close()
    assert written == [["a"], [name for number in range(5) for name in (f"b{number}", f"c{number}")]]


def test_many_threads_lose_nothing_and_each_is_told_after_it_is_written() -> None:
    written: set[str] = set()

    def write(events: Sequence[Event]) -> list[bool]:
        written.update(event.decision_id for event in events)
        return [True] * len(events)

    group = GroupCommit(write)

    def work(worker: int) -> None:
        for number in range(200):
            assert group.submit(Outcome(f"{worker}-{number}", 0.5)).result() == [True]
            assert f"{worker}-{number}" in written

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    group.close()
    assert len(written) == 1_600


def test_one_that_cannot_be_written_does_not_take_the_others_with_it() -> None:
    written, go, begun = list[str](), threading.Event(), threading.Event()

    def write(events: Sequence[Event]) -> list[bool]:
        begun.set()
        go.wait()
        if any(event.decision_id == "large" for event in events):
            raise LogError("too large")
        written.extend(event.decision_id for event in events)
        return [True] * len(events)

    group = GroupCommit(write)
    futures = [group.submit(Outcome("first", 0.5))]
    begun.wait()
    futures += [group.submit(Outcome(name, 0.5)) for name in ("small", "large", "last")]
    go.set()
    wait(futures)
    assert written == ["first", "small", "last"]
    with pytest.raises(LogError, match="too large"):
        futures[2].result()
    alone = group.submit(Outcome("large", 0.5))
    with pytest.raises(LogError, match="too large"):
        alone.result()
    group.submit(Outcome("after", 0.5)).result()
    group.close()
    assert written[-1] == "after"


def test_an_error_of_another_kind_reaches_who_waits() -> None:
    def write(events: Sequence[Event]) -> list[bool]:
        raise ValueError("a bug")

    group = GroupCommit(write)
    with pytest.raises(ValueError, match="a bug"):
        group.submit(Outcome("a", 0.5)).result()
    group.close()


def test_who_was_cancelled_does_not_stop_the_others() -> None:
    written, go, begun = list[str](), threading.Event(), threading.Event()

    def write(events: Sequence[Event]) -> list[bool]:
        begun.set()
        go.wait()
        written.extend(event.decision_id for event in events)
        return [True] * len(events)

    group = GroupCommit(write)
    first = group.submit(Outcome("first", 0.5))
    begun.wait()
    gone, stays = group.submit(Outcome("gone", 0.5)), group.submit(Outcome("stays", 0.5))
    assert gone.cancel()
    go.set()
    wait([first, stays])
    group.submit(Outcome("after", 0.5)).result()
    group.close()
    assert written == ["first", "gone", "stays", "after"], "what happened is logged, whoever waits for it"


def test_feedback_on_nothing_costs_nobody_else_in_its_batch() -> None:
    written: list[str] = []

    def write(events: Sequence[Event]) -> list[bool | Exception]:
        written.extend(event.decision_id for event in events)
        return [UnknownDecisionError("no such") if event.decision_id == "nobody" else True for event in events]

    group = GroupCommit(write)
    futures = [group.submit(Outcome(name, 0.5)) for name in ("first", "nobody", "last")]
    wait(futures)
    assert (futures[0].result(), futures[2].result()) == ([True], [True])
    with pytest.raises(UnknownDecisionError, match="no such"):
        futures[1].result()
    assert sorted(written) == ["first", "last", "nobody"], "nothing is written twice"
    group.close()


def test_closing_waits_for_who_writes_and_what_comes_afterwards_is_refused() -> None:
    written, go, begun = list[str](), threading.Event(), threading.Event()

    def write(events: Sequence[Event]) -> list[bool]:
        begun.set()
        go.wait()
        written.extend(event.decision_id for event in events)
        return [True] * len(events)

    group = GroupCommit(write)
    with ThreadPoolExecutor(3) as pool:
        mine = pool.submit(group.write, Outcome("mine", 0.5))
        begun.wait()
        other = group.submit(Outcome("other", 0.5))
        closing = pool.submit(group.close)
        assert not closing.done()
        go.set()
        closing.result(timeout=30)
    assert written == ["mine", "other"]
    assert (mine.result(), other.result()) == ([True], [True])
    with pytest.raises(LogError, match="the log has been closed"):
        group.write(Outcome("late", 0.5))
    with pytest.raises(LogError, match="the log has been closed"):
        group.submit(Outcome("late", 0.5)).result()
