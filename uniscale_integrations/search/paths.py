"""The data of a search: steps, paths, the expansions that a search asks for and the candidates that come back."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.deprecation import former_names


class PathKey(NamedTuple):
    """Where a path stands: its tree, and the index of the candidate that was taken at each depth.

    Keys order paths for ties: earlier trees first, then lexicographically by lineage.
    """

    tree: int
    lineage: tuple[int, ...]

    def child(self, index: int) -> PathKey:
        """The key of a candidate that continues it."""
        return PathKey(self.tree, (*self.lineage, index))


class Fate(StrEnum):
    """What became of a path."""

    ALIVE = "alive"
    EXPANDED = "expanded"
    FINISHED = "finished"
    OUTRANKED = "outranked"
    """Lost its place in the beam to better siblings."""
    DUPLICATE = "duplicate"
    """Said the same, word for word, as an earlier sibling."""
    PRUNED = "pruned"
    """Stopped early: it could no longer beat the best finished path."""
    CANCELLED = "cancelled"
    """Stopped by a budget, a deadline or the caller."""
    TRUNCATED = "truncated"
    """No complete answer: cut off at the token limit, filtered, empty, or at the greatest depth without an end."""
    FAILED = "failed"


INCOMPLETE = {
    "length": "cut off at the token limit",
    "content_filter": "stopped by the provider's content filter",
    "empty": "the model ended the text before it said anything",
}
"""What is said of a candidate that is no complete answer, by the reason."""


@dataclass(slots=True)
class Candidate:
    """One sampled continuation of a path.

    Attributes:
        steps: the new steps, most often one; empty where the model ended the text without saying more.
        final: whether the path is complete with it.
        usage: what sampling it took.
        log_probabilities: mean log-probability of the tokens of each new step, where the generator knows it.
        error: why it failed; then the other fields say what was spent until then.
        incomplete: why it is no complete answer though it ended: "length" (cut off at the token limit), "content_filter", or "empty".
            It loses to every complete one.
        payload: what the generator wants to find on the winning path again, such as the framework's own message, or the exception.
    """

    steps: tuple[str, ...]
    final: bool
    usage: Usage = NOTHING
    log_probabilities: tuple[float, ...] | None = None
    error: str | None = None
    payload: object = None
    incomplete: str = ""


@dataclass(slots=True)
class ScoredCandidate:
    """A candidate with the verifier's score of each of its new steps; `None` where nothing can score it."""

    candidate: Candidate
    scores: tuple[float, ...] | None
    usage: Usage = NOTHING


@dataclass(slots=True, eq=False)
class Path:
    """A path in the tree of a search: its steps from the question to here.

    Attributes:
        key: tree and lineage.
        steps: all steps so far.
        scores: the verifier's score of each step, as long as `steps`; `None` where nothing scored them.
        value: `V(p)`, the aggregated score; `None` without scores.
        final: whether it holds a complete answer.
        fate: what became of it.
        reason: why, in words, where it was stopped.
        usage: what sampling its last candidate took.
        verifier_usage: what scoring it took.
        log_probabilities: mean log-probability of the tokens of each step of its last candidate.
        count: how many candidates said the same, duplicates included.
        payload: of its last candidate.
        incomplete: why its last candidate is no complete answer, see `Candidate`.
    """

    key: PathKey
    steps: tuple[str, ...] = ()
    scores: tuple[float, ...] | None = ()
    value: float | None = None
    final: bool = False
    fate: Fate = Fate.ALIVE
    reason: str = ""
    usage: Usage = NOTHING
    verifier_usage: Usage = NOTHING
    log_probabilities: tuple[float, ...] | None = None
    count: int = 1
    payload: object = None
    incomplete: str = ""

    @property
    def depth(self) -> int:
        """How many steps it has."""
        return len(self.steps)

    @property
    def text(self) -> str:
        """Its steps, one after the other."""
        return "".join(self.steps)


@dataclass(slots=True)
class Expansion:
    """A request of the search: sample `count` continuations of the path.

    Attributes:
        path: the path to continue.
        count: how many candidates.
        steps: most steps to sample at once, up to the end of the answer; more than one where nothing could be decided in between.
        rest: whether the last of these steps is the rest of the answer, however long: it ends where the model ends it.
    """

    path: Path
    count: int
    steps: int = 1
    rest: bool = False


__getattr__ = former_names(__name__, {"Scored": "ScoredCandidate"})
