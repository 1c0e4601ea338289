"""A search as JSON-ready values: every path with its scores and its fate, and the vote."""

from __future__ import annotations

from typing import Any

from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.paths import Fate, Path, PathKey
from uniscale_integrations.search.result import champions


def record(answer: Answer) -> dict[str, Any]:
    """What a search did, small enough to be kept: each path says what it adds to the one that it continues.

    Returns:
        `winner`, the tree and the lineage of the path that won; `answer`; `votes`, for each tree the answer and the value of its best
        finished path; `paths`, of each `tree`, `lineage`, the new `steps` with their `scores`, `value`, `fate`, `reason` and `count`.
    """
    depths = {path.key: path.depth for path in answer.paths}
    winner = min(
        (path for path in answer.paths if path.text == answer.text),
        key=lambda path: (path.fate is not Fate.FINISHED, path.key),
        default=None,
    )
    voting = sorted(champions(answer.paths), key=lambda path: path.key)
    return {
        "chosen": None if winner is None else [winner.key.tree, *winner.key.lineage],
        "answer": answer.answer,
        "votes": [{"tree": path.key.tree, "answer": answer.answers.get(path.key), "value": path.value} for path in voting],
        "paths": [_path(path, depths) for path in sorted(answer.paths, key=lambda path: path.key)],
    }


def _path(path: Path, depths: dict[PathKey, int]) -> dict[str, Any]:
    before = depths.get(PathKey(path.key.tree, path.key.lineage[:-1]), 0) if path.key.lineage else 0
    return {
        "tree": path.key.tree,
        "lineage": list(path.key.lineage),
        "steps": list(path.steps[before:]),
        "scores": None if path.scores is None else [round(score, 4) for score in path.scores[before:]],
        "value": None if path.value is None else round(path.value, 4),
        "fate": path.fate.value,
        "reason": path.reason,
        "count": path.count,
    }
