"""From what a user gives to what an engine is built from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from uniscale_integrations.cost.hardware import HardwareProfile
from uniscale_integrations.engine.design import Design
from uniscale_integrations.engine.estimates import check_units, limited_by
from uniscale_integrations.engine.known_prices import Prices, given_prices, is_automatic, with_known_prices
from uniscale_integrations.engine.model_registry import Model, default_space, generators, loaded, suiting
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.log.feedback_rules import FeedbackRules, SilenceSetting
from uniscale_integrations.policy.encoders import JointContext, RequestEncoder, WithNumbers, query_encoder
from uniscale_integrations.policy.named import ROUNDS, PolicySpec
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.conversation import NUMBERS
from uniscale_integrations.search.ports import Generator, Verifier
from uniscale_integrations.space import ConfigurationSpace
from uniscale_integrations.verifiers.named import check_verifier, named_verifier

ClientSettings = Mapping[str, Any]
"""Of the clients around models of a framework, some of `CLIENT_SETTINGS`."""

CLIENT_SETTINGS = ("api_key", "max_concurrency", "timeout", "retries")


def design_of(
    models: Sequence[object] | None,
    verifier: Verifier | str | None,
    space: ConfigurationSpace | None,
    features: object,
    policy: PolicySpec,
    prices: Prices,
    hardware: HardwareProfile,
    max_cost: float | None,
    mean_budget: float | None,
    client_settings: ClientSettings,
) -> Design:
    """The design of a new engine; parameters as of `UniScale`.

    Raises:
        ConfigurationError: parts that do not fit together, or settings that cannot be.
    """
    if unknown := sorted(set(client_settings).difference(CLIENT_SETTINGS)):
        raise ConfigurationError(f"client_settings are {', '.join(CLIENT_SETTINGS)}; got {unknown[0]!r}")
    models = models and _built(models, client_settings)
    automatic = is_automatic(prices)
    by_name = loaded(models, given_prices(prices))
    if automatic:
        by_name = with_known_prices(by_name, hardware)
    check_units(by_name, hardware)
    choice = suiting(by_name.values()) if verifier == "auto" else verifier
    scorer = named_verifier(choice, list(by_name)) if isinstance(choice, str) else check_verifier(choice)
    own_space, space = space is not None, space or default_space(by_name, scorer)
    _check(space, by_name)
    if max_cost is not None and not max_cost > 0:
        raise ConfigurationError(f"max_cost must be a number above 0, got {max_cost!r}")
    encode, policy = _reading(features, policy)
    sizes, successors = _model_settings(models or ())
    return Design(
        MappingProxyType(by_name),
        scorer,
        space,
        encode,
        policy,
        hardware,
        max_cost,
        mean_budget,
        sizes,
        successors,
        client_settings,
        automatic,
        own_space,
    )


Silences = SilenceSetting
"""What the silence of all sources together means, or that of each source."""


def with_feedback_rules(design: Design, silence: Silences | None, source_weights: Mapping[str, float] | None) -> Design:
    """A design that learns from feedback by these rules; parameters as of `UniScale`.

    Raises:
        ConfigurationError: a silence that is none, or a weight out of (0, 1].
    """
    return replace(design, feedback=FeedbackRules.of(silence, source_weights))


def policy_for(rounds: int | None, policy: PolicySpec, *, scored: bool) -> PolicySpec:
    """The policy of an engine with so many rounds.

    Args:
        rounds: as given; `None` where nothing was said.
        policy: likewise.
        scored: whether anything scores answers.

    Raises:
        ConfigurationError: no such number, or several rounds with a policy that decides once, or without scores to decide by.
    """
    if rounds is None:
        return policy
    if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
        raise ConfigurationError(f"rounds must be a whole number of at least 1, got {rounds!r}")
    if rounds == 1 or policy.decides_again:
        return policy
    if policy.source != "linucb" or policy.settings is not None:
        raise ConfigurationError(
            f"rounds={rounds} needs a policy that decides again once an answer was seen, which it brings: leave out policy and settings, "
            f"or give a class that is one (see `LearnsFromRounds`); got the policy {policy.source!r:.60}"
        )
    if not scored:
        raise ConfigurationError(f"rounds={rounds} decides by an answer's score, and verifier=None gives none; name a verifier")
    return PolicySpec(ROUNDS)


def in_rounds(design: Design, rounds: int | None) -> Design:
    """A design that decides again where that is worth it and nothing else was asked for.

    It is where a verifier scores an answer by itself, and not by how far it agrees with others, and where there is something to choose.

    Args:
        design: as given otherwise.
        rounds: likewise; `None` where nothing was said.
    """
    scores, choices = design.verifier is not None and design.verifier.path_local, len(design.space) > 1
    if rounds is not None or not scores or not choices or design.policy != PolicySpec():
        return design
    return replace(design, policy=PolicySpec(ROUNDS))


def _reading(features: object, policy: PolicySpec) -> tuple[RequestEncoder, PolicySpec]:
    """What makes the features, and the policy that learns from them."""
    if isinstance(features, JointContext):
        policy = replace(policy, source="joint") if policy.source == "linucb" else policy
        encode: RequestEncoder = features
    else:
        encode = WithNumbers(query_encoder(features), NUMBERS, "conversation-1")
    if (policy.source == "joint") != isinstance(features, JointContext):
        raise ConfigurationError(
            'features=JointContext(...) and policy="joint" go together: only that policy learns from both as one text; '
            f"got the policy {policy.source!r:.60} and features {features!r:.60}"
        )
    return encode, policy


def updated_design(design: Design, models: Sequence[object] | None, space: ConfigurationSpace | None, prices: Prices) -> Design:
    """A design with other models, configurations or prices; parameters as of `UniScale.update`.

    Raises:
        ConfigurationError: as of `design_of`.
    """
    own_space = design.own_space or space is not None
    generators, sizes, successors = dict(design.models), dict(design.sizes or {}), design.successors
    if models is not None:
        entries = _built([_staying(each, generators) for each in models], design.client_settings)
        new = loaded(entries)
        new_sizes, following = _model_settings(entries)
        for heir, ancestor in following:
            if ancestor not in generators and ancestor not in new:
                raise ConfigurationError(
                    f"{heir} is to succeed {ancestor!r}, but the models are {', '.join({**generators, **new})}"
                )
        sizes |= new_sizes
        successors = tuple(dict.fromkeys((*successors, *following)))
        if space is None:
            space = _extend(design, generators, new)
        generators = new
    automatic = design.known_prices or is_automatic(prices)
    if own := given_prices(prices):
        generators = loaded(list(generators.values()), own)
    if automatic and (prices or models is not None):
        generators = with_known_prices(generators, design.hardware)
    check_units(generators, design.hardware)
    space = space or design.space
    _check(space, generators)
    revision = replace(
        design,
        models=MappingProxyType(generators),
        space=space,
        sizes=sizes,
        successors=successors,
        known_prices=automatic,
        own_space=own_space,
    )
    if (design.max_cost is not None or design.mean_budget is not None) and in_dollars(revision) != in_dollars(design):
        unit, other = ("dollars", "eFLOPs") if in_dollars(revision) else ("eFLOPs", "dollars")
        raise ConfigurationError(
            f"costs would be counted in {unit}, but max_cost or mean_budget is in {other}; make an engine anew on the log"
        )
    return revision


def in_dollars(design: Design) -> bool:
    """Whether a design's costs are counted in dollars."""
    return limited_by(next(iter(design.models.values())), design.hardware, Budget(usd=1.0)) is not None


def _built(models: Sequence[object], settings: ClientSettings) -> Sequence[object]:
    """The models, those of a framework behind clients with these settings; what is a generator already stays as it is."""
    if not settings or isinstance(models, str):
        return models
    inner = generators([each.model if isinstance(each, Model) else each for each in models], **settings)
    return [replace(each, model=built) if isinstance(each, Model) else built for each, built in zip(models, inner, strict=True)]


def _staying(model: object, present: Mapping[str, Generator]) -> object:
    """What is there already, where a model is given by the name of one."""
    if isinstance(model, Model) and isinstance(model.model, str):
        return replace(model, model=present.get(model.model, model.model))
    return present.get(model, model) if isinstance(model, str) else model


def _extend(design: Design, old: Mapping[str, Generator], new: Mapping[str, Generator]) -> ConfigurationSpace:
    """The configurations of models that stay, and those that suit the ones that come."""
    remaining = [each for each in design.space if each.model in new]
    new_models = {name: model for name, model in new.items() if name not in old}
    return ConfigurationSpace([*remaining, *(default_space(new_models, design.verifier) if new_models else ())])


def _model_settings(models: Sequence[object]) -> tuple[dict[str, float], tuple[tuple[str, str], ...]]:
    """What is said of models beside themselves: parameters by name, and which succeeds which."""
    entries = [each for each in models if isinstance(each, Model)]
    sizes = {each.called: float(each.parameters) for each in entries if each.parameters is not None}
    return sizes, tuple((each.called, each.successor_of) for each in entries if each.successor_of is not None)


def _check(space: ConfigurationSpace, models: Mapping[str, Generator]) -> None:
    missing = [configuration for configuration in space if configuration.model not in models]
    if missing:
        raise ConfigurationError(f"the space has {missing[0]}, but the models are {', '.join(models)}")
