"""A request as a state machine: it says whom to ask next, is told what came, and knows which answer is the request's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Generic, TypeVar, cast

import numpy as np

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.objective import Objective
from uniscale_integrations.policy.policy import Assessment, Context, Mask
from uniscale_integrations.rounds.attempt import STOP, Answered, Attempt, Decision, Failed
from uniscale_integrations.rounds.context import RoundContext
from uniscale_integrations.rounds.ports import RoundsPolicy

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Limits:
    """What an episode may take as a whole.

    Attributes:
        rounds: answers that are awaited at most; a failed attempt brings none and does not count.
        spend: what all attempts together may be expected to cost, in dollars or eFLOPs.
        seconds: after which nothing further is begun.

    Raises:
        ConfigurationError: fewer rounds than 1, or a number that is not above 0.
    """

    rounds: int = 2
    spend: float = inf
    seconds: float = inf

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ConfigurationError(f"an episode has at least 1 round, got {self.rounds!r}")
        for name, value in (("spend", self.spend), ("seconds", self.seconds)):
            if not value > 0.0:
                raise ConfigurationError(f"{name} of an episode must be above 0, got {value!r}")


@dataclass(frozen=True, slots=True)
class Result(Generic[Answer]):
    """What an episode has brought.

    Attributes:
        kept: the attempt whose answer is the request's; `None` where all have failed.
        attempts: all of them, the first one first.
        spend: what they have cost together, in dollars or eFLOPs.
    """

    kept: Attempt[Answer] | None
    attempts: tuple[Attempt[Answer], ...]
    spend: float

    @property
    def answer(self) -> Answer:
        """The kept answer.

        Raises:
            Exception: that of the last attempt, where all have failed.
            ConfigurationError: nothing was tried.
        """
        if self.kept is not None and isinstance(self.kept.came, Answered):
            return self.kept.came.answer
        for attempt in reversed(self.attempts):
            if isinstance(attempt.came, Failed):
                raise attempt.came.error
        raise ConfigurationError("the episode has tried nothing yet; ask() it and tell() what came")


class Episode(Generic[Answer]):
    """The attempts at one request.

    A model that fails is not asked again, and every other eligible one may be: failover is no case of its own. A decision is open from
    `ask` until it is told; meanwhile `ask` gives the same one again, and `beside` one of another model, for who has waited long enough.
    What is open may be told in any order.

    Args:
        policy: decides.
        request: the question.
        objective: what is sought.
        eligible: which configurations may be asked, shape (K,).
        models: the number of each one's model, K of them.
        limits: of the whole.
        rng: of what the policy draws.
        adjust: changes an assessment by what is asked of requests together, as of `Pacer`.

    Attributes:
        context: the request and its attempts so far.
        last: the latest decision, also that to stop; `None` before the first.

    Example:
        >>> from uniscale_integrations.policy.arms import Arms
        >>> from uniscale_integrations.policy.objective import weights
        >>> from uniscale_integrations.policy.schema import FeatureSchema
        >>> from uniscale_integrations.rounds.policy import DecidesAgain
        >>> from uniscale_integrations.space import Configuration
        >>> arms = Arms.of([Configuration("small"), Configuration("large")], FeatureSchema(("bias",)), [0.0, 0.5])
        >>> request, every = Context(np.ones(1)), np.ones(2, dtype=bool)
        >>> episode = Episode(DecidesAgain(arms), request, weights("quality-first"), every, arms.model_of)
        >>> spend, scores = [1.0, 1.6], [0.1, 1.0]
        >>> while (decision := episode.ask()) is not None:
        ...     arm = decision.configuration
        ...     episode.withdraw([arm])  # which would say the same again
        ...     episode.tell(decision, Answered(f"what arm {arm} says", scores[arm], spend[arm]))
        >>> episode.result().answer, episode.result().spend
        ('what arm 1 says', 2.6)
    """

    def __init__(
        self,
        policy: RoundsPolicy,
        request: Context,
        objective: Objective,
        eligible: Mask,
        models: Sequence[int],
        limits: Limits = Limits(),
        rng: np.random.Generator | None = None,
        adjust: Callable[[RoundContext, Assessment], Assessment] = lambda context, assessment: assessment,
    ) -> None:
        if len(models) != len(eligible):
            raise ConfigurationError(f"{len(models)} models of configurations do not fit {len(eligible)} that may be eligible")
        self.context = RoundContext(request)
        self.last: Decision | None = None
        self._policy, self._objective, self._limits, self._adjust = policy, objective, limits, adjust
        self._eligible, self._models = np.array(eligible, dtype=np.bool_), np.asarray(models)
        self._rng = rng or np.random.default_rng()
        self._open: dict[int, Decision] = {}
        self._asked, self._over = 0, False

    @property
    def stopped(self) -> bool:
        """Whether the policy decided to stop, and not that nothing further could be tried."""
        return self.last is not None and self.last.stops

    def ask(self, elapsed: float = 0.0, allowed: Mask | None = None) -> Decision | None:
        """Whom to ask next; `None` where the episode is over.

        Args:
            elapsed: seconds since the request came; only what follows a first attempt is refused for the time.
            allowed: which of the eligible configurations may be asked now, shape (K,); all by default.
        """
        if self._open:
            return next(iter(self._open.values()))
        if self._over:
            return None
        decision = self._decide(elapsed, allowed)
        self._over = decision is None
        return decision

    def beside(self, elapsed: float = 0.0, allowed: Mask | None = None) -> Decision | None:
        """Whom to ask beside those that are open and have not answered, of another model than theirs; `None` where there is nobody.

        Args:
            elapsed: as of `ask`.
            allowed: likewise.
        """
        for decision in self._open.values():
            self._withdraw_model(decision.configuration)
        return self._decide(elapsed, allowed)

    def tell(self, decision: Decision, came: Answered[Answer] | Failed) -> None:
        """What came of a decision that is open.

        Raises:
            ConfigurationError: another decision, or one that was told before; nothing changes then.
        """
        if self._open.get(decision.number) != decision:
            raise ConfigurationError(f"decision {decision.number} is not open; tell what came of one that ask() or beside() gave")
        action = decision.configuration
        if isinstance(came, Failed):
            attempt: Attempt[Answer] = Attempt(decision, came)
            self._withdraw_model(action)
        else:
            belief = self._policy.believe(self.context.request, action, came.score, came.verifier) if came.complete else 0.0
            attempt = Attempt(decision, came, belief)
        self.context = self.context.after(attempt)
        del self._open[decision.number]

    def withdraw(self, actions: Sequence[int]) -> None:
        """Ask these configurations no more: those of a model that cools down, or that would only say the same again."""
        self._eligible[list(actions)] = False

    def _withdraw_model(self, action: int) -> None:
        self.withdraw(np.flatnonzero(self._models == self._models[action]).tolist())

    def _decide(self, elapsed: float, allowed: Mask | None) -> Decision | None:
        late = bool(self.context.attempts) and elapsed >= self._limits.seconds
        eligible = self._eligible if allowed is None else self._eligible & allowed
        if late or len(self.context.answers) >= self._limits.rounds or not eligible.any():
            return None
        again, sought = bool(self.context.answers), self.context.objective
        belief = self._policy.assess(self.context, sought if again and sought is not None else self._objective, eligible)
        assessment = self._affordable(self._adjust(self.context, belief))
        if not again:
            self.context = replace(self.context, objective=assessment.objective or self._objective)
        if not assessment.eligible.any():
            return None
        choice = self._policy.choose(assessment, self._rng)
        action = STOP if choice.action == len(self._models) else choice.action
        self.last = Decision(self._asked, action, assessment.of(choice.action), choice.propensity, assessment)
        if self.last.stops:
            return None
        self._asked += 1
        self._open[self.last.number] = self.last
        return self.last

    def keep(self, number: int) -> None:
        """Say whose answer is the request's, where a vote over all of them tells.

        Args:
            number: of a decision that was answered.

        Raises:
            ConfigurationError: of none.
        """
        if all(each.decision.number != number for each in self.context.answers):
            raise ConfigurationError(f"decision {number} has brought no answer that could be kept")
        self.context = replace(self.context, chosen=number)

    def result(self) -> Result[Answer]:
        """What it has brought so far."""
        context = self.context
        attempts = cast("tuple[Attempt[Answer], ...]", context.attempts)
        kept = cast("Attempt[Answer] | None", context.kept)
        return Result(kept, attempts, context.spent)

    def _affordable(self, assessment: Assessment) -> Assessment:
        """Without what is expected to take the episode beyond its limit; what a first attempt may cost is known before there is one."""
        if not self.context.attempts or assessment.spend is None or self._limits.spend == inf:
            return assessment
        eligible = assessment.eligible & (assessment.spend <= self._limits.spend)
        eligible[len(self._models) :] = assessment.eligible[len(self._models) :]
        return replace(assessment, eligible=eligible)
