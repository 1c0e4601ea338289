"""Everything that decides, built from what an engine was set up with by one pure function, and swapped as one reference."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, cast

from uniscale_integrations.duplicate_arms import DuplicateArms
from uniscale_integrations.engine.brain_record import describe
from uniscale_integrations.engine.design import Design
from uniscale_integrations.engine.eligibility import Eligibility
from uniscale_integrations.engine.estimates import Estimates
from uniscale_integrations.engine.model_registry import duplicate_arms
from uniscale_integrations.engine.price_history import PriceHistory
from uniscale_integrations.log.fold import Fold
from uniscale_integrations.log.ports import EventStore
from uniscale_integrations.policy.actions import ActionFeatures
from uniscale_integrations.policy.arms import Arms
from uniscale_integrations.policy.policy import Policy
from uniscale_integrations.policy.request_pacing import Pacing
from uniscale_integrations.rounds.one_round import OneRound
from uniscale_integrations.rounds.ports import LearnsFromRounds, RoundsPolicy
from uniscale_integrations.search.ports import Generator, Verifier
from uniscale_integrations.space import ConfigurationSpace

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Brain:
    """What decides a request, from its first decision to its last: a request that is under way keeps the one that it began with.

    Attributes:
        design: what it was built from.
        estimates: what configurations are expected to cost.
        eligibility: which of them can serve a request.
        fold: from the log to the policy, which is its `policy`.
        pacing: of a mean budget.
        duplicates: which of the configurations run the same search as another one.
        key: under which the log keeps `record`.
        arms: the configurations as the policy knows them.
    """

    design: Design
    estimates: Estimates
    eligibility: Eligibility
    fold: Fold
    pacing: Pacing | None
    duplicates: DuplicateArms
    key: str
    arms: Arms

    @property
    def policy(self) -> Policy | LearnsFromRounds:
        """What chooses and learns."""
        return self.fold.policy

    @property
    def rounds_policy(self) -> RoundsPolicy:
        """The same as episodes know it: one that decides once stops where there is an answer."""
        policy = self.fold.policy
        return cast(RoundsPolicy, policy) if self.decides_again else OneRound(cast(Policy, policy), self.arms)

    @property
    def decides_again(self) -> bool:
        """Whether a request may have several rounds."""
        return self.fold.decides_again

    @property
    def space(self) -> ConfigurationSpace:
        """What it chooses from; every configuration's model is one of `models`."""
        return self.design.space

    @property
    def models(self) -> Mapping[str, Generator]:
        """The models by name; read-only."""
        return self.design.models

    @property
    def verifier(self) -> Verifier | None:
        """What scores the steps."""
        return self.design.verifier

    @property
    def loop_free(self) -> bool:
        """Whether requests of callers who do not await use nothing that belongs to one event loop; see `LoopFree`."""
        parts = self.models.values() if self.verifier is None else (*self.models.values(), self.verifier)
        return all(getattr(part, "loop_free", False) for part in parts)

    @property
    def in_dollars(self) -> bool:
        """Whether costs are counted in dollars, and not in eFLOPs."""
        return self.estimates.in_dollars

    @property
    def vocabulary(self) -> str:
        """The name of the model by whose vocabulary input tokens are counted, the first one's; how others count is learned beside it."""
        name, model = next(iter(self.models.items()))
        return str(getattr(model, "model_id", name))

    def record(self) -> dict[str, Any]:
        """All that another process needs to fold the log as this one does, JSON-ready."""
        return describe(self.design, self.estimates, self.duplicates)


def build(design: Design, log: EventStore, previous: Brain | None = None) -> Brain:
    """The brain of a design, which has learned nothing yet; what a previous one knows of models and of money spent goes on.

    Args:
        design: what to build.
        log: what will be folded.
        previous: the one in whose place it comes.
    """
    estimates = Estimates.of(design.space, design.models, design.hardware, design.verifier, design.votes)
    arms = Arms.of(
        tuple(design.space),
        design.encode.schema,
        estimates.positions,
        features=ActionFeatures(design.sizes or {}),
        scored=design.verifier is not None,
        span=estimates.scale.span,
        successors=design.successors,
        rates=estimates.rates,
    )
    duplicates = duplicate_arms(design.models, design.verifier)
    eligibility = Eligibility(
        design.space,
        design.models,
        design.hardware,
        verified=design.verifier is not None,
        max_cost=design.max_cost,
        duplicates=duplicates.duplicates(design.space),
        whole_duplicates=duplicate_arms(design.models, design.verifier, whole=True).duplicates(design.space),
    )
    if design.own_space and (previous is None or duplicates != previous.duplicates):
        _report(duplicates, design.space)
    pacing = None
    if previous is not None:
        eligibility.remember(previous.eligibility)
        pacing = previous.pacing and previous.pacing.at(estimates.scale)
    if pacing is None and design.mean_budget is not None:
        pacing = Pacing(design.mean_budget, estimates.scale)
    record = describe(design, estimates, duplicates)
    key = f"brain:{blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=12).hexdigest()}"
    costs = PriceHistory(log, key, record)
    encoder, rules = design.encode.name, design.feedback
    fold = Fold(
        log, design.policy.learner(arms), arms, encoder, costs, duplicates, rules, make=lambda: design.policy.learner(arms)
    )
    return Brain(design, estimates, eligibility, fold, pacing, duplicates, key, arms)


def _report(duplicates: DuplicateArms, space: ConfigurationSpace) -> None:
    """Say which configurations that somebody has named will not be chosen, and what is chosen in their place."""
    for configuration, one in duplicates.duplicates(space).items():
        _log.warning(
            "%s is not chosen: %s cannot continue a partial answer, so that it runs the same search as %s",
            configuration,
            configuration.model,
            one,
        )
