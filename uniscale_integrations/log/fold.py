"""The policy's state as a fold over the log: the same rows in the same order give the same state, in every worker."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Protocol

import numpy as np

from uniscale_integrations.duplicate_arms import NO_DUPLICATES, DuplicateArms
from uniscale_integrations.errors import LogError, StateError
from uniscale_integrations.log.events import MAX_TOKENS, DecisionEvent, Event, Feedback, Outcome
from uniscale_integrations.log.feedback_rules import FeedbackRules
from uniscale_integrations.log.lessons import DecisionContext, EpisodeLessons, Lessons, lessons_for
from uniscale_integrations.log.ports import BEGINNING, Entry, EventStore, Position, Retention, WriteResult
from uniscale_integrations.log.silence import Deadline
from uniscale_integrations.log.snapshots import VERSION, VERSION_IN_PARTS, FoldIdentity, Snapshots
from uniscale_integrations.log.verdicts import Lesson, Verdicts
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.heads import in_parts
from uniscale_integrations.policy.policy import Context, IgnoresChange, Observation, Policy, State
from uniscale_integrations.policy.schema import FeatureSchema
from uniscale_integrations.policy.transfer import configuration_of, key
from uniscale_integrations.rounds.ports import LearnsFromRounds
from uniscale_integrations.space import Configuration

_log = logging.getLogger(__name__)

MAX_DECISIONS = 8_000
"""Decisions kept at hand, whose features feedback needs; older ones are read from the log again, which takes half a millisecond.

Each has sixteen objects, through which the garbage collector looks while it holds up everything else.
"""

KEEP_AFTER = 2_000
"""Events after which another snapshot is worth its writing."""

FEEDBACK = "fold.feedback"
"""The number of judged decisions in a state."""

CONFIGURATIONS = "fold.configurations"
"""The configurations that decisions were of, in a state."""

LAST = "fold.last"
"""The id of the last event that was learned from, in a snapshot."""

FURTHER = "it goes further than the log does"

VERDICTS = "fold.verdicts"
"""What feedback and silence have come to, in a state."""


def schema_key(encoder: str) -> str:
    """The key under which the log keeps the names of an encoder's features."""
    return f"schema:{encoder}"[:200]


class Costs(Protocol):
    """Where what outcomes have cost lies between cheap and dear."""

    def position(self, outcome: Outcome, configuration: Configuration, brain: str) -> float:
        """`C~` of an outcome.

        Args:
            outcome: of a decision.
            configuration: what was decided.
            brain: the key under which the log describes what decided; empty where the decision does not say.
        """
        ...


class Fold:
    """Applies the log's events to a policy.

    Decisions of configurations that the policy does not have are passed over, and so are those with features that nobody has named.
    Features of another encoder are read by their names.

    Args:
        log: what is folded.
        policy: what learns; nobody else may teach it.
        arms: the policy's.
        encoder: the name of what makes the features.
        costs: from outcomes to `C~`.
        duplicates: configurations that run the same search teach the one that stands for them.
        rules: what sources' judgements and their silence count.
        make: makes such a policy that has learned nothing, for `anew`.

    Attributes:
        verdicts: what judgements and silence come to, and how much is judged.
        position: up to where the log has been folded.
        events: how many events that were.
        feedback: how many decisions have been judged.
        configurations: what decisions were of, also where the policy does not have it.
        retention: what the log did not have any more when this began.
    """

    def __init__(
        self,
        log: EventStore,
        policy: Policy | LearnsFromRounds,
        arms: Arms,
        encoder: str,
        costs: Costs,
        duplicates: DuplicateArms = NO_DUPLICATES,
        rules: FeedbackRules | None = None,
        make: Callable[[], Policy | LearnsFromRounds] | None = None,
    ) -> None:
        self.log, self.position, self.events, self.feedback = log, BEGINNING, 0, 0
        # The id of the event at the position, where it is known.
        self._last = ""
        self._lessons = lessons_for(policy)
        self.configurations: set[Configuration] = set()
        self.retention = log.retention
        self._arms_of, self._encoder, self._costs, self._make = arms, encoder, costs, make
        self._arms = {configuration: arm for arm, configuration in enumerate(arms.configurations)}
        self._duplicates, self._standing = duplicates, duplicates.standing(arms.configurations)
        self._schemas: dict[str, FeatureSchema | None] = {encoder: arms.schema}
        # Told of every judgement that is learned: the decision, and how right its answer is.
        self.judged: Callable[[str, float], None] = lambda decision, correct: None
        self._snapshot_events = 0
        self._decisions: OrderedDict[str, DecisionContext | None] = OrderedDict()
        self.verdicts = verdicts_for(policy, rules or FeedbackRules())

    @property
    def policy(self) -> Policy | LearnsFromRounds:
        """What learns."""
        return self._lessons.policy

    @property
    def decides_again(self) -> bool:
        """Whether it learns from whole requests."""
        return isinstance(self._lessons, EpisodeLessons)

    @property
    def identity(self) -> FoldIdentity:
        """What tells its states from those of others; another one once events have gone with what they had taught."""
        return FoldIdentity(self.policy.name, self.verdicts.rules.record(), self._arms_of, self._duplicates, self.retention.epoch)

    @property
    def kind(self) -> str:
        """As of `FoldIdentity`."""
        return self.identity.kind()

    @property
    def name(self) -> str:
        """As of `FoldIdentity`."""
        return self.identity.name()

    @property
    def names(self) -> tuple[str, ...]:
        """As of `FoldIdentity`."""
        return self.identity.names

    @property
    def _snapshots(self) -> Snapshots:
        return Snapshots(self.log, self.identity)

    def snapshot(self) -> tuple[str, Position, bytes]:
        """The name of this fold, up to where it has come, and its state, for `Log.save_snapshot`: a shortcut for who opens it later."""
        file, state = BytesIO(), self.state()
        np.savez(file, **state, **{LAST: np.array(self._last)})  # type: ignore[arg-type]
        self._snapshot_events = self.events
        name = self.identity.name(VERSION_IN_PARTS if in_parts(state) else VERSION)
        return name, self.position, file.getvalue()

    def resume(self) -> bool:
        """Begin at the last snapshot, where there is one of this very fold; returns whether there was.

        Where there is none, one of the same kind for other configurations will do if the log has lost events that it has folded. One that
        is damaged, or goes further than the log does, is dropped: the log alone counts.
        """
        self.retention = self.log.retention
        name = self._snapshots.last()
        stored_state = None if name is None else self.log.load_snapshot(name)
        if stored_state is None:
            if self.retention.pruned > BEGINNING:
                _log.warning("%s: no snapshot holds what events had taught that are gone; it is not known here", self.log.name)
            return False
        position, state = stored_state
        before = self.policy.state()
        try:
            with np.load(BytesIO(state), allow_pickle=False) as archive:
                arrays = dict(archive)
            last = str(arrays.pop(LAST, ""))
            position = self._reached(position, last)
            self.take(arrays)
        except LogError:
            raise
        except Exception as error:
            # An archive that is damaged fails in as many ways as there are in its format.
            _log.warning("%s: a snapshot is dropped, and the log folded from its beginning: %s", self.log.name, error)
            self.policy.load(before)
            self.feedback, self.configurations, self.verdicts = 0, set(), verdicts_for(self.policy, self.verdicts.rules)
            self.log.forget_snapshots(name)
            # Where the log has lost events, another one may tell what they had taught.
            return self.resume()
        self.position = position
        # Whose log has lost its beginning has nothing but the snapshot, whatever stands there now.
        self._last = last if position > BEGINNING and not self.log.has_lost(position, last) else ""
        return True

    def outdated(self, retention: Retention) -> bool:
        """Whether the log has lost what this has learned, or events before it could learn from them, since it began."""
        lost = retention.pruned > max(self.position, self.retention.pruned)
        return lost or retention.epoch != self.retention.epoch

    def parted(self, retention: Retention) -> bool:
        """Whether the log is another than this has learned from, as one is that came back from a backup, also if it has grown since."""
        return self.position > retention.pruned and self.log.has_lost(self.position, self._last)

    def anew(self) -> Fold:
        """Another fold of the same kind for the same arms, which begins at the last snapshot or at the log's beginning, caught up."""
        assert self._make is not None
        arms, costs, rules = self._arms_of, self._costs, self.verdicts.rules
        while True:
            fold = Fold(self.log, self._make(), arms, self._encoder, costs, self._duplicates, rules, self._make)
            if not fold.resume() and fold.retention.pruned > BEGINNING:
                _log.warning(
                    "%s: there is no snapshot of what events had taught that are gone; it is not known here", self.log.name
                )
            if fold.catch_up():
                return fold

    def adopt(self, fold: Fold) -> None:
        """Go on as another fold, which is nobody's any more."""
        self._lessons, self.verdicts, self.retention = fold._lessons, fold.verdicts, fold.retention
        self.position, self.events, self.feedback, self.configurations = (
            fold.position,
            fold.events,
            fold.feedback,
            fold.configurations,
        )
        self._decisions, self._snapshot_events, self._last = fold._decisions, 0, fold._last

    def _reached(self, position: Position, last: str) -> Position:
        """Where to go on in the log after a snapshot that was taken there.

        Args:
            position: where that was.
            last: the id of the event that stood there, where that is known.

        Raises:
            StateError: the log has all events from its first one on, and ends before that, or another one stands there.
        """
        if last and self.log.complete and self.log.has_lost(position, last):
            raise StateError(f"{FURTHER}, or what it had learned from has made room for something else")
        if self.log.since(Position(position.tx, position.seq - 1), 1):
            return position
        if not self.log.since(BEGINNING, 1):
            # All events are gone, and those that come may begin to be numbered anew.
            return BEGINNING
        if self.log.complete:
            raise StateError(FURTHER)
        return position

    def take(self, state: State) -> None:
        """Begin with what another fold of this kind has learned, up to wherever that was."""
        arrays = {name: array for name, array in state.items() if name not in (FEEDBACK, CONFIGURATIONS, VERDICTS)}
        self.policy.load(arrays)
        self.feedback = int(state.get(FEEDBACK, np.array(0)))
        self.configurations = {configuration_of(str(name)) for name in state.get(CONFIGURATIONS, ())}
        if VERDICTS in state:
            self.verdicts.restore(state[VERDICTS])

    def state(self) -> State:
        """For `take`."""
        names = np.array(sorted(map(key, self.configurations)), dtype=np.str_)
        own = {FEEDBACK: np.array(self.feedback), CONFIGURATIONS: names, VERDICTS: self.verdicts.record()}
        return {**self.policy.state(), **own}

    def returning(self, before: Fold) -> set[Configuration]:
        """Configurations of this fold that an earlier one lacks, although decisions were of them."""
        return (before.configurations & self._arms.keys()) - before._arms.keys()

    def reassigns(self, before: Fold) -> bool:
        """Whether decisions that an earlier fold has learned from teach another configuration here."""
        common = [each for each in before.configurations if self._stands_for(each) is not None]
        return any(self._stands_for(each) != before._stands_for(each) for each in common)

    @property
    def reproducible(self) -> bool:
        """Whether the log tells all that may have been learned, and nothing was handed on to a successor.

        It does so where it has its first event, and where what those that are gone had taught is kept in a snapshot of this very fold.
        """
        told = self.log.complete or bool(self.log.retention.pruned > BEGINNING and self._snapshots.own())
        return told and not self.identity.was_handed_on

    def catch_up(self) -> bool:
        """Fold what the log has after the position; returns whether that was so to its end, and not `outdated` before."""
        while entries := self.log.since(self.position):
            if self.outdated(self.log.retention):
                return False
            self.apply(entries)
        return not self.outdated(self.log.retention)

    def recover(self, configurations: Collection[Configuration]) -> None:
        """Learn what the log tells of some configurations up to the position, where the state that was taken over lacks it."""
        end, self.position, count, last = self.position, BEGINNING, (self.events, self.feedback), self._last
        found: set[str] = set()
        while entries := [entry for entry in self.log.since(self.position) if entry.position <= end]:
            found |= {each.event.decision_id for each in entries if _is_of(each.event, configurations)}
            self.apply([entry for entry in entries if entry.event.decision_id in found])
            self.position = entries[-1].position
        self.position, (self.events, self.feedback), self._last = end, count, last

    @property
    def worth_keeping(self) -> bool:
        """Whether so much has come since the last snapshot that another one pays."""
        return self.events - self._snapshot_events >= KEEP_AFTER

    def apply_new(self, entries: Sequence[Entry], recalled: Sequence[Entry] = ()) -> int:
        """Fold those of the entries that were not folded since they were read, with what was read for them; returns how many."""
        new = [entry for entry in entries if entry.position > self.position]
        self.apply(new, recalled)
        return len(new)

    def follow(self, batch: WriteResult, recalled: Sequence[Entry] = ()) -> bool:
        """Fold what was just written, if nothing can be between the position and that; returns whether that was so."""
        if batch.after != self.position:
            return False
        self.apply(batch.entries, recalled)
        return True

    def lacking(self, entries: Sequence[Entry]) -> set[str]:
        """The decisions that entries judge or leave silent and that are no longer at hand: `apply` needs all of their events."""
        of = self._lessons.judged_as
        new = {entry.event.decision_id for entry in entries if isinstance(entry.event, DecisionEvent)}
        mentions = {of(entry.event.decision_id) for entry in entries}
        mentions |= self.verdicts.due(max((entry.event.at for entry in entries), default=0.0))
        lacking = (decision for decision in mentions if decision not in new and decision not in self._decisions)
        return {each for decision in lacking for each in self._lessons.family(decision)}

    def apply(self, entries: Sequence[Entry], recalled: Sequence[Entry] = ()) -> None:
        """Fold entries that follow the position.

        Args:
            entries: in their order.
            recalled: events of decisions that are `lacking`, as far as they have been read already.
        """
        self._recall(entries, recalled)
        for entry in entries:
            event = entry.event
            passed = list(self.verdicts.overdue(event.at))
            # A log that was taken over has judgements of long ago, which were in time then.
            self._close(each for each in passed if not _is_in_time(event, each))
            if isinstance(event, DecisionEvent):
                self._apply_decision(event)
            elif isinstance(event, Outcome):
                self._apply_outcome(event)
            else:
                self._apply_feedback(event)
            self._close(each for each in passed if _is_in_time(event, each))
            self.position, self._last = entry.position, event.event_id
            self.events += 1
        # Not before: what is said of them may stand in the same part, and parts are cut differently by every worker.
        while len(self._decisions) > MAX_DECISIONS:
            oldest, _ = self._decisions.popitem(last=False)
            self.verdicts.forget(oldest)
            self._lessons.forget(oldest)

    def _apply_decision(self, decision: DecisionEvent) -> None:
        self.configurations.add(decision.configuration)
        past = self._context_of(decision)
        self._decisions[decision.decision_id] = past
        if past is not None:
            self._lessons.decided(decision, past)

    def _apply_outcome(self, outcome: Outcome) -> None:
        past = self._decisions.get(outcome.decision_id)
        if past is None:
            return
        cost = 0.0 if outcome.failed else self._costs.position(outcome, self._arms_of.configurations[past.arm], past.brain)
        read, sampled = _tokens_of(outcome)
        observation = Observation(outcome.score, cost, sampled, read if past.counted else None)
        answered = self._lessons.outcome(outcome, past, observation)
        if answered is not None:
            self.verdicts.answer(answered)

    def _apply_feedback(self, feedback: Feedback) -> None:
        decision_id = self._lessons.judged_as(feedback.decision_id)
        past = self._decisions.get(decision_id)
        if past is None:
            return
        past = self._lessons.answered(decision_id, past)
        judgement = feedback if decision_id == feedback.decision_id else replace(feedback, decision_id=decision_id)
        lesson = self.verdicts.judge(judgement, key(self._arms_of.configurations[past.arm]))
        self.feedback += lesson.first
        self._learn(decision_id, past, lesson)

    def _close(self, deadlines: Iterable[Deadline]) -> None:
        """Learn what silence tells of decisions that were not judged in time."""
        for deadline in deadlines:
            past = self._decisions.get(deadline.decision_id)
            past = past and self._lessons.answered(deadline.decision_id, past)
            configuration = None if past is None else key(self._arms_of.configurations[past.arm])
            lesson = self.verdicts.silence(deadline, configuration)
            if past is not None and lesson is not None:
                self._learn(deadline.decision_id, past, lesson)

    def _learn(self, decision_id: str, past: DecisionContext, lesson: Lesson) -> None:
        teach(self._lessons, decision_id, past, lesson)
        if lesson.correct != lesson.previous:
            self.judged(decision_id, lesson.correct)

    def _context_of(self, decision: DecisionEvent) -> DecisionContext | None:
        one = self._stands_for(decision.configuration)
        arm = None if one is None else self._arms[one]
        schema = None if arm is None else self._schema(decision.encoder)
        if arm is None or schema is None or len(decision.features) != len(schema):
            return None
        own = decision.encoder == self._encoder
        features = np.array(decision.features) if own else self._arms_of.schema.read(schema, decision.features)
        counted = decision.extra.get("input_tokens")
        context = Context(features) if counted is None else Context(features, input_tokens=float(counted))
        return DecisionContext(arm, context, str(decision.extra.get("brain", "")), counted is not None)

    def _stands_for(self, configuration: Configuration) -> Configuration | None:
        """The configuration here that runs the search of this one; `None` where none does."""
        return self._standing.get(self._duplicates.canonical(configuration))

    def _schema(self, encoder: str) -> FeatureSchema | None:
        """The names of an encoder's features; `None` where the log does not know them."""
        if encoder not in self._schemas:
            body = self.log.load_description(schema_key(encoder))
            try:
                self._schemas[encoder] = None if body is None else FeatureSchema(tuple(body["names"]))
            except (KeyError, TypeError, ValueError) as error:
                _log.warning("%s: the features of %r cannot be read, and are unknown: %r", self.log.name, encoder, error)
                self._schemas[encoder] = None
        return self._schemas[encoder]

    def _recall(self, entries: Sequence[Entry], recalled: Sequence[Entry]) -> None:
        """Take up again the decisions that these entries are about and that are no longer at hand, with what was said of them."""
        lacking = self.lacking(entries)
        if not lacking:
            return
        if unread := lacking - {entry.event.decision_id for entry in recalled}:
            recalled = [*recalled, *self.log.of_decisions(unread)]
        for entry in recalled:
            event = entry.event
            if event.decision_id not in lacking:
                continue
            if isinstance(event, DecisionEvent):
                self._decisions[event.decision_id] = past = self._context_of(event)
            elif entry.position > self.position:
                continue
            elif isinstance(event, Feedback):
                self.verdicts.recall(replace(event, decision_id=self._lessons.judged_as(event.decision_id)))
                continue
            else:
                past = self._decisions.get(event.decision_id)
            if past is not None and (answered := self._lessons.recall(event, past)) is not None:
                self.verdicts.recall(answered)


def verdicts_for(policy: Policy | LearnsFromRounds, rules: FeedbackRules) -> Verdicts:
    """What judgements and silence will come to, for a policy that has learned nothing of them yet."""
    if rules.silence and isinstance(policy, IgnoresChange):
        policy.detects_changes = False
    return Verdicts(rules)


def teach(lessons: Lessons, decision_id: str, past: DecisionContext, lesson: Lesson) -> None:
    """Have a policy learn what judgements or silence have come to."""
    if lesson.correct != lesson.previous:
        lessons.feedback(decision_id, past, lesson.correct, lesson.weight, lesson.previous)
    if lesson.extra:
        # Beside what is counted already: sums of weights are the same as if all of it had come at once.
        lessons.feedback(decision_id, past, lesson.correct, lesson.extra, lesson.correct)


def _is_in_time(event: Event, deadline: Deadline) -> bool:
    """Whether an event is a judgement that came before a deadline of its decision, as its own time tells."""
    return isinstance(event, Feedback) and event.decision_id == deadline.decision_id and event.at <= deadline.at


def _tokens_of(outcome: Outcome) -> tuple[float | None, float | None]:
    """What was read and what was sampled; `None` where nobody counted, or where the count is none."""
    tokens = outcome.extra.get("tokens")
    if not isinstance(tokens, Sequence) or len(tokens) != 2:
        return None, None
    read, sampled = (each if isinstance(each, int | float) and 0 < each <= MAX_TOKENS else None for each in tokens)
    return read, sampled


def _is_of(event: Event, configurations: Collection[Configuration]) -> bool:
    return isinstance(event, DecisionEvent) and event.configuration in configurations
