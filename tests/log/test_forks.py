"""Processes that are forked while threads of the first one serve requests and write the log."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing

import pytest

from benchmarks.durability import engine
from uniscale_integrations.concurrency.forks import ForkLock
from uniscale_integrations.log.log import open_log

CHILDREN = 8

FORKING = f"""
import os, signal, sys, threading, time
from benchmarks.durability import engine

made, over = engine(sys.argv[1]), threading.Event()
made.run("What is 1 + 1?")

def work(number):
    while not over.is_set():
        made.feedback(made.run(f"What is {{number}} + 1?"), float(number % 2))

threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
children = []
for _ in range({CHILDREN}):
    time.sleep(0.05)
    child = os.fork()
    if not child:
        # Whoever waits for a lock that nobody gives back waits for ever.
        signal.alarm(60)
        answer = made.run("What is 9 + 9?")
        kept = made.feedback(answer, 1.0, source="child")
        made.close()
        os._exit(0 if kept else 1)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
over.set()
for thread in threads:
    thread.join()
made.close()
sys.exit(0 if codes == [0] * {CHILDREN} else f"children ended with {{codes}}")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_forked_processes_answer_and_log_whatever_other_threads_were_doing(address: str) -> None:
    done = subprocess.run([sys.executable, "-c", FORKING, address], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # What a child had kept aside, since the others kept the log busy, is written by who opens it next.
    engine(address).close()
    with closing(open_log(address)) as log:
        events = [entry.event for entry in log.everything()]
    assert sum(getattr(event, "source", "") == "child" for event in events) == CHILDREN
    assert len(events) == len({(event.kind, event.decision_id) for event in events})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_lock_is_free_in_a_forked_process_and_as_it_was_in_its_own() -> None:
    lock, long = ForkLock(), ForkLock(brief=False)
    with lock, long:
        child = os.fork()
        if not child:
            os._exit(0 if lock.acquire(0.0) and long.acquire(0.0) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert not lock.acquire(0.0)
        assert not long.acquire(0.0)
    assert lock.acquire(0.0)
