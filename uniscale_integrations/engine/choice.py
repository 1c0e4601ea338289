"""What a policy sees of a request, and which configurations it leaves out."""

from __future__ import annotations

from collections.abc import Collection

from uniscale_integrations.engine.brain import Brain
from uniscale_integrations.engine.continuation import TOOL_LOOP, Continuation
from uniscale_integrations.engine.eligibility import Reasons
from uniscale_integrations.engine.request import EngineRequest
from uniscale_integrations.engine.session_cost import saved_by_staying
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.policy import Context
from uniscale_integrations.space import Configuration, ConfigurationSpace
from uniscale_integrations.tokens import count_conversation

BEYOND_BUDGET = "it is expected to cost more than is left of the mean budget"
"""Why configurations are not eligible that could serve a request."""


def context_of(brain: Brain, request: EngineRequest) -> tuple[Context, float | None]:
    """What the policy sees of a request, and its input tokens where models are paid for by the token."""
    conversation, rates = request.conversation, brain.estimates.rates
    seen = brain.design.encode.context(conversation.query, conversation.numbers, brain.space)
    input_tokens = count_conversation(conversation, brain.vocabulary) if rates.in_tokens.any() else None
    saved = None
    if request.continues is not None:
        saved = saved_by_staying(request.continues, brain.space, brain.models, brain.design.hardware, rates.paths)
    return Context(seen.query, seen.rows, seen.input_tokens if input_tokens is None else input_tokens, saved), input_tokens


def of_other_models(space: ConfigurationSpace, continues: Continuation | None, reasons: Reasons) -> dict[Configuration, str]:
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
