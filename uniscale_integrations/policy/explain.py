"""Why a configuration was chosen: every one with its expectations, and the weight at which it would have been chosen instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from uniscale_integrations.deprecation import former_attribute, former_names
from uniscale_integrations.policy.objective import Objective
from uniscale_integrations.policy.policy import Assessment
from uniscale_integrations.space import Configuration


@dataclass(frozen=True, slots=True)
class Alternative:
    """One configuration in an explanation.

    Attributes:
        configuration: which.
        correct: expected correctness.
        score: expected score.
        cost: expected `C~`.
        reward: expected reward; with a mean budget, less the price of its cost.
        bonus: what not knowing it better is worth.
        ineligibility: why it was not eligible, empty if it was.
        flips_at: where it would be chosen over the one that was: the weight of cost from which on, or down to which, it would, the other
            two keeping their proportion; or what a right answer must be worth; `None` where nothing would do.
    """

    configuration: Configuration
    correct: float
    score: float
    cost: float
    reward: float
    bonus: float
    ineligibility: str
    flips_at: float | None

    masked = former_attribute("ineligibility")


@dataclass(frozen=True, slots=True)
class Stopping:
    """Giving the answer that there is, in an explanation.

    Attributes:
        correct: how right it is believed to be, now that its score is seen.
        score: its score.
        cost: `C~` of what was spent.
        reward: what it earns.
        bonus: by how much going on must look better.
        chosen: whether that was decided.
    """

    correct: float
    score: float
    cost: float
    reward: float
    bonus: float
    chosen: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """All configurations, the chosen one first, then by what they promised.

    Attributes:
        candidates: see `Alternative`; once an answer was seen, of the whole request with each of them asked next.
        objective: of the request.
        stopping: what giving the answer that there is was worth; `None` where there was none.
    """

    candidates: tuple[Alternative, ...]
    objective: Objective
    stopping: Stopping | None = None

    @property
    def choice(self) -> Alternative:
        """The candidate that was chosen."""
        return self.candidates[0]

    chosen = former_attribute("choice")
    weights = former_attribute("objective")


def explain(
    space: Sequence[Configuration],
    assessment: Assessment,
    objective: Objective,
    reasons: Mapping[Configuration, str],
    choice: int,
) -> Explanation:
    """The explanation of an assessment from which a configuration was chosen, by its index, or to stop, by their number."""
    best, rows = choice, len(assessment.reward)
    stopping = None
    if rows > len(space):
        stopping = Stopping(
            float(assessment.correct[-1]),
            float(assessment.score[-1]),
            float(assessment.cost[-1]),
            float(assessment.reward[-1]),
            float(assessment.bonus[-1]),
            choice == len(space),
        )
    alternatives = [
        Alternative(
            configuration,
            float(assessment.correct[arm]),
            float(assessment.score[arm]),
            float(assessment.cost[arm]),
            float(assessment.reward[arm]),
            float(assessment.bonus[arm]),
            reasons.get(configuration, ""),
            None if arm == best or configuration in reasons else objective.flips_at(assessment.of(best), assessment.of(arm)),
        )
        for arm, configuration in enumerate(space)
    ]
    order = sorted(
        range(len(alternatives)),
        key=lambda arm: (
            arm != best,
            bool(alternatives[arm].ineligibility),
            -alternatives[arm].reward - alternatives[arm].bonus,
        ),
    )
    return Explanation(tuple(alternatives[arm] for arm in order), objective, stopping)


__getattr__ = former_names(__name__, {"Candidate": "Alternative"})
