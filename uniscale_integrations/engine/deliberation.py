"""The decisions of one request: an episode over what a brain knows, within the request's limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from math import inf
from time import monotonic

import numpy as np
from numpy.random import Generator

from uniscale_integrations.cost.ledger import Ledger
from uniscale_integrations.engine.brain import Brain
from uniscale_integrations.engine.choice import BEYOND_BUDGET, context_of, of_other_models
from uniscale_integrations.engine.eligibility import Reasons
from uniscale_integrations.engine.journal import Conclusion, Decision
from uniscale_integrations.engine.replica import Replica
from uniscale_integrations.engine.request import EngineRequest
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.log.events import new_id
from uniscale_integrations.log.lessons import later_id
from uniscale_integrations.policy.objective import Objective
from uniscale_integrations.policy.policy import Assessment, Choice, Context, Mask
from uniscale_integrations.rounds.attempt import Answered, Attempt, Failed
from uniscale_integrations.rounds.attempt import Decision as RoundDecision
from uniscale_integrations.rounds.context import RoundContext
from uniscale_integrations.rounds.episode import Episode, Limits
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.ports import SupportsRepeats


class Deliberation:
    """Decides whom to ask, and again where an attempt failed or its answer may be improved on.

    It is what its episode knows as a policy: the brain's, with its locks, and with what a request may cost.

    Args:
        brain: decides.
        replica: holds what was learned.
        request: what is asked.
        excluded: configurations that are left out, with the reason.

    Attributes:
        episode: what was tried.
        excluded: as given, and those whose models have failed.
        lost: what attempts have spent of which no answer came, by the number of their decision.

    Raises:
        ConfigurationError: the question is empty.
    """

    def __init__(self, brain: Brain, replica: Replica, request: EngineRequest, excluded: Reasons) -> None:
        conversation = request.conversation
        if not conversation.question.strip() and not conversation.may_be_empty:
            raise ConfigurationError("the question is empty; give it at least one word")
        self.excluded, self._first = excluded, new_id()
        self._brain, self._replica, self._request = brain, replica, request
        context, self._input_tokens = context_of(brain, request)
        self._pacer = None if request.goal.target is None else replica.pacers.of(request.goal.target)
        self._reasons: Reasons = {}
        self._belief: Assessment | None = None
        limits = Limits(request.rounds if brain.decides_again else 1, self._most_spend(), request.limits.seconds or inf)
        every = np.ones(len(brain.space), dtype=np.bool_)
        self.episode: Episode[Answer] = Episode(
            self, context, request.goal.objective, every, brain.arms.model_of, limits, adjust=self._adjust
        )
        self._rounds = limits.rounds
        self.lost: dict[int, Ledger] = {}

    def ask(self) -> Decision | None:
        """The next decision; `None` where the answer that there is is the request's, or nothing can be tried after a failure.

        Raises:
            ConfigurationError: no configuration can serve the request.
        """
        return self._taken(self.episode.ask)

    def beside(self, late: Reasons) -> Decision | None:
        """Whom to ask beside those that have not answered.

        Args:
            late: their configurations, with the reason.
        """
        before, self.excluded = self.excluded, {**self.excluded, **late}
        try:
            return self._taken(self.episode.beside)
        except ConfigurationError:
            # Nothing else can serve this request, as little as it could at its beginning.
            return None
        finally:
            self.excluded = before

    def tell(self, decision: Decision, came: Answered[Answer] | Failed, lost: Sequence[Ledger] = ()) -> None:
        """What came of a decision, and what was spent where no answer came of it."""
        self.episode.tell(self._own(decision), came)
        if lost:
            self.lost[decision.round] = reduce(Ledger.plus, lost)
        if isinstance(came, Answered) and decision.configuration.plain and self._repeats(decision.configuration.model):
            self.episode.withdraw([self._brain.space.index(decision.configuration)])

    def attempt_of(self, decision: Decision) -> Attempt[Answer]:
        """What came of a decision that was told."""
        own = self._own(decision)
        return next(each for each in self.episode.context.attempts if each.decision is own)

    def id_of(self, decision: RoundDecision) -> str:
        """Under which a decision is known outside."""
        return later_id(self._first, decision.number)

    def conclusion(self) -> Conclusion | None:
        """Why it was decided to stop; `None` where there was nothing to decide."""
        last, kept = self.episode.last, self.episode.context.kept
        if last is None or not last.stops or kept is None or last.assessment is None:
            return None
        return Conclusion(
            self._request.id,
            later_id(self._first, kept.decision.number),
            last.assessment.read_only(),
            last.assessment.objective or self._request.goal.objective,
            self._brain.space,
            self._reasons,
        )

    def _repeats(self, model: str) -> bool:
        """Whether a model would say the same again."""
        request, generator = self._request, self._brain.models[model]
        options = request.conversation.options
        if request.sampling.temperature == 0 or options.get("temperature") == 0:
            return True
        return isinstance(generator, SupportsRepeats) and generator.repeats(options)

    def _no_tokens_left(self, remaining: Budget) -> bool:
        """Whether not even one more path of the shortest kind that the request has had would fit in what is left of its tokens."""
        answers = [each.came.answer for each in self.episode.context.answers if isinstance(each.came, Answered)]
        if remaining.tokens is None or not answers:
            return False
        shortest: float = min(sum(answer.ledger.tokens) / max(1, len(answer.paths)) for answer in answers)
        return remaining.tokens < shortest

    def _own(self, decision: Decision) -> RoundDecision:
        assert decision.of is not None, "it is one of this request's"
        return decision.of

    def _taken(self, ask: Callable[[float, Mask | None], RoundDecision | None]) -> Decision | None:
        elapsed = monotonic() - self._request.began
        decision = ask(elapsed, self._allowed())
        if decision is not None:
            return self._recorded(decision)
        if not self.episode.context.attempts:
            raise ConfigurationError(f"no configuration can serve this request: {next(iter(self._reasons.values()))}")
        return None

    def _allowed(self) -> Mask | None:
        """Which configurations can serve the request, and should not leave it to another one, shape (K,); `None` for all."""
        brain, request = self._brain, self._request
        remaining = spent_of(request, brain, self).remaining
        if self._no_tokens_left(remaining):
            return np.zeros(len(brain.space), dtype=np.bool_)
        reasons = brain.eligibility.reasons(request.conversation, remaining, self.excluded)
        self._reasons = {**of_other_models(brain.space, request.continues, reasons), **reasons}
        return np.array([each not in self._reasons for each in brain.space]) if self._reasons else None

    def believe(self, request: Context, action: int, score: float | None, verifier: str = "") -> float:
        """As of `RoundsPolicy`."""
        return self._replica.believe(self._brain.rounds_policy, request, action, score, verifier)

    def assess(self, context: RoundContext, objective: Objective, eligible: Mask) -> Assessment:
        """As of `RoundsPolicy`, without what is expected to cost more than the request may.

        Raises:
            ConfigurationError: that is so of every configuration.
        """
        brain = self._brain
        belief = self._replica.assess(brain.rounds_policy, context, objective, eligible)
        if belief.spend is not None and not context.answers:
            # A further attempt is begun only if it fits in what is left then.
            spend = belief.spend if belief.at_once is None else belief.at_once
            dear = brain.eligibility.too_dear(self._request.limits, spend, eligible)
            if dear:
                affordable = eligible & [configuration not in dear for configuration in brain.space]
                if not affordable.any() and not context.attempts:
                    raise ConfigurationError(f"no configuration can serve this request: {next(iter(dear.values()))}")
                self._reasons = {**self._reasons, **dear}
                belief = (
                    self._replica.assess(brain.rounds_policy, context, objective, affordable)
                    if affordable.any()
                    else replace(belief, eligible=affordable)
                )
        self._belief = belief
        return belief

    def choose(self, assessment: Assessment, rng: Generator) -> Choice:
        """As of `RoundsPolicy`; what is drawn is drawn by the replica's own generator."""
        return self._replica.choose(self._brain.rounds_policy, assessment)

    def _adjust(self, context: RoundContext, belief: Assessment) -> Assessment:
        """An assessment by what is asked of requests together."""
        pacing = self._brain.pacing
        if context.answers:
            return belief if pacing is None else pacing.adjust_again(belief, context.spent)
        assessment = belief if self._pacer is None else self._pacer.adjust(belief)
        if pacing is not None:
            assessment = pacing.adjust(assessment)
        if assessment is not belief:
            beyond = np.flatnonzero(belief.eligible & ~assessment.eligible).tolist()
            self._reasons = {**self._reasons, **{self._brain.space[arm]: BEYOND_BUDGET for arm in beyond}}
        return assessment

    def _recorded(self, decision: RoundDecision) -> Decision:
        """A decision as the engine knows it."""
        request, action, assessment, belief = self._request, decision.configuration, decision.assessment, self._belief
        assert assessment is not None, "it was decided here"
        assert belief is not None, "likewise"
        names = ("correct", "score", "cost", "reward", *(() if belief.spend is None else ("spend",)))
        unpaced = belief if self._pacer is None else assessment
        context = self.episode.context
        if self._pacer is not None and not context.answers:
            self._pacer.decided(self._first, belief, action)
        return Decision(
            later_id(self._first, decision.number),
            self._brain.space[action],
            {name: float(getattr(unpaced, name)[action]) for name in names},
            float(assessment.bonus[action]),
            assessment.objective or request.goal.objective,
            request.id,
            decision.number,
            tuple(context.request.of(action).query.tolist()),
            assessment.read_only(),
            self._brain.space,
            self._reasons,
            decision.propensity,
            self._input_tokens,
            request.goal.target,
            decision,
            context.spent,
            self._rounds == 1,
        )

    def _most_spend(self) -> float:
        """What the whole request may be expected to cost, in the engine's unit."""
        limits, most = self._request.limits, self._brain.eligibility.max_cost
        own = limits.usd if self._brain.in_dollars else limits.eflops
        return min(inf if own is None else own, inf if most is None else most)


def spent_of(request: EngineRequest, brain: Brain, deliberation: Deliberation) -> EngineRequest:
    """A request as its next attempt sees it: with what is left of its limits, and with other draws than the attempts before it.

    Args:
        request: as it came.
        brain: that serves it.
        deliberation: with what was tried.
    """
    answers = [attempt.came.answer for attempt in deliberation.episode.context.attempts if isinstance(attempt.came, Answered)]
    ledgers = (*deliberation.lost.values(), *(answer.ledger for answer in answers))
    if not ledgers:
        return request
    limits, sampling = request.limits, request.sampling
    for ledger in ledgers:
        limits = limits.less(ledger.usage, brain.design.hardware)
    return replace(request, limits=limits, sampling=replace(sampling, seed=sampling.seed + len(answers) * SEEDS_APART))


SEEDS_APART = 1_000_003
"""Between the seeds of two attempts at a request, so that asking the same again does not bring the same again."""
