"""What decisions, outcomes and judgements teach a policy: one of single decisions each by itself, one that decides again whole episodes."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, NamedTuple, Protocol, runtime_checkable

from uniscale_integrations.errors import StateError
from uniscale_integrations.log.events import DecisionEvent, Outcome
from uniscale_integrations.policy.objective import Expectation
from uniscale_integrations.policy.policy import Context, Observation, Policy
from uniscale_integrations.rounds.attempt import Answered, Attempt, Decision, Failed
from uniscale_integrations.rounds.context import RoundContext
from uniscale_integrations.rounds.ports import LearnsFromRounds

ROUNDS = "rounds"
"""Under which an outcome tells its place in an episode; see `Rounds`."""

MAX_ROUNDS = 16
"""Decisions of one request that are looked for in a log."""

LATER = re.compile(r"([0-9a-f]{32})-\d{1,2}")
"""The id of a later decision of a request: the first one's, and its number."""


def later_id(first: str, number: int) -> str:
    """The id of a request's decision of that number, counted from 0, so that all of them are found by any.

    >>> later_id("ab" * 16, 0) == "ab" * 16, later_id("ab" * 16, 2)[-4:]
    (True, 'ab-2')
    """
    return f"{first}-{number}" if number else first


def first_id(decision_id: str) -> str:
    """The id of the first decision of the request that a decision is of.

    >>> first_id("ab" * 16 + "-2") == "ab" * 16, first_id("table-7-2")
    (True, 'table-7-2')
    """
    match = LATER.fullmatch(decision_id)
    return match[1] if match else decision_id


def family_of(decision_id: str) -> tuple[str, ...]:
    """The ids of all decisions that there may be of a decision's request."""
    first = first_id(decision_id)
    return tuple(later_id(first, number) for number in range(MAX_ROUNDS))


class DecisionContext(NamedTuple):
    """A decision as the policy understands it, with the key of the brain that took it, and whether its input tokens were counted."""

    arm: int
    context: Context
    brain: str
    counted: bool


@runtime_checkable
class Lessons(Protocol):
    """How a policy is taught."""

    @property
    def policy(self) -> Policy | LearnsFromRounds:
        """The policy."""
        ...

    def judged_as(self, decision_id: str) -> str:
        """The decision that a judgement of this one is of."""
        ...

    def family(self, decision_id: str) -> Collection[str]:
        """All decisions whose events have to be known to learn from that one."""
        ...

    def decided(self, event: DecisionEvent, past: DecisionContext) -> None:
        """Learn of a decision."""
        ...

    def outcome(self, event: Outcome, past: DecisionContext, observation: Observation) -> Outcome | None:
        """Learn of an outcome; returns what may be judged now, if anything."""
        ...

    def answered(self, decision_id: str, past: DecisionContext) -> DecisionContext:
        """The decision whose answer is judged."""
        ...

    def feedback(self, decision_id: str, past: DecisionContext, correct: float, weight: float, previous: float | None) -> None:
        """Learn how right an answer was; as of `Policy.feedback`."""
        ...

    def recall(self, event: DecisionEvent | Outcome, past: DecisionContext) -> Outcome | None:
        """Take up what was learned before, which is not at hand any more; returns as `outcome`."""
        ...

    def forget(self, decision_id: str) -> None:
        """A decision is no longer at hand."""
        ...


def lessons_for(policy: Policy | LearnsFromRounds) -> Lessons:
    """What teaches a policy."""
    return EpisodeLessons(policy) if isinstance(policy, LearnsFromRounds) else SingleLessons(policy)


class SingleLessons:
    """Teaches a policy each decision by itself."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def judged_as(self, decision_id: str) -> str:
        """Itself."""
        return decision_id

    def family(self, decision_id: str) -> Collection[str]:
        """It alone."""
        return (decision_id,)

    def decided(self, event: DecisionEvent, past: DecisionContext) -> None:
        """As of `Lessons`."""
        self.policy.decided(event.decision_id, past.arm, past.context)

    def outcome(self, event: Outcome, past: DecisionContext, observation: Observation) -> Outcome | None:
        """As of `Lessons`; there is nothing to learn of a failure."""
        if event.failed:
            return None
        self.policy.outcome(event.decision_id, past.arm, past.context, observation)
        return event

    def answered(self, decision_id: str, past: DecisionContext) -> DecisionContext:
        """It itself."""
        return past

    def feedback(self, decision_id: str, past: DecisionContext, correct: float, weight: float, previous: float | None) -> None:
        """As of `Lessons`."""
        self.policy.feedback(decision_id, past.arm, past.context, correct, weight, previous)

    def recall(self, event: DecisionEvent | Outcome, past: DecisionContext) -> Outcome | None:
        """Nothing of it is kept here."""
        return event if isinstance(event, Outcome) and not event.failed else None

    def forget(self, decision_id: str) -> None:
        """As above."""


@dataclass(frozen=True, slots=True)
class Rounds:
    """What an outcome tells of the episode that it is part of.

    Attributes:
        belief: `c^` of its answer.
        over: whether nothing further was tried; `False` also of an episode whose end nobody saw.
        kept: the number of the decision whose answer was given; `None` where none was, or where nothing further is known yet.
        stop: what was expected of stopping, where that was decided.
        cost: `C~` of all attempts up to this one; `None` where nobody has said so, likewise `spend`.
        spend: the same in dollars or eFLOPs.
        complete: whether its answer is a whole one.
    """

    belief: float = 0.0
    over: bool = False
    kept: int | None = None
    stop: Mapping[str, float] | None = None
    cost: float | None = None
    spend: float | None = None
    complete: bool = True

    def record(self) -> dict[str, Any]:
        """For the log, JSON-ready; `of` reads it back."""
        record: dict[str, Any] = {"belief": self.belief, "over": self.over}
        further = {"kept": self.kept, "cost": self.cost, "spend": self.spend}
        record |= {name: value for name, value in further.items() if value is not None}
        if not self.complete:
            record["complete"] = False
        return record if self.stop is None else record | {"stop": dict(self.stop)}

    @classmethod
    def of(cls, outcome: Outcome) -> Rounds | None:
        """What was recorded; `None` where an outcome tells of no episode, or of none that can be read."""
        record = outcome.extra.get(ROUNDS)
        if not isinstance(record, Mapping):
            return None
        belief, kept, stop = record.get("belief"), record.get("kept"), record.get("stop")
        if not isinstance(belief, int | float) or not 0.0 <= belief <= 1.0 or not isinstance(kept, int | None):
            return None
        amounts = (record.get(name) for name in ("cost", "spend"))
        cost, spend = (float(each) if isinstance(each, int | float) and isfinite(each) else None for each in amounts)
        over, complete = record.get("over") is True, record.get("complete") is not False
        return cls(float(belief), over, kept, stop if isinstance(stop, Mapping) else None, cost, spend, complete)


class GivenAnswers:
    """Which decision's answer each request was given, so that what is said of any of its decisions is said of that answer.

    Example:
        >>> given, first = GivenAnswers(), "ab" * 16
        >>> given.note(Outcome(later_id(first, 1), 0.9, extra={ROUNDS: Rounds(0.9, over=True, kept=1).record()}))
        >>> given.of(first) == later_id(first, 1), given.of("table-7")
        (True, 'table-7')
    """

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    def note(self, outcome: Outcome) -> None:
        """Take in what an outcome tells of its request."""
        rounds = Rounds.of(outcome)
        if rounds is not None and rounds.over and rounds.kept is not None:
            first = first_id(outcome.decision_id)
            self._kept[first] = later_id(first, rounds.kept)

    def of(self, decision_id: str) -> str:
        """The decision whose answer the request of this one was given; itself where nothing else is known."""
        return self._kept.get(first_id(decision_id), decision_id)


@dataclass(slots=True)
class _Episode:
    """What is known of a request so far.

    Attributes:
        decisions: by number, with what was expected of them.
        attempts: those of them that have ended, by number.
        outcomes: likewise.
        ended: once nothing further is tried, the whole of it.
    """

    decisions: dict[int, tuple[DecisionEvent, DecisionContext]] = field(default_factory=dict)
    attempts: dict[int, Attempt[None]] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    ended: RoundContext | None = None

    def take(self, event: Outcome, number: int, spend: float, observation: Observation, rounds: Rounds) -> None:
        """An attempt has ended."""
        decision = self._decision(number)
        if event.failed:
            self.attempts[number] = Attempt(decision, Failed(StateError(event.failed), spend))
            return
        verifier, (read, sampled) = str(event.extra.get("verifier", "")), (observation.input_tokens, observation.output_tokens)
        came = Answered(None, event.score, spend, sampled, read, verifier, complete=rounds.complete)
        self.attempts[number], self.outcomes[number] = Attempt(decision, came, rounds.belief), event

    def context(self) -> RoundContext:
        """Its attempts so far, under the objective of the first decision."""
        event, past = self.decisions[min(self.decisions)]
        attempts = tuple(self.attempts[number] for number in sorted(self.attempts))
        return RoundContext(past.context, attempts, event.objective)

    def end(self, kept: int | None) -> None:
        """Nothing further is tried."""
        self.ended = replace(self.context(), chosen=kept)

    def _decision(self, number: int) -> Decision:
        event, past = self.decisions[number]
        correct, score = _expected(event.extra.get("expected"))
        return Decision(number, past.arm, Expectation(correct, score, 0.0, 0.0, 0.0), event.propensity)


def _expected(record: object) -> tuple[float, float]:
    """What was expected of correctness and score; zeros where that cannot be read, since what is there may be anything."""
    if isinstance(record, Sequence) and len(record) == 2 and all(isinstance(each, int | float) for each in record):
        correct, score = record
        if abs(correct) <= 1.0 and abs(score) <= 1.0:
            return float(correct), float(score)
    return 0.0, 0.0


class EpisodeLessons:
    """Teaches a policy that decides again what came of whole requests, under the id of the first decision of each.

    An outcome that tells of no episode, as of engines that decide once and of earlier versions, is one by itself.
    """

    def __init__(self, policy: LearnsFromRounds) -> None:
        self.policy = policy
        self._episodes: OrderedDict[str, _Episode] = OrderedDict()

    def judged_as(self, decision_id: str) -> str:
        """The first decision of its request."""
        return first_id(decision_id)

    def family(self, decision_id: str) -> Collection[str]:
        """All decisions of its request that there may be."""
        return family_of(decision_id)

    def decided(self, event: DecisionEvent, past: DecisionContext) -> None:
        """As of `Lessons`."""
        self._of(event.decision_id).decisions[event.round] = event, past

    def outcome(self, event: Outcome, past: DecisionContext, observation: Observation) -> Outcome | None:
        """As of `Lessons`; where it is the last one of its request, what is judged is the answer that was given."""
        episode = self._take(event, observation)
        if episode is not None and episode.ended is not None:
            self.policy.ended(first_id(event.decision_id), episode.ended)
        return self._judged_of(event, episode)

    def answered(self, decision_id: str, past: DecisionContext) -> DecisionContext:
        """The decision whose answer was given."""
        episode = self._episodes.get(first_id(decision_id))
        kept = None if episode is None or episode.ended is None else episode.ended.kept
        return past if episode is None or kept is None else episode.decisions[kept.decision.number][1]

    def feedback(self, decision_id: str, past: DecisionContext, correct: float, weight: float, previous: float | None) -> None:
        """As of `Lessons`; who has only decided, and run nothing here, is believed to have run what was decided."""
        first = first_id(decision_id)
        episode = self._of(first)
        if episode.ended is None and not episode.attempts and episode.decisions:
            number = min(episode.decisions)
            belief = self.policy.prior_belief(past.arm, None)
            came: Answered[None] = Answered(None, None, 0.0, counted=False)
            episode.attempts[number] = Attempt(episode._decision(number), came, belief)
            episode.end(None)
            assert episode.ended is not None
            self.policy.ended(first, episode.ended)
        if episode.ended is not None:
            self.policy.feedback(first, episode.ended, correct, weight, previous)

    def recall(self, event: DecisionEvent | Outcome, past: DecisionContext) -> Outcome | None:
        """As of `Lessons`."""
        if isinstance(event, DecisionEvent):
            self.decided(event, past)
            return None
        # What it took was learned already.
        return self._judged_of(event, self._take(event, Observation(event.score, 0.0)))

    def forget(self, decision_id: str) -> None:
        """As of `Lessons`."""
        self._episodes.pop(decision_id, None)

    def _of(self, decision_id: str) -> _Episode:
        return self._episodes.setdefault(first_id(decision_id), _Episode())

    def _judged_of(self, event: Outcome, episode: _Episode | None) -> Outcome | None:
        """The outcome of the answer that was given, once an episode has ended."""
        kept = None if episode is None or episode.ended is None else episode.ended.kept
        if episode is None or kept is None:
            return None
        return replace(episode.outcomes[kept.decision.number], decision_id=first_id(event.decision_id), at=event.at)

    def _take(self, event: Outcome, observation: Observation) -> _Episode | None:
        """Add what came of an attempt to its episode; `None` where that is known already, or the decision is not."""
        episode, rounds = self._of(event.decision_id), Rounds.of(event)
        number = next((each for each, (one, _) in episode.decisions.items() if one.decision_id == event.decision_id), None)
        if number is None or number in episode.attempts or episode.ended is not None:
            return None
        if rounds is None:
            arm = episode.decisions[number][1].arm
            belief = 0.0 if event.failed else self.policy.prior_belief(arm, event.score)
            rounds = Rounds(belief, over=True)
        episode.take(event, number, event.cost, observation, rounds)
        if rounds.over:
            episode.end(rounds.kept)
        return episode
