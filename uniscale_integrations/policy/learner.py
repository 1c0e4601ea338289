"""The policy: what it expects of every configuration on a question, what it tries, and what it learns."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from uniscale_integrations.errors import ConfigurationError, StateError
from uniscale_integrations.policy.change import ChangeDetector
from uniscale_integrations.policy.components import Components
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Weights
from uniscale_integrations.policy.priors import Precisions
from uniscale_integrations.policy.product import Products

PATIENCE = 1000
"""Decisions for which another one's correctness is waited for; most feedback never comes."""

KNOWN = 0.1
"""`x^T A^-1 x` below which a configuration is known well enough on a question to be surprised by: about ten observations."""


@dataclass(frozen=True, slots=True)
class LearnerSettings:
    """How to explore and what to believe.

    Attributes:
        alpha: how much a width is worth.
        exploration: share of `alpha` that goes for correctness, score and cost. What a configuration costs is nearly known, so that
            trying it for the sake of its cost does not pay. With (1, 1, 1), and every component observed, this is the LinUCB of the paper.
        optimism: correctness and score expected of a configuration nothing is known of.
        rise: how much more is hoped for with every doubling of the paths that a search samples, up to 1; more of them seldom do harm.
        discount: of all earlier observations at each new one; 1 forgets nothing.
        forget: what is left of the weight of all observations when the world has changed.
        noise: standard deviation of correctness around what is expected, for noticing changes.
        precisions: prior precisions.
    """

    alpha: float = 0.25
    exploration: tuple[float, float, float] = (1.0, 1.0, 0.0)
    optimism: float = 0.85
    rise: float = 0.02
    discount: float = 1.0
    forget: float = 0.02
    noise: float = 0.45
    precisions: Precisions = field(default_factory=Precisions)


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the policy thinks of every configuration on a question; arrays of the length K.

    Attributes:
        correct: expected correctness.
        score: expected score.
        cost: expected `C~`.
        reward: expected reward under the request's weights.
        bonus: what not knowing better is worth.
        eligible: whether it may be chosen.
    """

    correct: Array
    score: Array
    cost: Array
    reward: Array
    bonus: Array
    eligible: NDArray[np.bool_]

    @property
    def best(self) -> int:
        """The configuration to take, the first of equals.

        Raises:
            ConfigurationError: none is eligible.
        """
        if not self.eligible.any():
            raise ConfigurationError("no configuration can serve this request")
        return int(np.where(self.eligible, self.reward + self.bonus, -np.inf).argmax())


class Learner:
    """LinUCB over components, with a prior that suits configurations of models and search, and an eye on change.

    Query features are centred on the average question so far. So what is learned of an action's level is about the average question, and
    what is learned for all actions together can only tell questions apart, never actions.

    Args:
        actions: features of the configurations, shape (K, m), the first of which is the same for all.
        models: the number of each configuration's model, shape (K,), int.
        kinds: for each query feature after the first whether it is a kind, shape (n - 1,), bool.
        costs: `C~` expected of each configuration, shape (K,).
        doublings: log2 of the paths that each samples, shape (K,); 0 by default.
        scored: whether scores can be observed at all.
        settings: how to explore and what to believe.
    """

    def __init__(
        self,
        actions: Array,
        models: Sequence[int],
        kinds: Sequence[bool],
        costs: Array,
        doublings: ArrayLike = 0.0,
        *,
        scored: bool = True,
        settings: LearnerSettings | None = None,
    ) -> None:
        self.settings = settings or LearnerSettings()
        self.scored = scored
        self.models = tuple(models)
        if not len(actions) == len(self.models) == len(costs):
            raise ConfigurationError(
                f"{len(actions)} actions, {len(self.models)} models and {len(costs)} costs do not fit together"
            )
        # Where every configuration has a model of its own, the model's code already is its indicator.
        several = len(set(self.models)) < len(self.models)
        products = Products(actions, len(kinds) + 1, own=several)
        search = _within_models(actions, np.asarray(self.models))
        precision = self.settings.precisions.diagonal(search, np.asarray(kinds, dtype=bool), len(actions) if several else 0)
        hope = np.minimum(1.0, self.settings.optimism + self.settings.rise * np.broadcast_to(doublings, len(actions)))
        self.components = Components(products, np.stack([hope, hope, costs]), precision, self.settings.discount)
        self.changes = 0
        self._detector = ChangeDetector(max(self.models) + 1)
        self._seen, self._average = 0, np.zeros(len(kinds) + 1)
        self._waiting: OrderedDict[str, int] = OrderedDict()
        self._waited, self._told = np.zeros(len(actions)), np.zeros(len(actions))
        self._right = 0.0

    @property
    def query_dim(self) -> int:
        """Length n of a question's features."""
        return len(self._average)

    def revise(self, action: int, query: Array, change: float, weight: float = 1.0) -> None:
        """Change a correctness that was learned, with the weight it was; `A` stays as it is."""
        self.components.judged.revise(self.components.products.features(action, self._centred(query)), np.array([change]), weight)

    def see(self, query: Array) -> None:
        """Take a question's features into the average, once per decision."""
        self._seen += 1
        self._average += (query - self._average) / self._seen

    def took(self, decision: str, action: int) -> None:
        """Count a decision whose correctness has not been told yet; each is waited for over the next `PATIENCE` decisions."""
        self._waiting[decision] = action
        self._waited[action] += 1
        if len(self._waiting) > PATIENCE:
            _, given_up = self._waiting.popitem(last=False)
            self._waited[given_up] -= 1

    def assess(self, query: Array, weights: Weights, eligible: NDArray[np.bool_] | None = None) -> Assessment:
        """What is expected of every configuration.

        Args:
            query: features of the question, shape (n,), as they come from the encoder.
            weights: of the request.
            eligible: which configurations can serve it; all by default.
        """
        centred = self._centred(query)
        means = self.components.means(centred)
        judged, observed = self.components.widths(centred)
        if self._waiting:
            means[0] -= self._hope_to_lose()
        weights = self._observable(weights)
        settings = self.settings
        correct, score, cost = (share * weight for share, weight in zip(settings.exploration, weights.parts, strict=True))
        bonus = settings.alpha * (correct * judged + (score + cost) * observed)
        if eligible is None:
            eligible = np.ones(len(judged), dtype=bool)
        return Assessment(means[0], means[1], means[2], weights.rewards(means), bonus, eligible)

    def on_average(self) -> tuple[Array, Array]:
        """What is expected of every configuration on the average question so far.

        Returns:
            correctness, score and `C~`, shape (3, K), and `sqrt(x^T A^-1 x)` of correctness and of the other two, shape (2, K).
        """
        query = self._centred(self._average)
        return self.components.means(query), self.components.widths(query)

    def outcome(self, action: int, query: Array, score: float | None, cost: float) -> None:
        """Learn what is known at once."""
        self.components.outcome(action, self._centred(query), score, cost)

    def judge(self, action: int, query: Array, correct: float, decision: str = "", weight: float = 1.0) -> None:
        """Learn correctness; where it shows that the world has changed, forget nearly all.

        Args:
            action: the configuration.
            query: features of the question.
            correct: in [0, 1].
            decision: as it was given to `took`, if it was.
            weight: what it counts, in (0, 1].
        """
        waited = self._waiting.pop(decision, None)
        if waited is not None:
            self._waited[waited] -= 1
        self._right += correct
        self._told[action] += 1
        [error], leverage = self.components.judge(action, self._centred(query), correct, weight)
        # The hope for what is little known is no expectation to be disappointed.
        if leverage < KNOWN and self._detector.observe(self.models[action], error / (self.settings.noise * sqrt(1.0 + leverage))):
            self.changes += 1
            self.components.forget(self.settings.forget)
            self._told *= self.settings.forget

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that was learned, as arrays for `np.savez`."""
        own = {
            "seen": np.array(self._seen),
            "average": self._average.copy(),
            "changes": np.array(self.changes),
            "right": np.array(self._right),
            "told": self._told.copy(),
            "waiting": np.array(list(self._waiting), dtype=np.str_),
            "waited": np.array(list(self._waiting.values()), dtype=np.int64),
        }
        return self.components.state() | self._detector.state() | own

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state` gave, of a learner of the same configurations and settings.

        Raises:
            StateError: arrays that are missing or do not fit; nothing is taken over then.
        """
        needed = ("seen", "average", "changes", "right", "told", "waiting", "waited", "sums", "feedback")
        missing = [name for name in needed if name not in state]
        if missing:
            raise StateError(f"the state lacks {', '.join(missing)}; it must be what `state` gave")
        average = np.asarray(state["average"], dtype=np.float64)
        if average.shape != self._average.shape or not np.isfinite(average).all():
            raise StateError(f"the average question must be {len(self._average)} finite numbers, got {average!r:.80}")
        self.components.load(state)
        self._detector.load(state)
        self._seen, self._average, self.changes = int(state["seen"]), average.copy(), int(state["changes"])
        self._right, self._told = float(state["right"]), np.array(state["told"], dtype=np.float64)
        self._waiting = OrderedDict(zip(map(str, state["waiting"]), map(int, state["waited"]), strict=True))
        self._waited = np.bincount(np.asarray(state["waited"], dtype=np.int64), minlength=len(self.models)).astype(np.float64)

    def _hope_to_lose(self) -> Array:
        """By how much the correctness expected of each configuration is going to fall when what is waited for turns out as it usually does.

        Without this a configuration that looks promising would be chosen again and again until the first word comes, and the next
        promising one after that. After n observations the prior, with its hope, still makes up `k / (k + n)` of what is expected, where
        k is its precision; p further ones take `p / (k + n + p)` of that away.
        """
        usual = self._right / self.components.feedback if self.components.feedback else 0.5
        prior = self.settings.precisions.level
        known = prior + self._told
        return max(0.0, self.settings.optimism - usual) * (prior / known) * self._waited / (known + self._waited)

    def _observable(self, weights: Weights) -> Weights:
        if not self.scored:
            return weights.without(score=True)
        return weights if self.components.feedback else weights.score_for_correct()

    def _centred(self, query: Array) -> Array:
        centred = query - self._average
        centred[0] = 1.0
        return centred


def _within_models(actions: Array, models: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each action feature whether it differs between configurations of one model, as only amounts of search do, shape (m,)."""
    found: NDArray[np.bool_] = np.any([np.ptp(actions[models == model], axis=0) > 0 for model in np.unique(models)], axis=0)
    return found
