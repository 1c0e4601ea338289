"""The search as a state machine: it says what it wants sampled (`ask`), takes what came back (`tell`), and never does IO.

One machine serves sync, async, batched, streamed and replayed runs, because nothing in it awaits, samples or scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from uniscale_integrations.answers.extract import extract_answer
from uniscale_integrations.answers.sameness import Equal
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.search.aggregation import MEAN, Aggregation
from uniscale_integrations.search.early_stopping import patience, prune_reason
from uniscale_integrations.search.paths import INCOMPLETE, Expansion, Fate, Path, PathKey, ScoredCandidate
from uniscale_integrations.search.result import SearchResult, conclude, precedence
from uniscale_integrations.search.votes import Vote
from uniscale_integrations.space import Configuration

Schedule = Literal["lockstep", "leader"]


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How to search, apart from how much.

    Attributes:
        max_steps: `H_max`, the greatest depth of a path. It bounds the choosing, not the answer: the last step is all that is left of it.
        early_stopping: whether to stop paths that can no longer win; exact, see `early_stopping`.
        schedule: "lockstep" runs all trees side by side (lowest latency); "leader" runs the first tree to its end before the
            others, so that they can be stopped from their first step on, and of those one, then two, then four more (lowest cost).
        aggregation: how step scores become a path's value.
        upper: `v_sup`, the greatest step score the verifier can give.
        whole_answers: whether to ask for several steps at once where nothing could be decided between them. With a budget to watch,
            something can.
        question: what is asked, by which answers are read.
    """

    max_steps: int = 48
    early_stopping: bool = True
    schedule: Schedule = "lockstep"
    aggregation: Aggregation = MEAN
    upper: float = 1.0
    whole_answers: bool = True
    question: str = ""

    def __post_init__(self) -> None:
        if self.max_steps < 1:
            raise ConfigurationError(f"max_steps must be at least 1, got {self.max_steps}")
        if self.schedule not in ("lockstep", "leader"):
            raise ConfigurationError(f"no schedule {self.schedule!r}; there are 'lockstep' and 'leader'")
        if not 0.0 < self.upper <= 1.0:
            raise ConfigurationError(f"the verifier's upper bound must lie in (0, 1], got {self.upper!r}")


class _Tree:
    """One of the QP trees: the paths to expand next, those being expanded, and what came back for this depth."""

    __slots__ = ("frontier", "index", "level", "waiting")

    def __init__(self, index: int) -> None:
        self.index = index
        self.frontier: list[Path] = [Path(PathKey(index, ()))]
        self.waiting: dict[PathKey, Path] = {}
        self.level: list[Path] = []

    @property
    def done(self) -> bool:
        return not self.frontier and not self.waiting


class BeamSearch:
    """Verifier-guided beam search over QP trees with path-aware early stopping.

    Attributes:
        best: the best finished path.
        paths: all of them.
        notes: what went wrong without ending it.
        answers: of paths whose answers have been read, by anybody.
        equal: compares the expressions of answers in the vote; until somebody sets it, those written differently differ.
        vote: where trees are candidates of a vote that are drawn in waves, says how many more begin; `None` where all do.

    Example:
        >>> from uniscale_integrations.search.paths import Candidate
        >>> search = BeamSearch(Configuration("m", cp=2))
        >>> [expansion] = search.ask()
        >>> good, bad = Candidate(("Answer: 4",), True), Candidate(("Answer: 5",), True)
        >>> search.tell(expansion.path.key, [ScoredCandidate(bad, (0.2,)), ScoredCandidate(good, (0.9,))])
        True
        >>> search.ask(), search.result().answer
        ([], '4')
    """

    def __init__(self, configuration: Configuration, settings: SearchSettings | None = None) -> None:
        self.configuration = configuration
        self.settings = settings or SearchSettings()
        self.best: Path | None = None
        self.paths: list[Path] = []
        self.notes: list[str] = []
        self.equal: Equal | None = None
        self.vote: Vote | None = None
        self.answers: dict[PathKey, str | None] = {}
        self._stop_reason = ""
        self._decline_reason = ""
        self._trees = [_Tree(index) for index in range(configuration.qp)]
        self._expanded_keys: set[PathKey] = set()
        self._wholesale = configuration.cp == 1 and self.settings.whole_answers

    def ask(self) -> list[Expansion]:
        """The expansions wanted now, none twice; empty when the search waits for answers or is over."""
        if self._stop_reason:
            return []
        expansions: list[Expansion] = []
        most_steps = self.settings.max_steps
        count, may_stop = self.configuration.cp, self.best is not None
        waves = self.settings.schedule == "leader"
        if (vote := self.vote) is not None:
            vote.ask()
        for tree in self._trees:
            if (waves and not self._turn(tree.index)) or (vote is not None and tree.index >= vote.asked):
                break
            frontier, tree.frontier = tree.frontier, []
            for path in frontier:
                reason = self._hopeless(path) if may_stop else ""
                if reason:
                    self._end(path, Fate.PRUNED, reason)
                else:
                    tree.waiting[path.key] = path
                    steps = self._steps(path) if self._wholesale else 1
                    expansions.append(Expansion(path, count, steps, path.depth + steps >= most_steps))
        return expansions

    def tell(self, key: PathKey, candidates: Sequence[ScoredCandidate]) -> bool:
        """Hand back the candidates of one expansion; any order of expansions will do.

        Fewer candidates than asked for are noted and taken. Returns whether they were taken: a second answer to the same expansion,
        or one for a path that was stopped meanwhile, is ignored.

        Raises:
            ConfigurationError: a key that was never asked about.
        """
        if key in self._expanded_keys:
            return False
        tree, path = self._take(key)
        path.fate = Fate.EXPANDED
        if len(candidates) < self.configuration.cp and not self._stop_reason:
            self.notes.append(f"tree {key.tree}: {len(candidates)} of {self.configuration.cp} candidates came back")
        self._branch(tree, path, candidates)
        if not tree.waiting:
            self._select(tree)
        return True

    def decline(self, key: PathKey, reason: str) -> None:
        """Give up one expansion that was asked for: its path is cancelled, the rest goes on, the result is marked as cut.

        Raises:
            ConfigurationError: a key that is not waiting for candidates.
        """
        self._decline_reason = self._decline_reason or reason
        self._abandon(key, Fate.CANCELLED, reason)

    def drop(self, key: PathKey) -> None:
        """Stop a path while it is being expanded because it has become `futile`; the result stays what it would have been.

        Raises:
            ConfigurationError: a key that is not waiting for candidates.
        """
        self._abandon(key, Fate.PRUNED, "stopped while it was being sampled: it could no longer win")

    def cut(self, reason: str) -> None:
        """End the search now; what is alive is cancelled, what has finished counts. Nothing happens if it is over."""
        if self.over:
            return
        self._stop_reason = reason
        for path in self.live():
            self._end(path, Fate.CANCELLED, reason)
        for tree in self._trees:
            self._expanded_keys.update(tree.waiting)
            tree.frontier, tree.waiting, tree.level = [], {}, []

    def stop_vote(self, reason: str) -> None:
        """End the search now because its vote is decided: candidates that have not come are given up, and none of them is missed."""
        for path in self.live():
            self._end(path, Fate.PRUNED, reason)
        for tree in self._trees:
            self._expanded_keys.update(tree.waiting)
            tree.frontier, tree.waiting, tree.level = [], {}, []

    def score(self, path: Path, scores: tuple[float, ...] | None) -> None:
        """Give a finished path the scores that were found when all that it is compared with had finished.

        Args:
            path: one of `paths`.
            scores: of each of its steps; `None` for no opinion.
        """
        path.scores, path.value = scores, self.settings.aggregation.value(scores) if scores else None
        self._choose_best()

    def fail(self, path: Path, reason: str) -> None:
        """A finished path is none, for it could not be scored."""
        path.fate, path.reason = Fate.FAILED, reason
        self.notes.append(f"tree {path.key.tree}: a candidate failed: {reason}")
        self._choose_best()

    def _choose_best(self) -> None:
        self.best = min((path for path in self.paths if path.fate is Fate.FINISHED), key=precedence, default=None)

    @property
    def ended(self) -> int:
        """How many of the trees that the vote has asked for have ended, with an answer or without."""
        asked = 0 if self.vote is None else self.vote.asked
        return sum(tree.done for tree in self._trees[:asked])

    def futile(self) -> list[PathKey]:
        """Expansions still out whose path has become hopeless meanwhile; the driver may cancel and `drop` them."""
        waiting = (path for tree in self._trees for path in tree.waiting.values())
        return [path.key for path in waiting if self._hopeless(path)]

    def live(self) -> list[Path]:
        """The paths that may still be expanded; sessions can forget all others."""
        live: list[Path] = []
        alive = Fate.ALIVE
        for tree in self._trees:
            live += tree.frontier
            live += tree.waiting.values()
            live += [path for path in tree.level if path.fate is alive]
        return live

    @property
    def over(self) -> bool:
        """Whether nothing is left to ask."""
        if not self._stop_reason:
            for tree in self._trees:
                if tree.frontier or tree.waiting:
                    return False
        return True

    def result(self) -> SearchResult | None:
        """What is best so far, at any time; `None` while not a single step exists."""
        stop_reason, question = self._stop_reason or self._decline_reason, self.settings.question
        return conclude(self.paths, stop_reason, self.notes, question, reader=self.read, equal=self.equal)

    def read(self, path: Path) -> str | None:
        """The answer of a path that has ended."""
        if path.key not in self.answers:
            self.answers[path.key] = extract_answer(path.text, self.settings.question)
        return self.answers[path.key]

    def _take(self, key: PathKey) -> tuple[_Tree, Path]:
        if 0 <= key.tree < len(self._trees):
            tree = self._trees[key.tree]
            path = tree.waiting.pop(key, None)
            if path is not None:
                self._expanded_keys.add(key)
                return tree, path
        raise ConfigurationError(f"no expansion of path {key} is waiting for candidates; tell only what was asked for")

    def _abandon(self, key: PathKey, fate: Fate, reason: str) -> None:
        tree, path = self._take(key)
        self._end(path, fate, reason)
        if not tree.waiting:
            self._select(tree)

    def _end(self, path: Path, fate: Fate, reason: str) -> None:
        path.fate, path.reason = fate, reason
        if not path.key.lineage:
            self.paths.append(path)

    def _branch(self, tree: _Tree, parent: Path, candidates: Sequence[ScoredCandidate]) -> None:
        # Written for speed: with a model that answers at once, this is most of what a search takes.
        value_of, most_steps = self.settings.aggregation.value, self.settings.max_steps
        (number, lineage), steps_before, scores_before = parent.key, parent.steps, parent.scores
        first: dict[tuple[tuple[str, ...], bool], Path] = {}
        alive = Fate.ALIVE
        for index, each in enumerate(candidates):
            candidate, scores = each.candidate, each.scores
            steps, final = candidate.steps, candidate.final
            all_steps = steps_before + steps
            all_scores = None if scores is None or scores_before is None else scores_before + scores
            key = PathKey(number, (*lineage, index))
            child = Path(
                key, all_steps, all_scores, None, final, alive, "", candidate.usage, each.usage, candidate.log_probabilities
            )
            self.paths.append(child)
            if candidate.payload is not None:
                child.payload = candidate.payload
            if candidate.error is not None:
                child.fate, child.reason = Fate.FAILED, candidate.error
                self.notes.append(f"tree {tree.index}: a candidate failed: {candidate.error}")
                continue
            if candidate.incomplete or not all_steps:
                child.fate, child.incomplete = Fate.TRUNCATED, candidate.incomplete or "empty"
                child.reason = INCOMPLETE.get(child.incomplete, child.incomplete)
                self.notes.append(f"tree {tree.index}: a candidate is incomplete: {child.reason}")
                continue
            if all_scores:
                child.value = value_of(all_scores)
            twin = first.setdefault((steps, final), child)
            if twin is not child:
                child.fate, child.reason = Fate.DUPLICATE, f"same as candidate {twin.key.lineage[-1]}"
                twin.count += 1
            elif final:
                child.fate = Fate.FINISHED
                if self.best is None or precedence(child) < precedence(self.best):
                    self.best = child
                tree.level.append(child)
            elif not steps:
                child.fate, child.reason = Fate.TRUNCATED, "nothing was added, and no answer given"
            elif len(all_steps) >= most_steps:
                child.fate, child.reason = Fate.TRUNCATED, f"no answer within {most_steps} steps"
            else:
                tree.level.append(child)

    def _select(self, tree: _Tree) -> None:
        """Keep the BS best candidates of this depth; a finished one among them takes its place in the beam."""
        level, tree.level = tree.level, []
        if len(level) > 1:
            level.sort(key=precedence)
        width, alive, outranked_fate = self.configuration.bs, Fate.ALIVE, Fate.OUTRANKED
        reason = f"not among the best {width} of {len(level)}"
        for rank, path in enumerate(level, 1):
            if path.fate is alive:
                if rank <= width:
                    tree.frontier.append(path)
                else:
                    path.fate, path.reason = outranked_fate, reason

    def _turn(self, index: int) -> bool:
        """Whether a tree may run: they do in waves of 1, 1, 2, 4, ... trees, each after the end of all before it.

        What a wave has found stops the next ones, and doubling keeps their number to the logarithm of the trees'.
        """
        begins_wave = index & (index - 1) == 0
        return not begins_wave or all(earlier.done for earlier in self._trees[:index])

    def _steps(self, path: Path) -> int:
        """How many steps to sample at once, where candidates do not compete: until early stopping could decide something.

        While nothing has finished that is the whole answer: trees that run side by side also end about together, so that looking at
        every step, for which a reward model reads its cache again, takes more than the few steps that it spares.
        """
        settings = self.settings
        if self.best is None or not settings.early_stopping:
            return settings.max_steps - path.depth
        return patience(path, self.best, settings.aggregation, settings.max_steps, settings.upper)

    def _hopeless(self, path: Path) -> str:
        settings = self.settings
        if not settings.early_stopping:
            return ""
        return prune_reason(path, self.best, settings.aggregation, settings.max_steps, settings.upper)
