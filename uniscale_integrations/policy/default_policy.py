"""LinUCB (Li et al., arXiv 1003.0146) as UniScale has it: one ridge head per component of the reward, weights applied at request time."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.errors import StateError
from uniscale_integrations.policy.amounts import OF_ESTIMATES, OF_TOKENS, Amounts
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.change import ChangeDetector
from uniscale_integrations.policy.components import Components
from uniscale_integrations.policy.conversion import ancestors_leaving, converted
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Forecast, Objective
from uniscale_integrations.policy.policy import Assessment, Choice, Context, Mask, Observation, State
from uniscale_integrations.policy.priors import HOSTED, Precisions
from uniscale_integrations.policy.product import Products
from uniscale_integrations.policy.transfer import ArmsDescription, Transfer

MAX_PENDING_DECISIONS = 1000
"""Decisions for which another one's correctness is waited for; most feedback never comes."""

LEAST_SHARE = 0.1
"""Of what is expected of its cost that an answer costs whatever is saved."""

MAX_LEVERAGE = 0.1
"""`x^T A^-1 x` below which a configuration is known well enough on a question to be surprised by: about ten observations."""


ENOUGH = 20.0
"""Answers that wait for their judgement, after which a model is known soon enough."""

DEAR, CHEAP = 1.6e-3, 5e-5
"""Dollars of a usual plain call between which a price tells how good a model may be; about 3/15 and .1/.4 a million tokens."""


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """How to explore and what to believe.

    Attributes:
        alpha: how much a width is worth.
        exploration: share of `alpha` that goes for correctness and score. What a configuration costs is nearly known, so that trying it for
            the sake of its cost does not pay. With (1, 1), and both observed, this is the LinUCB of the paper.
        optimism: correctness and score expected of a configuration nothing is known of.
        rise: how much more is hoped for with every doubling of the paths that a search samples, up to 1; more of them seldom do harm.
        price: how much less correctness is hoped for with every halving of the price of a model that is paid for by the token, from
            `DEAR` on down to `CHEAP`: who sells a model for less hardly ever sells the better one.
        discount: of all earlier observations at each new one; 1 forgets nothing.
        forget: what is left of the weight of all observations when the world has changed.
        noise: standard deviation of correctness around what is expected, for noticing changes.
        shared_blame: of what is believed to go wrong with all configurations alike, how much is not held against the models that have
            hardly been judged.
        precisions: prior precisions; by default `HOSTED` of models that are paid for by the token, and otherwise `Precisions()`.
    """

    alpha: float = 0.25
    exploration: tuple[float, float] = (1.0, 1.0)
    optimism: float = 0.85
    rise: float = 0.02
    # What was learned is the same whatever it is, and goes by the name of the others.
    price: float = field(default=0.02, repr=False)
    discount: float = 1.0
    forget: float = 0.02
    noise: float = 0.45
    shared_blame: float = 0.5
    precisions: Precisions | None = None


class LinUCBPolicy:
    """LinUCB over components, with a prior that suits configurations of models and search, and change detection.

    Query features are centred on the average question so far. So what is learned of an action's level is about the average question, and
    what is learned for all actions together can only tell questions apart, never actions.

    Args:
        arms: what there is to choose from.
        settings: how to explore and what to believe.

    Attributes:
        arms: as given.
        settings: as given.
        components: the ridge heads of correctness and score.
        amounts: what answers take, and with it what they cost.
        changes: how often a change of the world was noticed.
        detects_changes: whether it is looked for; see `IgnoresChange`.

    Example:
        >>> from uniscale_integrations.policy.objective import Weights
        >>> from uniscale_integrations.policy.schema import FeatureSchema
        >>> from uniscale_integrations.space import Configuration
        >>> arms = Arms.of([Configuration("small"), Configuration("large")], FeatureSchema(("bias",)), [0.0, 1.0])
        >>> policy, context = LinUCBPolicy(arms), Context(np.ones(1))
        >>> policy.outcome("d1", 1, context, Observation(score=0.9, cost=1.0))
        >>> policy.assess(context, Weights(0.4, 0.3, 0.3), np.array([True, True])).best
        0
    """

    def __init__(self, arms: Arms, settings: LearnerSettings | None = None) -> None:
        self.arms = arms
        self.settings = settings or LearnerSettings()
        self.components = Components(
            self._products(), self._prior(), self._precision(), self.settings.discount, self._hope_by_price()
        )
        self.changes, self.detects_changes = 0, True
        self._level = self._precisions.level
        self.amounts = Amounts(arms, self.components.products, self._amount_precision())
        self._models = np.array(arms.model_of)
        self._plain, self._unscored = arms.plain, np.zeros(len(arms), dtype=np.bool_)
        self._any_plain = bool(self._plain.any())
        # How often each model was judged.
        self._judged = np.zeros(len(arms.models))
        self._detector = ChangeDetector(len(arms.models))
        self._seen, self._average = 0, np.zeros(len(arms.schema))
        self._pending: OrderedDict[str, int] = OrderedDict()
        self._pending_counts, self._feedback_counts = np.zeros(len(arms)), np.zeros(len(arms))
        # Answers of each configuration, and how many of them something scored.
        self._answers = np.zeros((2, len(arms)))
        self._right = 0.0

    @property
    def name(self) -> str:
        """With all settings."""
        return f"linucb {self.settings!r}"

    def assess(self, context: Context, objective: Objective, eligible: Mask) -> Assessment:
        """What is expected of every configuration."""
        query = self._centre(context.query, self._with(context.query))
        forecast = self._forecast(query, context, eligible)
        objective = objective.resolve(forecast)
        observable = objective.observable(scored=self.arms.scored, judged=self.components.feedback > 0)
        correctness_gain, score_gain = observable.gains(forecast)
        correctness_share, score_share = self.settings.exploration
        gains = correctness_share * correctness_gain, score_share * score_gain
        bonus = self.settings.alpha * self.components.bonus(query, gains)
        rewards = observable.rewards(forecast)
        return Assessment(forecast.correct, forecast.score, forecast.cost, rewards, bonus, eligible, forecast.spend, objective)

    def _forecast(self, query: Array, context: Context, eligible: Mask) -> Forecast:
        """What is expected of every configuration, component by component."""
        rates = self.arms.rates
        correct, score = self.components.means(query)
        correct += self._unproven(query)
        if self._pending:
            correct -= self._pending_optimism()
        spend, steady = self.amounts.spend_and_steady(query, context)
        if context.extra_costs is not None:
            # However much of it is saved, an answer costs something.
            spend = np.maximum(spend + context.extra_costs, LEAST_SHARE * spend)
        # What is no plain call counts as the cheapest, which changes neither end of what plain calls cost.
        plain_spend = np.where(self._plain, steady, steady[self._plain].min()) if self._any_plain else steady / rates.paths
        return Forecast(correct, score, rates.positions(spend, eligible), spend, plain_spend, self._scored())

    def _scored(self) -> NDArray[np.bool_]:
        """Whether an answer of each configuration is expected to get a score: nothing is known of it yet, or most of them did."""
        answers, scored = self._answers
        return (answers == 0) | (2 * scored >= answers) if self.arms.scored else self._unscored

    def _unproven(self, query: Array) -> Array:
        """What is not held against each configuration: a share of what goes wrong with all alike, less the oftener its model was judged."""
        common = self.components.common(query)
        if common >= 0.0 or not self.settings.shared_blame:
            return np.zeros(len(self.arms))
        judged = self._judged[self._models]
        unproven: Array = -self.settings.shared_blame * common * 2.0 / (2.0 + judged)
        return unproven

    def choose(self, assessment: Assessment, rng: np.random.Generator) -> Choice:
        """The greatest upper confidence bound."""
        return Choice(assessment.best)

    def decided(self, decision: str, action: int, context: Context) -> None:
        """Take a question's features into the average, and wait for its correctness over the next `MAX_PENDING_DECISIONS` decisions."""
        self._seen += 1
        self._average += (context.query - self._average) / self._seen
        self._pending[decision] = action
        self._pending_counts[action] += 1
        if len(self._pending) > MAX_PENDING_DECISIONS:
            _, given_up = self._pending.popitem(last=False)
            self._pending_counts[given_up] -= 1

    def outcome(self, decision: str, action: int, context: Context, observation: Observation) -> None:
        """Learn the score and what the answer took."""
        query = self._centre(context.query, self._average)
        self._answers[:, action] += 1.0, observation.score is not None
        if observation.score is not None:
            self.components.score(action, query, observation.score)
        self.amounts.observe(action, query, context, observation)

    def feedback(
        self, decision: str, action: int, context: Context, correct: float, weight: float = 1.0, previous: float | None = None
    ) -> None:
        """Learn correctness; where it shows that the world has changed, forget nearly all. Of a revision only `b` changes."""
        query = self._centre(context.query, self._average)
        if previous == correct:
            self.components.judge(action, query, correct, weight, anew=False)
            return
        if previous is not None:
            self._right += correct - previous
            self.components.correctness_head.revise(
                self.components.products.features(action, query), np.array([correct - previous]), weight
            )
            return
        pending_arm = self._pending.pop(decision, None)
        if pending_arm is not None:
            self._pending_counts[pending_arm] -= 1
        self._right += correct
        self._feedback_counts[action] += 1
        self._judged[self._models[action]] += 1
        [error], leverage = self.components.judge(action, query, correct, weight)
        # The hope for what is little known is no expectation to be disappointed.
        if (
            self.detects_changes
            and leverage < MAX_LEVERAGE
            and self._detector.observe(int(self._models[action]), error / (self.settings.noise * sqrt(1.0 + leverage)))
        ):
            self.changes += 1
            self.components.forget(self.settings.forget)
            self._feedback_counts *= self.settings.forget
            self._judged *= self.settings.forget

    def on_average(self) -> tuple[Array, Array]:
        """What is expected of every configuration on the average question so far.

        Returns:
            correctness, score and `C~`, shape (3, K), and `sqrt(x^T A^-1 x)` of correctness and of the score, shape (2, K).
        """
        query, every = self._centre(self._average, self._average), np.ones(len(self.arms), dtype=np.bool_)
        costs = self.arms.rates.positions(self.amounts.spend(query, Context(self._average)), every)
        correct, score = self.components.means(query)
        return np.stack([correct + self._unproven(query), score, costs]), self.components.widths(query)

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that was learned, as arrays for `np.savez`, with the names of what it is of.

        Of many models `A` is in parts, whose size is linear in the models; `heads.whole_heads` puts it together.
        """
        own = {
            "seen": np.array(self._seen),
            "average": self._average.copy(),
            "changes": np.array(self.changes),
            "right": np.array(self._right),
            "told": self._feedback_counts.copy(),
            "answers": self._answers.copy(),
            "judged": self._judged.copy(),
            "waiting": np.array(list(self._pending), dtype=np.str_),
            "waited": np.array(list(self._pending.values()), dtype=np.int64),
        }
        return self.components.state() | self.amounts.state() | self._detector.state() | own | self._description.state()

    def load(self, state: State) -> None:
        """Take over what `state` gave, of a policy of the same settings; what it has learned of other configurations is converted.

        Raises:
            StateError: arrays that are missing or do not fit; nothing is taken over then.
        """
        required_names = (
            "seen",
            "average",
            "changes",
            "right",
            "told",
            "answers",
            "judged",
            "waiting",
            "waited",
            "sums",
            "feedback",
        )
        missing = [name for name in required_names if name not in state]
        if missing:
            raise StateError(f"the state lacks {', '.join(missing)}; it must be what `state` gave")
        old = ArmsDescription.read(state)
        if old is not None and (leaving := ancestors_leaving(self.arms, old)):
            # What they know is handed on while they are still there.
            both = LinUCBPolicy(self.arms.beside(leaving), self.settings)
            both.load(state)
            state, old = both.state(), both._description
        original, transfer = state, None
        if old is not None and not old.same(self._description):
            transfer = Transfer(old, self._description)
            state = converted(state, transfer, self.arms, self._precision())
        average = np.asarray(state["average"], dtype=np.float64)
        if average.shape != self._average.shape or not np.isfinite(average).all():
            raise StateError(f"the average question must be {len(self._average)} finite numbers, got {average!r:.80}")
        self.components.load(state)
        self.amounts.load(original, transfer)
        self._detector.load(state)
        self._answers, self._judged = (np.array(state[name], dtype=np.float64) for name in ("answers", "judged"))
        self._seen, self._average, self.changes = int(state["seen"]), average.copy(), int(state["changes"])
        self._right, self._feedback_counts = float(state["right"]), np.array(state["told"], dtype=np.float64)
        self._pending = OrderedDict(zip(map(str, state["waiting"]), map(int, state["waited"]), strict=True))
        self._pending_counts = np.bincount(np.asarray(state["waited"], dtype=np.int64), minlength=len(self.arms)).astype(
            np.float64
        )

    @property
    def _description(self) -> ArmsDescription:
        return ArmsDescription.of(self.arms, own=self._several)

    def _pending_optimism(self) -> Array:
        """Expected drop of each configuration's predicted correctness once pending feedback arrives, if it turns out as it usually does.

        Without this a configuration that looks promising would be chosen again and again until the first word comes, and the next
        promising one after that. After n observations the prior, with its hope, still makes up `k / (k + n)` of what is expected, where
        k is its precision; p further ones take `p / (k + n + p)` of that away. Once `ENOUGH` are waited for of every model, waiting for
        more is no reason to ask another one: where only thumbs down are heard of, they never come.
        """
        usual = self._right / self.components.feedback if self.components.feedback else 0.5
        prior = self._level
        told, waiting = (self._by_model(counts) for counts in (self._feedback_counts, self._pending_counts))
        waiting = np.minimum(waiting, ENOUGH)
        return max(0.0, self.settings.optimism - usual) * (prior / (prior + told)) * waiting / (prior + told + waiting)

    def _by_model(self, counts: Array) -> Array:
        """Counts of configurations, summed up over those of the same model, whose level is most of what is believed of each, shape (K,)."""
        sums: Array = np.bincount(self._models, weights=counts)[self._models]
        return sums

    def _with(self, query: Array) -> Array:
        """The average question, this one counted, as it will be once this is decided."""
        average: Array = self._average + (query - self._average) / (self._seen + 1)
        return average

    def _centre(self, query: Array, average: Array) -> Array:
        result = query - average
        result[0] = 1.0
        return result

    def _products(self) -> Products:
        # Where every configuration has a model of its own, the model's code already is its indicator.
        return Products(self.arms.features, len(self.arms.schema), own=self._several, codes=len(self.arms.models))

    def _prior(self) -> Array:
        hope = np.minimum(1.0, self.settings.optimism + self.settings.rise * self.arms.doublings)
        return np.stack([hope, hope])

    def _hope_by_price(self) -> Array:
        """Coefficients of correctness, shape (d,), by which less is hoped of a model the less it is sold for, on any question."""
        arms, products = self.arms, self._products()
        rates, coefficients = arms.rates, np.zeros(products.dim)
        halvings = np.where(rates.in_tokens, np.log2(DEAR / np.clip(rates.plain_call, CHEAP, DEAR)), 0.0)
        codes = np.array(arms.model_of) + arms.features.shape[1] - len(arms.models)
        coefficients[codes * products.query_dim] = -self.settings.price * halvings
        return coefficients

    def _precision(self) -> Array:
        return self._precisions.diagonal(self._search, self._kinds, self._indicators)

    @property
    def _precisions(self) -> Precisions:
        return self.settings.precisions or (HOSTED if self.arms.rates.in_tokens.all() else Precisions())

    def _amount_precision(self) -> Array:
        settings = OF_TOKENS if self.arms.rates.in_tokens.all() else OF_ESTIMATES
        return settings.precision(self._search, self._kinds, self._indicators)

    @property
    def _kinds(self) -> NDArray[np.bool_]:
        """For each query feature after the first whether it is a kind, shape (n - 1,)."""
        return np.asarray(self.arms.schema.is_kind, dtype=np.bool_)

    @property
    def _indicators(self) -> int:
        """How many configurations have an indicator of their own: all or none."""
        return len(self.arms) if self._several else 0

    @property
    def _search(self) -> NDArray[np.bool_]:
        """For each feature of the configurations whether it is an amount of search, shape (m,)."""
        return _within_models(self.arms.features, np.asarray(self.arms.model_of))

    @property
    def _several(self) -> bool:
        """Whether any model has several configurations."""
        return len(self.arms.models) < len(self.arms)


def _within_models(actions: Array, models: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each action feature whether it differs between configurations of one model, as only amounts of search do, shape (m,)."""
    varies: NDArray[np.bool_] = np.any([np.ptp(actions[models == model], axis=0) > 0 for model in np.unique(models)], axis=0)
    return varies
