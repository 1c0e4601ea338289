"""Policies by their names, as the engine and the command line take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.baselines import Greedy, NearestNeighbours, Random
from uniscale_integrations.policy.linucb_policy import LearnerSettings, LinUCBPolicy
from uniscale_integrations.policy.policy import Policy, PolicyFactory
from uniscale_integrations.policy.thompson import ThompsonSampling

LEARNERS: Mapping[str, Callable[[Arms, LearnerSettings | None], Policy]] = {"linucb": LinUCBPolicy, "thompson": ThompsonSampling}
"""Those that take `LearnerSettings`."""

BASELINES: Mapping[str, PolicyFactory] = {"greedy": Greedy, "knn": NearestNeighbours, "random": Random}

NAMES = (*LEARNERS, *BASELINES)


def policy_factory(source: str | PolicyFactory, settings: LearnerSettings | None = None) -> PolicyFactory:
    """What makes a policy for some configurations.

    Args:
        source: one of `NAMES`, "module:name" of a class or function that takes `Arms`, or such a class or function itself.
        settings: of "linucb" and "thompson".

    Raises:
        ConfigurationError: none of these, or settings for another policy.

    Example:
        >>> policy_factory("greedy")
        <class 'uniscale_integrations.policy.baselines.Greedy'>
    """
    if isinstance(source, str) and source in LEARNERS:
        learner = LEARNERS[source]
        return lambda arms: learner(arms, settings)
    if settings is not None:
        raise ConfigurationError(f"settings are those of {' and '.join(LEARNERS)}; {source!r:.80} takes none, give them to its own class")
    if isinstance(source, str):
        return BASELINES[source] if source in BASELINES else _imported(source)
    if not callable(source):
        raise ConfigurationError(f"a policy is one of {', '.join(NAMES)}, 'module:name', or a class that takes Arms; got {source!r:.80}")
    return source


def _imported(source: str) -> PolicyFactory:
    module, colon, name = source.partition(":")
    if not colon:
        raise ConfigurationError(f"no policy {source!r}; there are {', '.join(NAMES)}, or give 'module:name' of a class that takes Arms")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"the policy {source!r} cannot be imported: {error}") from error
    if not callable(found):
        raise ConfigurationError(f"the policy {source!r} is {found!r:.80}, which makes none; name a class or a function that takes Arms")
    return found  # type: ignore[no-any-return]  # whether it makes a policy shows when it has
