"""What it is to be a policy: it expects, chooses and learns. Engine, fold, replay and report speak to nothing else.

A policy of one's own is one class that takes `Arms` and has the methods of `Policy`; `UniScale(policy=...)` and
`uniscale replay --policies` take it alike, by itself or as "module:name".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from uniscale_integrations.deprecation import former_names
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.objective import Expectation, Objective
from uniscale_integrations.policy.rates import USUAL_INPUT

Mask = NDArray[np.bool_]
"""Which of K configurations may be chosen, shape (K,)."""

State = Mapping[str, NDArray[Any]]
"""Everything that was learned, as arrays for `np.savez`."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a policy sees of a request.

    Attributes:
        query: features of the question, shape (n,), the first of which is 1; where an encoder reads question and configuration together,
            those of the configuration that was chosen, once one was.
        rows: features of each configuration with the question, shape (K, n), of such an encoder.
        input_tokens: that a model reads, as they were counted before the call.
        extra_costs: in dollars or eFLOPs, of each configuration beside what it costs on such a question, shape (K,); below 0 where a model
            has the conversation in its cache, which others would read anew.
    """

    query: Array
    rows: Array | None = None
    input_tokens: float = USUAL_INPUT
    extra_costs: Array | None = None

    def of(self, action: int) -> Context:
        """What is kept of it once a configuration was chosen."""
        return self if self.rows is None else replace(self, query=self.rows[action], rows=None)


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known of a decision at once.

    Attributes:
        score: the verifier's, in [0, 1]; `None` where nothing scored the answer.
        cost: `C~`.
        output_tokens: that were sampled, on all paths together, where they are known.
        input_tokens: that were read, likewise.
    """

    score: float | None
    cost: float
    output_tokens: float | None = None
    input_tokens: float | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a policy thinks of every configuration on a request; arrays of the shape (K,).

    Attributes:
        correct: expected correctness.
        score: expected score.
        cost: expected `C~`.
        reward: expected reward under the request's objective.
        bonus: what not knowing better is worth.
        eligible: whether it may be chosen.
        spend: expected cost in dollars or eFLOPs; `None` of a policy that expects no more of it than `C~`.
        objective: what the rewards are, with all its numbers; `None` of a policy that takes the request's as it is.
        at_once: of `spend` what is spent before anything else is decided; `None` where that is all of it.
    """

    correct: Array
    score: Array
    cost: Array
    reward: Array
    bonus: Array
    eligible: Mask
    spend: Array | None = None
    objective: Objective | None = None
    at_once: Array | None = None

    def of(self, action: int) -> Expectation:
        """What is expected of one configuration."""
        spend = float("nan") if self.spend is None else float(self.spend[action])
        correct, score, cost, bonus = (float(each[action]) for each in (self.correct, self.score, self.cost, self.bonus))
        return Expectation(correct, score, cost, spend, bonus)

    @property
    def best(self) -> int:
        """The configuration of the greatest reward and bonus, the first of equals.

        Raises:
            ConfigurationError: none is eligible.
        """
        best = int(np.where(self.eligible, self.reward + self.bonus, -np.inf).argmax())
        if not self.eligible[best]:
            raise ConfigurationError("no configuration can serve this request")
        return best

    def read_only(self) -> Assessment:
        """The same arrays for whoever only looks."""
        names = ("correct", "score", "cost", "reward", "bonus", "eligible", "spend")
        views = {name: array.view() for name in names if (array := getattr(self, name)) is not None}
        for view in views.values():
            view.setflags(write=False)
        return replace(self, **views)


@dataclass(frozen=True, slots=True)
class Choice:
    """One configuration.

    Attributes:
        action: its index.
        propensity: the probability with which the policy chooses it from this assessment, in (0, 1]; 1 where nothing is drawn.
    """

    action: int
    propensity: float = 1.0


class Policy(Protocol):
    """Expects something of every configuration, chooses one, and learns what came of it.

    What it learns is a fold: the same calls of `decided`, `outcome` and `feedback` in the same order give the same state, in every worker
    and whenever the log is read again. So nothing is drawn in them, and nothing is learned in `assess` and `choose`.
    """

    @property
    def name(self) -> str:
        """Tells it from other policies, and from itself with other settings: states of different names are not taken for each other."""
        ...

    def assess(self, context: Context, objective: Objective, eligible: Mask) -> Assessment:
        """What is expected of every configuration on a request."""
        ...

    def choose(self, assessment: Assessment, rng: Generator) -> Choice:
        """One of the eligible configurations of an assessment, which a budget may have changed since `assess`; at least one is eligible."""
        ...

    def decided(self, decision: str, action: int, context: Context) -> None:
        """Take note of a decision, by its id."""
        ...

    def outcome(self, decision: str, action: int, context: Context, observation: Observation) -> None:
        """Learn what is known at once."""
        ...

    def feedback(
        self, decision: str, action: int, context: Context, correct: float, weight: float = 1.0, previous: float | None = None
    ) -> None:
        """Learn correctness.

        Args:
            decision: its id.
            action: the configuration.
            context: as it was decided in.
            correct: in [0, 1].
            weight: what it counts, in (0, 1].
            previous: what was learned before, where this revises it; the same as `correct` where what counts already counts this much more.
        """
        ...

    def state(self) -> State:
        """Everything that was learned."""
        ...

    def load(self, state: State) -> None:
        """Take over what `state` gave, of a policy of the same name, perhaps of other configurations.

        Raises:
            StateError: arrays that are missing or do not fit; nothing is taken over then.
        """
        ...


@runtime_checkable
class DetectsChange(Protocol):
    """A policy that notices when the world has changed."""

    @property
    def changes(self) -> int:
        """How often it has."""
        ...


@runtime_checkable
class IgnoresChange(Protocol):
    """A policy that can be told not to look for changes of the world.

    Where silence is learned from, what people say comes at once, and that they have said nothing comes later: the last answers all seem to
    be wrong, or all right, which is no change.

    Attributes:
        detects_changes: whether it looks for them.
    """

    detects_changes: bool


PolicyFactory = Callable[[Arms], Policy]
"""Makes a policy for some configurations; a class whose constructor takes `Arms` is one."""


__getattr__ = former_names(__name__, {"Observed": "Observation"})
