"""What judgements of a decision, and silence, come to: how right its answer was, what that counts, and what was learned before."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.errors import StateError
from uniscale_integrations.log.events import Event, Feedback, Outcome
from uniscale_integrations.log.feedback_rules import VERIFIER, FeedbackRules
from uniscale_integrations.log.judgements import Judgements
from uniscale_integrations.log.one_sided import BALANCE_FORM, FeedbackBalance
from uniscale_integrations.log.record_form import has_form
from uniscale_integrations.log.silence import ANYBODY, DEADLINES_FORM, Deadline, Deadlines
from uniscale_integrations.log.sources import SILENCE, SOURCES_FORM, Sources

MAX_LEARNED = 10_000
"""Decisions of which it is kept what was learned, where the log alone does not tell; older ones are revised as if by the plain mean."""

MIN_TOP_UP = 0.05
"""By how much a judgement must count more than what was learned of its decision before, for that to be made good, once sources are
corrected: what they are worth changes a little with every comparison."""


FORM = {
    "balance": BALANCE_FORM,
    "sources": SOURCES_FORM,
    "deadlines": DEADLINES_FORM,
    "learned": [(str, float, float, [str])],
    "spoken": {str: (float, float)},
}
"""Of what `Verdicts.record` keeps."""


class Learned(NamedTuple):
    """What was learned of a decision: how right it was, what that counted, and which sources had been silent."""

    correct: float
    weight: float
    silent: tuple[str, ...] = ()


class Lesson(NamedTuple):
    """What a policy is to learn of a decision now.

    Attributes:
        correct: in [0, 1].
        weight: what it counts, or what `previous` counted.
        previous: what was learned before, where this revises it.
        extra: what it counts beyond that.
        first: whether nobody had judged the decision.
    """

    correct: float
    weight: float
    previous: float | None = None
    extra: float = 0.0
    first: bool = False


class Verdicts:
    """Takes answers, judgements and the time as they stand in the log, and says what they teach.

    Without rules, and while no source is corrected, a decision counts for the greatest weight of its judgements, with the mean of what all
    sources said last by their own times: the order in which judgements arrive makes no difference.

    Args:
        rules: what sources' judgements and their silence count.

    Attributes:
        rules: as given.
        balance: how many answers are judged, and whether all in one sense.
        sources: what they tell of each other.

    Example:
        >>> verdicts = Verdicts(FeedbackRules.of(None, {"thumbs": 0.25}))
        >>> verdicts.judge(Feedback("a", 0.0, "thumbs"), "small")
        Lesson(correct=0.0, weight=0.25, previous=None, extra=0.0, first=True)
        >>> verdicts.judge(Feedback("a", 1.0, "exact-match"), "small")
        Lesson(correct=0.8, weight=0.25, previous=0.0, extra=0.75, first=False)
    """

    def __init__(self, rules: FeedbackRules) -> None:
        self.rules, self.balance, self.sources = rules, FeedbackBalance(), Sources(rules.weights)
        self._deadlines = Deadlines(rules.silence)
        self._learned: OrderedDict[str, Learned] = OrderedDict()
        # Of sources with a silence, judgements that contradict what it means, and that say the same.
        self._spoken: dict[str, tuple[float, float]] = dict.fromkeys(rules.silence, (0.0, 0.0))
        # What the log tells of the decisions at hand, which may be read from it again.
        self._judgements: dict[str, Judgements] = {}
        self._answers: dict[str, float | None] = {}

    @property
    def warning(self) -> str | None:
        """That feedback is one-sided, and no meaning of silence is set that would balance it; `None` where that is not so."""
        return self.balance.warning if self.balance.one_sided and not self.rules.silence else None

    def answer(self, outcome: Outcome) -> None:
        """A decision was answered; it may be judged, or silence sets in."""
        if not outcome.failed and outcome.decision_id not in self._answers:
            self._answers[outcome.decision_id] = outcome.score
            self.balance.answers += 1
            self._deadlines.start(outcome.decision_id, outcome.at)

    def recall(self, event: Event) -> None:
        """What was seen before of a decision that is at hand again."""
        if isinstance(event, Feedback):
            self._judged(event)
        elif isinstance(event, Outcome) and not event.failed:
            self._answers.setdefault(event.decision_id, event.score)

    def forget(self, decision_id: str) -> None:
        """A decision is no longer at hand."""
        self._judgements.pop(decision_id, None)
        self._answers.pop(decision_id, None)

    def overdue(self, at: float) -> Iterator[Deadline]:
        """The deadlines that have passed when an event happens at some Unix time, each once; see `silence`."""
        return self._deadlines.pass_time(at)

    def awaits(self, decision_id: str) -> bool:
        """Whether a deadline of a decision is still to pass, so that its silence may teach something."""
        return self._deadlines.awaits(decision_id)

    def due(self, at: float) -> set[str]:
        """The decisions whose deadlines will have passed then."""
        return {each.decision_id for each in self._deadlines.before(at)}

    def silence(self, deadline: Deadline, configuration: str | None) -> Lesson | None:
        """What a source teaches by not having judged a decision; `None` where it, or another one, has.

        Args:
            deadline: that has passed.
            configuration: of the decision; `None` where nothing can be learned of it.
        """
        lesson = None if configuration is None else self._silence(deadline, configuration)
        self._deadlines.close(deadline)
        return lesson

    def _silence(self, deadline: Deadline, configuration: str) -> Lesson | None:
        decision_id, source = deadline.decision_id, deadline.source
        said, before = self._sources_of(decision_id), self._before(decision_id)
        if _has_spoken(source, said):
            return None
        silent = (*(before.silent if before else ()), source)
        own = before.silent if before else ()
        self.sources.change(configuration, self._opinions(decision_id, own), self._opinions(decision_id, silent))
        if said:
            assert before is not None
            self._keep(decision_id, before._replace(silent=silent))
            return None
        means, weight = self.rules.silence[source].means, self._worth_of_silence(source, configuration)
        if before is None:
            self._keep(decision_id, Learned(means, weight, silent))
            return Lesson(means, weight)
        # Several sources have been silent, each with a meaning of its own.
        mean = (before.weight * before.correct + weight * means) / (before.weight + weight)
        return self._revise(decision_id, before, Learned(mean, max(weight, before.weight), silent))

    def judge(self, feedback: Feedback, configuration: str) -> Lesson:
        """What a judgement teaches.

        Args:
            feedback: the judgement.
            configuration: of the decision.
        """
        decision_id = feedback.decision_id
        before = self._before(decision_id)
        silent = before.silent if before else ()
        opinions = self._opinions(decision_id, silent, feedback.source)
        said = self._sources_of(decision_id)
        first, new = not said, not _has_spoken(feedback.source, said)
        self.balance.judge(feedback.correct, feedback.source, said)
        self._judged(feedback)
        correct, weight = self._verdict(decision_id, configuration)
        self.sources.change(configuration, opinions, self._opinions(decision_id, silent, feedback.source))
        if new:
            self._note_spoken(feedback, silent)
        after = Learned(correct, weight, silent)
        if before is None:
            self._keep(decision_id, after)
            return Lesson(correct, weight, first=True)
        return self._revise(decision_id, before, after)._replace(first=first)

    def record(self) -> NDArray[np.uint8]:
        """For `restore`, as bytes."""
        record = {
            "balance": self.balance.record(),
            "sources": self.sources.record(),
            "deadlines": self._deadlines.record(),
            "learned": [[decision_id, *each] for decision_id, each in self._learned.items()],
            "spoken": self._spoken,
        }
        return np.frombuffer(json.dumps(record, separators=(",", ":")).encode(), dtype=np.uint8)

    def restore(self, array: NDArray[Any]) -> None:
        """Go on from what `record` gave.

        Raises:
            StateError: it is something else; nothing has changed.
        """
        record = json.loads(array.tobytes())
        if not has_form(record, FORM):
            raise StateError("what judgements have come to has another form than it is kept in")
        self.balance = FeedbackBalance.restore(record["balance"])
        self.sources.restore(record["sources"])
        self._deadlines.restore(record["deadlines"])
        self._learned = OrderedDict(
            (decision_id, Learned(correct, weight, tuple(silent))) for decision_id, correct, weight, silent in record["learned"]
        )
        self._spoken |= {source: (against, with_it) for source, (against, with_it) in record["spoken"].items()}

    def _judged(self, feedback: Feedback) -> None:
        """Keep what a source said last of a decision."""
        said = self._judgements.get(feedback.decision_id)
        if said is None:
            said = self._judgements[feedback.decision_id] = Judgements()
        share = self.rules.weight(feedback.source)
        said.add(feedback.source, feedback.key, feedback.correct, share, at=feedback.at, weight=feedback.weight)

    def _sources_of(self, decision_id: str) -> Mapping[str, object]:
        """Who has judged a decision."""
        said = self._judgements.get(decision_id)
        return {} if said is None else said.sources

    def _verdict(self, decision_id: str, configuration: str) -> tuple[float, float]:
        """How right a judged decision is, and what that counts."""
        correct, weight = self._plain(decision_id)
        said = self._judgements[decision_id]
        known = self.sources.known(said.of(self.sources.compared))
        if not known:
            return correct, weight
        if len(known) == 1:
            [(source, correct)] = known.items()
            worth = self.sources.worth(source, configuration, correct)
        else:
            correct, worth = self.sources.combined(known, configuration)
        # Others are averaged with what those that are known come to.
        shares = {source: self.rules.weight(source) for source in known}
        total, sure = said.share, sum(shares.values())
        return (sure * correct + said.others(shares)) / total, weight * (sure * worth + (total - sure)) / total

    def _plain(self, decision_id: str) -> tuple[float, float]:
        """The same by the rules alone, which the log tells by itself."""
        said = self._judgements[decision_id]
        return said.mean, said.weight * (said.greatest if self.rules.weights else 1.0)

    def _before(self, decision_id: str) -> Learned | None:
        """What was learned of a decision so far."""
        if (learned := self._learned.get(decision_id)) is not None:
            return learned
        if decision_id in self._judgements:
            return Learned(*self._plain(decision_id))
        if self.rules.silence and decision_id in self._answers and not self._deadlines.awaits(decision_id):
            # It was silent so long ago that what was learned of it is no longer kept.
            silent = self.rules.silence
            return Learned(fmean(each.means for each in silent.values()), max(map(self.rules.weight, silent)), tuple(silent))
        return None

    def _keep(self, decision_id: str, learned: Learned) -> None:
        if self.rules.default and not self.sources.any_known:
            return
        self._learned[decision_id] = learned
        # At every decision, so that all workers keep the same.
        while len(self._learned) > MAX_LEARNED:
            self._learned.popitem(last=False)

    def _revise(self, decision_id: str, before: Learned, after: Learned) -> Lesson:
        extra = after.weight - before.weight
        # By the rules alone weights only grow, and to the same in every order.
        extra = extra if extra > (MIN_TOP_UP if self.sources.any_known else 0.0) else 0.0
        self._keep(decision_id, after._replace(weight=before.weight + extra))
        return Lesson(after.correct, before.weight, before.correct, extra)

    def _worth_of_silence(self, source: str, configuration: str) -> float:
        silence, (against, with_it) = self.rules.silence[source], self._spoken[source]
        share = self.sources.worth_of_silence(source, configuration, right=silence.is_right)
        if share is None:
            share = (1.0 + against) / (1.0 + against + with_it)
        return share * self.rules.weight(source)

    def _note_spoken(self, feedback: Feedback, silent: Collection[str]) -> None:
        for source in (feedback.source, ANYBODY):
            if source in self._spoken and source not in silent and feedback.decision_id in self._answers:
                against, with_it = self._spoken[source]
                distance = abs(feedback.correct - self.rules.silence[source].means)
                self._spoken[source] = against + distance, with_it + 1.0 - distance

    def _opinions(self, decision_id: str, silent: Collection[str], changing: str = "") -> dict[str, float]:
        """What is compared: judgements, who was silent and who was not, and the verifier's score where it bears witness.

        Of the judgements only those of sources that are compared, and of one that is about to be or has just been heard: what thousands of
        others have said does not change.
        """
        judgements = self._judgements.get(decision_id)
        opinions = {} if judgements is None else judgements.of((*self.sources.compared, changing))
        if decision_id in self._answers:
            said = self._sources_of(decision_id)
            for source in self.rules.silence:
                if source in silent or _has_spoken(source, said):
                    opinions[SILENCE + source] = float(source in silent)
            score = self._answers[decision_id]
            if VERIFIER in self.rules.weights and score is not None and judgements is not None:
                opinions.update(judgements.of([VERIFIER]) or {VERIFIER: score})
        return opinions


def _has_spoken(source: str, said: Collection[str]) -> bool:
    """Whether a source, or with `ANYBODY` any, is among those that have judged."""
    return source in said or (source == ANYBODY and bool(said))
