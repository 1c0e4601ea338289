"""The session of a verifier that keeps nothing between calls but what it has to say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.search.paths import Candidate, Path
from uniscale_integrations.search.ports import Verdict

Item = tuple[Path, Candidate]
"""A candidate after the path that it continues."""


class StatelessSession:
    """A `VerifierSession` around one function; there is nothing to retain and nothing to close.

    Args:
        score: gives every item its reply, in the order given.
        notes: what could not be judged; whoever scores adds to it.
    """

    def __init__(self, score: Callable[[Sequence[Item]], Awaitable[Sequence[Verdict]]], notes: Sequence[str] = ()) -> None:
        self._score, self._notes = score, notes

    @property
    def notes(self) -> Sequence[str]:
        """Each once."""
        return tuple(dict.fromkeys(self._notes))

    async def score(self, items: Sequence[Item]) -> Sequence[Verdict]:
        return await self._score(items)

    @property
    def shared_usage(self) -> Usage:
        """Nothing: no question is read ahead."""
        return NOTHING

    def retain(self, paths: Collection[Path]) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is open."""


def notes_of(session: object) -> Sequence[str]:
    """What a session has to say beside scores, as far as it does."""
    return getattr(session, "notes", ())
