"""What judgements come to, said plainly: everything that was said of a decision is gone through at every judgement."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from statistics import fmean

from uniscale_integrations.log.events import Event, Feedback, Outcome
from uniscale_integrations.log.feedback_rules import VERIFIER, FeedbackRules
from uniscale_integrations.log.silence import ANYBODY, Deadline
from uniscale_integrations.log.sources import SILENCE
from uniscale_integrations.log.verdicts import Learned, Lesson, Verdicts


class PlainVerdicts(Verdicts):
    """The same lessons as those of `Verdicts`, in a time that grows with what was said."""

    def __init__(self, rules: FeedbackRules) -> None:
        super().__init__(rules)
        self._said: dict[str, list[Feedback]] = {}

    def recall(self, event: Event) -> None:
        if isinstance(event, Feedback):
            self._said.setdefault(event.decision_id, []).append(event)
        elif isinstance(event, Outcome) and not event.failed:
            self._answers.setdefault(event.decision_id, event.score)

    def forget(self, decision_id: str) -> None:
        self._said.pop(decision_id, None)
        self._answers.pop(decision_id, None)

    def _all(self, decision_id: str) -> dict[tuple[str, str], float]:
        said = self._said.get(decision_id, [])
        last = {(each.source, each.key): each.correct for each in sorted(said, key=lambda each: each.at)}
        return {(each.source, each.key): last[each.source, each.key] for each in said}

    def judge(self, feedback: Feedback, configuration: str) -> Lesson:
        decision_id = feedback.decision_id
        before = self._before(decision_id)
        silent = before.silent if before else ()
        opinions = self._opinions(decision_id, silent)
        judgements = self._all(decision_id)
        first, new = not judgements, not has_spoken(feedback.source, judgements)
        self.balance.judge(feedback.correct, feedback.source, {source for source, _ in judgements})
        self._said.setdefault(decision_id, []).append(feedback)
        correct, weight = self._verdict(decision_id, configuration)
        self.sources.change(configuration, opinions, self._opinions(decision_id, silent))
        if new:
            self._note_spoken(feedback, silent)
        after = Learned(correct, weight, silent)
        if before is None:
            self._keep(decision_id, after)
            return Lesson(correct, weight, first=True)
        return self._revise(decision_id, before, after)._replace(first=first)

    def _silence(self, deadline: Deadline, configuration: str) -> Lesson | None:
        decision_id, source = deadline.decision_id, deadline.source
        said, before = self._all(decision_id), self._before(decision_id)
        if has_spoken(source, said):
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
        mean = (before.weight * before.correct + weight * means) / (before.weight + weight)
        return self._revise(decision_id, before, Learned(mean, max(weight, before.weight), silent))

    def _verdict(self, decision_id: str, configuration: str) -> tuple[float, float]:
        correct, weight = self._plain(decision_id)
        by_source = self._by_source(decision_id)
        known = self.sources.known(by_source)
        if not known:
            return correct, weight
        if len(known) == 1:
            [(source, correct)] = known.items()
            worth = self.sources.worth(source, configuration, correct)
        else:
            correct, worth = self.sources.combined(known, configuration)
        shares = {source: self.rules.weight(source) for source in by_source}
        total, sure = sum(shares.values()), sum(shares[source] for source in known)
        others = sum(share * by_source[source] for source, share in shares.items() if source not in known)
        return (sure * correct + others) / total, weight * (sure * worth + (total - sure)) / total

    def _plain(self, decision_id: str) -> tuple[float, float]:
        judgements, weight = self._all(decision_id), max(each.weight for each in self._said[decision_id])
        if not self.rules.weights:
            return fmean(judgements.values()), weight
        return self.rules.mean(judgements), weight * max(self.rules.weight(source) for source, _ in judgements)

    def _before(self, decision_id: str) -> Learned | None:
        if decision_id not in self._learned and self._said.get(decision_id):
            return Learned(*self._plain(decision_id))
        return super()._before(decision_id)

    def _by_source(self, decision_id: str) -> dict[str, float]:
        judgements = self._all(decision_id)
        return {
            source: fmean(value for (each, _), value in judgements.items() if each == source)
            for source in dict.fromkeys(source for source, _ in judgements)
        }

    def _opinions(self, decision_id: str, silent: Collection[str], changing: str = "") -> dict[str, float]:
        opinions = self._by_source(decision_id)
        if decision_id in self._answers:
            judgements = self._all(decision_id)
            for source in self.rules.silence:
                if source in silent or has_spoken(source, judgements):
                    opinions[SILENCE + source] = float(source in silent)
            score = self._answers[decision_id]
            if VERIFIER in self.rules.weights and score is not None and judgements:
                opinions.setdefault(VERIFIER, score)
        return opinions


def has_spoken(source: str, judgements: Iterable[tuple[str, str]]) -> bool:
    return any(source in (each, ANYBODY) for each, _ in judgements)
