"""Moves data between a search, a generator and a verifier; everything that waits or fails is here, nothing that decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import islice

from uniscale_integrations.concurrency.turns import take_turn
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.deprecation import former_names, member
from uniscale_integrations.errors import BudgetError, CrowdedError, NoAnswerInTime, RequestRefused, VerifierError
from uniscale_integrations.redaction import redacted_message
from uniscale_integrations.search.beam import BeamSearch
from uniscale_integrations.search.budget import Meter
from uniscale_integrations.search.common_prefix import contenders
from uniscale_integrations.search.events import Sampled, SearchObserver, Stopped, tell
from uniscale_integrations.search.events import Scored as ScoredEvent
from uniscale_integrations.search.paths import Candidate, Expansion, Fate, Path, PathKey, ScoredCandidate
from uniscale_integrations.search.ports import GeneratorSession, Verdict, VerifierSession, shared_usage
from uniscale_integrations.search.scores import check_scores
from uniscale_integrations.search.vote_count import VoteCount

GIVEN_UP = frozenset((Fate.FAILED, Fate.OUTRANKED, Fate.DUPLICATE, Fate.PRUNED, Fate.CANCELLED))
"""What has become of paths that are out of the search."""

GRACE = 0.15
"""Seconds after a deadline in which what is there may still be scored; after that it counts without a score."""

Results = list[tuple[PathKey, list[ScoredCandidate]]]


@dataclass(slots=True, eq=False)
class ExpansionBatch:
    """Expansions handed over together.

    Attributes:
        expansions: the expansions.
        answers: what came back for each; set before they are scored, for scoring may still be cancelled.
        results: the scored candidates, once the call has ended.
        task: what runs it, unless it runs alone.
        ended: wakes the driver when the first of the calls it waits for has ended, whether with an answer or an error.
    """

    expansions: list[Expansion]
    answers: Sequence[Sequence[Candidate]] | None = None
    results: Results | None = None
    task: asyncio.Task[None] | None = None
    ended: asyncio.Future[None] | None = None

    @property
    def has_success(self) -> bool:
        """Whether it has ended with anything but failures."""
        return any(
            scored_candidate.candidate.error is None for _, candidates in self.results or () for scored_candidate in candidates
        )


class Driver:
    """Runs one search to its end.

    Args:
        search: the state machine.
        generator: the session with the base model for this question.
        verifier: the session with the verifier for this question, if there is one.
        meter: what may be spent; where it has limits the driver charges it, and ends the search when it is used up.
        verifier_name: for messages, and likewise `generator_name`.
        as_one: whether the expansions of all trees go into one call; a verifier that compares paths must see them together.
        observe: is told what happens; see `telemetry`.
        votes: where the search is a vote that stops once it is decided, counts it, and scores the candidates instead of `verifier`.

    Attributes:
        cancelled: what calls that were cancelled had used, generator and verifier apart, where they told, or their estimate.
    """

    def __init__(
        self,
        search: BeamSearch,
        generator: GeneratorSession,
        verifier: VerifierSession | None,
        meter: Meter,
        verifier_name: str = "",
        *,
        generator_name: str = "the model",
        as_one: bool = False,
        observe: SearchObserver | None = None,
        votes: VoteCount | None = None,
    ) -> None:
        self.search = search
        self.generator = generator
        self.verifier = verifier
        self.meter = meter
        self.cancelled = (NOTHING, NOTHING)
        self._verifier_name, self._generator_name = verifier_name, generator_name
        self._as_one = as_one or search.configuration.qp == 1
        self._observe, self._votes = observe, votes
        self._early_return: Callable[[], None] | None = member(generator, "finish_now", "hurry", None)
        self._reported: set[PathKey] = set()

    async def run(self) -> None:
        """Ask, expand, score, tell, until the search is over or the budget spent.

        Raises:
            BudgetError: the budget does not cover the first step of a single path.
            RequestRefused: the request itself is at fault, so that no other candidate could fare better.
            asyncio.CancelledError: the caller cancelled; running calls are cancelled too and the search is cut.
        """
        running: list[ExpansionBatch] = []
        search, has_limits = self.search, self.meter.limited
        try:
            while not search.over:
                expansions = search.ask()
                if has_limits:
                    expansions = self._affordable(expansions, running)
                calls = [ExpansionBatch(group) for group in self._groups(expansions)]
                running += calls
                if not running:
                    break
                seconds = self.meter.remaining_seconds()
                if len(running) == len(calls) == 1 and seconds is None:
                    # Nothing has to be watched beside it, which spares a task and a wait per step.
                    await self._expand(calls[0])
                else:
                    await self._wait(running, calls, seconds)
                # The replies of many requests may have come at once.
                await take_turn()
                done = [call for call in running if call.results is not None]
                # Candidates of a vote that are there have been told already.
                hurries = seconds is not None and self._votes is None
                if not done and (finish_now := self._early_return) is not None and hurries:
                    finish_now()
                    await self._wait(running, [], GRACE)
                    done = [call for call in running if call.has_success]
                if not done and seconds is not None:
                    done = await self._without_scores(running)
                if not done:
                    self._out_of_budget(self.meter.excess() or f"deadline of {self.meter.budget.seconds} s")
                for call in done:
                    running.remove(call)
                    self._tell(call.results or [])
                if has_limits:
                    self._watch_budget()
                if self._votes is not None and not search.over:
                    await self._count(self._votes, running)
                if running:
                    await self._drop_futile(running)
                if not running and not search.over:
                    self._retain()
            if self._votes is not None:
                await self._score_vote(self._votes)
        except (asyncio.CancelledError, KeyboardInterrupt):
            self.search.cut("interrupted")
            raise
        finally:
            await self._cancel(running)

    async def _wait(self, running: list[ExpansionBatch], fresh: list[ExpansionBatch], seconds: float | None) -> None:
        """Start the fresh calls, and wait until one that runs has ended or the time is up.

        One future that all of them can wake takes a third of the time of `asyncio.wait`, which adds a callback to each and removes it.
        """
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        for call in running:
            call.ended = ended
            if call.task is not None and call.task.done() and not ended.done():
                # It ended while a hopeless one was being cancelled, and woke a future that nobody waits for any more.
                ended.set_result(None)
        for call in fresh:
            call.task = loop.create_task(self._expand(call))
        if seconds is None:
            await ended
        else:
            await asyncio.wait((ended,), timeout=seconds)
        for call in running:
            if call.results is None and call.task is not None and call.task.done():
                call.task.result()

    async def _without_scores(self, running: list[ExpansionBatch]) -> list[ExpansionBatch]:
        """The calls that have sampled something but not scored it in time: what was sampled counts without a score."""
        late = [
            call
            for call in running
            if call.results is None and any(c.error is None for candidates in call.answers or () for c in candidates)
        ]
        if late:
            await _cancelled(late)
            self.search.notes.append(f"what was there when the deadline passed had not been scored by {self._verifier_name}")
        for call in late:
            answers = zip(call.expansions, call.answers or (), strict=True)
            call.results = [
                (expansion.path.key, [ScoredCandidate(candidate, None) for candidate in candidates])
                for expansion, candidates in answers
            ]
        return late

    def _groups(self, expansions: list[Expansion]) -> list[list[Expansion]]:
        if not expansions or self._as_one:
            return [expansions] if expansions else []
        trees: dict[int, list[Expansion]] = {}
        for expansion in expansions:
            trees.setdefault(expansion.path.key.tree, []).append(expansion)
        return list(trees.values())

    def _usage(self) -> Usage:
        return (
            shared_usage(self.generator)
            if self.verifier is None
            else shared_usage(self.generator).plus(shared_usage(self.verifier))
        )

    def _affordable(self, expansions: list[Expansion], running: list[ExpansionBatch]) -> list[Expansion]:
        """The expansions the budget covers next to what is running; the rest is declined, and the search over if that is all."""
        if not expansions:
            return expansions
        plan = self._usage().plus(self._estimate(expansion for call in running for expansion in call.expansions))
        affordable: list[Expansion] = []
        declines: list[tuple[PathKey, str]] = []
        begins = not (running or self.search.paths)
        for expansion in expansions:
            total = plan.plus(self.generator.estimate(expansion))
            reason = self.meter.excess(total)
            if reason and begins and not affordable and (fewer := self._fewer(expansion, plan, reason)) is not None:
                affordable.append(fewer)
                plan = plan.plus(self.generator.estimate(fewer))
            elif reason:
                declines.append((expansion.path.key, reason))
            else:
                affordable.append(expansion)
                plan = total
        if not affordable and not running:
            self._out_of_budget(declines[0][1])
            return []
        for key, reason in declines:
            self.search.decline(key, reason)
        return affordable

    def _fewer(self, expansion: Expansion, plan: Usage, reason: str) -> Expansion | None:
        """The first expansion of a request with as many candidates as the budget covers; `None` where it does not cover one."""
        first = getattr(self.generator, "estimate_first", self.generator.estimate)
        for count in range(expansion.count, 0, -1):
            fewer = replace(expansion, count=count)
            if not self.meter.excess(plan.plus((first if count == 1 else self.generator.estimate)(fewer))):
                if count < expansion.count:
                    self.search.notes.append(f"{count} of {expansion.count} candidates were sampled: {reason}")
                return fewer
        return None

    def _out_of_budget(self, excess: str) -> None:
        if not self.search.paths:
            if reason := member(self.generator, "queue_note", "queued", ""):
                raise CrowdedError(f"{excess}; {reason}")
            if self.meter.remaining_seconds() == 0.0:
                raise NoAnswerInTime(
                    f"{self._generator_name} has not answered for {self.meter.seconds:.3g} s, as long as the request's deadline let it"
                )
            raise BudgetError(f"{excess}; that is less than the first step of one sample, raise the budget")
        self.search.cut(excess)

    def _estimate(self, expansions: Iterable[Expansion]) -> Usage:
        return _sum(self.generator.estimate(expansion) for expansion in expansions)

    async def _expand(self, call: ExpansionBatch) -> None:
        try:
            group = call.expansions
            answers = call.answers = await self._sample(group)
            if self._observe is not None:
                for expansion, candidates in zip(group, answers, strict=True):
                    tell((self._observe,), Sampled(expansion.path.key, tuple(map(copy, candidates))))
            items = [
                (expansion.path, c)
                for expansion, candidates in zip(group, answers, strict=True)
                for c in candidates
                if _scorable(c)
            ]
            scored_candidate = await self._score(items)
            if len(group) == 1 and len(scored_candidate) == len(answers[0]):
                call.results = [(group[0].path.key, scored_candidate)]
                return
            remaining = iter(scored_candidate)
            if len(scored_candidate) == sum(map(len, answers)):
                call.results = [
                    (w.path.key, list(islice(remaining, len(candidates)))) for w, candidates in zip(group, answers, strict=True)
                ]
                return
            call.results = [
                (expansion.path.key, [next(remaining) if _scorable(c) else ScoredCandidate(c, None) for c in candidates])
                for expansion, candidates in zip(group, answers, strict=True)
            ]
        finally:
            if call.ended is not None and not call.ended.done():
                call.ended.set_result(None)

    async def _sample(self, group: list[Expansion]) -> Sequence[Sequence[Candidate]]:
        try:
            answers = await self.generator.expand(group)
            if len(answers) == len(group):
                return answers
            reason = f"the generator answered {len(answers)} of {len(group)} expansions; it must answer each one"
            failed = Candidate((), False, error=reason)
        except RequestRefused:
            raise
        except (Exception, asyncio.CancelledError) as error:
            # A generator may raise anything. It costs this group, never what has finished; the search reports it, and the exception goes to
            # whoever asked if nothing else came.
            failed = Candidate((), False, error=_reason(error), payload=error if isinstance(error, Exception) else None)
        return [[failed]] * len(group)

    async def _score(self, items: Sequence[tuple[Path, Candidate]]) -> list[ScoredCandidate]:
        if self.verifier is None or self._votes is not None or not items:
            return [ScoredCandidate(candidate, None) for _, candidate in items]
        try:
            verdicts = await self.verifier.score(items)
            if len(verdicts) == len(items):
                return self._check(items, verdicts)
            reason = f"{len(verdicts)} replies to {len(items)} candidates; it must give each one"
        except (Exception, asyncio.CancelledError) as error:
            # As for the generator: an unscored candidate has failed, finished paths stay.
            reason = _reason(error)
        return [
            ScoredCandidate(replace(candidate, error=f"verifier {self._verifier_name}: {reason}"), None) for _, candidate in items
        ]

    def _check(self, items: Sequence[tuple[Path, Candidate]], verdicts: Sequence[Verdict]) -> list[ScoredCandidate]:
        name, upper = self._verifier_name, self.search.settings.upper
        result: list[ScoredCandidate] = []
        for (_, candidate), (scores, usage) in zip(items, verdicts, strict=True):
            try:
                good = None if scores is None else check_scores(name, candidate.steps, scores, upper)
            except VerifierError as error:
                result.append(ScoredCandidate(replace(candidate, error=str(error)), None, usage))
            else:
                result.append(ScoredCandidate(candidate, good, usage))
        return result

    def _tell(self, results: Results) -> None:
        if self.meter.limited:
            # Adding up eight fields per candidate is a good part of what a search itself takes.
            self.meter.charge(
                _sum(usage for _, candidates in results for s in candidates for usage in (s.candidate.usage, s.usage))
            )
        for key, candidates in results:
            self.search.tell(key, candidates)
        if self._observe is not None:
            self._report_paths(self._observe)

    def _report_paths(self, observe: SearchObserver) -> None:
        paths, best = self.search.paths, self.search.best
        given_up = tuple(path for path in paths if path.fate in GIVEN_UP and path.key not in self._reported)
        self._reported.update(path.key for path in given_up)
        # What is looked at are copies, so that looking is all that can be done.
        if given_up:
            tell((observe,), Stopped(tuple(map(copy, given_up))))
        shown_paths = tuple(map(copy, contenders(self.search)))
        tell((observe,), ScoredEvent(shown_paths, len(paths), None if best is None else best.value))

    def _watch_budget(self) -> None:
        reason = self.meter.excess(self._usage())
        if reason:
            self.search.cut(reason)

    def _retain(self) -> None:
        """Let the sessions forget; only while no call runs, whose new paths they hold but the search does not know yet."""
        live = self.search.live()
        self.generator.retain(live)
        if self.verifier is not None:
            self.verifier.retain(live)

    async def _count(self, votes: VoteCount, running: list[ExpansionBatch]) -> None:
        """Count the votes; once they are decided what is under way is cancelled."""
        if not await votes.count(self.meter.remaining_seconds()):
            return
        self.search.stop_vote(f"the vote was {votes.vote.decided}")
        await self._cancel(running)
        running.clear()

    async def _score_vote(self, votes: VoteCount) -> None:
        """Score all candidates together, now that no more will come."""
        seconds = self.meter.remaining_seconds()
        await votes.score(None if seconds is None else max(seconds, GRACE))
        if self.meter.limited:
            self.meter.charge(_sum(path.verifier_usage for path in self.search.paths))
        if self._observe is not None:
            self._report_paths(self._observe)

    async def _drop_futile(self, running: list[ExpansionBatch]) -> None:
        """Cancel calls all of whose paths have become hopeless while they ran."""
        futile = set(self.search.futile())
        hopeless = [call for call in running if futile.issuperset(expansion.path.key for expansion in call.expansions)]
        for call in hopeless:
            running.remove(call)
            for expansion in call.expansions:
                self.search.drop(expansion.path.key)
        await self._cancel(hopeless)

    async def _cancel(self, running: list[ExpansionBatch]) -> None:
        """Cancel calls and wait for them; where what they used is not known, their estimate is charged."""
        await _cancelled(running)
        for call in running:
            generator_usage = self._estimate(call.expansions)
            if call.answers is not None:
                generator_usage = _sum(candidate.usage for candidates in call.answers for candidate in candidates)
            verifier_usage = _sum(
                scored_candidate.usage for _, candidates in call.results or () for scored_candidate in candidates
            )
            self.cancelled = (self.cancelled[0].plus(generator_usage), self.cancelled[1].plus(verifier_usage))
            self.meter.charge(generator_usage.plus(verifier_usage))


async def _cancelled(calls: Iterable[ExpansionBatch]) -> None:
    """Cancel calls and wait until they have ended."""
    tasks = [call.task for call in calls if call.task is not None]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.gather(*tasks, return_exceptions=True)


def _scorable(candidate: Candidate) -> bool:
    """Whether there is anything to score: neither what failed nor what is no complete answer has a vote."""
    return candidate.error is None and not candidate.incomplete


def _sum(usages: Iterable[Usage]) -> Usage:
    return Usage(*map(sum, zip(NOTHING, *usages, strict=True)))


def _reason(error: BaseException) -> str:
    """What a call failed with; a cancellation that was asked for is not a failure and goes on."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
        raise error
    return redacted_message(f"{type(error).__name__}: {error}")


__getattr__ = former_names(__name__, {"Call": "ExpansionBatch"})
