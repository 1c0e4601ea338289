"""Stage 7, `python -m training.questions`: the held-out questions that the package ships."""

from __future__ import annotations

import argparse
import gzip
import json

from training.tasks import FAMILIES, LEVELS, everything
from uniscale_integrations.models.questions import FILE

SEED = 424_242


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=35, help="questions of each family and level")
    arguments = parser.parse_args()
    problems = everything(SEED, "test", arguments.count)
    lines = [
        {"id": f"{p.family}-{p.level}-{i:04}", "family": p.family, "level": p.level, "text": p.question, "reference": p.answer}
        for i, p in enumerate(problems)
    ]
    FILE.parent.mkdir(exist_ok=True)
    with FILE.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines).encode())
    print(f"{len(lines)} questions of {len(FAMILIES)} families and {len(LEVELS)} levels, {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
