"""Policies by their names, as the engine, the log and the command line know them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any, Self, cast

from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.baselines import Greedy, NearestNeighbours, Random
from uniscale_integrations.policy.default_policy import LearnerSettings, LinUCBPolicy
from uniscale_integrations.policy.joint import JointLinUCBPolicy
from uniscale_integrations.policy.policy import Policy, PolicyFactory
from uniscale_integrations.policy.priors import Precisions
from uniscale_integrations.policy.thompson import ThompsonSampling
from uniscale_integrations.rounds.policy import DecidesAgain
from uniscale_integrations.rounds.ports import LearnsFromRounds, RoundsFactory

LEARNERS: Mapping[str, Callable[[Arms, LearnerSettings | None], Policy]] = {
    "linucb": LinUCBPolicy,
    "thompson": ThompsonSampling,
    "joint": JointLinUCBPolicy,
}
"""Those that take `LearnerSettings`."""

BASELINES: Mapping[str, PolicyFactory] = {"greedy": Greedy, "knn": NearestNeighbours, "random": Random}

NAMES = (*LEARNERS, *BASELINES)

ROUNDS = "rounds"
"""The policy that decides again once an answer was seen, as an engine with several rounds has it; see `DecidesAgain`."""


@dataclass(frozen=True, slots=True)
class PolicySpec:
    """Which policy, and how it is set up; called with `Arms` it makes one.

    Args:
        source: one of `NAMES`, "module:name" of a class or function that takes `Arms`, or such a class or function itself.
        settings: of "linucb", "thompson" and "joint".

    Raises:
        ConfigurationError: none of these, or settings for another policy.

    Example:
        >>> PolicySpec("linucb").record()["source"], PolicySpec(Greedy).record()["source"]
        ('linucb', 'uniscale_integrations.policy.baselines:Greedy')
    """

    source: str | PolicyFactory | RoundsFactory = "linucb"
    settings: LearnerSettings | None = None

    def __post_init__(self) -> None:
        if self.settings is not None and self.source not in LEARNERS:
            message = f"settings are those of {', '.join(LEARNERS)}; {self.source!r:.80} takes none, give them to its own class"
            raise ConfigurationError(message)
        if not isinstance(self.source, str) and not callable(self.source):
            requirement = f"one of {', '.join(NAMES)}, 'module:name', or a class that takes Arms"
            raise ConfigurationError(f"a policy is {requirement}; got {self.source!r:.80}")
        if isinstance(self.source, str) and self.source not in (*NAMES, ROUNDS):
            _import(self.source)

    @property
    def decides_again(self) -> bool:
        """Whether it is one that does, as `LearnsFromRounds`."""
        source = _import(self.source) if isinstance(self.source, str) and ":" in self.source else self.source
        return source == ROUNDS or (isinstance(source, type) and hasattr(source, "believe") and hasattr(source, "ended"))

    def learner(self, arms: Arms) -> Policy | LearnsFromRounds:
        """The policy for some configurations, be it one that decides again."""
        if not isinstance(self.source, str):
            return self.source(arms)
        if self.source == ROUNDS:
            return DecidesAgain(arms)
        if self.source in LEARNERS:
            return LEARNERS[self.source](arms, self.settings)
        return (BASELINES[self.source] if self.source in BASELINES else _import(self.source))(arms)

    def __call__(self, arms: Arms) -> Policy:
        """The policy for some configurations.

        Raises:
            ConfigurationError: it is one that decides again, which learns from whole requests; see `learner`.
        """
        if self.decides_again:
            raise ConfigurationError(
                f"the policy {self.source!r:.60} learns from whole requests, and this takes a policy of single decisions"
            )
        return cast(Policy, self.learner(arms))

    def record(self) -> dict[str, Any]:
        """For the log, JSON-ready; `of` reads it back."""
        source = self.source if isinstance(self.source, str) else _name_of(self.source)
        return {"source": source, "settings": None if self.settings is None else asdict(self.settings)}

    @classmethod
    def of(cls, record: Mapping[str, Any], allowed: Collection[str] = ()) -> Self:
        """What was recorded.

        Args:
            record: as a log has it, in which anybody may have written the name of anything that can be called.
            allowed: names "module:name" that may be imported, beside the policies of this package.

        Raises:
            ConfigurationError: a policy that is not allowed, or cannot be imported here.
        """
        source, settings = record["source"], record.get("settings")
        if source in OWN:
            source = OWN[source]
        elif source not in (*NAMES, ROUNDS, *allowed):
            raise ConfigurationError(
                f"the log names {source!r:.200} as a policy, and what a log names is imported only where you allow it; if that policy is "
                "yours, say so by `--policy module:name`, or `policies=`"
            )
        if settings is None:
            return cls(source)
        fields = {
            **settings,
            "exploration": tuple(settings["exploration"])[:2],
            "precisions": settings["precisions"] and Precisions(**settings["precisions"]),
        }
        return cls(source, LearnerSettings(**fields))


def _name_of(source: object) -> str:
    return f"{getattr(source, '__module__', '?')}:{getattr(source, '__qualname__', repr(source))}"


_CLASSES: tuple[PolicyFactory | RoundsFactory, ...] = (
    LinUCBPolicy,
    ThompsonSampling,
    JointLinUCBPolicy,
    *BASELINES.values(),
    DecidesAgain,
)

OWN: Mapping[str, PolicyFactory | RoundsFactory] = {_name_of(each): each for each in _CLASSES}
"""The policies of this package, as the log names them where an engine was given the class itself."""


def _import(source: str) -> PolicyFactory:
    module, colon, name = source.partition(":")
    if not colon:
        raise ConfigurationError(
            f"no policy {source!r}; there are {', '.join(NAMES)}, or give 'module:name' of a class that takes Arms"
        )
    try:
        factory = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"the policy {source!r} cannot be imported: {error}") from error
    if not callable(factory):
        raise ConfigurationError(
            f"the policy {source!r} is {factory!r:.80}, which makes none; name a class or a function that takes Arms"
        )
    return cast(PolicyFactory, factory)
