"""Agreement between candidates as a verifier: what more of them say is more likely right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from statistics import fmean

from uniscale_integrations.answers.extract import extract_answer
from uniscale_integrations.answers.sameness import groups
from uniscale_integrations.cost.usage import NOTHING
from uniscale_integrations.search.paths import Candidate, Path
from uniscale_integrations.search.ports import Verdict
from uniscale_integrations.verifiers.session import Item, StatelessSession

Statement = tuple[str | int, str | int]
"""What a step says: its place among the new steps and its words, or that it is the end and which answer that is."""


class Agreement:
    """The share of the candidates, of those scored together at the same depth, that say the same.

    Two steps say the same when they stand in the same place and differ at most in case, spacing and closing punctuation. Two
    final steps say the same when the answers of their paths do, however they were reached. A candidate that is alone at its depth
    has nothing to agree with: its steps get the mean of its path's scores, which leaves `V` where it was, or no opinion where the
    path has no scores yet.

    The score depends on which other candidates there are, so a search with it does not stop paths early (`path_local` is false).
    It needs all the candidates that were sampled, repeated ones included.

    Example:
        >>> import asyncio
        >>> from uniscale_integrations.search.paths import Candidate, Path, PathKey
        >>> path = Path(PathKey(0, ()))
        >>> items = [(path, Candidate((step,), True)) for step in ("3 + 4 is 7", "Answer: 7", "Answer: 8")]
        >>> [round(scores[0], 2) for scores, usage in asyncio.run(Agreement().open("3 + 4?").score(items))]
        [0.67, 0.67, 0.33]
    """

    name = "agreement"
    upper = 1.0
    path_local = False

    def open(self, question: str) -> StatelessSession:
        return StatelessSession(partial(self._score, question))

    async def _score(self, question: str, items: Sequence[Item]) -> Sequence[Verdict]:
        answers = [_answer(path, candidate) for path, candidate in items]
        numbers = iter(groups([answer for answer in answers if answer is not None], question))
        statements = [
            _statements(candidate, None if answer is None else next(numbers)) for (_, candidate), answer in zip(items, answers, strict=True)
        ]
        sizes = Counter(path.depth for path, candidate in items if candidate.error is None)
        said = Counter(
            (path.depth, each)
            for (path, candidate), made in zip(items, statements, strict=True)
            if candidate.error is None
            for each in made
        )
        return [
            (_shares(path, candidate, made, sizes, said), NOTHING)
            for (path, candidate), made in zip(items, statements, strict=True)
        ]


def _shares(
    path: Path, candidate: Candidate, made: tuple[Statement, ...], sizes: Counter[int], said: Counter[tuple[int, Statement]]
) -> tuple[float, ...] | None:
    if not candidate.steps:
        return ()
    if candidate.error is not None:
        return None
    if sizes[path.depth] > 1:
        return tuple(said[path.depth, each] / sizes[path.depth] for each in made[: len(candidate.steps)])
    return (fmean(path.scores),) * len(candidate.steps) if path.scores else None


def _answer(path: Path, candidate: Candidate) -> str | None:
    return extract_answer(path.text + "".join(candidate.steps)) if candidate.final else None


def _statements(candidate: Candidate, answer: int | None) -> tuple[Statement, ...]:
    """One per new step; a candidate that only ends the text still states its path's answer, which is told by its number."""
    made: list[Statement] = [(place, _words(step)) for place, step in enumerate(candidate.steps)]
    if candidate.final:
        words = made.pop()[1] if made else ""
        made.append(("end", words) if answer is None else ("answer", answer))
    return tuple(made)


def _words(step: str) -> str:
    return " ".join(step.casefold().split()).rstrip(" .,;:!")
