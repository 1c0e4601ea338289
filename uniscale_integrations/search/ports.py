"""What a search needs from outside: a generator that continues paths and a verifier that scores their steps.

Both are opened once per question. A session may keep state between calls (a key-value cache, a connection) and must drop what
`retain` no longer names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol, runtime_checkable

from uniscale_integrations.cost.usage import Usage
from uniscale_integrations.deprecation import former_names, member
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.search.paths import Candidate, Expansion, Path
from uniscale_integrations.search.votes import VoteMode, VoteRule, vote_rule

TEMPERATURE = 0.8
"""Of candidates that compete, where nothing else is said: at 0 they would all be the same."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a generator draws.

    Attributes:
        temperature: 0 is greedy; by default `TEMPERATURE` where candidates compete, and for one plain sample what its model is set up to.
        top_p: nucleus; 1 keeps everything, 0 the likeliest token alone.
        max_step_tokens: longest step but the last one; a longer one is cut there, and goes on in the next.
        max_steps: greatest depth, `H_max`: how often a search may choose. An answer may be longer; its last step is what is left of it.
        seed: of the whole search; each path draws from its own stream, so that no path's draw depends on which others run.
        max_tokens: longest answer, which is cut off there; as long as the model's context allows by default.
        votes: when a vote among whole answers stops, `(M,N,1,1)` scored by agreement or only counted. "early" draws them in waves and stops
            where the rest would put another answer ahead by at most 0.14 votes on average; "latency" likewise in fewer waves; "lossless"
            where it cannot change the outcome; "full" never. Or a `VoteRule` of other waves and risk.

    Raises:
        ConfigurationError: a value that nothing can be drawn with.
    """

    temperature: float | None = None
    top_p: float = 1.0
    max_step_tokens: int = 256
    max_steps: int = 48
    seed: int = 0
    max_tokens: int | None = None
    votes: VoteMode | VoteRule = "early"

    def __post_init__(self) -> None:
        vote_rule(self.votes)
        if self.temperature is not None and not 0 <= self.temperature < inf:
            raise ConfigurationError(f"temperature must be a number of at least 0, got {self.temperature!r}; 0 is greedy")
        if not 0 <= self.top_p <= 1:
            raise ConfigurationError(f"top_p must lie in [0, 1], got {self.top_p!r}; 1 keeps everything")
        limits = {"max_step_tokens": self.max_step_tokens, "max_steps": self.max_steps, "max_tokens": self.max_tokens}
        for name, value in limits.items():
            if value is not None and value < 1:
                raise ConfigurationError(f"{name} must be at least 1, got {value!r}")


class GeneratorSession(Protocol):
    """One question, open at a generator."""

    @property
    def together(self) -> bool:
        """Whether expansions of all trees are best handed over in one call (a local batch) or each tree on its own."""
        ...

    @property
    def shared_usage(self) -> Usage:
        """What was spent so far on behalf of no candidate in particular: reading the question."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What went wrong so far without ending anything, for the user to read."""
        ...

    def estimate(self, expansion: Expansion) -> Usage:
        """What the expansion is expected to use; a search asks before it spends."""
        ...

    async def expand(self, expansions: Sequence[Expansion]) -> Sequence[Sequence[Candidate]]:
        """Sample every expansion's candidates, in the order given.

        Must return what did succeed when some candidates fail, each failure as a `Candidate` with an `error`, and must
        report the usage of those too. Fewer candidates than asked are allowed.
        """
        ...

    def retain(self, paths: Collection[Path]) -> None:
        """Drop the state of all paths but these."""
        ...

    def close(self) -> None:
        """Free everything."""
        ...


@runtime_checkable
class SupportsEarlyReturn(Protocol):
    """A session whose candidates are made apart from each other, so that those which are there need not wait for the others."""

    def finish_now(self) -> None:
        """Have `expand` return at once with what there is; candidates that are not there yet have failed."""
        ...


@runtime_checkable
class SupportsFirstEstimate(Protocol):
    """A session that asks less of a budget for the first sample of a request than for others beside it."""

    def estimate_first(self, expansion: Expansion) -> Usage:
        """What a budget must cover for the first sample to begin; without this method that is `estimate`."""
        ...


def shared_usage(session: GeneratorSession | VerifierSession) -> Usage:
    """What a session has used on behalf of no candidate in particular."""
    usage: Usage = member(session, "shared_usage", "shared")
    return usage


@runtime_checkable
class HasHorizon(Protocol):
    """A generator that knows how many steps its answers have at the most."""

    @property
    def horizon(self) -> int | None:
        """The most steps; the tighter it is, the sooner a path that can no longer win is stopped. `None` where it does not know."""
        ...


@runtime_checkable
class LoopFree(Protocol):
    """A generator, its client or a verifier that says whether it may be used from one event loop after the other; others may not."""

    @property
    def loop_free(self) -> bool:
        """Whether nothing of it, such as an open connection, belongs to one event loop where who asks does not await."""
        ...


@runtime_checkable
class HasQueue(Protocol):
    """A session whose requests may have to wait for others, which says nothing about how fast its model is."""

    @property
    def wait_seconds(self) -> float:
        """Seconds of the search that were spent waiting so."""
        ...

    @property
    def queue_note(self) -> str:
        """What its requests have waited for, for a message; empty where none has."""
        ...


@runtime_checkable
class Notes(Protocol):
    """A session of a verifier that may have something to say beside scores."""

    @property
    def notes(self) -> Sequence[str]:
        """What could not be judged so far, for the user to read."""
        ...


class Generator(Protocol):
    """A base model."""

    @property
    def name(self) -> str:
        """M of its configurations."""
        ...

    def open(self, question: str, sampling: Sampling) -> GeneratorSession:
        """Begin a question; raises `ConfigurationError` where it cannot be asked (empty, longer than the context)."""
        ...


@runtime_checkable
class SupportsRepeats(Protocol):
    """A generator that knows where asking the same again is of no use."""

    def repeats(self, options: Mapping[str, Any]) -> bool:
        """Whether its plain answers to one request are all the same.

        Args:
            options: of the request's call.
        """
        ...


@runtime_checkable
class SupportsWholeAnswers(Protocol):
    """A session that says when each of its expansions is a whole answer, so that candidates of a vote can be drawn in waves."""

    def samples_whole(self, *, asked: bool) -> bool:
        """Whether every expansion gives an answer in one piece.

        Args:
            asked: whether all steps up to the end are asked for at once.
        """
        ...


Verdict = tuple[tuple[float, ...] | None, Usage]
"""Scores of a candidate's new steps, `None` for no opinion, and what that took."""


class VerifierSession(Protocol):
    """One question, open at a verifier."""

    async def score(self, items: Sequence[tuple[Path, Candidate]]) -> Sequence[Verdict]:
        """For each candidate after its path: scores in [0, 1] of its new steps (`None` for no opinion), and what that took.

        A candidate without new steps (the model only ended the text) gets an empty tuple.
        """
        ...

    @property
    def shared_usage(self) -> Usage:
        """What was spent so far on behalf of no candidate in particular: reading the question."""
        ...

    def retain(self, paths: Collection[Path]) -> None:
        """Drop the state of all paths but these."""
        ...

    def close(self) -> None:
        """Free everything."""
        ...


class Verifier(Protocol):
    """Scores steps; a score means the same on every path, whatever other paths exist, where `path_local` is true."""

    @property
    def name(self) -> str:
        """What notes, logs and calibrations call it."""
        ...

    @property
    def upper(self) -> float:
        """`v_sup`, the greatest score it can give; early stopping relies on it."""
        ...

    @property
    def path_local(self) -> bool:
        """Whether a path's scores are independent of all other paths; if not, early stopping would not be exact and is off."""
        ...

    def open(self, question: str) -> VerifierSession:
        """Begin a question."""
        ...


@runtime_checkable
class SupportsVotes(Protocol):
    """A verifier that scores candidates by how many of them agree, so that a vote by its scores can stop once it is decided.

    Its sessions are `SupportsVoteScores`.
    """

    @property
    def vote_share(self) -> float:
        """What part of a score is the share of candidates that agree, in [0, 1]; 0 where a vote must not stop."""
        ...


@runtime_checkable
class SupportsVoteScores(Protocol):
    """A session of a verifier that `SupportsVotes`."""

    async def score_vote(self, items: Sequence[tuple[Path, Candidate]], *, stopped: bool) -> Sequence[Verdict]:
        """As `score`, for all whole answers of a vote that there are; called again as more come.

        Args:
            items: the same objects again, and those that are new.
            stopped: whether the vote was stopped before all were drawn, see `votes.stopped_share`.

        Returns:
            the verdict of each; its usage is of what was not said before.
        """
        ...


@runtime_checkable
class SupportsVerifierCost(Protocol):
    """A verifier that can tell beforehand what it takes to read."""

    def reading_usage(self, prompt_tokens: int, answer_tokens: int) -> Usage:
        """The usage of scoring one answer of that many tokens to a question of that many."""
        ...


__getattr__ = former_names(
    __name__, {"Hurries": "SupportsEarlyReturn", "Queues": "HasQueue", "ReadsAtACost": "SupportsVerifierCost"}
)
