"""Moves data between a search, a generator and a verifier; everything that waits or fails is here, nothing that decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.errors import BudgetError, VerifierError
from uniscale_integrations.search.beam import BeamSearch
from uniscale_integrations.search.budget import Meter
from uniscale_integrations.search.paths import Candidate, Expansion, Path, PathKey, Scored
from uniscale_integrations.search.ports import GeneratorSession, VerifierSession
from uniscale_integrations.search.scores import check_scores

Observer = Callable[[BeamSearch], None]
Told = list[tuple[PathKey, list[Scored]]]


class Driver:
    """Runs one search to its end.

    Args:
        search: the state machine.
        generator: the open question at the base model.
        verifier: the open question at the verifier, if there is one.
        meter: what may be spent; the driver charges it and ends the search when it is used up.
        verifier_name: for messages.
        observe: called after every answer that the search took.
    """

    def __init__(
        self,
        search: BeamSearch,
        generator: GeneratorSession,
        verifier: VerifierSession | None,
        meter: Meter,
        verifier_name: str = "",
        observe: Observer | None = None,
    ) -> None:
        self.search = search
        self.generator = generator
        self.verifier = verifier
        self.meter = meter
        self.cancelled = NOTHING
        self._verifier_name = verifier_name
        self._observe = observe

    async def run(self) -> None:
        """Ask, expand, score, tell, until the search is over or the budget spent.

        Raises:
            BudgetError: the budget does not cover the first step of a single path.
            asyncio.CancelledError: the caller cancelled; running calls are cancelled too and the search is cut.
        """
        running: dict[asyncio.Task[Told], list[Expansion]] = {}
        try:
            while True:
                for group in self._groups(self._affordable(self.search.ask())):
                    running[asyncio.create_task(self._expand(group))] = group
                if not running:
                    break
                timeout = self.meter.remaining_seconds()
                done, _ = await asyncio.wait(running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    del running[task]
                    self._tell(task.result())
                if not done:
                    self.search.cut(self.meter.exceeded() or f"deadline of {self.meter.budget.seconds} s")
                    break
                await self._drop_futile(running)
        except asyncio.CancelledError:
            self.search.cut("cancelled")
            raise
        finally:
            await self._cancel(running)

    def _groups(self, wishes: list[Expansion]) -> list[list[Expansion]]:
        if not wishes or self.generator.together:
            return [wishes] if wishes else []
        trees: dict[int, list[Expansion]] = {}
        for wish in wishes:
            trees.setdefault(wish.path.key.tree, []).append(wish)
        return list(trees.values())

    def _spent(self) -> Usage:
        return self.generator.shared if self.verifier is None else self.generator.shared.plus(self.verifier.shared)

    def _affordable(self, wishes: list[Expansion]) -> list[Expansion]:
        """The wishes the budget covers, in order; the rest is declined, and nothing at all is an error at the very start."""
        if not self.meter.limited or not wishes:
            return wishes
        planned = self._spent()
        affordable: list[Expansion] = []
        for wish in wishes:
            planned = planned.plus(self.generator.estimate(wish))
            broken = self.meter.exceeded(planned)
            if not broken:
                affordable.append(wish)
            elif not self.search.paths and not affordable:
                raise BudgetError(f"{broken}; that is less than the first step of one sample, raise the budget")
            elif affordable:
                self.search.decline(wish.path.key, broken)
            else:
                self.search.cut(broken)
                break
        return affordable

    async def _expand(self, group: list[Expansion]) -> Told:
        try:
            answers = await self.generator.expand(group)
        except Exception as error:
            # A generator may raise anything. It costs this group, never what has finished; the search reports it.
            answers = [[Candidate((), False, error=f"{type(error).__name__}: {error}")]] * len(group)
        if self.verifier is None:
            return [
                (wish.path.key, [Scored(c, None) for c in candidates]) for wish, candidates in zip(group, answers, strict=True)
            ]
        items = [(w.path, c) for w, candidates in zip(group, answers, strict=True) for c in candidates if c.error is None]
        verdicts = iter(await self._verify(items))
        return [
            (wish.path.key, [next(verdicts) if c.error is None else Scored(c, None) for c in candidates])
            for wish, candidates in zip(group, answers, strict=True)
        ]

    async def _verify(self, items: Sequence[tuple[Path, Candidate]]) -> list[Scored]:
        if not items or self.verifier is None:
            return []
        try:
            verdicts = await self.verifier.score(items)
        except Exception as error:
            # As for the generator: an unscored candidate has failed, finished paths stay.
            reason = f"verifier {self._verifier_name}: {type(error).__name__}: {error}"
            return [Scored(candidate._replace(error=reason), None) for _, candidate in items]
        upper = self.search.settings.upper
        scored: list[Scored] = []
        for (_, candidate), (scores, usage) in zip(items, verdicts, strict=True):
            if scores is not None:
                try:
                    check_scores(self._verifier_name, candidate.steps, scores, upper)
                except VerifierError as error:
                    scored.append(Scored(candidate._replace(error=str(error)), None, usage))
                    continue
            scored.append(Scored(candidate, scores, usage))
        return scored

    def _tell(self, told: Told) -> None:
        for key, candidates in told:
            for scored in candidates:
                self.meter.charge(scored.candidate.usage)
                self.meter.charge(scored.usage)
            self.search.tell(key, candidates)
        live = self.search.live()
        self.generator.retain(live)
        if self.verifier is not None:
            self.verifier.retain(live)
        if self.meter.limited and not self.search.over:
            broken = self.meter.exceeded(self._spent())
            if broken:
                self.search.cut(broken)
        if self._observe is not None:
            self._observe(self.search)

    async def _drop_futile(self, running: dict[asyncio.Task[Told], list[Expansion]]) -> None:
        """Cancel calls all of whose paths have become hopeless while they ran."""
        if not running:
            return
        futile = set(self.search.futile())
        hopeless = {task: group for task, group in running.items() if all(wish.path.key in futile for wish in group)}
        for task, group in hopeless.items():
            del running[task]
            for wish in group:
                self.search.decline(wish.path.key, "stopped while it was being sampled: it could no longer win")
        await self._cancel(hopeless)

    async def _cancel(self, running: dict[asyncio.Task[Told], list[Expansion]]) -> None:
        """Cancel calls and wait for them; what they had used is unknown, so their estimate is charged."""
        for task, group in running.items():
            task.cancel()
            for wish in group:
                self.cancelled = self.cancelled.plus(self.generator.estimate(wish))
        for task in running:
            with suppress(asyncio.CancelledError):
                await task
