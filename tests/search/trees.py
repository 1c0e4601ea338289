"""Random trees in memory, and a generator and a verifier that walk them.

What a path says, whether it ends and how it scores follows from the seed, the tree, its text and the candidate's index alone, so runs
that stop different paths, in a different order, still meet the same paths.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import blake2b
from random import Random

from hypothesis import strategies as st

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.beam import BeamSearch, SearchSettings
from uniscale_integrations.search.events import SearchObserver
from uniscale_integrations.search.paths import Candidate, Expansion, Fate, Path, PathKey, ScoredCandidate
from uniscale_integrations.search.ports import Sampling, Verdict
from uniscale_integrations.search.request import Request
from uniscale_integrations.search.run import arun
from uniscale_integrations.space import Configuration

EIGHTHS = tuple(eighth / 8 for eighth in range(9))
OFTEN_FLAWLESS = (1.0, 1.0, 1.0, 0.5, 0.9999999999999999)
MAX_LENGTH = 100
"""Steps after which an answer that does not end is given up."""
PROMPT = Usage(prompt_tokens=20.0, compute=20.0)


@lru_cache(100_000)
def _digest(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=8).digest()


@dataclass(frozen=True)
class World:
    """Everything that models could say to one question, and what each of it is worth.

    Attributes:
        seed: of everything below.
        palette: step scores to draw from, as parts of `upper`; any number in [0, 1] where empty.
        upper: the greatest score.
        words: how many different steps there are; few make duplicates frequent.
        ending: chance in 256 that a step is the last one.
    """

    seed: int
    palette: tuple[float, ...] = EIGHTHS
    upper: float = 1.0
    words: int = 6
    ending: int = 64

    def candidate(self, tree: int, steps: tuple[str, ...], index: int) -> Candidate:
        """Candidate `index` after a path; now and then it only ends the text, without a step of its own."""
        word, end, bare, size = _digest(f"{self.seed}|{tree}|{index}|{''.join(steps)}")[:4]
        final = end < self.ending
        step = f"{word % self.words}{'.' if final else ','}"
        usage = Usage(prompt_tokens=1.0, completion_tokens=1.0 + size % 7, compute=float(size))
        return Candidate(() if final and bare < 32 and steps else (step,), final, usage)

    def several(self, tree: int, steps: tuple[str, ...], index: int, most: int, rest: bool = False) -> Candidate:
        """The candidate sampled on for up to so many steps, what single ones would have said; the last may be all the rest."""
        said = steps
        usage = NOTHING
        while True:
            candidate = self.candidate(tree, said, index)
            said, usage, index = said + candidate.steps, usage.plus(candidate.usage), 0
            new = said[len(steps) :]
            if candidate.final or len(new) >= (MAX_LENGTH if rest else most):
                new = new if len(new) <= most else (*new[: most - 1], "".join(new[most - 1 :]))
                return Candidate(new, candidate.final, usage)

    def scores(self, steps: tuple[str, ...], new: tuple[str, ...]) -> tuple[float, ...]:
        """The scores of new steps after a path."""
        return tuple(self._score("".join(steps + new[: place + 1])) for place in range(len(new)))

    def _score(self, text: str) -> float:
        number = int.from_bytes(_digest(f"{self.seed}?{text}"), "big")
        part = self.palette[number % len(self.palette)] if self.palette else number / 2**64
        return min(self.upper, part * self.upper)

    def expand(self, expansion: Expansion) -> list[ScoredCandidate]:
        """The scored candidates of an expansion."""
        tree, steps = expansion.path.key.tree, expansion.path.steps
        made = [self.several(tree, steps, index, expansion.steps, expansion.rest) for index in range(expansion.count)]
        return [ScoredCandidate(candidate, self.scores(steps, candidate.steps)) for candidate in made]


def play(search: BeamSearch, world: World, order: Random | None = None) -> BeamSearch:
    """Run a search to its end without any IO; with `order`, answers come one by one, shuffled and with `ask` in between."""
    pending: list[Expansion] = []
    while True:
        pending += search.ask()
        if not pending:
            return search
        if order is not None:
            order.shuffle(pending)
        batch, pending = (pending, []) if order is None else (pending[:1], pending[1:])
        for expansion in batch:
            assert search.tell(expansion.path.key, world.expand(expansion))


Tamper = Callable[[Path, int, Candidate], Awaitable[Candidate]]
"""(path, index, candidate) -> what comes back instead; it may wait or raise."""


async def honest(path: Path, index: int, candidate: Candidate) -> Candidate:
    """Change nothing."""
    return candidate


@dataclass
class TreeGenerator:
    """A base model that says what a `World` says, one coroutine per candidate.

    Attributes:
        world: what it says.
        together: as in the protocol.
        tamper: applied to every candidate; a candidate that it raises for has failed, unless `reckless`.
        reckless: whether a failed candidate takes its whole call down.
        sessions: every question opened so far.
    """

    world: World
    together: bool = False
    tamper: Tamper = honest
    reckless: bool = False
    name: str = "trees"
    sessions: list[TreeGeneratorSession] = field(default_factory=list)

    def open(self, question: str, sampling: Sampling) -> TreeGeneratorSession:
        self.sessions.append(TreeGeneratorSession(self, sampling))
        return self.sessions[-1]


class TreeGeneratorSession:
    """One question at a `TreeGenerator`; remembers what it was asked, what it spent, and the estimates of what was cancelled."""

    def __init__(self, owner: TreeGenerator, sampling: Sampling) -> None:
        self.together = owner.together
        self.shared_usage = NOTHING
        self.notes: list[str] = []
        self.calls: list[list[Expansion]] = []
        self.returned = NOTHING
        self.retained: list[set[str]] = []
        self.closed = 0
        self.cancelled = 0
        self.lost = NOTHING
        self._owner, self._sampling = owner, sampling

    def estimate(self, expansion: Expansion) -> Usage:
        return Usage(prompt_tokens=1.0, completion_tokens=4.0, compute=100.0).scaled(expansion.count)

    async def expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        self.shared_usage = PROMPT
        self.calls.append(list(expansions))
        try:
            made = [await asyncio.gather(*(self._one(expansion, i) for i in range(expansion.count))) for expansion in expansions]
        except asyncio.CancelledError:
            self.cancelled += 1
            for expansion in expansions:
                self.lost = self.lost.plus(self.estimate(expansion))
            raise
        for candidates in made:
            for candidate in candidates:
                self.returned = self.returned.plus(candidate.usage)
        return made

    async def _one(self, expansion: Expansion, index: int) -> Candidate:
        tree, steps = expansion.path.key.tree, expansion.path.steps
        world = self._owner.world
        candidate = world.several(tree, steps, index, expansion.steps, expansion.rest)
        try:
            return await self._owner.tamper(expansion.path, index, candidate)
        except Exception as error:
            if self._owner.reckless:
                raise
            return replace(candidate, steps=(), final=False, error=f"{type(error).__name__}: {error}")

    def retain(self, paths: Collection[Path]) -> None:
        self.retained.append({path.text for path in paths})

    def close(self) -> None:
        self.closed += 1


Judge = Callable[[Sequence[tuple[Path, Candidate]], list[Verdict]], Awaitable[list[Verdict]]]
"""(items, the honest verdicts) -> what comes back instead; it may wait or raise."""


async def fair(items: Sequence[tuple[Path, Candidate]], verdicts: list[Verdict]) -> list[Verdict]:
    """Change nothing."""
    return verdicts


@dataclass
class TreeVerifier:
    """Scores steps as a `World` does.

    Attributes:
        world: what steps are worth.
        path_local: as in the protocol.
        judge: applied to the verdicts of every call.
        sessions: every question opened so far.
    """

    world: World
    path_local: bool = True
    judge: Judge = fair
    name: str = "tree judge"
    sessions: list[TreeVerifierSession] = field(default_factory=list)

    @property
    def upper(self) -> float:
        return self.world.upper

    def open(self, question: str) -> TreeVerifierSession:
        self.sessions.append(TreeVerifierSession(self))
        return self.sessions[-1]


class TreeVerifierSession:
    """One question at a `TreeVerifier`; remembers what it was asked and what it spent."""

    def __init__(self, owner: TreeVerifier) -> None:
        self.shared_usage = NOTHING
        self.calls: list[list[tuple[Path, Candidate]]] = []
        self.returned = NOTHING
        self.closed = 0
        self.cancelled = 0
        self._owner = owner

    async def score(self, items: Sequence[tuple[Path, Candidate]]) -> Sequence[Verdict]:
        self.shared_usage = PROMPT
        self.calls.append(list(items))
        honest_verdicts: list[Verdict] = [
            (self._owner.world.scores(path.steps, candidate.steps), Usage(prompt_tokens=2.0, compute=3.0))
            for path, candidate in items
        ]
        try:
            verdicts = await self._owner.judge(items, honest_verdicts)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        for _, usage in verdicts:
            self.returned = self.returned.plus(usage)
        return verdicts

    def retain(self, paths: Collection[Path]) -> None:
        pass

    def close(self) -> None:
        self.closed += 1


WORLD = World(11, ending=50, words=40)
LOCKSTEP = Request("1 + 1?", Configuration("m", 3, 4, 2), Sampling(max_steps=6), early_stopping=False, schedule="lockstep")
BEAM = replace(LOCKSTEP, configuration=Configuration("m", 1, 4, 2))
PLAIN = replace(LOCKSTEP, configuration=Configuration("m", 4))

ROOT = PathKey(0, ())
WORLDS = st.builds(World, st.integers(0, 10_000), words=st.sampled_from([2, 6, 40]), ending=st.sampled_from([30, 64, 128]))


def ask(
    request: Request, generator: TreeGenerator, verifier: TreeVerifier | None, observe: SearchObserver | None = None
) -> Answer:
    """Run a request to its end."""
    return asyncio.run(arun(request, generator, verifier, observe))


def search(qp: int = 1, cp: int = 1, bs: int = 1, **settings: object) -> BeamSearch:
    """A state machine."""
    return BeamSearch(Configuration("m", qp, cp, bs), SearchSettings(**settings))  # type: ignore[arg-type]


def step(text: str, score: float | None, final: bool = False) -> ScoredCandidate:
    """A candidate of one step as it comes back scored."""
    return ScoredCandidate(Candidate((text,), final), None if score is None else (score,))


def fates(found: BeamSearch) -> dict[str, Fate]:
    """What became of each text."""
    return {path.text: path.fate for path in found.paths}
