"""`python -m benchmarks.log_order [--json]`: what it costs on PostgreSQL that writers of one log take turns.

A trigger has them do so, so that rows become visible in the order of their numbers, whoever writes them and wherever the log moves. Several
processes' worth of connections write batches of decisions at once, to two logs by turns, one of which has lost the trigger. Told are the
events per second of both and the median and greatest seconds of a batch.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from statistics import median
from threading import Barrier
from uuid import uuid4

import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url

from benchmarks.durability import new_database, server
from uniscale_integrations.log.events import DecisionEvent
from uniscale_integrations.log.log import open_log
from uniscale_integrations.space import Configuration

ROUNDS = 5
"""Times that both logs are written to, one after the other; the first one warms up."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--writers", type=int, nargs="+", default=[1, 4, 8], help="connections that write at once (default: 1 4 8)"
    )
    parser.add_argument("--batch", type=int, default=10, help="events of a batch (default: 10)")
    parser.add_argument("--batches", type=int, default=100, help="of each writer and round (default: 100)")
    parser.add_argument("--postgres", help="address of a server; the packaged one by default")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    with server(arguments.postgres) as address:
        if address is None:
            parser.error("no server; name one with --postgres, or install pgserver")
        found = [compare(address, count, arguments.batches, arguments.batch) for count in arguments.writers]
    table = Table(title="writers that take turns, and writers that do not", title_justify="left")
    table.add_column("")
    for row in found:
        table.add_column(f"{row['writers']:.0f} at once", justify="right")
    for name in list(found[0])[1:]:
        table.add_row(name, *(f"{row[name]:.4g}" for row in found))
    Console().print(table)
    if arguments.json:
        sys.stdout.write(json.dumps(found) + "\n")


def compare(server_address: str, writers: int, batches: int, size: int) -> dict[str, float]:
    """Both logs written to by turns."""
    ordered, free = (log_of(server_address) for _ in range(2))
    with psycopg.connect(make_url(free).render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute("DROP TRIGGER uniscale_one_writer ON uniscale_events")
    seconds: dict[str, list[float]] = {ordered: [], free: []}
    waits: dict[str, list[float]] = {ordered: [], free: []}
    for turn in range(ROUNDS):
        for address in (ordered, free) if turn % 2 else (free, ordered):
            took, each = written(address, writers, batches, size)
            if turn:
                seconds[address].append(took)
                waits[address] += each
    events = writers * batches * size
    return {
        "writers": writers,
        "ordered_per_s": events / median(seconds[ordered]),
        "free_per_s": events / median(seconds[free]),
        "ratio": median(seconds[ordered]) / median(seconds[free]),
        "ordered_batch_s": median(waits[ordered]),
        "free_batch_s": median(waits[free]),
        "ordered_longest_s": max(waits[ordered]),
        "free_longest_s": max(waits[free]),
    }


def log_of(server_address: str) -> str:
    """The address of a new and empty log."""
    address = new_database(server_address)
    open_log(address).close()
    return address


def written(address: str, writers: int, batches: int, size: int) -> tuple[float, Sequence[float]]:
    """Seconds until all have written everything, and those of each batch."""
    together = Barrier(writers + 1)

    def write(number: int) -> list[float]:
        with closing(open_log(address)) as log:
            made = [batch(size) for _ in range(batches)]
            together.wait()
            took = []
            for events in made:
                started = time.perf_counter()
                log.append(*events)
                took.append(time.perf_counter() - started)
            return took

    with ThreadPoolExecutor(writers) as pool:
        running = [pool.submit(write, number) for number in range(writers)]
        together.wait()
        started = time.perf_counter()
        each = [took for one in running for took in one.result()]
        return time.perf_counter() - started, each


def batch(size: int) -> list[DecisionEvent]:
    """Decisions as an engine over hosted models writes them."""
    features = tuple(number / 40 for number in range(40))
    return [DecisionEvent(uuid4().hex, Configuration("small"), features, "benchmark", (0.4, 0.3, 0.3)) for _ in range(size)]


if __name__ == "__main__":
    main()
