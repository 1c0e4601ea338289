"""The choice of a configuration for a request, and why others were not eligible."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from uniscale_integrations.engine.brain import Brain
from uniscale_integrations.engine.continuation import TOOL_LOOP, Continuation
from uniscale_integrations.engine.eligibility import Reasons
from uniscale_integrations.engine.journal import Decision
from uniscale_integrations.engine.replica import Replica
from uniscale_integrations.engine.request import EngineRequest
from uniscale_integrations.engine.session_cost import saved_by_staying
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.log.events import new_id
from uniscale_integrations.policy.policy import Assessment, Context, Mask
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.tokens import count_conversation

BEYOND_BUDGET = "it is expected to cost more than is left of the mean budget"
"""Why configurations are not eligible that could serve a request."""


def decide(brain: Brain, replica: Replica, request: EngineRequest, failed: Reasons, attempt: int = 0) -> Decision:
    """Choose the configuration for a request.

    Args:
        brain: decides.
        replica: holds what was learned.
        request: what is asked.
        failed: configurations that are left out, with the reason.
        attempt: how many decisions were taken for the request before.

    Raises:
        ConfigurationError: no configuration can serve it.
    """
    conversation = request.conversation
    if not conversation.question.strip() and not conversation.may_be_empty:
        raise ConfigurationError("the question is empty; give it at least one word")
    context, input_tokens = _context(brain, request)
    reasons = brain.eligibility.reasons(conversation, request.remaining, failed)
    reasons = {**_of_other_models(brain.space, request.continues, reasons), **reasons}
    eligible = np.ones(len(brain.space), dtype=np.bool_)
    if reasons:
        eligible[:] = [configuration not in reasons for configuration in brain.space]
        if not eligible.any():
            raise ConfigurationError(f"no configuration can serve this request: {next(iter(reasons.values()))}")
    target = request.goal.target
    pacer = None if target is None else replica.pacers.of(target)
    belief, dear = _belief(brain, replica, context, request, eligible)
    reasons = {**reasons, **dear}
    assessment = belief if pacer is None else pacer.adjust(belief)
    if brain.pacing is not None:
        assessment = brain.pacing.adjust(assessment)
    if assessment is not belief:
        beyond = np.flatnonzero(belief.eligible & ~assessment.eligible).tolist()
        reasons = {**reasons, **{brain.space[arm]: BEYOND_BUDGET for arm in beyond}}
    choice = replica.choose(brain.policy, assessment)
    names = ("correct", "score", "cost", "reward", *(() if belief.spend is None else ("spend",)))
    unpaced = belief if pacer is None else assessment
    expectation = {name: float(getattr(unpaced, name)[choice.action]) for name in names}
    decision_id = new_id()
    if pacer is not None:
        pacer.decided(decision_id, belief, choice.action)
    return Decision(
        decision_id,
        brain.space[choice.action],
        expectation,
        float(assessment.bonus[choice.action]),
        assessment.objective or request.goal.objective,
        request.id,
        attempt,
        tuple(context.of(choice.action).query.tolist()),
        assessment.read_only(),
        brain.space,
        reasons,
        choice.propensity,
        input_tokens,
        target,
    )


def _context(brain: Brain, request: EngineRequest) -> tuple[Context, float | None]:
    """What the policy sees of a request, and its input tokens where models are paid for by the token."""
    conversation, rates = request.conversation, brain.estimates.rates
    seen = brain.design.encode.context(conversation.query, conversation.numbers, brain.space)
    input_tokens = count_conversation(conversation, brain.vocabulary) if rates.in_tokens.any() else None
    saved = None
    if request.continues is not None:
        saved = saved_by_staying(request.continues, brain.space, brain.models, brain.design.hardware, rates.paths)
    return Context(seen.query, seen.rows, seen.input_tokens if input_tokens is None else input_tokens, saved), input_tokens


def _belief(
    brain: Brain, replica: Replica, context: Context, request: EngineRequest, eligible: Mask
) -> tuple[Assessment, dict[Configuration, str]]:
    """What is expected of every configuration, and which are not eligible for what they are expected to cost.

    Raises:
        ConfigurationError: all of them.
    """
    objective = request.goal.objective
    belief = replica.assess(brain.policy, context, objective, eligible)
    dear = {} if belief.spend is None else brain.eligibility.too_dear(request.limits, belief.spend, eligible)
    if not dear:
        return belief, {}
    affordable = eligible & [configuration not in dear for configuration in brain.space]
    if not affordable.any():
        raise ConfigurationError(f"no configuration can serve this request: {next(iter(dear.values()))}")
    return replica.assess(brain.policy, context, objective, affordable), dear


def _of_other_models(space: ConfigurationSpace, continues: Continuation | None, reasons: Reasons) -> dict[Configuration, str]:
    """In a tool loop, the configurations of models that have not begun it, as long as the one that has can go on."""
    if continues is None or continues.kind != "tools":
        return {}
    if not any(each.model == continues.model and each not in reasons for each in space):
        return {}
    return {each: TOOL_LOOP for each in space if each.model != continues.model}


def excluded_by_model(space: ConfigurationSpace, models: Collection[str] | None) -> dict[Configuration, str]:
    """The configurations that a request leaves out which may only be served by some models.

    Raises:
        ConfigurationError: a model that is not there, or that the space has no configuration of.
    """
    if models is None:
        return {}
    if missing := sorted(set(models).difference(space.models)):
        raise ConfigurationError(f"no configuration has the model {missing[0]!r}; the models are {', '.join(space.models)}")
    return {each: "its model was not asked for" for each in space if each.model not in models}
