"""`python -m benchmarks.durability [--json]`: nothing that was acknowledged is lost, and all workers learn the same.

Trials on SQLite, and on PostgreSQL where a server is named or the package `pgserver` is there to bring one:

- A worker decides, runs and gives feedback, late, twice and revised, and reports each thing once the engine has acknowledged it. It is
  killed with SIGKILL at a random moment, and the next one goes on; now and then it is killed while it still starts. In the end the log
  must hold everything that was reported, and the state that an engine opens with must equal one folded from the events without any
  interruption.
- Several workers on one log at once. When all are done, their states must be equal.

And what requests notice, for some seconds each: somebody else holds the log's lock; the server stands still; connections are cut, also
between a commit and its acknowledgement; two thousand requests come at once; others have written a lot. Told are the longest wait of a
request and the longest gap of the event loop, beside those without a log.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random
from typing import IO, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import make_url

from benchmarks.instant import InstantGenerator, InstantVerifier
from uniscale_integrations.engine import UniScale
from uniscale_integrations.log.events import DecisionEvent, Feedback, Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.space import ConfigurationSpace

MODELS = {"small": 1e6, "middle": 4e6, "large": 16e6}
SHAPES = ((1, 1, 1), (2, 1, 1), (1, 4, 2))
SNAPSHOT_EVERY = 20

State = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Killed:
    """What became of the first trial.

    Attributes:
        database: "sqlite" or "postgresql".
        kills: how many workers were killed.
        acknowledged: how many decisions, outcomes and pieces of feedback had been reported.
        lost: how many of them the log does not hold.
        events: how many events the log holds.
        off: greatest difference between the state an engine opens with and one folded without interruption, relative to its array.
    """

    database: str
    kills: int
    acknowledged: int
    lost: int
    events: int
    off: float


@dataclass(frozen=True, slots=True)
class Together:
    """What became of the second trial.

    Attributes:
        database: "sqlite" or "postgresql".
        processes: how many workers.
        decisions: of each.
        events: how many events the log holds.
        off: greatest difference between the states of two workers, relative to its array.
        seconds: until all were done.
    """

    database: str
    processes: int
    decisions: int
    events: int
    off: float
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--decisions", type=int, default=500)
    parser.add_argument("--outage", type=float, default=30.0, help="seconds that each fault lasts; 0 for none (default: 30)")
    parser.add_argument("--flood", type=int, default=100_000, help="events of others that are caught up with (default: 100000)")
    parser.add_argument("--postgres", help="address of a server; the packaged one by default")
    parser.add_argument("--rounds", type=int, default=1, help="decisions that a request may take, of workers (default: 1)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--worker", nargs=3, metavar=("LOG", "DECISIONS", "SEED"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        address, decisions, seed = arguments.worker
        work(address, int(decisions), int(seed), sys.stdin.buffer, sys.stdout.buffer, arguments.rounds)
        return
    # Which uses what is said here.
    from benchmarks.outages import Flood, Outage, burst, caught_up, faults_of, outage

    trials: list[Killed | Together | Outage | Flood] = []
    with tempfile.TemporaryDirectory() as folder, server(arguments.postgres) as postgres:
        makers: list[Callable[[], str]] = [lambda: f"sqlite:///{folder}/{uuid4().hex}.db"]
        if postgres:
            makers.append(partial(new_database, postgres))
        else:
            sys.stderr.write("PostgreSQL passed over: no --postgres, and pgserver is not installed\n")
        for make in makers:
            trials.append(killed(make(), arguments.kills, arguments.seed, arguments.rounds))
            sys.stderr.write(f"{trials[-1]}\n")
            trials.append(together(make(), arguments.processes, arguments.decisions, arguments.seed, arguments.rounds))
            sys.stderr.write(f"{trials[-1]}\n")
            if arguments.outage > 0:
                for name, fault in faults_of(make()).items():
                    trials.append(outage(make(), name, fault, arguments.outage))
                    sys.stderr.write(f"{trials[-1]}\n")
                trials.append(burst(make(), 2_000))
                sys.stderr.write(f"{trials[-1]}\n")
                trials.append(caught_up(make(), arguments.flood))
                sys.stderr.write(f"{trials[-1]}\n")
    if arguments.json:
        found: dict[str, list[Any]] = {"killed": [], "together": [], "outage": [], "flood": []}
        for trial in trials:
            found[type(trial).__name__.lower()].append(asdict(trial))
        sys.stdout.write(json.dumps(found) + "\n")


def killed(address: str, kills: int, seed: int = 0, rounds: int = 1) -> Killed:
    """Kill one worker after the other, and count what is missing.

    Args:
        address: of an empty log.
        kills: how many.
        seed: of the moments.
        rounds: of each request.
    """
    rng = Random(seed)
    reported: list[list[Any]] = []
    for kill in range(kills):
        with worker(address, 1_000_000, seed + kill, rounds) as process:
            assert process.stdout is not None
            first = b"" if kill % 10 == 9 else process.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.4))
            process.kill()
            # A line that was cut off was not reported.
            lines = (first + process.stdout.read()).split(b"\n")[:-1]
        reported += [json.loads(line) for line in lines]
    with closing(open_log(address)) as log:
        held = [entry.event for entry in log.everything()]
    decided = {event.decision_id for event in held if isinstance(event, DecisionEvent)}
    came = {event.decision_id for event in held if isinstance(event, Outcome)}
    said = {(event.decision_id, event.source, event.correct) for event in held if isinstance(event, Feedback)}
    lost = 0
    for kind, decision_id, *rest in reported:
        lost += (decision_id, *rest) not in said if kind == "feedback" else decision_id not in decided or decision_id not in came
    return Killed(
        database(address),
        kills,
        len(reported),
        lost,
        len(held),
        difference(opened(address, rounds), uninterrupted(address, rounds)),
    )


def together(address: str, processes: int, decisions: int, seed: int = 0, rounds: int = 1) -> Together:
    """Let workers share a log, and compare what they have learned.

    Args:
        address: of an empty log.
        processes: how many workers.
        decisions: of each.
        seed: of what they do.
        rounds: of each request.
    """
    started = time.monotonic()
    running = [started_worker(address, decisions, seed + number, rounds) for number in range(processes)]
    try:
        for process in running:
            while _line(process)[0] != "done":
                pass
        # Only now has everybody written everything.
        states = []
        for process in running:
            found, _ = process.communicate(b"\n")
            with np.load(BytesIO(found), allow_pickle=False) as arrays:
                states.append(dict(arrays))
    finally:
        for process in running:
            process.kill()
            process.wait()
    seconds = time.monotonic() - started
    states.append(dict(uninterrupted(address, rounds)))
    off = max(difference(states[0], state) for state in states[1:])
    with closing(open_log(address)) as log:
        events = sum(log.counts().values())
    return Together(database(address), processes, decisions, events, off, seconds)


def work(address: str, decisions: int, seed: int, asked: IO[bytes], told: IO[bytes], rounds: int = 1) -> None:
    """Decide, run and judge, and report everything once it is acknowledged; then wait to be asked for the state."""

    def report(*what: object) -> None:
        told.write(json.dumps(what).encode() + b"\n")
        told.flush()

    rng = Random(seed)
    made = engine(address, rounds=rounds)
    earlier: list[str] = []
    for number in range(decisions):
        answer = made.run(
            f"What is {rng.randrange(100)} + {rng.randrange(100)}?" if number % 2 else "Write a poem about the sea."
        )
        assert answer.decision_id is not None
        for decision_id in {answer.decision_id, *(attempt.decision_id for attempt in answer.rounds)}:
            report("ran", decision_id)
        earlier.append(answer.decision_id)
        # Some is said at once, some later, some twice, some of it revised, and of some decisions nothing is ever said.
        about, value = rng.choice(earlier[-5:]), float(rng.random() < 0.7)
        source = rng.choice(("user", "judge"))
        for _ in range(rng.choice((1, 1, 2))):
            made.feedback(about, value, source=source)
            report("feedback", about, source, value)
        if number % SNAPSHOT_EVERY == SNAPSHOT_EVERY - 1:
            made.snapshot()
    report("done")
    asked.readline()
    made.sync()
    file = BytesIO()
    np.savez(file, **made.state())  # type: ignore[arg-type]
    told.write(file.getvalue())
    told.flush()
    made.close()


def engine(address: str | EventStore, spool: Path | None = None, rounds: int = 1) -> UniScale:
    """An engine over models that answer at once; in one round decisions are counted as requests."""
    models = [InstantGenerator(2, name, compute) for name, compute in MODELS.items()]
    space = ConfigurationSpace.default(list(MODELS), SHAPES)
    return UniScale(models, InstantVerifier(), space, log=address, spool=spool, rounds=rounds)


def opened(address: str, rounds: int = 1) -> State:
    """What an engine has learned that opens the log, from wherever the last snapshot is."""
    with closing(engine(address, rounds=rounds)) as made:
        return made.state()


def uninterrupted(address: str, rounds: int = 1) -> State:
    """What an engine has learned that folds the log from its first event to its last."""
    with closing(open_log(address)) as log:
        log.forget_snapshots()
    return opened(address, rounds)


def difference(one: State, other: State) -> float:
    """Greatest difference between two states' arrays of numbers, relative to the greatest number of each array."""
    if one.keys() != other.keys():
        return float("inf")
    off = 0.0
    for name, array in one.items():
        if array.shape != other[name].shape:
            return float("inf")
        if array.dtype.kind in "Ub":
            off = max(off, float((array != other[name]).any()))
        elif array.size:
            off = max(off, float(np.abs(array - other[name]).max() / max(1.0, np.abs(array).max())))
    return off


def started_worker(address: str, decisions: int, seed: int, rounds: int = 1) -> subprocess.Popen[bytes]:
    """A process that does the work."""
    command = [sys.executable, "-m", "benchmarks.durability", "--worker", address, str(decisions), str(seed)]
    command += ["--rounds", str(rounds)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@contextmanager
def worker(address: str, decisions: int, seed: int, rounds: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that is gone at the end."""
    with started_worker(address, decisions, seed, rounds) as process:
        try:
            yield process
        finally:
            process.kill()


def database(address: str) -> str:
    """The kind of database behind an address."""
    return address.partition(":")[0]


@contextmanager
def server(address: str | None) -> Iterator[str | None]:
    """The address of a PostgreSQL server: the one named, or the packaged one as long as it is needed, or none.

    Its files have a folder of their own. For root it runs as another user, for whom it opens the folders above, and those of pytest are
    closed again by the next pytest that begins: a server in there dies at its next checkpoint.
    """
    if address is not None:
        yield address
        return
    try:
        import pgserver
    except ImportError:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        running = pgserver.get_server(Path(folder) / "postgres", cleanup_mode="delete")  # type: ignore[attr-defined]
        try:
            yield running.get_uri()
        finally:
            running.cleanup()


def new_database(address: str, encoding: str = "UTF8") -> str:
    """An empty database on a server."""
    import psycopg

    name = f"uniscale_{uuid4().hex}"
    with psycopg.connect(address, autocommit=True) as connection:
        apart = f" TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C' ENCODING '{encoding}'" if encoding != "UTF8" else ""
        connection.execute(f"CREATE DATABASE {name}{apart}".encode())
    return make_url(address).set(database=name).render_as_string(hide_password=False)


def _line(process: subprocess.Popen[bytes]) -> list[Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"a worker ended early, with exit code {process.wait()}")
    found: list[Any] = json.loads(line)
    return found


if __name__ == "__main__":
    main()
