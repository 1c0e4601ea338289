"""What an engine was set up with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from uniscale_integrations.cost.hardware import HardwareProfile
from uniscale_integrations.log.feedback_rules import FeedbackRules
from uniscale_integrations.policy.encoders import RequestEncoder
from uniscale_integrations.policy.named import PolicySpec
from uniscale_integrations.search.ports import Generator, Verifier
from uniscale_integrations.search.votes import VoteRule
from uniscale_integrations.space import ConfigurationSpace


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """What an engine was set up with.

    Attributes:
        models: by name.
        verifier: what scores the steps.
        space: the configurations to choose from.
        encode: makes the features of questions.
        policy: what chooses.
        hardware: the profile that prices compute.
        max_cost: most that one request may be expected to cost.
        mean_budget: what requests may cost on average.
        sizes: parameters of models by name, where they were given.
        successors: names of models that succeed another one, with its name.
        client_settings: of the clients around models of a framework, also of those that come later.
        known_prices: whether prices that are known are taken of models that none was given for.
        own_space: whether who uses the engine has named the configurations.
        feedback: what sources' judgements and their silence count.
        votes: when a vote among whole answers stops, which is what it is expected to cost; `None` for never.
    """

    models: Mapping[str, Generator]
    verifier: Verifier | None
    space: ConfigurationSpace
    encode: RequestEncoder
    policy: PolicySpec
    hardware: HardwareProfile
    max_cost: float | None = None
    mean_budget: float | None = None
    sizes: Mapping[str, float] | None = None
    successors: tuple[tuple[str, str], ...] = ()
    client_settings: Mapping[str, Any] = field(default_factory=dict, repr=False)
    known_prices: bool = False
    own_space: bool = False
    feedback: FeedbackRules = field(default_factory=FeedbackRules)
    votes: VoteRule | None = None
