"""A search drawn as a tree of steps: scores, fates, and why a path was stopped."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text
from rich.tree import Tree

from uniscale_integrations.search.paths import Fate, Path, PathKey
from uniscale_integrations.texts import printable

STYLES = {
    Fate.FINISHED: "green",
    Fate.PRUNED: "red",
    Fate.OUTRANKED: "yellow",
    Fate.FAILED: "bold red",
    Fate.CANCELLED: "magenta",
    Fate.TRUNCATED: "magenta",
}


def label(path: Path, before: int, answer: str) -> Text:
    """One line for the last candidate of a path: its new steps, their scores, its fate."""
    text = Text()
    steps = printable(" / ".join(step.strip() for step in path.steps[before:])) or "(end of text)"
    text.append(steps, style=STYLES.get(path.fate, ""))
    if path.scores and len(path.scores) > before:
        text.append("  " + " ".join(f"{score:.3f}" for score in path.scores[before:]), style="dim")
    if path.count > 1:
        text.append(f"  x{path.count}", style="dim")
    if path.fate is Fate.FINISHED:
        value = "" if path.value is None else f" V={path.value:.3f}"
        text.append(f"  finished{value}", style="bold green" if path.text == answer else "green")
        if path.text == answer:
            text.append("  <- answer", style="bold green")
    elif path.fate not in (Fate.EXPANDED, Fate.ALIVE):
        text.append(f"  {path.fate.value}: {printable(path.reason)}", style=STYLES.get(path.fate, "dim"))
    return text


def draw_paths(question: str, paths: Iterable[Path], answer: str) -> Tree:
    """The tree of all paths; duplicates stand as a count on the sibling that was kept."""
    root = Tree(Text(printable(question.strip()), style="bold"))
    branches: dict[PathKey, tuple[Tree, int]] = {}
    for path in sorted(paths, key=lambda path: path.key):
        base = PathKey(path.key.tree, ())
        if base not in branches:
            branches[base] = (root.add(Text(f"tree {path.key.tree}", style="cyan")), 0)
        if not path.key.lineage:
            branches[base][0].add(Text(f"never started: {printable(path.reason)}", style="red"))
            continue
        if path.fate is Fate.DUPLICATE:
            continue
        branch, before = branches[PathKey(path.key.tree, path.key.lineage[:-1])]
        branches[path.key] = (branch.add(label(path, before, answer)), len(path.steps))
    return root
