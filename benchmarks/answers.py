"""`python -m benchmarks.answers FILE [--json]`: whether pairs of whole outputs are told the same and told apart, beside math-verify.

Each line of the file is a JSON object with `id`, `kind`, `question`, `left`, `right` (whole outputs of a model), `equal`, and `hard`, where
people may disagree. An output in which no answer is found is the same as nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from uniscale_integrations.search.answers import extract_answer, same_answer

Pair = Mapping[str, Any]


def by_this_package(pair: Pair) -> bool:
    """Whether this package says that the outputs answer the same."""
    left, right = (extract_answer(pair[side], pair["question"]) for side in ("left", "right"))
    return left is not None and right is not None and same_answer(left, right, pair["question"])


def by_math_verify(pair: Pair) -> bool:
    """Whether math-verify does: what it finds in either output, compared."""
    from math_verify import parse, verify

    left, right = parse(pair["left"]), parse(pair["right"])
    return bool(left and right and verify(left, right))


def compared(pairs: Sequence[Pair]) -> dict[str, Any]:
    """What both say of the pairs."""
    same_answer("x + 1", "1 + x")  # what is started late is started now
    same, microseconds = _timed(by_this_package, pairs)
    theirs, _ = _timed(by_math_verify, pairs)
    right = [said == pair["equal"] for said, pair in zip(same, pairs, strict=True)]
    kinds: dict[str, list[bool]] = defaultdict(list)
    for good, pair in zip(right, pairs, strict=True):
        kinds[pair["kind"]].append(good)
    return {
        "pairs": len(pairs),
        "right": sum(right) / len(pairs),
        "false_same": [p["id"] for said, p in zip(same, pairs, strict=True) if said and not p["equal"] and not p["hard"]],
        "wrong": [pair["id"] for good, pair in zip(right, pairs, strict=True) if not good],
        "by_kind": {kind: sum(found) / len(found) for kind, found in kinds.items()},
        "micros_per_pair": microseconds,
        "math_verify_right": sum(said == pair["equal"] for said, pair in zip(theirs, pairs, strict=True)) / len(pairs),
    }


def _timed(says: Callable[[Pair], bool], pairs: Sequence[Pair]) -> tuple[list[bool], float]:
    """What is said of each pair, and microseconds for one."""
    says(pairs[0])  # what is imported late is imported now
    began = time.perf_counter()
    said = [says(pair) for pair in pairs]
    return said, 1e6 * (time.perf_counter() - began) / len(pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="of pairs, a JSON object on each line")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    given = parser.parse_args()
    lines = given.file.read_text(encoding="utf-8").splitlines()
    pairs = [json.loads(line) for line in lines if line.strip()]
    if not pairs:
        parser.error(f"{given.file} holds no pairs")
    found = compared(pairs)
    table = Table(title=f"{found['pairs']} pairs", title_justify="left")
    for heading in ("kind", "right"):
        table.add_column(heading)
    for kind, share in sorted(found["by_kind"].items(), key=lambda entry: entry[1]):
        table.add_row(kind, f"{share:.0%}")
    out = Console()
    out.print(table)
    out.print(
        f"{found['right']:.1%} right, math-verify {found['math_verify_right']:.1%}; {found['micros_per_pair']:.0f} µs for a pair"
    )
    out.print(
        f"called the same and are not: {', '.join(found['false_same']) or 'none'}; wrong: {', '.join(found['wrong']) or 'none'}"
    )
    if given.json:
        sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
