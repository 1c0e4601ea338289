"""What a configuration is expected to cost before it was ever run, and in which unit."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import numpy as np

from uniscale_integrations.cost.hardware import HardwareProfile
from uniscale_integrations.cost.lengths import TYPICAL, Lengths
from uniscale_integrations.cost.normalise import CostScale
from uniscale_integrations.cost.price import HasPrice
from uniscale_integrations.cost.usage import NOTHING, Usage
from uniscale_integrations.deprecation import former_names
from uniscale_integrations.errors import ConfigurationError
from uniscale_integrations.policy.kernels import Array
from uniscale_integrations.policy.rates import USUAL_INPUT, Rates
from uniscale_integrations.search.budget import Budget
from uniscale_integrations.search.ports import Generator, SupportsVerifierCost, Verifier
from uniscale_integrations.search.votes import VoteRule, expected_draws
from uniscale_integrations.space import Configuration

SEARCH_SHARE = 0.5
"""What a further path of a search costs, in plain samples: many end early."""

_log = logging.getLogger(__name__)


@runtime_checkable
class SupportsCostEstimate(Protocol):
    """A generator that can tell what a plain sample takes."""

    def plain_usage(self, prompt_tokens: int, answer_tokens: int) -> Usage:
        """The usage of one sample of that many tokens after a prompt of that many."""
        ...


@runtime_checkable
class SupportsLengthEstimate(Protocol):
    """A generator that knows how long the questions are that it is asked, and its answers."""

    @property
    def lengths(self) -> Lengths:
        """Of a typical question and of a typical answer."""
        ...


def expected_paths(configuration: Configuration) -> float:
    """How many plain samples a search is expected to cost."""
    return 1.0 + SEARCH_SHARE * (configuration.most_paths - 1)


def answers_sampled(configuration: Configuration) -> float:
    """The same of a model that answers over a wire, where the candidates of a vote are sampled whole, side by side."""
    return float(configuration.qp) if configuration.cp == 1 else expected_paths(configuration)


def requests_sent(configuration: Configuration, verifier: Verifier | None, votes: VoteRule | None) -> float:
    """How many of those answers are expected to be asked for, where a vote may stop once it is decided.

    What a path takes is learned for all configurations of a model together: a vote that is counted as more paths than it draws would teach
    that each of them is short.

    Args:
        configuration: how much search.
        verifier: what scores the answers.
        votes: when a vote stops; `None` for never.
    """
    if configuration.cp > 1 or (verifier is not None and not getattr(verifier, "vote_share", 0.0)):
        return answers_sampled(configuration)
    return expected_draws(configuration.qp, votes)


def rates_of(
    space: Iterable[Configuration],
    models: Mapping[str, Generator],
    hardware: HardwareProfile,
    verifier: Verifier | None,
    votes: VoteRule | None = None,
) -> Rates:
    """What configurations cost: by the token with models that answer over a wire, by an estimate of the whole with others.

    Args:
        space: the configurations.
        models: by name.
        hardware: what prices eFLOPs.
        verifier: what scores the answers.
        votes: when a vote stops.
    """
    rows: list[tuple[float, float, float, bool]] = []
    for each in space:
        generator, typical = models[each.model], _lengths(models[each.model])
        whole = _plain_cost(generator, typical, hardware, verifier)
        if isinstance(generator, HasPrice) and isinstance(generator, SupportsCostEstimate):
            # What a call costs is linear in both.
            more_input = _plain_cost(generator, Lengths(2 * typical.prompt, typical.answer), hardware, verifier) - whole
            more_output = _plain_cost(generator, Lengths(typical.prompt, 2 * typical.answer), hardware, verifier) - whole
            rows.append((requests_sent(each, verifier, votes), more_input / typical.prompt, more_output / typical.answer, True))
        else:
            rows.append((expected_paths(each), 0.0, whole, False))
    paths, per_input, per_amount, in_tokens = (np.array(column) for column in zip(*rows, strict=True))
    return Rates(paths, np.maximum(per_input, 0.0), np.maximum(per_amount, 0.0), in_tokens)


def _plain_cost(generator: Generator, typical: Lengths, hardware: HardwareProfile, verifier: Verifier | None) -> float:
    """What a plain sample is expected to cost, in eFLOPs, or in dollars where only a price is known.

    A generator that tells neither counts 1 FLOP for a sample, so that its configurations differ by their samples.
    """
    usage = generator.plain_usage(*typical) if isinstance(generator, SupportsCostEstimate) else Usage(compute=1.0)
    plain = hardware.eflops(usage)
    if plain:
        # Where the answers cost dollars, what reads them in this process costs nobody any.
        plain += hardware.eflops(verifier.reading_usage(*typical) if isinstance(verifier, SupportsVerifierCost) else NOTHING)
    return plain or usage.usd


class CostRecord(Protocol):
    """What was spent: a request's ledger, or its outcome in the log."""

    @property
    def eflops(self) -> float:
        """Of one answer."""
        ...

    @property
    def usd(self) -> float:
        """Likewise in dollars."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """What the configurations of a space are expected to cost, and the scale which these costs span.

    Attributes:
        costs: of each configuration on a typical question, in eFLOPs or dollars, shape (K,).
        scale: from the cheapest to the dearest of them.
        in_dollars: which of the two.
        rates: by which they cost more or less on others.
    """

    costs: Array
    scale: CostScale
    in_dollars: bool
    rates: Rates

    @classmethod
    def of(
        cls,
        space: Iterable[Configuration],
        models: Mapping[str, Generator],
        hardware: HardwareProfile,
        verifier: Verifier | None,
        votes: VoteRule | None = None,
    ) -> Self:
        """Of a space's configurations, with the models that they name."""
        rates = rates_of(space, models, hardware, verifier, votes)
        costs = rates.spend(rates.usual, np.full(len(rates.paths), USUAL_INPUT))
        scale = CostScale.spanning(costs[costs > 0]) if (costs > 0).any() else CostScale(1.0, 1.0)
        return cls(costs, scale, limited_by(next(iter(models.values())), hardware, Budget(usd=1.0)) is not None, rates)

    @property
    def positions(self) -> Array:
        """`C~` of each configuration, shape (K,)."""
        return np.array([self.scale.position(cost) for cost in self.costs])

    def cost(self, record: CostRecord) -> float:
        """What was spent, in the unit of these costs: what a verifier in this process takes has no place beside dollars."""
        return record.usd if self.in_dollars else record.eflops or record.usd

    def position(self, record: CostRecord) -> float:
        """`C~` of it."""
        return self.scale.position(self.cost(record))


def check_units(models: Mapping[str, Generator], hardware: HardwareProfile) -> None:
    """That what the models cost can be compared; warns of chat models whose size is only guessed.

    Raises:
        ConfigurationError: some count in dollars and others in eFLOPs.
    """
    has_price = {
        name: limited_by(model, hardware, Budget(usd=1.0)) is not None for name, model in models.items() if _tells(model)
    }
    if len(set(has_price.values())) > 1:
        dollars, other = ([name for name, has in has_price.items() if has is expected_unit] for expected_unit in (True, False))
        raise ConfigurationError(
            f"{', '.join(dollars)} cost dollars and {', '.join(other)} eFLOPs, which cannot be compared; give all models a price, or none"
        )
    without_size = [name for name, model in models.items() if getattr(model, "size_unknown", False)]
    if without_size and len(models) > 1:
        _log.warning(
            "neither price nor size of %s is known, so that each is taken to have ten billion parameters; say what models cost, "
            "prices={'name': (0.25, 2.0)} in dollars per million tokens read and sampled",
            ", ".join(without_size),
        )


def limited_by(generator: Generator, hardware: HardwareProfile, budget: Budget) -> float | None:
    """What a budget allows, in the unit of the generator's expected cost; `None` where it says nothing about that."""
    if not isinstance(generator, SupportsCostEstimate):
        return None
    usage = generator.plain_usage(*_lengths(generator))
    # A price may be 0.
    in_dollars = usage.usd or (isinstance(generator, HasPrice) and generator.price is not None)
    return budget.eflops if hardware.eflops(usage) else budget.usd if in_dollars else None


def _tells(model: Generator) -> bool:
    return isinstance(model, SupportsCostEstimate) and sum(model.plain_usage(*_lengths(model))) > 0


def _lengths(generator: Generator) -> Lengths:
    return generator.lengths if isinstance(generator, SupportsLengthEstimate) else TYPICAL


__getattr__ = former_names(__name__, {"KnowsItsCost": "SupportsCostEstimate", "KnowsItsLengths": "SupportsLengthEstimate"})
