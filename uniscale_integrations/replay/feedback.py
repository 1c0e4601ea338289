"""Feedback of a replay as production has it: one-sided, with silence that means something, and sometimes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.log.events import Feedback, Outcome
from uniscale_integrations.log.feedback_rules import FeedbackRules
from uniscale_integrations.log.fold import teach, verdicts_for
from uniscale_integrations.log.lessons import DecisionContext, Lessons, lessons_for
from uniscale_integrations.log.silence import Silence
from uniscale_integrations.log.verdicts import Lesson
from uniscale_integrations.policy.policy import Context, Policy

KINDS = ("both", "down", "up")

SILENCE_AFTER = 20
"""Decisions after which one is silent, by default."""


@dataclass(frozen=True, slots=True)
class FeedbackPlan:
    """Which answers of a replay are judged, and how.

    Attributes:
        kind: "both" judges every answer, "down" those alone that are wrong (`correct` below 0.5), "up" those alone that are right.
        silence: the correctness that it stands for that an answer is not judged, in [0, 1]; `None` learns nothing of it.
        silence_after: how many decisions later that is.
        wrong: share of answers of which the opposite is said, in [0, 1].
        share: of the answers that anybody looks at, in [0, 1]; which ones does not depend on what was decided.

    Raises:
        ConfigurationError: no such kind, or a number out of its range.
    """

    kind: str = "both"
    silence: float | None = None
    silence_after: int = SILENCE_AFTER
    wrong: float = 0.0
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigurationError(f"no feedback {self.kind!r}; there are {', '.join(KINDS)}")
        if self.silence_after < 1:
            raise ConfigurationError(f"decisions until silence counts must be at least 1, got {self.silence_after}")
        if not 0 <= self.wrong <= 1:
            raise ConfigurationError(f"the share of wrong feedback must be in [0, 1], got {self.wrong!r}")
        if not 0 <= self.share <= 1:
            raise ConfigurationError(f"the share of the answers that are judged must be in [0, 1], got {self.share!r}")
        # What silence cannot mean is said before anything is replayed.
        _ = self.rules

    @property
    def complete(self) -> bool:
        """Whether every answer is judged, and as it is."""
        return self.kind == "both" and not self.wrong and self.share == 1.0

    @property
    def rules(self) -> FeedbackRules:
        """What an engine would be set up with; a decision takes a second."""
        if self.silence is None:
            return FeedbackRules()
        return FeedbackRules.of(Silence(self.silence, timedelta(seconds=self.silence_after)), None)

    def judgement(self, correct: float, mistaken: bool) -> float | None:
        """What is said of an answer; `None` where nothing is.

        Args:
            correct: how right it is, in [0, 1].
            mistaken: whether the opposite is said.
        """
        says = 1.0 - correct if mistaken else correct
        return says if self.kind == "both" or (says < 0.5) == (self.kind == "down") else None


class Judge:
    """Judges the answers of one replay, and has a policy learn what an engine would that had a log of it.

    Args:
        policy: what learns, or how it is taught.
        plan: which answers are judged.
        seed: of which judgements are wrong.
        learned: is told of every judgement that is learned: the decision, and how right its answer is.

    Attributes:
        verdicts: as of the fold of a log.
        warned_after: judgements after which feedback was found one-sided; `None` where it was not.
    """

    def __init__(
        self,
        policy: Policy | Lessons,
        plan: FeedbackPlan,
        seed: int,
        learned: Callable[[str, float], None] = lambda decision, correct: None,
    ) -> None:
        self._lessons = policy if isinstance(policy, Lessons) else lessons_for(policy)
        self.verdicts = verdicts_for(self._lessons.policy, plan.rules)
        self.warned_after: int | None = None
        self._plan, self._learned = plan, learned
        self._rng, self._looks = np.random.default_rng([seed, 1]), np.random.default_rng([seed, 5])
        self._pasts: dict[str, DecisionContext] = {}

    def answered(self, decision: str, action: int, context: Context, score: float | None, time: int) -> None:
        """A decision was answered; the time is its number, and what has been silent for long enough is learned."""
        for deadline in self.verdicts.overdue(float(time)):
            lesson = self.verdicts.silence(deadline, str(self._pasts[deadline.decision_id].arm))
            if lesson is not None:
                self._teach(deadline.decision_id, lesson)
        self._pasts[decision] = DecisionContext(action, context, "", counted=False)
        self.verdicts.answer(Outcome(decision, score, at=float(time)))

    def judge(self, decision: str, action: int, context: Context, correct: float) -> None:
        """An answer's time to be judged has come."""
        if self._looks.random() >= self._plan.share:
            return
        says = self._plan.judgement(correct, mistaken=bool(self._rng.random() < self._plan.wrong))
        if says is None:
            return
        lesson = self.verdicts.judge(Feedback(decision, says), str(action))
        if self.warned_after is None and self.verdicts.warning is not None:
            self.warned_after = self.verdicts.balance.judged
        self._teach(decision, lesson)

    def _teach(self, decision: str, lesson: Lesson) -> None:
        teach(self._lessons, decision, self._pasts[decision], lesson)
        if lesson.correct != lesson.previous:
            self._learned(decision, lesson.correct)
