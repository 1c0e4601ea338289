"""What a search found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from uniscale_integrations.answers.sameness import Equal
from uniscale_integrations.deprecation import former_attribute
from uniscale_integrations.search.answers import extract_answer
from uniscale_integrations.search.paths import INCOMPLETE, Fate, Path
from uniscale_integrations.search.voting import Ballot, vote


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The outcome of one search.

    Attributes:
        winner: the path whose answer won the vote.
        best: the path with the best value; early stopping never changes it.
        answer: the answer read off `winner`; `None` where nothing in it looks like one.
        paths: every path of the search with its fate.
        stop_reason: why the search ended early, empty if it did not.
        notes: what went wrong on the way without ending it.
    """

    winner: Path
    best: Path
    answer: str | None
    paths: tuple[Path, ...]
    stop_reason: str
    notes: tuple[str, ...]

    chosen = former_attribute("winner")
    cut = former_attribute("stop_reason")

    @property
    def text(self) -> str:
        """The text of the winner."""
        return self.winner.text

    @property
    def finish_reason(self) -> str:
        """Why the text ends, in OpenAI's words: "stop" where its model ended it, "length" where a limit did, "content_filter"."""
        if self.winner.incomplete:
            return "stop" if self.winner.incomplete == "empty" else self.winner.incomplete
        return "stop" if self.winner.fate is Fate.FINISHED else "length"

    @property
    def score(self) -> float | None:
        """The value of the winner; `None` where nothing scored it."""
        return self.winner.value


def precedence(path: Path) -> tuple[float, tuple[int, tuple[int, ...]]]:
    """Sort key, best first: by value, the earlier key on a tie; paths without a value come last."""
    return (2.0 if path.value is None else -path.value, path.key)


def champions(paths: Iterable[Path]) -> list[Path]:
    """The best finished path of each tree, the best of all first."""
    done = Fate.FINISHED
    best: dict[int, Path] = {}
    for path in sorted((path for path in paths if path.fate is done), key=precedence):
        best.setdefault(path.key.tree, path)
    return list(best.values())


def conclude(
    paths: Iterable[Path],
    stop_reason: str,
    notes: Iterable[str],
    question: str = "",
    *,
    reader: Callable[[Path], str | None] | None = None,
    equal: Equal | None = None,
) -> SearchResult | None:
    """The result of the paths so far; `None` while not a single step exists.

    Each tree has one ballot, its best finished path. Where no path finished, the best unfinished one stands in, and the result
    is marked as cut. One that its model ended without saying anything is better than nothing: it is what the model alone would have given.

    Args:
        paths: of all trees.
        stop_reason: why the search ended early, empty if it did not.
        notes: for the result.
        question: what was asked.
        reader: gives the answer of a path; read off its text by default.
        equal: see `vote`.
    """
    everything = tuple(paths)
    reader = reader or (lambda path: extract_answer(path.text, question))
    if finished := champions(everything):
        winner = vote([Ballot(reader(path), path.value, path.key, text=path.text) for path in finished], question, equal)
        [winner_path] = [path for path in finished if path.key == winner.key]
        return SearchResult(winner_path, finished[0], winner.answer, everything, stop_reason, tuple(notes))
    partial = [
        path
        for path in everything
        if path.fate is not Fate.FAILED and (path.steps or path.incomplete or path.payload is not None)
    ]
    if not partial:
        return None
    best = min(partial, key=lambda path: (-path.depth, *precedence(path)))
    why = stop_reason or INCOMPLETE.get(best.incomplete, "no path finished")
    return SearchResult(best, best, reader(best), everything, why, tuple(notes))
