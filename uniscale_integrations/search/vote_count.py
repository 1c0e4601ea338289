"""Counts the votes of a search while its candidates come, and scores them together once it is over."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from math import fsum

from uniscale_integrations.answers.algebra import equalities
from uniscale_integrations.answers.extract import extract_answer
from uniscale_integrations.answers.sameness import group_values, identical, settled
from uniscale_integrations.answers.values import read_values
from uniscale_integrations.concurrency.threads import read_aside
from uniscale_integrations.search.beam import BeamSearch
from uniscale_integrations.search.paths import Candidate, Fate, Path, PathKey
from uniscale_integrations.search.ports import SupportsVoteScores, Verdict
from uniscale_integrations.search.scores import check_scores
from uniscale_integrations.search.votes import MARGIN, Group, Tally, Vote

Item = tuple[Path, Candidate]

Ballot = tuple[PathKey, float | None, str | None]
"""A path, its value, and its answer."""


class VoteCount:
    """Counts one vote.

    Args:
        search: whose trees are its candidates.
        vote: decides how many of them are drawn.
        verifier: scores them by comparing them; without one they are counted.
        verifier_name: for messages.
    """

    def __init__(self, search: BeamSearch, vote: Vote, verifier: SupportsVoteScores | None, verifier_name: str) -> None:
        self.search, self.vote = search, vote
        self._verifier, self._verifier_name = verifier, verifier_name
        self._items: dict[PathKey, Item] = {}
        self._charged: set[PathKey] = set()

    async def count(self, seconds: float | None) -> bool:
        """Count again; returns whether the vote is decided.

        Args:
            seconds: that it may take; where they pass, it is not decided.
        """
        ended, drawn = self.search.ended, len(self._voting())
        if not self.vote.could_decide(ended, drawn):
            return self.vote.tell(Tally(ended, drawn, ()))
        try:
            async with asyncio.timeout(seconds):
                tally = await self._tally(ended)
        except TimeoutError:
            tally = Tally(ended, drawn, ())
        return self.vote.tell(tally)

    async def score(self, seconds: float | None) -> None:
        """Give every candidate its score among all that were drawn.

        Args:
            seconds: that it may take; where they pass, none has a score, and a note says so.
        """
        if self._verifier is None or not (voting := self._voting()):
            return
        try:
            async with asyncio.timeout(seconds):
                verdicts = await self._scores(voting)
        except TimeoutError:
            self.search.notes.append(f"what was there when the deadline passed had not been scored by {self._verifier_name}")
            return
        for path, verdict in zip(voting, verdicts, strict=True):
            if isinstance(verdict, str):
                self.search.fail(path, verdict)
            else:
                self.search.score(path, verdict[0])

    def _voting(self) -> list[Path]:
        """The candidates that count."""
        return [path for path in self.search.paths if path.fate is Fate.FINISHED]

    async def _tally(self, ended: int) -> Tally:
        voting = self._voting()
        verdicts: Sequence[Verdict | str | None] = [None] * len(voting)
        if self._verifier is not None:
            verdicts = await self._scores(voting)
        value_of = self.search.settings.aggregation.value
        ballots: list[Ballot] = []
        for path, verdict in zip(voting, verdicts, strict=True):
            if isinstance(verdict, str):
                continue
            value = 1.0 if verdict is None else value_of(verdict[0]) if verdict[0] else None
            if value != 0.0:
                ballots.append((path.key, value, await self._answer(path)))
        return await self._tallied(ended, ballots)

    async def _tallied(self, ended: int, ballots: Sequence[Ballot]) -> Tally:
        question, drawn, share = self.search.settings.question, len(ballots), self.vote.share
        values = read_values([answer for _, _, answer in ballots if answer is not None], question)
        of = _spread(ballots, group_values(values, await equalities(values)))
        groups, sizes = _groups(ballots, of), Counter(of)
        # Where no candidate has anything of its own, such as log-probabilities, values are shares.
        counted = not share or all(
            value is None or abs(value - sizes[group] / drawn) < MARGIN for (_, value, _), group in zip(ballots, of, strict=True)
        )
        if settled(values):
            return Tally(ended, drawn, groups, counted=counted)
        parts = _spread(ballots, identical(values))
        # A part that is left alone has a smaller share than its group.
        alone = [
            (key, None if value is None else value - share * (sizes[group] - parts.count(part)) / drawn, answer)
            for (key, value, answer), group, part in zip(ballots, of, parts, strict=True)
        ]
        return Tally(ended, drawn, groups, _groups(alone, parts), counted)

    async def _answer(self, path: Path) -> str | None:
        if path.key not in self.search.answers:
            read = partial(extract_answer, question=self.search.settings.question)
            self.search.answers[path.key] = await read_aside(read, path.text)
        return self.search.answers[path.key]

    async def _scores(self, voting: Sequence[Path]) -> Sequence[Verdict | str]:
        """What the verifier says of each, or why it says nothing. What that takes is charged to the path."""
        assert self._verifier is not None
        for path in voting:
            if path.key not in self._items:
                candidate = Candidate(path.steps, True, log_probabilities=path.log_probabilities, payload=path.payload)
                self._items[path.key] = Path(PathKey(path.key.tree, ())), candidate
        items = [self._items[path.key] for path in voting]
        try:
            verdicts = await self._verifier.score_vote(items, stopped=bool(self.vote.decided))
        except Exception as error:
            # Whatever it raises costs the scores, never what was sampled; the search reports it.
            return [f"verifier {self._verifier_name}: {type(error).__name__}: {error}"] * len(items)
        if len(verdicts) != len(items):
            reason = f"{len(verdicts)} replies to {len(items)} candidates; it must give each one"
            return [f"verifier {self._verifier_name}: {reason}"] * len(items)
        return [self._checked(path, verdict) for path, verdict in zip(voting, verdicts, strict=True)]

    def _checked(self, path: Path, verdict: Verdict) -> Verdict | str:
        scores, usage = verdict
        path.verifier_usage = path.verifier_usage.plus(usage)
        try:
            good = None if scores is None else check_scores(self._verifier_name, path.steps, scores, self.search.settings.upper)
        except Exception as error:
            return str(error)
        return good, usage


def _spread(ballots: Iterable[Ballot], numbers: Iterable[int]) -> list[int]:
    """The number of each ballot's group, from those of the ballots that have an answer; one without stands alone."""
    given = iter(numbers)
    return [next(given) if answer is not None else -1 - place for place, (_, _, answer) in enumerate(ballots)]


def _groups(ballots: Iterable[Ballot], of: Iterable[int]) -> tuple[Group, ...]:
    """The groups that weigh something."""
    members: dict[int, list[Ballot]] = {}
    for ballot, number in zip(ballots, of, strict=True):
        members.setdefault(number, []).append(ballot)
    return tuple(
        Group(len(each), fsum(value or 0.0 for _, value, _ in each), min(key.tree for key, _, _ in each))
        for each in members.values()
        if any(value is not None for _, value, _ in each)
    )
