"""LinUCB that decides again once an answer was seen: ask another configuration, the same one once more, or stop.

A first choice is worth what the decision after it will be worth; a later one what is kept in the end. Both are the optimistic offsets of
`Hope` and a residual from one ridge head over [question, f(state)]. What stopping is worth is computed and never learned: it is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uniscale_integrations.errors import StateError
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.change import ChangeDetector
from uniscale_integrations.policy.conversion import ancestors_leaving
from uniscale_integrations.policy.default_policy import MAX_LEVERAGE
from uniscale_integrations.policy.heads import head_of
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Forecast, Objective
from uniscale_integrations.policy.policy import Assessment, Choice, Context, Mask, Observation, State
from uniscale_integrations.policy.transfer import ArmsDescription, Transfer
from uniscale_integrations.rounds.attempt import Answered, Attempt, Attempts
from uniscale_integrations.rounds.context import STATE, RoundContext, state_features
from uniscale_integrations.rounds.conversion import converted_rounds
from uniscale_integrations.rounds.layout import Layout, amounts_of
from uniscale_integrations.rounds.outlook import Hope, Prices
from uniscale_integrations.rounds.trust import FIRST_BELIEF, Trust

SURPRISES = 3
"""Streams of errors of each model: of the belief in an answer, of its score, and of judgements."""


@dataclass(frozen=True, slots=True)
class RoundsSettings:
    """How to explore, and what to believe.

    Attributes:
        alpha: how much a width is worth at the first decision.
        alpha_again: likewise at later ones.
        margin: how much better going on must look than stopping, in units of what a right answer is worth.
        label_share: of what a judgement says beyond the belief in an answer, how much the head learns beside the belief.
        belief: how much of a score is believed before any answer was judged.
        hope: what is expected beforehand.
        noise: standard deviation of what is observed about what is expected, by which a change of the world is noticed.
        forget: share of what was learned that is kept then.
    """

    alpha: float = 0.15
    alpha_again: float = 0.1
    margin: float = 0.03
    label_share: float = 0.4
    belief: float = FIRST_BELIEF
    hope: Hope = field(default_factory=Hope)
    noise: float = 0.45
    forget: float = 0.02


class DecidesAgain:
    """A policy for episodes: see `LearnsFromRounds`.

    Args:
        arms: what there is to choose from.
        settings: how to explore and what to believe.

    Attributes:
        arms: as given.
        settings: as given.
        changes: how often a change of the world was noticed.
        detects_changes: whether judgements may tell of one; see `IgnoresChange`. Scores may in any case.

    Example:
        >>> from uniscale_integrations.policy.objective import weights
        >>> from uniscale_integrations.policy.schema import FeatureSchema
        >>> from uniscale_integrations.rounds.attempt import Answered
        >>> from uniscale_integrations.rounds.episode import Episode
        >>> from uniscale_integrations.space import Configuration
        >>> arms = Arms.of([Configuration("small"), Configuration("large")], FeatureSchema(("bias",)), [0.0, 1.0], span=4.6)
        >>> policy, request, every = DecidesAgain(arms), Context(np.ones(1)), np.ones(2, dtype=bool)
        >>> for number in range(100):
        ...     episode = Episode(policy, request, weights("balanced"), every, arms.model_of)
        ...     while (decision := episode.ask()) is not None:
        ...         episode.withdraw([decision.configuration])  # which would say the same again
        ...         right = decision.configuration == 1 or number % 2 == 0
        ...         episode.tell(decision, Answered(right, 0.9 if right else 0.1, 100.0 if decision.configuration else 1.0))
        ...     policy.ended(str(number), episode.context)
        ...     policy.feedback(str(number), episode.context, float(episode.result().answer))
        >>> [each.decision.configuration for each in episode.context.attempts]
        [0, 1]
    """

    def __init__(self, arms: Arms, settings: RoundsSettings | None = None) -> None:
        self.arms, self.settings = arms, settings or RoundsSettings()
        self._hope = self.settings.hope.single(arms)
        # Which arms put together anew whenever they are asked.
        self._model_of, self._models = arms.model_of, len(arms.models)
        self._layout = Layout.of(arms, len(STATE) + len(arms.models))
        self._head = self._layout.products.regression(2, self._layout.precision)
        self._amounts = amounts_of(arms)
        self._trusts: dict[str, Trust] = {}
        self._nothing_judged = Trust(arms, self._hope, self.settings.belief)
        self._seen, self._average = 0, np.zeros(len(arms.schema))
        self.changes, self.detects_changes = 0, True
        self._detector = ChangeDetector(SURPRISES * len(arms.models))

    @property
    def name(self) -> str:
        """With all settings."""
        return f"rounds {self.settings!r}"

    def believe(self, request: Context, action: int, score: float | None, verifier: str = "") -> float:
        """As of `RoundsPolicy`."""
        return self._trust(verifier)(action, self._centre(request.query, self._with(request.query)), score)

    def prior_belief(self, action: int, score: float | None) -> float:
        """As of `LearnsFromRounds`."""
        return self._nothing_judged(action, np.zeros(len(self.arms.schema)), score)

    def assess(self, context: RoundContext, objective: Objective, eligible: Mask) -> Assessment:
        """As of `RoundsPolicy`."""
        query, count, kept = self._centre(context.request.query, self._with(context.request.query)), len(self.arms), context.kept
        features = np.concatenate([query, self._state(context, query)])
        learned = self._layout.products.expect(self._head, features)
        correct, score = np.clip(self._offsets(context, query) + learned, 0.0, 1.0)
        prices = Prices.of(self.arms, self._amounts, query, context.request, eligible)
        scored, plain = np.full(count, self.arms.scored), prices.plain
        if kept is None:
            cost, spend = prices.first(context.spent, self._hope)
        else:
            cost, spend = prices.again(context.spent)
            correct, score = np.append(correct, kept.belief), np.append(score, kept.score or 0.0)
            scored, plain = np.append(scored, kept.score is not None), np.append(plain, plain.min())
            eligible = np.append(eligible, np.True_)
        forecast = Forecast(correct, score, cost, spend, plain, scored)
        sought = objective.resolve(forecast).observable(scored=self.arms.scored, judged=True)
        gains = np.add(*sought.gains(forecast))[:count]
        alpha = self.settings.alpha if kept is None else self.settings.alpha_again
        bonus = alpha * gains * self._layout.products.widths(self._head, features)
        if kept is not None:
            bonus = np.append(bonus, self.settings.margin * _unit(sought))
        at_once = context.spent + prices.single if kept is None else None
        return Assessment(correct, score, cost, sought.rewards(forecast), bonus, eligible, spend, sought, at_once)

    def choose(self, assessment: Assessment, rng: np.random.Generator) -> Choice:
        """The greatest upper confidence bound; to stop where going on is no better."""
        bounds = np.where(assessment.eligible, assessment.reward + assessment.bonus, -np.inf)
        stop = len(self.arms)
        if len(bounds) > stop and bounds[stop] >= bounds[:stop].max():
            return Choice(stop)
        return Choice(assessment.best)

    def ended(self, episode: str, context: RoundContext) -> None:
        """As of `LearnsFromRounds`."""
        self._average = self._with(context.request.query)
        self._seen += 1
        query, kept = self._centre(context.request.query, self._average), context.kept
        if kept is None:
            return
        answers = context.answers
        for place, attempt in enumerate(answers):
            if place + 1 < len(answers):
                expected = answers[place + 1].decision.expected
                correct, score = expected.correct, expected.score
            else:
                correct, score = kept.belief, np.nan if kept.score is None else kept.score
            action, before = attempt.decision.configuration, _before(context, attempt)
            features = np.concatenate([query, self._state(before, query)])
            values = np.array([correct, score]) - self._offsets(before, query)[:, action]
            surprise = self._layout.products.observe(self._head, action, features, values)
            if not place:
                self._notice(action, surprise.errors, surprise.leverage)
            if isinstance(attempt.came, Answered) and attempt.came.counted:
                self._learn_amounts(attempt, query, context.request)

    def feedback(
        self, episode: str, context: RoundContext, correct: float, weight: float = 1.0, previous: float | None = None
    ) -> None:
        """As of `LearnsFromRounds`."""
        kept, answers = context.kept, context.answers
        if kept is None:
            return
        query, last, change = self._centre(context.request.query, self._average), answers[-1], correct - kept.belief
        if previous is not None and previous != correct:
            change = correct - previous
        trust, action = self._trust(kept.verifier, new=True), kept.decision.configuration
        surprise = trust.observe(action, query, kept.score, correct, weight, previous)
        if last is kept:
            features = np.concatenate([query, self._state(_before(context, last), query)])
            row = self._layout.products.features(action, features)
            self._head.revise(row, np.array([self.settings.label_share * change, 0.0]), weight)
        if surprise is not None and self.detects_changes:
            self._notice(action, surprise.errors, surprise.leverage, judged=True)

    def state(self) -> dict[str, NDArray[Any]]:
        """As of `LearnsFromRounds`."""
        head = {f"rounds.{name}": array for name, array in self._head.state().items()}
        verifiers = list(self._trusts)
        trusts = {
            f"trust {number}.{name}": array
            for number, verifier in enumerate(verifiers)
            for name, array in self._trusts[verifier].state().items()
        }
        own = {
            "seen": np.array(self._seen),
            "average": self._average.copy(),
            "verifiers": np.array(verifiers, dtype=np.str_),
            "changes": np.array(self.changes),
        }
        return head | trusts | self._amounts.state() | own | self._detector.state() | self._description.state()

    def load(self, state: State) -> None:
        """As of `LearnsFromRounds`.

        Raises:
            StateError: arrays that are missing or do not fit; what was learned of other configurations is converted.
        """
        missing = [name for name in ("seen", "average", "verifiers", "changes", "sums") if name not in state]
        if missing:
            raise StateError(f"the state lacks {', '.join(missing)}; it must be what `state` gave")
        old = ArmsDescription.read(state)
        if old is not None and (leaving := ancestors_leaving(self.arms, old)):
            # What they know is handed on while they are still there.
            both = DecidesAgain(self.arms.beside(leaving), self.settings)
            both.load(state)
            state = both.state()
            old = both._description
        original, transfer = state, None
        if old is not None and not old.same(self._description):
            transfer = Transfer(old, self._description)
            precision = self._layout.precision, self._nothing_judged.precision
            state = {**state, **converted_rounds(state, old, self.arms, *precision)}
        average = np.array(state["average"], dtype=np.float64)
        if average.shape != self._average.shape or not np.isfinite(average).all():
            raise StateError(f"the average question must be {len(self._average)} finite numbers, got {average!r:.80}")
        head = self._layout.products.regression_from(head_of(state, "rounds"))
        if (head.dim, head.targets) != (self._layout.products.dim, 2):
            raise StateError(f"the head has {head.dim} coefficients, these configurations need {self._layout.products.dim}")
        trusts = {str(verifier): Trust(self.arms, self._hope, self.settings.belief) for verifier in state["verifiers"]}
        for number, trust in enumerate(trusts.values()):
            trust.load(head_of(state, f"trust {number}"))
        self._amounts.load(original, transfer)
        self._detector.load(state)
        self._head, self._trusts = head, trusts
        self._seen, self._average, self.changes = int(state["seen"]), average, int(state["changes"])

    def on_average(self) -> tuple[Array, Array]:
        """What is expected of one attempt with every configuration on the average question so far, as of `LinUCBPolicy`.

        Returns:
            correctness, score and `C~`, shape (3, K), and `sqrt(x^T A^-1 x)`, twice, shape (2, K).
        """
        query, context = self._centre(self._average, self._average), RoundContext(Context(self._average))
        features = np.concatenate([query, self._state(context, query)])
        expected = np.clip(self._offsets(context, query) + self._layout.products.expect(self._head, features), 0.0, 1.0)
        every = np.ones(len(self.arms), dtype=np.bool_)
        costs = self.arms.rates.positions(self._amounts.spend(query, context.request), every)
        widths = self._layout.products.widths(self._head, features)
        return np.concatenate([expected, costs[None]]), np.stack([widths, widths])

    @property
    def _description(self) -> ArmsDescription:
        return ArmsDescription.of(self.arms, own=len(self.arms.models) < len(self.arms))

    def _offsets(self, context: RoundContext, query: Array) -> Array:
        """What is hoped for of every configuration next, correctness and score, shape (2, K)."""
        hope, kept = self.settings.hope, context.kept
        if kept is None:
            return hope.first(self._hope)
        ceiling = self._trust(kept.verifier)(kept.decision.configuration, query, 1.0)
        score = kept.belief if kept.score is None else kept.score
        return hope.again(kept.belief, ceiling, score, len(self.arms))

    def _state(self, context: RoundContext, query: Array) -> Array:
        kept, models = context.kept, self._models
        if kept is None:
            return state_features(context, 0.0, 0, models)
        every = np.ones(len(self.arms), dtype=np.bool_)
        prices = Prices.of(self.arms, self._amounts, query, context.request, every)
        [position] = prices.positions(np.array([context.spent]))
        return state_features(context, float(position), self._model_of[kept.decision.configuration], models)

    def _notice(self, action: int, errors: Array, leverage: float, *, judged: bool = False) -> None:
        """Look whether what was observed tells of a change of the world, and then forget nearly all.

        Args:
            action: the configuration.
            errors: observed minus expected: of belief and score, or of a judgement; 0 of what nothing observed.
            leverage: of the observation; what is little known is expected to differ.
            judged: whether it was a judgement.
        """
        if leverage >= MAX_LEVERAGE:
            return
        first = SURPRISES * self._model_of[action] + 2 * judged
        scale = self.settings.noise * sqrt(1.0 + leverage)
        noticed = [self._detector.observe(first + kind, float(error) / scale) for kind, error in enumerate(errors)]
        if any(noticed):
            self.changes += 1
            self._head.forget(self.settings.forget)
            for trust in self._trusts.values():
                trust.forget(self.settings.forget)

    def _learn_amounts(self, attempt: Attempt[object], query: Array, request: Context) -> None:
        came, action, arms = attempt.came, attempt.decision.configuration, self.arms
        assert isinstance(came, Answered)
        usual = float(arms.rates.spend(arms.rates.usual, np.full(len(arms), request.input_tokens))[action])
        dearer = log(max(came.spend, 1e-300) / max(usual, 1e-300)) / arms.span
        observation = Observation(came.score, float(arms.costs[action]) + dearer, came.output_tokens, came.input_tokens)
        self._amounts.observe(action, query, request, observation)

    def _trust(self, verifier: str, new: bool = False) -> Trust:
        if new and verifier not in self._trusts:
            self._trusts[verifier] = Trust(self.arms, self._hope, self.settings.belief)
        return self._trusts.get(verifier, self._nothing_judged)

    def _with(self, query: Array) -> Array:
        """The average question, this one counted."""
        average: Array = self._average + (query - self._average) / (self._seen + 1)
        return average

    def _centre(self, query: Array, average: Array) -> Array:
        result = query - average
        result[0] = 1.0
        return result


def _before(context: RoundContext, attempt: Attempt[object]) -> RoundContext:
    """As it was when an attempt was decided."""
    earlier: Attempts = tuple(each for each in context.attempts if each.decision.number < attempt.decision.number)
    return replace(context, attempts=earlier, chosen=None)


def _unit(objective: Objective) -> float:
    """What a right answer with a full score that costs nothing is worth over a wrong one at `C~` 1."""
    return objective.earned(1.0, 1.0, 0.0, 0.0) - objective.earned(0.0, 0.0, 1.0, 0.0)
