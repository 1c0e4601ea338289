"""Work that nobody waits for but who ends."""

from __future__ import annotations

from queue import SimpleQueue
from threading import Event

from hypothesis import given
from hypothesis import strategies as st

from uniscale_integrations.concurrency.background import BackgroundWork


def test_what_is_asked_for_while_it_is_done_is_done_once_more() -> None:
    begun, go_on = SimpleQueue[None](), SimpleQueue[None]()

    def work() -> None:
        begun.put(None)
        go_on.get(timeout=60)

    background = BackgroundWork(work, "test")
    background.start()
    begun.get(timeout=60)
    for _ in range(3):
        background.start()
    go_on.put(None)
    go_on.put(None)
    background.wait()
    begun.get(timeout=60)
    assert begun.empty()


@given(st.lists(st.booleans(), max_size=20))
def test_all_that_was_asked_for_has_been_done_after_waiting(waits: list[bool]) -> None:
    asked, done = 0, 0

    def work() -> None:
        nonlocal done
        done = asked

    background = BackgroundWork(work, "test")
    for waiting in waits:
        asked += 1
        background.start()
        if waiting:
            background.wait()
            assert done == asked
    background.wait()
    assert done == asked


def test_nothing_is_waited_for_where_nothing_was_asked_for() -> None:
    done = Event()
    BackgroundWork(done.set, "test").wait()
    assert not done.is_set()
