"""`python -m benchmarks.engine [--json]`: what the engine adds to a request, and to a thousand at once.

- A decision, logged, and its feedback, logged and learned, over 100 configurations: in units of one committed insert of a row into a SQLite
  file by the `sqlite3` module, under the log's own settings (write-ahead log, every commit on the disk). The three take turns in one run.
- A thousand calls of `arun` at once on a model that takes 50 ms, against a bare `asyncio.gather` of the waiting, and against as many
  committed inserts one after the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.instant import InstantGenerator, InstantVerifier
from uniscale_integrations.engine import UniScale
from uniscale_integrations.space import ConfigurationSpace

MODELS = {f"model-{number}": 1e6 * 4**number for number in range(4)}
SHAPES = tuple((qp, cp, bs) for qp in (1, 2, 4, 8, 16) for cp, bs in ((1, 1), (2, 1), (4, 2), (8, 2), (8, 4)))
REQUESTS, WARM = 400, 50
AT_ONCE, SECONDS = 1000, 0.05
BODY = "x" * 700
"""As long as what the log keeps of a decision."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--folder", type=Path, help="where to write the databases; a temporary folder by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        found = {**request(Path(folder)), **at_once(Path(folder))}
    found["inserts_s"] = AT_ONCE * found["insert_us"] / 1e6
    for name, value in found.items():
        sys.stderr.write(f"{name}: {value:.4g}\n" if isinstance(value, float) else f"{name}: {value}\n")
    if arguments.json:
        sys.stdout.write(json.dumps(found) + "\n")


def request(folder: Path) -> dict[str, Any]:
    """Microseconds of a decision and of its feedback, and of inserts in the same run; medians."""
    models = [InstantGenerator(1, name, compute) for name, compute in MODELS.items()]
    space = ConfigurationSpace.default(list(MODELS), SHAPES)
    seconds: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[..., Any], *given: Any) -> Any:
        started = time.perf_counter()
        found = work(*given)
        seconds.setdefault(name, []).append(time.perf_counter() - started)
        return found

    with (
        closing(UniScale(models, InstantVerifier(), space, log=f"sqlite:///{folder / 'log.db'}")) as engine,
        closing(sqlite3.connect(folder / "bare.db", isolation_level=None)) as bare,
    ):
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, name TEXT, body TEXT)")
        for number in range(WARM + REQUESTS):
            question = f"What is {number} + {number % 7}?" if number % 2 else f"Write {number} lines about the sea."
            decision = timed("decide", engine.decide, question)
            timed("feedback", engine.feedback, decision, 1.0)
            timed("insert", bare.execute, "INSERT INTO rows (name, body) VALUES (?, ?)", (str(number), BODY))
    micros = {f"{name}_us": 1e6 * median(taken[WARM:]) for name, taken in seconds.items()}
    whole = median(
        [decide + feedback for decide, feedback in zip(seconds["decide"][WARM:], seconds["feedback"][WARM:], strict=True)]
    )
    return {"configurations": len(space), **micros, "inserts_per_request": whole / median(seconds["insert"][WARM:])}


def at_once(folder: Path) -> dict[str, Any]:
    """Seconds of a thousand requests at once, bare and through the engine; the better of three turns of each."""
    names = ("small", "large")
    bare, ours = [], []

    async def waiting() -> None:
        await asyncio.gather(*(asyncio.sleep(SECONDS) for _ in range(AT_ONCE)))

    async def asking(engine: UniScale) -> None:
        await asyncio.gather(*(engine.arun(f"What is {number} + 2?") for number in range(AT_ONCE)))

    for turn in range(3):
        models = [InstantGenerator(1, name, 1e6, SECONDS) for name in names]
        space = ConfigurationSpace.default(list(names), ((1, 1, 1),))
        with closing(UniScale(models, InstantVerifier(), space, log=f"sqlite:///{folder / f'many{turn}.db'}")) as engine:
            started = time.perf_counter()
            asyncio.run(waiting())
            bare.append(time.perf_counter() - started)
            started = time.perf_counter()
            asyncio.run(asking(engine))
            ours.append(time.perf_counter() - started)
    return {"at_once": AT_ONCE, "bare_s": min(bare), "arun_s": min(ours), "arun_ratio": min(ours) / min(bare)}


if __name__ == "__main__":
    main()
