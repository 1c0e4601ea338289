"""`python -m benchmarks.bandit [--json]`: time and memory of a decision and of an update, next to other packages' bandits.

Every bandit runs in a process of its own, on one BLAS thread; the medians are of alternating decisions and updates, as in service. An
update that follows the decision on the same query is told from one that comes late, after other decisions ("late_us"). A
product of a matrix of d x d with a vector is timed in the same run, as the yardstick. Peers that are not installed are passed over.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
DIMENSIONS, ARMS = (64, 384, 768), (10, 100, 1000)
OWN = ("uniscale product", "uniscale", "plain numpy")
"""What is no other package."""

SECONDS, MAX_TURNS = 6.0, 400
LATE = 10
"""Decisions after which an update comes late."""

MEMORY = 6e9
"""Bytes of matrices above which a bandit with one for each arm is passed over."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--libraries", nargs="+", help="some of them; all by default")
    parser.add_argument("--dimensions", nargs="+", type=int, default=DIMENSIONS)
    parser.add_argument("--arms", nargs="+", type=int, default=ARMS)
    parser.add_argument("--updates", type=int, default=1_000_000, help="of the test that rounding adds up to nothing; 0 for none")
    parser.add_argument("--one", nargs=3, metavar=("LIBRARY", "D", "K"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        library, d, k = arguments.one
        sys.stdout.write(json.dumps(measure(library, int(d), int(k))) + "\n")
        return
    from rich.console import Console
    from rich.progress import track
    from rich.table import Table

    from benchmarks.peers import CONTENDERS

    names = arguments.libraries or list(CONTENDERS)
    jobs = [(name, d, k) for d in arguments.dimensions for k in arguments.arms for name in names]
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    console = Console(stderr=True)
    for name, d, k in track(jobs, description="bandits", console=console, transient=True):
        if "each arm" in CONTENDERS[name][0] and 16.0 * d * d * k > MEMORY:
            notes.append(f"{name} at d={d}, K={k}: passed over, its matrices take more than {MEMORY / 1e9:.0f} GB")
            continue
        row = apart(name, d, k)
        if "error" in row:
            notes.append(f"{name} at d={d}, K={k}: {row['error']}")
        else:
            rows.append(row)
    yardsticks = apart("yardstick", 384, 1)
    sound = apart("soundness", 24, arguments.updates) if arguments.updates else {}
    table = Table(title="one BLAS thread; microseconds, medians", title_justify="left")
    for column in ("library", "learns", "d", "K", "select", "update", "late", "MB"):
        table.add_column(column, justify="left" if column in ("library", "learns") else "right")
    for row in rows:
        values = [row["library"], row["form"], str(row["d"]), str(row["k"])]
        table.add_row(
            *values, f"{row['select_us']:.0f}", f"{row['update_us']:.0f}", f"{row['late_us']:.0f}", f"{row['rss_mb']:.0f}"
        )
    out = Console()
    out.print(table)
    out.print(f"dgemv of 384 x 384: {yardsticks['dgemv_us']:.1f} us; dsymv + dsyr: {yardsticks['dsymv_dsyr_us']:.1f} us")
    measured = {(row["library"], row["d"], row["k"]) for row in rows}
    if {("uniscale product", 384, k) for k in ARMS} <= measured:
        for name, value in ratios(rows).items():
            out.print(f"{name.replace('_', ' ')}: {value:.2f}")
    if sound:
        out.print(
            f"after {sound['updates']:,} updates with discount 0.999, badly scaled: off by {sound['largest_error']:.1e} at most"
        )
    for note in dict.fromkeys(notes):
        out.print(note)
    if arguments.json:
        extra = {"blas_threads": 1, "soundness": sound, "notes": list(dict.fromkeys(notes))}
        sys.stdout.write(json.dumps({"rows": rows, **yardsticks, **extra}) + "\n")


def apart(library: str, d: int, k: int) -> dict[str, Any]:
    """`measure` in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.bandit", "--one", library, str(d), str(k)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | dict.fromkeys(THREADS, "1"), check=False)
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    row: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return row


def measure(library: str, d: int, k: int) -> dict[str, Any]:
    """One bandit: a row of the result."""
    import numpy as np

    if library == "yardstick":
        return yardstick(d)
    if library == "soundness":
        return soundness(d, k)
    from benchmarks.peers import CONTENDERS

    form, make = CONTENDERS[library]
    before = _memory()
    try:
        contender = make(d, k)
    except ModuleNotFoundError as error:
        return {"error": f"not installed ({error.name})"}
    rng = np.random.default_rng(1)
    choosing: list[float] = []
    learning: list[float] = []
    late: list[float] = []
    waiting: deque[tuple[Any, Any]] = deque()
    began = time.perf_counter()
    for turn in range(MAX_TURNS + 5):
        query = rng.standard_normal(contender.query_dim)
        started = time.perf_counter()
        arm = contender.select(query)
        chosen = time.perf_counter()
        contender.update(arm, query, float(rng.random()))
        learned = time.perf_counter()
        if turn >= 5:
            choosing.append(chosen - started)
            learning.append(learned - chosen)
        if turn >= 15 and learned - began > SECONDS:
            break
    began = time.perf_counter()
    for turn in range(MAX_TURNS // 2):
        query = rng.standard_normal(contender.query_dim)
        waiting.append((contender.select(query), query))
        if len(waiting) <= LATE:
            continue
        arm, query = waiting.popleft()
        reward, started = float(rng.random()), time.perf_counter()
        contender.update(arm, query, reward)
        learned = time.perf_counter()
        late.append(learned - started)
        if turn >= LATE + 5 and learned - began > SECONDS / 2:
            break
    return {
        "library": library,
        "form": form,
        "d": d,
        "k": k,
        "select_us": 1e6 * median(choosing),
        "update_us": 1e6 * median(learning),
        "late_us": 1e6 * median(late),
        "rss_mb": max(0.0, _memory() - before),
    }


def yardstick(d: int) -> dict[str, float]:
    """Microseconds of one `dgemv`, and of one `dsymv` and one `dsyr`, of d x d."""
    import numpy as np
    from scipy.linalg.blas import dgemv, dsymv, dsyr

    matrix, vector = np.asfortranarray(np.eye(d)), np.random.default_rng(0).standard_normal(d)

    def both() -> None:
        dsymv(1.0, matrix, vector, lower=1)
        dsyr(1e-12, vector, a=matrix, lower=1, overwrite_a=1)

    return {"dgemv_us": _microseconds(lambda: dgemv(1.0, matrix, vector)), "dsymv_dsyr_us": _microseconds(both)}


def soundness(d: int, updates: int) -> dict[str, float]:
    """How far `theta` and the widths are from those of a plain solve after many discounted updates, looked at a hundred times on the way.

    The features span eight orders of magnitude, and a third of them is not seen at a time, so that forgetting has time to act. Errors are
    of expectations and widths at the features' own scale, relative where they exceed 1.
    """
    import numpy as np

    from uniscale_integrations.policy.linucb import LinUCB

    rng, scales = np.random.default_rng(0), np.logspace(-4, 4, d)
    truth, bandit, largest = rng.standard_normal(d) / scales, LinUCB(d, discount=0.999), 0.0
    each = max(1, updates // 100)
    for turn in range(100):
        rows = rng.standard_normal((each, d)) * scales
        rows[:, turn % 3 :: 3] = 0.0
        for row, reward in zip(rows, rows @ truth + 0.1 * rng.standard_normal(each), strict=True):
            bandit.update(row, float(reward))
        matrix, sums = bandit.regression.matrix, bandit.regression.sums[0]
        questions = rng.standard_normal((8, d)) * scales
        # Solved in the features' own scale, in which the plain solve is exact enough to compare with.
        scaled, turned = matrix / np.outer(scales, scales), questions / scales
        means = turned @ np.linalg.solve(scaled, sums / scales)
        widths = np.sqrt(np.einsum("kd,kd->k", turned, np.linalg.solve(scaled, turned.T).T))
        for found, expected in zip(bandit.scores(questions), (means, widths), strict=True):
            largest = max(largest, float((np.abs(found - expected) / np.maximum(1.0, np.abs(expected))).max()))
    return {"updates": 100 * each, "largest_error": largest}


def _microseconds(work: Callable[[], object]) -> float:
    times: list[float] = []
    for _ in range(600):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return 1e6 * median(times[100:])


def _memory() -> float:
    """Most memory this process has taken, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def ratios(rows: Sequence[dict[str, Any]], d: int = 384) -> dict[str, float]:
    """What the product form is held to: how a decision grows with the arms, and how much faster it is than the fastest peer."""
    at = {(row["library"], row["k"]): row for row in rows if row["d"] == d}
    found = {"select_1000_to_10": at["uniscale product", 1000]["select_us"] / at["uniscale product", 10]["select_us"]}
    for k in (100, 1000):
        peers = {name: row["select_us"] + row["update_us"] for (name, arms), row in at.items() if arms == k and name not in OWN}
        if peers:
            mine, fastest = at["uniscale product", k], min(peers, key=lambda name: peers[name])
            found[f"faster_than_{fastest}_at_{k}"] = peers[fastest] / (mine["select_us"] + mine["update_us"])
    return found


if __name__ == "__main__":
    main()
