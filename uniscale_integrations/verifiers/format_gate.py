"""A verifier for answers that must have a form."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import NotInTime
from uniscale_integrations.search.conversation import Validator
from uniscale_integrations.search.paths import Candidate, Path
from uniscale_integrations.search.ports import SupportsVoteScores, Verdict, Verifier, VerifierSession, shared_usage
from uniscale_integrations.verifiers.session import Item, notes_of


class FormatGate:
    """Gives an answer without the form that was asked for a 0, and leaves all others to another verifier.

    An answer of which that cannot be told in time has no score.

    Args:
        verifier: the other one; without one an answer in form has no score.
        valid: tells whether the text of a finished path has the form.

    Example:
        >>> import asyncio
        >>> from uniscale_integrations.search.paths import Candidate, PathKey
        >>> async def number(text):
        ...     return text.isdigit()
        >>> session = FormatGate(None, number).open("How many?")
        >>> root = Path(PathKey(0, ()))
        >>> asyncio.run(session.score([(root, Candidate(("four",), True)), (root, Candidate(("4",), True))]))
        [((0.0,), Usage(...)), (None, Usage(...))]
    """

    def __init__(self, verifier: Verifier | None, valid: Validator) -> None:
        self._verifier, self._valid = verifier, valid
        self.name = verifier.name if verifier else "form"
        self.upper = verifier.upper if verifier else 1.0
        self.path_local = verifier.path_local if verifier else True
        self.vote_share: float = getattr(verifier, "vote_share", 0.0)

    def open(self, question: str) -> _FormatGateSession:
        return _FormatGateSession(self._verifier.open(question) if self._verifier else None, self._valid)


class _FormatGateSession:
    def __init__(self, session: VerifierSession | None, valid: Validator) -> None:
        self._session, self._valid = session, valid
        self._notes: list[str] = []
        self._checked: dict[int, tuple[Candidate, bool | None]] = {}

    @property
    def shared_usage(self) -> Usage:
        return shared_usage(self._session) if self._session else NOTHING

    @property
    def notes(self) -> Sequence[str]:
        return (*dict.fromkeys(self._notes), *notes_of(self._session))

    def retain(self, paths: Collection[Path]) -> None:
        if self._session is not None:
            self._session.retain(paths)

    def close(self) -> None:
        if self._session is not None:
            self._session.close()

    async def score(self, items: Sequence[Item]) -> Sequence[Verdict]:
        passes = [await self._conforms(path, each) for path, each in items]
        good = [item for item, fine in zip(items, passes, strict=True) if fine]
        if self._session is None:
            return self._merge(items, passes, [(None, NOTHING) for _ in good])
        return self._merge(items, passes, await self._session.score(good) if good else [])

    async def score_vote(self, items: Sequence[Item], *, stopped: bool) -> Sequence[Verdict]:
        """Check the form of those that are new, and have all that are in form compared again."""
        for path, each in items:
            if id(each) not in self._checked:
                self._checked[id(each)] = each, await self._conforms(path, each)
        passes = [self._checked[id(each)][1] for _, each in items]
        good = [item for item, fine in zip(items, passes, strict=True) if fine]
        session: SupportsVoteScores = self._session  # type: ignore[assignment]  # its verifier says so
        return self._merge(items, passes, await session.score_vote(good, stopped=stopped) if good else [])

    def _merge(self, items: Sequence[Item], passes: Sequence[bool | None], verdicts: Sequence[Verdict]) -> Sequence[Verdict]:
        """The verdict of each, from those of the ones in form."""
        remaining = iter(verdicts)
        return [
            next(remaining) if fine else (None if fine is None else (0.0,) * len(each.steps), NOTHING)
            for (_, each), fine in zip(items, passes, strict=True)
        ]

    async def _conforms(self, path: Path, candidate: Candidate) -> bool | None:
        """Whether a candidate may still have the form; `None` where that cannot be told in time."""
        if not candidate.final:
            return True
        if self._notes:
            # One that took too long is enough: a request must not keep others from the processes.
            return None
        try:
            return await self._valid(path.text + "".join(candidate.steps))
        except NotInTime as error:
            self._notes.append(f"the form of an answer was not checked: {error}")
            return None
