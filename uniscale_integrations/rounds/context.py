"""What a policy sees when it decides again: the request, and what its attempts brought."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import log, tanh

import numpy as np

from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Forecast, Objective
from uniscale_integrations.policy.policy import Context
from uniscale_integrations.rounds.attempt import Answered, Attempt, Attempts

HIGH_SCORE, LOW_SCORE = 0.95, 0.4
"""Above the one a score says "right", below the other "wrong"; in between it says little."""

USUAL_SCORE = 0.7
"""A score that says neither."""

SCALE = 3.0
"""Of state features against those of questions: they are believed sooner."""

LOG_ODDS, WIDTH, LEAST_SCORE = (-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0), 1.5, 1e-6
"""Where a score's log-odds pass a step of their own, how wide the steps are, and what scores are kept away from 0 and 1 by: whatever rising
function of the probability of being right a verifier gives, its power or its root, is read as well as the probability."""

SCORE = ("a score is high", "a score", "a score is low", *(f"a score's log-odds above {place:g}" for place in LOG_ODDS))
"""Names of what a score says, beside a question's features in a head of trust."""

STATE = ("score is high", "belief", "score is low", "spent", "tries")
"""Names of the state's features, before one for each model."""


@dataclass(frozen=True, slots=True)
class RoundContext:
    """What is known of a request when something is decided.

    Attributes:
        request: the question, as of every policy.
        attempts: what was tried before, the first one first; none at the first decision.
        objective: what is sought, with the numbers that the first decision resolved; `None` before that.
        chosen: the number of the decision whose answer was given in the end, where a vote over all of them has said so.
    """

    request: Context
    attempts: Attempts = ()
    objective: Objective | None = field(default=None)
    chosen: int | None = None

    def after(self, attempt: Attempt[object]) -> RoundContext:
        """The same with one attempt more, in the order in which they were decided."""
        return replace(self, attempts=tuple(sorted((*self.attempts, attempt), key=lambda each: each.decision.number)))

    @property
    def spent(self) -> float:
        """What all attempts have cost together, failed ones too, in dollars or eFLOPs."""
        return sum(each.came.spend for each in self.attempts)

    @property
    def answers(self) -> Attempts:
        """The attempts that brought an answer."""
        return tuple(each for each in self.attempts if isinstance(each.came, Answered))

    @property
    def kept(self) -> Attempt[object] | None:
        """The attempt whose answer is the request's if nothing further is tried; `None` where none has come.

        It is the one of the greatest worth, `w1 c^ + w2 s`, not that of the greatest score: the first of equals. What is no whole answer
        loses to any that is.
        """
        answers = self.answers
        if self.chosen is not None:
            return next((each for each in answers if each.decision.number == self.chosen), None)
        answers = tuple(each for each in answers if each.complete) or answers
        if len(answers) < 2 or self.objective is None:
            return answers[0] if answers else None
        return answers[int(np.argmax(worths(answers, self.objective)))]


def worths(answers: Attempts, objective: Objective) -> Array:
    """What answers are believed to be worth whatever they have cost, shape (n,).

    Args:
        answers: attempts that brought one.
        objective: with all its numbers.
    """
    belief = np.array([each.belief for each in answers])
    scores = [each.score for each in answers]
    scored = np.array([score is not None for score in scores])
    score = np.array([0.0 if score is None else score for score in scores])
    nothing = np.zeros(len(answers))
    return objective.rewards(Forecast(belief, score, nothing, nothing, nothing, scored))


def score_features(score: float) -> Array:
    """What a score says beside its value, shape (10,): whether it is high, its level, whether it is low, and steps of its log-odds.

    Example:
        >>> score_features(0.7).round(2).tolist()
        [-1.5, 0.0, -0.6, 0.75, 0.75, 0.72, 0.38, -0.48, -0.73, -0.75]
    """
    level = [(score > HIGH_SCORE) - 0.5, score - USUAL_SCORE, (score < LOW_SCORE) - 0.2]
    inner = min(max(score, LEAST_SCORE), 1.0 - LEAST_SCORE)
    log_odds = log(inner / (1.0 - inner))
    return SCALE * np.array([*level, *(0.25 * tanh((log_odds - place) / WIDTH) for place in LOG_ODDS)])


def state_features(context: RoundContext, position: float, model: int, models: int) -> Array:
    """f(state): what the attempts so far say of what a further one would bring, shape (5 + models,); 0 where none brought an answer.

    Args:
        context: with the attempts.
        position: `C~` of what they have cost.
        model: the number of the kept answer's model.
        models: how many there are.
    """
    features = np.zeros(len(STATE) + models)
    kept = context.kept
    if kept is None:
        return features
    score = kept.belief if kept.score is None else kept.score
    tries = len(context.attempts)
    high, low = (score > HIGH_SCORE) - 0.5, (score < LOW_SCORE) - 0.2
    features[: len(STATE)] = high, kept.belief - 0.7, low, position - 0.4, 0.5 * (tries - 1)
    features[len(STATE) + model] = 0.5
    return SCALE * features
