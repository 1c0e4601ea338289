"""Processes that are forked while threads of the first one serve requests and write the log."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.durability import engine
from uniscale_integrations.concurrency.forks import ForkLock
from uniscale_integrations.log.events import Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.spool import Spool

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


ADOPTING = """
import os, sys
from pathlib import Path
from uniscale_integrations.errors import LogError
from uniscale_integrations.log.events import Outcome
from uniscale_integrations.log.group import GroupCommit
from uniscale_integrations.log.spool import Spool

def refused(events):
    error = LogError("the log is locked")
    error.passing = True
    raise error

group = GroupCommit(refused, spool=Spool(Path(sys.argv[1])))
assert group.adopt() == 2
if "removed" in sys.argv:
    next(iter(Path(sys.argv[1]).iterdir())).unlink()
group.put_aside(group.submit(Outcome("c", 0.5)))
if os.fork():
    os.kill(os.getpid(), 9)
print("forked", flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("one", ["there", "removed"])
def test_what_a_process_had_adopted_is_not_held_by_those_that_it_has_forked(one: str, tmp_path: Path) -> None:
    for decision_id in "ab":
        spool = Spool(tmp_path)
        spool.append([Outcome(decision_id, 0.5)])
        spool.close()
    command = [sys.executable, "-c", ADOPTING, str(tmp_path), one]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ) as process:
        assert process.stdout is not None
        assert process.wait() == -9
        assert process.stdout.readline() == b"forked\n"
        # The forked process lives until its input ends.
        left = [file.name for file in sorted(tmp_path.iterdir())]
        taken = list(Spool(tmp_path).abandoned())
    assert len(taken) == len(left)
    assert {event.decision_id for each in taken for event in each.events} == {"a", "b", "c"}
