"""What an engine decides, and what came of it, as the log's events."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np

from uniscale_integrations.deprecation import former_attribute, former_names
from uniscale_integrations.engine.brain import Brain
from uniscale_integrations.engine.continuation import REPLY, Reply
from uniscale_integrations.engine.eligibility import Reasons
from uniscale_integrations.engine.recalibration import Recalibration
from uniscale_integrations.engine.tags import tags_now
from uniscale_integrations.errors import BudgetError
from uniscale_integrations.log.events import DecisionEvent, Outcome
from uniscale_integrations.log.lessons import ROUNDS, Rounds
from uniscale_integrations.models.faults import status_of
from uniscale_integrations.policy.explain import Explanation, explain
from uniscale_integrations.policy.objective import Objective, Weights
from uniscale_integrations.policy.policy import Assessment, Mask
from uniscale_integrations.policy.targets import Target
from uniscale_integrations.redaction import redacted_message
from uniscale_integrations.rounds.attempt import Decision as RoundDecision
from uniscale_integrations.search.answer import Answer
from uniscale_integrations.search.conversation import Conversation
from uniscale_integrations.search.record import record
from uniscale_integrations.space import Configuration, ConfigurationSpace


@dataclass(frozen=True, slots=True)
class Decision:
    """One choice of a configuration.

    Attributes:
        id: what feedback refers to.
        configuration: what was chosen.
        expected: expected `correct`, `score`, `cost` (`C~`), `reward` and, in dollars or eFLOPs, `spend` of it.
        bonus: what not knowing it better was worth.
        objective: of the request, with all its numbers.
        request_id: the request; it may take several decisions.
        round: counts them, from 0.
        propensity: the probability with which the policy chose it.
        target: what was asked of requests together, if anything was, which has made the objective.
        of: the decision in its request's episode.
        spent: in dollars or eFLOPs, by attempts at the request before it; `expected` is of all of them together.
        shown: whether what comes of it may be shown while it is made, for nothing that is decided later takes it back.
    """

    id: str
    configuration: Configuration
    expected: dict[str, float]
    bonus: float
    objective: Objective
    request_id: str
    round: int
    features: tuple[float, ...] = field(repr=False)
    assessment: Assessment = field(repr=False)
    space: ConfigurationSpace = field(repr=False)
    reasons: Reasons = field(repr=False)
    propensity: float = 1.0
    input_tokens: float | None = field(default=None, repr=False)
    target: Target | None = None
    of: RoundDecision | None = field(default=None, repr=False)
    spent: float = 0.0
    shown: bool = True

    weights = former_attribute("objective")
    masked = former_attribute("reasons")
    width = former_attribute("bonus")  # a width is sqrt(x^T A^-1 x)

    def explain(self) -> Explanation:
        """Every configuration with what was expected of it, why it was not eligible, and at which setting it would have been chosen."""
        return explain(self.space, self.assessment, self.objective, self.reasons, self.space.index(self.configuration))


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The decision to ask nobody further, once an answer was seen.

    Attributes:
        request_id: the request.
        decision_id: the decision whose answer is given.
        assessment: of going on with every configuration, and in the last row of stopping.
        objective: of the request, with all its numbers.
    """

    request_id: str
    decision_id: str
    assessment: Assessment = field(repr=False)
    objective: Objective
    space: ConfigurationSpace = field(repr=False)
    reasons: Reasons = field(repr=False)

    def explain(self) -> Explanation:
        """Every configuration with what was expected of going on with it, and what was of stopping."""
        return explain(self.space, self.assessment, self.objective, self.reasons, len(self.space))

    def record(self) -> dict[str, float]:
        """What was expected of stopping, and the greatest bound of going on, for the log."""
        assessment, stop = self.assessment, len(self.space)
        going_on = np.where(assessment.eligible, assessment.reward + assessment.bonus, -np.inf)[:stop].max()
        names = ("correct", "score", "cost", "reward")
        expected = {name: round(float(getattr(assessment, name)[stop]), 6) for name in names}
        return expected | ({"going_on": round(float(going_on), 6)} if np.isfinite(going_on) else {})


@dataclass(frozen=True, slots=True)
class EventFactory:
    """Says in the log's words what an engine does; writing it down is the log's own affair.

    Attributes:
        brain: what decides.
        recalibration: of its scores, where they are calibrated.
        store_queries: whether the text of questions is kept; otherwise features and a hash are.
        store_paths: whether every path of a search is.
    """

    brain: Brain
    recalibration: Recalibration | None
    store_queries: bool
    store_paths: bool

    def decision(self, decision: Decision, conversation: str | Conversation) -> DecisionEvent:
        """That this was decided for that question."""
        query = conversation.query if isinstance(conversation, Conversation) else conversation
        return DecisionEvent(
            decision.id,
            decision.configuration,
            decision.features,
            self.brain.design.encode.name,
            _weights_of(decision.objective),
            decision.propensity,
            request_id=decision.request_id,
            round=decision.round,
            query_hash=blake2b(query.encode(errors="surrogatepass"), digest_size=16).hexdigest(),
            query=query if self.store_queries else None,
            extra=self._extra(decision),
        )

    def _extra(self, decision: Decision) -> dict[str, Any]:
        extra: dict[str, Any] = {"brain": self.brain.key, "eligible": _flags(decision.assessment.eligible[: len(decision.space)])}
        if not isinstance(decision.objective, Weights):
            extra |= {"objective": decision.objective.record() | (decision.target.record() if decision.target else {})}
        if decision.input_tokens is not None:
            extra |= {"input_tokens": decision.input_tokens}
        if decision.round:
            extra |= {"expected": [decision.expected["correct"], decision.expected["score"]]}
        if tags := tags_now():
            extra |= {"tags": list(tags)}
        return extra

    def outcome(self, decision: Decision, answer: Answer, rounds: Rounds | None = None, reply: Reply | None = None) -> Outcome:
        """What it came to, and whose the reply is, for when it comes back to any worker.

        Args:
            decision: that was carried out.
            answer: what came of it.
            rounds: its place in an episode, where the engine decides again.
            reply: what the request was answered with; `None` where nobody knows that yet.
        """
        ledger = answer.ledger
        position = round(self.brain.estimates.position(ledger), 6)
        extra = {"tokens": list(ledger.tokens), "cut": answer.stop_reason, "cost": position} | self._unit
        if answer.vote:
            extra["vote"] = answer.vote
        if self.store_paths:
            extra |= {"record": record(answer), "ledger": ledger.as_dict(), "notes": list(answer.warnings)}
        score, verifier = answer.score, self.brain.design.verifier
        if score is not None and verifier is not None:
            extra["verifier"] = verifier.name
            if self.recalibration is not None:
                extra |= {"raw": score, "calibration": self.recalibration.version}
                score = self.recalibration(score)
        if rounds is not None:
            extra[ROUNDS] = rounds.record()
        if reply is not None:
            extra[REPLY] = list(reply)
        return Outcome(decision.id, score, ledger.eflops, ledger.usd, ledger.seconds, extra=extra)

    def failure(
        self,
        decision: Decision,
        why: str | Exception,
        usage: tuple[float, float] = (0.0, 0.0),
        rounds: Rounds | None = None,
        reply: Reply | None = None,
    ) -> Outcome:
        """That it came to nothing, and what was spent on it, in eFLOPs and dollars; its place in an episode and the reply as of `outcome`.

        What a provider says of a request may quote it: where the text of questions is not kept, the kinds and states of errors are, with a
        hash that tells two messages apart.
        """
        if isinstance(why, str) or self.store_queries or isinstance(why, BudgetError):
            failed = redacted_message(str(why) or repr(why))
        else:
            failed = _kinds_of(why)
        extra = self._unit if rounds is None else self._unit | {ROUNDS: rounds.record()}
        if reply is not None:
            extra = extra | {REPLY: list(reply)}
        return Outcome(decision.id, None, *usage, failed=failed, extra=extra)

    def score(self, answer: Answer) -> float | None:
        """The score of an answer as it is learned from."""
        return answer.score if self.recalibration is None or answer.score is None else self.recalibration(answer.score)

    @property
    def _unit(self) -> dict[str, Any]:
        return {"dollars": True} if self.brain.estimates.in_dollars else {}


def _kinds_of(error: Exception) -> str:
    """What kinds of errors an error stands for, with their states, and a hash of what they say."""
    causes = getattr(error, "errors", ()) or (error,)
    kinds = [f"{type(each).__name__}{'' if (state := status_of(each)) is None else f' {state}'}" for each in causes]
    digest = blake2b(str(error).encode(errors="surrogatepass"), digest_size=6).hexdigest()
    return f"{', '.join(dict.fromkeys(kinds))} (message {digest})"


def _weights_of(objective: Objective) -> tuple[float, float, float]:
    """For readers that know of weights only: a right answer counts, and so does what it costs."""
    return objective.parts if isinstance(objective, Weights) else (0.5, 0.0, 0.5)


def _flags(eligible: Mask) -> str:
    """Which configurations could be chosen, four in a hexadecimal digit, the first one in the highest bit."""
    return np.packbits(eligible).tobytes().hex()


__getattr__ = former_names(__name__, {"Journal": "EventFactory"})
