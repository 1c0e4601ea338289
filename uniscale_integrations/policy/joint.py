"""The paper's own policy: LinUCB over what a transformer makes of question and configuration together (UniScale, arXiv 2605.30898)."""

from __future__ import annotations

import numpy as np

from uniscale_integrations.errors import ConfigurationError, StateError
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.default_policy import LearnerSettings
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Forecast, Objective
from uniscale_integrations.policy.policy import Assessment, Choice, Context, Mask, Observation, State
from uniscale_integrations.policy.ridge import RidgeRegression

RIDGE = 1e-4
"""Prior precision of a coefficient: texts that differ in a number only lie close together."""


class JointLinUCBPolicy:
    """LinUCB whose features are those of question and configuration as one text, with a head each for correctness, score and cost.

    It needs an encoder that reads both, `UniScale(features=JointContext(...))`. What is logged of a decision are the features of the
    configuration that was chosen, so that the state is of no configurations in particular: others may come and go.

    Args:
        arms: what there is to choose from; its schema names the d features.
        settings: `alpha`, `exploration`, `optimism` and `discount` are taken.

    Example:
        >>> from uniscale_integrations.policy.objective import Weights
        >>> from uniscale_integrations.policy.schema import FeatureSchema
        >>> from uniscale_integrations.space import Configuration
        >>> arms = Arms.of([Configuration("small"), Configuration("large")], FeatureSchema(("one", "other")), [0.0, 1.0])
        >>> policy, context = JointLinUCBPolicy(arms), Context(np.zeros(2), np.eye(2))
        >>> policy.feedback("d1", 1, Context(context.rows[1]), 0.0)
        >>> policy.assess(context, Weights(1, 0, 0), np.array([True, True])).best
        0
    """

    def __init__(self, arms: Arms, settings: LearnerSettings | None = None) -> None:
        self.arms, self.settings = arms, settings or LearnerSettings()
        dim, discount = len(arms.schema), self.settings.discount
        self._correctness_head, self._outcome_head = (
            RidgeRegression(dim, 1, RIDGE, discount),
            RidgeRegression(dim, 2, RIDGE, discount),
        )
        self._feedback = 0

    @property
    def name(self) -> str:
        """With all settings."""
        return f"joint {self.settings!r}"

    def assess(self, context: Context, objective: Objective, eligible: Mask) -> Assessment:
        """What is expected of every configuration."""
        rows = context.rows
        if rows is None:
            raise ConfigurationError(
                "the joint policy needs features of question and configuration; give UniScale(features=JointContext(...))"
            )
        hope = self.settings.optimism
        [correct] = hope + self._correctness_head.theta @ rows.T
        score, cost = np.stack([np.full(len(rows), hope), self.arms.costs]) + self._outcome_head.theta @ rows.T
        forecast = self._forecast(correct, score, cost, context)
        objective = objective.resolve(forecast)
        observable = objective.observable(scored=self.arms.scored, judged=self._feedback > 0)
        gains = [share * gain for share, gain in zip(self.settings.exploration, observable.gains(forecast), strict=True)]
        bonus = self.settings.alpha * (
            gains[0] * self._correctness_head.widths(rows) + gains[1] * self._outcome_head.widths(rows)
        )
        return Assessment(correct, score, cost, observable.rewards(forecast), bonus, eligible, forecast.spend, objective)

    def _forecast(self, correct: Array, score: Array, cost: Array, context: Context) -> Forecast:
        """With what the prices of usual amounts and the learned position make of costs."""
        rates = self.arms.rates
        usual = rates.spend(rates.usual, np.full(len(cost), context.input_tokens))
        spend = usual * np.exp((cost - self.arms.costs) * self.arms.span)
        return Forecast(correct, score, cost, spend, spend / rates.paths, np.full(len(cost), self.arms.scored))

    def choose(self, assessment: Assessment, rng: np.random.Generator) -> Choice:
        """The greatest upper confidence bound."""
        return Choice(assessment.best)

    def decided(self, decision: str, action: int, context: Context) -> None:
        """Nothing is waited for."""

    def outcome(self, decision: str, action: int, context: Context, observation: Observation) -> None:
        """Learn score and cost."""
        score = np.nan if observation.score is None else observation.score - self.settings.optimism
        self._outcome_head.observe(context.query, np.array([score, observation.cost - self.arms.costs[action]]))

    def feedback(
        self, decision: str, action: int, context: Context, correct: float, weight: float = 1.0, previous: float | None = None
    ) -> None:
        """Learn correctness; of a revision only `b` changes."""
        if previous is not None and previous != correct:
            self._correctness_head.revise(context.query, np.array([correct - previous]), weight)
            return
        self._feedback += previous is None
        scale = float(np.sqrt(weight))
        self._correctness_head.observe(scale * context.query, np.array([scale * (correct - self.settings.optimism)]))

    def state(self) -> State:
        """Everything that was learned, with the names of what it is of."""
        heads = {"judged": self._correctness_head.state(), "observed": self._outcome_head.state()}
        arrays: dict[str, Array] = {f"{part}.{name}": array for part, head in heads.items() for name, array in head.items()}
        return {
            **arrays,
            "names": np.array(self.arms.schema.names, dtype=np.str_),
            "feedback": np.array(self._feedback),
            "span": np.array(self.arms.span),
        }

    def load(self, state: State) -> None:
        """Take over what `state` gave, of the same encoder."""
        if "names" not in state or tuple(map(str, state["names"])) != self.arms.schema.names:
            raise StateError("the state is of another encoder; give the one that it was learned with")
        heads: dict[str, dict[str, Array]] = {
            part: {name: state[f"{part}.{name}"] for name in ("A", "b", "ridge", "settings")} for part in ("judged", "observed")
        }
        # `C~` is a position on a scale of another length.
        heads["observed"]["b"] = heads["observed"]["b"] * np.array(
            [[1.0], [float(state.get("span", self.arms.span)) / self.arms.span]]
        )
        self._correctness_head, self._outcome_head = (RidgeRegression.from_state(heads[part]) for part in ("judged", "observed"))
        self._feedback = int(state["feedback"])
