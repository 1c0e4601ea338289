"""Keeps a verifier honest: its calibration is fitted to the log's newest feedback, versioned there, and shared by all workers."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from uniscale_integrations.errors import StateError
from uniscale_integrations.log.events import Feedback, Outcome
from uniscale_integrations.log.judgements import keep_newest
from uniscale_integrations.log.lessons import GivenAnswers, Rounds, family_of, first_id
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.log.removal import NO_CALIBRATION
from uniscale_integrations.verifiers.calibration import MIN_PAIRS, Calibration

WINDOW = 1_000
"""Pairs that a calibration is fitted to, the newest ones; a verifier that has changed is known anew after as many at the latest."""

REFIT = 50
"""Pieces of feedback after which another version is worth its fit."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What a verifier said of an answer, and how right that was.

    Attributes:
        verifier: its name; empty in old logs.
        raw: the score as the verifier gave it.
        score: as it was learned from, calibrated or not.
        correct: the mean of what was said.
    """

    verifier: str
    raw: float
    score: float
    correct: float


def pairs(log: EventStore, limit: int = WINDOW) -> list[Pair]:
    """What is known of the decisions that were judged last, oldest first."""
    decisions = log.last_feedback(limit)
    outcomes: dict[str, Outcome] = {}
    feedback: list[Feedback] = []
    given = GivenAnswers()
    for entry in log.of_decisions(decisions):
        event = entry.event
        if isinstance(event, Outcome):
            given.note(event)
            outcomes[event.decision_id] = event
        elif isinstance(event, Feedback):
            feedback.append(event)
    # The last outcome of a request says whose answer was given, and what was judged may be another attempt at it.
    others = {other for each in decisions if each not in outcomes or _in_rounds(outcomes[each]) for other in family_of(each)}
    for entry in log.of_decisions(sorted(others - set(decisions))) if others else ():
        if isinstance(entry.event, Outcome):
            given.note(entry.event)
            outcomes[entry.event.decision_id] = entry.event
    judgements: dict[str, dict[tuple[str, str], Feedback]] = {}
    for each in feedback:
        keep_newest(judgements.setdefault(given.of(each.decision_id), {}), each)
    known = (each for each in dict.fromkeys(map(given.of, reversed(decisions))) if each in judgements)
    return [
        _pair(outcomes[each], fmean(said.correct for said in judgements[each].values()))
        for each in known
        if each in outcomes and outcomes[each].score is not None
    ]


def _in_rounds(outcome: Outcome) -> bool:
    """Whether there may have been other attempts at its request."""
    rounds = Rounds.of(outcome)
    return rounds is not None and (not rounds.over or first_id(outcome.decision_id) != outcome.decision_id or bool(rounds.kept))


def _pair(outcome: Outcome, correct: float) -> Pair:
    assert outcome.score is not None
    raw = outcome.extra.get("raw")
    # What stands there may be anything; comparing finds out NaN, and whole numbers that are too great for a float.
    raw = float(raw) if isinstance(raw, int | float) and 0.0 <= raw <= 1.0 else outcome.score
    return Pair(str(outcome.extra.get("verifier", "")), raw, outcome.score, correct)


class Recalibration:
    """The calibration of one verifier, as the log has it.

    Args:
        log: where feedback and versions are.
        verifier: its name; another one begins anew.

    Attributes:
        version: of the calibration in use; 0 is none.
    """

    def __init__(self, log: EventStore, verifier: str) -> None:
        self.version = 0
        self._log, self._verifier = log, verifier
        self._calibration: Calibration | None = None
        self._fitted_after = 0
        self._load()

    def __call__(self, score: float) -> float:
        """A score, calibrated as far as is known."""
        return score if self._calibration is None else self._calibration(score)

    def refresh(self, feedback: int) -> None:
        """Take over what another worker has fitted, or fit anew where enough feedback has come since.

        Args:
            feedback: how much there has been in all.

        Raises:
            LogError: the log cannot be read or written.
            StateError: the log holds a calibration that is none.
        """
        if self._load():
            # What was fitted to nothing stands for one that went with judgements it was fitted to.
            self._fitted_after = feedback if self._calibration is None or self._calibration.pairs else 0
        if feedback - self._fitted_after >= REFIT:
            self._fitted_after = feedback
            self._fit()

    def _fit(self) -> None:
        """Fit another version to the newest feedback."""
        epoch = self._log.retention.epoch
        own_pairs = [pair for pair in pairs(self._log) if pair.verifier == self._verifier]
        if len(own_pairs) < MIN_PAIRS:
            return
        calibration = Calibration.fit([pair.raw for pair in own_pairs], [pair.correct for pair in own_pairs])
        # Where another worker was first, its fit is as good.
        if not self._log.save_calibration(self._verifier, self.version + 1, calibration.body()):
            self._load()
            return
        self._calibration, self.version = calibration, self.version + 1
        if self._log.retention.epoch != epoch:
            # Some of what it was fitted to may have been forgotten before there was a version for that to follow.
            self._log.save_calibration(self._verifier, self.version + 1, NO_CALIBRATION)
            self._load()
            self._fitted_after = 0

    def _load(self) -> bool:
        """Take over the last version in the log; returns whether that is a newer one."""
        stored_version = self._log.load_calibration(self._verifier)
        if stored_version is None or stored_version[0] <= self.version:
            return False
        try:
            self._calibration = Calibration.of(stored_version[1])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise StateError(
                f"version {stored_version[0]} of the calibration of {self._verifier!r} cannot be read: {error!r}"
            ) from error
        self.version = stored_version[0]
        return True
