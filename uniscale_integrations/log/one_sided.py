"""Whether feedback is one-sided, and how much of what was answered is judged."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

MIN_RUN = 50
"""Judgements in a row that agree, from which on feedback counts as one-sided."""

ALL_JUDGED = 0.99
"""Share of judged answers from which on nothing is missing: then all may well be right."""


BALANCE_FORM = {"answers": int, "judged": int, "run": int, "right": bool}
"""Of what `FeedbackBalance.record` gives, for `has_form`."""


@dataclass(slots=True)
class FeedbackBalance:
    """Counts answers and judgements.

    Attributes:
        answers: decisions that were answered.
        judged: those of them, or without an outcome, that were judged.
        run: how many of the last judgements agree, all right or all wrong.
        right: whether they say right, which is a correctness of at least 0.5.

    Example:
        >>> balance = FeedbackBalance(answers=300)
        >>> for _ in range(60):
        ...     balance.judge(0.0, "thumbs", before=())
        >>> balance.judged_share, balance.one_sided
        (0.2, True)
        >>> print(balance.warning)  # doctest: +ELLIPSIS
        the last 60 judgements all say wrong, and 20 % of answers are judged; ...
    """

    answers: int = 0
    judged: int = 0
    run: int = 0
    right: bool = False

    def judge(self, correct: float, source: str, before: Collection[str]) -> None:
        """Count a judgement, unless it revises what its source has said of the decision.

        Args:
            correct: what it says, in [0, 1].
            source: who says so.
            before: who has judged the decision before.
        """
        if source in before:
            return
        self.judged += not before
        right = correct >= 0.5
        self.run = self.run + 1 if right == self.right else 1
        self.right = right

    @property
    def judged_share(self) -> float | None:
        """The share of answers that are judged, in [0, 1]; `None` where there are none."""
        answers = max(self.answers, self.judged)
        return self.judged / answers if answers else None

    @property
    def one_sided(self) -> bool:
        """Whether the last judgements all agree, and not because all answers are judged and right."""
        share = self.judged_share
        complete = self.right and share is not None and share >= ALL_JUDGED
        return self.run >= MIN_RUN and not complete

    @property
    def summary(self) -> dict[str, Any]:
        """For who looks at a log, JSON-ready."""
        return {
            "answers": self.answers,
            "judged": self.judged,
            "judged_share": self.judged_share,
            "agreeing": self.run,
            "one_sided": self.one_sided,
        }

    @property
    def warning(self) -> str:
        """What one-sided feedback looks like, and what to do."""
        says, means = ("right", 0.0) if self.right else ("wrong", 1.0)
        return (
            f"the last {self.run} judgements all say {says}, and {100 * (self.judged_share or 0.0):.0f} % of answers are judged; "
            "learning from one-sided feedback goes wrong, since what is not judged is not learned. If nobody's judging means the "
            f"opposite, set silence=Silence(means={means}, after=timedelta(hours=1)); otherwise judge a sample of all answers too"
        )

    def record(self) -> dict[str, Any]:
        """For `restore`, JSON-ready."""
        return {"answers": self.answers, "judged": self.judged, "run": self.run, "right": self.right}

    @classmethod
    def restore(cls, record: Mapping[str, Any]) -> FeedbackBalance:
        """What `record` gave."""
        return cls(**record)
