"""Several verifiers as one."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Sequence
from contextlib import ExitStack
from functools import reduce
from math import fsum

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import ConfigurationError, VerifierError
from uniscale_integrations.search.paths import Candidate, Path
from uniscale_integrations.search.ports import (
    SupportsVerifierCost,
    SupportsVoteScores,
    Verdict,
    Verifier,
    VerifierSession,
    shared_usage,
)
from uniscale_integrations.search.scores import check_scores
from uniscale_integrations.verifiers.session import Item, notes_of


class Ensemble:
    """The weighted mean of the verifiers that have an opinion: `sum(w_i * s_i) / sum(w_i)` over those members.

    `upper` is the greatest `upper` of the members, not their weighted mean: where only the most generous member has an opinion,
    its score is the ensemble's. A mean never exceeds its greatest term, so the bound always holds.

    The members score at the same time; their usages are added. If one fails, the others are cancelled and its error is raised.

    Args:
        members: verifiers and their weights, which need not sum to 1.
        name: for messages and the log; by default made of the members' names.

    Raises:
        ConfigurationError: no members, or a weight that is not above 0.

    Example:
        >>> from uniscale_integrations.search.paths import Candidate, PathKey
        >>> from uniscale_integrations.verifiers import CallableVerifier, SelfCertainty
        >>> wary = CallableVerifier(lambda question, path_text, step: 0.2, name="wary")
        >>> session = Ensemble([(wary, 3), (SelfCertainty(), 1)]).open("3 + 4?")
        >>> path = Path(PathKey(0, ()))
        >>> items = [(path, Candidate(("7",), True, log_probabilities=(0.0,))), (path, Candidate(("7",), True))]
        >>> [round(scores[0], 2) for scores, usage in asyncio.run(session.score(items))]
        [0.4, 0.2]
    """

    def __init__(self, members: Sequence[tuple[Verifier, float]], *, name: str | None = None) -> None:
        if not members:
            raise ConfigurationError("an ensemble needs at least one verifier")
        for verifier, weight in members:
            if not 0.0 < weight < float("inf"):
                raise ConfigurationError(f"the weight of {verifier.name!r} must be a number above 0, got {weight!r}")
        self._members = tuple(members)
        self.name = name or f"ensemble({', '.join(verifier.name for verifier, _ in members)})"

    @property
    def upper(self) -> float:
        """The greatest `upper` of the members."""
        return max(verifier.upper for verifier, _ in self._members)

    @property
    def path_local(self) -> bool:
        """Whether all members are."""
        return all(verifier.path_local for verifier, _ in self._members)

    @property
    def vote_share(self) -> float:
        """The part of the weights that members have whose scores are shares; 0 where another one compares paths too."""
        total = fsum(weight for _, weight in self._members)
        shares = [getattr(verifier, "vote_share", 0.0) for verifier, _ in self._members]
        if not all(share or verifier.path_local for share, (verifier, _) in zip(shares, self._members, strict=True)):
            return 0.0
        return fsum(share * weight for share, (_, weight) in zip(shares, self._members, strict=True)) / total

    @property
    def loop_free(self) -> bool:
        """Whether all members are."""
        return all(getattr(verifier, "loop_free", False) for verifier, _ in self._members)

    def reading_usage(self, prompt_tokens: int, answer_tokens: int) -> Usage:
        """The sum over the members that tell theirs."""
        telling = (verifier for verifier, _ in self._members if isinstance(verifier, SupportsVerifierCost))
        return reduce(Usage.plus, (verifier.reading_usage(prompt_tokens, answer_tokens) for verifier in telling), NOTHING)

    def open(self, question: str) -> EnsembleSession:
        with ExitStack() as stack:
            sessions: list[VerifierSession] = []
            for verifier, _ in self._members:
                sessions.append(verifier.open(question))
                stack.callback(sessions[-1].close)
            return EnsembleSession(self._members, sessions, stack.pop_all())


class EnsembleSession:
    """The members' sessions, opened, retained and closed together."""

    def __init__(self, members: Sequence[tuple[Verifier, float]], sessions: Sequence[VerifierSession], stack: ExitStack) -> None:
        self._members = members
        self._sessions = sessions
        self._stack = stack
        self._said: dict[tuple[int, int], tuple[Candidate, Verdict]] = {}

    async def score(self, items: Sequence[Item]) -> Sequence[Verdict]:
        """Ask every member at the same time and merge what they say, candidate by candidate."""
        return await self._merged(items, [_ask(session, items) for session in self._sessions])

    async def score_vote(self, items: Sequence[Item], *, stopped: bool) -> Sequence[Verdict]:
        """The same of a vote: members that compare candidates are asked about all of them again, others about those that are new."""
        asked = [
            _ask_vote(session, items, stopped) if getattr(verifier, "vote_share", 0.0) else self._ask_new(place, session, items)
            for place, ((verifier, _), session) in enumerate(zip(self._members, self._sessions, strict=True))
        ]
        return await self._merged(items, asked)

    async def _ask_new(self, place: int, session: VerifierSession, items: Sequence[Item]) -> Sequence[Verdict]:
        new = [item for item in items if (place, id(item[1])) not in self._said]
        verdicts = await session.score(new) if new else []
        if len(verdicts) != len(new):
            return verdicts
        for (_, candidate), verdict in zip(new, verdicts, strict=True):
            # The candidate is kept as well, so that no other one can have its id.
            self._said[place, id(candidate)] = candidate, verdict
        fresh = {id(candidate) for _, candidate in new}
        said = [(id(candidate), self._said[place, id(candidate)][1]) for _, candidate in items]
        return [(scores, usage if key in fresh else NOTHING) for key, (scores, usage) in said]

    async def _merged(
        self, items: Sequence[Item], asked: Sequence[Coroutine[object, object, Sequence[Verdict]]]
    ) -> Sequence[Verdict]:
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(each) for each in asked]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        opinions = [_check(verifier, items, task.result()) for (verifier, _), task in zip(self._members, tasks, strict=True)]
        weights = [weight for _, weight in self._members]
        return [_combine(weights, [replies[position] for replies in opinions]) for position in range(len(items))]

    @property
    def shared_usage(self) -> Usage:
        """The sum over the members."""
        return reduce(Usage.plus, (shared_usage(session) for session in self._sessions))

    @property
    def notes(self) -> Sequence[str]:
        """Those of all members."""
        return tuple(note for session in self._sessions for note in notes_of(session))

    def retain(self, paths: Collection[Path]) -> None:
        for session in self._sessions:
            session.retain(paths)

    def close(self) -> None:
        """Close every member's session, also when closing one of them fails."""
        self._stack.close()


async def _ask(session: VerifierSession, items: Sequence[Item]) -> Sequence[Verdict]:
    return await session.score(items)


async def _ask_vote(session: VerifierSession, items: Sequence[Item], stopped: bool) -> Sequence[Verdict]:
    voting: SupportsVoteScores = session  # type: ignore[assignment]  # its verifier says so
    return await voting.score_vote(items, stopped=stopped)


def _check(verifier: Verifier, items: Sequence[Item], replies: Sequence[Verdict]) -> Sequence[Verdict]:
    if len(replies) != len(items):
        raise VerifierError(f"verifier {verifier.name!r} gave {len(replies)} replies to {len(items)} candidates; give each one")
    for (_, candidate), (scores, _) in zip(items, replies, strict=True):
        if scores is not None:
            check_scores(verifier.name, candidate.steps, scores, verifier.upper)
    return replies


def _combine(weights: Sequence[float], replies: Sequence[Verdict]) -> Verdict:
    usage = NOTHING
    opinions: list[tuple[float, tuple[float, ...]]] = []
    for weight, (scores, member_usage) in zip(weights, replies, strict=True):
        usage = usage.plus(member_usage)
        if scores is not None:
            opinions.append((weight, scores))
    if not opinions:
        return None, usage
    total = fsum(weight for weight, _ in opinions)
    steps = zip(*(scores for _, scores in opinions), strict=True)
    return tuple(_mean([weight for weight, _ in opinions], scores, total) for scores in steps), usage


def _mean(weights: Sequence[float], scores: Sequence[float], total: float) -> float:
    mean = fsum(weight * score for weight, score in zip(weights, scores, strict=True)) / total
    # Rounding may carry the mean of equal scores a little beyond them, and so beyond `upper`.
    return min(max(mean, min(scores)), max(scores))
