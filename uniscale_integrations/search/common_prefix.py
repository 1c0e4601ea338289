"""What every path that may still win has in common, so that it can be shown before the search has ended."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from uniscale_integrations.search.beam import BeamSearch
from uniscale_integrations.search.paths import Fate, Path


class CommonPrefix:
    """Follows a search and tells each step as soon as all paths that may still become the answer share it.

    Example:
        >>> from uniscale_integrations.search.paths import Candidate, ScoredCandidate
        >>> from uniscale_integrations.space import Configuration
        >>> search, prefix = BeamSearch(Configuration("m", cp=2)), CommonPrefix()
        >>> [expansion] = search.ask()
        >>> same, other = Candidate(("one ",), False), Candidate(("two ",), False)
        >>> _ = search.tell(expansion.path.key, [ScoredCandidate(same, (0.9,)), ScoredCandidate(other, (0.5,))])
        >>> prefix.new(contenders(search))
        ('one ',)
    """

    def __init__(self) -> None:
        self._count = 0

    @property
    def count(self) -> int:
        """How many steps have been told."""
        return self._count

    def new(self, paths: Sequence[Path]) -> tuple[str, ...]:
        """The steps that these `contenders` have in common and that were not told before."""
        prefix = _common(path.steps for path in paths)
        new_steps, self._count = prefix[self._count :], max(self._count, len(prefix))
        return tuple(new_steps)


def contenders(search: BeamSearch) -> tuple[Path, ...]:
    """Paths that may become the answer, or on which it may be built. One that only ran out of steps may, as long as none has finished."""
    finished = [path for path in search.paths if path.fate is Fate.FINISHED]
    if finished:
        return (*search.live(), *finished)
    return (*search.live(), *(path for path in search.paths if path.fate is Fate.TRUNCATED))


def _common(paths: Iterable[Sequence[str]]) -> tuple[str, ...]:
    prefix: tuple[str, ...] | None = None
    for steps in paths:
        if prefix is None:
            prefix = tuple(steps)
            continue
        same = 0
        for mine, theirs in zip(prefix, steps, strict=False):
            if mine != theirs:
                break
            same += 1
        prefix = prefix[:same]
    return prefix or ()
