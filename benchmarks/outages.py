"""What requests notice of a log that takes nothing: an engine serves and is judged on one event loop while something is wrong with its log.

The same requests run first without a log of their own, so that what the machine costs is known. In the end the log must hold everything
that was acknowledged, once, and the state that was learned must equal one folded from the events without any interruption.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import psycopg

from benchmarks.concurrency import loaded_uncollected
from benchmarks.durability import database, difference
from benchmarks.faults import locked, standing_still
from benchmarks.instant import InstantGenerator, InstantVerifier
from uniscale_integrations.engine import UniScale
from uniscale_integrations.log.events import DecisionEvent, Outcome
from uniscale_integrations.log.log import open_log
from uniscale_integrations.log.ports import Spooled
from uniscale_integrations.space import Configuration, ConfigurationSpace

MODEL_SECONDS = 0.05
"""What a model takes to answer."""

SPACING = 0.05
"""Seconds after which another request comes."""

BEAT = 0.002
"""Seconds between two looks at the clock."""

BACK = 60.0
"""Seconds after which a log that is back must hold everything."""

Fault = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Outage:
    """What became of requests while something was wrong.

    Attributes:
        database: "sqlite" or "postgresql".
        fault: what was wrong.
        seconds: for how long.
        requests: that were served meanwhile, each of them judged.
        longest: seconds that the slowest took, and the slowest without a log.
        judgement: seconds that the slowest judgement took to be acknowledged.
        gap: seconds for which the event loop could do nothing else, at the most, and without a log.
        spooled: how many judgements were acknowledged as kept.
        lost: events that were acknowledged and are not in the log.
        doubled: events that are there twice.
        off: greatest difference between the state learned and one folded without interruption, relative to its array.
    """

    database: str
    fault: str
    seconds: float
    requests: int
    longest: tuple[float, float]
    judgement: float
    gap: tuple[float, float]
    spooled: int
    lost: int
    doubled: int
    off: float


def faults_of(address: str) -> Mapping[str, Fault]:
    """What may be wrong with the log behind an address, by name."""
    found: dict[str, Fault] = {"a lock is held": locked}
    if address.startswith("postgresql"):
        found |= {"the server stands still": standing_still, "connections are cut": connections_cut}
    return found


@contextmanager
def connections_cut(address: str) -> Iterator[None]:
    """Connections are terminated again and again, also between a commit and its acknowledgement."""
    over = Event()
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

    def run() -> None:
        with psycopg.connect(address, autocommit=True) as connection:
            while not over.wait(0.005):
                connection.execute(cut)

    cutting = Thread(target=run)
    cutting.start()
    try:
        yield
    finally:
        over.set()
        cutting.join()


def outage(address: str, name: str, fault: Fault, seconds: float) -> Outage:
    """Serve and judge requests while a fault lasts, and look at what is in the log in the end.

    Args:
        address: of an empty log.
        name: of the fault.
        fault: what is wrong as long as its block runs.
        seconds: for how long.
    """
    with tempfile.TemporaryDirectory() as folder:
        with closing(slow_engine("sqlite://")) as alone, loaded_uncollected():
            base = asyncio.run(_served(alone, nullcontext(), min(seconds, 5.0)))
        with closing(slow_engine(address, Path(folder) / "spool")) as made:
            asyncio.run(made.arun("What is 0 + 0?"))
            with loaded_uncollected():
                found = asyncio.run(_served(made, fault(address), seconds))
            _wait_until_there(made)
            made.sync()
            learned = made.state()
        lost, doubled = _compared(address, found.acknowledged)
    with closing(open_log(address)) as log:
        log.forget_snapshots()
    with closing(slow_engine(address)) as anew:
        off = difference(learned, anew.state())
    return Outage(
        database(address),
        name,
        seconds,
        len(found.times),
        (round(max(found.times), 3), round(max(base.times), 3)),
        round(max(found.judging), 3),
        (round(found.gap, 3), round(base.gap, 3)),
        found.spooled,
        lost,
        doubled,
        off,
    )


def slow_engine(address: str, spool: Path | None = None) -> UniScale:
    """An engine of two models that take a moment."""
    models = [InstantGenerator(1, "small", 1e6, MODEL_SECONDS), InstantGenerator(1, "large", 4e6, MODEL_SECONDS)]
    space = ConfigurationSpace([Configuration("small"), Configuration("large")])
    return UniScale(models, InstantVerifier(), space, log=address, spool=spool)


class _Served:
    def __init__(self) -> None:
        self.times, self.judging, self.acknowledged = list[float](), list[float](), set[tuple[str, str]]()
        self.gap, self.spooled = 0.0, 0


async def _served(made: UniScale, fault: AbstractContextManager[None], seconds: float) -> _Served:
    found = _Served()

    async def request(number: int) -> None:
        began = time.perf_counter()
        answer = await made.arun(f"What is {number} + 1?")
        found.times.append(time.perf_counter() - began)
        decision = str(answer.decision_id)
        found.acknowledged |= {("decision", decision), ("outcome", decision)}
        began = time.perf_counter()
        kept = await made.afeedback(decision, float(number % 2))
        found.judging.append(time.perf_counter() - began)
        found.spooled += isinstance(kept, Spooled)
        found.acknowledged.add(("feedback", decision))

    async def beat() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(BEAT)
            now = time.perf_counter()
            found.gap, last = max(found.gap, now - last - BEAT), now

    await request(-1)
    found.times.clear()
    found.judging.clear()
    beating = asyncio.create_task(beat())
    with fault:
        ends, running = time.monotonic() + seconds, list[asyncio.Task[None]]()
        while time.monotonic() < ends:
            running.append(asyncio.create_task(request(len(running))))
            await asyncio.sleep(SPACING)
        await asyncio.gather(*running)
    beating.cancel()
    return found


def _wait_until_there(made: UniScale) -> None:
    ends = time.monotonic() + BACK
    while not made._knowledge._group.settle(1.0):
        if time.monotonic() > ends:
            raise TimeoutError(f"the log has not taken everything {BACK:g} s after it was back")


def _compared(address: str, acknowledged: set[tuple[str, str]]) -> tuple[int, int]:
    """How many events that were acknowledged are missing, and how many are there twice."""
    with closing(open_log(address)) as log:
        there = [(entry.event.kind, entry.event.decision_id) for entry in log.everything()]
    return len(acknowledged - set(there)), len(there) - len(set(there))


@dataclass(frozen=True, slots=True)
class Flood:
    """What requests notice where much comes at once.

    Attributes:
        database: "sqlite" or "postgresql".
        what: "events of others" or "requests at once".
        count: how many.
        longest: seconds that the slowest request took, the model's own time among them.
        gap: seconds for which the event loop could do nothing else, at the most.
        seconds: until all was learned, or answered.
    """

    database: str
    what: str
    count: int
    longest: float
    gap: float
    seconds: float


def caught_up(address: str, count: int) -> Flood:
    """Serve requests while so many events that another has written are learned."""
    with closing(slow_engine(address)) as made:
        made.run("What is 0 + 0?")
        features = _features(made)
        with closing(open_log(address)) as other:
            for start in range(0, count // 2, 5_000):
                events: list[Any] = []
                for number in range(start, min(start + 5_000, count // 2)):
                    name = f"other-{uuid4().hex}"
                    events += [DecisionEvent(name, Configuration("small"), *features), Outcome(name, (number % 100) / 100, 1e6)]
                other.append(*events)
        time.sleep(1.1)
        began = time.monotonic()
        found = asyncio.run(_served(made, nullcontext(), 10.0))
        made.sync()
        return Flood(database(address), "events of others", count, max(found.times), found.gap, time.monotonic() - began)


def _features(made: UniScale) -> tuple[tuple[float, ...], str, tuple[float, float, float]]:
    [decision] = [entry.event for entry in made.log.everything() if isinstance(entry.event, DecisionEvent)][:1]
    return decision.features, decision.encoder, decision.weights


def burst(address: str, count: int) -> Flood:
    """Serve so many requests at once."""
    times, gap = list[float](), 0.0

    async def one(made: UniScale, number: int) -> None:
        began = time.perf_counter()
        await made.arun(f"What is {number} + 1?")
        times.append(time.perf_counter() - began)

    async def all_at_once(made: UniScale) -> None:
        nonlocal gap
        running = asyncio.gather(*(one(made, number) for number in range(count)))
        last = time.perf_counter()
        while not running.done():
            await asyncio.sleep(BEAT)
            now = time.perf_counter()
            gap, last = max(gap, now - last - BEAT), now

    with closing(slow_engine(address)) as made:
        made.run("What is 0 + 0?")
        began = time.monotonic()
        with loaded_uncollected():
            asyncio.run(all_at_once(made))
        return Flood(database(address), "requests at once", count, max(times), gap, time.monotonic() - began)
